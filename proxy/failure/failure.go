// Package failure tells what kind of failure an attempt at a provider ended with. It is pure.
//
// A kind that has an upstream or a whole key left alone takes more than a phrase somewhere in the text, because providers quote what clients send: it comes
// from the status, from a code, or from how the text begins. Kinds that only decide where a call goes next may be told from any part of it.
package failure

import (
	"net/http"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// statusCapacityExceeded is Groq's status for a tier without capacity.
	statusCapacityExceeded = 498
	// statusClientClosed is what a provider says that gave up itself.
	statusClientClosed = 499
	// statusTimeoutUpstream is what Cloudflare says when the server behind it did not answer in time.
	statusTimeoutUpstream = 524
	// statusOverloaded is what Anthropic and others say for 503.
	statusOverloaded = 529

	groq = "Groq"
)

// Of classifies an error that a provider answered: by its HTTP status, or the status that an error inside an answer of status 200 stands for, and by what
// the error says. Provider is the vendor's name.
func Of(provider string, status int, said neutral.Error) table.FailureKind {
	for _, word := range []string{said.Code, said.Type} {
		if kind := ofWord(word); kind != table.None {
			return kind
		}
	}
	status = meant(status, said)
	text := plain(said.Message)
	switch status {
	case http.StatusUnauthorized, http.StatusUnavailableForLegalReasons:
		return table.KeyRejected
	case http.StatusPaymentRequired:
		return table.QuotaExhausted
	case http.StatusForbidden:
		if said.Foreign && beginsWithAny(text, blockPage()) {
			return table.Unavailable
		}
		return ofForbidden(text)
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		if said.Foreign {
			// Something in front of the API has nothing behind it now.
			return table.Unavailable
		}
		return ofNotFound(text, said.Param)
	case http.StatusTooManyRequests:
		return ofTooMany(text)
	case http.StatusFailedDependency:
		return ofDependency(provider)
	}
	return ofClass(status, text, said)
}

// ofClass classifies by the other statuses.
func ofClass(status int, text string, said neutral.Error) table.FailureKind {
	switch status {
	case http.StatusRequestTimeout, http.StatusGatewayTimeout, statusTimeoutUpstream:
		return table.Timeout
	case http.StatusRequestEntityTooLarge:
		return table.ContextTooLong
	case statusCapacityExceeded, statusOverloaded:
		return table.Capacity
	case statusClientClosed:
		return table.Unavailable
	}
	switch {
	case status < http.StatusBadRequest:
		return table.BrokenAnswer
	case status >= http.StatusInternalServerError:
		return ofServer(text)
	default:
		return ofRejected(text, said)
	}
}

// meant is the status that an error stands for. One inside an answer of status 200 has none of its own, or that of a bad gateway; then its type tells.
func meant(status int, said neutral.Error) int {
	if status >= http.StatusBadRequest && status != http.StatusBadGateway {
		return status
	}
	if said.Status >= http.StatusBadRequest {
		return said.Status
	}
	if code, err := strconv.Atoi(said.Code); err == nil && code >= http.StatusBadRequest && code < 600 {
		return code
	}
	switch letters(said.Type) {
	case "invalidrequesterror":
		return http.StatusBadRequest
	case "permissionerror":
		return http.StatusForbidden
	case "notfounderror":
		return http.StatusNotFound
	case "requesttoolarge":
		return http.StatusRequestEntityTooLarge
	case "apierror", "servererror":
		return http.StatusInternalServerError
	default:
		return status
	}
}

// ofDependency: Groq means a tool server that the request named, the others the model behind their API.
func ofDependency(provider string) table.FailureKind {
	if provider == groq {
		return table.BadRequest
	}
	return table.Unavailable
}

// ofForbidden: most keys that may not do something may do nothing, but a model can be closed to an account, and some say so for moderation and for credit.
func ofForbidden(text string) table.FailureKind {
	switch {
	case speaksOfFilter(text):
		return table.ContentFiltered
	case beginsWithAny(text, closedModel()), strings.Contains(text, "denied on resource") && strings.Contains(text, "/models/"),
		strings.Contains(text, "is not authorized to perform: bedrock:"):
		return table.ModelWithdrawn
	case speaksOfCredit(text):
		return table.QuotaExhausted
	default:
		return table.KeyRejected
	}
}

// ofNotFound: only what speaks of the model says that it is gone. All else is a wrong path, or a thing that the request names.
func ofNotFound(text, param string) table.FailureKind {
	switch {
	case strings.HasPrefix(text, "no endpoints found for"):
		return table.ModelWithdrawn
	case beginsWithAny(text, noEndpoint()):
		// OpenRouter has the model, but nobody who serves it in the way that this request asks for.
		return table.Unavailable
	case strings.Contains(text, "not supported in the v1/"):
		// OpenAI has the model, behind another path.
		return table.BadRequest
	case param == "model", beginsWithAny(text, goneModel()), beginsWithAny(text, closedModel()):
		return table.ModelWithdrawn
	default:
		return table.BadRequest
	}
}

// ofTooMany: some say so for an empty account, and for a model that is not ready or overloaded.
func ofTooMany(text string) table.FailureKind {
	switch {
	case speaksOfCredit(text):
		return table.QuotaExhausted
	case speaksOfLoad(text):
		return table.Capacity
	default:
		return table.RateLimited
	}
}

func ofServer(text string) table.FailureKind {
	if speaksOfLoad(text) {
		return table.Capacity
	}
	return table.Unavailable
}

// ofRejected classifies what is said to be wrong with the request, which with some is the key, the credit or the model.
func ofRejected(text string, said neutral.Error) table.FailureKind {
	switch {
	case beginsWithAny(text, badKey()):
		return table.KeyRejected
	case beginsWithAny(text, noCredit()), strings.HasPrefix(text, "account ") && strings.Contains(text, "is suspended"):
		return table.QuotaExhausted
	case beginsWithAny(text, closedModel()), beginsWithAny(text, invalidModel()), strings.HasSuffix(text, " is not a valid model id"):
		return table.ModelWithdrawn
	case strings.HasPrefix(text, "the model") && containsAny(text, endOfModel()):
		return table.ModelWithdrawn
	case containsAny(text, longContext()), tooLongText(said):
		return table.ContextTooLong
	case speaksOfFilter(text):
		return table.ContentFiltered
	default:
		return table.BadRequest
	}
}

// tooLongText tells of OpenAI's bound on the characters of a prompt, which other fields have too.
func tooLongText(said neutral.Error) bool {
	return letters(said.Code) == "stringabovemaxlength" &&
		beginsWithAny(said.Param, []string{"messages", "input", "prompt", "instructions"})
}
