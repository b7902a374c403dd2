package providerhealth

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/window"
)

// moment is what is seen for so many seconds, looked at once a second.
type moment struct {
	seconds int
	calls   string // of callsThat
	probe   string // of probesThat; empty keeps the last one
	every   int    // seconds between two probes of that kind, of which the first begins at once; 0 for one only
}

// play returns the states and reasons that follow one another, each with the second that it came in.
func play(before Health, moments []moment) (string, Health) {
	var told []string
	state, now, probe := before, noon(), Probe{}
	for _, m := range moments {
		for second := range m.seconds {
			if asked, known := probesThat()[m.probe]; known && (second == 0 || m.every > 0 && second%m.every == 0) {
				asked.At, asked.Streak = now, 1
				if asked.Result.Alike(probe.Result) && !probe.At.IsZero() {
					asked.Streak += probe.Streak
				}
				probe = asked
			}
			after := Assess(state, Input{Now: now, Calls: callsThat()[m.calls], Probe: probe, SlowAfter: 10 * time.Second})
			if after.State != state.State || after.Reason != state.Reason {
				told = append(told, now.Sub(noon()).String()+" "+string(after.State)+" "+after.Reason)
			}
			state, now = after, now.Add(time.Second)
		}
	}
	return strings.Join(told, ", "), state
}

