package traffic

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/window"
)

// upstreams is a registry that a test makes attempts with, from noon on.
type upstreams struct {
	*health.Registry
	now time.Time
}

func newUpstreams() *upstreams {
	return &upstreams{health.NewRegistry(health.Options{Random: func(int64) int64 { return 0 }}), time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)}
}

func (u *upstreams) attempt(key, model string, outcome health.Outcome) {
	attempt, _ := u.Upstream(health.Subject{Credential: "groq", Key: key, Model: model}).Begin(u.now, 1, true)
	if outcome.Limits == (health.RateLimits{}) {
		outcome.Limits = health.RateLimits{RequestsLeft: -1, TokensLeft: -1}
	}
	attempt.End(u.now, outcome)
}

func limited(after time.Duration) health.Outcome {
	return health.Outcome{Kind: table.RateLimited, RetryAfter: after}
}

// TestDescribeAll: a key is left alone when all of its models are that were called, and for a reason that is a matter of the key.
func TestDescribeAll(t *testing.T) {
	stream := health.Outcome{Stream: true, FirstToken: 100 * time.Millisecond, Duration: 2100 * time.Millisecond, Completion: 100}
	cases := map[string]struct {
		calls func(*upstreams)
		keys  []Key
		count window.Counts
	}{
		"good calls":    {calls: func(u *upstreams) { u.attempt("a", "m", stream) }, keys: []Key{{Fingerprint: "a"}}, count: window.Counts{1}},
		"neutral calls": {calls: func(u *upstreams) { u.attempt("a", "m", health.Outcome{Neutral: true}) }},
		"a limited model of two": {
			calls: func(u *upstreams) { u.attempt("a", "m", limited(time.Minute)); u.attempt("a", "n", stream) },
			keys:  []Key{{Fingerprint: "a"}}, count: window.Counts{window.Answered: 1, window.Limited: 1},
		},
		"all models that are called are limited": {
			calls: func(u *upstreams) {
				u.attempt("a", "m", limited(time.Minute))
				u.attempt("a", "n", limited(20*time.Second))
				u.Upstream(health.Subject{Credential: "groq", Key: "a", Model: "idle"})
			},
			keys: []Key{{Fingerprint: "a", Block: CoolingDown, Seconds: 20}}, count: window.Counts{window.Limited: 2},
		},
		"a refused key of two": {
			calls: func(u *upstreams) {
				u.attempt("a", "m", health.Outcome{Kind: table.KeyRejected})
				u.attempt("b", "m", stream)
			},
			keys: []Key{{Fingerprint: "a", Block: KeyRefused, Seconds: 5}, {Fingerprint: "b"}}, count: window.Counts{window.Answered: 1, window.Refused: 1},
		},
		"no credit": {
			calls: func(u *upstreams) { u.attempt("a", "m", health.Outcome{Kind: table.QuotaExhausted}) },
			keys:  []Key{{Fingerprint: "a", Block: NoQuota, Seconds: 15}}, count: window.Counts{window.Exhausted: 1},
		},
		"the time of a limit is over": {
			calls: func(u *upstreams) { u.attempt("a", "m", limited(time.Second)); u.now = u.now.Add(2 * time.Second) },
			keys:  []Key{{Fingerprint: "a", Block: CoolingDown}}, count: window.Counts{window.Limited: 1},
		},
		"and nobody tried for long": {
			calls: func(u *upstreams) { u.attempt("a", "m", limited(time.Second)); u.now = u.now.Add(keyTryingRecent + 1) },
			count: window.Counts{window.Limited: 1},
		},
		"an open circuit is no matter of the key": {
			calls: func(u *upstreams) {
				for range 5 {
					u.attempt("a", "m", health.Outcome{Kind: table.Unavailable})
				}
			},
			keys: []Key{{Fingerprint: "a"}}, count: window.Counts{window.Failed: 5},
		},
		"what is left of the tightest limit": {
			calls: func(u *upstreams) {
				u.attempt("a", "m", health.Outcome{Limits: health.RateLimits{RequestsLeft: 9, RequestsReset: time.Hour, TokensLeft: -1}})
				u.attempt("a", "n", health.Outcome{Limits: health.RateLimits{RequestsLeft: 4, RequestsReset: time.Minute, TokensLeft: 70, TokensReset: time.Minute}})
			},
			keys: []Key{{Fingerprint: "a", Requests: new(int64(4)), Tokens: new(int64(70)), ResetSeconds: 3600}}, count: window.Counts{window.Answered: 2},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			u := newUpstreams()
			tc.calls(u)
			got := DescribeAll(u.Upstreams(), u.now)
			if tc.keys == nil && tc.count == (window.Counts{}) {
				if len(got) > 0 {
					t.Fatalf("told: %+v", got)
				}
				return
			}
			if diff := cmp.Diff(tc.keys, got[0].Keys); diff != "" || got[0].Name != "groq" || got[0].Minute != tc.count {
				t.Errorf("%s, calls %v; keys (-want +got):\n%s", got[0].Name, got[0].Minute, diff)
			}
		})
	}
}

