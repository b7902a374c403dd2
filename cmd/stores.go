package cmd

import (
	"log/slog"

	"signalbox.dev/signalbox/proxy/dataplane"
	"signalbox.dev/signalbox/proxy/ledger/valkey"
	"signalbox.dev/signalbox/proxy/table"
)

// openValkey opens the store of the ledgers that a table names. It dials when it is first used.
func openValkey(log *slog.Logger) func(table.Valkey) (dataplane.LedgerStore, error) {
	return func(server table.Valkey) (dataplane.LedgerStore, error) { return valkey.New(server, log) }
}
