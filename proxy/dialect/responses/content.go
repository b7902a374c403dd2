package responses

import (
	"encoding/json"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// wirePart is a part of a message or of a result.
type wirePart struct {
	Type        string            `json:"type"`
	Text        string            `json:"text"`
	Refusal     string            `json:"refusal"`
	ImageURL    string            `json:"image_url"`
	FileID      string            `json:"file_id"`
	FileURL     string            `json:"file_url"`
	FileData    string            `json:"file_data"`
	Filename    string            `json:"filename"`
	Detail      string            `json:"detail"`
	Annotations []json.RawMessage `json:"annotations"`
	LogProbs    json.RawMessage   `json:"logprobs"`
	InputAudio  *wireAudio        `json:"input_audio"`
	Breakpoint  *struct {
		TTL string `json:"ttl"`
	} `json:"prompt_cache_breakpoint"`
}

type wireAudio struct {
	Data   string `json:"data"`
	Format string `json:"format"`
}

// readContent reads a string or a list of parts; plain tells that it was a string.
func readContent(raw json.RawMessage, path string) (parts []neutral.Part, plain bool, err error) {
	switch {
	case isNull(raw):
		return nil, false, &dialect.RequestError{Code: dialect.CodeMissingParameter, Param: path, Message: "\"" + path + "\" is missing"}
	case isString(raw):
		return []neutral.Part{{Kind: neutral.TextPart, Text: unquoted(raw)}}, true, nil
	case raw[0] != '[':
		return nil, false, wrongType(path, "a string or a list")
	}
	var list []json.RawMessage
	if err := dialect.Decode(raw, path, &list); err != nil {
		return nil, false, err
	}
	for i, raw := range list {
		part, err := readPart(raw, path+"["+strconv.Itoa(i)+"]")
		if err != nil {
			return nil, false, err
		}
		parts = append(parts, part)
	}
	return parts, false, nil
}

func readPart(raw json.RawMessage, path string) (neutral.Part, error) {
	if !isObject(raw) {
		return neutral.Part{}, wrongType(path, "an object")
	}
	var w wirePart
	if err := dialect.Decode(raw, path, &w); err != nil {
		return neutral.Part{}, err
	}
	part := neutral.Part{Kind: neutral.TextPart, Text: w.Text}
	var err error
	switch w.Type {
	case "input_text", "text":
	case "output_text":
		part.Citations = readAnnotations(w.Annotations)
	case "refusal":
		part = neutral.Part{Kind: neutral.RefusalPart, Text: w.Refusal + w.Text}
	case "input_image":
		part = neutral.Part{Kind: neutral.ImagePart}
		part.Media, err = w.image(path)
	case "input_file":
		part = neutral.Part{Kind: neutral.FilePart}
		part.Media, err = w.file(path)
	case "input_audio":
		part = neutral.Part{Kind: neutral.AudioPart}
		part.Media, err = w.audio(path)
	case "":
		err = invalid(path+".type", "is missing")
	default:
		part = neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Responses, Type: w.Type, Raw: raw}
	}
	if w.Breakpoint != nil {
		part.Cache = &neutral.CacheMark{}
		if w.Breakpoint.TTL == longBreakpoint {
			part.Cache.TTL = "1h"
		}
	}
	return part, err
}

// longBreakpoint is how long a prompt stays cached that is to stay for more than the usual half hour.
const longBreakpoint = "12h"

func (w *wirePart) image(path string) (*neutral.Media, error) {
	media := &neutral.Media{Detail: w.Detail, FileID: w.FileID}
	if w.FileID != "" {
		return media, nil
	}
	if w.ImageURL == "" {
		return nil, invalid(path, "needs image_url or file_id")
	}
	return media, setURL(media, w.ImageURL, path+".image_url")
}

func (w *wirePart) file(path string) (*neutral.Media, error) {
	media := &neutral.Media{Detail: w.Detail, Name: w.Filename, FileID: w.FileID}
	switch {
	case w.FileID != "":
		return media, nil
	case w.FileURL != "":
		return media, setURL(media, w.FileURL, path+".file_url")
	case strings.HasPrefix(w.FileData, "data:"):
		return media, setURL(media, w.FileData, path+".file_data")
	case w.FileData != "":
		media.Data, media.MIME = w.FileData, typeOfName(w.Filename)
		return media, nil
	}
	return nil, invalid(path, "needs file_data, file_url or file_id")
}

func (w *wirePart) audio(path string) (*neutral.Media, error) {
	if w.InputAudio == nil || w.InputAudio.Data == "" {
		return nil, invalid(path+".input_audio", "needs data and format")
	}
	switch w.InputAudio.Format {
	case "wav":
		return &neutral.Media{Data: w.InputAudio.Data, MIME: "audio/wav"}, nil
	case "mp3":
		return &neutral.Media{Data: w.InputAudio.Data, MIME: "audio/mpeg"}, nil
	}
	return nil, invalid(path+".input_audio.format", "must be wav or mp3")
}

// setURL puts a URL into the media, or the content that it holds itself.
func setURL(media *neutral.Media, url, path string) error {
	if !strings.HasPrefix(url, "data:") {
		media.URL = url
		return nil
	}
	kind, data, ok := neutral.SplitDataURL(url)
	if !ok || data == "" {
		return invalid(path, "must be a URL, or a data: URL in base64")
	}
	media.MIME, media.Data = kind, data
	return nil
}
