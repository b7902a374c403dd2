package health_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

func TestUpstreamIsTheSame(t *testing.T) {
	w := newWorld(t)
	states := map[*health.Upstream]health.Subject{}
	for range 2 {
		for _, s := range []health.Subject{{Credential: "c", Key: "k", Model: "a"}, {Credential: "c", Key: "k", Model: "b"}, {Credential: "c", Key: "k"}} {
			u := w.registry.Upstream(s)
			if known, ok := states[u]; ok && known != s {
				t.Errorf("%v and %v have one state", known, s)
			}
			states[u] = s
		}
	}
	if len(states) != 3 {
		t.Errorf("three subjects have %d states", len(states))
	}
}

// TestRoomForModels: of more than 4096 models the one that was not used for the longest time is forgotten, but none that has an attempt under way.
func TestRoomForModels(t *testing.T) {
	w := newWorld(t)
	use := func(i int) *health.Upstream {
		u := w.model(fmt.Sprint(i))
		u.View(w.now)
		w.pass(time.Second)
		return u
	}
	var states []*health.Upstream
	var busy health.Attempt
	for i := range 4096 {
		states = append(states, use(i))
		if i == 1 {
			busy = w.begin(states[i])
		}
	}
	states[0].View(w.now)
	w.pass(time.Second)
	use(4096) // 2 goes: 1 is busy, 0 was just looked at.
	use(4097) // 3 goes.
	for i, kept := range map[int]bool{0: true, 1: true, 4: true, 4095: true} {
		if same := w.model(fmt.Sprint(i)) == states[i]; same != kept {
			t.Errorf("model %d is the same: %t, want %t", i, same, kept)
		}
	}
	models := 0
	w.registry.Each(w.now, func(s health.Subject, _ health.View) {
		if s.Model == "2" || s.Model == "3" {
			t.Errorf("model %s is not forgotten", s.Model)
		}
		if s.Model != "" {
			models++
		}
	})
	if models != 4096 {
		t.Errorf("%d models are remembered", models)
	}
	busy.End(w.now, success)
}

// TestForgottenModelInUse: a model that was forgotten, but that a table still holds, comes back with what is known of it, unless there is a new state.
func TestForgottenModelInUse(t *testing.T) {
	w := newWorld(t)
	held, replaced := w.model("held"), w.model("replaced")
	w.call(held, outcome(table.RateLimited, time.Hour))
	w.call(replaced, outcome(table.RateLimited, time.Hour))
	w.pass(5 * time.Second)
	for i := range 4096 {
		w.pass(800 * time.Millisecond)
		w.model(fmt.Sprint(i)).View(w.now)
	}
	known := func(name string) (found bool) {
		w.registry.Each(w.now, func(s health.Subject, _ health.View) { found = found || s.Model == name })
		return found
	}
	if known("held") || known("replaced") {
		t.Fatal("they are not forgotten")
	}
	fresh := w.model("replaced")
	w.pass(2 * time.Second)
	held.View(w.now)
	replaced.View(w.now)
	if !known("held") || w.model("held") != held {
		t.Error("it does not come back")
	}
	if w.model("replaced") != fresh {
		t.Error("an old state takes the place of the new one")
	}
	if got := len(w.said()); got != 1 {
		t.Errorf("%d blocks are said, want that of the one that came back", got)
	}
}

// TestNewModelIsNotForgottenFirst: a model that was not called yet is not the oldest.
func TestNewModelIsNotForgottenFirst(t *testing.T) {
	w := newWorld(t)
	for i := range 4095 {
		w.model(fmt.Sprint(i)).View(w.now)
		w.pass(time.Second)
	}
	fresh := w.model("new")
	w.model("newer")
	if w.model("new") != fresh {
		t.Error("it is forgotten")
	}
}

func TestRetain(t *testing.T) {
	w := newWorld(t)
	subjects := []health.Subject{
		{Credential: "c", Key: "old", Model: "m"}, {Credential: "c", Key: "new", Model: "m"}, {Credential: "gone", Key: "new", Model: "m"},
		{Credential: "none", Model: "m"},
	}
	var states []*health.Upstream
	for _, s := range subjects {
		states = append(states, w.registry.Upstream(s))
	}
	used := w.begin(states[0])
	w.registry.Retain(func(credential, key string) bool {
		return credential == "c" && key == "new" || credential == "none" && key == ""
	})
	used.FirstToken(w.now)
	used.End(w.now, outcome(table.KeyRejected, 0))
	w.pass(10 * time.Second)
	states[0].View(w.now)
	kept := map[health.Subject]bool{}
	w.registry.Each(w.now, func(s health.Subject, v health.View) { kept[s] = v.Block == health.Open })
	want := map[health.Subject]bool{
		{Credential: "c", Key: "new", Model: "m"}: true, {Credential: "c", Key: "new"}: true, {Credential: "none", Model: "m"}: true, {Credential: "none"}: true,
	}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if w.registry.Upstream(subjects[0]) == states[0] || w.registry.Upstream(subjects[1]) != states[1] {
		t.Error("what was dropped is still there, or what was kept is not")
	}
}

// TestEach sees models and keys.
func TestEach(t *testing.T) {
	w := newWorld(t)
	w.call(w.model("m"), outcome(table.QuotaExhausted, 5*time.Second))
	got := map[health.Subject]time.Duration{}
	w.registry.Each(w.now, func(s health.Subject, v health.View) { got[s] = v.For })
	want := map[health.Subject]time.Duration{{Credential: "c", Key: "k", Model: "m"}: 5 * time.Second, {Credential: "c", Key: "k"}: 5 * time.Second}
	for s, left := range want {
		if absolute(got[s]-left) > time.Microsecond || len(got) != len(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// TestNames: the names of blocks are those that the status and other replicas use.
func TestNames(t *testing.T) {
	var names []string
	for b := health.Open; b <= health.NoHeadroom+1; b++ {
		names = append(names, b.String())
	}
	want := []string{"Open", "CircuitOpen", "ErrorRate", "CoolingDown", "NoQuota", "KeyRefused", "Withdrawn", "NoHeadroom", "Unknown"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// TestSystemRandomness: without options it works too.
func TestSystemRandomness(t *testing.T) {
	w := newWorld(t)
	w.registry = health.NewRegistry(health.Options{})
	u := w.model("m")
	w.fail(u, 5)
	if left := u.View(w.now).For; left < 499*time.Millisecond || left > time.Second {
		t.Errorf("the circuit is open for %s", left)
	}
	w.pass(time.Second)
	w.call(u, success)
}
