package fleet

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/utils/ptr"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/traffic"
	"signalbox.dev/signalbox/proxy/window"
)

// tell has a pod say something of credentials.
func (s *stream) tell(credentials ...traffic.Credential) {
	s.handle(control.Report{PodUID: "uid-1", Sequence: 5, Stats: control.Stats{Credentials: credentials}})
}

// groq is what a pod says of the credential of that name.
func groq(keys ...traffic.Key) traffic.Credential {
	calls := window.Counts{window.Answered: 10}
	return traffic.Credential{Name: "groq", Brief: calls, Short: calls, Minute: calls, Keys: keys}
}

func TestCredentialsAddUp(t *testing.T) {
	w := newWorld(t)
	one, two, three := w.start(t, "one"), w.start(t, "two"), w.start(t, "three")
	first := groq(
		traffic.Key{Fingerprint: "b", Block: traffic.KeyRefused, Seconds: 10},
		traffic.Key{Fingerprint: "a", Requests: ptr.To[int64](10), Tokens: ptr.To[int64](900), ResetSeconds: 60},
	)
	first.FirstToken, first.Rate = packed(100, 30), packed(50, 30)
	second := groq(traffic.Key{Fingerprint: "a", Block: traffic.CoolingDown, Seconds: 30, Requests: ptr.To[int64](4), ResetSeconds: 90})
	second.Short, second.FirstToken, second.BriefFirstToken = window.Counts{window.TimedOut: 3}, packed(500, 10), packed(500, 1)
	first.Waiting, second.Waiting = 2, 3
	one.tell(first)
	two.tell(second, traffic.Credential{Name: "other"})
	three.tell()
	got := w.Credential("team-a", "groq")
	want := []Key{
		{Fingerprint: "a", Proxies: 2, Limited: 1, Requests: 4, Tokens: 900, Reset: w.clock.Now().Add(90 * time.Second)},
		{Fingerprint: "b", Proxies: 1, Refused: 1, Requests: Unknown, Tokens: Unknown},
	}
	if diff := cmp.Diff(want, got.Keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if got.Waiting != 5 {
		t.Errorf("%d calls wait", got.Waiting)
	}
	if got.Proxies != 2 || got.Brief != (window.Counts{20}) || got.Short != (window.Counts{window.Answered: 10, window.TimedOut: 3}) || got.BriefFirstToken.Count() != 1 {
		t.Errorf("%d proxies, calls %v %v", got.Proxies, got.Brief, got.Short)
	}
	if diff := cmp.Diff(Figures{0, 100, 48, 494}, got.Figures()); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if !w.Refused("team-a", "groq", "b") || w.Refused("team-a", "groq", "a") || w.Refused("team-b", "groq", "b") || w.Refused("team-a", "groq", "c") {
		t.Error("a key is said to be refused that is not, or the other way round")
	}
}

func TestCredentialsOfReadyPodsOnly(t *testing.T) {
	w := newWorld(t)
	one := w.start(t, "one")
	one.tell(groq())
	w.observe(podName("one"), observation{uid: "uid-1", addr: "10.0.0.1:8443"})
	if got := w.Credential("team-a", "groq"); got.Proxies != 0 {
		t.Errorf("%d proxies", got.Proxies)
	}
}

func TestFleetForgetsWhatASilentPodSaidOfCredentials(t *testing.T) {
	w := newWorld(t)
	one := w.start(t, "one")
	one.tell(groq())
	one.broken <- errors.New("reset")
	w.reconnect(t).broken <- errors.New("refused")
	w.advance(t)
	receive(t, w.streams)
	if got := w.Credential("team-a", "groq"); got.Proxies != 0 {
		t.Errorf("%d proxies", got.Proxies)
	}
}

// TestKeyBlocksLast: a key that is left alone for a second now and then is not one that cannot be used.
func TestKeyBlocksLast(t *testing.T) {
	limited := func(seconds int64) traffic.Key {
		return traffic.Key{Fingerprint: "a", Block: traffic.CoolingDown, Seconds: seconds}
	}
	cases := map[string]struct {
		said  []traffic.Key // one a second; the zero key is none
		count int
	}{
		"for long":               {said: []traffic.Key{limited(30)}, count: 1},
		"for a second":           {said: []traffic.Key{limited(1)}},
		"again and again":        {said: []traffic.Key{limited(1), limited(0), limited(1), limited(1), limited(0), limited(1)}, count: 1},
		"with calls in between":  {said: []traffic.Key{limited(1), limited(1), {}, limited(1), limited(1), limited(1)}},
		"long, and soon over":    {said: []traffic.Key{limited(5), limited(1), limited(0)}, count: 1},
		"a word of a later time": {said: []traffic.Key{{Fingerprint: "a", Block: "Sulking", Seconds: 9}}, count: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var said accounts
			now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
			for _, key := range tc.said {
				credential := groq()
				if key != (traffic.Key{}) {
					credential.Keys = []traffic.Key{key}
				}
				said = newAccounts([]traffic.Credential{credential}, said, now)
				now = now.Add(time.Second)
			}
			var merged Credential
			one := said["groq"]
			merged.add(&one, now.Add(-time.Second))
			if key, _ := merged.Key("a"); key.Limited != tc.count {
				t.Errorf("%d proxies leave it alone, want %d", key.Limited, tc.count)
			}
		})
	}
}

