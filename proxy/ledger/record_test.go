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
