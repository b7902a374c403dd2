package spendbudget

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"signalbox.dev/signalbox/proxy/ledger/valkey"
	"signalbox.dev/signalbox/proxy/table"
)

// Valkey opens the stores of namespaces on one server, as a user that may use the keys of all of them. It is safe for concurrent use.
type Valkey struct {
	server table.Valkey
	log    *slog.Logger

	mutex sync.Mutex
	open  map[string]*valkey.Store
}

// NewValkey returns the stores of a server, whose Prefix is not used. Nothing is dialled before it is needed.
func NewValkey(server table.Valkey, log *slog.Logger) *Valkey {
	return &Valkey{server: server, log: log, open: map[string]*valkey.Store{}}
}

// Of returns the store of a namespace, for Stores.
func (v *Valkey) Of(_ context.Context, namespace string) (Store, error) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if store, found := v.open[namespace]; found {
		return store, nil
	}
	options := v.server
	options.Prefix = valkey.Prefix(namespace)
	store, err := valkey.New(options, v.log)
	if err != nil {
		return nil, fmt.Errorf("opening the ledgers of namespace %s: %w", namespace, err)
	}
	v.open[namespace] = store
	return store, nil
}
