package window

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func read(w *Window, now time.Duration) *Reading {
	var r Reading
	w.AddTo(&r, now)
	return &r
}

func TestCountsSlide(t *testing.T) {
	var w Window
	w.Count(10*time.Second, Answered)
	w.Count(10*time.Second, Failed)
	w.Count(20*time.Second+999*time.Millisecond, Limited)
	both := Counts{Answered: 1, Failed: 1, Limited: 1}
	cases := map[string]struct {
		now                  time.Duration
		brief, short, minute Counts
	}{
		"at once":                 {now: 20 * time.Second, brief: Counts{Limited: 1}, short: both, minute: both},
		"the fifth second":        {now: 24 * time.Second, brief: Counts{Limited: 1}, short: both, minute: both},
		"after five seconds":      {now: 25 * time.Second, short: Counts{Limited: 1}, minute: both},
		"after fifteen":           {now: 35 * time.Second, minute: both},
		"the first ones are gone": {now: 70 * time.Second, minute: Counts{Limited: 1}},
		"all are gone":            {now: 80 * time.Second},
		"the clock was put back":  {now: 5 * time.Second},
		"before the beginning":    {now: -time.Hour},
		"long after":              {now: 1000 * time.Hour},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := read(&w, tc.now)
			if diff := cmp.Diff([]Counts{tc.brief, tc.short, tc.minute}, []Counts{got.Brief, got.Short, got.Minute}); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestASecondIsUsedAgain: what a slot held a minute before is not counted once more.
func TestASecondIsUsedAgain(t *testing.T) {
	var w Window
	for minute := range 5 {
		at := time.Duration(minute) * Minute
		w.Count(at, Answered)
		w.FirstToken(at, time.Second)
		got := read(&w, at)
		if got.Minute.Total() != 1 || got.FirstToken.Count() != 1 {
			t.Errorf("minute %d has %d calls and %d times", minute, got.Minute.Total(), got.FirstToken.Count())
		}
	}
}

func TestTimesSlide(t *testing.T) {
	var w Window
	w.FirstToken(time.Second, 100*time.Millisecond)
	w.Rate(time.Second, 100, 2*time.Second)
	cases := map[string]struct {
		now         time.Duration
		brief, all  uint64
		first, rate int64
	}{
		"at once":             {now: time.Second, brief: 1, all: 1, first: 100, rate: 48},
		"after four seconds":  {now: 5 * time.Second, brief: 1, all: 1, first: 100, rate: 48},
		"after five seconds":  {now: 6 * time.Second, all: 1, first: 100, rate: 48},
		"at the minute's end": {now: 59 * time.Second, all: 1, first: 100, rate: 48},
		"after it":            {now: 60 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := read(&w, tc.now)
			first, _ := got.FirstToken.Quantile(500)
			rate, _ := got.Rate.Quantile(500)
			if got.BriefFirstToken.Count() != tc.brief || got.FirstToken.Count() != tc.all || got.Rate.Count() != tc.all || first != tc.first || rate != tc.rate {
				t.Errorf("brief %d, first token %d of %d, rate %d of %d", got.BriefFirstToken.Count(), first, got.FirstToken.Count(), rate, got.Rate.Count())
			}
		})
	}
}

// TestTheLatestTimesCountWhereThereAreEnough: a provider that got slow is not known by how fast it was four seconds ago.
func TestTheLatestTimesCountWhereThereAreEnough(t *testing.T) {
	for latest, want := range map[int]uint64{enough - 1: enough + 99, enough: enough} {
		var w Window
		for range 100 {
			w.FirstToken(time.Second, 100*time.Millisecond)
		}
		for range latest {
			w.FirstToken(5*time.Second, time.Second)
		}
		if got := read(&w, 5*time.Second); got.BriefFirstToken.Count() != want {
			t.Errorf("of %d late ones %d count, want %d", latest, got.BriefFirstToken.Count(), want)
		}
	}
}

func TestWhatFollowedTheLastAnswer(t *testing.T) {
	type ended struct {
		window int
		at     time.Duration
		ending Ending
	}
	const ms = time.Millisecond
	cases := map[string]struct {
		ended            []ended
		now              time.Duration
		run              Counts
		answered, failed time.Duration
	}{
		"nothing":                      {now: time.Hour},
		"none was ever answered":       {ended: []ended{{0, 0, Failed}, {0, 900 * ms, Limited}}, now: time.Second, run: Counts{Failed: 1, Limited: 1}, failed: time.Second},
		"in the same second":           {ended: []ended{{0, 100 * ms, Failed}, {0, 200 * ms, Answered}, {0, 300 * ms, TimedOut}}, now: 300 * ms, run: Counts{TimedOut: 1}, answered: 100 * ms, failed: 1},
		"answered twice in a second":   {ended: []ended{{0, 0, Answered}, {0, 100 * ms, Failed}, {0, 200 * ms, Answered}, {0, 300 * ms, Limited}}, now: 300 * ms, run: Counts{Limited: 1}, answered: 100 * ms, failed: 200 * ms},
		"in the seconds after":         {ended: []ended{{0, 0, Failed}, {0, 1000 * ms, Answered}, {0, 1500 * ms, Failed}, {0, 4 * time.Second, Unreachable}}, now: 5 * time.Second, run: Counts{Failed: 1, Unreachable: 1}, answered: 4 * time.Second, failed: time.Second},
		"limits are no failures":       {ended: []ended{{0, 0, Answered}, {0, 0, Limited}}, now: time.Second, run: Counts{Limited: 1}, answered: time.Second},
		"another model is answered":    {ended: []ended{{0, 0, Answered}, {0, 2 * time.Second, Failed}, {1, 5 * time.Second, Answered}, {0, 6 * time.Second, Failed}}, now: 6 * time.Second, run: Counts{Failed: 1}, answered: time.Second, failed: 1},
		"fifteen seconds are held":     {ended: []ended{{0, 0, Failed}, {0, 10 * time.Second, Failed}}, now: 15 * time.Second, run: Counts{Failed: 1}, failed: 5 * time.Second},
		"of other models a second":     {ended: []ended{{0, 100 * ms, Failed}, {1, 900 * ms, Answered}}, now: time.Second, run: Counts{Failed: 1}, answered: 100 * ms, failed: 900 * ms},
		"a minute is held of the rest": {ended: []ended{{0, 0, Answered}, {0, 0, Failed}}, now: Minute},
		"the clock was put back":       {ended: []ended{{0, time.Minute, Answered}, {0, time.Minute, Failed}}, now: time.Second, answered: 1, failed: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var windows [2]Window
			for _, e := range tc.ended {
				windows[e.window].Count(e.at, e.ending)
			}
			var r Reading
			windows[0].AddTo(&r, tc.now)
			windows[1].AddTo(&r, tc.now)
			if r.Run() != tc.run || r.AnsweredAgo() != tc.answered || r.FailedAgo() != tc.failed {
				t.Errorf("run %v, answered %s ago, failed %s ago", r.Run(), r.AnsweredAgo(), r.FailedAgo())
			}
		})
	}
}

