package ledger

import (
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// FuzzForeignRecord has a proxy, the manager and the ledger command work on whatever a store may hold: nothing panics, a Hard budget's proxy is never granted more
// than its limit, and what is written can be read again.
func FuzzForeignRecord(f *testing.F) {
	for _, seed := range []uint64{4, 12, 93, 104} {
		s := newSim(newSimPlan(seed, noRule))
		s.run()
		text, err := Encode(s.store.record)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, int64(100), int64(10))
	}
	f.Add([]byte(`{"format":2,"windows":[{"period":"Total","timeZone":"UTC","owners":{"pod/1.1":{"spent":9223372036854775807,"requests":1,"seq":9223372036854775807,"updated":"2026-01-01T00:00:00Z"}}}]}`), int64(1), int64(1))
	f.Fuzz(func(t *testing.T, text []byte, limit, ask int64) {
		record, err := Decode(text)
		if err != nil || limit < 0 {
			return
		}
		workAsProxy(t, record, limit, ask)
		workAsManager(t, record)
	})
}

// workAsProxy asks for a call in the first window of a record, and writes.
func workAsProxy(t *testing.T, record Record, limit, ask int64) {
	t.Helper()
	now := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	budget := table.Budget{Object: table.Object{Name: "team"}, Limit: limit, Period: periodTotal, TimeZone: "UTC", Enforcement: table.Hard, Ledger: Name("team")}
	if len(record.Windows) > 0 {
		budget.ResetID = record.Windows[0].ResetID
	}
	book := NewBook("pod/2")
	handle := book.Use([]table.Budget{budget}, now)[0]
	account := book.accounts[budget.Ledger]
	account.reload(now, Stored{Record: record, Version: "1", Order: 1, Identity: "1"}, 0)
	c, err := handle.counter(now, &Claimant{})
	if err != nil {
		t.Fatal(err)
	}
	said, held, _ := c.ask(now, &Ask{Nano: ask})
	var waits *waiter
	if said == mustWait {
		waits, said, held = c.enlist(ask)
	}
	next, changed := account.prepare(now)
	if changed {
		next.Version, next.Order = "2", 2
		account.acknowledge(now, next)
	}
	if waits != nil && waits.held.counter != nil {
		said, held = admitted, waits.held
	}
	if said == admitted {
		taken, _ := record.FindCounter(c.place.Key, "")
		if committed := addSaturating(addSaturating(taken.Total().Spent, addSaturating(taken.Reserved(), taken.Lost())), held.nano); held.nano > 0 && !ofPod(taken, "pod") && committed > limit {
			t.Errorf("%d was admitted although %d are committed of %d", held.nano, committed, limit)
		}
		c.settle(held, &Charge{Nano: held.nano}, 1)
	}
	checkReadable(t, next.Record)
}

// ofPod tells whether a counter has an entry of a pod.
func ofPod(c Count, pod string) bool {
	for owner := range c.Owners {
		if owner.Pod() == pod {
			return true
		}
	}
	return false
}

// workAsManager does all that the manager and the command do.
func workAsManager(t *testing.T, record Record) {
	t.Helper()
	for _, window := range record.Windows {
		summary := record.Summary(window.Key)
		if summary.Spent < 0 || summary.Reserved < 0 || summary.Lost < 0 {
			t.Errorf("negative summary %+v", summary)
		}
	}
	none := func(string) bool { return false }
	changed := record.Clone()
	changed.MarkLost(none)
	checkReadable(t, changed)
	if changed.Unmarked(none) {
		t.Error("not all entries are marked")
	}
	changed.LostSlices()
	changed.FoldGone(none, 1)
	checkReadable(t, changed)
	changed.ReleaseAll()
	if lost := changed.LostSlices(); len(lost) > 0 {
		t.Errorf("%d slices are lost after all were released", len(lost))
	}
	changed.Prune(time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC))
	checkReadable(t, changed)
}

// checkReadable says whether a record that fits a store cannot be read again.
func checkReadable(t *testing.T, record Record) {
	t.Helper()
	text, err := Encode(record)
	if err != nil {
		return
	}
	if _, err := Decode(text); err != nil {
		t.Errorf("what was written cannot be read: %v", err)
	}
}