func TestSequences(t *testing.T) {
	healthy := Restore(v1alpha1.HealthHealthy, v1alpha1.ReasonProbeSucceeded, "", noon().Add(-time.Hour), noon())
	down := Restore(v1alpha1.HealthDown, v1alpha1.ReasonCallsFail, "", noon().Add(-time.Hour), noon())
	cases := map[string]struct {
		before  Health
		moments []moment
		want    string
	}{
		"the first probe is good":       {moments: []moment{{2, "none", "", 0}, {2, "none", "good", 0}}, want: "0s Unknown Pending, 2s Healthy ProbeSucceeded"},
		"the first probe fails":         {moments: []moment{{1, "none", "fails", 0}}, want: "0s Down ProbeFailed"},
		"the first calls work":          {moments: []moment{{1, "work", "", 0}}, want: "0s Healthy CallsSucceed"},
		"one probe fails":               {before: healthy, moments: []moment{{3, "none", "fails", 0}, {60, "none", "good", 0}}},
		"two probes fail":               {before: healthy, moments: []moment{{6, "none", "fails", 3}, {60, "none", "good", 0}}},
		"three probes fail":             {before: healthy, moments: []moment{{9, "none", "fails", 3}}, want: "6s Down ProbeFailed"},
		"one answer refuses the key":    {before: healthy, moments: []moment{{3, "none", "key refused", 0}, {9, "none", "good", 3}}},
		"two answers refuse the key":    {before: healthy, moments: []moment{{6, "none", "key refused", 3}}, want: "3s Down KeyRejected"},
		"calls fail, then probes do":    {before: healthy, moments: []moment{{2, "fail", "", 0}, {5, "fail", "fails", 0}}, want: "0s Down CallsFail"},
		"calls fail after a good probe": {before: healthy, moments: []moment{{3, "work", "good", 0}, {5, "fail", "", 0}, {3, "fail", "fails", 0}}, want: "8s Down CallsFail"},
		"calls fail and probes do not":  {before: healthy, moments: []moment{{3, "work", "good", 0}, {2, "fail", "", 0}, {3, "fail", "good", 0}}, want: "6s Degraded ProbeContradicted"},
		"the last calls failed":         {before: healthy, moments: []moment{{3, "work", "good", 0}, {5, "the last few failed", "fails", 0}}},
		"and two probes":                {before: healthy, moments: []moment{{3, "work", "good", 0}, {9, "the last few failed", "fails", 5}}, want: "8s Down CallsFail"},
		"calls work while probes fail":  {before: healthy, moments: []moment{{20, "work", "fails", 5}}, want: "10s Degraded ProbeContradicted"},
		"slow, and well again":          {before: healthy, moments: []moment{{4, "slow", "good", 0}, {9, "work", "", 0}}, want: "0s Degraded Slow, 7s Healthy ProbeSucceeded"},
		"rate-limited, and well again":  {before: healthy, moments: []moment{{4, "all keys rate-limited", "good", 0}, {9, "work", "", 0}}, want: "0s RateLimited RateLimited, 7s Healthy ProbeSucceeded"},
		"limited, and well again":       {before: healthy, moments: []moment{{4, "all calls limited", "good", 0}, {9, "work", "", 0}}, want: "0s RateLimited RateLimited, 7s Healthy ProbeSucceeded"},
		"down, and well again":          {before: down, moments: []moment{{4, "fail", "fails", 5}, {9, "work", "good", 0}}, want: "7s Healthy ProbeSucceeded"},
		"down, then limited":            {before: down, moments: []moment{{2, "fail", "fails", 0}, {9, "all keys rate-limited", "", 0}}, want: "5s RateLimited RateLimited"},
		"well for two seconds only":     {before: down, moments: []moment{{2, "work", "good", 0}, {5, "fail", "fails", 0}, {2, "work", "good", 0}, {5, "fail", "fails", 0}}},
		"down without calls":            {before: down, moments: []moment{{3, "none", "good", 0}, {3, "none", "good", 0}}, want: "3s Healthy ProbeSucceeded"},
		"one good probe is not enough":  {before: down, moments: []moment{{60, "none", "good", 0}}},
		"worse, and worse":              {before: healthy, moments: []moment{{2, "slow", "", 0}, {4, "fail in part", "", 0}, {2, "fail", "", 0}}, want: "0s Degraded Slow, 5s Degraded CallsFail, 6s Down CallsFail"},
		"another reason for a moment":   {before: down, moments: []moment{{3, "fail", "fails", 0}, {2, "no connection", "", 0}, {3, "fail", "", 0}}},
		"better, doubtful, better":      {before: down, moments: []moment{{2, "work", "good", 0}, {2, "the last few failed", "", 0}, {3, "work", "", 0}}},
		"nothing is told any more":      {before: healthy, moments: []moment{{320, "none", "not told", 0}}, want: "5m3s Unknown Pending"},
		"how it is known is no news":    {before: healthy, moments: []moment{{9, "work", "fails", 0}, {9, "work", "good", 0}, {9, "none", "good", 0}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got, _ := play(tc.before, tc.moments); got != tc.want {
				t.Errorf("it goes %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSinceIsThatOfTheState(t *testing.T) {
	healthy := Restore(v1alpha1.HealthHealthy, v1alpha1.ReasonProbeSucceeded, "", noon().Add(-time.Hour), noon())
	_, after := play(healthy, []moment{{2, "slow", "", 0}, {4, "fail in part", "", 0}})
	if !after.Since.Equal(noon()) || after.Reason != v1alpha1.ReasonCallsFail {
		t.Errorf("%s since %s", after.Reason, after.Since)
	}
	_, same := play(healthy, []moment{{30, "work", "good", 5}})
	if !same.Since.Equal(noon().Add(-time.Hour)) {
		t.Errorf("healthy since %s", same.Since)
	}
}

// simulated is a provider that is called many times a second and probed, with a share of errors, and what is seen of it.
type simulated struct {
	random *rand.Rand
	window window.Window
	probe  Probe
	state  Health
	now    time.Time
}

// step lets a second pass with so many calls, of which a share fails, and probes when the state asks for it, with a result.
func (s *simulated) step(calls int, permille int64, result Result) {
	s.now = s.now.Add(time.Second)
	at := s.now.Sub(noon())
	for range calls {
		ending := window.Answered
		if s.random.Int64N(1000) < permille {
			ending = window.Failed
		}
		s.window.Count(at, ending)
	}
	every := time.Minute
	if s.state.ProbeWithin > 0 {
		every = s.state.ProbeWithin
	}
	if s.now.Sub(s.probe.At) >= every {
		streak := 1
		if result.Alike(s.probe.Result) {
			streak += s.probe.Streak
		}
		s.probe = Probe{Result: result, At: s.now.Add(-50 * time.Millisecond), Streak: streak}
	}
	var read window.Reading
	s.window.AddTo(&read, at)
	in := Calls{Brief: read.Brief, Short: read.Short, Run: read.Run(), AnsweredAgo: ago(read.AnsweredAgo()), FailedAgo: ago(read.FailedAgo()), Keys: Keys{Usable: 1}}
	s.state = Assess(s.state, Input{Now: s.now, Calls: in, Probe: s.probe, SlowAfter: 10 * time.Second})
}

// ago is how long ago something was, or a minute for never.
func ago(d time.Duration) time.Duration {
	if d == 0 {
		return window.Minute
	}
	return d
}

// TestANoisyProviderDoesNotFlap: with one call and one probe of a hundred that fail, at any rate of calls, the state stays for 10,000 seconds.
func TestANoisyProviderDoesNotFlap(t *testing.T) {
	for _, rate := range []int{0, 1, 3, 20, 200} {
		s := &simulated{random: rand.New(rand.NewPCG(7, uint64(rate))), now: noon()}
		changes := 0
		for range 10_000 {
			before := s.state
			calls := rate
			if rate == 1 && s.random.IntN(4) > 0 {
				calls = 0
			}
			result := Good
			if s.random.IntN(100) == 0 {
				result = Failed
			}
			s.step(calls, 10, result)
			if before.State != "" && (before.State != s.state.State || before.Reason != s.state.Reason) {
				changes++
			}
		}
		if changes > 0 || s.state.State != v1alpha1.HealthHealthy {
			t.Errorf("at %d calls a second the state changed %d times and is %s", rate, changes, s.state.State)
		}
	}
}

// TestAProviderThatFailsInPartDoesNotFlap: a third of the calls of a quiet credential fails, at random, for 10,000 seconds.
func TestAProviderThatFailsInPartDoesNotFlap(t *testing.T) {
	for _, rate := range []int{3, 10, 100} {
		s := &simulated{random: rand.New(rand.NewPCG(17, uint64(rate))), now: noon()}
		changes := 0
		for second := range 10_000 {
			before := s.state
			s.step(rate, 333, Good)
			if second > 60 && before.State != s.state.State {
				changes++
			}
		}
		// With three calls a second two good or two bad runs of ten calls come about now and then.
		if changes > 10 || s.state.State != v1alpha1.HealthDegraded {
			t.Errorf("at %d calls a second the state changed %d times and is %s", rate, changes, s.state.State)
		}
	}
}

// phase is how a provider does for a time, and the state that it is to be found in.
type phase struct {
	permille int64  // of calls that fail
	probe    Result // of every probe
	rate     int    // calls a second
	want     v1alpha1.HealthState
}

// last lets seconds of a phase pass, and returns how often the state changed.
func (s *simulated) last(seconds int, p phase) int {
	changes := 0
	for range seconds {
		before := s.state.State
		s.step(p.rate, p.permille, p.probe)
		if s.state.State != before {
			changes++
		}
	}
	return changes
}

// awaitProbe lets a phase without calls go on until the next probe is due, for nothing is known before it.
func (s *simulated) awaitProbe(p phase) {
	for p.rate == 0 && s.state.ProbeWithin == 0 && s.now.Sub(s.probe.At) < 59*time.Second {
		s.step(0, 0, p.probe)
	}
}

// TestAProviderThatBreaksAndMendsIsFollowed: at any rate of calls the state is right within ten seconds, and turns once each time.
func TestAProviderThatBreaksAndMendsIsFollowed(t *testing.T) {
	cases := map[string]phase{
		"all calls and probes":           {permille: 1000, probe: Failed, rate: 20, want: v1alpha1.HealthDown},
		"one call a second":              {permille: 1000, probe: Failed, rate: 1, want: v1alpha1.HealthDown},
		"calls alone":                    {permille: 1000, probe: Good, rate: 20, want: v1alpha1.HealthDegraded},
		"probes alone, without calls":    {probe: Failed, want: v1alpha1.HealthDown},
		"a third of many calls":          {permille: 333, probe: Good, rate: 50, want: v1alpha1.HealthDegraded},
		"two thirds of calls and probes": {permille: 667, probe: Failed, rate: 50, want: v1alpha1.HealthDown},
	}
	for name, broken := range cases {
		t.Run(name, func(t *testing.T) {
			s := &simulated{random: rand.New(rand.NewPCG(11, 13)), now: noon()}
			well := phase{probe: Good, rate: broken.rate, want: v1alpha1.HealthHealthy}
			s.last(62, well)
			for round := range 20 {
				before, now := well, broken
				if round%2 == 1 {
					before, now = broken, well
				}
				s.awaitProbe(before)
				if changes := s.last(11, now); s.state.State != now.want || changes != 1 {
					t.Fatalf("round %d: after ten seconds it is %s after %d changes, want %s after 1", round, s.state.State, changes, now.want)
				}
				s.last(20, now)
			}
		})
	}
}

// TestSlowIsOverWhenStreamsSaySo: a provider that was found to be slow stays so until streams are clearly quicker, or nobody streams any more.
func TestSlowIsOverWhenStreamsSaySo(t *testing.T) {
	slowly := Restore(v1alpha1.HealthDegraded, v1alpha1.ReasonSlow, "", noon().Add(-time.Hour), noon())
	healthy := Restore(v1alpha1.HealthHealthy, v1alpha1.ReasonProbeSucceeded, "", noon().Add(-time.Hour), noon())
	cases := map[string]struct {
		before          Health
		streams, minute uint64
		firstToken      time.Duration
		want            string
	}{
		"as slow as before":              {before: slowly, streams: 20, minute: 90, firstToken: 11 * time.Second, want: "Slow"},
		"a little quicker":               {before: slowly, streams: 20, minute: 90, firstToken: 9 * time.Second, want: "Slow"},
		"clearly quicker":                {before: slowly, streams: 20, minute: 90, firstToken: 8900 * time.Millisecond, want: "ProbeSucceeded"},
		"one slow stream":                {before: slowly, streams: 1, minute: 2, firstToken: 11 * time.Second, want: "Slow"},
		"one quick stream":               {before: slowly, streams: 1, minute: 2, firstToken: time.Second, want: "ProbeSucceeded"},
		"none for a moment":              {before: slowly, minute: 2, want: "Slow"},
		"none for a minute":              {before: slowly, want: "ProbeSucceeded"},
		"two slow streams are no reason": {before: healthy, streams: 2, minute: 2, firstToken: 11 * time.Second, want: "ProbeSucceeded"},
		"nor are streams nearly as slow": {before: healthy, streams: 20, minute: 90, firstToken: 9999 * time.Millisecond, want: "ProbeSucceeded"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			calls := callsThat()["work"]
			calls.Streams, calls.MinuteStreams, calls.FirstToken = tc.streams, tc.minute, tc.firstToken
			state := tc.before
			for second := range 10 {
				state = Assess(state, Input{
					Now: noon().Add(time.Duration(second) * time.Second), Calls: calls, Probe: Probe{Result: Good, At: noon(), Streak: 1}, SlowAfter: 10 * time.Second,
				})
			}
			if state.Reason != tc.want {
				t.Errorf("it is %s, %s", state.State, state.Reason)
			}
		})
	}
}

// TestLimitsAreNotFollowedAtOnce: a limit that is over within seconds changes nothing, and one that was found is over with the first answer.
func TestLimitsAreNotFollowedAtOnce(t *testing.T) {
	cases := map[string]struct {
		before   sign
		run      window.Counts
		answered time.Duration
		want     sign
	}{
		"for two seconds":                   {run: window.Counts{window.Limited: 9}, answered: limitedFor - 1, want: unsure},
		"for three":                         {run: window.Counts{window.Limited: 3}, answered: limitedFor, want: limited},
		"two calls":                         {run: window.Counts{window.Limited: 2}, answered: limitedFor, want: unsure},
		"two calls, and it was found":       {before: limited, run: window.Counts{window.Limited: 2}, answered: limitedFor, want: limited},
		"answered, and it was found":        {before: limited, want: unsure},
		"with a failure":                    {run: window.Counts{window.Limited: 9, window.Failed: 1}, answered: limitedFor, want: unsure},
		"most fail":                         {run: window.Counts{window.Limited: 3, window.Failed: 4}, answered: limitedFor, want: broken},
		"most fail, and it was limited":     {before: limited, run: window.Counts{window.Limited: 3, window.Failed: 4}, answered: limitedFor, want: broken},
		"failures in a row, for a second":   {run: window.Counts{window.Failed: 4}, answered: doubtful, want: suspect},
		"failures in a row, at once":        {run: window.Counts{window.Failed: 40}, answered: doubtful - 1, want: unsure},
		"failures in a row, for two":        {run: window.Counts{window.Failed: 4}, answered: broke, want: broken},
		"a failure, and they were in a row": {before: broken, run: window.Counts{window.Failed: 1}, answered: broke, want: broken},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			many := window.Counts{window.Answered: 1000}
			many.Add(tc.run)
			in := Input{Now: noon(), SlowAfter: time.Second, Calls: Calls{Brief: many, Short: many, Run: tc.run, AnsweredAgo: tc.answered, Keys: Keys{Usable: 1}}}
			got := in.sign(&Health{State: v1alpha1.HealthHealthy, calls: tc.before})
			if got == well {
				got = unsure
			}
			if got != tc.want {
				t.Errorf("calls say %d, want %d", got, tc.want)
			}
		})
	}
}

// TestAGoodProbeBeforeTheLastFailureContradictsNothing: a provider that probes find back is not called by half for the calls that have not tried again.
func TestAGoodProbeBeforeTheLastFailureContradictsNothing(t *testing.T) {
	down := Restore(v1alpha1.HealthDown, v1alpha1.ReasonCallsFail, "", noon().Add(-time.Hour), noon())
	cases := map[string]struct {
		failed time.Duration
		streak int
		want   v1alpha1.HealthState
	}{
		"calls failed before":           {failed: 5 * time.Second, streak: 2, want: v1alpha1.HealthDown},
		"calls fail since":              {streak: 2, want: v1alpha1.HealthDegraded},
		"calls fail since, and one was": {streak: 1, want: v1alpha1.HealthDown},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			state := down
			for second := range 10 {
				now := noon().Add(time.Duration(second) * time.Second)
				calls := callsThat()["no connection"]
				calls.FailedAgo = tc.failed
				state = Assess(state, Input{Now: now, Calls: calls, Probe: Probe{Result: Good, At: now.Add(-time.Second), Streak: tc.streak}, SlowAfter: time.Second})
			}
			if state.State != tc.want {
				t.Errorf("%s, %s", state.State, state.Reason)
			}
			if tc.want == v1alpha1.HealthDegraded && !strings.HasPrefix(state.Message, "calls fail while the provider answers probes") {
				t.Errorf("the message is %q", state.Message)
			}
		})
	}
}

