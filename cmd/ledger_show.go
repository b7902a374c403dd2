package cmd

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
)

// writeLedger prints the record of a budget: windows, the latest first, with their counters and owners, those with the largest amounts first. top bounds both; 0 does
// not.
func writeLedger(out *strings.Builder, budget string, record ledger.Record, top int) {
	fmt.Fprintf(out, "budget %s\n", budget)
	if record.Moved != "" {
		place, done := strings.CutSuffix(record.Moved, " done")
		if done {
			fmt.Fprintf(out, "moved to %s\n", place)
		} else {
			fmt.Fprintf(out, "being moved to %s\n", place)
		}
	}
	keys := windows(record)
	if len(keys) == 0 {
		out.WriteString("nothing was counted\n")
	}
	for _, key := range keys {
		fmt.Fprintf(out, "window %s\n", keyName(key))
		writeCounters(out, record.Summary(key).Counters, top)
		writeOwners(out, record, key, top)
	}
	out.WriteString("\n")
}

// windows returns the keys of a record's windows, the latest first.
func windows(record ledger.Record) []ledger.Key {
	keys := map[string]ledger.Key{}
	for _, window := range record.Windows {
		keys[keyName(window.Key)] = window.Key
	}
	return slices.SortedFunc(maps.Values(keys), func(a, b ledger.Key) int {
		return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(keyName(a), keyName(b)))
	})
}

// keyName names a window.
func keyName(key ledger.Key) string {
	name := key.Period
	if !key.Start.IsZero() {
		name += " from " + key.Start.UTC().Format(time.RFC3339)
	}
	name += ", " + key.TimeZone
	if key.ResetID != "" {
		name += fmt.Sprintf(", resetID %q", key.ResetID)
	}
	return name
}

// counterName names a counter. Subjects are what callers say, so they are quoted where they would not print as they are.
func counterName(subject string) string {
	if subject == "" {
		return "(all calls)"
	}
	return printable(subject)
}

// ownerName names an owner.
func ownerName(owner ledger.Owner) string {
	if owner == "" {
		return "(owners no longer named)"
	}
	return printable(string(owner))
}

// printable quotes a text that holds more than letters, digits and signs of ASCII.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Sprintf("%+q", text)
	}
	return text
}

// cut returns the first of a list, and how many are left out.
func cut[T any](all []T, top int) (kept []T, left int) {
	if top <= 0 || len(all) <= top {
		return all, 0
	}
	return all[:top], len(all) - top
}

func writeCounters(out *strings.Builder, counters []ledger.CounterSummary, top int) {
	slices.SortFunc(counters, func(a, b ledger.CounterSummary) int {
		return cmp.Or(cmp.Compare(b.Spent, a.Spent), cmp.Compare(b.Lost, a.Lost), cmp.Compare(a.Subject, b.Subject))
	})
	kept, left := cut(counters, top)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "  COUNTER\tSPENT\tRESERVED\tLOST\tOVERRUN\tREQUESTS\tUNPRICED")
	for _, counter := range kept {
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%d\t%d\n", counterName(counter.Subject), dollars(counter.Spent), dollars(counter.Reserved), dollars(counter.Lost),
			dollars(counter.Overrun), counter.Requests, counter.Unpriced)
	}
	_ = table.Flush()
	writeLeft(out, left, "counters")
}

// holding is the entry of an owner in a counter.
type holding struct {
	subject string
	owner   ledger.Owner
	entry   ledger.Entry
}

func writeOwners(out *strings.Builder, record ledger.Record, key ledger.Key, top int) {
	var holdings []holding
	var folded int64
	for _, window := range record.Windows {
		if keyName(window.Key) != keyName(key) {
			continue
		}
		folded = ledger.Totals{Spent: folded}.Plus(ledger.Totals{Spent: window.Folded.Lost}).Spent
		for owner, entry := range window.Owners {
			holdings = append(holdings, holding{subject: window.Subject, owner: owner, entry: entry})
		}
	}
	slices.SortFunc(holdings, func(a, b holding) int {
		return cmp.Or(cmp.Compare(b.entry.Held(), a.entry.Held()), cmp.Compare(b.entry.Spent, a.entry.Spent), cmp.Compare(a.owner, b.owner), cmp.Compare(a.subject, b.subject))
	})
	kept, left := cut(holdings, top)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "  OWNER\tCOUNTER\tSPENT\tRESERVED\tLOST\tUPDATED")
	for _, h := range kept {
		reserved, lost := h.entry.Held(), int64(0)
		if h.entry.Lost {
			reserved, lost = 0, reserved
		}
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", ownerName(h.owner), counterName(h.subject), dollars(h.entry.Spent), dollars(reserved), dollars(lost),
			h.entry.Updated.UTC().Format(time.RFC3339))
	}
	if folded > 0 {
		_, _ = fmt.Fprintf(table, "  %s\t\t\t\t%s\t\n", ownerName(""), dollars(folded))
	}
	_ = table.Flush()
	writeLeft(out, left, "owners")
}

func writeLeft(out *strings.Builder, left int, of string) {
	if left > 0 {
		fmt.Fprintf(out, "  ... and %d more %s (--top 0 prints all)\n", left, of)
	}
}
