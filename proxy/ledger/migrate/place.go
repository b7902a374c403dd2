package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"signalbox.dev/signalbox/proxy/ledger"
)

// Store is what a migration needs of a ledger.Store.
type Store interface {
	// Load reads a document.
	Load(ctx context.Context, name string) (ledger.Stored, error)
	// Save replaces a document by compare-and-set.
	Save(ctx context.Context, name string, stored ledger.Stored) (ledger.Stored, error)
}

// Subjects is what a Store has, besides, that keeps the counters of each subject in a document of their own.
type Subjects interface {
	// List returns the names of the documents of a ledger.
	List(ctx context.Context, of string) ([]string, error)
	// Seed sets what documents of a ledger hold that are made from now on.
	Seed(ctx context.Context, of string, record ledger.Record) error
}

// Place is a store with its name.
type Place struct {
	// Name tells the place from all others that a ledger is ever moved between; at most maxPlace bytes, without spaces and slashes.
	Name string
	// Store of the place.
	Store Store
	// Subjects is the same store if each subject has a document of its own there; nil if a ledger is one document.
	Subjects Subjects
}

const (
	// maxPlace bounds the name of a place: it is part of an owner's name.
	maxPlace = 64
	// doneMark ends the mark of a ledger whose owners are all gone.
	doneMark = " done"
)

// Errors of a migration that cannot go on.
var (
	// ErrElsewhere: the ledger was moved to another place than this one.
	ErrElsewhere = errors.New("it was moved elsewhere")
	// ErrOpposite: the destination is being moved the other way.
	ErrOpposite = errors.New("it is being moved the other way, and that has to end first")
)

func (p Place) check() error {
	if p.Name == "" || len(p.Name) > maxPlace || strings.ContainsAny(p.Name, " /") {
		return fmt.Errorf("%q cannot be the name of a place", p.Name)
	}
	return nil
}

// documents returns the names of the documents of a ledger.
func (p Place) documents(ctx context.Context, of string) ([]string, error) {
	if p.Subjects == nil {
		return []string{of}, nil
	}
	return p.Subjects.List(ctx, of)
}

// document returns the name of the document that holds the counters of a subject.
func (p Place) document(of, subject string) string {
	if p.Subjects == nil {
		return of
	}
	return ledger.DocumentName(of, subject)
}

// seed sets what new documents hold.
func (p Place) seed(ctx context.Context, of string, record ledger.Record) error {
	if p.Subjects == nil {
		return nil
	}
	return p.Subjects.Seed(ctx, of, record)
}

// Change loads a document, changes it and saves it, again after each conflict. Nothing is saved when alter says that nothing changed.
func (p Place) Change(ctx context.Context, name string, alter func(*ledger.Record) (bool, error)) error {
	for range maxConflicts {
		stored, err := p.Store.Load(ctx, name)
		if err != nil {
			return err
		}
		stored.Record = stored.Record.Clone()
		changed, err := alter(&stored.Record)
		if err != nil || !changed {
			return err
		}
		if _, err := p.Store.Save(ctx, name, stored); !errors.Is(err, ledger.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("ledger %s changes all the time: %w", name, ledger.ErrConflict)
}
