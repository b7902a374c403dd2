package upstream

import (
	"fmt"
	"testing"
	"time"
)

func newReplicas(servers int) *replicaSet {
	set := &replicaSet{}
	for i := range servers {
		addr := serverAddr(i + 1)
		set.replicas = append(set.replicas, &replica{address: addr.String(), hash: hashOf(addr)})
	}
	return set
}

const hashes = 20_000

// Hashes are shared evenly, also when they are small numbers in a row.
func TestAffinityIsEven(t *testing.T) {
	now := time.Now()
	for _, servers := range []int{2, 3, 10, 50} {
		set := newReplicas(servers)
		counts := map[*replica]int{}
		for hash := range uint64(hashes) {
			counts[set.byAffinity(hash, now)[0]]++
		}
		even := hashes / servers
		for _, r := range set.replicas {
			if n := counts[r]; n < even*8/10 || n > even*12/10 {
				t.Errorf("%s of %d servers has %d hashes, want %d", r.address, servers, n, even)
			}
		}
	}
}

// A server that comes takes its share and nothing else moves; when it goes, only its hashes move.
func TestFewHashesMove(t *testing.T) {
	now := time.Now()
	for _, servers := range []int{2, 3, 7, 20} {
		t.Run(fmt.Sprint(servers), func(t *testing.T) {
			before, after := newReplicas(servers), newReplicas(servers+1)
			added := after.replicas[servers]
			moved := 0
			for hash := range uint64(hashes) {
				was, is := before.byAffinity(hash, now)[0], after.byAffinity(hash, now)[0]
				if was.address == is.address {
					continue
				}
				moved++
				if is != added {
					t.Fatalf("hash %d moved from %s to %s, neither of which came", hash, was.address, is.address)
				}
			}
			share := hashes / (servers + 1)
			if moved < share*8/10 || moved > share*12/10 {
				t.Errorf("%d of %d hashes moved, want one in %d", moved, hashes, servers+1)
			}
		})
	}
}

// The hashes of a server that takes no connections go to many others, and each to the one it would try next anyway.
func TestHashesOfAnAvoidedServer(t *testing.T) {
	now := time.Now()
	set := newReplicas(5)
	before := map[uint64]order{}
	for hash := range uint64(1000) {
		before[hash] = set.byAffinity(hash, now)
	}
	down := set.replicas[2]
	down.unreached(now)
	heirs := map[*replica]bool{}
	for hash, was := range before {
		is := set.byAffinity(hash, now)
		want := was[0]
		if was[0] == down {
			want = was[1]
			heirs[is[0]] = true
		}
		if is[0] != want {
			t.Fatalf("hash %d went to %s, want %s", hash, is[0].address, want.address)
		}
	}
	if len(heirs) != 4 {
		t.Errorf("the hashes went to %d servers, want all 4 others", len(heirs))
	}
	for hash, was := range before {
		if is := set.byAffinity(hash, now.Add(avoidance)); is != was {
			t.Fatalf("hash %d has not come back", hash)
		}
	}
}

func TestOrder(t *testing.T) {
	now := time.Now()
	cases := map[string]struct{ servers, down, want int }{
		"two":                 {2, 0, 2},
		"more than are tried": {9, 0, maxReplicasTried},
		"all are down":        {4, 4, maxReplicasTried},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			set := newReplicas(tc.servers)
			for _, r := range set.replicas[:tc.down] {
				r.unreached(now)
			}
			for hash := range uint64(100) {
				got := set.byAffinity(hash, now)
				if n := got.count(); n != tc.want {
					t.Fatalf("%d servers, want %d", n, tc.want)
				}
				seen := map[*replica]bool{}
				for _, r := range got[:tc.want] {
					seen[r] = true
				}
				if len(seen) != tc.want {
					t.Fatalf("hash %d would try a server twice", hash)
				}
			}
		})
	}
}

// choices counts where requests without affinity go when their loads do not change.
func choices(set *replicaSet, now time.Time) []int {
	counts := make([]int, len(set.replicas))
	for i := range uint64(hashes) {
		first := set.byLoad(mix(i*golden), now)[0]
		for at, r := range set.replicas {
			if r == first {
				counts[at]++
			}
		}
	}
	return counts
}

func TestLoadIsBalancedByTwoChoices(t *testing.T) {
	now := time.Now()
	cases := map[string]struct {
		loads    []int64
		down     int // index of a server to avoid, -1 for none
		min, max []int
	}{
		"equal":            {[]int64{3, 3, 3, 3}, -1, []int{4500, 4500, 4500, 4500}, []int{5500, 5500, 5500, 5500}},
		"the less loaded":  {[]int64{1, 0}, -1, []int{0, hashes}, []int{0, hashes}},
		"the most loaded":  {[]int64{9, 1, 1, 1}, -1, []int{0, 6000, 6000, 6000}, []int{0, 7300, 7300, 7300}},
		"no herd":          {[]int64{0, 5, 5, 5}, -1, []int{9500, 3000, 3000, 3000}, []int{10500, 3700, 3700, 3700}},
		"idle but avoided": {[]int64{0, 5, 5, 5}, 0, []int{0, 6000, 6000, 6000}, []int{0, 7300, 7300, 7300}},
		"one of two left":  {[]int64{0, 5}, 0, []int{0, hashes}, []int{0, hashes}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			set := newReplicas(len(tc.loads))
			for i, r := range set.replicas {
				r.inFlight.Store(tc.loads[i])
			}
			if tc.down >= 0 {
				set.replicas[tc.down].unreached(now)
			}
			for i, n := range choices(set, now) {
				if n < tc.min[i] || n > tc.max[i] {
					t.Errorf("server %d got %d, want %d to %d", i, n, tc.min[i], tc.max[i])
				}
			}
		})
	}
}

// After its time one request tries an avoided server again; the others wait for what comes of it.
func TestOneRequestTriesAnAvoidedServer(t *testing.T) {
	now := time.Now()
	r := newReplicas(2).replicas[0]
	r.unreached(now)
	if r.usable(now.Add(avoidance - 1)) {
		t.Error("tried before its time")
	}
	later := now.Add(avoidance)
	if !r.usable(later) {
		t.Error("not tried after its time")
	}
	r.enter(later)
	if r.usable(later) {
		t.Error("a second request tries it too")
	}
	r.reached()
	if !r.usable(later) {
		t.Error("still avoided after it was reached")
	}
}

func BenchmarkOrder(b *testing.B) {
	now := time.Now()
	for _, servers := range []int{3, 50} {
		set := newReplicas(servers)
		b.Run(fmt.Sprint(servers), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				if set.byAffinity(uint64(i), now)[0] == nil {
					b.Fatal("no server")
				}
			}
		})
	}
}
