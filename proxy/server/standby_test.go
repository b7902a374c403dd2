package server

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const bystanders = 12

// standingBy counts the calls that stand by at this moment, over the whole process.
func standingBy() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*trial).await(")
}

// lone is a route with one target and one key, of which the provider has refused so many calls that single ones find out whether it is back.
type lone struct {
	*harness
	provider *keyed
}

// standbyCases are what can be the matter with the only target, with how often it takes that and how long it is left alone.
var standbyCases = map[string]struct {
	refusal http.HandlerFunc
	times   int
	wait    time.Duration
}{
	"rate limit":  {refusal: refusesFor("1", http.StatusTooManyRequests), times: 1, wait: time.Second},
	"circuit":     {refusal: refuses(http.StatusInternalServerError, "", "oops"), times: 5, wait: 5 * time.Second},
	"key refused": {refusal: refusesKey, times: 1, wait: time.Second},
}

func refusesFor(retryAfter string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", retryAfter)
		refuses(status, "", "busy")(w, r)
	}
}

func newLone(t *testing.T, refusal http.HandlerFunc, times int, wait time.Duration) lone {
	clock := newFakeClock()
	k := newKeyed(map[string]http.HandlerFunc{"a": refusal})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a")), policy(alone), clock.set)
	for range times {
		if got := h.send(ask{}); got.status == http.StatusOK {
			t.Fatal("it was not refused")
		}
	}
	clock.advance(wait)
	k.take()
	return lone{harness: h, provider: k}
}

// sendMany sends a call to the provider, and all others when it is there. It returns the status of the first one, and those of the others, counted.
func (l lone) sendMany(t *testing.T, arrived <-chan struct{}) (first int, others map[int]int) {
	var mu sync.Mutex
	others = map[int]int{}
	var calls sync.WaitGroup
	calls.Go(func() { first = l.send(ask{}).status })
	<-arrived
	for range bystanders {
		calls.Go(func() {
			got := l.send(ask{})
			mu.Lock()
			defer mu.Unlock()
			others[got.status]++
			if got.status != http.StatusOK && got.header.Get("Retry-After") == "" {
				t.Errorf("status %d without Retry-After\n%s", got.status, got.body)
			}
		})
	}
	calls.Wait()
	return first, others
}

// gate holds the first call until so many others stand by, and answers it as it should then; later calls are answered well.
func gate(arrived chan<- struct{}, first http.HandlerFunc) http.HandlerFunc {
	var calls atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) > 1 {
			good(w, r)
			return
		}
		close(arrived)
		for standingBy() < bystanders && r.Context().Err() == nil {
			runtime.Gosched()
		}
		first(w, r)
	}
}

// TestOthersStandByAtTheOnlyTarget: while one call finds out whether it is back the others wait, and are answered when it is.
func TestOthersStandByAtTheOnlyTarget(t *testing.T) {
	for name, tc := range standbyCases {
		t.Run(name, func(t *testing.T) {
			l := newLone(t, tc.refusal, tc.times, tc.wait)
			arrived := make(chan struct{})
			l.provider.set("a", gate(arrived, good))
			first, others := l.sendMany(t, arrived)
			if first != http.StatusOK || others[http.StatusOK] != bystanders {
				t.Errorf("status %d, the others' %v", first, others)
			}
			checkCalls(t, "all", l.provider, count("a", bystanders+1))
		})
	}
}

// TestOthersStandByInVain: what the one call finds out counts for those who wait, and the provider is not asked again.
func TestOthersStandByInVain(t *testing.T) {
	for name, tc := range standbyCases {
		t.Run(name, func(t *testing.T) {
			l := newLone(t, tc.refusal, tc.times, tc.wait)
			arrived := make(chan struct{})
			l.provider.set("a", gate(arrived, tc.refusal))
			first, others := l.sendMany(t, arrived)
			if first == http.StatusOK || others[http.StatusServiceUnavailable] != bystanders {
				t.Errorf("status %d, the others' %v", first, others)
			}
			checkCalls(t, "all", l.provider, count("a", 1))
		})
	}
}

