package server

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// policy changes the fallback of the route.
func policy(change func(*table.Fallback)) setup {
	return withTable(func(t *table.Table) { change(&t.Routes[0].Fallback) })
}

// openAIError is an error body in OpenAI's shape.
func openAIError(code, message string) string {
	return `{"error":{"message":"` + message + `","type":"invalid_request_error","code":"` + code + `"}}`
}

func refuses(status int, code, message string) http.HandlerFunc {
	return answers(status, "application/json", openAIError(code, message))
}

// counted counts the calls of an upstream.
func counted(calls *atomic.Int64, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		next(w, r)
	}
}

func TestEachFailureFollowsThePolicy(t *testing.T) {
	broken := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	cases := map[string]struct {
		first http.HandlerFunc
		kind  table.FailureKind
		// stays is the status of the client's reply when the policy does not move the failure on.
		stays int
	}{
		"rate limit":            {refuses(429, "rate_limit_exceeded", "slow down"), table.RateLimited, 429},
		"quota":                 {refuses(429, "insufficient_quota", "You exceeded your current quota"), table.QuotaExhausted, 502},
		"payment":               {refuses(402, "", "pay"), table.QuotaExhausted, 502},
		"key":                   {refuses(401, "invalid_api_key", "no"), table.KeyRejected, 502},
		"server error":          {refuses(500, "", "oops"), table.Unavailable, 502},
		"capacity":              {refuses(498, "capacity_exceeded", "flex"), table.Capacity, 503},
		"gateway timeout":       {refuses(504, "", "late"), table.Timeout, 504},
		"model not found":       {refuses(404, "model_not_found", "The model does not exist"), table.ModelWithdrawn, 404},
		"model decommissioned":  {refuses(400, "model_decommissioned", "decommissioned"), table.ModelWithdrawn, 400},
		"broken connection":     {broken, table.BrokenAnswer, 502},
		"not JSON":              {answers(200, "text/html", "<html>"), table.BrokenAnswer, 502},
		"error inside a 200":    {answers(200, "application/json", `{"error":{"code":503,"message":"overloaded"}}`), table.Capacity, 503},
		"any other fault of it": {refuses(400, "", "what is this"), table.BadRequest, 400},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			only := func(kinds ...table.FailureKind) setup {
				return policy(func(f *table.Fallback) { f.On = kinds })
			}
			moved := newHarness(t, []http.HandlerFunc{tc.first, good}, only(tc.kind)).send(ask{})
			if moved.status != http.StatusOK || moved.header.Get("X-Signalbox-Target") != "t1" || moved.header.Get("X-Signalbox-Attempts") != "2" {
				t.Errorf("with the kind in the policy: status %d by %q after %q attempts\n%s",
					moved.status, moved.header.Get("X-Signalbox-Target"), moved.header.Get("X-Signalbox-Attempts"), moved.body)
			}
			var others []table.FailureKind
			for _, kind := range append(movingOn(), table.BadRequest) {
				if kind != tc.kind {
					others = append(others, kind)
				}
			}
			stayed := newHarness(t, []http.HandlerFunc{tc.first, good}, only(others...)).send(ask{})
			if stayed.status != tc.stays || stayed.header.Get("X-Signalbox-Attempts") != "1" {
				t.Errorf("without the kind in the policy: status %d after %q attempts, want %d after 1\n%s",
					stayed.status, stayed.header.Get("X-Signalbox-Attempts"), tc.stays, stayed.body)
			}
		})
	}
}

func TestContextTooLongGoesToALargerContextOnly(t *testing.T) {
	tooLong := refuses(400, "context_length_exceeded", "This model's maximum context length is 10 tokens")
	var small, named atomic.Int64
	h := newHarness(t, []http.HandlerFunc{tooLong, counted(&small, good), counted(&named, good)}, withTable(func(t *table.Table) {
		targets := t.Routes[0].Targets
		targets[0].Declared.ContextTokens, targets[1].Declared.ContextTokens = 100_000, 50_000
		targets[2].OnlyFor = []table.FailureKind{table.ContextTooLong}
	}))
	if got := h.send(ask{}); got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t2" {
		t.Errorf("status %d by %q\n%s", got.status, got.header.Get("X-Signalbox-Target"), got.body)
	}
	if small.Load() != 0 || named.Load() != 1 {
		t.Errorf("the smaller context was tried %d times, the target for it %d times", small.Load(), named.Load())
	}
}