func TestCredentialsAreBounded(t *testing.T) {
	hostile := groq()
	hostile.Waiting = math.MaxInt64
	hostile.Minute = window.Counts{math.MaxInt64, math.MinInt64}
	hostile.FirstToken = window.Packed("no sketch")
	for i := range 2 * traffic.MaxKeys {
		hostile.Keys = append(hostile.Keys, traffic.Key{
			Fingerprint: fmt.Sprint(i), Block: traffic.NoQuota, Seconds: math.MaxInt64, Requests: ptr.To[int64](math.MinInt64), Tokens: ptr.To[int64](math.MaxInt64),
			ResetSeconds: math.MaxInt64,
		})
	}
	all := []traffic.Credential{hostile}
	for i := range 2 * traffic.MaxCredentials {
		all = append(all, traffic.Credential{Name: fmt.Sprint(i)})
	}
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	said := newAccounts(all, nil, now)
	if len(said) != traffic.MaxCredentials {
		t.Errorf("%d credentials are kept", len(said))
	}
	var merged Credential
	one := said["groq"]
	for range 5000 {
		merged.add(&one, now)
	}
	if len(merged.Keys) != traffic.MaxKeys || merged.Minute.Total() <= 0 || merged.Waiting != 5000*maxWaiting || merged.FirstToken.Count() != 0 {
		t.Errorf("%d keys, %d calls", len(merged.Keys), merged.Minute.Total())
	}
	want := Key{Proxies: 5000, Exhausted: 5000, Requests: 0, Tokens: maxLeft, Reset: now.Add(maxSeconds * time.Second)}
	if diff := cmp.Diff(want, merged.Keys[0], cmpopts.IgnoreFields(Key{}, "Fingerprint")); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
}

// TestWhatFollowedTheLastAnswerAddsUp: an account is as silent as the proxy that was answered last.
func TestWhatFollowedTheLastAnswerAddsUp(t *testing.T) {
	w := newWorld(t)
	one, two, three := w.start(t, "one"), w.start(t, "two"), w.start(t, "three")
	expect := func(run window.Counts, answered, failed time.Duration) {
		t.Helper()
		if got := w.Credential("team-a", "groq"); got.Run != run || got.AnsweredAgo != answered || got.FailedAgo != failed {
			t.Errorf("run %v, answered %s ago, failed %s ago", got.Run, got.AnsweredAgo, got.FailedAgo)
		}
	}
	one.tell(groq())
	expect(window.Counts{}, window.Minute, window.Minute)
	one.tell(traffic.Credential{Name: "groq", Run: window.Counts{window.Failed: 2}, AnsweredAgo: 9000, FailedAgo: 70})
	two.tell(traffic.Credential{Name: "groq", Run: window.Counts{window.Failed: 1, window.Limited: 3}, AnsweredAgo: 4000})
	expect(window.Counts{window.Failed: 3, window.Limited: 3}, 4*time.Second, 70*time.Millisecond)
	three.tell(traffic.Credential{Name: "groq", Run: window.Counts{math.MinInt64}, AnsweredAgo: math.MinInt64, FailedAgo: math.MaxInt64})
	expect(window.Counts{window.Failed: 3, window.Limited: 3}, 4*time.Second, 70*time.Millisecond)
}

