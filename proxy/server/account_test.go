package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
)

// get is a GET of the app's.
func (h *harness) get(path string) reply { return h.send(ask{method: http.MethodGet, path: path}) }

// TestGenerationBeforeTheLastByte: a stream's record can be read once its last event is there, and from the header's id before that.
func TestGenerationBeforeTheLastByte(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{streams(strings.ReplaceAll(goodStream, `{"choices"`, `{"id":"chatcmpl-7","choices"`))}, withTable(budgeted))
	answer := h.open(t.Context(), ask{path: "/api/v1/chat/completions", body: streamBody})
	defer func() { _ = answer.Body.Close() }()
	id := answer.Header.Get("X-Generation-Id")
	events := readEvents(answer.Body)
	for event := ""; !strings.Contains(event, "[DONE]"); {
		if event = events.next(); event == "" {
			t.Fatal("the stream has no end")
		}
	}
	if byAnswer := h.get("/api/v1/generation?id=chatcmpl-7"); byAnswer.status != http.StatusOK {
		t.Errorf("by the id of the answer: status %d\n%s", byAnswer.status, byAnswer.body)
	}
	got := h.get("/api/v1/generation?id=" + id)
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Data struct {
			ID           string
			Model        string
			TotalCost    json.Number `json:"total_cost"`
			TokensPrompt int64       `json:"tokens_prompt"`
			Streamed     bool
		}
	}
	if err := json.Unmarshal([]byte(got.body), &read); err != nil {
		t.Fatal(err)
	}
	if d := read.Data; got.status != http.StatusOK || d.ID != id || d.TotalCost != "0.00002" || d.TokensPrompt != 10 || !d.Streamed {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
}

// TestAGenerationIsItsCallers: nobody reads the calls of others, wherever they are known.
func TestAGenerationIsItsCallers(t *testing.T) {
	elsewhere := &usage.Record{ID: "gen-elsewhere", Caller: "accesskey:app"}
	h := newHarness(t, []http.HandlerFunc{good}, func(o *Options, _ *table.Table) {
		o.Generation = func(_ context.Context, id string) (*usage.Record, bool) { return elsewhere, id == elsewhere.ID }
	})
	if got := h.get("/api/v1/generation?id=elsewhere"); got.status != http.StatusOK || !strings.Contains(got.body, `"gen-elsewhere"`) {
		t.Errorf("another replica's: status %d\n%s", got.status, got.body)
	}
	if got := h.send(ask{method: http.MethodGet, key: strangerKey, path: "/api/v1/generation?id=gen-elsewhere"}); got.status != http.StatusNotFound {
		t.Errorf("a stranger's: status %d\n%s", got.status, got.body)
	}
	if got := h.get("/api/v1/generation"); got.status != http.StatusBadRequest {
		t.Errorf("without an id: status %d\n%s", got.status, got.body)
	}
}

func TestKeyCreditsActivityUsage(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, withTable(budgeted), withTable(func(tb *table.Table) { tb.Routes[0].Access.AnyAccessKey = true }))
	for _, key := range []string{appKey, appKey, strangerKey} {
		h.send(ask{key: key})
	}
	for path, want := range map[string]string{
		"/api/v1/key":               `"label":"accesskey:app","limit":1,"limit_remaining":0.99994,"limit_reset":"monthly","usage":0.00006,"usage_daily":0.00004`,
		"/api/v1/auth/key":          `"limit":1,`,
		"/api/v1/credits":           `{"data":{"total_credits":1,"total_usage":0.00006}}`,
		"/api/v1/activity":          `"requests":2,`,
		"/v1/usage":                 `"requests":2,`,
		"/v1/usage?by=caller,model": `"caller":"accesskey:app"`,
		"/v1/usage?since=2020-01-02T03:04:05Z&until=2099-01-01T00:00:00Z": `"since":"2020-01-02T03:04:05Z","until":"2099-01-01T00:00:00Z"`,
		"/v1/usage?since=1h&by=route":                                     `"route":"chat-route"`,
		"/openai/v1/usage?by=tag:team,day":                                `"cost_nanodollars":40000`,
	} {
		if got := h.get(path); got.status != http.StatusOK || !strings.Contains(got.body, want) || strings.Contains(got.body, "stranger") {
			t.Errorf("%s: status %d, want %s\n%s", path, got.status, want, got.body)
		}
	}
	for _, path := range []string{"/v1/usage?by=colour", "/v1/usage?since=yesterday", "/v1/usage?since=-1h", "/v1/usage?until=tomorrow"} {
		if got := h.get(path); got.status != http.StatusBadRequest {
			t.Errorf("%s: status %d\n%s", path, got.status, got.body)
		}
	}
}
