package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"signalbox.dev/signalbox/proxy/ledger"
)

// errKilled is what a migration gets that is killed at some step.
var errKilled = errors.New("killed")

// memory is a store in memory. Documents appear when they are loaded.
type memory struct {
	mu        sync.Mutex
	documents map[string]ledger.Stored
	order     uint64
	seeds     map[string]ledger.Record
	changed   chan struct{}
}

func newMemory() *memory {
	return &memory{documents: map[string]ledger.Stored{}, seeds: map[string]ledger.Record{}, changed: make(chan struct{})}
}

// hooked is the same store with a step around each request.
type hooked struct {
	*memory
	step func(done bool) error
}

func (h hooked) around(do func() error) error {
	if err := h.step(false); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return h.step(true)
}

func (h hooked) Load(ctx context.Context, name string) (stored ledger.Stored, err error) {
	err = h.around(func() error { stored, err = h.memory.Load(ctx, name); return err })
	return stored, err
}

func (h hooked) Save(ctx context.Context, name string, stored ledger.Stored) (saved ledger.Stored, err error) {
	err = h.around(func() error { saved, err = h.memory.Save(ctx, name, stored); return err })
	return saved, err
}

func (h hooked) List(ctx context.Context, of string) (names []string, err error) {
	err = h.around(func() error { names, err = h.memory.List(ctx, of); return err })
	return names, err
}

func (h hooked) Seed(ctx context.Context, of string, record ledger.Record) error {
	return h.around(func() error { return h.memory.Seed(ctx, of, record) })
}

// Load implements Store.
func (m *memory) Load(_ context.Context, name string) (ledger.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, found := m.documents[name]
	if !found {
		of, _ := ledger.SplitDocument(name)
		stored = m.store(name, m.seeds[of].Clone())
	}
	stored.Record = stored.Record.Clone()
	return stored, nil
}

func (m *memory) store(name string, record ledger.Record) ledger.Stored {
	m.order++
	stored := ledger.Stored{Record: record, Version: strconv.FormatUint(m.order, 10), Order: m.order, Identity: "1"}
	m.documents[name] = stored
	close(m.changed)
	m.changed = make(chan struct{})
	return stored
}

// Save implements Store.
func (m *memory) Save(_ context.Context, name string, stored ledger.Stored) (ledger.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.documents[name].Version != stored.Version {
		return ledger.Stored{}, fmt.Errorf("saving %s: %w", name, ledger.ErrConflict)
	}
	return m.store(name, stored.Record.Clone()), nil
}

// Watch implements ledger.Store.
func (m *memory) Watch(ctx context.Context, name string, seen func(ledger.Stored)) {
	for {
		m.mu.Lock()
		changed := m.changed
		m.mu.Unlock()
		stored, err := m.Load(ctx, name)
		if err != nil {
			return
		}
		seen(stored)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// List implements Subjects.
func (m *memory) List(_ context.Context, of string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.documents {
		if whole, _ := ledger.SplitDocument(name); whole == of {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Seed implements Subjects.
func (m *memory) Seed(_ context.Context, of string, record ledger.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seeds[of] = record.Clone()
	return nil
}

// single returns a place where a ledger is one document, and many one where each subject has its own.
func single(name string, store Store) Place { return Place{Name: name, Store: store} }

func many(name string, store interface {
	Store
	Subjects
}) Place {
	return Place{Name: name, Store: store, Subjects: store}
}

// counters returns the counters of the budget's ledger, over all documents.
func (m *memory) counters() []ledger.Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []ledger.Count
	for name, stored := range m.documents {
		if whole, _ := ledger.SplitDocument(name); whole == budget {
			all = append(all, stored.Record.Clone().Windows...)
		}
	}
	return all
}
