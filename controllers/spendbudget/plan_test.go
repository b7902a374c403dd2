package spendbudget

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/kubernetes"
)

// now is in the middle of a day in Lisbon, where November is on UTC.
func now() time.Time {
	return time.Date(2026, time.November, 22, 15, 0, 0, 0, time.UTC)
}

// newBudget returns a Soft budget of 10 USD a day that notifies at 80 and 90 percent.
func newBudget(modify ...func(*v1alpha1.SpendBudget)) *v1alpha1.SpendBudget {
	budget := &v1alpha1.SpendBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "daily", UID: "uid-1", Generation: 3},
		Spec: v1alpha1.SpendBudgetSpec{
			Limit:       v1alpha1.SpendLimit{Amount: "10.00", Currency: "USD"},
			Window:      v1alpha1.BudgetWindow{Period: v1alpha1.PeriodDay, TimeZone: "Europe/Lisbon"},
			Enforcement: v1alpha1.EnforcementSoft,
			Unpriced:    v1alpha1.UnpricedDeny,
			Actions:     []v1alpha1.BudgetAction{{AtPercent: 80, Do: v1alpha1.ActionNotify}, {AtPercent: 90, Do: v1alpha1.ActionNotify}},
		},
	}
	for _, m := range modify {
		m(budget)
	}
	return budget
}

// newInput returns a budget that works and has spent nothing.
func newInput(modify ...func(*input)) *input {
	budget := newBudget()
	in := &input{
		now: now(), budget: budget, store: v1alpha1.LedgerKubernetes, ledger: newLedger(budget), table: true, ready: 2,
		documents: []Document{{Name: ledger.Name("daily")}},
		report:    &compile.ObjectReport{Kind: compile.KindSpendBudget, Name: "daily", UID: "uid-1", Generation: 3, Served: 3, Since: 7},
	}
	for _, m := range modify {
		m(in)
	}
	return in
}

// today is the key of the running window of a budget with the zone and the period of newBudget, and its end.
func today(in *input) (ledger.Key, time.Time) {
	window, err := ledger.NewWindow("Day", "Europe/Lisbon", in.now)
	if err != nil {
		panic(err)
	}
	return ledger.Key{Period: "Day", TimeZone: "Europe/Lisbon", Start: window.Start}, window.End
}

// enter puts an entry into the running window of the shared counter.
func enter(owner ledger.Owner, entry ledger.Entry) func(*input) {
	return func(in *input) {
		key, end := today(in)
		entry.Seq, entry.Updated = max(entry.Seq, 1), in.now
		in.documents[0].Record.Put(key, end, owner, entry)
	}
}

// spent enters what pods spent today, in nano-dollars.
func spent(nanos ...int64) func(*input) {
	return func(in *input) {
		for i, nano := range nanos {
			enter(ledger.Owner(fmt.Sprintf("pod-%d/1", i)), ledger.Entry{Totals: ledger.Totals{Spent: nano, Requests: 2, Unpriced: 1}, Seq: 2})(in)
		}
	}
}

// each enters what the subjects of a budget with counters of their own spent today, each in a document of its own if the ledger is not in Kubernetes.
func each(counter v1alpha1.BudgetCounter, spent map[string]int64) func(*input) {
	return func(in *input) {
		in.budget.Spec.Counter = counter
		key, end := today(in)
		for subject, nano := range spent {
			one := ledger.Count{Key: key, Subject: subject, End: end, Owners: map[ledger.Owner]ledger.Entry{
				"pod-0/1": {Totals: ledger.Totals{Spent: nano, Requests: 1}, Seq: 1, Updated: in.now},
			}}
			if in.store == v1alpha1.LedgerValkey {
				in.documents = append(in.documents, Document{Name: ledger.DocumentName(ledger.Name("daily"), subject), Stored: ledger.Stored{
					Version: "1", Record: ledger.Record{Windows: []ledger.Count{one}},
				}})
				continue
			}
			in.documents[0].Record.Windows = append(in.documents[0].Record.Windows, one)
		}
	}
}

