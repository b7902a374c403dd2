package ledger

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Key tells the windows of one budget apart. The budget's UID is not part of it: a budget that is deleted and made again goes on where it was.
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

// normal is the key with its start in the form that makes equal instants equal values.
func (k Key) normal() Key {
	if !k.Start.IsZero() {
		k.Start = k.Start.UTC().Round(0)
	}
	return k
}

// Totals are what was counted. None is ever negative; sums stop at the largest value.
type Totals struct {
	// Spent in nano-dollars.
	Spent int64 `json:"spent"`
	// Requests that were settled, each once, however many attempts it took.
	Requests int64 `json:"requests"`
	// Unpriced are those of Requests whose price was not known; Spent does not hold their cost.
	Unpriced int64 `json:"unpriced,omitempty"`
	// Overrun is the part of Spent, in nano-dollars, by which settlements passed their reservations.
	Overrun int64 `json:"overrun,omitempty"`
}

// Plus returns the sum.
func (t Totals) Plus(other Totals) Totals {
	return Totals{
		Spent:    addSaturating(t.Spent, other.Spent),
		Requests: addSaturating(t.Requests, other.Requests),
		Unpriced: addSaturating(t.Unpriced, other.Unpriced),
		Overrun:  addSaturating(t.Overrun, other.Overrun),
	}
}

// atLeast returns the larger of each. Of two states of one owner it is the later one, whichever that is, since totals only grow.
func (t Totals) atLeast(other Totals) Totals {
	return Totals{
		Spent:    max(t.Spent, other.Spent),
		Requests: max(t.Requests, other.Requests),
		Unpriced: max(t.Unpriced, other.Unpriced),
		Overrun:  max(t.Overrun, other.Overrun),
	}
}

