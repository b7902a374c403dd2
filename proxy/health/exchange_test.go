package health_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// hear hears what has to be right.
func (w *world) hear(said string) {
	w.Helper()
	if err := w.registry.Hear(json.RawMessage(said), w.now); err != nil {
		w.Fatalf("hearing %s: %v", said, err)
	}
}

type told struct {
	Credential, Key, Model, Block string
	RemainingMS                   int64
}

// said is what a registry says.
func (w *world) said() []told {
	w.Helper()
	var list []told
	if raw := w.registry.Say(w.now); raw != nil {
		if err := json.Unmarshal(raw, &list); err != nil {
			w.Fatal(err)
		}
	}
	return list
}

// TestSay: what this replica found out itself, as durations, the longest first.
func TestSay(t *testing.T) {
	w := newWorld(t)
	if raw := w.registry.Say(w.now); raw != nil {
		t.Errorf("it says %s of nothing", raw)
	}
	w.call(w.model("rate"), outcome(table.RateLimited, 1500*time.Microsecond))
	w.fail(w.model("circuit"), 5)
	w.call(w.model("gone"), outcome(table.ModelWithdrawn, 0))
	w.call(w.registry.Upstream(health.Subject{Credential: "c", Key: "bad", Model: "m"}), outcome(table.KeyRejected, 0))
	want := []told{
		{"c", "bad", "", "KeyRefused", 10_000}, {"c", "k", "circuit", "CircuitOpen", 1000}, {"c", "k", "rate", "CoolingDown", 2}, {"c", "k", "gone", "Withdrawn", 60_000},
	}
	if diff := cmp.Diff(want, w.said()); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	w.pass(time.Second)
	want = []told{{"c", "bad", "", "KeyRefused", 9000}, {"c", "k", "gone", "Withdrawn", 59_000}}
	if diff := cmp.Diff(want, w.said()); diff != "" {
		t.Errorf("said later (-want +got):\n%s", diff)
	}
	w.pass(time.Hour)
	if raw := w.registry.Say(w.now); raw != nil {
		t.Errorf("it says %s of what is over", raw)
	}
}

// TestSayIsBounded, and leaves out models that clients made up before all else.
func TestSayIsBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 600 {
		w.call(w.model(fmt.Sprintf("made-up-%d", i)), outcome(table.ModelWithdrawn, 0))
	}
	w.fail(w.model("circuit"), 5)
	list := w.said()
	if len(list) != 512 || list[0].Model != "circuit" {
		t.Errorf("%d are said, first %+v", len(list), list[0])
	}
	w = newWorld(t)
	for i := range 512 {
		w.call(w.model(fmt.Sprintf("%d", i)+strings.Repeat("\x01", 500)), outcome(table.ModelWithdrawn, 0))
	}
	w.call(w.model(strings.Repeat("x", 513)), outcome(table.RateLimited, time.Hour))
	if raw := w.registry.Say(w.now); len(raw) > 256<<10 || len(w.said()) < 50 {
		t.Errorf("%d bytes with %d blocks are said", len(raw), len(w.said()))
	}
	other := newWorld(t)
	other.hear(string(w.registry.Say(w.now)))
}

// TestNoEcho: what was heard is not said again, and what was found is said as it was found.
func TestNoEcho(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	w.hear(`[{"credential":"c","key":"k","model":"m","block":"CoolingDown","remainingMS":60000},{"credential":"c","key":"k","block":"NoQuota","remainingMS":60000}]`)
	w.blocked(u, health.CoolingDown, time.Minute)
	if raw := w.registry.Say(w.now); raw != nil || w.changed != 0 {
		t.Errorf("it says %s, %d changes", raw, w.changed)
	}
	w = newWorld(t)
	u = w.model("m")
	a := w.begin(u)
	w.hear(`[{"credential":"c","key":"k","model":"m","block":"Withdrawn","remainingMS":60000}]`)
	a.End(w.now, outcome(table.RateLimited, time.Second))
	w.blocked(u, health.Withdrawn, time.Minute)
	if diff := cmp.Diff([]told{{"c", "k", "m", "CoolingDown", 1000}}, w.said()); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}

