package health_test

import (
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/window"
)

// TestLost: an attempt that does not get through waits until it does, or ends; if it never did it had no connection, whatever ended it.
func TestLost(t *testing.T) {
	answered, unreachable := window.Counts{window.Answered: 1}, window.Counts{window.Unreachable: 1}
	cases := map[string]struct {
		live    func(a health.Attempt, now time.Time)
		waiting int64
		want    window.Counts
		told    int
	}{
		"it gets through":                          {live: func(a health.Attempt, now time.Time) { a.End(now, success) }, want: answered},
		"it waits":                                 {live: func(a health.Attempt, now time.Time) { a.Lost(now); a.Lost(now) }, waiting: 1, told: 1},
		"it gets through at last":                  {live: func(a health.Attempt, now time.Time) { a.Lost(now); a.Found(); a.Found(); a.End(now, success) }, want: answered, told: 1},
		"it never does":                            {live: func(a health.Attempt, now time.Time) { a.Lost(now); a.End(now, outcome(table.Unreachable, 0)) }, want: unreachable, told: 1},
		"a timeout ends it":                        {live: func(a health.Attempt, now time.Time) { a.Lost(now); a.End(now, outcome(table.FirstTokenTimeout, 0)) }, want: unreachable, told: 1},
		"its client hangs up":                      {live: func(a health.Attempt, now time.Time) { a.Lost(now); a.End(now, neutral) }, want: unreachable, told: 1},
		"its client hangs up while it is answered": {live: func(a health.Attempt, now time.Time) { a.Lost(now); a.Found(); a.End(now, neutral) }, told: 1},
		"it has ended":                             {live: func(a health.Attempt, now time.Time) { a.End(now, success); a.Lost(now); a.Found() }, want: answered},
		"it ends twice":                            {live: func(a health.Attempt, now time.Time) { a.Lost(now); a.End(now, neutral); a.End(now, success) }, want: unreachable, told: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.model("m")
			tc.live(w.begin(u), w.now)
			var read window.Reading
			u.AddMinute(w.now, &read)
			if read.Waiting != tc.waiting || read.Minute != tc.want {
				t.Errorf("%d wait, and %v have ended, want %d and %v", read.Waiting, read.Minute, tc.waiting, tc.want)
			}
			if w.ended != tc.told {
				t.Errorf("told %d times, want %d", w.ended, tc.told)
			}
		})
	}
	health.Attempt{}.Lost(time.Time{})
	health.Attempt{}.Found()
}

// TestManyThatAreLostAreToldOnce: of a provider that vanished under load the manager hears at once, and not with every call.
func TestManyThatAreLostAreToldOnce(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	for range 100 {
		w.begin(u).Lost(w.now)
	}
	if w.ended != 1 {
		t.Errorf("told %d times", w.ended)
	}
}

// TestALostAttemptCountsForWhenItWasFoundToBe: a provider that others were answered by in the meantime has not failed after that.
func TestALostAttemptCountsForWhenItWasFoundToBe(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	lost := w.begin(u)
	w.pass(2 * time.Second)
	lost.Lost(w.now)
	w.pass(2 * time.Second)
	w.call(u, success)
	w.pass(3 * time.Second)
	lost.End(w.now, outcome(table.Unreachable, 0))
	var read window.Reading
	u.AddMinute(w.now, &read)
	if run := read.Run(); run != (window.Counts{}) || read.FailedAgo() != 5*time.Second || read.Minute != (window.Counts{window.Answered: 1, window.Unreachable: 1}) {
		t.Errorf("after the answer there were %v, the last failure was %s ago, of %v", run, read.FailedAgo(), read.Minute)
	}
}
