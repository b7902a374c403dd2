package route

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/table"
)

func target(name string, priority, weight int32) table.Target {
	return table.Target{Name: name, Priority: priority, Weight: weight}
}

func excluded(name, why string) table.Target {
	return table.Target{Name: name, Weight: 1, Excluded: why}
}

func TestOrder(t *testing.T) {
	type entry struct{ Name, Excluded string }
	cases := map[string]struct {
		targets []table.Target
		marks   []int64
		want    []entry
	}{
		"priority decides": {
			targets: []table.Target{target("c", 2, 1), target("a", 0, 1), target("b", 1, 1)},
			want:    []entry{{"a", ""}, {"b", ""}, {"c", ""}},
		},
		"first of the same priority by a low mark": {
			targets: []table.Target{target("a", 0, 9), target("b", 0, 1)}, marks: []int64{8},
			want: []entry{{"a", ""}, {"b", ""}},
		},
		"second of the same priority by a high mark": {
			targets: []table.Target{target("a", 0, 9), target("b", 0, 1)}, marks: []int64{9},
			want: []entry{{"b", ""}, {"a", ""}},
		},
		"drawn without replacement": {
			targets: []table.Target{target("a", 0, 1), target("b", 0, 1), target("c", 0, 1)}, marks: []int64{2, 1},
			want: []entry{{"c", ""}, {"a", ""}, {"b", ""}},
		},
		"excluded ones last, with their reason": {
			targets: []table.Target{excluded("x", "no key"), target("a", 5, 1), target("z", 0, 0)},
			want:    []entry{{"a", ""}, {"x", "no key"}, {"z", DrainedReason}},
		},
		"nothing usable": {
			targets: []table.Target{excluded("x", "no key")},
			want:    []entry{{"x", "no key"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			draws := 0
			random := func(int64) int64 { draws++; return tc.marks[draws-1] }
			var got []entry
			for _, c := range OrderByWeight(nil, tc.targets, random) {
				got = append(got, entry{tc.targets[c.Index].Name, c.Excluded})
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Order (-want +got):\n%s", diff)
			}
			if draws != len(tc.marks) {
				t.Errorf("drew %d times, want %d", draws, len(tc.marks))
			}
		})
	}
}

func TestOrderSharesByWeight(t *testing.T) {
	targets := []table.Target{target("a", 0, 700), target("b", 0, 200), target("c", 0, 100), target("late", 1, 1000)}
	generator := rand.New(rand.NewPCG(1, 2))
	first := map[string]int{}
	const rounds = 20000
	var buffer []WeightCandidate
	for range rounds {
		buffer = OrderByWeight(buffer[:0], targets, generator.Int64N)
		first[targets[buffer[0].Index].Name]++
		if len(buffer) != len(targets) || targets[buffer[3].Index].Name != "late" {
			t.Fatalf("order is not complete or breaks priority: %v", buffer)
		}
	}
	for name, share := range map[string]float64{"a": .7, "b": .2, "c": .1} {
		if got := float64(first[name]) / rounds; math.Abs(got-share) > 0.02 {
			t.Errorf("share of %s is %.3f, want about %.1f", name, got, share)
		}
	}
}

func FuzzOrderIsAPermutation(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 5, 2}, uint64(1))
	f.Add([]byte{}, uint64(7))
	f.Fuzz(func(t *testing.T, shape []byte, seed uint64) {
		var targets []table.Target
		for i := 0; i+1 < len(shape) && len(targets) < 16; i += 2 {
			targets = append(targets, table.Target{Priority: int32(shape[i] % 4), Weight: int32(shape[i+1])})
		}
		order := OrderByWeight(nil, targets, rand.New(rand.NewPCG(seed, 0)).Int64N)
		seen := map[int]bool{}
		for i, c := range order {
			seen[c.Index] = true
			if i > 0 && c.Excluded == "" && order[i-1].Excluded != "" {
				t.Fatalf("a usable target stands behind an excluded one: %v", order)
			}
			if i > 0 && c.Excluded == "" && targets[order[i-1].Index].Priority > targets[c.Index].Priority {
				t.Fatalf("priorities are not ascending: %v", order)
			}
		}
		if len(seen) != len(targets) || len(order) != len(targets) {
			t.Fatalf("%d targets, order %v", len(targets), order)
		}
	})
}

func BenchmarkOrder(b *testing.B) {
	targets := []table.Target{target("a", 0, 9), target("b", 0, 1), target("c", 1, 1)}
	var buffer []WeightCandidate
	b.ReportAllocs()
	for b.Loop() {
		buffer = OrderByWeight(buffer[:0], targets, rand.Int64N)
	}
}