// TestAnotherTakesThePlace of a call whose client leaves before it is known whether the target is back.
func TestAnotherTakesThePlace(t *testing.T) {
	tc := standbyCases["circuit"]
	l := newLone(t, tc.refusal, tc.times, tc.wait)
	ctx, leave := context.WithCancel(t.Context())
	arrived := make(chan struct{})
	l.provider.set("a", gate(arrived, func(w http.ResponseWriter, r *http.Request) {
		leave()
		silent(w, r)
	}))
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if response, err := l.front.Client().Do(l.request(ctx, ask{})); err == nil {
			_ = response.Body.Close()
			t.Error("there was an answer")
		}
	}()
	<-arrived
	var calls sync.WaitGroup
	var answered atomic.Int64
	for range bystanders {
		calls.Go(func() {
			if l.send(ask{}).status == http.StatusOK {
				answered.Add(1)
			}
		})
	}
	calls.Wait()
	<-gone
	if answered.Load() != bystanders {
		t.Errorf("%d of %d were answered", answered.Load(), bystanders)
	}
}

// TestALongAnswerKeepsNobodyOut: a rate limit whose time is over, and whose first call is not refused at once, lets those in who have waited. One such answer lets
// everybody in.
func TestALongAnswerKeepsNobodyOut(t *testing.T) {
	tc := standbyCases["rate limit"]
	l := newLone(t, tc.refusal, tc.times, tc.wait)
	arrived, ended := make(chan struct{}), make(chan struct{})
	var calls, beside atomic.Int64
	l.provider.set("a", func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			close(arrived)
			select {
			case <-ended:
			case <-r.Context().Done():
			}
		} else if beside.Add(1) == bystanders {
			close(ended)
		}
		good(w, r)
	})
	first, others := l.sendMany(t, arrived)
	if first != http.StatusOK || others[http.StatusOK] != bystanders {
		t.Errorf("status %d, the others' %v", first, others)
	}
}

// TestALongTryOfACircuit keeps others out for as long as they have patience only, and tells them why.
func TestALongTryOfACircuit(t *testing.T) {
	tc := standbyCases["circuit"]
	l := newLone(t, tc.refusal, tc.times, tc.wait)
	arrived, ended := make(chan struct{}), make(chan struct{})
	l.provider.set("a", func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-ended:
		case <-r.Context().Done():
		}
		good(w, r)
	})
	var first sync.WaitGroup
	first.Go(func() { l.send(ask{}) })
	<-arrived
	got := l.send(ask{})
	close(ended)
	first.Wait()
	if got.status != http.StatusServiceUnavailable || !strings.Contains(string(got.body), "another call is finding out") {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
}

// TestShortRateLimitsAreWaitedFor where nothing else is left; longer ones are told at once, with the time to come back.
func TestShortRateLimitsAreWaitedFor(t *testing.T) {
	cases := map[string]struct {
		retryAfter, told string
		status, calls    int
	}{
		"short":           {retryAfter: "0.05", status: http.StatusOK, calls: 2},
		"hardly any time": {retryAfter: "0.000001", status: http.StatusOK, calls: 2},
		"long":            {retryAfter: "60", told: "60", status: http.StatusServiceUnavailable, calls: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			k := newKeyed(map[string]http.HandlerFunc{"a": refusesFor(tc.retryAfter, http.StatusTooManyRequests)})
			h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a")), policy(alone))
			if got := h.send(ask{}); got.status != http.StatusTooManyRequests {
				t.Fatalf("status %d\n%s", got.status, got.body)
			}
			k.set("a", good)
			got := h.send(ask{})
			if got.status != tc.status || got.header.Get("Retry-After") != tc.told {
				t.Errorf("status %d, Retry-After %q\n%s", got.status, got.header.Get("Retry-After"), got.body)
			}
			checkCalls(t, "both", k, count("a", tc.calls))
		})
	}
}