// TestFailuresAreOver: what failed some seconds ago is forgotten once calls have been answered for two, and a busy provider is well again sooner than a quiet one.
func TestFailuresAreOver(t *testing.T) {
	cases := map[string]struct {
		failedAgo time.Duration
		answered  int64
		want      time.Duration // until it is Healthy; 0 for not within ten seconds
	}{
		"none for two seconds":           {failedAgo: calmFor, answered: busy, want: 2 * time.Second},
		"none for two, with fewer calls": {failedAgo: calmFor, answered: busy - 1, want: 3 * time.Second},
		"one just now":                   {failedAgo: calmFor - 1, answered: busy},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			counts := window.Counts{window.Answered: tc.answered, window.Failed: 15}
			calls := Calls{Brief: counts, Short: counts, FailedAgo: tc.failedAgo, Keys: Keys{Usable: 1}}
			state := Health{State: v1alpha1.HealthDown, Reason: v1alpha1.ReasonCallsFail, Since: noon(), heard: noon(), calls: broken, callsSince: noon()}
			took := time.Duration(0)
			for second := range 10 {
				since := time.Duration(second) * time.Second
				state = Assess(state, Input{Now: noon().Add(since), Calls: calls, Probe: Probe{Result: Failed, At: noon().Add(-time.Minute), Streak: 9}, SlowAfter: time.Second})
				if state.State == v1alpha1.HealthHealthy && took == 0 {
					took = since
				}
			}
			if took != tc.want {
				t.Errorf("Healthy after %s: %s, %s", took, state.State, state.Reason)
			}
		})
	}
}

