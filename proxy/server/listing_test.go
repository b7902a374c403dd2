package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// ends lets attempts of a target end so.
func (h *harness) ends(now time.Time, target int, outcomes ...health.Outcome) {
	subject := health.Subject{Credential: fmt.Sprintf("c%d", target), Model: fmt.Sprintf("upstream-%d", target)}
	for _, outcome := range outcomes {
		outcome.Limits = health.RateLimits{RequestsLeft: -1, TokensLeft: -1}
		attempt, _ := h.server.health.Upstream(subject).Begin(now, 1, true)
		attempt.End(now, outcome)
	}
}

// listed is the status of the model "chat" in a list of models; "absent" if it is not there.
func (h *harness) listed(t *testing.T, path string) string {
	t.Helper()
	var list struct {
		Data []struct{ ID, Status string }
	}
	answer := h.send(ask{method: http.MethodGet, path: path})
	if err := json.Unmarshal([]byte(answer.body), &list); err != nil {
		t.Fatalf("%v\n%s", err, answer.body)
	}
	for _, model := range list.Data {
		if model.ID == "chat" {
			return model.Status
		}
	}
	return "absent"
}

func failures(kind table.FailureKind) []health.Outcome {
	outcomes := make([]health.Outcome, 5)
	for i := range outcomes {
		outcomes[i] = health.Outcome{Kind: kind, RetryAfter: time.Minute}
	}
	return outcomes
}

// TestModelsThatAreDownAreListedSo: a model is down while none of its targets can be called, and what limits the rate for a while is not down.
func TestModelsThatAreDownAreListedSo(t *testing.T) {
	down := failures(table.Unavailable)
	for i := range down {
		down[i].RetryAfter = 0
	}
	cases := map[string]struct {
		first, second []health.Outcome
		change        func(*table.Table)
		after         time.Duration
		want          string
	}{
		"never called":                     {},
		"one of two":                       {first: down},
		"both":                             {first: down, second: down, want: "down"},
		"one is down and one is refused":   {first: down, second: failures(table.KeyRejected)[:1], want: "down"},
		"without credit and not offered":   {first: failures(table.QuotaExhausted)[:1], second: failures(table.ModelWithdrawn)[:1], want: "down"},
		"one is rate-limited":              {first: down, second: failures(table.RateLimited)[:1]},
		"both are rate-limited":            {first: failures(table.RateLimited)[:1], second: failures(table.RateLimited)[:1]},
		"nobody has tried since":           {first: down, second: down, after: time.Minute, want: "down"},
		"the other one is drained":         {first: down, change: func(t *table.Table) { t.Routes[0].Targets[1].Weight = 0 }, want: "down"},
		"the other one cannot be used":     {first: down, change: func(t *table.Table) { t.Routes[0].Targets[1].Excluded = "no key" }, want: "down"},
		"hidden while both are down":       {first: down, second: down, change: func(t *table.Table) { t.Routes[0].Listing = "Hide" }, want: "absent"},
		"not hidden while one is up":       {first: down, change: func(t *table.Table) { t.Routes[0].Listing = "Hide" }},
		"kept as ever while both are down": {first: down, second: down, change: func(t *table.Table) { t.Routes[0].Listing = "Keep" }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1_800_000_000, 0)
			h := newHarness(t, []http.HandlerFunc{good, good}, func(o *Options, made *table.Table) {
				o.Now = func() time.Time { return now.Add(tc.after) }
				o.Health = health.NewRegistry(health.Options{Random: func(int64) int64 { return 0 }})
				if tc.change != nil {
					tc.change(made)
				}
			})
			h.ends(now, 0, tc.first...)
			h.ends(now, 1, tc.second...)
			for _, path := range []string{"/v1/models", "/api/v1/models"} {
				if got := h.listed(t, path); got != tc.want {
					t.Errorf("%s: the status is %q, want %q", path, got, tc.want)
				}
			}
			one := h.send(ask{method: http.MethodGet, path: "/v1/models/chat"})
			if got := strings.Contains(one.body, `"status":"down"`); got != (tc.want != "") {
				t.Errorf("by itself: %s", one.body)
			}
		})
	}
}
