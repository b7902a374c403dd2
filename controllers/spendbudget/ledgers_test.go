package spendbudget

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/proxy/ledger"
)

// shelf is a Store in memory.
type shelf struct {
	ledger.Store
	documents map[string]ledger.Stored
	names     []string
	pruned    []string
	saves     int
	failure   error
}

// put replaces a document.
func (s *shelf) put(name string, record ledger.Record) {
	if _, found := s.documents[name]; !found {
		s.names = append(s.names, name)
	}
	s.saves++
	s.documents[name] = ledger.Stored{Record: record, Version: fmt.Sprint(s.saves)}
}

func (s *shelf) Save(_ context.Context, name string, stored ledger.Stored) (ledger.Stored, error) {
	if s.failure != nil {
		return ledger.Stored{}, s.failure
	}
	if s.documents[name].Version != stored.Version {
		return ledger.Stored{}, fmt.Errorf("saving %s: %w", name, ledger.ErrConflict)
	}
	s.put(name, stored.Record)
	return s.documents[name], nil
}

func (s *shelf) Ledgers(context.Context) ([]string, error) {
	return []string{"signalbox-ledger-daily", "signalbox-ledger-gone"}, s.failure
}

func (s *shelf) List(_ context.Context, name string) ([]string, error) {
	if name != "signalbox-ledger-daily" {
		return nil, s.failure
	}
	return slices.Clone(s.names), s.failure
}

func (s *shelf) Peek(_ context.Context, names ...string) ([]ledger.Stored, error) {
	var found []ledger.Stored
	for _, name := range names {
		found = append(found, s.documents[name])
	}
	return found, s.failure
}

func (s *shelf) Prune(_ context.Context, name string) (int64, error) {
	s.pruned = append(s.pruned, name)
	return 0, s.failure
}

func (s *shelf) stores() Stores {
	return Stores{Of: func(context.Context, string) (Store, error) { return s, nil }}
}

func newShelf() *shelf { return &shelf{documents: map[string]ledger.Stored{}} }

// heldBy is the record of a subject's counter in today's window with one entry.
func heldBy(owner ledger.Owner, subject string, entry ledger.Entry) ledger.Record {
	key, end := today(&input{now: now()})
	entry.Seq, entry.Updated = 1, now()
	return ledger.Record{Windows: []ledger.Count{{Key: key, Subject: subject, End: end, Owners: map[ledger.Owner]ledger.Entry{owner: entry}}}}
}