// TestHear: what another replica found out holds here too, for upstreams not seen yet as well, and ends in a single attempt of this replica's own.
func TestHear(t *testing.T) {
	from, to := newWorld(t), newWorld(t)
	to.now = to.now.Add(-1000 * time.Hour) // Clocks may differ.
	u := from.model("m")
	from.fail(u, 5)
	from.call(from.model("other"), outcome(table.QuotaExhausted, 10*time.Second))
	to.hear(string(from.registry.Say(from.now)))
	from.hear(string(from.registry.Say(from.now)))

	here := to.model("m")
	to.blocked(here, health.NoQuota, 10*time.Second)
	to.pass(10 * time.Second)
	old := to.begin(here)
	to.refused(here)
	old.End(to.now, failed)
	to.blocked(here, health.CircuitOpen, time.Second)
	to.pass(time.Second)
	to.call(here, success)
	to.begin(here)
	to.begin(here)
}

// TestHearStrangers: an attempt from before what was heard does not end it.
func TestHearStrangers(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	a := w.begin(u)
	w.hear(`[{"credential":"c","key":"k","model":"m","block":"CircuitOpen","remainingMS":1000}]`)
	w.pass(time.Second)
	a.End(w.now, success)
	if v := u.View(w.now); !v.Probe {
		t.Errorf("it is open: %+v", v)
	}
	probe := w.begin(u)
	w.hear(`[{"credential":"c","key":"k","model":"m","block":"CircuitOpen","remainingMS":1000}]`)
	probe.End(w.now, success)
	w.blocked(u, health.CircuitOpen, time.Second)
}

// TestHearNothingSofter: a share of failures, which can be passed over, does not take the place of what cannot, however long it holds.
func TestHearNothingSofter(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	w.call(u, outcome(table.RateLimited, 30*time.Second))
	w.hear(`[{"credential":"c","key":"k","model":"m","block":"ErrorRate","remainingMS":40000}]`)
	w.blocked(u, health.CoolingDown, 40*time.Second)
	if _, ok := u.Begin(w.now, 1, true); ok {
		t.Error("it is passed over")
	}
}

