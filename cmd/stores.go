package cmd

import (
	"log/slog"

	"signalbox.dev/signalbox/proxy/dataplane"
	"signalbox.dev/signalbox/proxy/ledger/valkey"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage/otlp"
	"signalbox.dev/signalbox/proxy/usage/postgres"
)

// openValkey opens the store of the ledgers that a table names. It dials when it is first used.
func openValkey(log *slog.Logger) func(table.Valkey) (dataplane.LedgerStore, error) {
	return func(server table.Valkey) (dataplane.LedgerStore, error) { return valkey.New(server, log) }
}

// database is a Writer that closes as other sinks do.
type database struct{ *postgres.Writer }

// Close ends the connection.
func (d database) Close() error {
	d.Writer.Close()
	return nil
}

// openPostgres opens the database that a table names. It dials when it is first used.
func openPostgres(where table.Postgres, namespace string) (dataplane.Sink, error) {
	writer, err := postgres.NewWriter(postgres.WriterOptions{URL: where.URL, CAPEM: where.CAPEM, Namespace: namespace})
	if err != nil {
		return nil, err
	}
	return database{writer}, nil
}

// collector is an Exporter that closes as other sinks do.
type collector struct{ *otlp.Exporter }

// Close leaves the connections to their transport.
func (collector) Close() error { return nil }

// openOTLP opens the collector that a table names. It dials when it is first used.
func openOTLP(namespace, pod, version string) func(endpoint string) (dataplane.Sink, error) {
	return func(endpoint string) (dataplane.Sink, error) {
		exporter, err := otlp.New(otlp.Options{Endpoint: endpoint, Namespace: namespace, Pod: pod, Version: version})
		if err != nil {
			return nil, err
		}
		return collector{exporter}, nil
	}
}
