package ledger

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func noon() time.Time {
	return time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)
}

func dayKey(day int) (Key, time.Time) {
	start := time.Date(2026, time.November, day, 0, 0, 0, 0, time.UTC)
	return Key{Period: "Day", TimeZone: "UTC", Start: start}, start.AddDate(0, 0, 1)
}

func spent(nano, seq int64) Entry {
	return Entry{Totals: Totals{Spent: nano, Requests: seq}, Seq: seq, Updated: noon()}
}

func TestPut(t *testing.T) {
	key, end := dayKey(22)
	for name, tc := range map[string]struct {
		puts    []func(*Record) bool
		changes []bool
		total   Totals
		owners  int
	}{
		"two owners add up": {
			puts: []func(*Record) bool{
				func(r *Record) bool { return r.Put(key, end, "a/1", spent(10, 1)) },
				func(r *Record) bool { return r.Put(key, end, "b/1", spent(5, 2)) },
			},
			changes: []bool{true, true},
			total:   Totals{Spent: 15, Requests: 3},
			owners:  2,
		},
		"a repeated write changes nothing": {
			puts: []func(*Record) bool{
				func(r *Record) bool { return r.Put(key, end, "a/1", spent(10, 1)) },
				func(r *Record) bool { return r.Put(key, end, "a/1", spent(10, 1)) },
			},
			changes: []bool{true, false},
			total:   Totals{Spent: 10, Requests: 1},
			owners:  1,
		},
		"an earlier write that comes later changes nothing": {
			puts: []func(*Record) bool{
				func(r *Record) bool { return r.Put(key, end, "a/1", spent(30, 3)) },
				func(r *Record) bool { return r.Put(key, end, "a/1", spent(10, 1)) },
			},
			changes: []bool{true, false},
			total:   Totals{Spent: 30, Requests: 3},
			owners:  1,
		},
		"a new container folds the old one of its pod": {
			puts: []func(*Record) bool{
				func(r *Record) bool { return r.Put(key, end, "a/1", spent(30, 3)) },
				func(r *Record) bool { return r.Put(key, end, "b/1", spent(4, 1)) },
				func(r *Record) bool { return r.Put(key, end, "a/2", spent(7, 1)) },
			},
			changes: []bool{true, true, true},
			total:   Totals{Spent: 41, Requests: 5},
			owners:  2,
		},
		"sums stop at the largest value": {
			puts: []func(*Record) bool{
				func(r *Record) bool { return r.Put(key, end, "a/1", spent(math.MaxInt64, 1)) },
				func(r *Record) bool { return r.Put(key, end, "b/1", spent(math.MaxInt64, 1)) },
			},
			changes: []bool{true, true},
			total:   Totals{Spent: math.MaxInt64, Requests: 2},
			owners:  2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var record Record
			for i, put := range tc.puts {
				if changed := put(&record); changed != tc.changes[i] {
					t.Errorf("put %d changed = %t; want %t", i, changed, tc.changes[i])
				}
			}
			count, found := record.Find(key)
			if !found {
				t.Fatal("the window is not there")
			}
			if diff := cmp.Diff(tc.total, count.Total()); diff != "" {
				t.Errorf("total (-want +got):\n%s", diff)
			}
			if len(count.Owners) != tc.owners {
				t.Errorf("%d owners are left; want %d", len(count.Owners), tc.owners)
			}
		})
	}
}

// TestPutInAnyOrder enters the cumulative totals of some owners in a random order, with repetitions: the sum is that of the last ones.
func TestPutInAnyOrder(t *testing.T) {
	key, end := dayKey(22)
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		type write struct {
			owner Owner
			entry Entry
		}
		var writes []write
		var want Totals
		for owner := range 4 {
			last := int64(0)
			for seq := int64(1); seq <= 5; seq++ {
				last += random.Int64N(1000)
				writes = append(writes, write{Owner(fmt.Sprintf("pod-%d/1", owner)), spent(last, seq)})
			}
			want = want.Plus(Totals{Spent: last, Requests: 5})
		}
		writes = append(writes, writes[:10]...)
		random.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
		var record Record
		for _, w := range writes {
			record.Put(key, end, w.owner, w.entry)
		}
		count, _ := record.Find(key)
		if diff := cmp.Diff(want, count.Total()); diff != "" {
			t.Fatalf("total (-want +got):\n%s", diff)
		}
	}
}