func TestATargetNamedForAFailureGetsNoOtherCall(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{refuses(500, "", "oops"), good}, withTable(func(t *table.Table) {
		t.Routes[0].Targets[1].OnlyFor = []table.FailureKind{table.ContentFiltered}
	}))
	if got := h.send(ask{}); got.status != http.StatusBadGateway || got.header.Get("X-Signalbox-Attempts") != "1" {
		t.Errorf("status %d after %q attempts\n%s", got.status, got.header.Get("X-Signalbox-Attempts"), got.body)
	}
}

func TestSuccessorTakesOverInTheSameCall(t *testing.T) {
	var asked atomic.Pointer[[]string]
	asked.Store(&[]string{})
	upstream := func(w http.ResponseWriter, r *http.Request) {
		var body strings.Builder
		buffer := make([]byte, 4096)
		n, _ := r.Body.Read(buffer)
		body.Write(buffer[:n])
		seen := append([]string{}, *asked.Load()...)
		switch {
		case strings.Contains(body.String(), `"upstream-0"`):
			seen = append(seen, "old")
			asked.Store(&seen)
			refuses(400, "model_decommissioned", "The model has been decommissioned")(w, r)
		default:
			seen = append(seen, "new")
			asked.Store(&seen)
			good(w, r)
		}
	}
	h := newHarness(t, []http.HandlerFunc{upstream}, withTable(func(t *table.Table) { t.Routes[0].Targets[0].Successor = "upstream-new" }))
	for i := range 2 {
		if got := h.send(ask{}); got.status != http.StatusOK {
			t.Fatalf("call %d: status %d\n%s", i, got.status, got.body)
		}
	}
	if got := strings.Join(*asked.Load(), " "); got != "old new new" {
		t.Errorf("the provider was asked for %q", got)
	}
	if told := h.server.Targets(time.Now()); len(told) != 1 || told[0].Successor != "upstream-new" {
		t.Errorf("what is told of the targets: %+v", told)
	}
}

func TestRetriesTheLastTarget(t *testing.T) {
	var calls atomic.Int64
	flaky := func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.Header().Set("Retry-After-Ms", "1")
			refuses(503, "", "busy")(w, r)
			return
		}
		good(w, r)
	}
	retrying := policy(func(f *table.Fallback) {
		f.RetryOn, f.MaxRetries = []table.FailureKind{table.Capacity, table.Unavailable}, 1
	})
	got := newHarness(t, []http.HandlerFunc{flaky}, retrying).send(ask{id: "retried"})
	if got.status != http.StatusOK || calls.Load() != 2 || got.header.Get("X-Signalbox-Attempts") != "2" {
		t.Errorf("status %d after %d calls\n%s", got.status, calls.Load(), got.body)
	}
}

func TestNoRetryBeyondThePolicy(t *testing.T) {
	cases := map[string]struct {
		retryAfter string
		policy     func(*table.Fallback)
		want       int64
	}{
		"turned off":            {"", func(f *table.Fallback) { f.RetryOn, f.MaxRetries = nil, 1 }, 1},
		"none allowed":          {"", func(f *table.Fallback) { f.RetryOn, f.MaxRetries = []table.FailureKind{table.RateLimited}, 0 }, 1},
		"the provider is later": {"60", func(f *table.Fallback) { f.RetryOn, f.MaxRetries = []table.FailureKind{table.RateLimited}, 3 }, 1},
		"attempts are used up": {"", func(f *table.Fallback) {
			f.RetryOn, f.MaxRetries, f.MaxAttempts = []table.FailureKind{table.RateLimited}, 3, 1
		}, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			limited := func(w http.ResponseWriter, r *http.Request) {
				if tc.retryAfter != "" {
					w.Header().Set("Retry-After", tc.retryAfter)
				}
				refuses(429, "", "slow down")(w, r)
			}
			got := newHarness(t, []http.HandlerFunc{counted(&calls, limited)}, policy(tc.policy)).send(ask{})
			if got.status != http.StatusTooManyRequests || calls.Load() != tc.want {
				t.Errorf("status %d after %d calls, want 429 after %d", got.status, calls.Load(), tc.want)
			}
			if got.header.Get("Retry-After") != tc.retryAfter {
				t.Errorf("Retry-After %q, want %q", got.header.Get("Retry-After"), tc.retryAfter)
			}
		})
	}
}