func TestStoresReadWhatThereIs(t *testing.T) {
	store := newShelf()
	record := heldBy("pod/1", "alice", ledger.Entry{Allowance: 5})
	store.put("signalbox-ledger-daily/alice", record)
	store.names = append(store.names, "signalbox-ledger-daily/vanished")
	for name, want := range map[string][]Document{
		"signalbox-ledger-daily": {{Name: "signalbox-ledger-daily/alice", Stored: ledger.Stored{Record: record, Version: "1"}}},
		"signalbox-ledger-other": nil,
	} {
		got, err := store.stores().Read(t.Context(), "team-a", name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestStoresSaveOverWhatWasRead(t *testing.T) {
	store := newShelf()
	store.put("signalbox-ledger-daily", ledger.Record{})
	read, err := store.stores().Read(t.Context(), "team-a", "signalbox-ledger-daily")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.stores().Save(t.Context(), "team-a", read[0]); err != nil {
		t.Error(err)
	}
	if err := store.stores().Save(t.Context(), "team-a", read[0]); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("saved twice over the same version: %v", err)
	}
}

func TestStoresPruneAllLedgers(t *testing.T) {
	store := newShelf()
	if err := store.stores().Prune(t.Context(), "team-a"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"signalbox-ledger-daily", "signalbox-ledger-gone"}, store.pruned); diff != "" {
		t.Errorf("pruned (-want +got):\n%s", diff)
	}
}

func TestStoresThatCannotBeReached(t *testing.T) {
	away := errors.New("away")
	broken := newShelf()
	broken.failure = away
	closed := Stores{Of: func(context.Context, string) (Store, error) { return nil, away }}
	for name, stores := range map[string]Stores{"no store": closed, "a store that fails": broken.stores()} {
		t.Run(name, func(t *testing.T) {
			_, err := stores.Read(t.Context(), "team-a", "signalbox-ledger-daily")
			for act, err := range map[string]error{
				"Read": err, "Save": stores.Save(t.Context(), "team-a", Document{}), "Prune": stores.Prune(t.Context(), "team-a"),
			} {
				if !errors.Is(err, away) {
					t.Errorf("%s: %v", act, err)
				}
			}
		})
	}
}

var _ = Describe("A SpendBudget with its ledger elsewhere", func() {
	perEndUser := func(b *v1alpha1.SpendBudget) {
		b.Spec.Counter, b.Spec.TrustedCallers = v1alpha1.CounterPerEndUser, []v1alpha1.BudgetCaller{{AccessKey: "web"}}
	}

	It("is read again and again, and no ConfigMap is made", func(ctx context.Context) {
		w, store := newWorld(ctx), newShelf()
		w.reconciler.Ledgers = store.stores()
		w.add(ctx, perEndUser)
		w.deliver(ctx)
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(pollInterval))
		_, err := w.ledger(ctx)
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
		Expect(w.condition(ctx, v1alpha1.ConditionReady)).To(Equal("True/Ready"))

		pod := w.pod(ctx, "living")
		store.put("signalbox-ledger-daily/alice", heldBy(ledger.Owner(pod.UID+"/1"), "alice", ledger.Entry{Totals: ledger.Totals{Spent: 8 * dollar, Requests: 1}}))
		store.put("signalbox-ledger-daily/bob", heldBy(ledger.Owner(pod.UID+"/1"), "bob", ledger.Entry{Totals: ledger.Totals{Spent: dollar, Requests: 1}}))
		w.clock.SetTime(now().Add(pollInterval))
		w.reconcile(ctx)
		status := w.budget(ctx).Status
		Expect(status.Spent).To(Equal("9"))
		Expect(*status.Percent).To(Equal(int64(80)))
		Expect(status.Counters.Known).To(Equal(int64(2)))
		Expect(status.Ledger.Store).To(Equal(v1alpha1.LedgerValkey))
		Expect(w.condition(ctx, v1alpha1.ConditionNearLimit)).To(Equal("True/ThresholdReached"))
	})

	It("outlasts a short outage of the store, and says so of a long one", func(ctx context.Context) {
		w, store := newWorld(ctx), newShelf()
		w.reconciler.Ledgers = store.stores()
		w.add(ctx)
		w.deliver(ctx)
		pod := w.pod(ctx, "living")
		store.put("signalbox-ledger-daily", heldBy(ledger.Owner(pod.UID+"/1"), "", ledger.Entry{Totals: ledger.Totals{Spent: dollar, Requests: 1}}))
		w.reconcile(ctx)
		store.failure = errors.New("connection refused")
		w.clock.SetTime(now().Add(graceTime))
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(pollInterval))
		Expect(w.condition(ctx, v1alpha1.ConditionReady)).To(Equal("True/Ready"))
		Expect(w.budget(ctx).Status.Spent).To(Equal("1"))
		w.clock.SetTime(now().Add(graceTime + time.Second))
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(pollInterval))
		Expect(w.condition(ctx, v1alpha1.ConditionReady)).To(Equal("False/LedgerUnavailable"))
		Expect(w.budget(ctx).Status.Spent).To(BeEmpty())
		store.failure = nil
		w.clock.SetTime(now().Add(time.Minute))
		w.reconcile(ctx)
		Expect(w.condition(ctx, v1alpha1.ConditionReady)).To(Equal("True/Ready"))
	})

	It("marks lost slices in each document by itself", func(ctx context.Context) {
		w, store := newWorld(ctx), newShelf()
		stores := store.stores()
		w.add(ctx, perEndUser)
		store.put("signalbox-ledger-daily/alice", heldBy("gone/1", "alice", ledger.Entry{Allowance: dollar}))
		store.put("signalbox-ledger-daily/bob", heldBy("gone/1", "bob", ledger.Entry{Allowance: 2 * dollar}))
		w.reconciler.Ledgers = racing{Ledgers: stores, before: "signalbox-ledger-daily/alice", write: func() {
			store.put("signalbox-ledger-daily/alice", heldBy("gone/1", "alice", ledger.Entry{Totals: ledger.Totals{Spent: dollar}, Allowance: dollar}))
		}}
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(retry.Soon))
		Expect(w.usage.records).To(HaveLen(1))
		Expect(w.usage.records[0].EndUser).To(Equal("bob"))
		w.reconciler.Ledgers = stores
		w.reconcile(ctx)
		Expect(w.usage.records).To(HaveLen(1))
		Expect(w.budget(ctx).Status.Lost).To(Equal("2"))
		for _, stored := range store.documents {
			for _, entry := range stored.Record.Windows[0].Owners {
				Expect(entry.Lost).To(BeTrue())
			}
		}
	})

	It("has what is over removed once an hour, and what is left of it when it is deleted", func(ctx context.Context) {
		w, store := newWorld(ctx), newShelf()
		w.reconciler.Ledgers = store.stores()
		budget := w.add(ctx)
		w.reconcile(ctx)
		w.clock.SetTime(now().Add(pruneInterval - time.Second))
		w.reconcile(ctx)
		Expect(store.pruned).To(HaveLen(2))
		w.clock.SetTime(now().Add(pruneInterval))
		w.reconcile(ctx)
		Expect(store.pruned).To(HaveLen(4))

		store.put("signalbox-ledger-daily", ledger.Record{})
		Expect(cluster.Client.Delete(ctx, budget)).To(Succeed())
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(maxWait))
		Expect(store.pruned).To(HaveLen(6))
		store.names = nil
		Expect(w.reconcile(ctx)).To(Equal(reconcile.Result{}))
	})
})

// racing are Ledgers in which a proxy writes a document just before it is saved.
type racing struct {
	Ledgers
	before string
	write  func()
}

func (r racing) Save(ctx context.Context, namespace string, document Document) error {
	if document.Name == r.before {
		r.write()
	}
	return r.Ledgers.Save(ctx, namespace, document)
}
