package traffic

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/window"
)

// reading is a minute of so many good streams with such a time to the first token.
func reading(calls, milliseconds int64) (r window.Reading) {
	r.Minute[window.Answered] = calls
	for range calls {
		r.FirstToken.Add(milliseconds)
		r.Rate.Add(50)
	}
	return r
}

func TestDescribe(t *testing.T) {
	calm := health.View{Samples: 10, Age: time.Second}
	blocked := func(block health.Block, left time.Duration) health.View { return health.View{Block: block, For: left} }
	minute := reading(10, 200)
	cases := map[string]struct {
		subject Subject
		minute  window.Reading
		views   []health.View
		want    Target
		silent  bool
	}{
		"never called":        {views: []health.View{{Ramp: 1000}}, silent: true},
		"no upstream":         {silent: true},
		"called":              {views: []health.View{calm}, minute: minute, want: Target{Calls: minute.Minute, FirstToken: minute.FirstToken.Pack(), Rate: minute.Rate.Pack()}},
		"called long ago":     {views: []health.View{{Samples: 1, Age: time.Hour}}, silent: true},
		"circuit open":        {views: []health.View{blocked(health.CircuitOpen, 1500*time.Millisecond)}, want: Target{Block: CircuitOpen, Seconds: 2}},
		"error rate":          {views: []health.View{blocked(health.ErrorRate, time.Second)}, want: Target{Block: ErrorRate, Seconds: 1}},
		"cooling down":        {views: []health.View{blocked(health.CoolingDown, time.Minute)}, want: Target{Block: CoolingDown, Seconds: 60}},
		"no quota":            {views: []health.View{blocked(health.NoQuota, time.Second)}, want: Target{Block: NoQuota, Seconds: 1}},
		"key refused":         {views: []health.View{blocked(health.KeyRefused, time.Second)}, want: Target{Block: KeyRefused, Seconds: 1}},
		"withdrawn":           {views: []health.View{blocked(health.Withdrawn, time.Second)}, want: Target{Block: Withdrawn, Seconds: 1}},
		"one upstream is out": {views: []health.View{blocked(health.CircuitOpen, time.Second), calm}, silent: true},
		"all are out; the first that comes back counts": {
			views: []health.View{blocked(health.KeyRefused, time.Hour), blocked(health.CoolingDown, 9*time.Second), blocked(health.CoolingDown, 4*time.Second)},
			want:  Target{Block: CoolingDown, Seconds: 4},
		},
		"the time is over": {
			views: []health.View{{Probe: true, Samples: 2, Age: time.Minute}}, want: Target{Block: Trying},
		},
		"the time is over and the block is still told": {views: []health.View{{Block: health.CircuitOpen, Probe: true}}, want: Target{Block: CircuitOpen}},
		"nobody tried for long":                        {views: []health.View{{Probe: true, Samples: 2, Age: tryingRecent + 1}}, silent: true},
		"tried a while ago":                            {views: []health.View{{Probe: true, Samples: 2, Age: tryingRecent}}, want: Target{Block: Trying}},
		"any model, of which one does not exist": {
			subject: Subject{AnyModel: true}, views: []health.View{blocked(health.Withdrawn, time.Hour)}, silent: true,
		},
		"any model of a refused key": {
			subject: Subject{AnyModel: true}, views: []health.View{blocked(health.Withdrawn, time.Hour), blocked(health.KeyRefused, time.Second)},
			want: Target{Block: KeyRefused, Seconds: 1},
		},
		"a successor is told without calls": {subject: Subject{Successor: "new"}, views: []health.View{{}}, want: Target{Successor: "new"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.subject.Route, tc.subject.Name, tc.subject.Provider = "chat", "first", "Groq"
			tc.want.Route, tc.want.Name, tc.want.Provider = "chat", "first", "Groq"
			got, tell := Describe(tc.subject, &tc.minute, tc.views...)
			if tell == tc.silent {
				t.Fatalf("told: %t, %+v", tell, got)
			}
			if diff := cmp.Diff(tc.want, got); tell && diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBoundedPrefersTroubleThenTraffic(t *testing.T) {
	var targets []Target
	for i := range MaxTargets + 100 {
		targets = append(targets, Target{Route: "chat", Name: fmt.Sprintf("t%05d", i), Calls: window.Counts{int64(i)}})
	}
	targets[3].Block, targets[5].Successor = Trying, "new"
	kept := Bounded(targets)
	if len(kept) != MaxTargets {
		t.Fatalf("%d targets are kept", len(kept))
	}
	for i, want := range []string{"t00005", "t00003", "t02099", "t02098"} {
		if kept[i].Name != want {
			t.Errorf("place %d is %s, want %s", i, kept[i].Name, want)
		}
	}
}

func TestWithdrawn(t *testing.T) {
	cases := map[string]struct {
		target Target
		want   bool
	}{
		"well":                          {target: Target{Calls: window.Counts{1}}},
		"left alone for something else": {target: Target{Block: KeyRefused}},
		"withdrawn":                     {target: Target{Block: Withdrawn}, want: true},
		"a successor serves":            {target: Target{Successor: "new"}, want: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.target.Withdrawn(); got != tc.want {
				t.Errorf("Withdrawn is %t", got)
			}
		})
	}
}

func TestWeightOfAnUnknownWord(t *testing.T) {
	if Open.Weight() != 0 || Block("Sulking").Weight() != 0 || Trying.Weight() != 1 || KeyRefused.Weight() != 7 {
		t.Error("the weights are wrong")
	}
}