func TestWindowsAreCountedApart(t *testing.T) {
	day, end := dayKey(22)
	other := day
	other.ResetID = "ticket-1"
	var record Record
	record.Put(day, end, "a/1", spent(10, 1))
	record.Put(other, end, "a/1", spent(3, 1))
	first, _ := record.Find(day)
	second, _ := record.Find(other)
	if first.Total().Spent != 10 || second.Total().Spent != 3 {
		t.Errorf("spent = %d and %d; want 10 and 3", first.Total().Spent, second.Total().Spent)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	key, end := dayKey(22)
	var record Record
	record.Put(key, end, "a/1", spent(10, 1))
	clone := record.Clone()
	clone.Put(key, end, "a/1", spent(99, 2))
	if count, _ := record.Find(key); count.Total().Spent != 10 {
		t.Errorf("spent = %d after a change of the clone; want 10", count.Total().Spent)
	}
}

func TestFoldGone(t *testing.T) {
	key, end := dayKey(22)
	for name, tc := range map[string]struct {
		running []string
		keep    int
		folded  bool
		left    []Owner
	}{
		"nobody is gone":               {[]string{"a", "b", "c"}, 0, false, []Owner{"a/1", "b/1", "c/1"}},
		"few are gone":                 {[]string{"a"}, 2, false, []Owner{"a/1", "b/1", "c/1"}},
		"the oldest goes first":        {[]string{"a"}, 1, true, []Owner{"a/1", "c/1"}},
		"all that are gone":            {[]string{"a"}, 0, true, []Owner{"a/1"}},
		"one that runs is never taken": {[]string{"b"}, 0, true, []Owner{"b/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var record Record
			for i, owner := range []Owner{"a/1", "b/1", "c/1"} {
				entry := spent(10, 1)
				entry.Updated = noon().Add(time.Duration(i) * time.Second)
				record.Put(key, end, owner, entry)
			}
			folded := record.FoldGone(func(pod string) bool { return slices.Contains(tc.running, pod) }, tc.keep)
			count, _ := record.Find(key)
			var left []Owner
			for owner := range count.Owners {
				left = append(left, owner)
			}
			slices.Sort(left)
			if folded != tc.folded || !slices.Equal(left, tc.left) || count.Total().Spent != 30 {
				t.Errorf("folded %t, left %v, spent %d; want %t, %v, 30", folded, left, count.Total().Spent, tc.folded, tc.left)
			}
		})
	}
}

func TestPrune(t *testing.T) {
	day := func(number int) Count {
		key, end := dayKey(number)
		return Count{Key: key, End: end, Owners: map[Owner]Entry{"a/1": spent(1, 1)}}
	}
	total := func(resetID string, updated time.Time) Count {
		entry := spent(1, 1)
		entry.Updated = updated
		return Count{Key: Key{Period: "Total", TimeZone: "UTC", ResetID: resetID}, Owners: map[Owner]Entry{"a/1": entry}}
	}
	hours := func(n int) []Count {
		var counts []Count
		for i := range n {
			start := noon().Add(time.Duration(-i) * time.Hour)
			counts = append(counts, Count{Key: Key{Period: "Hour", TimeZone: "UTC", Start: start}, End: start.Add(time.Hour)})
		}
		return counts
	}
	var resets []Count
	for i := range maxOpenWindows + 2 {
		resets = append(resets, total(fmt.Sprint(i), noon().Add(time.Duration(i)*time.Minute)))
	}
	for name, tc := range map[string]struct {
		windows []Count
		want    []Count
		pruned  bool
	}{
		"nothing to do":            {[]Count{day(22), day(21)}, []Count{day(22), day(21)}, false},
		"a day after its end":      {[]Count{day(22), day(21), day(20)}, []Count{day(22), day(21)}, true},
		"total never ends":         {[]Count{total("", noon().AddDate(-3, 0, 0)), day(2)}, []Count{total("", noon().AddDate(-3, 0, 0))}, true},
		"the latest ended ones":    {hours(10), hours(1 + maxEndedWindows), true},
		"the resets used the most": {resets, resets[2:], true},
	} {
		t.Run(name, func(t *testing.T) {
			record := Record{Windows: tc.windows}
			pruned := record.Prune(noon())
			if diff := cmp.Diff(tc.want, record.Windows); diff != "" || pruned != tc.pruned {
				t.Errorf("pruned = %t; want %t; windows (-want +got):\n%s", pruned, tc.pruned, diff)
			}
		})
	}
}

func TestLastEnd(t *testing.T) {
	first, end := dayKey(21)
	second, last := dayKey(22)
	bounded := Record{Windows: []Count{{Key: second, End: last}, {Key: first, End: end}}}
	if got, ends := bounded.LastEnd(); !ends || !got.Equal(last) {
		t.Errorf("LastEnd = %v, %t; want %v", got, ends, last)
	}
	bounded.Windows = append(bounded.Windows, Count{Key: Key{Period: "Total"}})
	if got, ends := bounded.LastEnd(); ends {
		t.Errorf("LastEnd = %v with a window that never ends", got)
	}
	if got, ends := (Record{}).LastEnd(); !ends || !got.IsZero() {
		t.Errorf("LastEnd of an empty record = %v, %t", got, ends)
	}
}

func TestOwner(t *testing.T) {
	owner := NewOwner("uid-1", noon())
	if owner.Pod() != "uid-1" || owner == NewOwner("uid-1", noon().Add(1)) || owner != NewOwner("uid-1", noon().In(time.FixedZone("x", 3600))) {
		t.Errorf("owner %q does not tell pod and start apart", owner)
	}
}

// entry returns what an owner of an allowance spent.
func entry(nano, allowance, seq int64) Entry {
	e := spent(nano, seq)
	e.Allowance = allowance
	return e
}

// slicesOf names slices by owner.
func slicesOf(all []Slice) map[Owner]int64 {
	named := map[Owner]int64{}
	for _, slice := range all {
		named[slice.Owner] += slice.Nano
	}
	return named
}

// holding is a record of three owners: one that holds 5, one that holds nothing, and one that a migration made.
func holding() (Record, Key) {
	key, end := dayKey(22)
	var record Record
	record.Put(key, end, "a/1", entry(10, 15, 1))
	record.Put(key, end, "b/1", entry(10, 10, 1))
	carried := entry(1, 3, 1)
	carried.Lost = true
	record.Put(key, end, CarriedOwner("configmap"), carried)
	return record, key
}

func TestMarkLost(t *testing.T) {
	record, key := holding()
	nobody := func(string) bool { return false }
	lost, changed := record.MarkLost(nobody)
	if diff := cmp.Diff(map[Owner]int64{"a/1": 5}, slicesOf(lost)); diff != "" || !changed {
		t.Errorf("changed %t; lost (-want +got):\n%s", changed, diff)
	}
	if lost, changed := record.MarkLost(nobody); lost != nil || changed {
		t.Errorf("marked again: %+v, %t", lost, changed)
	}
	stands := func(reserved, lost, spent int64) {
		t.Helper()
		count, _ := record.Find(key)
		if got, want := []int64{count.Reserved(), count.Lost(), count.Total().Spent}, []int64{reserved, lost, spent}; !slices.Equal(got, want) {
			t.Errorf("reserved, lost and spent are %v; want %v", got, want)
		}
	}
	stands(0, 7, 21)
	// An owner that runs on all the same comes back.
	record.Put(key, record.Windows[0].End, "a/1", entry(12, 20, 2))
	stands(8, 2, 23)
}

func TestUnmarked(t *testing.T) {
	record, _ := holding()
	nobody, everybody := func(string) bool { return false }, func(string) bool { return true }
	if !record.Unmarked(nobody) || record.Unmarked(everybody) {
		t.Error("Unmarked does not tell who is gone")
	}
	record.MarkLost(nobody)
	if record.Unmarked(nobody) {
		t.Error("who is marked is unmarked")
	}
}

func TestRelease(t *testing.T) {
	for name, tc := range map[string]struct {
		release func(*Record) []Slice
		want    map[Owner]int64
		left    int64
	}{
		"by name":           {func(r *Record) []Slice { return r.Release("a/1") }, map[Owner]int64{"a/1": 5}, 13},
		"what is carried":   {func(r *Record) []Slice { return r.Release(CarriedOwner("configmap")) }, map[Owner]int64{CarriedOwner("configmap"): 2}, 16},
		"who is not lost":   {func(r *Record) []Slice { return r.Release("c/1") }, map[Owner]int64{}, 18},
		"all that is lost":  {func(r *Record) []Slice { return r.ReleaseAll() }, map[Owner]int64{"a/1": 5, "": 11}, 2},
		"nobody in special": {func(r *Record) []Slice { return r.Release() }, map[Owner]int64{}, 18},
	} {
		t.Run(name, func(t *testing.T) {
			record, key := holding()
			record.MarkLost(func(string) bool { return false })
			record.Windows[0].Folded.Lost = 11
			record.Put(key, record.Windows[0].End, "c/1", entry(1, 9, 1))
			if diff := cmp.Diff(tc.want, slicesOf(tc.release(&record))); diff != "" {
				t.Errorf("released (-want +got):\n%s", diff)
			}
			count, _ := record.Find(key)
			if count.Lost() != tc.left || count.Total().Spent != 22 || count.Reserved() != 8 {
				t.Errorf("lost %d, spent %d, reserved %d; want %d, 22 and 8", count.Lost(), count.Total().Spent, count.Reserved(), tc.left)
			}
		})
	}
}

func TestFoldKeepsWhatIsLost(t *testing.T) {
	record, key := holding()
	if !record.FoldGone(func(string) bool { return false }, 0) {
		t.Error("nothing was folded")
	}
	count, _ := record.Find(key)
	if count.Folded.Lost != 5 || count.Folded.Spent != 20 || len(count.Owners) != 1 {
		t.Errorf("folded %+v, %d owners are left; want 20 spent, 5 lost and the carried owner", count.Folded, len(count.Owners))
	}
	later := record.Clone()
	later.Put(key, count.End, "d/1", entry(4, 9, 1))
	later.Put(key, count.End, "d/2", entry(1, 1, 1))
	count, _ = later.Find(key)
	if count.Folded.Lost != 10 || !slices.Contains(count.Over, "d/1") {
		t.Errorf("folded %+v, over %v; want 5 more that are lost, and d/1", count.Folded, count.Over)
	}
}

func TestRecoverOnce(t *testing.T) {
	key, _ := dayKey(22)
	known := Recovered{Claim: Claim{Owner: "a/1", Key: key, Nano: 7}, Totals: Totals{Spent: 12, Requests: 2}, Seq: 3}
	for name, tc := range map[string]struct {
		stored map[Owner]Entry
		known  Recovered
		want   Folded
	}{
		"the journal knows more":  {map[Owner]Entry{"a/1": entry(10, 40, 2)}, known, Folded{Totals: Totals{Spent: 12, Requests: 2}, Lost: 7}},
		"the ledger knows more":   {map[Owner]Entry{"a/1": entry(20, 40, 5)}, known, Folded{Totals: Totals{Spent: 20, Requests: 5}, Lost: 7}},
		"it never wrote":          {nil, known, Folded{Totals: Totals{Spent: 12, Requests: 2}, Lost: 7}},
		"nothing was under way":   {map[Owner]Entry{"a/1": entry(10, 40, 2)}, Recovered{Claim: Claim{Owner: "a/1"}}, Folded{Totals: Totals{Spent: 10, Requests: 2}}},
		"less than nothing":       {nil, Recovered{Claim: Claim{Owner: "a/1", Nano: -5}}, Folded{}},
		"others are left as they": {map[Owner]Entry{"b/1": entry(10, 40, 2)}, Recovered{Claim: Claim{Owner: "a/1"}}, Folded{}},
	} {
		t.Run(name, func(t *testing.T) {
			count := Count{Key: key, Owners: tc.stored}
			if !count.recover(tc.known) || count.recover(tc.known) {
				t.Error("recovered not exactly once")
			}
			if diff := cmp.Diff(tc.want, count.Folded); diff != "" {
				t.Errorf("folded (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOverIsBounded(t *testing.T) {
	var count Count
	for i := range maxOver + 10 {
		count.remember(Owner(fmt.Sprintf("a/%d", i)))
	}
	if len(count.Over) != maxOver || count.Over[maxOver-1] != Owner(fmt.Sprintf("a/%d", maxOver+9)) {
		t.Errorf("%d names, the last is %s", len(count.Over), count.Over[len(count.Over)-1])
	}
}

func TestBreakdown(t *testing.T) {
	many := Breakdown{"": 3}
	for i := range 40 {
		many[fmt.Sprintf("route-%02d", i)] = int64(i + 1)
	}
	top := many.top()
	sum := int64(0)
	for _, share := range top.Shares() {
		sum += share.Nano
	}
	if len(top) != maxShares || top["route-39"] != 40 || top["route-00"] != 0 || sum != 3+40*41/2 {
		t.Errorf("%d shares of %d: %v", len(top), sum, top)
	}
	if got := many.merge(Breakdown{"": 1, "route-00": math.MaxInt64}); got[""] != 4 || got["route-00"] != math.MaxInt64 || many[""] != 3 {
		t.Errorf("merged %v", got)
	}
}

func TestSpendingIsBounded(t *testing.T) {
	var s spending
	for i := range 2 * maxNames {
		s.add(fmt.Sprint(i), 1)
	}
	s.add("", 5)
	if len(s.by) != maxNames+1 || s.by[""] != maxNames {
		t.Errorf("%d names, %d under none", len(s.by), s.by[""])
	}
}

func TestSummary(t *testing.T) {
	record, key := holding()
	count := &record.Windows[0]
	a := count.Owners["a/1"]
	a.Routes, a.Callers = Breakdown{"chat": 6, "embed": 4}, Breakdown{"app": 10}
	count.Owners["a/1"] = a
	count.Folded = Folded{Totals: Totals{Spent: 2, Requests: 1, Overrun: 1}, Lost: 4, Routes: Breakdown{"chat": 2}}
	other := Record{Windows: []Count{{Key: key, Subject: "ann", End: count.End, Owners: map[Owner]Entry{"a/1": entry(1, 2, 1), "c/1": entry(1, 1, 1)}}}}
	got := Summarize([]Record{record, other}, key)
	want := Summary{
		Totals: Totals{Spent: 25, Requests: 6, Overrun: 1}, Reserved: 6, Lost: 6, Owners: 4,
		Routes: []Share{{"chat", 8}, {"embed", 4}}, Callers: []Share{{"app", 10}},
		Counters: []CounterSummary{
			{Totals: Totals{Spent: 23, Requests: 4, Overrun: 1}, Reserved: 5, Lost: 6, Owners: 3, LostOwners: 1, Routes: []Share{{"chat", 8}, {"embed", 4}}, Callers: []Share{{"app", 10}}},
			{Subject: "ann", Totals: Totals{Spent: 2, Requests: 2}, Reserved: 1, Owners: 2, Routes: []Share{}, Callers: []Share{}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Counters[0], record.Summary(key).Counters[0]); diff != "" {
		t.Errorf("one record (-want +got):\n%s", diff)
	}
}

func TestPercent(t *testing.T) {
	for name, tc := range map[string]struct {
		standing Standing
		want     int64
	}{
		"nothing":        {Standing{Limit: 100}, 0},
		"rounded down":   {Standing{Limit: 1000, Spent: 799}, 79},
		"lost, too":      {Standing{Limit: 100, Spent: 40, Lost: 40, Reserved: 20}, 80},
		"above":          {Standing{Limit: 100, Spent: 250}, 250},
		"no limit":       {Standing{}, 100},
		"large numbers":  {Standing{Limit: math.MaxInt64, Spent: math.MaxInt64 / 2}, 49},
		"larger numbers": {Standing{Limit: 1, Spent: math.MaxInt64, Lost: math.MaxInt64}, math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.standing.Percent(); got != tc.want {
				t.Errorf("%d %%; want %d", got, tc.want)
			}
		})
	}
}
