package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/traffic"
	"signalbox.dev/signalbox/proxy/window"
)

// told drains the requests for routes.
func (w *world) told() string { return drain(w.routes) }

func drain(queue workqueue.TypedRateLimitingInterface[reconcile.Request]) string {
	var names []string
	for queue.Len() > 0 {
		request, _ := queue.Get()
		queue.Done(request)
		names = append(names, request.String())
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func (w *world) expectCredentials(t *testing.T, when, want string) {
	t.Helper()
	if got := drain(w.credentials); got != want {
		t.Errorf("%s: told of %q, want %q", when, got, want)
	}
}

// start has a ready pod that acknowledged a table.
func (w *world) start(t *testing.T, name string) *stream {
	t.Helper()
	w.observe(podName(name), ready("uid-1", "10.0.0.1:8443"))
	opened := receive(t, w.streams)
	opened.handle(control.Report{PodUID: "uid-1", Sequence: 5})
	w.told()
	w.clock.Step(driftInterval)
	return opened
}

// report has a pod say something of targets.
func (s *stream) report(targets ...traffic.Target) {
	s.handle(control.Report{PodUID: "uid-1", Sequence: 5, Stats: control.Stats{Targets: targets}})
}

// failing is a thousand calls of which so many failed.
func failing(errors int64) window.Counts {
	return window.Counts{window.Answered: 1000 - errors, window.Failed: errors}
}

func called(route string, errors int64) traffic.Target {
	return traffic.Target{Route: route, Name: "first", Calls: failing(errors)}
}

func blocked() traffic.Target {
	return traffic.Target{Route: "chat", Name: "first", Block: traffic.CircuitOpen, Seconds: 10, Calls: failing(1000)}
}

func (w *world) expectTold(t *testing.T, when, want string) {
	t.Helper()
	if got := w.told(); got != want {
		t.Errorf("%s: told of %q, want %q", when, got, want)
	}
}

func TestFleetTellsAtOnceOfWhatTurns(t *testing.T) {
	w := newWorld(t)
	one, two := w.start(t, "one"), w.start(t, "two")
	one.report(called("chat", 0), called("other", 0))
	w.expectTold(t, "first calls", "team-a/chat team-a/other")
	two.report(called("chat", 0))
	one.report(blocked(), called("other", 0))
	w.expectTold(t, "one of two proxies leaves it alone", "")
	two.report(blocked())
	w.expectTold(t, "both leave it alone", "team-a/chat")
	one.report(blocked(), called("other", 0))
	two.report(blocked())
	w.expectTold(t, "nothing new", "")
	refused := blocked()
	refused.Block = traffic.KeyRefused
	one.report(refused, called("other", 0))
	w.expectTold(t, "another reason", "team-a/chat")
	one.report(called("other", 0))
	two.report(called("chat", 0))
	w.expectTold(t, "it is back", "team-a/chat")
	successor := called("chat", 0)
	successor.Successor = "new"
	two.report(successor)
	w.expectTold(t, "a successor serves", "team-a/chat")
}

func TestFleetTellsOfATargetThatIsNotSpokenOfAnyMore(t *testing.T) {
	w := newWorld(t)
	one := w.start(t, "one")
	one.report(blocked())
	w.expectTold(t, "it is left alone", "team-a/chat")
	one.report()
	w.expectTold(t, "it is not spoken of any more", "team-a/chat")
	if got := w.Traffic("team-a", "chat"); len(got) != 0 {
		t.Errorf("the traffic is %+v", got)
	}
}

func TestFleetTellsOfFiguresThatAreGone(t *testing.T) {
	w := newWorld(t)
	one := w.start(t, "one")
	one.report(called("chat", 0), called("other", 0))
	w.told()
	w.clock.Step(driftInterval)
	one.report(called("other", 0))
	w.expectTold(t, "nobody calls it any more", "team-a/chat")
}

func TestFleetTellsOfDriftsNowAndThen(t *testing.T) {
	w := newWorld(t)
	one := w.start(t, "one")
	one.report(called("chat", 0), called("still", 0))
	w.expectTold(t, "first figures", "team-a/chat team-a/still")
	w.clock.Step(driftInterval - 1)
	one.report(called("chat", 100), called("still", 0))
	w.expectTold(t, "too early", "")
	w.clock.Step(1)
	one.report(called("still", 9))
	w.expectTold(t, "what moved in the meantime, and is not spoken of any more", "team-a/chat")
	w.clock.Step(driftInterval)
	one.report(called("still", 9))
	w.expectTold(t, "nothing moved far", "")
	w.clock.Step(driftInterval)
	one.report(called("still", 30))
	w.expectTold(t, "figures moved", "team-a/still")
}

// TestFleetTellsOfAShareOfProxiesNowAndThen: which proxies have heard of a block changes many times in a second.
func TestFleetTellsOfAShareOfProxiesNowAndThen(t *testing.T) {
	w := newWorld(t)
	one, two := w.start(t, "one"), w.start(t, "two")
	one.report(called("chat", 0))
	two.report(called("chat", 0))
	w.told()
	one.report(blocked())
	w.expectTold(t, "one of two at first", "")
	w.clock.Step(driftInterval)
	two.report(called("chat", 0))
	w.expectTold(t, "one of two in the end", "team-a/chat")
	if got := w.Traffic("team-a", "chat"); len(got) != 1 || got[0].Down() || got[0].Blocked != 1 || got[0].Proxies != 2 {
		t.Errorf("the traffic is %+v", got)
	}
}

func TestFleetDoesNotTellHowManyProxiesAgree(t *testing.T) {
	w := newWorld(t)
	one, two := w.start(t, "one"), w.start(t, "two")
	ill := blocked()
	ill.Route = "other"
	one.report(called("chat", 0), ill)
	w.told()
	w.clock.Step(driftInterval)
	two.report(called("chat", 0), ill)
	w.expectTold(t, "another proxy says the same", "")
}

func TestFleetCountsReadyPodsOnly(t *testing.T) {
	w := newWorld(t)
	one, two := w.start(t, "one"), w.start(t, "two")
	one.report(called("chat", 0))
	two.report(blocked())
	w.told()
	w.observe(podName("one"), observation{uid: "uid-1", addr: "10.0.0.1:8443"})
	want := []Traffic{{Target: "first", Proxies: 1, Blocked: 1, Block: traffic.CircuitOpen, Figures: Figures{1000, Unknown, Unknown, Unknown}}}
	if diff := cmp.Diff(want, w.Traffic("team-a", "chat")); diff != "" {
		t.Errorf("traffic (-want +got):\n%s", diff)
	}
	one.report(called("chat", 0))
	w.expectTold(t, "a pod that is not ready", "")
	// The change of readiness told everybody that the target is down, so its return is news.
	two.report(called("chat", 1000))
	w.expectTold(t, "it is back", "team-a/chat")
}

func TestFleetForgetsTheTrafficOfPodsThatAreGone(t *testing.T) {
	w := newWorld(t)
	one := w.start(t, "one")
	one.report(blocked())
	w.forget(podName("one"))
	one.report(blocked())
	if got := w.Traffic("team-a", "chat"); len(got) != 0 || len(w.notices) != 0 {
		t.Errorf("the traffic is %+v, the notices are %v", got, w.notices)
	}
}

func TestFleetForgetsTheTrafficOfAPodThatIsSilent(t *testing.T) {
	w := newWorld(t)
	one := w.start(t, "one")
	one.report(blocked())
	one.broken <- errors.New("reset")
	w.reconnect(t).broken <- errors.New("refused")
	w.advance(t)
	receive(t, w.streams)
	if got := w.Traffic("team-a", "chat"); len(got) != 0 {
		t.Errorf("the traffic is %+v", got)
	}
}

// TestFleetKeepsManyRoutesQuiet: with a thousand routes that are called, reports wake those whose figures moved and no others.
func TestFleetKeepsManyRoutesQuiet(t *testing.T) {
	w := newWorld(t)
	one := w.start(t, "one")
	targets := make([]traffic.Target, 1000)
	for i := range targets {
		targets[i] = called(fmt.Sprintf("route-%d", i), 0)
	}
	one.report(targets...)
	w.told()
	for range 20 {
		w.clock.Step(time.Second)
		one.report(targets...)
	}
	w.expectTold(t, "the same again and again", "")
	targets[7].Calls = failing(400)
	w.clock.Step(driftInterval)
	one.report(targets...)
	w.expectTold(t, "one of them fails", "team-a/"+targets[7].Route)
}