// elsewhere moves the ledger out of Kubernetes.
func elsewhere(in *input) {
	in.store, in.ledger, in.documents = v1alpha1.LedgerValkey, nil, nil
}

func TestNextLook(t *testing.T) {
	for name, tc := range map[string]struct {
		in   *input
		want time.Duration
	}{
		"long before the end of the window": {newInput(), maxWait},
		"shortly before it":                 {newInput(func(in *input) { in.now = in.now.Add(8*time.Hour + 59*time.Minute) }), time.Minute},
		"in its last instant":               {newInput(func(in *input) { in.now = in.now.Add(9*time.Hour - 1) }), time.Millisecond},
		"no window that ends":               {newInput(func(in *input) { in.budget.Spec.Window.Period = v1alpha1.PeriodTotal }), maxWait},
		"a ledger that tells of no change":  {newInput(elsewhere), pollInterval},
		"one with many documents":           {newInput(elsewhere, func(in *input) { in.documents = make([]Document, 1600) }), pollInterval + 3*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := makePlan(tc.in).next; got != tc.want {
				t.Errorf("next = %v; want %v", got, tc.want)
			}
		})
	}
}

func TestLedgerIsMadeOnce(t *testing.T) {
	made := makePlan(newInput(func(in *input) { in.ledger = nil })).create
	if made == nil || made.Name != "signalbox-ledger-daily" || made.Namespace != "team-a" || kubernetes.Budget(made.Labels) != "daily" || len(made.OwnerReferences) != 0 {
		t.Errorf("creates %+v", made)
	}
	for name, in := range map[string]*input{
		"it is there":            newInput(),
		"a foreign one is there": newInput(func(in *input) { in.ledger, in.foreign = nil, true }),
	} {
		if planned := makePlan(in); planned.create != nil || len(planned.saves) != 0 || planned.remove != nil {
			t.Errorf("%s: plans %+v", name, planned)
		}
	}
}

func TestGoneOwnersAreFolded(t *testing.T) {
	many := make([]int64, ledger.MaxGoneOwners+3)
	for i := range many {
		many[i] = 1_000
	}
	for name, tc := range map[string]struct {
		pods   map[string]bool
		bytes  int
		owners int
	}{
		"none is gone":       {pods: everyPod(len(many)), owners: 0},
		"all are gone":       {pods: map[string]bool{}, owners: ledger.MaxGoneOwners},
		"all but one are":    {pods: map[string]bool{"pod-0": true}, owners: ledger.MaxGoneOwners + 1},
		"not asked for pods": {pods: nil, owners: 0},
		"a full ledger":      {pods: map[string]bool{"pod-0": true}, bytes: ledger.MaxEncodedBytes * 3 / 4, owners: 1},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInput(spent(many...))
			in.ledger.Data = map[string]string{ledger.DataKey: strings.Repeat("x", tc.bytes)}
			in.pods = tc.pods
			before := in.documents[0].Record.Clone()
			saves := makePlan(in).saves
			if tc.owners == 0 {
				if len(saves) != 0 {
					t.Error("something was folded")
				}
				return
			}
			window := saves[0].Record.Windows[0]
			if len(window.Owners) != tc.owners || window.Total().Spent != int64(len(many))*1_000 {
				t.Errorf("%d entries and %d spent; want %d and all of it", len(window.Owners), window.Total().Spent, tc.owners)
			}
			if diff := cmp.Diff(before, in.documents[0].Record); diff != "" {
				t.Errorf("the record of the cache was changed:\n%s", diff)
			}
		})
	}
}

