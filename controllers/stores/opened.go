package stores

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/proxy/ledger/valkey"
)

// errNoAccess is for a namespace whose table names no server, for it has no proxy or the table is older than the configuration.
var errNoAccess = errors.New("the namespace's routing table does not name the store of the ledgers yet")

// Opened are the namespaces' own stores of their ledgers, opened as their proxies open them. It is safe for concurrent use.
type Opened struct {
	tables *report.Reader
	log    *slog.Logger

	mutex  sync.Mutex
	stores map[string]opened
}

// opened is the store of a namespace, and the digest of how it is reached.
type opened struct {
	digest string
	store  *valkey.Store
}

// NewOpened returns an Opened that has nothing open.
func NewOpened(tables *report.Reader, log *slog.Logger) *Opened {
	return &Opened{tables: tables, log: log, stores: map[string]opened{}}
}

// Of returns the store of a namespace. It stays open until the namespace's table names another one, or none; whoever still uses it then gets errors, and asks
// again.
func (o *Opened) Of(ctx context.Context, namespace string) (*valkey.Store, error) {
	current, _, err := o.tables.Table(ctx, namespace)
	if err != nil {
		return nil, err
	}
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if current == nil || current.Ledgers.Valkey == nil {
		return nil, errors.Join(errNoAccess, o.close(namespace))
	}
	digest, err := current.Ledgers.Digest()
	if err != nil {
		return nil, fmt.Errorf("reading where the ledgers of namespace %s are: %w", namespace, err)
	}
	if known, ok := o.stores[namespace]; ok && known.digest == digest {
		return known.store, nil
	}
	if err := o.close(namespace); err != nil {
		o.log.Warn("a store of ledgers did not close well", "namespace", namespace, "error", err)
	}
	store, err := valkey.New(*current.Ledgers.Valkey, o.log)
	if err != nil {
		return nil, err
	}
	o.stores[namespace] = opened{digest: digest, store: store}
	return store, nil
}

// close needs the mutex to be held.
func (o *Opened) close(namespace string) error {
	known, ok := o.stores[namespace]
	if !ok {
		return nil
	}
	delete(o.stores, namespace)
	return known.store.Close()
}
