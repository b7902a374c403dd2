package identity

import (
	"net/http"
	"strings"
)

// maxTokenBytes is the longest token that is looked at.
const maxTokenBytes = 16 << 10

// Token takes the caller's token from a request: from "Authorization: Bearer", "x-api-key", "api-key" or "x-goog-api-key", as the SDKs of OpenAI, Anthropic,
// Azure and Google send it. It may be in several of them, but not one token here and another there: which of the two callers it is would be up to the reader.
// The error is an *Error: Missing, Malformed or Ambiguous.
func Token(header http.Header) (string, error) {
	authorization, err := single(header, "Authorization")
	if err != nil {
		return "", err
	}
	token, isBearer := bearer(authorization)
	for _, name := range [...]string{"X-Api-Key", "Api-Key", "X-Goog-Api-Key"} {
		other, err := single(header, name)
		switch {
		case err != nil:
			return "", err
		case other == "" || other == token:
		case token != "":
			return "", &Error{Reason: Ambiguous, Message: "the request has two different credentials: send one, as \"Authorization: Bearer\" or in the API key's header"}
		default:
			token = other
		}
	}
	switch {
	case token != "":
		if err := check(token); err != nil {
			return "", err
		}
		return token, nil
	case authorization != "" && !isBearer:
		return "", malformed("the Authorization header must be \"Bearer\" and an access key or a token")
	}
	return "", &Error{Reason: Missing, Message: "the request has no credentials: send an access key or a ServiceAccount token as \"Authorization: Bearer\", which is what SDKs make of their API key"}
}

// bearer returns the token of a header of that scheme.
func bearer(authorization string) (token string, isBearer bool) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.Trim(token, " \t"), true
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
func check(token string) *Error {
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
