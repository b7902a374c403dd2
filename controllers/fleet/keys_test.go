package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/control"
)

// issuers are those that the manager can ask; the test gives their answers.
type issuers struct {
	mutex   sync.Mutex
	waiting map[string][]func(digest string) // by URL
	told    chan string
	refuse  bool // whether proxies cannot be told anything
}

// withIssuers lets a fleet ask issuers a and b, and no other.
func withIssuers(w *world) *issuers {
	i := &issuers{waiting: map[string][]func(string){"a": nil, "b": nil}, told: make(chan string, 100)}
	w.options.KeysWanted = func(issuer string, found func(string)) bool {
		i.mutex.Lock()
		defer i.mutex.Unlock()
		if _, known := i.waiting[issuer]; !known {
			return false
		}
		i.waiting[issuer] = append(i.waiting[issuer], found)
		return true
	}
	w.options.TellKeys = func(_ context.Context, addr string, _ *control.Identity, found control.KeysFound) error {
		i.told <- fmt.Sprintf("%s: %s, %d, %s", addr, found.Issuer, found.Asked, found.Digest)
		if i.refuse {
			return errors.New("reset")
		}
		return nil
	}
	return i
}

// asked counts the questions that wait for an answer of an issuer.
func (i *issuers) asked(issuer string) int {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return len(i.waiting[issuer])
}

func (i *issuers) answer(issuer, digest string) {
	i.mutex.Lock()
	waiting := i.waiting[issuer]
	i.waiting[issuer] = nil
	i.mutex.Unlock()
	for _, found := range waiting {
		found(digest)
	}
}

func (i *issuers) expectTold(t *testing.T, want string) {
	t.Helper()
	if diff := cmp.Diff(want, receive(t, i.told)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func wanting(requests int64, issuers ...string) control.Report {
	return control.Report{PodUID: "uid-1", Sequence: 1, Stats: control.Stats{KeysWanted: issuers, KeysAsked: requests}}
}

func TestFleetBringsAnswersOfIssuers(t *testing.T) {
	w := newWorld(t)
	asked := withIssuers(w)
	one := w.start(t, "one")
	one.handle(wanting(3, "a", "nobody"))
	one.handle(wanting(5, "a", "b"))
	if asked.asked("a") != 1 || asked.asked("b") != 1 {
		t.Errorf("a is asked %d times and b %d times", asked.asked("a"), asked.asked("b"))
	}
	asked.answer("b", "keys-of-b")
	asked.expectTold(t, one.addr+": b, 5, keys-of-b")
	asked.answer("a", "keys-of-a")
	asked.expectTold(t, one.addr+": a, 3, keys-of-a")
}

// TestFleetAsksAgain shows that a request that came after the question, or whose answer was lost, gets one of its own.
func TestFleetAsksAgain(t *testing.T) {
	w := newWorld(t)
	asked := withIssuers(w)
	asked.refuse = true
	one := w.start(t, "one")
	for requests := range int64(5) {
		for asked.asked("a") == 0 {
			one.handle(wanting(requests, "a")) // the answer before may still be on its way
		}
		asked.answer("a", "keys")
		asked.expectTold(t, fmt.Sprintf("%s: a, %d, keys", one.addr, requests))
	}
}

func TestFleetTellsNoPodThatIsGone(t *testing.T) {
	w := newWorld(t)
	asked := withIssuers(w)
	one := w.start(t, "one")
	one.handle(wanting(1, "a"))
	w.forget(podName("one"))
	<-one.ended
	for range 2 * maxKeysWanted {
		one.handle(wanting(1, "a", "b"))
		asked.answer("a", "keys")
	}
	if len(asked.told) > 1 {
		t.Errorf("a pod that is gone was told %d times", len(asked.told))
	}
}

func TestAPodCannotAskForEver(t *testing.T) {
	w := newWorld(t)
	asked := withIssuers(w)
	var many []string
	for i := range 3 * maxKeysWanted {
		name := fmt.Sprint(i)
		asked.waiting[name] = nil
		many = append(many, name)
	}
	one := w.start(t, "one")
	one.handle(wanting(1, many...))
	one.handle(wanting(1, many[maxKeysWanted:]...))
	count := 0
	for _, name := range many {
		count += asked.asked(name)
	}
	if count != maxKeysWanted {
		t.Errorf("%d issuers are asked", count)
	}
}
