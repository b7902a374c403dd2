package compile

import (
	"cmp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/proxy/table"
)

// objectKey tells objects apart within a namespace.
type objectKey struct {
	kind string
	name string
}

// draft is what one object can contribute to a table, before it is decided which of its two entries goes in.
type draft[E any] struct {
	key     objectKey
	uid     string
	created time.Time
	// generation of the spec that fresh was compiled from.
	generation int64
	// fresh is the entry of the current spec; nil when the spec is in error.
	fresh *E
	// last is the entry in force, with what the current state of the namespace takes away taken away; nil when there is none.
	last *E
	// before identifies what the previous table held of the same object; zero when that was nothing.
	before table.Object
	// changed tells that fresh asks for more or other than last.
	changed bool
	// findings of the spec.
	findings []Finding
}

func newDraft[E any](kind string, meta metav1.ObjectMeta) draft[E] {
	return draft[E]{
		key:        objectKey{kind: kind, name: meta.Name},
		uid:        string(meta.UID),
		created:    meta.CreationTimestamp.UTC(),
		generation: meta.Generation,
	}
}

// settled says how much of an object goes into a table that would be too large otherwise.
type settled int

const (
	// current is the entry of the current spec, or the last good one where that is in error.
	current settled = iota
	// heldBack is the entry in force.
	heldBack
	// leftOut is nothing.
	leftOut
)

// choose returns the entry that goes into the table, nil for none.
func (d *draft[E]) choose(s settled) *E {
	switch {
	case s == leftOut:
		return nil
	case s == heldBack || d.fresh == nil:
		return d.last
	default:
		return d.fresh
	}
}

// identity is the head of a fresh entry. Its Since is set when the table is put together.
func (d *draft[E]) identity() table.Object {
	return table.Object{Name: d.key.name, UID: d.uid, Generation: d.generation}
}

// accept sets the entry of the current spec, if that has no error.
func (d *draft[E]) accept(entry *E) {
	if len(d.findings) > 0 {
		return
	}
	d.fresh = entry
	d.changed = d.last == nil || d.before.Generation != d.generation
}

func (d *draft[E]) report() ObjectReport {
	return ObjectReport{
		Kind:       d.key.kind,
		Name:       d.key.name,
		UID:        d.uid,
		Generation: d.generation,
		Findings:   append([]Finding(nil), d.findings...),
	}
}

// compareAge puts the older object first, and then the smaller name.
func (d *draft[E]) compareAge(other *draft[E]) int {
	return cmp.Or(d.created.Compare(other.created), cmp.Compare(d.key.name, other.key.name))
}