// addSaturating adds two numbers that are not negative.
func addSaturating(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Entry is what one owner counted and holds in one counter since it started.
type Entry struct {
	Totals
	// Allowance is the most, in nano-dollars, that the owner may have spent and reserved in this window. It is cumulative like Spent.
	Allowance int64 `json:"allowance,omitempty"`
	// Seq grows with each change of the entry; of two entries of one owner the one with the larger Seq is the later one.
	Seq int64 `json:"seq"`
	// Answered is the last Recall that the owner answered by giving back what it did not need.
	Answered int64 `json:"answered,omitempty"`
	// Lost marks an owner whose pod is gone: what is left of its allowance counts as lost. A later write of the owner itself takes the mark away.
	Lost bool `json:"lost,omitempty"`
	// Updated is when the owner wrote the entry, by its own clock. It only decides which entries are folded first.
	Updated time.Time `json:"updated"`
	// Routes and Callers say what Spent was spent on, in the counter that is shared.
	Routes  Breakdown `json:"routes,omitempty"`
	Callers Breakdown `json:"callers,omitempty"`
}

// Committed is the most that the owner can have spent when all its calls have ended, in nano-dollars.
func (e Entry) Committed() int64 {
	return max(e.Allowance, e.Spent)
}

// Held is what the owner may still spend, in nano-dollars.
func (e Entry) Held() int64 {
	return e.Committed() - e.Spent
}

// Folded is the sum of owners that are gone.
type Folded struct {
	Totals
	// Lost is what their allowances held when they ended, in nano-dollars. It may have been spent, so it counts as if it were.
	Lost int64 `json:"lost,omitempty"`
	// Routes and Callers are as in Entry.
	Routes  Breakdown `json:"routes,omitempty"`
	Callers Breakdown `json:"callers,omitempty"`
}

// Record is the ledger of one budget: what every owner counted, by window and subject. The methods that change it work in place; use Clone before changing
// a record that others see.
type Record struct {
	// Windows holds the counters in no particular order, one for each key and subject.
	Windows []Count
	// Moved is where the ledger was moved to, empty if it was not. Nobody takes an allowance from it any more.
	Moved string
}

// Clone returns a deep copy.
func (r Record) Clone() Record {
	windows := slices.Clone(r.Windows)
	for i := range windows {
		windows[i] = windows[i].clone()
	}
	r.Windows = windows
	return r
}

// Find returns the shared counter of a window.
func (r Record) Find(key Key) (Count, bool) {
	return r.FindCounter(key, "")
}

// FindCounter returns the counter of a subject in a window.
func (r Record) FindCounter(key Key, subject string) (Count, bool) {
	if i := r.index(key, subject); i >= 0 {
		return r.Windows[i], true
	}
	return Count{}, false
}

func (r Record) index(key Key, subject string) int {
	return slices.IndexFunc(r.Windows, func(c Count) bool { return c.Subject == subject && c.same(key) })
}

// Put enters what an owner counted in the shared counter and tells whether that changed the record. An entry that is not later than the one that is there
// changes nothing, so it can be repeated. Other owners of the same pod are folded: they are earlier containers or counters, which have ended.
func (r *Record) Put(key Key, end time.Time, owner Owner, entry Entry) bool {
	i := r.index(key, "")
	if i < 0 {
		r.Windows = append(r.Windows, Count{Key: key, End: end})
		i = len(r.Windows) - 1
	}
	return r.Windows[i].enter(owner, entry)
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

// run is the owner without the number of its counter.
func (o Owner) run() string {
	if at := strings.LastIndexByte(string(o), '.'); at > 0 {
		return string(o)[:at]
	}
	return string(o)
}

// carriedPrefix begins the names of owners that a migration made.
const carriedPrefix = "moved-"

// CarriedOwner names what a migration carried over from a place.
func CarriedOwner(place string) Owner {
	return Owner(carriedPrefix + place + "/1")
}

// Carried tells whether the entry of the owner is what a migration carried over: it stands for owners elsewhere and is not folded or freed with others.
func (o Owner) Carried() bool {
	return strings.HasPrefix(string(o), carriedPrefix)
}

// draft is a record that is being changed while others see the one that it was made from: only the counters that change are copied.
type draft struct {
	windows []Count
	index   map[place]int
	copied  map[int]bool
}

// place says which counter of a ledger is meant. Its key is normal.
type place struct {
	Key
	subject string
}

func draftOf(r Record) *draft {
	return &draft{windows: slices.Clone(r.Windows), index: indexOf(r), copied: map[int]bool{}}
}

// indexOf tells where each counter of a record is.
func indexOf(r Record) map[place]int {
	index := make(map[place]int, len(r.Windows))
	for i := range r.Windows {
		index[r.Windows[i].place()] = i
	}
	return index
}

// change returns a counter to change, which is made when there is none.
func (d *draft) change(at place, end time.Time) *Count {
	i, found := d.index[at]
	if !found {
		d.windows = append(d.windows, Count{Key: at.Key, Subject: at.subject, End: end})
		i = len(d.windows) - 1
		d.index[at], d.copied[i] = i, true
	}
	if !d.copied[i] {
		d.windows[i] = d.windows[i].clone()
		d.copied[i] = true
	}
	return &d.windows[i]
}

func (d *draft) changed() bool {
	return len(d.copied) > 0
}

// Breakdown is nano-dollars by name. Under the empty name is what has none, and what there was no room for.
type Breakdown map[string]int64

// maxShares bounds the names of a Breakdown that is stored, the empty one included.
const maxShares = 16

// merge returns the sum of two. It changes neither.
func (b Breakdown) merge(other Breakdown) Breakdown {
	if len(b)+len(other) == 0 {
		return nil
	}
	sum := maps.Clone(b)
	if sum == nil {
		sum = Breakdown{}
	}
	for name, nano := range other {
		sum[name] = addSaturating(sum[name], nano)
	}
	return sum
}

// top returns the largest shares, and the sum of the rest under the empty name.
func (b Breakdown) top() Breakdown {
	if len(b) == 0 {
		return nil
	}
	if len(b) <= maxShares-1 {
		return maps.Clone(b)
	}
	top := Breakdown{}
	for i, share := range b.Shares() {
		if i < maxShares-1 && share.Name != "" {
			top[share.Name] = share.Nano
		} else {
			top[""] = addSaturating(top[""], share.Nano)
		}
	}
	return top
}
