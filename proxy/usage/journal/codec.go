package journal

import (
	"encoding/binary"
	"errors"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
)

// maxItems bounds the lists in a payload.
const maxItems = 4096

var errPayload = errors.New("the payload of a frame does not add up")

// wire reads or writes values, each at the place of a pointer, so that what a frame holds is listed once for both.
type wire interface {
	text(*string)
	number(*int64)
	whole(*int)
	flag(*bool)
	instant(*time.Time)
	// length writes or reads the length of a list.
	length(int) int
}

// encoder appends to a buffer.
type encoder struct{ out []byte }

func (e *encoder) text(s *string) {
	e.out = binary.AppendUvarint(e.out, uint64(len(*s)))
	e.out = append(e.out, *s...)
}

func (e *encoder) number(n *int64) { e.out = binary.AppendVarint(e.out, *n) }

func (e *encoder) whole(n *int) { e.out = binary.AppendVarint(e.out, int64(*n)) }

func (e *encoder) flag(b *bool) {
	if *b {
		e.out = append(e.out, 1)
		return
	}
	e.out = append(e.out, 0)
}

func (e *encoder) instant(t *time.Time) {
	e.out = binary.AppendVarint(e.out, t.Unix())
	e.out = binary.AppendVarint(e.out, int64(t.Nanosecond()))
}

func (e *encoder) length(n int) int {
	e.out = binary.AppendUvarint(e.out, uint64(n)) //nolint:gosec // a length is not negative
	return n
}

// decoder reads what encoder wrote. After the first mistake it reads zeros.
type decoder struct {
	in  []byte
	bad bool
}

func (d *decoder) fail() {
	d.bad, d.in = true, nil
}

func (d *decoder) unsigned() uint64 {
	n, size := binary.Uvarint(d.in)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.in = d.in[size:]
	return n
}

func (d *decoder) text(s *string) {
	size := d.unsigned()
	if size > uint64(len(d.in)) {
		d.fail()
		return
	}
	*s = string(d.in[:size])
	d.in = d.in[size:]
}

func (d *decoder) number(n *int64) {
	value, size := binary.Varint(d.in)
	if size <= 0 {
		d.fail()
		return
	}
	*n = value
	d.in = d.in[size:]
}

func (d *decoder) whole(n *int) {
	var value int64
	d.number(&value)
	*n = int(value)
}

func (d *decoder) flag(b *bool) {
	if len(d.in) == 0 {
		d.fail()
		return
	}
	*b = d.in[0] == 1
	d.in = d.in[1:]
}

func (d *decoder) instant(t *time.Time) {
	var seconds, nanos int64
	d.number(&seconds)
	d.number(&nanos)
	*t = time.Unix(seconds, nanos).UTC()
	if d.bad || t.Year() < 1 || t.Year() > 9999 {
		*t = time.Time{}
	}
}

func (d *decoder) length(int) int {
	n := d.unsigned()
	if n > maxItems || n > uint64(len(d.in)) {
		d.fail()
		return 0
	}
	return int(n)
}

// list moves a list; each writes or reads one element.
func list[T any](w wire, values *[]T, each func(wire, *T)) {
	n := w.length(len(*values))
	if n > len(*values) {
		*values = make([]T, n)
	}
	for i := range n {
		each(w, &(*values)[i])
	}
}

// record moves all of a record but its ID, which stands first in each payload.
func record(w wire, r *usage.Record) {
	w.text(&r.RequestID)
	w.instant(&r.Time)
	for _, text := range [...]*string{
		&r.Namespace, &r.Pod, &r.Caller, &r.EndUser, &r.Operation, &r.Route, &r.RoutedFrom, &r.Target, &r.Provider, &r.Model, &r.Served, &r.UpstreamID,
		&r.Usage.Service, &r.PriceSource, &r.Code, (*string)(&r.Outcome),
	} {
		w.text(text)
	}
	for _, flag := range [...]*bool{&r.Trusted, &r.Stream, &r.Mirror, &r.Unpriced, &r.Estimated, &r.Usage.Estimated} {
		w.flag(flag)
	}
	u := &r.Usage
	for _, number := range [...]*int64{
		&u.Prompt, &u.Cached, &u.CacheWrite, &u.CacheWrite1h, &u.PromptAudio, &u.CachedAudio, &u.PromptImage, &u.Completion, &u.Reasoning,
		&u.CompletionAudio, &u.CompletionImage, &u.Images, &u.AudioMillis, &u.SpeechMillis, &u.Characters, &u.Searches, &u.SearchUnits,
		&r.Cost, &r.ListCost, (*int64)(&r.FirstToken), (*int64)(&r.Upstream), (*int64)(&r.Duration),
	} {
		w.number(number)
	}
	w.whole(&r.Status)
	reportedCost(w, u)
	list(w, &r.Tags, tag)
	list(w, &r.Attempts, attempt)
	list(w, &r.Budgets, wire.text)
}

