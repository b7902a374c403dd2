package compile

import (
	"cmp"
	"encoding/json"
	"slices"
	"sort"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// maxStoredBytes is what a table and its report may have together: the API server's limit for the data of a Secret, less some for what else is in it.
const maxStoredBytes = 1<<20 - 16<<10

// bounds are how large a table, and a table together with its report, may be when they are stored.
type bounds struct {
	table, stored int
}

func standardBounds() bounds { return bounds{table: table.MaxEncodedBytes, stored: maxStoredBytes} }

// step leaves something out of a table that is too large.
type step struct {
	key     objectKey
	created time.Time
	state   settled
}

// fit puts the table together, and if it is too large leaves out as little as makes it fit: first the newest of what is new or changed, in place of
// which the previous entry stays, then the newest of the rest. What takes something away is never held back. If nothing helps the whole table is
// returned, which cannot be stored, so that the one in force stays.
func (d *drafts) fit() Result {
	whole := d.assemble(nil)
	if d.fits(whole) {
		return whole
	}
	steps := d.steps()
	// Mostly one object is at fault, so the search widens from there.
	low, high := 0, 1
	for high < len(steps) && !d.fits(d.without(steps[:high])) {
		low, high = high, high*2
	}
	if high >= len(steps) {
		high = len(steps)
		if !d.fits(d.without(steps)) {
			return whole
		}
	}
	count := low + 1 + sort.Search(high-low-1, func(i int) bool { return d.fits(d.without(steps[:low+1+i])) })
	return d.without(steps[:count])
}

// without puts the table together with steps taken.
func (d *drafts) without(steps []step) Result {
	states := make(map[objectKey]settled, len(steps))
	for _, s := range steps {
		states[s.key] = s.state
	}
	return d.assemble(states)
}

// steps lists what can be left out, in the order in which it is.
func (d *drafts) steps() []step {
	var hold, drop []step
	for _, x := range d.accessKeys {
		hold, drop = appendSteps(hold, drop, x)
	}
	for _, x := range d.credentials {
		hold, drop = appendSteps(hold, drop, &x.draft)
	}
	for _, x := range d.routes {
		hold, drop = appendSteps(hold, drop, x)
	}
	for _, x := range d.budgets {
		hold, drop = appendSteps(hold, drop, x)
	}
	slices.SortFunc(hold, newestFirst)
	slices.SortFunc(drop, newestFirst)
	return append(hold, drop...)
}

func newestFirst(a, b step) int {
	return cmp.Or(
		b.created.Compare(a.created),
		cmp.Compare(b.key.kind, a.key.kind),
		cmp.Compare(b.key.name, a.key.name),
	)
}

func appendSteps[E any](hold, drop []step, d *draft[E]) (held, dropped []step) {
	if d.changed {
		hold = append(hold, step{key: d.key, created: d.created, state: heldBack})
	}
	if d.last != nil {
		drop = append(drop, step{key: d.key, created: d.created, state: leftOut})
	}
	return hold, drop
}

// fits tells whether a table and its report can be stored. Compression never makes them larger by more than what maxStoredBytes leaves free, so most
// tables need none to tell.
func (d *drafts) fits(r Result) bool {
	plainTable, err := json.Marshal(r.Table)
	if err != nil {
		return false
	}
	plainReport, err := json.Marshal(r.Report)
	if err != nil {
		return false
	}
	if len(plainTable)+len(plainReport) <= d.bounds.table {
		return true
	}
	packedTable, err := table.Compress(plainTable)
	if err != nil {
		return false
	}
	packedReport, err := table.Compress(plainReport)
	if err != nil {
		return false
	}
	return len(packedTable) <= d.bounds.table && len(packedTable)+len(packedReport) <= d.bounds.stored
}
