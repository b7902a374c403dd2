package fleet

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/proxy/control"
)

// A manager that starts tells nothing of proxies before it has observed all pods that there are and heard those that are ready; of silent ones in the end.
func TestSettled(t *testing.T) {
	w := newWorld(t)
	name := types.NamespacedName{Namespace: "team-a", Name: "proxy-1"}
	expect := func(when string, namespace string, want bool) {
		t.Helper()
		if got := w.Settled(namespace); got != want {
			t.Errorf("%s: settled is %v", when, got)
		}
	}
	expect("before anything is known", "team-a", false)
	w.begin([]types.NamespacedName{name, {Namespace: "team-b", Name: "gone"}})
	expect("before the pod is observed", "team-a", false)
	expect("a namespace without pods", "team-c", true)
	w.observe(name, observation{uid: "uid-1", addr: "10.0.0.1:8443", ready: true})
	expect("before the pod is heard", "team-a", false)
	receive(t, w.streams).handle(control.Report{PodUID: "uid-1", Sequence: 7})
	expect("once it is heard", "team-a", true)
	expect("a pod that is gone", "team-b", false)
	w.forget(types.NamespacedName{Namespace: "team-b", Name: "gone"})
	expect("once that is known", "team-b", true)
	w.observe(types.NamespacedName{Namespace: "team-a", Name: "proxy-2"}, observation{uid: "uid-2", addr: "10.0.0.2:8443", ready: true})
	expect("another pod that is silent", "team-a", false)
	w.clock.Step(settling)
	expect("in the end", "team-a", true)
	w.begin([]types.NamespacedName{name})
	expect("a pod that was observed before", "team-c", true)
	if len(w.awaited) > 0 {
		t.Errorf("%v are awaited", w.awaited)
	}
	w.clock.Step(time.Hour)
	expect("much later", "team-a", true)
}