// reportedCost moves a number that may be missing.
func reportedCost(w wire, u *meter.Usage) {
	known := 0
	if u.ReportedCost != nil {
		known = 1
	}
	if w.length(known) == 0 {
		return
	}
	if u.ReportedCost == nil {
		u.ReportedCost = new(int64)
	}
	w.number(u.ReportedCost)
}

func tag(w wire, t *table.Tag) {
	w.text(&t.Key)
	w.text(&t.Value)
}

func attempt(w wire, a *usage.Attempt) {
	w.text(&a.Target)
	w.text(&a.Provider)
	w.text(&a.Model)
	w.text(&a.Key)
	w.whole(&a.Status)
	w.text(&a.Code)
	w.number(&a.Cost)
	w.number((*int64)(&a.Duration))
}

func claim(w wire, c *ledger.Claim) {
	w.text((*string)(&c.Owner))
	w.text(&c.Ledger)
	w.text(&c.Key.Period)
	w.text(&c.Key.TimeZone)
	w.text(&c.Key.ResetID)
	w.instant(&c.Key.Start)
	w.instant(&c.End)
	w.text(&c.Subject)
	w.number(&c.Nano)
}

func totals(w wire, t *ledger.Totals) {
	w.number(&t.Spent)
	w.number(&t.Requests)
	w.number(&t.Unpriced)
	w.number(&t.Overrun)
}

func settlement(w wire, s *ledger.Settlement) {
	claim(w, &s.Claim)
	totals(w, &s.Totals)
	w.number(&s.Seq)
}

func recovered(w wire, r *ledger.Recovered) {
	claim(w, &r.Claim)
	totals(w, &r.Totals)
	w.number(&r.Seq)
}

// begin moves an Attempt. The ID stands first.
func begin(w wire, a *Attempt) {
	w.text(&a.Record)
	w.whole(&a.Number)
	w.instant(&a.Time)
	list(w, &a.Claims, claim)
	known := 0
	if a.Draft != nil {
		known = 1
	}
	if w.length(known) == 0 {
		return
	}
	if a.Draft == nil {
		a.Draft = &usage.Record{}
	}
	record(w, a.Draft)
}

// settled moves what stands before the record of an end: the ID and the settlements.
func settled(w wire, id *string, settlements *[]ledger.Settlement) {
	w.text(id)
	list(w, settlements, settlement)
}

// decodeBegin reads a kindBegin.
func decodeBegin(payload []byte) (*Attempt, error) {
	d := &decoder{in: payload}
	a := &Attempt{}
	begin(d, a)
	if a.Draft != nil {
		a.Draft.ID = a.Record
	}
	return a, d.end()
}

// decodeEnd reads the record of a kindEnd.
func decodeEnd(payload []byte) (*usage.Record, error) {
	d := &decoder{in: payload}
	r := &usage.Record{}
	var settlements []ledger.Settlement
	settled(d, &r.ID, &settlements)
	record(d, r)
	return r, d.end()
}

// decodeSettled reads the id and the settlements of a kindEnd, and leaves its record.
func decodeSettled(payload []byte) (string, []ledger.Settlement, error) {
	d := &decoder{in: payload}
	var id string
	var settlements []ledger.Settlement
	settled(d, &id, &settlements)
	if d.bad || id == "" {
		return "", nil, errPayload
	}
	return id, settlements, nil
}

// end tells whether all was well. What a later version appends is left.
func (d *decoder) end() error {
	if d.bad {
		return errPayload
	}
	return nil
}
