package gemini

import (
	"net/http"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
)

// errorDomain is the "domain" of the ErrorInfo, which tells who gave the reason.
const errorDomain = "signalbox.dev"

// wireReply is an error's body. SDKs look for "error" as the first member.
type wireReply struct {
	Error wireError `json:"error"`
}

// wireError is Google's error. Metadata is an addition, which SDKs ignore.
type wireError struct {
	Code     int               `json:"code"`
	Message  string            `json:"message"`
	Status   string            `json:"status"`
	Details  []errorInfo       `json:"details,omitempty"`
	Metadata *dialect.Metadata `json:"metadata,omitempty"`
}

// errorInfo is google.rpc.ErrorInfo: the code, as a reason.
type errorInfo struct {
	Type     string            `json:"@type"`
	Reason   string            `json:"reason"`
	Domain   string            `json:"domain"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// AppendError appends the body of an error to dst.
func (Generate) AppendError(dst []byte, e dialect.ErrorReply) []byte {
	reply := wireReply{Error: wireError{Code: e.Status, Message: e.Message, Status: statusName(e.Status), Metadata: e.Metadata}}
	if e.Code != "" {
		info := errorInfo{Type: "type.googleapis.com/google.rpc.ErrorInfo", Reason: strings.ToUpper(e.Code), Domain: errorDomain}
		if e.Param != "" {
			info.Metadata = map[string]string{"param": e.Param}
		}
		reply.Error.Details = []errorInfo{info}
	}
	return dialect.AppendJSON(dst, reply)
}

// AppendErrorEvent appends what ends a stream after its first token: an event, or the last element of the array.
func (g Generate) AppendErrorEvent(dst []byte, e dialect.ErrorReply) []byte {
	frame := framing{array: e.Array, opened: e.Sequence > 0}
	return frame.end(frame.finish(g.AppendError(frame.begin(dst), e)))
}

// statusName is Google's word for an HTTP status.
func statusName(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusForbidden:
		return "PERMISSION_DENIED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusConflict:
		return "ABORTED"
	case http.StatusPaymentRequired, http.StatusTooManyRequests:
		return "RESOURCE_EXHAUSTED"
	case statusClientClosed:
		return "CANCELLED"
	case http.StatusNotImplemented:
		return "UNIMPLEMENTED"
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return "UNAVAILABLE"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "DEADLINE_EXCEEDED"
	}
	if status >= http.StatusInternalServerError {
		return "INTERNAL"
	}
	return "INVALID_ARGUMENT"
}

// statusClientClosed is what Google answers when a call was cancelled.
const statusClientClosed = 499
