package responses

import (
	"signalbox.dev/signalbox/proxy/dialect"
)

// wireError is the object "error" of a reply.
type wireError struct {
	Message  string            `json:"message"`
	Type     string            `json:"type"`
	Param    *string           `json:"param"`
	Code     string            `json:"code"`
	Metadata *dialect.Metadata `json:"metadata,omitempty"`
}

// errorEvent ends a broken stream. It holds the error twice: flat, as the API documents it, and as an object, which is what the API sends and what makes
// every client library raise it.
type errorEvent struct {
	Type           string    `json:"type"`
	Code           string    `json:"code"`
	Message        string    `json:"message"`
	Param          *string   `json:"param"`
	SequenceNumber int64     `json:"sequence_number"`
	Error          wireError `json:"error"`
}

func wire(e dialect.ErrorReply) wireError {
	reply := wireError{Message: e.Message, Type: e.Type, Code: e.Code, Metadata: e.Metadata}
	if e.Param != "" {
		reply.Param = &e.Param
	}
	return reply
}

// AppendError appends the body of an error reply to dst.
func (Codec) AppendError(dst []byte, e dialect.ErrorReply) []byte {
	body := dialect.AppendJSON(nil, struct {
		Error wireError `json:"error"`
	}{wire(e)})
	return append(dst, e.WithRouting(body)...)
}

// AppendErrorEvent appends the event to dst that ends a stream after its first token.
func (Codec) AppendErrorEvent(dst []byte, e dialect.ErrorReply) []byte {
	reply := wire(e)
	dst = append(dst, "event: error\ndata: "...)
	dst = dialect.AppendJSON(dst, errorEvent{Type: "error", Code: reply.Code, Message: reply.Message, Param: reply.Param, SequenceNumber: e.Sequence, Error: reply})
	return append(dst, "\n\n"...)
}
