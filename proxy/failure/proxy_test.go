package failure_test

import (
	"testing"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/failure"
	"signalbox.dev/signalbox/proxy/table"
)

func TestOfProxy(t *testing.T) {
	cases := map[string]struct {
		code   string
		status int
		said   neutral.Error
		want   table.FailureKind
		policy bool
	}{
		"budget":               {"budget_exceeded", 402, neutral.Error{}, table.QuotaExhausted, true},
		"price":                {"price_unknown", 402, neutral.Error{}, table.QuotaExhausted, true},
		"bound":                {"unbounded_cost", 400, neutral.Error{}, table.QuotaExhausted, true},
		"access":               {"access_denied", 403, neutral.Error{}, table.KeyRejected, true},
		"model":                {"model_not_found", 404, neutral.Error{}, table.ModelWithdrawn, true},
		"loop":                 {"loop_detected", 508, neutral.Error{}, table.ModelWithdrawn, true},
		"unsupported":          {"unsupported_by_targets", 400, neutral.Error{}, table.ModelWithdrawn, true},
		"too long":             {"unsupported_by_targets", 400, neutral.Error{Code: "context_length_exceeded"}, table.ContextTooLong, true},
		"token":                {"invalid_credentials", 401, neutral.Error{}, table.KeyRejected, false},
		"rate":                 {"rate_limit_exceeded", 429, neutral.Error{}, table.RateLimited, false},
		"provider's rate":      {"upstream_rate_limited", 429, neutral.Error{}, table.RateLimited, false},
		"overloaded":           {"overloaded", 503, neutral.Error{}, table.Capacity, false},
		"no target":            {"no_eligible_target", 503, neutral.Error{}, table.Unavailable, false},
		"ledger":               {"ledger_unavailable", 503, neutral.Error{}, table.Unavailable, false},
		"provider's key":       {"upstream_auth_failed", 502, neutral.Error{Type: "authentication_error"}, table.Unavailable, false},
		"provider's time":      {"upstream_timeout", 504, neutral.Error{}, table.Timeout, false},
		"provider's break":     {"upstream_broken", 502, neutral.Error{}, table.BrokenAnswer, false},
		"a newer code":         {"something_new", 503, neutral.Error{}, table.Unavailable, false},
		"a newer refusal":      {"something_new", 418, neutral.Error{}, table.BadRequest, false},
		"provider's context":   {"upstream_rejected", 400, neutral.Error{Code: "context_length_exceeded"}, table.ContextTooLong, false},
		"provider's filter":    {"upstream_rejected", 400, neutral.Error{Code: "content_filter"}, table.ContentFiltered, false},
		"provider's model":     {"upstream_rejected", 404, neutral.Error{Code: "model_not_found"}, table.ModelWithdrawn, true},
		"provider's parameter": {"upstream_rejected", 400, neutral.Error{Message: "too hot"}, table.BadRequest, false},
		"quoted words":         {"upstream_rejected", 400, neutral.Error{Message: "invalid api key: x"}, table.BadRequest, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if kind, policy := failure.OfProxy(tc.code, tc.status, tc.said); kind != tc.want || policy != tc.policy {
				t.Errorf("got %s, %v; want %s, %v", kind, policy, tc.want, tc.policy)
			}
		})
	}
}
