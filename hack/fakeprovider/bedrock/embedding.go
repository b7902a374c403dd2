package bedrock

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/cohere"
	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// malformed refuses a native body that is against the schema of the model.
func malformed(format string, args ...any) *core.Refusal {
	return invalid("Malformed input request: "+format+", please reformat your input and try again.", args...)
}

// decodeNative reads a model's native body strictly.
func decodeNative(x *core.Exchange, out any) *core.Refusal {
	unknown, err := core.Decode(x, out)
	switch {
	case err != nil:
		return invalid("Malformed input request, please reformat your input and try again.")
	case unknown != "":
		return malformed("#: extraneous key [%s] is not permitted", unknown)
	}
	return nil
}

// titanRequest is the body of Titan's embeddings.
type titanRequest struct {
	InputText      string   `json:"inputText"`
	Dimensions     *int     `json:"dimensions"`
	Normalize      *bool    `json:"normalize"`
	EmbeddingTypes []string `json:"embeddingTypes"`
}

func titan(x *core.Exchange) error {
	if refused := checkModel(x); refused != nil {
		return refused
	}
	var r titanRequest
	if refused := decodeNative(x, &r); refused != nil {
		return refused
	}
	switch {
	case r.InputText == "":
		return malformed("expected minLength: 1, actual: 0")
	case r.Dimensions != nil && *r.Dimensions != 256 && *r.Dimensions != 512 && *r.Dimensions != 1024:
		return malformed("#/dimensions: %d is not a valid enum value", *r.Dimensions)
	}
	dimensions := 1024
	if r.Dimensions != nil {
		dimensions = *r.Dimensions
	}
	vector := core.VectorOf(core.SeedOf(x.Model, r.InputText), dimensions)
	usage := x.Count(core.CountTokens(r.InputText))
	setCounts(x, usage)
	return x.Plain(map[string]any{
		"embedding": vector, "embeddingsByType": map[string]any{"float": vector}, "inputTextTokenCount": usage.PromptTokens,
	}, 0, &usage)
}

// cohereRequest is the body of Cohere's third embedding models. It differs from Cohere's own: no model, and vectors of one size.
type cohereRequest struct {
	Texts          []string `json:"texts"`
	Images         []string `json:"images"`
	InputType      string   `json:"input_type"`
	Truncate       string   `json:"truncate"`
	EmbeddingTypes []string `json:"embedding_types"`
}

// cohereRequest4 is the body of the fourth.
type cohereRequest4 struct {
	cohereRequest
	Inputs []struct {
		Content []struct {
			Type     string `json:"type"`
			Text     string `json:"text"`
			ImageURL string `json:"image_url"`
		} `json:"content"`
	} `json:"inputs"`
	OutputDimension *int `json:"output_dimension"`
	MaxTokens       *int `json:"max_tokens"`
}

// The sizes of Cohere's vectors.
const (
	thirdDimensions  = 1024
	fourthDimensions = 1536
)

// readCohere reads the body that the model's generation has. The third fills but a part.
func readCohere(x *core.Exchange) (cohereRequest4, *core.Refusal) {
	var r cohereRequest4
	if strings.Contains(x.Model, "embed-v4") {
		refused := decodeNative(x, &r)
		return r, refused
	}
	size := thirdDimensions
	r.OutputDimension = &size
	refused := decodeNative(x, &r.cohereRequest)
	return r, refused
}

func (r cohereRequest4) check() *core.Refusal {
	given := 0
	for _, n := range []int{len(r.Texts), len(r.Images), len(r.Inputs)} {
		given += min(n, 1)
	}
	truncations := []string{"", "NONE", "START", "END", "LEFT", "RIGHT"}
	forms := []string{"float", "int8"}
	form := slices.IndexFunc(r.EmbeddingTypes, func(form string) bool { return core.NoneOf(form, forms...) })
	return core.FirstBroken(
		core.Rule{Broken: core.NoneOf(r.InputType, "search_document", "search_query", "classification", "clustering", "image"), Refusal: malformed("#/input_type: %s is not a valid enum value", r.InputType)},
		core.Rule{Broken: given != 1, Refusal: malformed("#: exactly one of [texts, images, inputs] is required")},
		core.Rule{Broken: max(len(r.Texts), len(r.Inputs)) > 96, Refusal: malformed("#/texts: expected maximum item count: 96, found: %d", len(r.Texts))},
		core.Rule{Broken: core.NoneOf(r.Truncate, truncations...), Refusal: malformed("#/truncate: %s is not a valid enum value", r.Truncate)},
		core.Rule{Broken: form >= 0, Refusal: malformed("#/embedding_types/%d: only float and int8 are imitated", form)},
		core.Rule{Broken: r.OutputDimension != nil && !slices.Contains([]int{256, 512, thirdDimensions, fourthDimensions}, *r.OutputDimension), Refusal: malformed("#/output_dimension: %d is not a valid enum value", core.Value(r.OutputDimension))},
	)
}

// inputs are the texts of what is to be embedded.
func (r cohereRequest4) inputs() ([]string, *core.Refusal) {
	out := slices.Clone(r.Texts)
	for _, url := range r.Images {
		var p core.Prompt
		if refused := cohere.AddImage(&p, url, "#/images"); refused != nil {
			return nil, refused
		}
		out = append(out, p.Text())
	}
	for _, input := range r.Inputs {
		var p core.Prompt
		for _, one := range input.Content {
			switch one.Type {
			case "text":
				p.Add(one.Text)
			case "image_url":
				if refused := cohere.AddImage(&p, one.ImageURL, "#/inputs"); refused != nil {
					return nil, refused
				}
			default:
				return nil, malformed("#/inputs: %s is not a valid enum value", one.Type)
			}
		}
		out = append(out, p.Text())
	}
	return out, nil
}

// cohereEmbed answers for Cohere's embedding models. Without types the vectors stand in a list by themselves. The price is told in headers only.
func cohereEmbed(x *core.Exchange) error {
	if refused := checkModel(x); refused != nil {
		return refused
	}
	r, refused := readCohere(x)
	if refused != nil {
		return refused
	}
	if refused := r.check(); refused != nil {
		return refused
	}
	inputs, refused := r.inputs()
	if refused != nil {
		return refused
	}
	dimensions := fourthDimensions
	if r.OutputDimension != nil {
		dimensions = *r.OutputDimension
	}
	embeddings, tokens := cohere.Embeddings(x.Model, inputs, r.EmbeddingTypes, dimensions)
	usage := x.Count(tokens)
	setCounts(x, usage)
	body := map[string]any{"id": x.RequestID, "texts": append([]string{}, r.Texts...), "response_type": "embeddings_by_type", "embeddings": embeddings}
	if len(r.EmbeddingTypes) == 0 {
		body["response_type"], body["embeddings"] = "embeddings_floats", embeddings["float"]
	}
	return x.Plain(body, 0, &usage)
}
