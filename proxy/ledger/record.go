package ledger

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// Retention is how long a window stays in a record after its end; a call may run for a day and is counted in the window that admitted it.
	Retention = 24 * time.Hour
	// maxEndedWindows bounds how many ended windows a record keeps, the latest ones.
	maxEndedWindows = 4
	// maxOpenWindows bounds how many windows that have not ended a record keeps; there is more than one only after a changed resetID.
	maxOpenWindows = 8
	// MaxGoneOwners is how many entries of owners that are gone a window keeps before the oldest of them are folded.
	MaxGoneOwners = 256
)

// Key tells the counters of one budget apart. The budget's UID is not part of it: a budget that is deleted and made again goes on where it was.
type Key struct {
	// Period is Hour, Day, Week, Month or Total.
	Period string `json:"period"`
	// TimeZone is the IANA name of the zone whose calendar bounds the window.
	TimeZone string `json:"timeZone"`
	// ResetID is the budget's resetID.
	ResetID string `json:"resetID,omitempty"`
	// Start of the window, in UTC; zero with the period Total.
	Start time.Time `json:"start,omitzero"`
}

// same compares instants, not how they are written.
func (k Key) same(other Key) bool {
	return k.Period == other.Period && k.TimeZone == other.TimeZone && k.ResetID == other.ResetID && k.Start.Equal(other.Start)
}

// Totals are what was counted. None is ever negative; sums stop at the largest value.
type Totals struct {
	// Spent in nano-dollars.
	Spent int64 `json:"spent"`
	// Requests that were settled.
	Requests int64 `json:"requests"`
	// Unpriced are those of Requests whose price was not known; Spent does not hold their cost.
	Unpriced int64 `json:"unpriced,omitempty"`
}

// Plus returns the sum.
func (t Totals) Plus(other Totals) Totals {
	return Totals{
		Spent:    addSaturating(t.Spent, other.Spent),
		Requests: addSaturating(t.Requests, other.Requests),
		Unpriced: addSaturating(t.Unpriced, other.Unpriced),
	}
}

