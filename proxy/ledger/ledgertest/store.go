// Package ledgertest has a ledger.Store in memory whose faults a test chooses.
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
)

// ErrAway is what a stopped store answers, and what the caller of Save gets in place of a reply that is lost.
var ErrAway = errors.New("the store is away")

// Write is a change of a ledger.
type Write struct {
	// Owners whose entries it changed, in order; none if it changed something else.
	Owners []ledger.Owner
	// At is when the store made it.
	At time.Time
}

// Store keeps ledgers in memory, as text, with optimistic concurrency. It is safe for concurrent use and works under testing/synctest.
type Store struct {
	// latency is how long a request, a reply and a notification take, each.
	latency func() time.Duration

	mu      sync.Mutex
	ledgers map[string]*document
	// stopped tells that no request is answered.
	stopped bool
	// losing is how many replies to Save are still to be lost.
	losing int
	// changed is closed with the next change of any ledger.
	changed chan struct{}
}

// maxVersions bounds how many versions of a ledger Undo can go back.
const maxVersions = 64

// document is one ledger.
type document struct {
	// versions are the latest encoded records; the last one holds.
	versions [][]byte
	// order numbers the changes, also those that were undone.
	order    uint64
	identity int
	writes   []Write
}

// NewStore returns a store without ledgers. latency is asked by each request, reply and notification how long it takes, under the store's lock; nil is no time.
func NewStore(latency func() time.Duration) *Store {
	if latency == nil {
		latency = func() time.Duration { return 0 }
	}
	return &Store{latency: latency, ledgers: map[string]*document{}, changed: make(chan struct{})}
}

// Create makes empty ledgers. One that is there already is deleted first.
func (s *Store) Create(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		made := &document{identity: 1}
		if before := s.ledgers[name]; before != nil {
			made.identity += before.identity
		}
		made.append(empty())
		s.ledgers[name] = made
	}
	s.tell()
}

// empty is the text of a record that holds nothing.
func empty() []byte {
	text, err := ledger.Encode(ledger.Record{})
	if err != nil {
		panic(err)
	}
	return text
}

// Stop begins an outage: requests fail, and what changes is not told.
func (s *Store) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
}

// Start ends an outage.
func (s *Store) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = false
	s.tell()
}

// LoseReplies has the replies to the next saves that succeed lost.
func (s *Store) LoseReplies(count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losing = count
}

// Undo takes the last changes of a ledger back, as the restoring of a backup does.
func (s *Store) Undo(name string, changes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.ledgers[name]
	found.versions = found.versions[:max(1, len(found.versions)-changes)]
	found.order++
	s.tell()
}

// Record returns what a ledger holds.
func (s *Store) Record(name string) (ledger.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.stored(name)
	return stored.Record, err
}

// Writes returns the changes of a ledger, the first one first.
func (s *Store) Writes(name string) []Write {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.ledgers[name]; found != nil {
		return slices.Clone(found.writes)
	}
	return nil
}

// Load implements ledger.Store.
func (s *Store) Load(ctx context.Context, name string) (ledger.Stored, error) {
	if err := s.travel(ctx); err != nil {
		return ledger.Stored{}, err
	}
	stored, err := s.answer(name)
	if err != nil {
		return ledger.Stored{}, err
	}
	return stored, s.travel(ctx)
}

// answer is stored for who has no lock; a stopped store does not answer.
func (s *Store) answer(name string) (ledger.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return ledger.Stored{}, ErrAway
	}
	return s.stored(name)
}

// stored returns a ledger as it is.
func (s *Store) stored(name string) (ledger.Stored, error) {
	found := s.ledgers[name]
	if found == nil {
		return ledger.Stored{}, fmt.Errorf("loading %s: %w", name, ledger.ErrNotFound)
	}
	record, err := ledger.Decode(found.versions[len(found.versions)-1])
	if err != nil {
		return ledger.Stored{}, err
	}
	return ledger.Stored{Record: record, Version: strconv.FormatUint(found.order, 10), Order: found.order, Identity: strconv.Itoa(found.identity)}, nil
}

// Save implements ledger.Store.
func (s *Store) Save(ctx context.Context, name string, stored ledger.Stored) (ledger.Stored, error) {
	text, err := ledger.Encode(stored.Record)
	if err != nil {
		return ledger.Stored{}, err
	}
	if err := s.travel(ctx); err != nil {
		return ledger.Stored{}, err
	}
	saved, err := s.replace(name, stored, text)
	if err != nil {
		return ledger.Stored{}, err
	}
	return saved, s.travel(ctx)
}

// replace is Save without the way there and back.
func (s *Store) replace(name string, stored ledger.Stored, text []byte) (ledger.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return ledger.Stored{}, ErrAway
	}
	before, err := s.stored(name)
	if err != nil {
		return ledger.Stored{}, err
	}
	if before.Version != stored.Version || before.Identity != stored.Identity {
		return ledger.Stored{}, fmt.Errorf("saving %s: %w", name, ledger.ErrConflict)
	}
	found := s.ledgers[name]
	found.writes = append(found.writes, Write{Owners: changed(before.Record, stored.Record), At: time.Now()})
	found.append(text)
	s.tell()
	if s.losing > 0 {
		s.losing--
		return ledger.Stored{}, ErrAway
	}
	return s.stored(name)
}

// changed returns the owners whose entries two records do not share.
func changed(before, after ledger.Record) []ledger.Owner {
	var owners []ledger.Owner
	for _, window := range after.Windows {
		for owner, entry := range window.Owners {
			if seq(before, owner) != entry.Seq {
				owners = append(owners, owner)
			}
		}
	}
	slices.Sort(owners)
	return slices.Compact(owners)
}

// seq is the number of an owner's entry; an owner counts in one window only.
func seq(record ledger.Record, owner ledger.Owner) int64 {
	for _, window := range record.Windows {
		if entry, found := window.Owners[owner]; found {
			return entry.Seq
		}
	}
	return 0
}

// Watch implements ledger.Store.
func (s *Store) Watch(ctx context.Context, name string, seen func(ledger.Stored)) {
	for {
		news := s.news()
		if stored, err := s.answer(name); err == nil && s.travel(ctx) == nil {
			seen(stored)
		}
		select {
		case <-ctx.Done():
			return
		case <-news:
		}
	}
}

// news is closed with the next change of any ledger.
func (s *Store) news() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// tell wakes all who watch.
func (s *Store) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// travel waits for as long as a message takes.
func (s *Store) travel(ctx context.Context) error {
	s.mu.Lock()
	wait := s.latency()
	s.mu.Unlock()
	if wait == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// append makes a text the one that holds.
func (d *document) append(text []byte) {
	if len(d.versions) == maxVersions {
		d.versions = slices.Delete(d.versions, 0, 1)
	}
	d.versions = append(d.versions, text)
	d.order++
}
