// Package anthropic imitates the Messages API, by itself and for the platforms of others that serve Claude with it.
package anthropic

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// prefix of all paths.
const prefix = "/anthropic/"

// currentVersion of the API has instructions among the messages, and no parameters of sampling.
const currentVersion = "2026-10-21"

// vendor is Anthropic.
type vendor struct{}

// Routes are the endpoints.
func Routes() []core.Route {
	v := vendor{}
	return []core.Route{
		{Method: http.MethodPost, Pattern: prefix + "v1/messages", Endpoint: "messages", Vendor: v, Answer: messages},
		{Method: http.MethodPost, Pattern: prefix + "v1/messages/count_tokens", Endpoint: "messages/count_tokens", Vendor: v, Answer: CountTokens},
		{Method: http.MethodGet, Pattern: prefix + "v1/models", Endpoint: "models", Vendor: v, Answer: models},
		{Method: http.MethodGet, Pattern: prefix + "v1/models/{id}", Endpoint: "models", Vendor: v, Answer: model},
	}
}

// Fallbacks refuse, by prefix, what no route takes.
func Fallbacks() map[string]core.Vendor { return map[string]core.Vendor{prefix: vendor{}} }

// Platform is who serves Claude.
type Platform struct {
	// Version is the anthropic_version that the body has to have, unless it has the current one; empty where a header says it.
	Version string
	// ModelInPath is set where the body must not name a model.
	ModelInPath bool
	// StreamInPath is set where the body must not ask for a stream.
	StreamInPath bool
}

// Read checks a request for a message and generates the answer.
func (p Platform) Read(x *core.Exchange) (Answer, *core.Refusal) {
	r, refused := decode(x)
	if refused != nil {
		return Answer{}, refused
	}
	if refused := core.InOrder(func() *core.Refusal { return p.check(r) }, r.check); refused != nil {
		return Answer{}, refused
	}
	ask, refused := r.ask()
	if refused != nil {
		return Answer{}, refused
	}
	if !x.Serves(x.Model) {
		return Answer{}, core.Refuse(http.StatusNotFound, "not_found_error", "model: %s", x.Model)
	}
	g := x.Generate(ask)
	return Answer{Generation: g, Stream: r.Stream, x: x, request: r, choice: g.Choices[0]}, nil
}

// check applies what depends on the platform.
func (p Platform) check(r request) *core.Refusal {
	inBody := p.Version != ""
	return core.FirstBroken(
		core.Rule{Broken: inBody && r.Version == "", Refusal: invalid("anthropic_version: Field required")},
		core.Rule{Broken: inBody && core.NoneOf(r.Version, p.Version, currentVersion), Refusal: invalid("anthropic_version: Input should be '%s'", p.Version)},
		core.Rule{Broken: !inBody && r.Version != "", Refusal: invalid("anthropic_version: Extra inputs are not permitted")},
		core.Rule{Broken: p.ModelInPath && r.Model != "", Refusal: invalid("model: Extra inputs are not permitted")},
		core.Rule{Broken: !p.ModelInPath && r.Model == "", Refusal: invalid("model: Field required")},
		core.Rule{Broken: p.StreamInPath && r.Stream, Refusal: invalid("stream: Extra inputs are not permitted")},
		core.Rule{Broken: r.MaxTokens == nil, Refusal: invalid("max_tokens: Field required")},
		core.Rule{Broken: core.Value(r.MaxTokens) < 1, Refusal: invalid("max_tokens: Input should be greater than or equal to 1")},
	)
}

// decode reads the body strictly. Where the body says the version, the header does not count.
func decode(x *core.Exchange) (request, *core.Refusal) {
	var r request
	unknown, err := core.Decode(x, &r)
	r.current = r.Version == currentVersion || r.Version == "" && x.R.Header.Get("Anthropic-Version") == currentVersion
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return r, invalid("%s: Input should be a valid %s", wrongType.Field, pydantic(wrongType.Type.Kind()))
	case err != nil:
		return r, invalid("The request body is not valid JSON: %s", "unexpected character")
	case unknown != "":
		return r, invalid("%s: Extra inputs are not permitted", dotted(unknown))
	}
	return r, nil
}

