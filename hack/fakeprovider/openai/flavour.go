package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// flavour is the provider imitated.
type flavour string

const (
	openAI     flavour = "OpenAI"
	groq       flavour = "Groq"
	openRouter flavour = "OpenRouter"
	azure      flavour = "Azure"
	compatible flavour = "Compatible" // vLLM, and the manners of DeepSeek
)

// sealFormat is OpenRouter's name for thoughts that Claude signed.
const sealFormat = "anthropic-claude-v1"

// opening is what a stream sends before its first event.
func (f flavour) opening() []byte {
	if f == openRouter {
		return []byte(": OPENROUTER PROCESSING\n\n")
	}
	return nil
}

// Head reads model and stream out of a JSON or multipart body, and the model out of Azure's path.
func (f flavour) Head(r *http.Request, body []byte) core.Head {
	var head struct {
		Model  string `json:"model"`
		Stream bool   `json:"stream"`
	}
	mediaType, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // no type, no parts
	if mediaType == "multipart/form-data" {
		if form, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).ReadForm(maxFormMemory); err == nil {
			head.Model, head.Stream = first(form.Value["model"]), first(form.Value["stream"]) == "true"
			_ = form.RemoveAll() // all of it is in memory
		}
	} else {
		_ = json.Unmarshal(body, &head) // what a broken body does not yield stays empty
	}
	if name := r.PathValue("deployment"); name != "" {
		head.Model = name
	}
	key := core.Bearer(r.Header)
	if f == azure && r.Header.Get("Api-Key") != "" {
		key = r.Header.Get("Api-Key")
	}
	return core.Head{Model: head.Model, Stream: head.Stream, Key: key}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// Authenticate refuses keys that are missing, unknown or set to be refused. OpenRouter lists its models to everyone.
func (f flavour) Authenticate(x *core.Exchange) *core.Refusal {
	switch {
	case f == openRouter && x.Endpoint == "models":
		return nil
	case f == azure && x.Key == "":
		return azureUnauthorized()
	case x.Key == "":
		return missingKey()
	case manages(x.Endpoint):
		return x.CheckManagementKey(unknownKey(x.Key))
	case f == azure:
		return x.CheckKey(azureUnauthorized())
	}
	return x.CheckKey(unknownKey(x.Key))
}

// Headers sets what every answer of the flavour has.
func (f flavour) Headers(x *core.Exchange, h http.Header) {
	h.Set("X-Request-Id", x.RequestID)
	switch f {
	case openAI:
		h.Set("Openai-Processing-Ms", strconv.FormatInt(x.Now().Sub(x.Started).Milliseconds(), 10))
		h.Set("Openai-Version", "2020-10-01")
		h.Set("Openai-Organization", "fakeprovider")
	case azure:
		h.Set("Apim-Request-Id", x.RequestID)
		h.Set("X-Ms-Region", "Fake Central")
		h.Set("X-Ms-Deployment-Name", x.Model)
	case openRouter:
		h.Set("X-Generation-Id", x.ID("gen-"))
	case groq, compatible:
	}
	limit := x.RateLimit()
	if limit == nil || x.Endpoint == "models" || f == openRouter || f == compatible {
		return
	}
	for name, value := range map[string]string{
		"Limit-Requests": strconv.FormatInt(limit.LimitRequests, 10), "Remaining-Requests": strconv.FormatInt(limit.RemainingRequests, 10),
		"Limit-Tokens": strconv.FormatInt(limit.LimitTokens, 10), "Remaining-Tokens": strconv.FormatInt(limit.RemainingTokens, 10),
	} {
		h.Set("X-Ratelimit-"+name, value)
	}
	if f == azure {
		return // tells no times
	}
	h.Set("X-Ratelimit-Reset-Requests", time.Duration(limit.ResetRequests).String())
	h.Set("X-Ratelimit-Reset-Tokens", time.Duration(limit.ResetTokens).String())
}

