package anthropic

import (
	"net/http"

	"signalbox.dev/signalbox/proxy/dialect"
)

// statusOverloaded is Anthropic's status for an overloaded service.
const statusOverloaded = 529

// surface is what both APIs have in common.
type surface struct{}

// wireReply is the body of an error.
type wireReply struct {
	Type      string    `json:"type"`
	Error     wireError `json:"error"`
	RequestID *string   `json:"request_id"`
}

// wireError is the error itself. The code stands where Anthropic's SDKs look for one; metadata is the proxy's own addition.
type wireError struct {
	Type     string            `json:"type"`
	Message  string            `json:"message"`
	Details  *wireDetails      `json:"details,omitempty"`
	Metadata *dialect.Metadata `json:"metadata,omitempty"`
}

// wireDetails are an error's details for programs.
type wireDetails struct {
	ErrorCode string `json:"error_code"`
	Param     string `json:"param,omitempty"`
}

// AppendError appends the body of an error reply to dst.
func (surface) AppendError(dst []byte, e dialect.ErrorReply) []byte {
	reply := wireReply{Type: "error", Error: wireError{Type: errorType(e.Status), Message: e.Message, Metadata: e.Metadata}}
	if e.Code != "" {
		reply.Error.Details = &wireDetails{ErrorCode: e.Code, Param: e.Param}
	}
	if e.RequestID != "" {
		reply.RequestID = &e.RequestID
	}
	return append(dst, e.WithRouting(dialect.AppendJSON(nil, reply))...)
}

// AppendErrorEvent appends the event to dst that ends a stream after its first token.
func (s surface) AppendErrorEvent(dst []byte, e dialect.ErrorReply) []byte {
	e.Routing = nil
	dst = append(dst, "event: error\ndata: "...)
	return append(s.AppendError(dst, e), "\n\n"...)
}

// errorType is Anthropic's word for an HTTP status.
func errorType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "billing_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusConflict:
		return "conflict_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "timeout_error"
	case http.StatusServiceUnavailable, statusOverloaded:
		return "overloaded_error"
	}
	if status >= http.StatusInternalServerError {
		return "api_error"
	}
	return "invalid_request_error"
}

// errorStatus is the HTTP status that Anthropic answers with for a type of error; 0 when it is not known.
func errorStatus(kind string) int {
	switch kind {
	case "invalid_request_error":
		return http.StatusBadRequest
	case "authentication_error":
		return http.StatusUnauthorized
	case "billing_error":
		return http.StatusPaymentRequired
	case "permission_error":
		return http.StatusForbidden
	case "not_found_error":
		return http.StatusNotFound
	case "request_too_large":
		return http.StatusRequestEntityTooLarge
	case "rate_limit_error":
		return http.StatusTooManyRequests
	case "api_error":
		return http.StatusInternalServerError
	case "timeout_error":
		return http.StatusGatewayTimeout
	case "overloaded_error":
		return statusOverloaded
	}
	return 0
}