// TestAKeyIsLeftAloneForLongBetweenReports: that a block has lasted is known when somebody looks, not with the next report.
func TestAKeyIsLeftAloneForLongBetweenReports(t *testing.T) {
	w := newWorld(t)
	one := w.start(t, "one")
	one.tell(groq(traffic.Key{Fingerprint: "a", Block: traffic.CoolingDown, Seconds: 1}))
	for _, want := range []int{0, 1} {
		w.clock.Step(lasting - 1 + time.Duration(want))
		known := w.Credential("team-a", "groq")
		if key, _ := known.Key("a"); key.Limited != want {
			t.Errorf("%d proxies leave it alone, want %d", key.Limited, want)
		}
		w.clock.Step(1 - lasting)
	}
}

// TestWhatASilentPodSaidIsSoonOld: a proxy that the manager does not hear hides no longer what the others see than its silence takes to be noticed.
func TestWhatASilentPodSaidIsSoonOld(t *testing.T) {
	w := newWorld(t)
	silent, other := w.start(t, "silent"), w.start(t, "other")
	silent.tell(groq())
	w.clock.Step(stale - 1)
	other.tell(groq())
	if got := w.Credential("team-a", "groq"); got.Proxies != 2 {
		t.Errorf("%d proxies are believed", got.Proxies)
	}
	w.clock.Step(1)
	if got := w.Credential("team-a", "groq"); got.Proxies != 1 || got.Brief != groq().Brief {
		t.Errorf("%d proxies are believed, calls %v", got.Proxies, got.Brief)
	}
}

func TestFleetTellsOfCredentials(t *testing.T) {
	w := newWorld(t)
	one := w.start(t, "one")
	one.tell(groq())
	w.expectCredentials(t, "the first calls", "team-a/groq")
	w.clock.Step(credentialInterval - 1)
	one.tell(groq())
	w.expectCredentials(t, "all is well", "")
	w.clock.Step(1)
	one.tell(groq())
	w.expectCredentials(t, "after a while", "team-a/groq")
	failing := groq()
	failing.Short[window.Failed] = 1
	one.tell(failing)
	w.expectCredentials(t, "a call failed", "team-a/groq")
	one.tell(failing)
	w.expectCredentials(t, "trouble goes on", "team-a/groq")
	one.tell(groq())
	w.expectCredentials(t, "the trouble is over", "team-a/groq")
	one.tell(groq())
	w.expectCredentials(t, "all is well again", "")
	for _, brief := range []int64{160, 60} {
		turned := groq()
		turned.FirstToken, turned.BriefFirstToken = packed(100, 30), packed(brief, 5)
		one.tell(turned)
		w.expectCredentials(t, "streams begin later or sooner than before", "team-a/groq")
		one.tell(turned)
		w.expectCredentials(t, "and go on to", "team-a/groq")
		turned.BriefFirstToken = packed(100, 5)
		one.tell(turned)
		w.expectCredentials(t, "and do not any more", "team-a/groq")
		one.tell(turned)
		w.expectCredentials(t, "all is as ever", "")
	}
	one.tell(groq(traffic.Key{Fingerprint: "a", Block: traffic.CoolingDown, Seconds: 1}))
	w.expectCredentials(t, "a key is left alone", "team-a/groq")
	one.tell()
	w.expectCredentials(t, "nobody calls any more", "team-a/groq")
}
