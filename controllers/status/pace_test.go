package status

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestPace(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	name, other := types.NamespacedName{Namespace: "team-a", Name: "one"}, types.NamespacedName{Namespace: "team-b", Name: "one"}
	var pace Pace
	expect := func(when string, name types.NamespacedName, now time.Time, want time.Duration) {
		t.Helper()
		if got := pace.Wait(name, 5*time.Second, now); got != want {
			t.Errorf("%s: waits %s, want %s", when, got, want)
		}
	}
	pace.Forget(name)
	expect("never written", name, noon, 0)
	pace.Wrote(name, noon)
	expect("just written", name, noon, 5*time.Second)
	expect("another object", other, noon, 0)
	expect("a while later", name, noon.Add(2*time.Second), 3*time.Second)
	expect("in time", name, noon.Add(5*time.Second), 0)
	expect("long after", name, noon.Add(time.Hour), 0)
	expect("the clock was set back", name, noon.Add(-time.Hour), 5*time.Second)
	pace.Forget(name)
	expect("forgotten", name, noon, 0)
}
