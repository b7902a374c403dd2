// Package gemini imitates Google's two services: the Gemini API and Vertex AI, which serves Claude too.
package gemini

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/anthropic"
	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// place is which of the services answers.
type place string

const (
	googleAI     place = "GoogleAI"
	vertexAI     place = "VertexAI"
	vertexClaude place = "VertexClaude"
)

// Head reads the model out of the path, and whether the method streams.
func (p place) Head(r *http.Request, body []byte) core.Head {
	model, method := cutMethod(r.PathValue("call"))
	head := core.Head{Model: model, Stream: strings.HasPrefix(method, "stream"), Key: core.Bearer(r.Header)}
	if p == googleAI {
		head.Key = r.Header.Get("X-Goog-Api-Key")
		if head.Key == "" {
			head.Key = r.URL.Query().Get("key")
		}
	}
	if model == countModel {
		var given struct {
			Model string `json:"model"`
		}
		_ = json.Unmarshal(body, &given) // what a broken body does not yield stays empty
		head.Model = given.Model
	}
	return head
}

// cutMethod splits "model:method" at the last colon.
func cutMethod(call string) (model, method string) {
	at := strings.LastIndexByte(call, ':')
	if at < 0 {
		return call, ""
	}
	return call[:at], call[at+1:]
}

// Authenticate wants an API key, or on Vertex a token: one of the token endpoint's that has not expired, or a known key.
func (p place) Authenticate(x *core.Exchange) *core.Refusal {
	if p == googleAI {
		if x.Key == "" {
			return core.Refuse(http.StatusForbidden, "", "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.")
		}
		return x.CheckKey(core.Refuse(http.StatusBadRequest, "", "API key not valid. Please pass a valid API key."))
	}
	unauthorized := core.Refuse(http.StatusUnauthorized, "", "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.")
	if x.Key == "" {
		return unauthorized
	}
	if strings.HasPrefix(x.Key, issued) {
		if !tokenHolds(x.Key, x.Now()) {
			return unauthorized
		}
		return nil
	}
	return x.CheckKey(unauthorized)
}

// Headers sets what Google's front ends set; there are no rate limits among it.
func (p place) Headers(x *core.Exchange, h http.Header) {
	h.Set("Vary", "Origin, X-Origin, Referer")
	h.Set("Server", "scaffolding on HTTPServer2")
	h.Set("X-Content-Type-Options", "nosniff")
	if p == vertexClaude {
		h.Set("Request-Id", x.RequestID)
		return
	}
	h.Set("Server-Timing", "gfet4t7; dur="+strconv.FormatInt(x.Now().Sub(x.Started).Milliseconds(), 10))
}

// UsualError is what the service says with a status.
func (p place) UsualError(status int) core.APIError {
	if p == vertexClaude && status != http.StatusTooManyRequests && status != http.StatusForbidden {
		return anthropic.UsualError(status)
	}
	messages := map[int]string{
		http.StatusUnauthorized:       "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
		http.StatusForbidden:          "The caller does not have permission",
		http.StatusTooManyRequests:    "You exceeded your current quota, please check your plan and billing details.",
		http.StatusServiceUnavailable: "The model is overloaded. Please try again later.",
		http.StatusGatewayTimeout:     "Deadline expired before operation could complete.",
	}
	message, known := messages[status]
	if !known {
		message = "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
	}
	if !known && status < http.StatusInternalServerError {
		message = http.StatusText(status)
	}
	return core.APIError{Message: message}
}

// statusWord is Google's word for a status.
func statusWord(status int) string {
	words := map[int]string{
		http.StatusBadRequest: "INVALID_ARGUMENT", http.StatusUnauthorized: "UNAUTHENTICATED", http.StatusForbidden: "PERMISSION_DENIED",
		http.StatusNotFound: "NOT_FOUND", http.StatusConflict: "ABORTED", http.StatusTooManyRequests: "RESOURCE_EXHAUSTED", 499: "CANCELLED",
		http.StatusInternalServerError: "INTERNAL", http.StatusNotImplemented: "UNIMPLEMENTED", http.StatusServiceUnavailable: "UNAVAILABLE",
		http.StatusGatewayTimeout: "DEADLINE_EXCEEDED",
	}
	if word, ok := words[status]; ok {
		return word
	}
	return "UNKNOWN"
}

type errorObject struct {
	Code    int              `json:"code"`
	Message string           `json:"message"`
	Status  string           `json:"status"`
	Details []map[string]any `json:"details,omitempty"`
}

// errorOf is the error with the details that Google adds.
func errorOf(x *core.Exchange, refused *core.Refusal) map[string]any {
	out := errorObject{Code: refused.Status, Message: refused.Body.Message, Status: statusWord(refused.Status)}
	switch {
	case refused.Status == http.StatusTooManyRequests:
		delay := time.Second
		if x.Overrun != nil {
			delay = x.Overrun.Wait
		}
		out.Details = []map[string]any{{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": protoDuration(delay)}}
	case strings.HasPrefix(refused.Body.Message, "API key not valid"):
		out.Details = []map[string]any{{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com",
			"metadata": map[string]string{"service": "generativelanguage.googleapis.com"},
		}}
	}
	return map[string]any{"error": out}
}

// protoDuration writes a duration as google.protobuf.Duration does, in seconds.
func protoDuration(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}

// claudes is the error in Anthropic's shape, which Vertex passes on; its own errors have no type.
func claudes(x *core.Exchange, refused *core.Refusal) []byte {
	return core.Encode(map[string]any{
		"type": "error", "error": map[string]string{"type": refused.Body.Type, "message": refused.Body.Message}, "request_id": x.RequestID,
	})
}

// ErrorBody is the whole body of a refusal; where a stream of JSON was asked for, it is a list.
func (p place) ErrorBody(x *core.Exchange, refused *core.Refusal, _ http.Header) []byte {
	if p == vertexClaude && refused.Body.Type != "" {
		return claudes(x, refused)
	}
	body, err := json.MarshalIndent(errorOf(x, refused), "", "  ")
	if err != nil {
		return core.Encode(err.Error()) // cannot be: the values are plain
	}
	if x.Endpoint == "streamGenerateContent" && !wantsEvents(x.R) {
		body = append(append([]byte("["), body...), "\n]"...)
	}
	return append(body, '\n')
}

// ErrorEvent is the error inside a stream.
func (p place) ErrorEvent(x *core.Exchange, refused *core.Refusal) core.Event {
	if p == vertexClaude && refused.Body.Type != "" {
		return core.Event{Name: "error", Data: claudes(x, refused)}
	}
	return core.Event{Data: core.Encode(errorOf(x, refused))}
}

// NotFound refuses an unknown path.
func (p place) NotFound(x *core.Exchange) *core.Refusal {
	return core.Refuse(http.StatusNotFound, "", "The requested URL %s was not found on this server.", x.R.URL.Path)
}

// WrongMethod is a path that does not exist for that method.
func (p place) WrongMethod(x *core.Exchange) *core.Refusal { return p.NotFound(x) }

func wantsEvents(r *http.Request) bool { return r.URL.Query().Get("alt") == "sse" }
