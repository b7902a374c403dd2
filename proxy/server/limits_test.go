package server

import (
	"net/http"
	"strconv"
	"testing"

	"signalbox.dev/signalbox/proxy/table"
)

func limited(limits ...table.Limit) setup {
	return withTable(func(t *table.Table) { t.Routes[0].Limits = limits })
}

func TestRequestsPerMinute(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, limited(table.Limit{Per: table.PerCaller, RequestsPerMinute: 2}))
	for left := 1; left >= 0; left-- {
		got := h.send(ask{})
		if got.status != http.StatusOK || got.header.Get("X-Ratelimit-Limit-Requests") != "2" ||
			got.header.Get("X-Ratelimit-Remaining-Requests") != strconv.Itoa(left) || got.header.Get("X-Ratelimit-Reset-Requests") == "" {
			t.Errorf("with %d left: status %d, %v", left, got.status, got.header)
		}
	}
	checkLimited(t, h.send(ask{}))
}

// checkLimited checks the refusal of a call above a limit of requests.
func checkLimited(t *testing.T, got reply) {
	t.Helper()
	failure := errorOf(t, got.body)
	if got.status != http.StatusTooManyRequests || failure.Code != "rate_limit_exceeded" || failure.Type != "rate_limit_error" {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
	if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 61 {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
	if got.header.Get("X-Ratelimit-Remaining-Requests") != "0" {
		t.Errorf("the refusal tells %v", got.header)
	}
}

func TestTokensPerMinuteAreCorrected(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, limited(table.Limit{Per: table.PerRoute, TokensPerMinute: 1000}))
	for i := range 20 {
		// Each takes 15 tokens and reserves some hundred.
		if got := h.send(ask{body: body(`"model":"chat","max_tokens":300`)}); got.status != http.StatusOK {
			t.Fatalf("call %d: status %d\n%s", i, got.status, got.body)
		}
	}
	got := h.send(ask{body: body(`"model":"chat","max_tokens":5000`)})
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "" {
		t.Errorf("a call larger than the limit: status %d, Retry-After %q\n%s", got.status, got.header.Get("Retry-After"), got.body)
	}
}

func TestConcurrency(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-leave
		good(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{slow}, limited(table.Limit{Per: table.PerRoute, Concurrency: 1, MaxWait: patience, MaxQueue: 1}))
	answers := make(chan reply, 3)
	for _, id := range []string{"first", "second", "third"} {
		go func() { answers <- h.send(ask{id: id}) }()
	}
	<-entered
	// One is at the provider and one in the queue, so the third is refused.
	refused := <-answers
	if refused.status != http.StatusTooManyRequests || errorOf(t, refused.body).Code != "rate_limit_exceeded" {
		t.Errorf("status %d\n%s", refused.status, refused.body)
	}
	close(leave)
	<-entered
	for range 2 {
		if got := <-answers; got.status != http.StatusOK {
			t.Errorf("status %d\n%s", got.status, got.body)
		}
	}
}

func TestARefusalLeavesNoTrace(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, limited(table.Limit{Per: table.PerRoute, RequestsPerMinute: 3}), withTable(func(t *table.Table) {
		budgeted(t)
		t.Budgets[0].Limit = 0
	}))
	for i := range 6 {
		if got := h.send(ask{}); got.status != http.StatusPaymentRequired {
			t.Fatalf("call %d: status %d, a call that the budget refuses counted in the limit", i, got.status)
		}
	}
}