// TestHearBounds: only what can be a block is taken in, and only as much as one message may hold.
func TestHearBounds(t *testing.T) {
	entry := func(credential, key, model, block, remaining string) string {
		return fmt.Sprintf(`{"credential":%q,"key":%q,"model":%q,"block":%q,"remainingMS":%s}`, credential, key, model, block, remaining)
	}
	good := entry("c", "k", "m", "CoolingDown", "1000")
	for name, tc := range map[string]struct {
		said string
		fine bool
		left time.Duration
	}{
		"empty":           {"", true, 0},
		"null":            {"null", false, 0},
		"no blocks":       {"[]", true, 0},
		"an object":       {"{}", false, 0},
		"no JSON":         {"[" + good, false, 0},
		"two lists":       {"[" + good + "][]", false, 0},
		"unknown fields":  {`[{"credential":"c","key":"k","model":"m","block":"CoolingDown","remainingMS":1000,"more":[1]}]`, true, time.Second},
		"wrong types":     {`[1,"a",null,{"credential":5},{"remainingMS":"x"},` + good + `]`, false, time.Second},
		"unknown word":    {"[" + entry("c", "k", "m", "Melted", "1000") + "," + good + "]", false, time.Second},
		"open":            {"[" + entry("c", "k", "m", "Open", "60000") + "]", false, 0},
		"no headroom":     {"[" + entry("c", "k", "m", "NoHeadroom", "60000") + "]", false, 0},
		"over":            {"[" + entry("c", "k", "m", "CoolingDown", "0") + "]", false, 0},
		"negative":        {"[" + entry("c", "k", "m", "CoolingDown", "-9223372036854775808") + "]", false, 0},
		"huge":            {"[" + entry("c", "k", "m", "CoolingDown", "9223372036854775807") + "]", true, time.Hour},
		"too huge":        {"[" + entry("c", "k", "m", "CoolingDown", "1e30") + "]", false, 0},
		"no credential":   {"[" + entry("", "k", "m", "CoolingDown", "1000") + "]", false, 0},
		"long credential": {"[" + entry(strings.Repeat("c", 254), "k", "m", "CoolingDown", "1000") + "]", false, 0},
		"long key":        {"[" + entry("c", strings.Repeat("k", 257), "m", "CoolingDown", "1000") + "]", false, 0},
		"long model":      {"[" + entry("c", "k", strings.Repeat("m", 513), "CoolingDown", "1000") + "]", false, 0},
		"too long":        {"[" + good + strings.Repeat(" ", 256<<10) + "]", false, 0},
		"as many":         {"[" + strings.Repeat(entry("c", "k", "x", "CoolingDown", "1")+",", 511) + good + "]", true, time.Second},
		"too many":        {"[" + strings.Repeat(entry("c", "k", "x", "CoolingDown", "1")+",", 512) + good + "]", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			err := w.registry.Hear(json.RawMessage(tc.said), w.now)
			if (err == nil) != tc.fine {
				t.Errorf("error is %v", err)
			}
			if got := w.model("m").View(w.now).For; got != tc.left {
				t.Errorf("blocked for %s, want %s", got, tc.left)
			}
			count := 0
			w.registry.Each(w.now, func(health.Subject, health.View) { count++ })
			if count > 4 {
				t.Errorf("%d states were made", count)
			}
		})
	}
}

// TestHearKeysAreBounded: other replicas cannot make this one remember any number of keys.
func TestHearKeysAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		var list []string
		for j := range 400 {
			list = append(list, fmt.Sprintf(`{"credential":"c","key":"%d-%d","block":"KeyRefused","remainingMS":1000}`, i, j))
		}
		err := w.registry.Hear(json.RawMessage("["+strings.Join(list, ",")+"]"), w.now)
		if full := (i+1)*400 > 4096; (err != nil) != full {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	keys := 0
	w.registry.Each(w.now, func(health.Subject, health.View) { keys++ })
	if keys != 4096 {
		t.Errorf("%d keys are remembered", keys)
	}
	w.call(w.model("own"), success) // Those of the table always have room.
}

// TestHearErrorsHoldNothing of what was said.
func TestHearErrorsHoldNothing(t *testing.T) {
	w := newWorld(t)
	for _, said := range []string{`[{"credential":"secret","block":"secret"}]`, `secret`, `["secret"]`} {
		if err := w.registry.Hear(json.RawMessage(said), w.now); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s is %v", said, err)
		}
	}
}

// FuzzHear checks that whatever is said, no deadline shrinks or goes beyond its bound.
func FuzzHear(f *testing.F) {
	for _, seed := range []string{
		`[{"credential":"c","key":"k","model":"m","block":"CoolingDown","remainingMS":1000}]`, `[{"credential":"c","block":"NoQuota","remainingMS":9e18}]`, `[[]]`, `[{"a":1},2]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		w := newWorld(t)
		u := w.model("m")
		w.call(u, outcome(table.RateLimited, time.Minute))
		err := w.registry.Hear(said, w.now)
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("error %v", err)
		}
		if v := u.View(w.now); v.Block == health.Open || v.For < time.Minute || v.For > time.Hour {
			t.Errorf("after %q: %+v", said, v)
		}
		w.registry.Each(w.now, func(s health.Subject, v health.View) {
			if v.For > time.Hour || v.For < 0 || s.Credential == "" {
				t.Errorf("after %q: %+v %+v", said, s, v)
			}
		})
	})
}
