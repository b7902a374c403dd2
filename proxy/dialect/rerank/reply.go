package rerank

import (
	"encoding/json"

	"signalbox.dev/signalbox/proxy/dialect"
)

// wireError is the object "error". Its code is a word, and the HTTP status where OpenRouter's clients call.
type wireError struct {
	Message  string            `json:"message"`
	Type     string            `json:"type"`
	Param    *string           `json:"param"`
	Code     any               `json:"code"`
	Metadata *dialect.Metadata `json:"metadata,omitempty"`
}

// AppendError appends the body of an error reply to dst.
func (Codec) AppendError(dst []byte, e dialect.ErrorReply) []byte {
	wire := wireError{Message: e.Message, Type: e.Type, Code: e.Code, Metadata: e.Metadata}
	if e.Param != "" {
		wire.Param = &e.Param
	}
	if e.Flavor == dialect.OpenRouterFlavor {
		wire.Code = e.Status
		metadata := dialect.Metadata{}
		if e.Metadata != nil {
			metadata = *e.Metadata
		}
		if metadata.ErrorType == "" {
			metadata.ErrorType = e.Code
		}
		wire.Metadata = &metadata
	}
	text, err := json.Marshal(struct {
		Error wireError `json:"error"`
	}{wire})
	if err != nil { // The package's own type can always be marshalled.
		return append(dst, `{"error":{}}`...)
	}
	return append(dst, text...)
}

// AppendErrorEvent appends an error as an event, although this API does not stream.
func (c Codec) AppendErrorEvent(dst []byte, e dialect.ErrorReply) []byte {
	return append(c.AppendError(append(dst, "data: "...), e), "\n\n"...)
}