// pydantic names a kind as the refusals do.
func pydantic(kind reflect.Kind) string {
	names := map[reflect.Kind]string{
		reflect.Slice: "list", reflect.Struct: "dictionary", reflect.Map: "dictionary", reflect.String: "string", reflect.Bool: "boolean",
		reflect.Int: "integer", reflect.Float64: "number",
	}
	return names[kind]
}

// dotted writes a path with dots only.
func dotted(path string) string {
	return strings.NewReplacer("[", ".", "]", "").Replace(path)
}

func messages(x *core.Exchange) error {
	a, refused := Platform{}.Read(x)
	if refused != nil {
		return refused
	}
	if !a.Stream {
		return x.Plain(a.Plain(), a.Generation.Tokens(), &a.Generation.Usage)
	}
	return x.Stream(core.EventStream(a.Events()), &a.Generation.Usage)
}

// CountTokens answers with the price of a prompt. It takes no max_tokens.
func CountTokens(x *core.Exchange) error {
	r, refused := decode(x)
	switch {
	case refused != nil:
		return refused
	case r.MaxTokens != nil:
		return invalid("max_tokens: Extra inputs are not permitted")
	case r.Model == "":
		return invalid("model: Field required")
	case !x.Serves(r.Model):
		return core.Refuse(http.StatusNotFound, "not_found_error", "model: %s", r.Model)
	}
	if refused := r.check(); refused != nil {
		return refused
	}
	prompt, refused := r.prompt()
	if refused != nil {
		return refused
	}
	usage := x.Count(prompt.Tokens())
	return x.Plain(map[string]int64{"input_tokens": usage.PromptTokens}, 0, nil)
}

type modelObject struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
}

func modelNamed(id string) modelObject {
	return modelObject{Type: "model", ID: id, DisplayName: "Fake " + id, CreatedAt: "2025-02-19T00:00:00Z"}
}

// models pages through the list by limit, after_id and before_id.
func models(x *core.Exchange) error {
	query := x.R.URL.Query()
	limit := 20
	if text := query.Get("limit"); text != "" {
		given, err := strconv.Atoi(text)
		if err != nil || given < 1 || given > 1000 {
			return invalid("limit: Input should be between 1 and 1000")
		}
		limit = given
	}
	page := struct {
		Data    []modelObject `json:"data"`
		HasMore bool          `json:"has_more"`
		FirstID *string       `json:"first_id"`
		LastID  *string       `json:"last_id"`
	}{Data: []modelObject{}}
	after := query.Get("after_id")
	for _, id := range x.Listed() {
		switch {
		case after != "":
			if id == after {
				after = ""
			}
		case len(page.Data) == limit:
			page.HasMore = true
		default:
			page.Data = append(page.Data, modelNamed(id))
		}
	}
	if n := len(page.Data); n > 0 {
		page.FirstID, page.LastID = &page.Data[0].ID, &page.Data[n-1].ID
	}
	return x.Plain(page, 0, nil)
}

func model(x *core.Exchange) error {
	id := x.R.PathValue("id")
	if !x.Serves(id) {
		return core.Refuse(http.StatusNotFound, "not_found_error", "model: %s", id)
	}
	return x.Plain(modelNamed(id), 0, nil)
}

// Head reads model, stream and key.
func (vendor) Head(r *http.Request, body []byte) core.Head {
	var head core.Head
	_ = json.Unmarshal(body, &head) // what a broken body does not yield stays empty
	key := r.Header.Get("X-Api-Key")
	if key == "" {
		key = core.Bearer(r.Header)
	}
	return core.Head{Model: head.Model, Stream: head.Stream, Key: key}
}

// Authenticate wants a key, and the version of the API.
func (vendor) Authenticate(x *core.Exchange) *core.Refusal {
	if x.Key == "" {
		return core.Refuse(http.StatusUnauthorized, "authentication_error", "x-api-key header is required")
	}
	if refused := x.CheckKey(core.Refuse(http.StatusUnauthorized, "authentication_error", "invalid x-api-key")); refused != nil {
		return refused
	}
	switch version := x.R.Header.Get("Anthropic-Version"); version {
	case "":
		return invalid("anthropic-version: header is required")
	case currentVersion, "2023-06-01", "2023-01-01":
		return nil
	default:
		return invalid("anthropic-version: \"%s\" is not a valid version. Valid versions include \"2026-10-21\", \"2023-06-01\", \"2023-01-01\".", version)
	}
}

