package spendbudget

import (
	"context"
	"errors"
	"fmt"

	"signalbox.dev/signalbox/proxy/ledger"
)

// Document is a record of a budget's ledger as it is stored. In Kubernetes a ledger is one document; elsewhere each counter has one.
type Document struct {
	// Name of the document in its store.
	Name string
	ledger.Stored
}

// Ledgers are where the ledgers of all namespaces are kept, when that is not in ConfigMaps. They are asked again and again, for they tell of no change. The
// methods are safe for concurrent use.
type Ledgers interface {
	// Read returns the documents of a ledger; none when nothing was written to it yet.
	Read(ctx context.Context, namespace, name string) ([]Document, error)
	// Save replaces a document. The error is ledger.ErrConflict when it has changed since it was read.
	Save(ctx context.Context, namespace string, document Document) error
	// Prune removes the documents of a namespace whose windows have all ended long ago.
	Prune(ctx context.Context, namespace string) error
}

// Store is a ledger.Store of one namespace that can be looked through, such as that of Valkey.
type Store interface {
	ledger.Store
	// Ledgers returns the names of the ledgers that have a document.
	Ledgers(ctx context.Context) ([]string, error)
	// List returns the names of a ledger's documents.
	List(ctx context.Context, ledger string) ([]string, error)
	// Peek reads documents in the order of their names. Those that there are not have no Version.
	Peek(ctx context.Context, documents ...string) ([]ledger.Stored, error)
	// Prune removes the documents of a ledger whose windows have all ended long ago, and returns how many.
	Prune(ctx context.Context, ledger string) (int64, error)
}

// Stores are Ledgers with a store for each namespace.
type Stores struct {
	// Of returns the store of a namespace. It keeps what it has opened.
	Of func(ctx context.Context, namespace string) (Store, error)
}

// Read implements Ledgers.
func (s Stores) Read(ctx context.Context, namespace, name string) ([]Document, error) {
	store, err := s.Of(ctx, namespace)
	if err != nil {
		return nil, err
	}
	names, err := store.List(ctx, name)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	found, err := store.Peek(ctx, names...)
	if err != nil {
		return nil, err
	}
	if len(found) != len(names) {
		return nil, fmt.Errorf("%d documents were asked for, and %d answered", len(names), len(found))
	}
	documents := make([]Document, 0, len(found))
	for i, stored := range found {
		if stored.Version != "" {
			documents = append(documents, Document{Name: names[i], Stored: stored})
		}
	}
	return documents, nil
}

// Save implements Ledgers.
func (s Stores) Save(ctx context.Context, namespace string, document Document) error {
	store, err := s.Of(ctx, namespace)
	if err != nil {
		return err
	}
	_, err = store.Save(ctx, document.Name, document.Stored)
	return err
}

// Prune implements Ledgers. Ledgers of budgets that are gone are pruned, too.
func (s Stores) Prune(ctx context.Context, namespace string) error {
	store, err := s.Of(ctx, namespace)
	if err != nil {
		return err
	}
	names, err := store.Ledgers(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, name := range names {
		if _, err := store.Prune(ctx, name); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
