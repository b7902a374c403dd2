package dataplane

import (
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/telemetry"
)

// money reads what the proxy keeps of money and of usage records.
func (d *DataPlane) money(book *ledger.Book) telemetry.Money {
	stats := d.journal.Stats()
	read := telemetry.Money{
		Allowance: book.Held(), JournalBytes: stats.Bytes, JournalLimit: stats.MaxBytes, JournalLost: stats.Lost, JournalCorrupt: stats.CorruptBytes,
		Sinks: make(map[string]telemetry.Sink, len(stats.Sinks)),
	}
	for _, sink := range stats.Sinks {
		read.Sinks[sink.Sink] = telemetry.Sink{Waiting: sink.Waiting, Dropped: sink.Dropped, Refused: sink.Refused}
	}
	return read
}
