package ledger

import (
	"slices"
	"strconv"
)

// simRule is a rule of the protocol that a schedule does without.
type simRule int

const (
	// noRule: the protocol is whole.
	noRule simRule = iota
	// compareAndSet: the store takes any write, whatever it was based on.
	compareAndSet
	// windowInKey: windows that differ by nothing but their bounds are one.
	windowInKey
	// sequenceNumber: a write that is repeated or late replaces entries that are newer.
	sequenceNumber
	// ownerIdentity: a container has the name of the one before it.
	ownerIdentity
	// acknowledgement: a raised allowance is spent from before it is written.
	acknowledgement
	// lowerFirst: an allowance is lowered only once that is written.
	lowerFirst
	// lostCounts: what an owner that is gone may have spent is free again.
	lostCounts
)

// simPast is how many versions a watch can lag behind.
const simPast = 12

// simStore is one ledger in optimistic concurrency, with its past.
type simStore struct {
	rule     simRule
	identity int
	order    uint64
	record   Record
	// past are the latest versions, the current one last.
	past []Stored
}

func newSimStore(rule simRule) *simStore {
	s := &simStore{rule: rule, identity: 1}
	s.replace(Record{})
	return s
}

// current returns what the store holds.
func (s *simStore) current() Stored {
	return s.past[len(s.past)-1]
}

// replace makes a record the current one.
func (s *simStore) replace(record Record) {
	s.order++
	s.record = record
	if len(s.past) == simPast {
		s.past = slices.Delete(s.past, 0, 1)
	}
	s.past = append(s.past, Stored{
		Record: record, Version: strconv.FormatUint(s.order, 10), Order: s.order, Identity: strconv.Itoa(s.identity),
	})
}

// save is Store.Save.
func (s *simStore) save(stored Stored) (Stored, error) {
	current := s.current()
	if (stored.Version != current.Version || stored.Identity != current.Identity) && s.rule != compareAndSet {
		return Stored{}, ErrConflict
	}
	record := stored.Record
	if s.rule == windowInKey {
		record = joinWindows(record)
	}
	s.replace(record)
	return s.current(), nil
}

// replay has a write arrive once more. A store that compares versions refuses it; without sequence numbers it would be merged.
func (s *simStore) replay(stored Stored, owners func(Owner) bool) bool {
	if s.rule != sequenceNumber {
		_, err := s.save(stored)
		return err == nil
	}
	merged := s.record.Clone()
	for _, late := range stored.Record.Windows {
		i := merged.index(late.Key, late.Subject)
		if i < 0 {
			continue
		}
		for owner, entry := range late.Owners {
			if _, there := merged.Windows[i].Owners[owner]; there && owners(owner) {
				merged.Windows[i].Owners[owner] = entry
			}
		}
	}
	s.replace(merged)
	return true
}

// joinWindows makes windows of one period one window, the latest one.
func joinWindows(record Record) Record {
	joined := record.Clone()
	for i := 1; i < len(joined.Windows); {
		into, from := &joined.Windows[0], joined.Windows[i]
		if into.Period != from.Period || into.ResetID != from.ResetID || into.Subject != from.Subject {
			i++
			continue
		}
		if from.Start.After(into.Start) {
			into.Start, into.End = from.Start, from.End
		}
		into.Folded.Totals = into.Folded.Plus(from.Folded.Totals)
		into.Folded.Lost += from.Folded.Lost
		for owner, entry := range from.Owners {
			into.Owners[owner] = entry
		}
		joined.Windows = slices.Delete(joined.Windows, i, i+1)
	}
	return joined
}