func TestProbesAreHurried(t *testing.T) {
	healthy := Restore(v1alpha1.HealthHealthy, v1alpha1.ReasonProbeSucceeded, "", noon().Add(-time.Hour), noon())
	down := Restore(v1alpha1.HealthDown, v1alpha1.ReasonCallsFail, "", noon().Add(-time.Hour), noon())
	cases := map[string]struct {
		before       Health
		calls, probe string
		age          time.Duration // of the probe
		want         time.Duration
		timeout      time.Duration
	}{
		"all is well":                       {before: healthy, calls: "work", probe: "good"},
		"no calls":                          {before: healthy, calls: "none", probe: "good"},
		"slow":                              {before: healthy, calls: "slow", probe: "good"},
		"rate-limited":                      {before: healthy, calls: "all keys rate-limited", probe: "good"},
		"a failed probe is to be confirmed": {before: healthy, calls: "none", probe: "fails", want: confirm},
		"a refused key too":                 {before: healthy, calls: "none", probe: "key refused", want: confirm},
		"calls fail":                        {before: healthy, calls: "fail", probe: "good", want: urgent, timeout: patient},
		"they fail since the last probe":    {before: healthy, calls: "fail", probe: "good", age: time.Second, want: confirm, timeout: patient},
		"the last few do":                   {before: healthy, calls: "the last few failed", probe: "good", want: urgent, timeout: patient},
		"some do":                           {before: healthy, calls: "fail in part", probe: "good", want: urgent, timeout: patient},
		"keys are refused":                  {before: healthy, calls: "all keys refused", probe: "good", want: urgent, timeout: patient},
		"probes contradict good calls":      {before: healthy, calls: "work", probe: "fails", want: urgent},
		"down, and called":                  {before: down, calls: "work", probe: "good", want: urgent},
		"down, and a probe is good":         {before: down, calls: "none", probe: "good", want: confirm},
		"down, and nobody calls":            {before: down, calls: "none", probe: "fails"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			probe := probesThat()[tc.probe]
			probe.At, probe.Streak = noon().Add(-tc.age), 1
			got := Assess(tc.before, Input{Now: noon(), Calls: callsThat()[tc.calls], Probe: probe, SlowAfter: 10 * time.Second})
			if got.ProbeWithin != tc.want || got.ProbeTimeout != tc.timeout {
				t.Errorf("within %s, for %s", got.ProbeWithin, got.ProbeTimeout)
			}
		})
	}
}

