package peers

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"signalbox.dev/signalbox/proxy/control"
)

// TestGenerationIsFoundAtAnyReplica: the one that answered the request tells, and what the others do not know does not matter.
func TestGenerationIsFoundAtAnyReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2), at(3))
		a, _, c := g.start("a", 1), g.start("b", 2), g.start("c", 3)
		c.known = map[string]string{"gen-1": "what c knows"}
		pass(2 * time.Second)
		var got string
		take := func(known []byte) bool {
			got = string(known)
			return got != "worthless"
		}
		if !a.Generation(t.Context(), "gen-1", take) || got != "what c knows" {
			t.Errorf("a was told %q", got)
		}
		if a.Generation(t.Context(), "gen-2", take) {
			t.Error("somebody knew a request that never was")
		}
		if a.Generation(t.Context(), "../reports", take) {
			t.Error("a path was taken for an id")
		}
		c.known = map[string]string{"gen-1": "worthless"}
		if a.Generation(t.Context(), "gen-1", take) {
			t.Error("an answer that was not accepted counts")
		}
	})
}

// TestGenerationWaitsForNobodyForLong: a replica that hangs costs a second at most, and nothing when another one knows.
func TestGenerationWaitsForNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2), at(3))
		a, b, c := g.start("a", 1), g.start("b", 2), g.start("c", 3)
		pass(2 * time.Second)
		hold := make(chan struct{})
		b.hang = hold
		c.known = map[string]string{"gen-1": "x"}
		take := func([]byte) bool { return true }
		began := time.Now()
		if !a.Generation(t.Context(), "gen-1", take) || time.Since(began) >= control.GenerationTimeout {
			t.Errorf("it took %v", time.Since(began))
		}
		began = time.Now()
		if a.Generation(t.Context(), "gen-2", take) || time.Since(began) != control.GenerationTimeout {
			t.Errorf("without an answer it took %v", time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began = time.Now()
		if a.Generation(ctx, "gen-2", take) || time.Since(began) != 0 {
			t.Errorf("for a caller who left it took %v", time.Since(began))
		}
		close(hold)
		synctest.Wait()
	})
}
