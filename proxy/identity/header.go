package identity

import (
	"net/http"
	"strings"
)

// maxTokenBytes is the longest token that is looked at.
const maxTokenBytes = 16 << 10

// Token takes the caller's token from a request: from "Authorization: Bearer", or else from "x-api-key", "api-key" or "x-goog-api-key", as the SDKs of
// OpenAI, Anthropic, Azure and Google send it. The error is an *Error, Missing or Malformed.
func Token(header http.Header) (string, error) {
	authorization, err := single(header, "Authorization")
	if err != nil {
		return "", err
	}
	scheme, token, _ := strings.Cut(authorization, " ")
	if strings.EqualFold(scheme, "Bearer") {
		if token = strings.Trim(token, " \t"); token != "" {
			return token, check(token)
		}
		authorization = ""
	}
	for _, name := range [...]string{"X-Api-Key", "Api-Key", "X-Goog-Api-Key"} {
		token, err := single(header, name)
		if err != nil {
			return "", err
		}
		if token != "" {
			return token, check(token)
		}
	}
	if authorization != "" {
		return "", malformed("the Authorization header must be \"Bearer\" and an access key or a ServiceAccount token")
	}
	return "", &Error{Reason: Missing, Message: "the request has no credentials: send an access key or a ServiceAccount token as \"Authorization: Bearer\""}
}

// single returns the only value of a header, without blanks around it.
func single(header http.Header, name string) (string, error) {
	values := header[name]
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return strings.Trim(values[0], " \t"), nil
	}
	return "", malformed("the " + name + " header is given more than once")
}

// check refuses what can be neither an access key nor a token.
func check(token string) error {
	if token == "" {
		return &Error{Reason: Missing, Message: "the request has no credentials"}
	}
	if len(token) > maxTokenBytes {
		return malformed("the credentials are too long")
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return malformed("the credentials must consist of printable ASCII characters without blanks")
		}
	}
	return nil
}
