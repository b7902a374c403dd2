package anthropic

import (
	"encoding/json"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// The types of blocks that the neutral form has a place for.
const (
	blockText     = "text"
	blockImage    = "image"
	blockDocument = "document"
	blockToolUse  = "tool_use"
	blockResult   = "tool_result"
	blockThinking = "thinking"
	blockRedacted = "redacted_thinking"
)

// wireBlock is the union of the blocks that the neutral form has a place for.
type wireBlock struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Citations json.RawMessage `json:"citations"`
	Source    json.RawMessage `json:"source"`
	Title     string          `json:"title"`
	Context   string          `json:"context"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	Content   json.RawMessage `json:"content"`
	IsError   bool            `json:"is_error"`
	Thinking  string          `json:"thinking"`
	Signature string          `json:"signature"`
	Data      string          `json:"data"`
	Cache     *wireCache      `json:"cache_control"`
}

// readContent reads a content, a string or a list of blocks, into the message.
func readContent(message *neutral.Message, raw json.RawMessage, path string) error {
	if absent(raw) {
		return &dialect.RequestError{Code: dialect.CodeMissingParameter, Param: path, Message: strconv.Quote(path) + " is missing"}
	}
	if raw[0] == '"' {
		var text string
		if err := dialect.Decode(raw, path, &text); err != nil {
			return err
		}
		message.Parts, message.PlainText = []neutral.Part{{Kind: neutral.TextPart, Text: text}}, true
		return nil
	}
	var err error
	message.Parts, err = readBlocks(raw, path)
	return err
}

func readBlocks(raw json.RawMessage, path string) ([]neutral.Part, error) {
	var blocks []json.RawMessage
	if err := dialect.Decode(raw, path, &blocks); err != nil {
		return nil, err
	}
	parts := make([]neutral.Part, 0, len(blocks))
	for i, block := range blocks {
		part, err := readBlock(block, path+"["+strconv.Itoa(i)+"]")
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// readBlock reads one block. What the neutral form has no place for stays as it is.
func readBlock(raw json.RawMessage, path string) (neutral.Part, error) {
	var kind struct {
		Type string `json:"type"`
	}
	if err := dialect.Decode(raw, path, &kind); err != nil {
		return neutral.Part{}, err
	}
	known := blockMembers(kind.Type)
	if known == nil {
		return opaque(kind.Type, raw), nil
	}
	var block wireBlock
	if err := dialect.Decode(raw, path, &block); err != nil {
		return neutral.Part{}, err
	}
	part, err := block.part(raw, path)
	if err != nil || part.Kind == neutral.OpaquePart {
		return part, err
	}
	part.Cache = block.Cache.mark()
	part.Extra = append(part.Extra, dialect.ExtraMembers(raw, append(known, "type", "cache_control"))...)
	return part, nil
}

// blockMembers are the members of a type of block that the neutral form has a place for; nil for other types.
func blockMembers(kind string) []string {
	switch kind {
	case blockText:
		return []string{"text", "citations"}
	case blockImage:
		return []string{"source"}
	case blockDocument:
		return []string{"source", "title", "context", "citations"}
	case blockToolUse:
		return []string{"id", "name", "input"}
	case blockResult:
		return []string{"tool_use_id", "content", "is_error"}
	case blockThinking:
		return []string{"thinking", "signature"}
	case blockRedacted:
		return []string{"data"}
	}
	return nil
}

func opaque(kind string, raw json.RawMessage) neutral.Part {
	return neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Messages, Type: kind, Raw: raw}
}

// part is what the block means.
func (b *wireBlock) part(raw json.RawMessage, path string) (neutral.Part, error) {
	switch b.Type {
	case blockText:
		return neutral.Part{Kind: neutral.TextPart, Text: b.Text, Citations: readCitations(b.Citations)}, nil
	case blockImage:
		return b.image(raw, path)
	case blockDocument:
		return b.document(raw, path)
	case blockToolUse:
		if !absent(b.Input) && b.Input[0] != '{' {
			return neutral.Part{}, &dialect.RequestError{Code: dialect.CodeInvalidType, Param: path + ".input", Message: strconv.Quote(path+".input") + " must be an object"}
		}
		return neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: b.ID, Name: b.Name, Arguments: arguments(b.Input)}}, nil
	case blockResult:
		return b.result(path)
	}
	return b.thought(), nil
}

// arguments are a call's input as text.
func arguments(input json.RawMessage) string {
	if absent(input) {
		return ""
	}
	return string(input)
}

func (b *wireBlock) thought() neutral.Part {
	thought := &neutral.Thought{Text: b.Thinking}
	if b.Type == blockRedacted {
		unpackData(thought, b.Data)
	} else {
		unpackSignature(thought, b.Signature)
	}
	return neutral.Part{Kind: neutral.ReasoningPart, Thought: thought}
}

func (b *wireBlock) result(path string) (neutral.Part, error) {
	result := &neutral.ToolResult{CallID: b.ToolUseID, Failed: b.IsError}
	if !absent(b.Content) {
		var content neutral.Message
		if err := readContent(&content, b.Content, path+".content"); err != nil {
			return neutral.Part{}, err
		}
		result.Parts, result.PlainText = content.Parts, content.PlainText
	}
	return neutral.Part{Kind: neutral.ToolResultPart, Result: result}, nil
}

// wireSource is where the bytes of an image or a document come from.
type wireSource struct {
	Type      string          `json:"type"`
	MediaType string          `json:"media_type"`
	Data      string          `json:"data"`
	URL       string          `json:"url"`
	FileID    string          `json:"file_id"`
	Content   json.RawMessage `json:"content"`
}

// media reads a source; false when the neutral form has no place for it.
func (s *wireSource) media() (*neutral.Media, bool) {
	switch s.Type {
	case "base64":
		return &neutral.Media{Data: s.Data, MIME: s.MediaType}, true
	case "text":
		return &neutral.Media{Text: s.Data, MIME: "text/plain"}, true
	case "file":
		return &neutral.Media{FileID: s.FileID}, true
	case "url":
		if mime, data, ok := neutral.SplitDataURL(s.URL); ok {
			return &neutral.Media{Data: data, MIME: mime}, true
		}
		return &neutral.Media{URL: s.URL}, true
	}
	return nil, false
}

func (b *wireBlock) image(raw json.RawMessage, path string) (neutral.Part, error) {
	var source wireSource
	if err := dialect.Decode(b.Source, path+".source", &source); err != nil {
		return neutral.Part{}, err
	}
	media, ok := source.media()
	if !ok {
		return opaque(b.Type, raw), nil
	}
	return neutral.Part{Kind: neutral.ImagePart, Media: media}, nil
}

// document reads a document. One that is made of blocks of text is their text for others, and keeps its source for this API.
func (b *wireBlock) document(raw json.RawMessage, path string) (neutral.Part, error) {
	var source wireSource
	if err := dialect.Decode(b.Source, path+".source", &source); err != nil {
		return neutral.Part{}, err
	}
	part := neutral.Part{Kind: neutral.FilePart}
	var ok bool
	if part.Media, ok = source.media(); !ok {
		text, isText := sourceText(&source, path)
		if !isText {
			return opaque(b.Type, raw), nil
		}
		part.Media = &neutral.Media{Text: text, MIME: "text/plain"}
		part.Extra = []neutral.Member{{Name: "source", Value: b.Source}}
	}
	var citations struct {
		Enabled bool `json:"enabled"`
	}
	if !absent(b.Citations) {
		if err := dialect.Decode(b.Citations, path+".citations", &citations); err != nil {
			return neutral.Part{}, err
		}
	}
	part.Media.Name, part.Media.Context, part.Media.Citations = b.Title, b.Context, citations.Enabled
	return part, nil
}

// sourceText is the text of a source of blocks; false when not all of them are text.
func sourceText(source *wireSource, path string) (string, bool) {
	if source.Type != "content" || absent(source.Content) {
		return "", false
	}
	var content neutral.Message
	if readContent(&content, source.Content, path) != nil {
		return "", false
	}
	texts := make([]string, 0, len(content.Parts))
	for i := range content.Parts {
		if content.Parts[i].Kind != neutral.TextPart {
			return "", false
		}
		texts = append(texts, content.Parts[i].Text)
	}
	return strings.Join(texts, "\n\n"), true
}