func TestSlicesOfPodsThatAreGoneAreLost(t *testing.T) {
	holding := ledger.Entry{Totals: ledger.Totals{Spent: 1}, Allowance: 6}
	nothing := ledger.Entry{Totals: ledger.Totals{Spent: 1}, Allowance: 1}
	marked := ledger.Entry{Totals: ledger.Totals{Spent: 1}, Allowance: 9, Lost: true}
	for name, tc := range map[string]struct {
		entries map[ledger.Owner]ledger.Entry
		pods    map[string]bool
		saved   bool
		lost    map[ledger.Owner]int64
	}{
		"all run":                      {map[ledger.Owner]ledger.Entry{"a/1": holding}, map[string]bool{"a": true}, false, nil},
		"one is gone":                  {map[ledger.Owner]ledger.Entry{"a/1": holding, "b/1": holding}, map[string]bool{"a": true}, true, map[ledger.Owner]int64{"b/1": 5}},
		"one that held nothing":        {map[ledger.Owner]ledger.Entry{"b/1": nothing}, map[string]bool{}, true, nil},
		"one that was marked before":   {map[ledger.Owner]ledger.Entry{"b/1": marked}, map[string]bool{}, false, nil},
		"nobody looked which ones run": {map[ledger.Owner]ledger.Entry{"b/1": holding}, nil, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInput()
			for owner, entry := range tc.entries {
				enter(owner, entry)(in)
			}
			in.pods = tc.pods
			saves := makePlan(in).saves
			if (len(saves) == 1) != tc.saved {
				t.Fatalf("%d documents are saved", len(saves))
			}
			if !tc.saved {
				return
			}
			lost := map[ledger.Owner]int64{}
			for _, slice := range saves[0].lost {
				lost[slice.Owner] = slice.Nano
			}
			if diff := cmp.Diff(tc.lost, lost, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
			for owner, entry := range saves[0].Record.Windows[0].Owners {
				if entry.Lost == tc.pods[owner.Pod()] {
					t.Errorf("%s is marked: %t", owner, entry.Lost)
				}
			}
		})
	}
}

func everyPod(n int) map[string]bool {
	pods := map[string]bool{}
	for i := range n {
		pods[fmt.Sprintf("pod-%d", i)] = true
	}
	return pods
}

func TestPlanDeleted(t *testing.T) {
	stored := func(modify ...func(*input)) *corev1.ConfigMap {
		in := newInput(modify...)
		text, err := ledger.Encode(in.documents[0].Record)
		if err != nil {
			t.Fatal(err)
		}
		in.ledger.Data = map[string]string{ledger.DataKey: string(text)}
		return in.ledger
	}
	total := func(in *input) {
		in.documents[0].Record.Put(ledger.Key{Period: "Total", TimeZone: "UTC"}, time.Time{}, "pod/1", ledger.Entry{Seq: 1})
	}
	foreign := stored()
	foreign.Labels = nil
	unreadable := stored()
	unreadable.Data[ledger.DataKey] = "{"
	for name, tc := range map[string]struct {
		ledger  *corev1.ConfigMap
		now     time.Time
		removes bool
		next    time.Duration
	}{
		"no ledger":                   {nil, now(), false, 0},
		"nothing was spent":           {stored(), now(), true, 0},
		"the window runs":             {stored(spent(5)), now(), false, maxWait},
		"the window ends in a minute": {stored(spent(5)), now().Add(9*time.Hour - time.Minute), false, time.Minute},
		"the window has ended":        {stored(spent(5)), now().Add(9 * time.Hour), true, 0},
		"a window that never ends":    {stored(total), now().AddDate(50, 0, 0), false, 0},
		"not a ledger":                {foreign, now(), false, 0},
		"cannot be read":              {unreadable, now(), false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			planned := planDeleted(tc.ledger, tc.now)
			if (planned.remove != nil) != tc.removes || planned.next != tc.next {
				t.Errorf("removes %t, looks again in %v; want %t, %v", planned.remove != nil, planned.next, tc.removes, tc.next)
			}
		})
	}
}
