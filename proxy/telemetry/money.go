package telemetry

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// labelSink names what usage records are delivered to.
const labelSink = "sink"

// Money is what a proxy keeps of money and of usage records at one moment.
type Money struct {
	// Allowance is what the proxy holds of the limits of Hard budgets and has not spent or reserved, in nano-dollars.
	Allowance int64
	// JournalBytes is what the journal takes on disk, or in memory without a disk, and JournalLimit the most that it may take.
	JournalBytes, JournalLimit int64
	// JournalLost counts notes that could not be written, and JournalCorrupt the bytes that could not be read.
	JournalLost, JournalCorrupt int64
	// Sinks by name.
	Sinks map[string]Sink
}

// Sink is how a sink of usage records stands.
type Sink struct {
	// Waiting are the records that it does not have yet.
	Waiting int64
	// Dropped counts the records that it never gets for want of room, and Refused those that it would never take.
	Dropped, Refused int64
}

// moneyCollector reads Money with every scrape.
type moneyCollector struct {
	read func() Money

	allowance, bytes, limit, lost, corrupt *prometheus.Desc
	waiting, dropped, refused              *prometheus.Desc
}

// WatchMoney serves what read returns with every scrape.
func (m *Metrics) WatchMoney(read func() Money) error {
	sink := []string{labelSink}
	return m.registry.Register(&moneyCollector{
		read:      read,
		allowance: states("signalbox_budget_allowance_nanodollars", "What this replica holds of the limits of Hard budgets and has not spent or reserved, in nano-dollars.", nil),
		bytes:     states("signalbox_journal_bytes", "Size of the journal of attempts and usage records.", nil),
		limit:     states("signalbox_journal_limit_bytes", "The most that the journal may take.", nil),
		lost:      states("signalbox_journal_lost_notes_total", "Notes that could not be written to the journal.", nil),
		corrupt:   states("signalbox_journal_corrupt_bytes_total", "Bytes of the journal that could not be read and were left out.", nil),
		waiting:   states("signalbox_usage_waiting_records", "Usage records that a sink does not have yet.", sink),
		dropped:   states("signalbox_usage_dropped_records_total", "Usage records that a sink never gets, because the journal was full.", sink),
		refused:   states("signalbox_usage_refused_records_total", "Usage records that a sink would never take and that were set aside.", sink),
	})
}

// Describe implements prometheus.Collector.
func (c *moneyCollector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		c.allowance, c.bytes, c.limit, c.lost, c.corrupt, c.waiting, c.dropped, c.refused,
	} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *moneyCollector) Collect(to chan<- prometheus.Metric) {
	now := c.read()
	gauge := func(desc *prometheus.Desc, value int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	counter := func(desc *prometheus.Desc, value int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
	}
	gauge(c.allowance, now.Allowance)
	gauge(c.bytes, now.JournalBytes)
	gauge(c.limit, now.JournalLimit)
	counter(c.lost, now.JournalLost)
	counter(c.corrupt, now.JournalCorrupt)
	for _, name := range slices.Sorted(maps.Keys(now.Sinks)) {
		sink := now.Sinks[name]
		gauge(c.waiting, sink.Waiting, name)
		counter(c.dropped, sink.Dropped, name)
		counter(c.refused, sink.Refused, name)
	}
}