func TestWindowsAddUp(t *testing.T) {
	var a, b Window
	a.Count(0, Answered)
	b.Count(0, Failed)
	b.FirstToken(0, time.Second)
	var sum Reading
	a.AddTo(&sum, time.Second)
	b.AddTo(&sum, time.Second)
	if sum.Minute != (Counts{Answered: 1, Failed: 1}) || sum.FirstToken.Count() != 1 {
		t.Errorf("%+v", sum.Minute)
	}
}

func TestCounts(t *testing.T) {
	counts := Counts{Answered: 90, Unreachable: 1, Failed: 2, TimedOut: 3, Limited: 2, Exhausted: 1, Refused: 1}
	if counts.Total() != 100 || counts.Failures() != 6 || counts.Permille() != 60 || (Counts{}).Permille() != 0 {
		t.Errorf("%d of %d, %d", counts.Failures(), counts.Total(), counts.Permille())
	}
	if got := (Counts{-1, 1 << 60}).Bounded(); got != (Counts{0, maxTotal}) {
		t.Errorf("bounded: %v", got)
	}
}

// TestWindowAllocatesOnce: the request path pays for a window once, and for its times once.
func TestWindowAllocatesOnce(t *testing.T) {
	var w Window
	w.FirstToken(0, time.Second)
	at := time.Duration(0)
	if got := testing.AllocsPerRun(1000, func() {
		at += 100 * time.Millisecond
		w.Count(at, Answered)
		w.FirstToken(at, time.Second)
		w.Rate(at, 100, time.Second)
	}); got != 0 {
		t.Errorf("%f allocations", got)
	}
}

func BenchmarkRecord(b *testing.B) {
	var w Window
	b.ReportAllocs()
	at := time.Duration(0)
	for b.Loop() {
		at += time.Microsecond
		w.Count(at, Answered)
		w.FirstToken(at, 300*time.Millisecond)
		w.Rate(at, 100, time.Second)
	}
}

func BenchmarkRead(b *testing.B) {
	var w Window
	for at := range 600 {
		w.Count(time.Duration(at)*100*time.Millisecond, Answered)
		w.FirstToken(time.Duration(at)*100*time.Millisecond, time.Duration(at)*time.Millisecond)
	}
	b.ReportAllocs()
	for b.Loop() {
		read(&w, Minute)
	}
}
