package openai

import (
	"bytes"
	"encoding/json"

	"signalbox.dev/signalbox/proxy/dialect"
)

// wireError is the object "error". Code is a string or an integer, Param null or a string, as SDKs expect them.
type wireError struct {
	Message  string            `json:"message"`
	Type     string            `json:"type"`
	Param    *string           `json:"param"`
	Code     any               `json:"code"`
	Metadata *dialect.Metadata `json:"metadata,omitempty"`
}

// wireReply is an error's body, and, with the choices that OpenRouter adds to it, the last event of a broken stream.
type wireReply struct {
	Error wireError `json:"error"`
	*wireChunk
}

// wireChunk is what a chunk has besides an error, all of which strict clients need.
type wireChunk struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created int64           `json:"created"`
	Model   string          `json:"model"`
	Choices json.RawMessage `json:"choices"`
}

// unmapped is OpenRouter's type of errors that have none.
const unmapped = "unmapped"

func wire(e dialect.ErrorReply) wireReply {
	reply := wireReply{Error: wireError{Message: e.Message, Type: e.Type, Code: e.Code, Metadata: e.Metadata}}
	if e.Param != "" {
		reply.Error.Param = &e.Param
	}
	if e.Flavor != dialect.OpenRouterFlavor {
		return reply
	}
	reply.Error.Code = e.Status
	if e.Metadata == nil || e.Metadata.ErrorType == "" {
		metadata := dialect.Metadata{}
		if e.Metadata != nil {
			metadata = *e.Metadata
		}
		metadata.ErrorType = first(e.Code, unmapped)
		reply.Error.Metadata = &metadata
	}
	return reply
}

func appendError(dst []byte, e dialect.ErrorReply) []byte {
	return append(dst, e.WithRouting(appendJSON(nil, wire(e)))...)
}

// appendErrorEvent appends the event to dst that ends a stream after its first token, for OpenRouter's clients as a chunk of this object. No [DONE] follows
// it.
func appendErrorEvent(dst []byte, e dialect.ErrorReply, object, choices string) []byte {
	reply := wire(e)
	if e.Flavor == dialect.OpenRouterFlavor {
		call := dialect.Exchange{Flavor: e.Flavor, ID: first(e.ID, e.RequestID)}
		reply.wireChunk = &wireChunk{ID: answerID(&call), Object: object, Created: e.Created, Model: e.Model, Choices: json.RawMessage(choices)}
	}
	dst = append(dst, "data: "...)
	return append(appendJSON(dst, reply), "\n\n"...)
}

// appendJSON appends a value of this package's own types, which encoding/json always takes.
func appendJSON(dst []byte, value any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return append(dst, "{}"...)
	}
	return append(dst, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...)
}