// Headers sets the request's id and the rate limits, with times as timestamps.
func (vendor) Headers(x *core.Exchange, h http.Header) {
	h.Set("Request-Id", x.RequestID)
	h.Set("Anthropic-Organization-Id", "fakeprovider")
	limit := x.RateLimit()
	if limit == nil || x.Endpoint == "models" {
		return
	}
	at := func(d core.Duration) string { return x.Now().Add(time.Duration(d)).UTC().Format(time.RFC3339) }
	for name, value := range map[string]string{
		"Requests-Limit": fmt.Sprint(limit.LimitRequests), "Requests-Remaining": fmt.Sprint(limit.RemainingRequests), "Requests-Reset": at(limit.ResetRequests),
		"Tokens-Limit": fmt.Sprint(limit.LimitTokens), "Tokens-Remaining": fmt.Sprint(limit.RemainingTokens), "Tokens-Reset": at(limit.ResetTokens),
		"Input-Tokens-Limit": fmt.Sprint(limit.LimitTokens), "Input-Tokens-Remaining": fmt.Sprint(limit.RemainingTokens), "Input-Tokens-Reset": at(limit.ResetTokens),
		"Output-Tokens-Limit": fmt.Sprint(limit.LimitTokens), "Output-Tokens-Remaining": fmt.Sprint(limit.RemainingTokens), "Output-Tokens-Reset": at(limit.ResetTokens),
	} {
		h.Set("Anthropic-Ratelimit-"+name, value)
	}
}

// UsualError is what Anthropic says with a status.
func (vendor) UsualError(status int) core.APIError { return UsualError(status) }

// UsualError is what Anthropic says with a status.
func UsualError(status int) core.APIError {
	switch status {
	case http.StatusUnauthorized:
		return core.APIError{Type: "authentication_error", Message: "invalid x-api-key"}
	case http.StatusForbidden:
		return core.APIError{Type: "permission_error", Message: "Your API key does not have permission to use the specified resource."}
	case http.StatusNotFound:
		return core.APIError{Type: "not_found_error", Message: "Not Found"}
	case http.StatusPaymentRequired:
		return core.APIError{Type: "billing_error", Message: "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}
	case http.StatusRequestEntityTooLarge:
		return core.APIError{Type: "request_too_large", Message: "Request exceeds the maximum size"}
	case http.StatusTooManyRequests:
		return core.APIError{Type: "rate_limit_error", Message: "This request would exceed your organization's rate limit. Please try again later."}
	case http.StatusGatewayTimeout:
		return core.APIError{Type: "timeout_error", Message: "Request timed out"}
	case http.StatusServiceUnavailable, 529:
		return core.APIError{Type: "overloaded_error", Message: "Overloaded"}
	}
	if status >= http.StatusInternalServerError {
		return core.APIError{Type: "api_error", Message: "Internal server error"}
	}
	return core.APIError{Type: "invalid_request_error", Message: http.StatusText(status)}
}

type errorObject struct {
	Type  string `json:"type"`
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
	RequestID string `json:"request_id,omitempty"`
}

func errorOf(x *core.Exchange, refused *core.Refusal) []byte {
	out := errorObject{Type: "error", RequestID: x.RequestID}
	out.Error.Type, out.Error.Message = refused.Body.Type, refused.Body.Message
	return core.Encode(out)
}

// ErrorBody is the whole body of a refusal.
func (vendor) ErrorBody(x *core.Exchange, refused *core.Refusal, h http.Header) []byte {
	switch {
	case x.Overrun != nil:
		h.Set("Retry-After", strconv.FormatInt(x.Overrun.RetryAfter(), 10))
	case refused.Status == http.StatusTooManyRequests && h.Get("Retry-After") == "":
		h.Set("Retry-After", "1")
	}
	return errorOf(x, refused)
}

// ErrorEvent is the error event.
func (vendor) ErrorEvent(x *core.Exchange, refused *core.Refusal) core.Event {
	return core.Event{Name: "error", Data: errorOf(x, refused)}
}

// NotFound refuses an unknown path.
func (vendor) NotFound(*core.Exchange) *core.Refusal {
	return core.Refuse(http.StatusNotFound, "not_found_error", "Not Found")
}

// WrongMethod refuses a method that the path does not take.
func (vendor) WrongMethod(*core.Exchange) *core.Refusal {
	return core.Refuse(http.StatusMethodNotAllowed, "invalid_request_error", "Method Not Allowed")
}