// addSaturating adds two numbers that are not negative.
func addSaturating(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Entry is what one owner counted in one window since it started.
type Entry struct {
	Totals
	// Seq grows with each settlement; of two entries of one owner the one with the larger Seq is the later one.
	Seq int64 `json:"seq"`
	// Updated is when the owner wrote the entry, by its own clock. It only decides which entries are folded first.
	Updated time.Time `json:"updated"`
}

// Count is one window of a record.
type Count struct {
	Key
	// End of the window, in UTC; zero with the period Total.
	End time.Time `json:"end,omitzero"`
	// Folded is the sum of owners that are gone.
	Folded Totals `json:"folded,omitzero"`
	// Owners holds the entry of each owner, by Owner.
	Owners map[Owner]Entry `json:"owners,omitempty"`
}

// Total is the sum over all owners.
func (c Count) Total() Totals {
	total := c.Folded
	for _, entry := range c.Owners {
		total = total.Plus(entry.Totals)
	}
	return total
}

// others is the sum over all owners but one.
func (c Count) others(owner Owner) Totals {
	total := c.Folded
	for name, entry := range c.Owners {
		if name != owner {
			total = total.Plus(entry.Totals)
		}
	}
	return total
}

// ended tells whether the window ended before t.
func (c Count) ended(t time.Time) bool {
	return !c.End.IsZero() && !c.End.After(t)
}

// Record is the ledger of one budget: what every owner counted, by window. The methods that change it work in place; use Clone before changing a record
// that others see.
type Record struct {
	// Windows in no particular order, one for each key.
	Windows []Count
}

// Clone returns a deep copy.
func (r Record) Clone() Record {
	windows := slices.Clone(r.Windows)
	for i := range windows {
		windows[i].Owners = maps.Clone(windows[i].Owners)
	}
	return Record{Windows: windows}
}

// Find returns the window of a key.
func (r Record) Find(key Key) (Count, bool) {
	if i := r.index(key); i >= 0 {
		return r.Windows[i], true
	}
	return Count{}, false
}

func (r Record) index(key Key) int {
	return slices.IndexFunc(r.Windows, func(c Count) bool { return c.same(key) })
}

// Put enters what an owner counted and tells whether that changed the record. An entry that is not later than the one that is there changes nothing, so
// it can be repeated. Other owners of the same pod are folded: they are earlier containers or counters, which have ended.
func (r *Record) Put(key Key, end time.Time, owner Owner, entry Entry) bool {
	i := r.index(key)
	if i >= 0 && r.Windows[i].Owners[owner].Seq >= entry.Seq {
		return false
	}
	if i < 0 {
		r.Windows = append(r.Windows, Count{Key: key, End: end})
		i = len(r.Windows) - 1
	}
	window := &r.Windows[i]
	if window.Owners == nil {
		window.Owners = map[Owner]Entry{}
	}
	window.Owners[owner] = entry
	for other := range window.Owners {
		if other != owner && other.Pod() == owner.Pod() {
			window.fold(other)
		}
	}
	return true
}

// fold moves what an owner counted into the sum of those that are gone.
func (c *Count) fold(owner Owner) {
	c.Folded = c.Folded.Plus(c.Owners[owner].Totals)
	delete(c.Owners, owner)
}

// FoldGone folds the entries of owners whose pod is gone, the oldest first, until a window holds at most keep of them, and tells whether it folded any. An
// entry that is kept makes a late write of its owner harmless, for a pod that is gone from the API can run on for a while; one that is folded would be
// counted twice then, which errs on the side of the limit.
func (r *Record) FoldGone(running func(pod string) bool, keep int) bool {
	folded := false
	for i := range r.Windows {
		window := &r.Windows[i]
		var gone []Owner
		for owner := range window.Owners {
			if !running(owner.Pod()) {
				gone = append(gone, owner)
			}
		}
		slices.SortFunc(gone, func(a, b Owner) int {
			return cmp.Or(window.Owners[a].Updated.Compare(window.Owners[b].Updated), cmp.Compare(a, b))
		})
		for _, owner := range gone[:max(0, len(gone)-keep)] {
			window.fold(owner)
			folded = true
		}
	}
	return folded
}

// Prune drops windows that ended longer ago than Retention, and the oldest ones beyond what a record may hold, and tells whether it dropped any. Of the
// windows that have not ended those with the latest entries stay.
func (r *Record) Prune(now time.Time) bool {
	var open, ended []Count
	for _, window := range r.Windows {
		switch {
		case !window.ended(now):
			open = append(open, window)
		case !window.ended(now.Add(-Retention)):
			ended = append(ended, window)
		}
	}
	slices.SortStableFunc(ended, func(a, b Count) int { return b.End.Compare(a.End) })
	slices.SortStableFunc(open, func(a, b Count) int { return b.updated().Compare(a.updated()) })
	kept := slices.Concat(open[:min(len(open), maxOpenWindows)], ended[:min(len(ended), maxEndedWindows)])
	if len(kept) == len(r.Windows) {
		return false
	}
	r.Windows = kept
	return true
}

// updated is when an owner last wrote into the window.
func (c Count) updated() time.Time {
	var last time.Time
	for _, entry := range c.Owners {
		if entry.Updated.After(last) {
			last = entry.Updated
		}
	}
	return last
}

// LastEnd returns when the last window of the record ends, and false when one of them never does.
func (r Record) LastEnd() (time.Time, bool) {
	var last time.Time
	for _, window := range r.Windows {
		if window.End.IsZero() {
			return time.Time{}, false
		}
		if window.End.After(last) {
			last = window.End
		}
	}
	return last, true
}

// Owner is a counter of one run of a proxy container, or of a process: "<pod>/<start>.<number>".
type Owner string

// NewOwner names the container of a pod that started at a time. pod is the UID of the pod, or another name that is used by one process at a time.
func NewOwner(pod string, started time.Time) Owner {
	return Owner(pod + "/" + started.UTC().Format("20060102T150405.000000000Z"))
}

// numbered names one counter of an owner.
func (o Owner) numbered(number int64) Owner {
	return o + Owner("."+strconv.FormatInt(number, 10))
}

// Pod returns the UID of the pod.
func (o Owner) Pod() string {
	pod, _, _ := strings.Cut(string(o), "/")
	return pod
}
