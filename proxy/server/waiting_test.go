package server

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// soonest makes all random times the shortest.
func soonest(o *Options, _ *table.Table) {
	lowest := func(int64) int64 { return 0 }
	o.Random, o.Health = lowest, health.NewRegistry(health.Options{Random: lowest})
}

// coolDown is how an attempt ends that the provider's rate limit refused.
func coolDown(d time.Duration) health.Outcome {
	return health.Outcome{Kind: table.RateLimited, RetryAfter: d, Limits: health.RateLimits{RequestsLeft: -1, TokensLeft: -1}}
}

// TestTheTotalEndsAWaitInTheQueue: the client is there, so it is told what happened.
func TestTheTotalEndsAWaitInTheQueue(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		good(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{slow}, limited(table.Limit{Per: table.PerRoute, Concurrency: 1, MaxWait: patience, MaxQueue: 1}))
	first := make(chan reply, 1)
	go func() { first <- h.send(ask{}) }()
	<-entered
	changed := *h.table
	changed.Routes = append([]table.Route{}, h.table.Routes...)
	changed.Routes[0].Total = 50 * time.Millisecond
	if err := h.server.Use(&changed); err != nil {
		t.Fatal(err)
	}
	got := h.send(ask{})
	if got.status != http.StatusGatewayTimeout || errorOf(t, got.body).Code != "upstream_timeout" {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
	close(leave)
	<-first
}

// TestARetryOutlastsTheCoolDown: a provider that said 429 without a time is left alone for a while, and a retry that comes before would be none.
func TestARetryOutlastsTheCoolDown(t *testing.T) {
	var calls, others atomic.Int64
	limitedOnce := func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			refuses(429, "", "slow down")(w, r)
			return
		}
		good(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{limitedOnce, counted(&others, good)}, soonest, policy(func(f *table.Fallback) {
		f.On, f.RetryOn, f.MaxRetries = nil, []table.FailureKind{table.RateLimited}, 1
	}))
	got := h.send(ask{})
	if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t0" || calls.Load() != 2 || others.Load() != 0 {
		t.Errorf("status %d by %q after %d calls and %d elsewhere\n%s", got.status, got.header.Get("X-Signalbox-Target"), calls.Load(), others.Load(), got.body)
	}
}

// TestARetryThatIsNotMadeMovesNothingOn: the policy keeps the failure at its target, also where the retry is too dear.
func TestARetryThatIsNotMadeMovesNothingOn(t *testing.T) {
	var others atomic.Int64
	h := newHarness(t, []http.HandlerFunc{cuts(), counted(&others, good)}, soonest,
		withTable(func(t *table.Table) {
			t.Routes[0].Targets[1].Prices = &table.Prices{Input: 1, CachedInput: 1, Output: 1}
		}),
		policy(func(f *table.Fallback) {
			f.On, f.RetryOn, f.MaxRetries = nil, []table.FailureKind{table.BrokenAnswer}, 1
			f.MaxCost = int64(len(goodBody))/promptBytesPerToken*1000 + 256*2000
		}))
	if got := h.send(ask{}); got.status != http.StatusBadGateway || others.Load() != 0 || got.header.Get("X-Signalbox-Attempts") != "1" {
		t.Errorf("status %d after %q attempts, %d elsewhere\n%s", got.status, got.header.Get("X-Signalbox-Attempts"), others.Load(), got.body)
	}
}

// TestTheSuccessorThatIsDownMovesNothingOn: the policy is about the model's withdrawal, whatever becomes of the successor.
func TestTheSuccessorThatIsDownMovesNothingOn(t *testing.T) {
	var others atomic.Int64
	registry := health.NewRegistry(health.Options{Random: func(int64) int64 { return 0 }})
	h := newHarness(t, []http.HandlerFunc{refuses(404, "model_not_found", "The model does not exist"), counted(&others, good)},
		withTable(func(t *table.Table) { t.Routes[0].Targets[0].Successor = "upstream-new" }), policy(func(f *table.Fallback) { f.On = nil }),
		func(o *Options, _ *table.Table) { o.Health = registry })
	now := time.Now()
	heir := registry.Upstream(health.Subject{Credential: "c0", Model: "upstream-new"})
	attempt, _ := heir.Begin(now, 1, false)
	attempt.End(now, coolDown(time.Hour))
	if got := h.send(ask{}); got.status != http.StatusNotFound || others.Load() != 0 {
		t.Errorf("status %d, %d calls elsewhere\n%s", got.status, others.Load(), got.body)
	}
}