// TestFirstTokensAreToldBeforeTheEnd: an answer can take minutes, and that it was slow to begin is to be known before.
func TestFirstTokensAreToldBeforeTheEnd(t *testing.T) {
	u := newUpstreams()
	attempt, _ := u.Upstream(health.Subject{Credential: "groq", Key: "a", Model: "m"}).Begin(u.now, 1, false)
	attempt.FirstToken(u.now.Add(400 * time.Millisecond))
	attempt.FirstToken(u.now.Add(time.Second))
	read := func() (r window.Reading) {
		for _, upstream := range u.Upstreams() {
			upstream.AddMinute(u.now, &r)
		}
		return r
	}
	before := read()
	attempt.End(u.now, health.Outcome{Stream: true, FirstToken: 400 * time.Millisecond, Duration: time.Second})
	after := read()
	if median, _ := before.BriefFirstToken.Quantile(500); before.FirstToken.Count() != 1 || median < 384 || median > 416 {
		t.Errorf("before the end %d times, %d ms", before.FirstToken.Count(), median)
	}
	if after.FirstToken.Count() != 1 {
		t.Errorf("after the end %d times", after.FirstToken.Count())
	}
	timeout := newUpstreams()
	timeout.attempt("a", "m", health.Outcome{Kind: table.FirstTokenTimeout, Stream: true, Duration: 30 * time.Second})
	if got := DescribeAll(timeout.Upstreams(), timeout.now); got[0].BriefFirstToken == nil {
		t.Error("a timeout is no slow stream")
	}
}

func TestBoundedCredentialsPrefersTroubleThenTraffic(t *testing.T) {
	var all []Credential
	for i := range MaxCredentials + 10 {
		all = append(all, Credential{Name: fmt.Sprintf("c%04d", i), Minute: window.Counts{int64(i)}})
	}
	all[3].Keys = []Key{{Block: NoQuota}}
	kept := BoundedCredentials(all)
	if len(kept) != MaxCredentials || kept[0].Name != "c0003" || kept[1].Name != "c0509" {
		t.Errorf("%d credentials, first %s and %s", len(kept), kept[0].Name, kept[1].Name)
	}
}

// TestWhoseFaultAnEndingIs: what is wrong with a request, or was given up by the client, never counts against the provider; what it limits is no failure.
func TestWhoseFaultAnEndingIs(t *testing.T) {
	cases := map[table.FailureKind]window.Counts{
		table.None: {window.Answered: 1}, table.BadRequest: {window.Answered: 1}, table.ContextTooLong: {window.Answered: 1}, table.ContentFiltered: {window.Answered: 1},
		table.ModelWithdrawn: {window.Answered: 1}, table.Unreachable: {window.Unreachable: 1}, table.Unavailable: {window.Failed: 1}, table.Capacity: {window.Failed: 1},
		table.BrokenAnswer: {window.Failed: 1}, table.Stalled: {window.Failed: 1}, table.Timeout: {window.TimedOut: 1}, table.FirstTokenTimeout: {window.TimedOut: 1},
		table.RateLimited: {window.Limited: 1}, table.QuotaExhausted: {window.Exhausted: 1}, table.KeyRejected: {window.Refused: 1},
	}
	for kind, want := range cases {
		for _, neutral := range []bool{false, true} {
			u := newUpstreams()
			u.attempt("a", "m", health.Outcome{Kind: kind, Neutral: neutral})
			var got window.Counts
			for _, told := range DescribeAll(u.Upstreams(), u.now) {
				got = told.Minute
			}
			if neutral && got != (window.Counts{}) || !neutral && got != want {
				t.Errorf("%v, neutral %t: %v, want %v", kind, neutral, got, want)
			}
		}
	}
}
