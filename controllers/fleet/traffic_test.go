package fleet

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/traffic"
	"signalbox.dev/signalbox/proxy/window"
)

// step is a report and the time since the one before it.
type step struct {
	after    time.Duration
	block    traffic.Block
	seconds  int64
	standing bool
	shown    traffic.Block
}

func TestClaimsLast(t *testing.T) {
	cases := map[string][]step{
		"a long block counts at once": {
			{block: traffic.KeyRefused, seconds: 5, standing: true, shown: traffic.KeyRefused},
			{after: 4 * time.Second, block: traffic.KeyRefused, seconds: 1, standing: true, shown: traffic.KeyRefused},
			{after: time.Second},
		},
		"a short one when it has lasted": {
			{block: traffic.CircuitOpen, seconds: 1, shown: traffic.CircuitOpen},
			{after: time.Second, block: traffic.Trying, shown: traffic.CircuitOpen},
			{after: time.Second, block: traffic.CircuitOpen, seconds: 2, shown: traffic.CircuitOpen},
			{after: 3 * time.Second, block: traffic.Trying, standing: true, shown: traffic.CircuitOpen},
		},
		"a target that is tried keeps its reason": {
			{block: traffic.CoolingDown, seconds: 30, standing: true, shown: traffic.CoolingDown},
			{after: 30 * time.Second, block: traffic.Trying, standing: true, shown: traffic.CoolingDown},
			{after: time.Second, block: traffic.Trying, standing: true, shown: traffic.CoolingDown},
			{after: time.Second, block: traffic.CircuitOpen, seconds: 1, standing: true, shown: traffic.CircuitOpen},
		},
		"a target that is tried when it is first heard of": {{block: traffic.Trying, shown: traffic.CircuitOpen}},
		"short blocks one after another do not add up": {
			{block: traffic.CoolingDown, seconds: 1, shown: traffic.CoolingDown},
			{after: 3 * time.Second},
			{after: 3 * time.Second, block: traffic.CoolingDown, seconds: 1, shown: traffic.CoolingDown},
		},
		"a word of a later version": {{block: "Sulking", seconds: 9, standing: true, shown: traffic.CircuitOpen}},
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
			var said claims
			for i, step := range steps {
				now = now.Add(step.after)
				said = newClaims([]traffic.Target{{Route: "chat", Name: "first", Block: step.block, Seconds: step.seconds}}, said, now)
				if got := said["chat"]["first"]; got.standing != step.standing || got.Block != step.shown {
					t.Errorf("report %d: standing %t, %q; want %t, %q", i, got.standing, got.Block, step.standing, step.shown)
				}
			}
		})
	}
}

func TestClaimsAreBounded(t *testing.T) {
	hostile := traffic.Target{
		Route: "chat", Name: "first", Successor: strings.Repeat("ä", maxModel+1), Block: traffic.CircuitOpen, Seconds: math.MaxInt64,
		Calls: window.Counts{window.Failed: math.MaxInt64}, FirstToken: window.Packed{167, 1, 255, 255, 255, 255, 15}, Rate: window.Packed("no sketch"),
	}
	negative := traffic.Target{
		Route: "chat", Name: "second", Successor: strings.Repeat("ä", maxModel), Seconds: -1, Calls: window.Counts{math.MinInt64, -1, -1},
	}
	said := newClaims([]traffic.Target{hostile, negative}, nil, time.Time{})
	want := []Traffic{
		{Target: "first", Proxies: 5000, Blocked: 5000, Block: traffic.CircuitOpen, Figures: Figures{1000, 613_116, Unknown, 613_116}},
		{Target: "second", Successor: strings.Repeat("ä", maxModel), Proxies: 5000, Figures: NoFigures()},
	}
	pods := make([]claims, 5000)
	for i := range pods {
		pods[i] = said
	}
	if diff := cmp.Diff(want, merge(pods, "chat")); diff != "" {
		t.Errorf("traffic (-want +got):\n%s", diff)
	}
	many := make([]traffic.Target, traffic.MaxTargets+10)
	for i := range many {
		many[i] = traffic.Target{Route: fmt.Sprint(i), Name: "first"}
	}
	if got := len(newClaims(many, nil, time.Time{})); got != traffic.MaxTargets {
		t.Errorf("%d routes of one report are kept", got)
	}
}

// packed is a sketch of one value, so many times.
func packed(value int64, times int) window.Packed {
	var sketch window.Sketch
	for range times {
		sketch.Add(value)
	}
	return sketch.Pack()
}

func TestMerge(t *testing.T) {
	claimed := func(targets ...traffic.Target) claims {
		for i := range targets {
			targets[i].Route, targets[i].Name = "chat", "first"
		}
		return newClaims(targets, nil, time.Time{})
	}
	well := claimed(traffic.Target{Calls: failing(100), FirstToken: packed(100, 30), Rate: packed(50, 30)})
	slow := claimed(traffic.Target{Calls: failing(500), FirstToken: packed(500, 10)})
	broken := claimed(traffic.Target{Block: traffic.CircuitOpen, Seconds: 9})
	refused := claimed(traffic.Target{Block: traffic.KeyRefused, Seconds: 9})
	cases := map[string]struct {
		pods []claims
		want Traffic
		down bool
	}{
		"one pod":                            {pods: []claims{well}, want: Traffic{Proxies: 1, Figures: Figures{100, 100, 48, 100}}},
		"percentiles are those of all calls": {pods: []claims{well, slow}, want: Traffic{Proxies: 2, Figures: Figures{300, 100, 48, 494}}},
		"one of two leaves it alone":         {pods: []claims{well, broken}, want: Traffic{Proxies: 2, Blocked: 1, Block: traffic.CircuitOpen, Figures: Figures{100, 100, 48, 100}}},
		"all leave it alone":                 {pods: []claims{broken, broken}, want: Traffic{Proxies: 2, Blocked: 2, Block: traffic.CircuitOpen, Figures: NoFigures()}, down: true},
		"a pod that knows nothing":           {pods: []claims{broken, {}, {"other": nil}}, want: Traffic{Proxies: 1, Blocked: 1, Block: traffic.CircuitOpen, Figures: NoFigures()}, down: true},
		"the heaviest reason":                {pods: []claims{broken, refused, broken}, want: Traffic{Proxies: 3, Blocked: 3, Block: traffic.KeyRefused, Figures: NoFigures()}, down: true},
		"a block that does not count":        {pods: []claims{claimed(traffic.Target{Block: traffic.CoolingDown, Seconds: 1})}, want: Traffic{Proxies: 1, Figures: NoFigures()}},
		"a successor that one pod knows of":  {pods: []claims{well, claimed(traffic.Target{Successor: "new"})}, want: Traffic{Proxies: 2, Successor: "new", Figures: Figures{100, 100, 48, 100}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.want.Target = "first"
			got := merge(tc.pods, "chat")
			if diff := cmp.Diff([]Traffic{tc.want}, got); diff != "" {
				t.Fatalf("traffic (-want +got):\n%s", diff)
			}
			if got[0].Down() != tc.down {
				t.Errorf("down is %t", got[0].Down())
			}
		})
	}
}