func TestMaxAttempts(t *testing.T) {
	var last atomic.Int64
	fails := refuses(500, "", "oops")
	h := newHarness(t, []http.HandlerFunc{fails, fails, counted(&last, good)}, policy(func(f *table.Fallback) { f.MaxAttempts = 2 }))
	if got := h.send(ask{}); got.status != http.StatusBadGateway || last.Load() != 0 {
		t.Errorf("status %d, the third target was called %d times", got.status, last.Load())
	}
}

func TestMaxCostBoundsTheChain(t *testing.T) {
	dear := func(t *table.Table) {
		t.Routes[0].Targets[1].Prices = &table.Prices{Input: 1e15, CachedInput: 1e15, Output: 1e15}
	}
	h := newHarness(t, []http.HandlerFunc{refuses(500, "", "oops"), good},
		withTable(dear), policy(func(f *table.Fallback) { f.MaxCost = 10_000_000 }))
	got := h.send(ask{})
	if got.status != http.StatusBadGateway || got.header.Get("X-Signalbox-Attempts") != "1" {
		t.Errorf("status %d after %q attempts\n%s", got.status, got.header.Get("X-Signalbox-Attempts"), got.body)
	}
}

func TestAttemptTimeoutMovesOn(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{silent, good}, withTable(func(t *table.Table) { t.Routes[0].Attempt = 50 * time.Millisecond }))
	if got := h.send(ask{}); got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t1" {
		t.Errorf("status %d by %q\n%s", got.status, got.header.Get("X-Signalbox-Target"), got.body)
	}
}

func TestCircuitKeepsCallsAway(t *testing.T) {
	var calls atomic.Int64
	h := newHarness(t, []http.HandlerFunc{counted(&calls, refuses(500, "", "oops")), good})
	const sent = 20
	for range sent {
		if got := h.send(ask{}); got.status != http.StatusOK {
			t.Fatalf("status %d\n%s", got.status, got.body)
		}
	}
	if n := calls.Load(); n >= sent/2 {
		t.Errorf("the target that fails was called %d times in %d calls", n, sent)
	}
}

func TestTotalOutageAnswersWithReasons(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{refuses(500, "", "oops")})
	var got reply
	for range 20 {
		if got = h.send(ask{}); errorOf(t, got.body).Code == "no_eligible_target" {
			break
		}
	}
	failure := errorOf(t, got.body)
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || len(failure.Metadata.Targets) != 1 ||
		!strings.Contains(failure.Message, "circuit") {
		t.Errorf("status %d, Retry-After %q\n%s", got.status, got.header.Get("Retry-After"), got.body)
	}
}

// TestSuccessorServesWhileAWithdrawnModelIsTried: one call at a time finds out whether the model is back, the others must not wait for it.
func TestSuccessorServesWhileAWithdrawnModelIsTried(t *testing.T) {
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	trying, done := make(chan struct{}), make(chan struct{})
	var olds atomic.Int64
	upstream := func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(sent), `"upstream-0"`) {
			good(w, r)
			return
		}
		if olds.Add(1) > 1 {
			trying <- struct{}{}
			<-done
		}
		refuses(404, "model_not_found", "The model does not exist")(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{upstream},
		withTable(func(t *table.Table) { t.Routes[0].Targets[0].Successor = "upstream-new" }),
		func(o *Options, _ *table.Table) { o.Now = func() time.Time { return time.Unix(0, clock.Load()) } })
	if got := h.send(ask{}); got.status != http.StatusOK {
		t.Fatalf("status %d\n%s", got.status, got.body)
	}
	clock.Add(int64(2 * time.Minute))
	first := make(chan reply)
	go func() { first <- h.send(ask{}) }()
	<-trying
	for range 3 {
		if got := h.send(ask{}); got.status != http.StatusOK || got.header.Get("X-Signalbox-Attempts") != "1" {
			t.Errorf("meanwhile: status %d after %q attempts\n%s", got.status, got.header.Get("X-Signalbox-Attempts"), got.body)
		}
	}
	close(done)
	if got := <-first; got.status != http.StatusOK || got.header.Get("X-Signalbox-Attempts") != "2" {
		t.Errorf("the call that tried: status %d\n%s", got.status, got.body)
	}
}

