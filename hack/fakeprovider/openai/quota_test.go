package openai

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

func withQuota(quota core.Quota) func(*core.Settings) {
	return func(s *core.Settings) { s.Quota = &quota }
}

// The headers of every answer tell what is left, and one who keeps to them is never refused.
func TestQuotaOfRequests(t *testing.T) {
	r := start(t, withQuota(core.Quota{Requests: 3}))
	for i, want := range []struct {
		pass                        time.Duration
		status                      int
		remaining, reset, retry, ms string
	}{
		{0, 200, "2", "20s", "", ""}, {0, 200, "1", "40s", "", ""}, {0, 200, "0", "1m0s", "", ""},
		{0, 429, "0", "1m0s", "20", "20000"}, {500 * time.Millisecond, 429, "0", "59.5s", "20", "19500"},
		{19500 * time.Millisecond, 200, "0", "1m0s", "", ""}, {time.Minute, 200, "2", "20s", "", ""},
	} {
		if err := r.clock.Sleep(t.Context(), want.pass); err != nil {
			t.Fatal(err)
		}
		got := r.post("/v1/chat/completions", hello)
		h := got.header
		if got.status != want.status || h.Get("X-Ratelimit-Limit-Requests") != "3" || h.Get("X-Ratelimit-Remaining-Requests") != want.remaining ||
			h.Get("X-Ratelimit-Reset-Requests") != want.reset || h.Get("Retry-After") != want.retry || h.Get("Retry-After-Ms") != want.ms {
			t.Errorf("request %d: got %d %v, want %+v", i, got.status, h, want)
		}
		if got.status == 429 && !strings.Contains(string(got.body), `"message": "Rate limit reached for gpt-4o in organization org-fakeprovider on requests per min (RPM): Limit 3, Used 3, Requested 1.`) {
			t.Errorf("request %d: %s", i, got.body)
		}
	}
}

// A prompt is counted before the answer, the answer when it has ended: 18 tokens by length, 28 in the end.
func TestQuotaOfTokens(t *testing.T) {
	r := start(t, withQuota(core.Quota{Tokens: 60, Per: core.Duration(time.Minute)}))
	before := r.post("/v1/chat/completions", hello)
	record := r.ended(1)
	if got := before.header.Get("X-Ratelimit-Remaining-Tokens"); got != "42" {
		t.Errorf("%s tokens are left beside the prompt, want 42", got)
	}
	used := record.Billed.PromptTokens + record.Billed.CompletionTokens
	r.post("/v1/chat/completions", hello)
	r.ended(2)
	third := r.post("/v1/chat/completions", hello)
	if third.status != http.StatusTooManyRequests || !strings.Contains(string(third.body), "on tokens per min (TPM): Limit 60, Used "+itoa(int(2*used))+", Requested 18") ||
		!strings.Contains(string(third.body), `"type": "tokens"`) {
		t.Errorf("after two calls of %d tokens: %d %s", used, third.status, third.body)
	}
}

// Keys and models have quotas of their own, lists of models none, and a reset fills them.
func TestQuotaIsOfAKeyAndAModel(t *testing.T) {
	r := start(t, withQuota(core.Quota{Requests: 1}))
	for i, want := range []int{200, 429} {
		if got := r.post("/v1/chat/completions", hello); got.status != want {
			t.Errorf("request %d: got %d, want %d", i, got.status, want)
		}
	}
	if got := r.post("/v1/chat/completions", strings.Replace(hello, "gpt-4o", "gpt-4o-mini", 1)); got.status != 200 {
		t.Errorf("another model: got %d", got.status)
	}
	if got := r.post("/v1/chat/completions", hello, "Authorization", "Bearer sk-other"); got.status != 200 {
		t.Errorf("another key: got %d", got.status)
	}
	for range 3 {
		if got, err := r.call(http.MethodGet, "/v1/models", ""); err != nil || got.status != 200 {
			t.Errorf("models: got %d, %v", got.status, err)
		}
	}
	settings := r.Settings()
	r.Reset()
	if err := r.SetSettings(settings); err != nil {
		t.Fatal(err)
	}
	if got := r.post("/v1/chat/completions", hello); got.status != 200 {
		t.Errorf("after a reset: got %d", got.status)
	}
}

// A refused request costs no tokens.
func TestRefusedRequestsCostNothing(t *testing.T) {
	r := start(t, withQuota(core.Quota{Requests: 1, Tokens: 1000}))
	r.post("/v1/chat/completions", hello)
	left := r.ended(1).Billed.PromptTokens + r.Requests(1)[0].Billed.CompletionTokens
	for range 5 {
		r.post("/v1/chat/completions", hello)
	}
	r.ended(6)
	got := r.post("/v1/chat/completions", hello)
	if want := itoa(int(1000 - left)); got.header.Get("X-Ratelimit-Remaining-Tokens") != want {
		t.Errorf("%s tokens are left, want %s", got.header.Get("X-Ratelimit-Remaining-Tokens"), want)
	}
}

func TestArrivals(t *testing.T) {
	r := start(t, nil)
	r.fault(core.Fault{Kind: core.FaultStatus, Status: 500})
	r.post("/v1/chat/completions", hello)
	if err := r.clock.Sleep(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	r.post("/v1/chat/completions", hello)
	got := r.Arrivals()
	if len(got) != 2 || got[0].Fault != core.FaultStatus || got[1].Fault != "" || got[1].Endpoint != "chat/completions" || got[1].Model != "gpt-4o" || got[1].Key == "" ||
		got[1].Time.Sub(got[0].Time) != time.Second {
		t.Errorf("got %+v", got)
	}
	if r.Reset(); len(r.Arrivals()) != 0 {
		t.Error("a reset keeps arrivals")
	}
}
