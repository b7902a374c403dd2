package core

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	type step struct {
		pass     time.Duration
		want     int64         // asked for
		wait     time.Duration // until it can be taken
		take     int64
		wantUsed int64
	}
	cases := map[string]struct {
		size  int64
		per   time.Duration
		steps []step
	}{
		"full at first":        {3, time.Minute, []step{{0, 3, 0, 3, 3}, {0, 1, 20 * time.Second, 0, 3}}},
		"fills evenly":         {3, time.Minute, []step{{0, 3, 0, 3, 3}, {19 * time.Second, 1, time.Second, 0, 3}, {time.Second, 1, 0, 1, 3}}},
		"never more than full": {3, time.Minute, []step{{time.Hour, 3, 0, 3, 3}, {0, 1, 20 * time.Second, 0, 3}}},
		"debt":                 {100, time.Second, []step{{0, 10, 0, 250, 250}, {0, 1, 1510 * time.Millisecond, 0, 250}, {1510 * time.Millisecond, 1, 0, 1, 100}}},
		"given back":           {100, time.Second, []step{{0, 80, 0, 80, 80}, {0, 30, 100 * time.Millisecond, -50, 30}, {0, 30, 0, 30, 60}}},
		"given back too much":  {100, time.Second, []step{{0, 10, 0, 10, 10}, {0, 1, 0, -500, 0}, {0, 100, 0, 100, 100}}},
		"more than it holds":   {100, time.Second, []step{{0, 150, 500 * time.Millisecond, 0, 0}}},
		"absurd":               {1, maxQuotaPer, []step{{0, 1 << 62, (maxQuota - 1) * maxQuotaPer, 0, 0}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b, now := bucket{size: tc.size, per: tc.per}, start
			for i, s := range tc.steps {
				now = now.Add(s.pass)
				if wait := b.wait(s.want, now); wait != s.wait {
					t.Errorf("step %d: wait %v, want %v", i, wait, s.wait)
				}
				b.take(s.take, now)
				if used := b.used(now); used != s.wantUsed {
					t.Errorf("step %d: used %d, want %d", i, used, s.wantUsed)
				}
			}
		})
	}
}

func TestQuotaBounds(t *testing.T) {
	for name, tc := range map[string]struct {
		quota Quota
		want  bool
	}{
		"none":         {Quota{}, true},
		"largest":      {Quota{Requests: maxQuota, Tokens: maxQuota, Per: Duration(maxQuotaPer)}, true},
		"requests":     {Quota{Requests: maxQuota + 1}, false},
		"tokens":       {Quota{Tokens: -1}, false},
		"too slow":     {Quota{Per: Duration(maxQuotaPer + 1)}, false},
		"runs forward": {Quota{Per: -1}, false},
	} {
		settings := DefaultSettings()
		settings.Quota = &tc.quota
		if err := settings.Validate(); (err == nil) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Equal seeds take the same requests of a row; what a fault does not take goes on to the next one.
func TestFaultsForAShareOfRequests(t *testing.T) {
	draw := func(seed uint64) []FaultKind {
		var queue faultQueue
		queue.add([]Fault{{Kind: FaultStatus, Status: 500, Times: always, Permille: 300, Seed: seed}, {Kind: FaultDelay, Times: always, Match: Match{Model: "m"}}})
		var kinds []FaultKind
		for range 10_000 {
			kinds = append(kinds, queue.take("chat/completions", "m", "k").Kind)
		}
		return kinds
	}
	first, again, other := draw(1), draw(1), draw(2)
	counts, same := map[FaultKind]int{}, 0
	for i := range first {
		if first[i] != again[i] {
			t.Fatalf("request %d: equal seeds differ", i)
		}
		if first[i] == other[i] {
			same++
		}
		counts[first[i]]++
	}
	if n := counts[FaultStatus]; n < 2850 || n > 3150 || counts[FaultDelay] != 10_000-n {
		t.Errorf("got %v, want 3000 of 10000 and the rest for the next fault", counts)
	}
	if same < 5500 || same > 6100 {
		t.Errorf("two seeds agree on %d requests of 10000, want about 5800", same)
	}
}

// A fault's times are those that it took.
func TestTimesOfAShare(t *testing.T) {
	var queue faultQueue
	queue.add([]Fault{{Kind: FaultClose, Times: 3, Permille: 100, Seed: 7}})
	taken, asked := 0, 0
	for len(queue.list()) > 0 {
		if asked++; queue.take("", "", "").Kind == FaultClose {
			taken++
		}
		if asked > 1000 {
			t.Fatal("the fault does not end")
		}
	}
	if taken != 3 || asked < 5 {
		t.Errorf("taken %d times of %d, want 3 times of about 30", taken, asked)
	}
	if err := (Fault{Kind: FaultClose, Permille: 1001}).Validate(); err == nil {
		t.Error("1001 of 1000 is accepted")
	}
}

func TestArrivalsAreBounded(t *testing.T) {
	var ring arrivalRing
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range keptArrivals + 10 {
		ring.push(Arrival{Time: start.Add(time.Duration(i))})
	}
	list := ring.list()
	if len(list) != keptArrivals || !list[0].Time.Equal(start.Add(10)) || !list[len(list)-1].Time.Equal(start.Add(keptArrivals+9)) {
		t.Errorf("%d arrivals from %v to %v", len(list), list[0].Time, list[len(list)-1].Time)
	}
}