func TestAClientThatLeavesBeforeTheRetry(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	answered := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "4")
		refuses(503, "", "busy")(w, r)
		cancel()
	}
	h := newHarness(t, []http.HandlerFunc{answered}, policy(func(f *table.Fallback) {
		f.RetryOn, f.MaxRetries = []table.FailureKind{table.Unavailable, table.Capacity}, 1
	}))
	if response, err := h.front.Client().Do(h.request(ctx, ask{id: "left"})); err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		t.Error("there was an answer")
	}
	if line := h.log.request(t, "left"); line["code"] != "client_closed" {
		t.Errorf("logged %v", line)
	}
}

// TestAttemptTimeoutOfWhatIsPassedOn: pictures and the like have no first token, so timeouts.attempt bounds the wait for their answer.
func TestAttemptTimeoutOfWhatIsPassedOn(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{silent, good}, withTable(func(t *table.Table) {
		t.Routes[0].Attempt, t.Routes[0].Total = 50*time.Millisecond, 5*time.Second
	}))
	got := h.send(ask{path: "/v1/moderations", body: `{"model":"chat","input":"hello"}`})
	if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t1" {
		t.Errorf("status %d by %q\n%s", got.status, got.header.Get("X-Signalbox-Target"), got.body)
	}
}

func TestRetryAfterInMilliseconds(t *testing.T) {
	later := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "60")
		refuses(429, "", "slow down")(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{later})
	if got := h.send(ask{}); got.header.Get("Retry-After") != "60" || got.header.Get("Retry-After-Ms") != "60000" {
		t.Errorf("Retry-After %q, in milliseconds %q", got.header.Get("Retry-After"), got.header.Get("Retry-After-Ms"))
	}
}

func TestWhatTheRouteRefusesIsNotCopied(t *testing.T) {
	var calls atomic.Int64
	h := newHarness(t, []http.HandlerFunc{good, counted(&calls, good)}, mirroring(func(*table.Mirror) {}),
		limited(table.Limit{Per: table.PerRoute, RequestsPerMinute: 1}))
	for range 5 {
		h.send(ask{})
	}
	if err := h.server.AwaitMirrors(t.Context()); err != nil {
		t.Fatal(err)
	}
	if calls.Load() != 1 {
		t.Errorf("%d copies of one call that was admitted", calls.Load())
	}
	if running := h.server.current.Load().routes; len(running) != 1 {
		t.Fatal("there is one route")
	}
	for _, entry := range h.server.current.Load().routes {
		if under := entry.mirror.state.running.Load(); under != 0 {
			t.Errorf("%d copies are taken to be under way", under)
		}
	}
}

// TestTargetsAreChosenAfterTheQueue: a target that came back while a call waited for its turn is there for it.
func TestTargetsAreChosenAfterTheQueue(t *testing.T) {
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	now := func() time.Time { return time.Unix(0, clock.Load()) }
	entered, leave := make(chan struct{}, 1), make(chan struct{})
	slow := func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-leave
		good(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{good, slow}, soonest, limited(table.Limit{Per: table.PerRoute, Concurrency: 1, MaxWait: patience, MaxQueue: 1}),
		func(o *Options, _ *table.Table) { o.Now = now })
	attempt, _ := h.server.health.Upstream(health.Subject{Credential: "c0", Model: "upstream-0"}).Begin(now(), 1, false)
	attempt.End(now(), coolDown(time.Second))
	replies := make(chan reply, 3)
	go func() { replies <- h.send(ask{}) }()
	<-entered
	for range 2 {
		go func() { replies <- h.send(ask{}) }()
	}
	// The queue has one place: once one of the two is refused the other one waits in it.
	if got := <-replies; got.status != http.StatusTooManyRequests {
		t.Fatalf("status %d\n%s", got.status, got.body)
	}
	clock.Add(int64(2 * time.Second))
	close(leave)
	targets := map[string]int{}
	for range 2 {
		got := <-replies
		targets[got.header.Get("X-Signalbox-Target")]++
	}
	if targets["t0"] != 1 || targets["t1"] != 1 {
		t.Errorf("answered by %v", targets)
	}
}