func TestErrorsInsideAnswersAndAnswersThatAreNone(t *testing.T) {
	asked := `{"error":{"message":"bad","type":"invalid_request_error","code":"context_length_exceeded"}}`
	cases := map[string]struct {
		first  http.HandlerFunc
		body   string
		alone  int // status without another target
		backup int // status with one
	}{
		"the request's fault":           {answers(200, "application/json", asked), goodBody, 400, 400},
		"the request's, streamed":       {streams("data: " + asked + "\n\n"), streamBody, 400, 400},
		"nothing of an answer":          {answers(200, "application/json", `{"detail":"bad gateway"}`), goodBody, 502, 200},
		"a stream of its end alone":     {streams(doneEvent), streamBody, 502, 200},
		"a page in place of the API":    {answers(404, "text/html", "<html>nginx</html>"), goodBody, 502, 200},
		"a gateway with nothing behind": {answers(404, "text/plain", "default backend - 404"), goodBody, 502, 200},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			second := good
			if tc.body == streamBody {
				second = streams(goodStream)
			}
			if got := newHarness(t, []http.HandlerFunc{tc.first}).send(ask{body: tc.body}); got.status != tc.alone {
				t.Errorf("alone: status %d, want %d\n%s", got.status, tc.alone, got.body)
			}
			if got := newHarness(t, []http.HandlerFunc{tc.first, second}).send(ask{body: tc.body}); got.status != tc.backup {
				t.Errorf("with another target: status %d, want %d\n%s", got.status, tc.backup, got.body)
			}
		})
	}
}

// TestAttemptsAreCountedByRoute: a route that allows one attempt does not keep the client's other models from having theirs.
func TestAttemptsAreCountedByRoute(t *testing.T) {
	var spare atomic.Int64
	h := newHarness(t, []http.HandlerFunc{refuses(500, "", "oops"), counted(&spare, good), good}, policy(func(f *table.Fallback) { f.MaxAttempts = 1 }), withTable(second))
	got := h.send(ask{body: body(`"model":"chat","models":["second"]`)})
	if got.status != http.StatusOK || got.header.Get("X-Signalbox-Route") != "second-route" || spare.Load() != 0 {
		t.Errorf("status %d by %q, the first route's other target was called %d times\n%s", got.status, got.header.Get("X-Signalbox-Route"), spare.Load(), got.body)
	}
}

func TestGeminiPathsTakeTheSameWishes(t *testing.T) {
	contents := `{"contents":[{"parts":[{"text":"hi"}]}],`
	cases := map[string]struct {
		path, body string
		status     int
		target     string
	}{
		"only":             {"/v1beta/models/chat:generateContent", contents + `"provider":{"only":["t1"]}}`, 200, "t1"},
		"data collection":  {"/v1beta/models/chat:generateContent", contents + `"provider":{"data_collection":"deny"}}`, 400, ""},
		"an unknown wish":  {"/v1beta/models/chat:generateContent", contents + `"provider":{"colour":1}}`, 400, ""},
		"models":           {"/v1beta/models/nobody:generateContent", contents + `"models":["chat"]}`, 200, "t0"},
		"commas in a path": {"/v1beta/models/nobody,chat:generateContent", contents + `"models":["other"]}`, 200, "t0"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := newHarness(t, []http.HandlerFunc{good, good}).send(ask{path: tc.path, body: tc.body})
			if got.status != tc.status || tc.target != "" && got.header.Get("X-Signalbox-Target") != tc.target {
				t.Errorf("status %d by %q, want %d by %q\n%s", got.status, got.header.Get("X-Signalbox-Target"), tc.status, tc.target, got.body)
			}
		})
	}
}
