package openai

import (
	"fmt"
	"net/http"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// invalid is a 400 about one parameter; empty param and code are sent as null.
func invalid(param, code, format string, args ...any) *core.Refusal {
	body := core.APIError{Message: fmt.Sprintf(format, args...), Type: "invalid_request_error", Param: orNull(param), Code: orNull(code)}
	return &core.Refusal{Status: http.StatusBadRequest, Body: body}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// usualError is what the provider says with a status when a key or a fault names only the status.
func usualError(status int) core.APIError {
	switch {
	case status == http.StatusUnauthorized:
		return core.APIError{Message: "Incorrect API key provided.", Type: "invalid_request_error", Code: orNull("invalid_api_key")}
	case status == http.StatusForbidden:
		return core.APIError{Message: "Country, region, or territory not supported", Type: "request_forbidden", Code: orNull("unsupported_country_region_territory")}
	case status == http.StatusPaymentRequired:
		return core.APIError{Message: "Your account is not active, please check your billing details on our website.", Type: "billing_not_active", Code: orNull("billing_not_active")}
	case status == http.StatusTooManyRequests:
		return core.APIError{Message: "Rate limit reached for requests. Please try again later.", Type: "requests", Code: orNull("rate_limit_exceeded")}
	case status == http.StatusServiceUnavailable:
		return core.APIError{Message: "The engine is currently overloaded, please try again later", Type: "server_error"}
	case status >= http.StatusInternalServerError:
		return core.APIError{Message: "The server had an error while processing your request. Sorry about that!", Type: "server_error"}
	default:
		return core.APIError{Message: http.StatusText(status), Type: "invalid_request_error"}
	}
}

func missingKey() *core.Refusal {
	return &core.Refusal{Status: http.StatusUnauthorized, Body: core.APIError{
		Message: "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth " +
			"(i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the API from your browser " +
			"and are prompted for a username and password. You can obtain an API key from https://platform.openai.com/account/api-keys.",
		Type: "invalid_request_error",
	}}
}

// unknownKey repeats the key masked as OpenAI does: eight characters, stars, four characters.
func unknownKey(key string) *core.Refusal {
	masked := strings.Repeat("*", len(key))
	if len(key) > 16 {
		masked = key[:8] + strings.Repeat("*", len(key)-12) + key[len(key)-4:]
	}
	return &core.Refusal{Status: http.StatusUnauthorized, Body: core.APIError{
		Message: "Incorrect API key provided: " + masked + ". You can find your API key at https://platform.openai.com/account/api-keys.",
		Type:    "invalid_request_error",
		Code:    orNull("invalid_api_key"),
	}}
}

func unknownModel(model string) *core.Refusal {
	return &core.Refusal{Status: http.StatusNotFound, Body: core.APIError{
		Message: fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", model),
		Type:    "invalid_request_error",
		Code:    orNull("model_not_found"),
	}}
}

func unknownURL(method, path string) *core.Refusal {
	return &core.Refusal{Status: http.StatusNotFound, Body: core.APIError{Message: fmt.Sprintf("Invalid URL (%s %s)", method, path), Type: "invalid_request_error"}}
}

func wrongMethod(method, path string) *core.Refusal {
	return &core.Refusal{Status: http.StatusMethodNotAllowed, Body: core.APIError{
		Message: fmt.Sprintf("Not allowed to %s on %s. (HINT: Perhaps you meant to use a different HTTP method?)", method, path),
		Type:    "invalid_request_error",
		Code:    orNull("method_not_supported"),
	}}
}

func unknownDeployment() *core.Refusal {
	return &core.Refusal{Status: http.StatusNotFound, Body: core.APIError{
		Code:    orNull("DeploymentNotFound"),
		Message: "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
	}}
}

func azureUnauthorized() *core.Refusal {
	return &core.Refusal{Status: http.StatusUnauthorized, Body: core.APIError{
		Code: orNull("401"),
		Message: "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and " +
			"use a correct regional API endpoint for your resource.",
	}}
}
