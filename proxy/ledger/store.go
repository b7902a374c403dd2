package ledger

import (
	"context"
	"errors"
)

// Errors of a Store that a Keeper tells apart; they may be wrapped.
var (
	// ErrConflict: the record changed since it was loaded.
	ErrConflict = errors.New("the ledger changed meanwhile")
	// ErrNotFound: there is no such ledger.
	ErrNotFound = errors.New("there is no such ledger")
)

// Stored is a record as a store holds it.
type Stored struct {
	// Record is never changed in place.
	Record Record
	// Version is what Save compares.
	Version string
	// Order grows with each change of one ledger; 0 when the store cannot tell.
	Order uint64
	// Identity differs between a ledger and another one of the same name that was made after it was deleted.
	Identity string
}

// Store keeps ledgers, by name, in a place that several owners share. Its methods are safe for concurrent use.
type Store interface {
	// Load reads a ledger. The error is ErrNotFound when there is none.
	Load(ctx context.Context, ledger string) (Stored, error)
	// Save replaces the record that was loaded with that Version and Identity, and returns what is stored then. The error is ErrConflict when the
	// ledger has changed since, and ErrNotFound when there is none. After any other error it may or may not have been replaced.
	Save(ctx context.Context, ledger string, stored Stored) (Stored, error)
	// Watch calls seen with the ledger, and again after each change, until ctx is done. It survives any outage of the store. Changes may be left out
	// when later ones follow.
	Watch(ctx context.Context, ledger string, seen func(Stored))
}