// TestCallsThatDoNotGetThrough: they count as without a connection while they wait, and a probe is asked for at once when no others are answered. Calls that
// are only slow to be answered do not wait in that sense: nothing is said of them.
func TestCallsThatDoNotGetThrough(t *testing.T) {
	busy := window.Counts{window.Answered: 50}
	cases := map[string]struct {
		waiting  int64
		answered time.Duration // ago
		probe    Result
		want     string
		within   time.Duration
		timeout  time.Duration
	}{
		"a model thinks for long":            {answered: 50 * time.Second, probe: Unreachable, want: "Healthy ProbeSucceeded"},
		"one waits, others are answered":     {waiting: 1, answered: doubtful - 1, probe: Good, want: "Healthy ProbeSucceeded"},
		"one waits, no other is answered":    {waiting: 1, answered: doubtful, probe: Good, want: "Healthy ProbeSucceeded", within: confirm, timeout: brisk},
		"four wait, and a probe does so too": {waiting: 4, answered: broke, probe: Unreachable, want: "Down Unreachable", within: urgent, timeout: brisk},
		"four wait, and nobody may ask":      {waiting: 4, answered: broke, probe: NotTold, want: "Down Unreachable", within: urgent, timeout: brisk},
		"four wait, and a probe is answered": {waiting: 4, answered: broke, probe: Good, want: "Healthy ProbeSucceeded", within: urgent, timeout: brisk},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := Restore(v1alpha1.HealthHealthy, v1alpha1.ReasonProbeSucceeded, "", noon().Add(-time.Hour), noon())
			calls := Calls{Short: busy, Waiting: tc.waiting, AnsweredAgo: tc.answered, FailedAgo: window.Minute, Keys: Keys{Usable: 1}}
			if tc.waiting == 0 {
				calls.Short = window.Counts{}
			}
			got := Assess(before, Input{Now: noon(), Calls: calls, Probe: Probe{Result: tc.probe, At: noon(), Streak: 1}, SlowAfter: 10 * time.Second})
			if state := string(got.State) + " " + got.Reason; state != tc.want {
				t.Errorf("it is %s, want %s", state, tc.want)
			}
			if tc.waiting > 0 && (got.ProbeWithin != tc.within || got.ProbeTimeout != tc.timeout) {
				t.Errorf("a probe is wanted within %s, for %s at most; want %s and %s", got.ProbeWithin, got.ProbeTimeout, tc.within, tc.timeout)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	unwell := map[string]bool{"CallsFail": true, "Unreachable": true, "ProbeFailed": true, "KeyRejected": true, "ProbeContradicted": true}
	for name, calls := range callsThat() {
		for asked, probe := range probesThat() {
			for _, others := range []bool{false, true} {
				probe.At, probe.Message = noon(), "the provider is failing (status 500)"
				got := Assess(Health{}, Input{Now: noon(), Calls: calls, Probe: probe, SlowAfter: 10 * time.Second, AnswersOthers: others})
				if got.Message == "" || len(got.Message) > 700 {
					t.Errorf("calls: %s, probe: %s: %q", name, asked, got.Message)
				}
				if strings.HasSuffix(got.Message, elsewhere) != (others && unwell[got.Reason]) {
					t.Errorf("calls: %s, probe: %s, others do well: %t: %q", name, asked, others, got.Message)
				}
			}
		}
	}
}

// TestHalfOfTheCallsDoesNotFlap: a provider of which about half of the calls fail is on the border of Down, whatever probes say, and stays on one side of it for
// minutes, for the same reason.
func TestHalfOfTheCallsDoesNotFlap(t *testing.T) {
	for _, permille := range []int64{200, 300, 400, 500, 600} {
		for _, rate := range []int{10, 100} {
			for _, probe := range []Result{Good, Failed} {
				s := &simulated{random: rand.New(rand.NewPCG(23, uint64(rate))), now: noon()}
				changes := 0
				for second := range 5000 {
					before := s.state
					s.step(rate, permille, probe)
					if second > 60 && (before.State != s.state.State || before.Reason != s.state.Reason) {
						changes++
					}
				}
				if changes > 20 || s.state.State == v1alpha1.HealthHealthy {
					t.Errorf("%d permille at %d calls a second, probe %d: %d changes, %s in the end", permille, rate, probe, changes, s.state.State)
				}
			}
		}
	}
}

// TestAChangeInSight: figures wait while something speaks for another state, or soon may, and not while a state only lasts.
func TestAChangeInSight(t *testing.T) {
	healthy := Restore(v1alpha1.HealthHealthy, v1alpha1.ReasonProbeSucceeded, "", noon().Add(-time.Hour), noon())
	down := Restore(v1alpha1.HealthDown, v1alpha1.ReasonCallsFail, "", noon().Add(-time.Hour), noon())
	cases := map[string]struct {
		before Health
		calls  Calls
		probe  string
		want   bool
	}{
		"well":                    {before: healthy, calls: callsThat()["work"], probe: "good"},
		"no calls":                {before: healthy, calls: callsThat()["none"], probe: "good"},
		"the last few met limits": {before: healthy, calls: Calls{Brief: window.Counts{90}, Short: window.Counts{90}, Run: window.Counts{window.Limited: 3}, AnsweredAgo: doubtful, FailedAgo: window.Minute, Keys: Keys{Usable: 1}}, probe: "good", want: true},
		"the last few failed":     {before: healthy, calls: callsThat()["the last few failed"], probe: "good", want: true},
		"down, and it lasts":      {before: down, calls: callsThat()["fail"], probe: "fails"},
		"down, and calls work":    {before: down, calls: callsThat()["work"], probe: "fails", want: true},
		"down, for another cause": {before: down, calls: callsThat()["no connection"], probe: "fails", want: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			probe := probesThat()[tc.probe]
			probe.At = noon()
			got := Assess(tc.before, Input{Now: noon(), Calls: tc.calls, Probe: probe, SlowAfter: 10 * time.Second})
			if got.UnsettledSince.IsZero() == tc.want {
				t.Errorf("unsettled since %s: %s, %s", got.UnsettledSince, got.State, got.Reason)
			}
		})
	}
}
