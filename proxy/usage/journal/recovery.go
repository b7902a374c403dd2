package journal

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/usage"
)

// lostCode is the code of attempts and requests whose end is not known.
const lostCode = "lost"

// attemptKey names an attempt. A frame that was carried on can be there twice.
type attemptKey struct {
	record string
	number int
}

// found is what the segments of earlier runs tell.
type found struct {
	attempts map[attemptKey]*Attempt
	numbers  map[string][]int
	settled  map[counterKey]ledger.Recovered
	// closed are the counters of runs before the last one, whose claims are all taken in.
	closed  map[counterKey]ledger.Recovered
	corrupt int64
	foreign []string
}

func newFound() *found {
	return &found{
		attempts: map[attemptKey]*Attempt{}, numbers: map[string][]int{}, settled: map[counterKey]ledger.Recovered{}, closed: map[counterKey]ledger.Recovered{},
	}
}

// refuse leaves a file alone that cannot be read.
func (f *found) refuse(log *slog.Logger, number uint64, err error) {
	log.Error("a segment of the usage journal cannot be read and is left alone", "file", segmentName(number), "error", err)
	f.foreign = append(f.foreign, segmentName(number))
}

// add takes in a frame. Frames come in the order in which they were written.
func (f *found) add(fr frame) {
	var err error
	switch fr.kind {
	case kindBegin:
		err = f.addBegin(fr.payload)
	case kindEnd:
		err = f.addEnd(fr.payload)
	case kindDrop:
		d := &decoder{in: fr.payload}
		var id string
		d.text(&id)
		f.end(id)
		err = d.end()
	case kindSettled:
		err = f.addCounter(f.settled, fr.payload)
	case kindRecovered:
		err = f.addCounter(f.closed, fr.payload)
	default:
		err = errPayload
	}
	if err != nil {
		f.corrupt += fr.end - fr.start
	}
}

func (f *found) addBegin(payload []byte) error {
	a, err := decodeBegin(payload)
	if err != nil {
		return err
	}
	key := attemptKey{record: a.Record, number: a.Number}
	if _, again := f.attempts[key]; !again {
		f.numbers[a.Record] = append(f.numbers[a.Record], a.Number)
	}
	f.attempts[key] = a
	return nil
}

func (f *found) addEnd(payload []byte) error {
	id, settlements, err := decodeSettled(payload)
	if err != nil {
		return err
	}
	f.end(id)
	for i := range settlements {
		s := &settlements[i]
		latest(f.settled, ledger.Recovered{Claim: s.Claim, Totals: s.Totals, Seq: s.Seq})
	}
	return nil
}

// end closes the attempts of a request.
func (f *found) end(id string) {
	for _, number := range f.numbers[id] {
		delete(f.attempts, attemptKey{record: id, number: number})
	}
	delete(f.numbers, id)
}

func (f *found) addCounter(to map[counterKey]ledger.Recovered, payload []byte) error {
	d := &decoder{in: payload}
	var r ledger.Recovered
	recovered(d, &r)
	if d.end() == nil {
		latest(to, r)
	}
	return d.end()
}

// latest keeps the later state of a counter. Nano of a settlement is what it had reserved, which is over.
func latest(to map[counterKey]ledger.Recovered, r ledger.Recovered) {
	key := keyOf(&r.Claim)
	if was, known := to[key]; !known || r.Seq >= was.Seq {
		to[key] = r
	}
}

// recovery makes the state of each counter and the records of the requests that have no end.
func (f *found) recovery(now time.Time) *Recovery {
	counters := f.settled
	for key, r := range counters {
		r.Nano = 0
		counters[key] = r
	}
	requests := map[string][]*Attempt{}
	for _, a := range f.attempts {
		requests[a.Record] = append(requests[a.Record], a)
		for i := range a.Claims {
			f.hold(counters, &a.Claims[i])
		}
	}
	maps.Copy(counters, f.closed)
	r := &Recovery{Counters: slices.SortedFunc(maps.Values(counters), func(a, b ledger.Recovered) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Ledger, b.Ledger), cmp.Compare(a.Subject, b.Subject), a.Key.Start.Compare(b.Key.Start))
	})}
	for _, attempts := range requests {
		r.Lost = append(r.Lost, lostRecord(attempts, now))
	}
	slices.SortFunc(r.Lost, func(a, b *usage.Record) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
	return r
}

// hold adds an open claim to its counter.
func (f *found) hold(counters map[counterKey]ledger.Recovered, c *ledger.Claim) {
	key := keyOf(c)
	r, known := counters[key]
	if !known {
		r.Claim = *c
		r.Nano = 0
	}
	r.Nano = meter.AddSaturating(r.Nano, max(c.Nano, 0))
	counters[key] = r
}

// lostRecord is the record of a request whose end is not known. It costs what its attempts can have cost at most: what they had reserved, or what the draft says
// where no budget reserves.
func lostRecord(attempts []*Attempt, now time.Time) *usage.Record {
	slices.SortFunc(attempts, func(a, b *Attempt) int { return cmp.Compare(a.Number, b.Number) })
	first := attempts[0]
	r := &usage.Record{Time: first.Time}
	for _, a := range attempts {
		if a.Draft != nil {
			r = a.Draft
		}
	}
	r.ID, r.Outcome, r.Estimated, r.Usage.Estimated, r.Code, r.Status = first.Record, usage.Lost, true, true, lostCode, 0
	r.Duration = max(0, now.Sub(r.Time))
	r.Attempts = nil
	var cost int64
	for _, a := range attempts {
		noted := usage.Attempt{Code: lostCode, Cost: a.bound()}
		if a.Draft != nil {
			noted.Target, noted.Provider, noted.Model = a.Draft.Target, a.Draft.Provider, a.Draft.Served
		}
		cost = meter.AddSaturating(cost, noted.Cost)
		r.Attempts = append(r.Attempts, noted)
	}
	r.Cost = max(r.Cost, cost)
	r.Normalize()
	return r
}

// bound is what the attempt had reserved; each of its budgets holds the same amount, or none.
func (a *Attempt) bound() int64 {
	var most int64
	for _, c := range a.Claims {
		most = max(most, c.Nano)
	}
	return most
}
