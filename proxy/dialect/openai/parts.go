package openai

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// readContent reads the content of a message, and tells whether it is one string.
func readContent(raw []byte) ([]neutral.Part, bool, error) {
	switch raw[0] {
	case '"':
		return []neutral.Part{{Kind: neutral.TextPart, Text: unquote(raw)}}, true, nil
	case '[':
	default:
		return nil, false, wrongType("", "a string or a list of parts")
	}
	var parts []neutral.Part
	err := elements(raw, func(_ int, value []byte) error {
		part, err := readPart(value)
		parts = append(parts, part)
		return err
	})
	return parts, false, err
}

// partReader collects a part member by member.
type partReader struct {
	kind  string
	part  neutral.Part
	media []byte
}

// readPart reads a part of a message's content. One of an unknown type stays as it is.
func readPart(raw []byte) (neutral.Part, error) {
	if raw[0] == '"' { // A list of strings is accepted in many places.
		return neutral.Part{Kind: neutral.TextPart, Text: unquote(raw)}, nil
	}
	var r partReader
	if err := members(raw, r.read); err != nil {
		return r.part, err
	}
	var err error
	switch r.kind {
	case "text", "input_text", "output_text":
		r.part.Kind = neutral.TextPart
		return r.part, nil
	case "refusal":
		r.part.Kind = neutral.RefusalPart
		return r.part, nil
	case "image_url":
		r.part.Kind = neutral.ImagePart
		r.part.Media, err = readLink(r.media, "image_url")
	case "video_url":
		r.part.Kind = neutral.VideoPart
		r.part.Media, err = readLink(r.media, "video_url")
	case "input_audio":
		r.part.Kind = neutral.AudioPart
		r.part.Media, err = readAudio(r.media)
	case "file":
		r.part.Kind = neutral.FilePart
		r.part.Media, err = readFile(r.media)
	case "":
		err = wrongValue("type", "is missing")
	default:
		return neutral.Part{Kind: neutral.OpaquePart, Source: neutral.ChatCompletions, Type: r.kind, Raw: slices.Clone(raw), Cache: r.part.Cache}, nil
	}
	return r.part, err
}

func (r *partReader) read(name, value []byte) error {
	var err error
	switch string(name) {
	case "type":
		r.kind, err = readText(value, "type")
	case "text", "refusal":
		r.part.Text, err = readText(value, string(name))
	case "image_url", "video_url", "input_audio", "file":
		r.media = value
	case "cache_control":
		r.part.Cache = readCacheMark(value)
	}
	return err
}

// readLink reads an image or a film: an object with a URL, or the URL alone.
func readLink(raw []byte, path string) (*neutral.Media, error) {
	if raw == nil {
		return nil, wrongValue(path, "is missing")
	}
	media, url := &neutral.Media{}, ""
	if raw[0] == '"' {
		url = unquote(raw)
	} else if err := members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "url":
			url, err = readText(value, "url")
		case "detail":
			media.Detail, err = readText(value, "detail")
		}
		return err
	}); err != nil {
		return nil, inside(err, "%s", path)
	}
	if url == "" {
		return nil, wrongValue(path+".url", "is missing")
	}
	return media, placeURL(media, url, path+".url")
}

// placeURL takes a data: URL apart, and keeps any other.
func placeURL(media *neutral.Media, url, path string) error {
	if !strings.HasPrefix(url, "data:") {
		media.URL = url
		return nil
	}
	var ok bool
	if media.MIME, media.Data, ok = neutral.SplitDataURL(url); !ok {
		return wrongValue(path, "must be a URL, or a data: URL in base64")
	}
	return nil
}

// readAudio reads input_audio.
func readAudio(raw []byte) (*neutral.Media, error) {
	if raw == nil {
		return nil, wrongValue("input_audio", "is missing")
	}
	media := &neutral.Media{}
	err := members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "data":
			media.Data, err = readText(value, "data")
		case "format":
			var format string
			format, err = readText(value, "format")
			media.MIME = audioType(format)
		}
		return err
	})
	if err == nil && media.Data == "" {
		err = wrongValue("data", "is missing")
	}
	return media, inside(err, "input_audio")
}

// audioType is the media type of OpenAI's word for a format of sound.
func audioType(format string) string {
	if format == "mp3" {
		return "audio/mpeg"
	}
	return "audio/" + format
}

// audioFormat is OpenAI's word for a media type of sound.
func audioFormat(mime string) string {
	format := strings.TrimPrefix(strings.TrimPrefix(mime, "audio/"), "x-")
	switch format {
	case "mpeg":
		return "mp3"
	case "wave", "vnd.wave":
		return "wav"
	}
	return format
}

// readFile reads a file: its bytes, its id, or, as OpenRouter has it, its URL.
func readFile(raw []byte) (*neutral.Media, error) {
	if raw == nil {
		return nil, wrongValue("file", "is missing")
	}
	media, data := &neutral.Media{}, ""
	err := members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "filename":
			media.Name, err = readText(value, "filename")
		case "file_id":
			media.FileID, err = readText(value, "file_id")
		case "file_data":
			data, err = readText(value, "file_data")
		}
		return err
	})
	switch {
	case err != nil:
	case strings.HasPrefix(data, "data:"), strings.HasPrefix(data, "https:"), strings.HasPrefix(data, "http:"):
		err = placeURL(media, data, "file_data")
	case data != "":
		media.Data = data
	case media.FileID == "":
		err = wrongValue("file_data", "is missing")
	}
	return media, inside(err, "file")
}
