package openai

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"iter"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// imageRequest is the body of POST images/generations.
type imageRequest struct {
	Model             string `json:"model"`
	Prompt            string `json:"prompt"`
	N                 *int   `json:"n"`
	Size              string `json:"size"`
	Quality           string `json:"quality"`
	Style             string `json:"style"`
	ResponseFormat    string `json:"response_format"`
	Background        string `json:"background"`
	Moderation        string `json:"moderation"`
	OutputCompression *int   `json:"output_compression"`
	OutputFormat      string `json:"output_format"`
	PartialImages     *int   `json:"partial_images"`
	Stream            bool   `json:"stream"`
	User              string `json:"user"`
}

// image answers POST images/generations.
func (x *exchange) image() error {
	var r imageRequest
	if refused := x.decode(fieldsOf(reflect.TypeFor[imageRequest]()), &r); refused != nil {
		return refused
	}
	if refused := x.checkModel(); refused != nil {
		return refused
	}
	if r.Prompt == "" {
		return invalid("prompt", "missing_required_parameter", "Missing required parameter: 'prompt'.")
	}
	return x.draw(r, "image_generation", nil)
}

// imageEdit answers POST images/edits.
func (x *exchange) imageEdit() error {
	f, refused := x.readForm("image", "prompt", "mask", "model", "n", "size", "quality", "response_format", "background", "input_fidelity", "output_format",
		"output_compression", "partial_images", "stream", "user")
	if refused != nil {
		return refused
	}
	if f.value("prompt") == "" {
		return invalid("prompt", "missing_required_parameter", "Missing required parameter: 'prompt'.")
	}
	return x.redraw(f, "image_edit")
}

// imageVariation answers POST images/variations.
func (x *exchange) imageVariation() error {
	f, refused := x.readForm("image", "model", "n", "size", "response_format", "user")
	if refused != nil {
		return refused
	}
	return x.redraw(f, "image_variation")
}

// redraw draws from pictures.
func (x *exchange) redraw(f form, kind string) error {
	pictures, refused := f.files("image")
	if refused != nil {
		return refused
	}
	for _, picture := range pictures {
		if found := http.DetectContentType(picture); !slices.Contains([]string{"image/png", "image/jpeg", "image/webp"}, found) {
			return invalid("image", "unsupported_file_mimetype", "Invalid file 'image': unsupported mimetype ('%s'). Supported file formats are 'image/jpeg', 'image/png', and 'image/webp'.", found)
		}
	}
	r := imageRequest{Prompt: f.value("prompt"), Size: f.value("size"), ResponseFormat: f.value("response_format"), Stream: f.value("stream") == "true"}
	if text := f.value("n"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return invalid("n", "invalid_type", "Invalid type for 'n': expected an integer.")
		}
		r.N = &n
	}
	return x.draw(r, kind, pictures)
}

// imageObject is one picture.
type imageObject struct {
	B64JSON       string `json:"b64_json,omitempty"`
	URL           string `json:"url,omitempty"`
	RevisedPrompt string `json:"revised_prompt,omitempty"`
}

// draw answers with pictures of one pixel, whose colour depends on all that was asked.
func (x *exchange) draw(r imageRequest, kind string, from [][]byte) error {
	newer := strings.HasPrefix(x.Model, "gpt-image")
	refused := core.FirstBroken(
		core.Rule{Broken: core.Outside(r.N, 1, 10), Refusal: invalid("n", "invalid_value", "Invalid 'n': expected a value between 1 and 10, but got %d instead.", core.Value(r.N))},
		core.Rule{Broken: newer && r.ResponseFormat != "", Refusal: invalid("response_format", "unknown_parameter", "Unknown parameter: 'response_format'.")},
		core.Rule{Broken: core.NoneOf(r.ResponseFormat, "", "url", "b64_json"), Refusal: invalid("response_format", "invalid_value", "Invalid value: '%s'. Supported values are: 'url' and 'b64_json'.", r.ResponseFormat)},
		core.Rule{Broken: r.Stream && !newer, Refusal: invalid("stream", "unsupported_parameter", "Streaming is not supported with this model.")},
	)
	if refused != nil {
		return refused
	}
	n := max(1, core.Value(r.N))
	var prompt core.Prompt
	prompt.Add(r.Prompt)
	for _, picture := range from {
		prompt.AddBytes("image", picture)
	}
	usage := x.UsageOf(prompt.Tokens(), int64(n)*272)
	if r.Stream {
		return x.Stream(core.EventStream(imageEvents(kind, r, pixel(x.Model, prompt.Text(), 0), &usage)), &usage)
	}
	var data []imageObject
	for i := range n {
		one := imageObject{B64JSON: pixel(x.Model, prompt.Text(), i)}
		if !newer && r.ResponseFormat != "b64_json" {
			one = imageObject{URL: fmt.Sprintf("https://fakeprovider.invalid/%s-%d.png", x.ID("img-"), i)}
		}
		data = append(data, one)
	}
	out := map[string]any{"created": x.Started.Unix(), "data": data}
	if newer {
		out["usage"], out["size"], out["quality"], out["output_format"], out["background"] = imageUsage(&usage), "1024x1024", "low", "png", "opaque"
	}
	return x.Plain(out, 0, &usage)
}

func imageUsage(u *core.Usage) map[string]any {
	return map[string]any{
		"input_tokens": u.PromptTokens, "output_tokens": u.CompletionTokens, "total_tokens": u.PromptTokens + u.CompletionTokens,
		"input_tokens_details": map[string]int64{"text_tokens": u.PromptTokens, "image_tokens": 0},
	}
}

// imageEvents are the events of a streamed picture.
func imageEvents(kind string, r imageRequest, picture string, usage *core.Usage) iter.Seq[core.Event] {
	return func(yield func(core.Event) bool) {
		shape := func() map[string]any {
			return map[string]any{"b64_json": picture, "size": "1024x1024", "quality": "low", "background": "opaque", "output_format": "png", "created_at": 0}
		}
		if r.PartialImages != nil {
			for i := range *r.PartialImages {
				fields := shape()
				fields["partial_image_index"] = i
				if !yield(core.Event{Name: kind + ".partial_image", Data: core.Typed(kind+".partial_image", fields)}) {
					return
				}
			}
		}
		fields := shape()
		fields["usage"] = imageUsage(usage)
		yield(core.Event{Name: kind + ".completed", Data: core.Typed(kind+".completed", fields), Usage: usage})
	}
}

// pixel is a picture of one pixel.
func pixel(model, prompt string, index int) string {
	seed := binary.BigEndian.AppendUint64(nil, core.SeedOf(model, prompt, strconv.Itoa(index)))
	picture := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	picture.Set(0, 0, color.NRGBA{R: seed[5], G: seed[6], B: seed[7], A: 255})
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		panic(fmt.Sprintf("encoding a pixel: %v", err)) // into memory
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}
