package health_test

import (
	"math"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// stream is a stream that succeeded.
func stream(first, whole time.Duration, completion int64) health.Outcome {
	return health.Outcome{Limits: untold, Stream: true, FirstToken: first, Duration: whole, Completion: completion}
}

// answer is an answer at once that succeeded.
func answer(whole time.Duration, completion int64) health.Outcome {
	return health.Outcome{Limits: untold, Duration: whole, Completion: completion}
}

func TestNothingIsKnown(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	w.pass(time.Hour)
	want := health.View{Ramp: 1000, Headroom: health.Headroom{Requests: -1, Tokens: -1}}
	if got := u.View(w.now); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestAverages checks each statistic against what it is made of.
func TestAverages(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	for _, o := range []health.Outcome{
		stream(100*time.Millisecond, 1100*time.Millisecond, 50), // 50 a second for one second
		stream(300*time.Millisecond, 3300*time.Millisecond, 30), // 10 a second for three seconds
		answer(2*time.Second, 40),                               // 20 a second for two seconds
		answer(4*time.Second, 0),
	} {
		w.call(u, o)
	}
	w.call(u, health.Outcome{Limits: untold, Prompt: 900, Cached: 900})
	w.call(u, health.Outcome{Limits: untold, Prompt: 100, Cached: -5})
	w.pass(time.Second)
	v := u.View(w.now)
	for name, tc := range map[string]struct{ got, want float64 }{
		"first token":     {v.FirstToken.Seconds(), 0.2},
		"answer":          {v.Answer.Seconds(), 3},
		"tokens a second": {v.TokensPerSecond, 20},
		"output tokens":   {float64(v.OutputTokens), 40},
		"cached":          {float64(v.CachedPermille), 900},
		"errors":          {float64(v.ErrorPermille), 0},
		"samples":         {math.Round(v.Samples * 100), math.Round(6 * math.Exp(-1./30) * 100)},
		"age":             {v.Age.Seconds(), 1},
	} {
		if math.Abs(tc.got-tc.want) > 1e-6 {
			t.Errorf("%s is %f, want %f", name, tc.got, tc.want)
		}
	}
}

// TestAveragesDecay: after a time constant a sample counts a little more than a third.
func TestAveragesDecay(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	e := math.Exp(-1)
	w.call(u, health.Outcome{Limits: untold, Stream: true, FirstToken: time.Second, Duration: 2 * time.Second, Completion: 100, Prompt: 100})
	w.pass(30 * time.Second)
	w.call(u, health.Outcome{Limits: untold, Stream: true, FirstToken: 2 * time.Second, Duration: 3 * time.Second, Completion: 200, Prompt: 100, Cached: 100})
	v := u.View(w.now)
	if want := (e + 2) / (e + 1); math.Abs(v.FirstToken.Seconds()-want) > 1e-6 {
		t.Errorf("first token after %s, want %fs", v.FirstToken, want)
	}
	if want := (100*e + 200) / (e + 1); math.Abs(v.TokensPerSecond-want) > 1e-6 {
		t.Errorf("%f tokens a second, want %f", v.TokensPerSecond, want)
	}
	slow := math.Exp(-0.1)
	if want := 1000 / (slow + 1); math.Abs(float64(v.CachedPermille)-want) > 0.51 {
		t.Errorf("%d permille are cached, want %f", v.CachedPermille, want)
	}
	if want := (100*slow + 200) / (slow + 1); math.Abs(float64(v.OutputTokens)-want) > 0.51 {
		t.Errorf("%d tokens, want %f", v.OutputTokens, want)
	}
}

// TestSamplesFade: the longer nothing was heard, the less the averages rest on.
func TestSamplesFade(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	for range 100 {
		w.call(u, success)
	}
	for after, want := range map[time.Duration]float64{0: 100, 3 * time.Second: 90.5, 30 * time.Second: 36.8, time.Minute: 13.5, time.Hour: 0, 1 << 60: 0} {
		if v := u.View(w.now.Add(after)); math.Abs(v.Samples-want) > 1 || v.Age != after {
			t.Errorf("%f samples after %s, want %f", v.Samples, v.Age, want)
		}
	}
}

// TestErrors: the share of failures by the upstream's fault, since it came back.
func TestErrors(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	for _, o := range []health.Outcome{success, outcome(table.BadRequest, 0), success, failed} {
		w.call(u, o)
	}
	if got := u.View(w.now).ErrorPermille; got != 250 {
		t.Errorf("%d permille failed, want 250", got)
	}
	w.fail(u, 4)
	w.pass(time.Second)
	w.call(u, success)
	w.call(u, failed)
	w.call(u, success)
	w.call(u, success)
	if got := u.View(w.now).ErrorPermille; got != 333 {
		t.Errorf("%d permille failed since it is back, want 333", got)
	}
}

// TestFailuresAreNoTimes: a failure says how long an answer takes only if it is a timeout, or came after the first token.
func TestFailuresAreNoTimes(t *testing.T) {
	for name, tc := range map[string]struct {
		outcome health.Outcome
		first   time.Duration
		answer  time.Duration
	}{
		"quick failure":       {health.Outcome{Kind: table.Unavailable, Duration: time.Millisecond, Completion: 5}, 0, 0},
		"quick stream":        {health.Outcome{Kind: table.Unavailable, Stream: true, Duration: time.Millisecond}, 0, 0},
		"no first token":      {health.Outcome{Kind: table.FirstTokenTimeout, Stream: true, Duration: 10 * time.Second}, 10 * time.Second, 0},
		"stream times out":    {health.Outcome{Kind: table.Timeout, Stream: true, Duration: 20 * time.Second}, 20 * time.Second, 0},
		"answer times out":    {health.Outcome{Kind: table.Timeout, Duration: 20 * time.Second}, 0, 20 * time.Second},
		"stalled":             {health.Outcome{Kind: table.Stalled, Stream: true, FirstToken: time.Second, Duration: time.Minute, Completion: 9}, time.Second, 0},
		"bad request":         {health.Outcome{Kind: table.BadRequest, Duration: time.Millisecond}, 0, 0},
		"client left":         {health.Outcome{Neutral: true, Stream: true, FirstToken: time.Second, Duration: time.Second}, 0, 0},
		"nothing told":        {health.Outcome{Stream: true}, 0, 0},
		"backwards":           {health.Outcome{Stream: true, FirstToken: -1, Duration: -1, Completion: -1, Prompt: -1, Cached: 7}, 0, 0},
		"token after the end": {health.Outcome{Stream: true, FirstToken: 2 * time.Second, Duration: time.Second, Completion: 5}, 2 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.model("m")
			tc.outcome.Limits = untold
			w.call(u, tc.outcome)
			v := u.View(w.now)
			if v.FirstToken != tc.first || v.Answer != tc.answer || v.TokensPerSecond != 0 || v.CachedPermille != 0 {
				t.Errorf("got %+v", v)
			}
			if (v.Samples == 0) != tc.outcome.Neutral {
				t.Errorf("%f samples", v.Samples)
			}
		})
	}
}

// TestTimeStandsStill or goes back: nothing is divided by it, and nothing grows without bounds.
func TestTimeStandsStill(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	for i := range 100 {
		w.call(u, stream(time.Second, 2*time.Second, 10))
		w.pass(time.Duration(50-i) * time.Second)
		v := u.View(w.now)
		if v.FirstToken != time.Second || v.Samples <= 0 || v.Samples > 100 || v.Age < 0 || math.Abs(v.TokensPerSecond-10) > 1e-6 {
			t.Fatalf("after %d: %+v", i, v)
		}
	}
}

func TestInFlight(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	a, b := w.begin(u), w.begin(u)
	if got := u.View(w.now).InFlight; got != 2 {
		t.Errorf("%d, want 2", got)
	}
	a.End(w.now, neutral)
	b.End(w.now, failed)
	if got := u.View(w.now).InFlight; got != 0 {
		t.Errorf("%d, want 0", got)
	}
}

// TestHeadroom: what the provider says is left, less what was begun, until the limits reset.
func TestHeadroom(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	expect := func(what string, want health.Headroom) {
		t.Helper()
		if got := u.View(w.now).Headroom; got != want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	a := w.begin(u)
	b, _ := u.Begin(w.now, 500, false)
	a.Answered(w.now, health.RateLimits{RequestsLeft: 2, TokensLeft: 1000, RequestsReset: 10 * time.Second, TokensReset: 5 * time.Second})
	expect("told", health.Headroom{Requests: 2, Tokens: 1000, RequestsReset: 10 * time.Second, TokensReset: 5 * time.Second})
	c, _ := u.Begin(w.now, 300, false)
	w.pass(time.Second)
	expect("begun", health.Headroom{Requests: 1, Tokens: 700, RequestsReset: 9 * time.Second, TokensReset: 4 * time.Second})
	d, _ := u.Begin(w.now, 1<<62, false)
	e, _ := u.Begin(w.now, -5, false)
	expect("begun beyond", health.Headroom{Requests: 0, Tokens: 0, RequestsReset: 9 * time.Second, TokensReset: 4 * time.Second})
	a.End(w.now, health.Outcome{Limits: health.RateLimits{RequestsLeft: 99, TokensLeft: 99}})
	expect("its end is old", health.Headroom{Requests: 0, Tokens: 0, RequestsReset: 9 * time.Second, TokensReset: 4 * time.Second})
	b.Answered(w.now, untold)
	b.End(w.now, health.Outcome{Limits: health.RateLimits{RequestsLeft: -1, TokensLeft: 800, TokensReset: 3 * time.Second}})
	expect("tokens only", health.Headroom{Requests: 0, Tokens: 800, RequestsReset: 9 * time.Second, TokensReset: 3 * time.Second})
	w.pass(3 * time.Second)
	expect("tokens reset", health.Headroom{Requests: 0, Tokens: -1, RequestsReset: 6 * time.Second})
	w.pass(6 * time.Second)
	expect("both reset", health.Headroom{Requests: -1, Tokens: -1})
	c.Answered(w.now, health.RateLimits{RequestsLeft: 1 << 62, TokensLeft: 5, RequestsReset: 24 * time.Hour})
	expect("believed for a minute", health.Headroom{Requests: 1 << 50, Tokens: 5, RequestsReset: time.Minute, TokensReset: time.Minute})
	d.End(w.now, neutral)
	e.End(w.now, neutral)
}

// TestRetryBudget: a tenth of the attempts, a lone call has one, and no more than ten are saved up.
func TestRetryBudget(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	w.call(u, success)
	if !u.AllowRetry(w.now) {
		t.Error("a lone call has no retry")
	}
	w.call(u, success)
	if u.AllowRetry(w.now) {
		t.Error("it has two")
	}
	for range 1000 {
		w.call(u, success)
	}
	saved := 0
	for u.AllowRetry(w.now) {
		saved++
	}
	if saved != 10 {
		t.Errorf("%d are saved up, want 10", saved)
	}
	first, retries := 0, 0
	for range 10_000 {
		w.call(u, success)
		first++
		for u.AllowRetry(w.now) {
			w.call(u, success)
			retries++
		}
	}
	if retries < 990 || retries > 1000 {
		t.Errorf("%d retries of %d calls", retries, first)
	}
}

// TestSlowTimesAreForgotten: few calls find out that a busy time that was slow is over, and have to be heard.
func TestSlowTimesAreForgotten(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	stream := func(first time.Duration) health.Outcome {
		o := success
		o.Stream, o.FirstToken, o.Duration = true, first, first+time.Second
		return o
	}
	for range 10_000 {
		w.call(u, stream(10*time.Second))
	}
	for range 100 {
		w.call(u, stream(100*time.Millisecond))
	}
	if got := u.View(w.now).FirstToken; got > 6*time.Second {
		t.Errorf("after a hundred quick calls the time to the first token is still %s", got)
	}
}
