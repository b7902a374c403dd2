package failure

import (
	"net/http"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/table"
)

// OfProxy classifies an error of another namespace's proxy by its code. policy tells that the call was refused by a rule of that namespace, which says nothing
// of how the proxy or its providers do: such calls go on to the next target, and the target is not left alone for them.
func OfProxy(code string, status int, said neutral.Error) (kind table.FailureKind, policy bool) {
	switch code {
	case "budget_exceeded", "price_unknown", "unbounded_cost":
		return table.QuotaExhausted, true
	case "access_denied":
		return table.KeyRejected, true
	case "unsupported_by_targets":
		if ofWord(said.Code) == table.ContextTooLong {
			return table.ContextTooLong, true
		}
		return table.ModelWithdrawn, true
	case "model_not_found", "path_not_found", "method_not_allowed", "loop_detected":
		return table.ModelWithdrawn, true
	case "upstream_rejected":
		// The words of the provider behind it; whose account it is does not matter here.
		return ofRejection(status, said)
	}
	return ofTrouble(code, status), false
}

// ofTrouble classifies what is no rule of the other namespace.
func ofTrouble(code string, status int) table.FailureKind {
	switch code {
	case "missing_credentials", "invalid_credentials":
		return table.KeyRejected
	case "rate_limit_exceeded", "upstream_rate_limited":
		return table.RateLimited
	case "overloaded":
		return table.Capacity
	case "upstream_timeout":
		return table.Timeout
	case "upstream_broken", "upstream_invalid_answer":
		return table.BrokenAnswer
	}
	if status >= http.StatusInternalServerError {
		return table.Unavailable
	}
	return table.BadRequest
}

// ofRejection classifies what a provider behind another proxy found wrong with the request. That its model is gone is for that proxy to remember.
func ofRejection(status int, said neutral.Error) (kind table.FailureKind, policy bool) {
	switch kind := Of("", status, said); kind {
	case table.ContextTooLong, table.ContentFiltered:
		return kind, false
	case table.ModelWithdrawn:
		return kind, true
	default:
		return table.BadRequest, false
	}
}