// errorObject is the error in the flavour's shape.
func (f flavour) errorObject(status int, e core.APIError) any {
	switch f {
	case groq:
		return struct {
			Message string  `json:"message"`
			Type    string  `json:"type"`
			Code    *string `json:"code,omitempty"`
		}{e.Message, e.Type, e.Code}
	case openRouter:
		return struct {
			Message string `json:"message"`
			Code    int    `json:"code"`
		}{e.Message, status}
	case compatible:
		return struct {
			Message string  `json:"message"`
			Type    string  `json:"type"`
			Param   *string `json:"param"`
			Code    int     `json:"code"`
		}{e.Message, e.Type, e.Param, status}
	case azure:
		if e.Type == "" {
			return struct {
				Code    *string `json:"code"`
				Message string  `json:"message"`
			}{e.Code, e.Message}
		}
	case openAI:
	}
	return e
}

// UsualError is what the provider says with a status.
func (f flavour) UsualError(status int) core.APIError {
	e := usualError(status)
	if f == groq && status == capacityExceeded {
		return core.APIError{Message: "Flex tier capacity exceeded. Please try again later.", Type: "capacity_exceeded", Code: orNull("capacity_exceeded")}
	}
	if f == azure && status == http.StatusTooManyRequests {
		return core.APIError{Code: orNull("429"), Message: "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 1 second."}
	}
	return e
}

// ErrorBody is the whole body of a refusal.
func (f flavour) ErrorBody(x *core.Exchange, refused *core.Refusal, h http.Header) []byte {
	said := refused.Body
	if x.Overrun != nil {
		said = f.overrun(x, h)
	}
	body, err := json.MarshalIndent(map[string]any{"error": f.errorObject(refused.Status, said)}, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("encoding an error of strings: %v", err))
	}
	return append(body, '\n')
}

// ErrorEvent is the data of an error inside a stream.
func (f flavour) ErrorEvent(x *core.Exchange, refused *core.Refusal) core.Event {
	if x.Endpoint == "responses" {
		return responseErrorEvent(refused)
	}
	body := map[string]any{"error": f.errorObject(refused.Status, refused.Body)}
	if f == openRouter {
		body["id"], body["object"], body["created"] = x.ID("gen-"), "chat.completion.chunk", x.Started.Unix()
		body["model"], body["provider"] = x.Model, "Fake"
		body["choices"] = []any{map[string]any{"index": 0, "delta": map[string]any{"content": ""}, "finish_reason": "error"}}
	}
	return core.Event{Data: core.Encode(body)}
}

// NotFound refuses an unknown path.
func (f flavour) NotFound(x *core.Exchange) *core.Refusal {
	if f == azure {
		return &core.Refusal{Status: http.StatusNotFound, Body: core.APIError{Code: orNull("404"), Message: "Resource not found"}}
	}
	return unknownURL(x.R.Method, x.R.URL.Path)
}

// WrongMethod refuses a method that the path does not take.
func (f flavour) WrongMethod(x *core.Exchange) *core.Refusal {
	return wrongMethod(x.R.Method, x.R.URL.Path)
}

// routes are the flavour's endpoints under a prefix.
func (f flavour) routes(prefix string) []core.Route {
	endpoints := []struct {
		method, pattern string
		answer          func(*exchange) error
	}{
		{http.MethodPost, "chat/completions", (*exchange).chat},
		{http.MethodPost, "completions", (*exchange).completion},
		{http.MethodPost, "embeddings", (*exchange).embedding},
		{http.MethodGet, "models", (*exchange).models},
	}
	out := make([]core.Route, 0, len(endpoints)+1)
	for _, e := range endpoints {
		out = append(out, f.route(e.method, prefix+e.pattern, e.pattern, e.answer))
	}
	out = append(out, f.responseRoutes(prefix)...)
	out = append(out, f.mediaRoutes(prefix)...)
	return append(out, f.route(http.MethodGet, prefix+"models/{id...}", "models", (*exchange).model))
}

// route is one endpoint.
func (f flavour) route(method, pattern, endpoint string, answer func(*exchange) error) core.Route {
	return core.Route{
		Method: method, Pattern: pattern, Endpoint: strings.TrimPrefix(endpoint, "/"), Vendor: f,
		Answer: func(x *core.Exchange) error { return answer(&exchange{x, f}) },
	}
}
