package server

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/table"
)

// seen keeps the last request that an upstream got.
type seen struct {
	mu     sync.Mutex
	header http.Header
	body   string
	path   string
}

func (s *seen) then(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.header, s.body, s.path = r.Header.Clone(), string(body), r.URL.Path
		s.mu.Unlock()
		next(w, r)
	}
}

func TestPlainAnswer(t *testing.T) {
	var got seen
	upstream := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "up-1")
		w.Header().Set("X-Ratelimit-Remaining-Requests", "99")
		w.Header().Set("Set-Cookie", "session=1")
		w.Header().Set("Server", "secret-server")
		w.Header().Set("Openai-Organization", "our-org")
		good(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{got.then(upstream)}, withTable(budgeted))
	request := h.request(t.Context(), ask{id: "r1"})
	request.Header.Set("Cookie", "private=1")
	request.Header.Set("X-Api-Key", appKey)
	request.Header.Set("Openai-Organization", "their-org")
	request.Header.Set("X-Forwarded-For", "10.0.0.1")
	response, err := h.front.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", response.StatusCode, body)
	}
	if want := strings.Replace(goodAnswer, `"total_tokens":15}`, `"total_tokens":15,"cost":0.00002}`, 1); string(body) != want {
		t.Errorf("body\n%s\nwant\n%s", body, want)
	}
	wantHeader := map[string]string{
		"X-Request-Id": "r1", "X-Signalbox-Route": "chat-route", "X-Signalbox-Target": "t0", "X-Signalbox-Attempts": "1",
		"X-Signalbox-Cost": "0.00002", "X-Signalbox-Upstream-Request-Id": "up-1", "X-Ratelimit-Remaining-Requests": "99",
		"Set-Cookie": "", "Server": "", "Openai-Organization": "", "Content-Type": "application/json",
	}
	checkHeader(t, "the answer", response.Header, wantHeader)
	if want := strings.Replace(goodBody, `"chat"`, `"upstream-0"`, 1); got.body != want {
		t.Errorf("the upstream got %s, want %s", got.body, want)
	}
	wantSent := map[string]string{
		"Authorization": "Bearer " + providerKey, "Content-Type": "application/json", "Cookie": "", "X-Api-Key": "", "Openai-Organization": "",
		"X-Forwarded-For": "", "X-Request-Id": "r1",
	}
	checkHeader(t, "the upstream's request", got.header, wantSent)
	if h.spent() != goodCost {
		t.Errorf("spent %d, want %d", h.spent(), goodCost)
	}
	line := h.log.request(t, "r1")
	for key, want := range map[string]any{
		"caller": "accesskey:app", "route": "chat-route", "target": "t0", "provider": "OpenAICompatible", "model": "chat", "upstream_model": "upstream-0",
		"code": "ok", "prompt_tokens": 10., "completion_tokens": 5., "cost_nanodollars": float64(goodCost), "attempts": 1., "estimated": false,
	} {
		if line[key] != want {
			t.Errorf("logged %s %v, want %v", key, line[key], want)
		}
	}
	if strings.Contains(h.log.text(), "hello") {
		t.Error("the log holds the prompt")
	}
}

func checkHeader(t *testing.T, whose string, got http.Header, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got.Get(name) != value {
			t.Errorf("%s has %s %q, want %q", whose, name, got.Get(name), value)
		}
	}
}

