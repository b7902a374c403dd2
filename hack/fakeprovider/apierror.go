package fakeprovider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// APIError is the error object of a refusal, as OpenAI words it.
type APIError struct {
	// Message is the text for people.
	Message string `json:"message"`
	// Type is the class, such as invalid_request_error.
	Type string `json:"type"`
	// Param is the request field at fault, null when it is none.
	Param *string `json:"param"`
	// Code is the machine's word, such as model_not_found, null when there is none.
	Code *string `json:"code"`
}

// refusal is an APIError on its way to the client with a status.
type refusal struct {
	status int
	body   APIError
}

func (r *refusal) Error() string { return fmt.Sprintf("refused with %d: %s", r.status, r.body.Message) }

// invalid is a 400 about one parameter; empty param and code are sent as null.
func invalid(param, code, format string, args ...any) *refusal {
	body := APIError{Message: fmt.Sprintf(format, args...), Type: "invalid_request_error", Param: orNull(param), Code: orNull(code)}
	return &refusal{status: http.StatusBadRequest, body: body}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// usualError is what the provider says with a status when a key or a fault names only the status.
func usualError(status int) APIError {
	switch {
	case status == http.StatusUnauthorized:
		return APIError{Message: "Incorrect API key provided.", Type: "invalid_request_error", Code: orNull("invalid_api_key")}
	case status == http.StatusForbidden:
		return APIError{Message: "Country, region, or territory not supported", Type: "request_forbidden", Code: orNull("unsupported_country_region_territory")}
	case status == http.StatusPaymentRequired:
		return APIError{Message: "Your account is not active, please check your billing details on our website.", Type: "billing_not_active", Code: orNull("billing_not_active")}
	case status == http.StatusTooManyRequests:
		return APIError{Message: "Rate limit reached for requests. Please try again later.", Type: "requests", Code: orNull("rate_limit_exceeded")}
	case status == http.StatusServiceUnavailable:
		return APIError{Message: "The engine is currently overloaded, please try again later", Type: "server_error"}
	case status >= http.StatusInternalServerError:
		return APIError{Message: "The server had an error while processing your request. Sorry about that!", Type: "server_error"}
	default:
		return APIError{Message: http.StatusText(status), Type: "invalid_request_error"}
	}
}

// flavour is the provider imitated.
type flavour string

const (
	openAI     flavour = "OpenAI"
	groq       flavour = "Groq"
	openRouter flavour = "OpenRouter"
)

// errorObject is the error in the flavour's shape.
func (f flavour) errorObject(status int, e APIError) any {
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
	case openAI:
	}
	return e
}

// errorBody is the whole body of a refusal.
func (f flavour) errorBody(status int, e APIError) []byte {
	body, err := json.MarshalIndent(map[string]any{"error": f.errorObject(status, e)}, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("encoding an error of strings: %v", err))
	}
	return append(body, '\n')
}

func missingKey() *refusal {
	return &refusal{http.StatusUnauthorized, APIError{
		Message: "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth " +
			"(i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the API from your browser " +
			"and are prompted for a username and password. You can obtain an API key from https://platform.openai.com/account/api-keys.",
		Type: "invalid_request_error",
	}}
}

// unknownKey repeats the key masked as OpenAI does: eight characters, stars, four characters.
func unknownKey(key string) *refusal {
	masked := strings.Repeat("*", len(key))
	if len(key) > 16 {
		masked = key[:8] + strings.Repeat("*", len(key)-12) + key[len(key)-4:]
	}
	return &refusal{http.StatusUnauthorized, APIError{
		Message: "Incorrect API key provided: " + masked + ". You can find your API key at https://platform.openai.com/account/api-keys.",
		Type:    "invalid_request_error",
		Code:    orNull("invalid_api_key"),
	}}
}

func unknownModel(model string) *refusal {
	return &refusal{http.StatusNotFound, APIError{
		Message: fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", model),
		Type:    "invalid_request_error",
		Code:    orNull("model_not_found"),
	}}
}

func unknownURL(method, path string) *refusal {
	return &refusal{http.StatusNotFound, APIError{Message: fmt.Sprintf("Invalid URL (%s %s)", method, path), Type: "invalid_request_error"}}
}

func wrongMethod(method, path string) *refusal {
	return &refusal{http.StatusMethodNotAllowed, APIError{
		Message: fmt.Sprintf("Not allowed to %s on %s. (HINT: Perhaps you meant to use a different HTTP method?)", method, path),
		Type:    "invalid_request_error",
		Code:    orNull("method_not_supported"),
	}}
}
