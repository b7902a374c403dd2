package migrate

import (
	"maps"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
)

// maxShares bounds the names of a breakdown that is carried, the empty one included.
const maxShares = 16

// carry brings the entry that stands for a counter of the source up to date, and tells whether that changed the record. from names the source, to the
// destination.
func carry(record *ledger.Record, from, to Place, count ledger.Count, now time.Time) bool {
	own := without(count, ledger.CarriedOwner(to.Name))
	summary := own.Summarize()
	i := find(record, count)
	if i < 0 && len(own.Owners) == 0 && summary.Totals == (ledger.Totals{}) && summary.Lost == 0 {
		return false
	}
	if i < 0 {
		record.Windows = append(record.Windows, ledger.Count{Key: count.Key, Subject: count.Subject, End: count.End})
		i = len(record.Windows) - 1
	}
	window := &record.Windows[i]
	owner := ledger.CarriedOwner(from.Name)
	before := window.Owners[owner]
	entry := ledger.Entry{
		Totals: later(before.Totals, summary.Totals), Seq: before.Seq, Lost: true, Updated: before.Updated,
		Routes: breakdown(summary.Routes), Callers: breakdown(summary.Callers),
	}
	entry.Allowance = add(entry.Spent, add(summary.Reserved, summary.Lost))
	if before.Seq > 0 && same(before, entry) {
		return false
	}
	entry.Seq++
	entry.Updated = now.UTC().Truncate(time.Second)
	if window.Owners == nil {
		window.Owners = map[ledger.Owner]ledger.Entry{}
	}
	window.Owners[owner] = entry
	return true
}

// without returns a counter without the entry of an owner.
func without(count ledger.Count, owner ledger.Owner) ledger.Count {
	if _, there := count.Owners[owner]; there {
		count.Owners = maps.Clone(count.Owners)
		delete(count.Owners, owner)
	}
	return count
}

// find returns the index of the counter of the same window and subject, or -1.
func find(record *ledger.Record, count ledger.Count) int {
	for i, window := range record.Windows {
		if window.Period == count.Period && window.TimeZone == count.TimeZone && window.ResetID == count.ResetID && window.Start.Equal(count.Start) &&
			window.Subject == count.Subject {
			return i
		}
	}
	return -1
}

// later returns the larger of each total: they only grow.
func later(a, b ledger.Totals) ledger.Totals {
	return ledger.Totals{
		Spent: max(a.Spent, b.Spent), Requests: max(a.Requests, b.Requests), Unpriced: max(a.Unpriced, b.Unpriced), Overrun: max(a.Overrun, b.Overrun),
	}
}

// add adds numbers that are not negative, and stops at the largest.
func add(a, b int64) int64 {
	return ledger.Totals{Spent: a}.Plus(ledger.Totals{Spent: b}).Spent
}

func same(a, b ledger.Entry) bool {
	return a.Totals == b.Totals && a.Allowance == b.Allowance && a.Lost == b.Lost && maps.Equal(a.Routes, b.Routes) && maps.Equal(a.Callers, b.Callers)
}

// breakdown keeps the largest shares, and the sum of the others under the empty name.
func breakdown(shares []ledger.Share) ledger.Breakdown {
	if len(shares) == 0 {
		return nil
	}
	kept := ledger.Breakdown{}
	for _, share := range shares {
		name := share.Name
		if len(kept) >= maxShares-1 {
			name = ""
		}
		kept[name] = add(kept[name], share.Nano)
	}
	return kept
}