func TestEndpointsAndSurfaces(t *testing.T) {
	cases := map[string]struct {
		path, body, upstreamPath string
		cost                     int64
		answer                   string
	}{
		"chat":         {"/v1/chat/completions", goodBody, "/v1/chat/completions", goodCost, goodAnswer},
		"chat at groq": {"/openai/v1/chat/completions", goodBody, "/v1/chat/completions", goodCost, goodAnswer},
		"completions":  {"/api/v1/completions", `{"model":"any/x","prompt":"hi"}`, "/v1/completions", goodCost, goodAnswer},
		"embeddings": {
			"/v1/embeddings", `{"model":"chat","input":["hi"]}`, "/v1/embeddings", 8_000,
			`{"object":"list","data":[{"index":0,"embedding":[0.1]}],"usage":{"prompt_tokens":8,"total_tokens":8}}`,
		},
		"cached tokens": {"/v1/chat/completions", goodBody, "/v1/chat/completions", 9*1000 + 3*500 + 2*2000,
			`{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got seen
			h := newHarness(t, []http.HandlerFunc{got.then(answers(http.StatusOK, "application/json", tc.answer))}, withTable(budgeted))
			if reply := h.send(ask{path: tc.path, body: tc.body}); reply.status != http.StatusOK {
				t.Fatalf("%d %s", reply.status, reply.body)
			}
			if got.path != tc.upstreamPath {
				t.Errorf("upstream path %s, want %s", got.path, tc.upstreamPath)
			}
			if h.spent() != tc.cost {
				t.Errorf("spent %d, want %d", h.spent(), tc.cost)
			}
		})
	}
}

func TestModels(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, withTable(func(tb *table.Table) {
		tb.Routes[0].Models = []string{"chat", "any/*", "vendor/model:8b"}
	}))
	list := h.send(ask{method: "GET", path: "/api/v1/models"})
	var models struct {
		Data []struct{ ID, Object string }
	}
	if err := json.Unmarshal([]byte(list.body), &models); err != nil || list.status != http.StatusOK {
		t.Fatalf("%d %v %s", list.status, err, list.body)
	}
	var ids []string
	for _, m := range models.Data {
		ids = append(ids, m.ID)
	}
	if diff := cmp.Diff([]string{"chat", "vendor/model:8b"}, ids); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
	for path, want := range map[string]string{
		"/v1/models/chat":                     "chat",
		"/v1/models/vendor/model:8b":          "vendor/model:8b",
		"/openai/v1/models/vendor%2Fmodel:8b": "vendor/model:8b",
		"/v1/models/any/thing%20else":         "any/thing else",
	} {
		got := h.send(ask{method: "GET", path: path})
		var model struct{ ID string }
		if err := json.Unmarshal([]byte(got.body), &model); err != nil || got.status != http.StatusOK || model.ID != want {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := h.send(ask{method: "GET", path: "/v1/models", key: strangerKey}); !strings.Contains(got.body, `"data":[]`) {
		t.Errorf("a stranger sees %s", got.body)
	}
}

func TestFallback(t *testing.T) {
	cases := map[string]struct {
		first   http.HandlerFunc
		body    string
		outcome Code
		// charged is what the failed attempt costs beyond the good one.
		charged bool
	}{
		"rate limited":     {first: answers(429, "application/json", "{}"), outcome: CodeUpstreamRateLimited},
		"timeout":          {first: answers(408, "application/json", "{}"), outcome: CodeUpstreamTimeout},
		"500":              {first: answers(500, "text/plain", "x"), outcome: CodeUpstreamUnavailable},
		"502":              {first: answers(502, "text/html", "<html>"), outcome: CodeUpstreamUnavailable},
		"503":              {first: answers(503, "application/json", "{}"), outcome: CodeUpstreamUnavailable},
		"529":              {first: answers(529, "application/json", "{}"), outcome: CodeUpstreamUnavailable},
		"502 in brotli":    {first: answersEncoded(502, "br"), outcome: CodeUpstreamUnavailable},
		"capacity":         {first: answers(498, "application/json", "{}"), outcome: CodeUpstreamUnavailable},
		"bad key":          {first: answers(401, "application/json", "{}"), outcome: CodeUpstreamAuthFailed},
		"HTML":             {first: answers(200, "text/html", "<html>"), outcome: CodeUpstreamInvalidAnswer},
		"cut before":       {first: cuts(), outcome: CodeUpstreamBroken, charged: true},
		"cut in the midst": {first: cuts(`{"id":`), outcome: CodeUpstreamBroken, charged: true},
		"error in a 200":   {first: answers(200, "application/json", `{"error":{"message":"x"}}`), outcome: CodeUpstreamUnavailable},
		"stream cut before the first token": {
			first: cuts(": keep-alive\n\n", roleEvent), body: streamBody, outcome: CodeUpstreamBroken, charged: true,
		},
		"stream with an error before the first token": {
			first: streams(roleEvent, `data: {"error":{"message":"x","code":503}}`+"\n\n"), body: streamBody, outcome: CodeUpstreamUnavailable,
		},
		"stream that never begins": {first: silent, body: streamBody, outcome: CodeUpstreamTimeout, charged: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			second := good
			if tc.body != "" {
				second = streams(goodStream)
			}
			hurried := withTable(func(tb *table.Table) { tb.Routes[0].FirstToken = 200 * time.Millisecond })
			h := newHarness(t, []http.HandlerFunc{tc.first, second}, withTable(budgeted), hurried)
			got := h.send(ask{body: tc.body, id: "r"})
			if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t1" || got.header.Get("X-Signalbox-Attempts") != "2" {
				t.Errorf("%d %v %s", got.status, got.header, got.body)
			}
			if strings.Contains(got.body, "error") || strings.Contains(got.body, "keep-alive") {
				t.Errorf("the client sees the failed attempt: %s", got.body)
			}
			line := h.log.request(t, "r")
			if line["code"] != "ok" || line["estimated"] != tc.charged {
				t.Errorf("logged %v", line)
			}
			if extra := h.spent() - goodCost; (extra > 0) != tc.charged || extra < 0 {
				t.Errorf("the failed attempt was charged %d, want charged to be %v", extra, tc.charged)
			}
		})
	}
}

// answersEncoded is an error page of a server that compresses what nobody asked it to.
func answersEncoded(status int, encoding string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", encoding)
		answers(status, "text/html", "compressed")(w, r)
	}
}

// TestStreamOptionsByProvider: a provider that reports usage unasked refuses stream_options, the client's own too.
func TestStreamOptionsByProvider(t *testing.T) {
	cases := map[string]struct{ provider, body, want string }{
		"asked for":         {"OpenAICompatible", streamBody, `{"model":"upstream-0","stream_options":{"include_usage":true},"stream":true,`},
		"refused":           {"Mistral", usageBody, `{"model":"upstream-0","stream":true,"messages":[]}`},
		"refused, unneeded": {"Mistral", streamBody, `{"model":"upstream-0","stream":true,"messages":[{`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got seen
			h := newHarness(t, []http.HandlerFunc{got.then(streams(goodStream))}, withTable(func(tb *table.Table) { tb.Credentials[0].Provider = tc.provider }))
			answer := h.send(ask{body: tc.body})
			if !strings.HasPrefix(got.body, tc.want) {
				t.Errorf("the provider got %s, want it to begin with %s", got.body, tc.want)
			}
			if shown := strings.Contains(answer.body, `"cost":0.00002`); shown != (tc.body == usageBody) {
				t.Errorf("the client got %s", answer.body)
			}
		})
	}
}

func TestNoFallbackForTheClientsFault(t *testing.T) {
	for _, status := range []int{400, 404, 409, 413, 422} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			text := `{"error":{"message":"your fault","type":"invalid_request_error","weird":[1,  2]}}`
			var calls atomic.Int64
			second := func(w http.ResponseWriter, r *http.Request) { calls.Add(1); good(w, r) }
			h := newHarness(t, []http.HandlerFunc{answers(status, "application/json", text), second})
			got := h.send(ask{})
			if got.status != status || got.body != text || calls.Load() != 0 {
				t.Errorf("%d %s, %d calls of the second target", got.status, got.body, calls.Load())
			}
		})
	}
}

func TestAllAttemptsFailed(t *testing.T) {
	limited := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "17")
		answers(429, "application/json", `{"error":{"message":"slow down"}}`)(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{limited, cuts()})
	got := h.send(ask{})
	body := errorOf(t, got.body)
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "17" || body.Message != "provider OpenAICompatible (429): slow down" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if body.Metadata.Provider != "c0" || body.Metadata.ProviderName != "OpenAICompatible" || body.Metadata.Status != 429 {
		t.Errorf("metadata %+v", body.Metadata)
	}
	if len(body.Metadata.Attempts) != 2 || body.Metadata.Attempts[0].Outcome != "upstream_rate_limited" || body.Metadata.Attempts[1].Outcome != "upstream_broken" {
		t.Errorf("attempts %+v", body.Metadata.Attempts)
	}
}

func TestKeyIsKeptOutOfPassedErrors(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{answers(400, "application/json", `{"error":{"message":"bad key `+providerKey+` given"}}`)})
	got := h.send(ask{})
	if strings.Contains(got.body, providerKey) || !strings.Contains(got.body, "[redacted]") || got.status != 400 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestCompressedAnswers(t *testing.T) {
	squeeze := func(contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			_, _ = io.WriteString(zip, body)
			_ = zip.Close()
		}
	}
	cases := map[string]struct {
		upstream http.HandlerFunc
		body     string
		want     string
	}{
		"plain":  {squeeze("application/json", goodAnswer), goodBody, `"content":"Hi"`},
		"stream": {squeeze("text/event-stream", goodStream), streamBody, doneEvent},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{tc.upstream}, withTable(budgeted))
			got := h.send(ask{body: tc.body})
			if got.status != http.StatusOK || !strings.Contains(got.body, tc.want) || h.spent() != goodCost {
				t.Errorf("%d %s, spent %d", got.status, got.body, h.spent())
			}
		})
	}
	t.Run("bomb", func(t *testing.T) {
		h := newHarness(t, []http.HandlerFunc{squeeze("application/json", strings.Repeat(" ", 8<<20)+goodAnswer)}, withLimits(Limits{AnswerBytes: 1 << 20}))
		if got := h.send(ask{}); got.status != http.StatusBadGateway || errorOf(t, got.body).Code != string(CodeUpstreamInvalidAnswer) {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}

func TestMissingUsageIsEstimatedAndNeverFree(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{answers(200, "application/json", `{"choices":[{"message":{"content":"some words"}}]}`)}, withTable(budgeted))
	if got := h.send(ask{id: "r"}); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if line := h.log.request(t, "r"); line["estimated"] != true || h.spent() <= 0 {
		t.Errorf("estimated %v, spent %d", line["estimated"], h.spent())
	}
}

func TestUnpricedTargetIsLeftOutWhereABudgetRefusesIt(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good, good}, withTable(budgeted), withTable(func(tb *table.Table) { tb.Routes[0].Targets[0].Prices = nil }))
	if got := h.send(ask{}); got.header.Get("X-Signalbox-Target") != "t1" {
		t.Errorf("%d %v", got.status, got.header)
	}
	h.table.Budgets[0].AllowUnpriced = true
	if err := h.server.Use(h.table); err != nil {
		t.Fatal(err)
	}
	if got := h.send(ask{}); got.header.Get("X-Signalbox-Target") != "t0" || got.header.Get("X-Signalbox-Cost") != "" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if h.spent() != goodCost {
		t.Errorf("spent %d, want %d: an unpriced call has no cost", h.spent(), goodCost)
	}
}

// TestNewKeyUnderLoad changes the key, with 50 connections open, and looks at every request.
func TestNewKeyUnderLoad(t *testing.T) {
	const clients, rounds = 50, 40
	var valid atomic.Value
	valid.Store([]string{"Bearer " + providerKey, "Bearer new-key"})
	var usesNew atomic.Int64
	upstream := func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("Authorization")
		for _, each := range valid.Load().([]string) {
			if key == each {
				if key == "Bearer new-key" {
					usesNew.Add(1)
				}
				good(w, r)
				return
			}
		}
		answers(401, "application/json", "{}")(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{upstream}, withTable(budgeted))
	h.front.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = clients
	var attempts, failed atomic.Int64
	var group sync.WaitGroup
	halfway := make(chan struct{})
	for range clients {
		group.Go(func() {
			for i := range rounds {
				if attempts.Add(1) == clients*rounds/2 {
					close(halfway)
				}
				if got := h.send(ask{}); got.status != http.StatusOK {
					failed.Add(1)
					t.Errorf("round %d: %d %s", i, got.status, got.body)
				}
			}
		})
	}
	<-halfway
	rotated := *h.table
	rotated.Sequence, rotated.Credentials = 2, []table.Credential{h.table.Credentials[0]}
	rotated.Credentials[0].Keys = []table.Key{{Name: "primary", Value: "new-key"}}
	if err := h.server.Use(&rotated); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	if got := h.send(ask{}); got.status != http.StatusOK {
		t.Errorf("after the change: %d", got.status)
	}
	valid.Store([]string{"Bearer new-key"})
	if got := h.send(ask{}); got.status != http.StatusOK {
		t.Error("the old key is still used after the change")
	}
	t.Logf("%d attempts, %d failed, %d with the new key", attempts.Load(), failed.Load(), usesNew.Load())
	if want := int64(clients*rounds+2) * goodCost; h.spent() != want {
		t.Errorf("spent %d, want %d", h.spent(), want)
	}
}

// TestDeletedCredentialIsNotUsedByRequestsUnderWay: the first target fails after the second one's credential was deleted.
func TestDeletedCredentialIsNotUsedByRequestsUnderWay(t *testing.T) {
	asked, goOn := make(chan struct{}), make(chan struct{})
	first := func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-goOn
		answers(500, "application/json", "{}")(w, r)
	}
	var calls atomic.Int64
	h := newHarness(t, []http.HandlerFunc{first, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); good(w, r) }})
	answer := make(chan reply)
	go func() { answer <- h.send(ask{}) }()
	<-asked
	without := *h.table
	without.Credentials = h.table.Credentials[:1]
	if err := h.server.Use(&without); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	got := <-answer
	if calls.Load() != 0 || got.status != http.StatusBadGateway || !strings.Contains(got.body, "was deleted") {
		t.Errorf("%d %s, %d calls with the deleted key", got.status, got.body, calls.Load())
	}
}

// TestWhatIsSentCounts: a body and its rewritten copy for the provider are in memory at the same time.
func TestWhatIsSentCounts(t *testing.T) {
	for name, tc := range map[string]struct {
		bound  int64
		status int
	}{"room for both": {3 << 20, http.StatusOK}, "room for one": {3 << 19, http.StatusServiceUnavailable}} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			upstream := func(w http.ResponseWriter, r *http.Request) { calls.Add(1); good(w, r) }
			h := newHarness(t, []http.HandlerFunc{upstream}, withLimits(Limits{BufferedBytes: tc.bound}), withTable(budgeted))
			got := h.send(ask{body: goodBody + strings.Repeat(" ", 1<<20)})
			if served := tc.status == http.StatusOK; got.status != tc.status || (calls.Load() == 1) != served || (h.spent() > 0) != served {
				t.Errorf("%d %s, %d calls, spent %d", got.status, got.body, calls.Load(), h.spent())
			}
		})
	}
}

// TestBuffersComeBack counts what the buffers hold after requests of all kinds, large ones too.
func TestBuffersComeBack(t *testing.T) {
	large := strings.Replace(goodAnswer, "Hi", strings.Repeat("x", 300<<10), 1)
	padding := strings.Repeat(" ", 200<<10)
	cases := map[string]struct {
		upstream http.HandlerFunc
		body     string
		status   int
	}{
		"answer":        {answers(200, "application/json", large), goodBody + padding, 200},
		"stream":        {streams(": "+padding+"\n\n", goodStream), streamBody + padding, 200},
		"broken answer": {cuts(large[:len(large)/2]), goodBody + padding, 502},
		"broken stream": {cuts(tokenEvent), streamBody + padding, 200},
		"error":         {answers(400, "application/json", `{"error":{"message":"`+padding+`"}}`), goodBody + padding, 400},
		"bad request":   {good, padding, 400},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{tc.upstream})
			if got := h.send(ask{body: tc.body, id: "r"}); got.status != tc.status {
				t.Errorf("%d %.300s", got.status, got.body)
			}
			h.log.request(t, "r")
			h.front.Close()
			if held := h.server.buffers.held.Load(); held != 0 {
				t.Errorf("%d bytes are still held", held)
			}
		})
	}
}
