package spendbudget

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
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
		now: now(), budget: budget, ledger: newLedger(budget), table: true, ready: 2,
		report: &compile.ObjectReport{Kind: compile.KindSpendBudget, Name: "daily", UID: "uid-1", Generation: 3, Served: 3, Since: 7},
	}
	for _, m := range modify {
		m(in)
	}
	return in
}

// spent enters what pods spent today, in nano-dollars.
func spent(nanos ...int64) func(*input) {
	return func(in *input) {
		window, err := ledger.NewWindow("Day", "Europe/Lisbon", in.now)
		if err != nil {
			panic(err)
		}
		key := ledger.Key{Period: "Day", TimeZone: "Europe/Lisbon", Start: window.Start}
		for i, nano := range nanos {
			entry := ledger.Entry{Totals: ledger.Totals{Spent: nano, Requests: 2, Unpriced: 1}, Seq: 2, Updated: in.now.Add(time.Duration(i) * time.Second)}
			in.record.Put(key, window.End, ledger.Owner(fmt.Sprintf("pod-%d/1", i)), entry)
		}
	}
}

func TestCount(t *testing.T) {
	for name, tc := range map[string]struct {
		in                       *input
		spent, remaining         string
		percent                  int64
		requests, unpricedNumber int64
		window                   string
	}{
		"nothing":                 {newInput(), "0", "10", 0, 0, 0, "2026-11-22T00:00:00Z 2026-11-23T00:00:00Z"},
		"two pods":                {newInput(spent(2_500_000_001, 1)), "2.500000002", "7.499999998", 25, 4, 2, "2026-11-22T00:00:00Z 2026-11-23T00:00:00Z"},
		"a nano-dollar below 80":  {newInput(spent(7_999_999_999)), "7.999999999", "2.000000001", 79, 2, 1, "2026-11-22T00:00:00Z 2026-11-23T00:00:00Z"},
		"past the limit":          {newInput(spent(12_000_000_000)), "12", "0", 120, 2, 1, "2026-11-22T00:00:00Z 2026-11-23T00:00:00Z"},
		"more than can be added":  {newInput(spent(math.MaxInt64, math.MaxInt64)), "9223372036.854775807", "0", 92233720368, 4, 2, "2026-11-22T00:00:00Z 2026-11-23T00:00:00Z"},
		"yesterday does not show": {newInput(spent(5), func(in *input) { in.now = in.now.AddDate(0, 0, 1) }), "0", "10", 0, 0, 0, "2026-11-23T00:00:00Z 2026-11-24T00:00:00Z"},
		"another resetID":         {newInput(spent(5), func(in *input) { in.budget.Spec.Window.ResetID = "again" }), "0", "10", 0, 0, 0, "2026-11-22T00:00:00Z 2026-11-23T00:00:00Z"},
		"total has no bounds":     {newInput(func(in *input) { in.budget.Spec.Window.Period = v1alpha1.PeriodTotal }), "0", "10", 0, 0, 0, ""},
		"no ledger yet":           {newInput(func(in *input) { in.ledger = nil }), "0", "10", 0, 0, 0, "2026-11-22T00:00:00Z 2026-11-23T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			got := makePlan(tc.in).status
			window := ""
			if got.Window != nil {
				window = got.Window.Start.UTC().Format(time.RFC3339) + " " + got.Window.End.UTC().Format(time.RFC3339)
			}
			want := v1alpha1.SpendBudgetStatus{
				Conditions: got.Conditions, ObservedGeneration: 3, Window: got.Window,
				Spent: tc.spent, Remaining: tc.remaining, Percent: &tc.percent, Requests: tc.requests, UnpricedRequests: tc.unpricedNumber,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
			if window != tc.window {
				t.Errorf("window %q; want %q", window, tc.window)
			}
		})
	}
}

func TestPercentOfTheSmallestLimit(t *testing.T) {
	if got := (counted{limit: 1, totals: ledger.Totals{Spent: math.MaxInt64}}).percent(); got != math.MaxInt64 {
		t.Errorf("percent = %d; want the largest number", got)
	}
}

// line is the part of a condition that tests state: "Type=Status/Reason".
func line(t *testing.T, conditions []metav1.Condition, kind string) string {
	t.Helper()
	condition := meta.FindStatusCondition(conditions, kind)
	if condition == nil {
		t.Fatalf("there is no condition %s", kind)
	}
	if condition.ObservedGeneration != 3 || condition.Message == "" {
		t.Errorf("%s is for generation %d with message %q", kind, condition.ObservedGeneration, condition.Message)
	}
	return string(condition.Status) + "/" + condition.Reason
}

func TestConditions(t *testing.T) {
	finding := compile.Finding{Condition: v1alpha1.ConditionEnforced, Reason: v1alpha1.ReasonInvalid, Message: "wrong", Field: "spec.limit.amount"}
	for name, tc := range map[string]struct {
		in                            *input
		enforced, nearLimit, exceeded string
		enforcedMessage, nearMessage  string
		exceededMessage               string
		next                          time.Duration
	}{
		"works": {
			in: newInput(), enforced: "True/Enforced", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit",
		},
		"79.99 percent": {
			in: newInput(spent(7_999_999_999)), enforced: "True/Enforced", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit",
		},
		"80 percent": {
			in: newInput(spent(8_000_000_000)), enforced: "True/Enforced", nearLimit: "True/ThresholdReached", exceeded: "False/WithinLimit",
			nearMessage: "reached 80 percent of the limit of 10 USD; the window ends at 2026-11-23T00:00:00Z",
		},
		"the highest action counts": {
			in: newInput(spent(9_500_000_000)), enforced: "True/Enforced", nearLimit: "True/ThresholdReached", exceeded: "False/WithinLimit",
			nearMessage: "reached 90 percent",
		},
		"a nano-dollar below the limit": {
			in: newInput(spent(9_999_999_999)), enforced: "True/Enforced", nearLimit: "True/ThresholdReached", exceeded: "False/WithinLimit",
		},
		"the limit": {
			in: newInput(spent(10_000_000_000)), enforced: "True/Enforced", nearLimit: "True/ThresholdReached", exceeded: "True/LimitReached",
			exceededMessage: "limit of 10 USD; calls that it counts are refused; the window ends at 2026-11-23T00:00:00Z",
		},
		"the limit, only observed": {
			in:       newInput(spent(10_000_000_000), func(in *input) { in.budget.Spec.Enforcement = v1alpha1.EnforcementObserve }),
			enforced: "True/Enforced", nearLimit: "True/ThresholdReached", exceeded: "True/LimitReached", exceededMessage: "nothing is refused",
		},
		"no actions": {
			in:       newInput(spent(10_000_000_000), func(in *input) { in.budget.Spec.Actions = nil }),
			enforced: "True/Enforced", nearLimit: "False/WithinLimit", exceeded: "True/LimitReached",
		},
		"foreign ledger": {
			in:       newInput(spent(10_000_000_000), func(in *input) { in.ledger, in.foreign = nil, true }),
			enforced: "False/Conflict", nearLimit: "Unknown/LedgerUnavailable", exceeded: "Unknown/LedgerUnavailable",
			enforcedMessage: `ConfigMap "signalbox-ledger-daily"`, next: recheckForeign,
		},
		"unreadable ledger": {
			in:       newInput(func(in *input) { in.unreadable = errors.New("its format is 9") }),
			enforced: "False/LedgerUnavailable", nearLimit: "Unknown/LedgerUnavailable", exceeded: "Unknown/LedgerUnavailable",
			enforcedMessage: "its format is 9",
		},
		"unknown time zone": {
			in:       newInput(func(in *input) { in.budget.Spec.Window.TimeZone = "Europe/Atlantis" }),
			enforced: "False/InvalidTimeZone", nearLimit: "Unknown/LedgerUnavailable", exceeded: "Unknown/LedgerUnavailable",
			enforcedMessage: `"Europe/Atlantis"`,
		},
		"no proxy": {
			in:       newInput(func(in *input) { in.table, in.report = false, nil }),
			enforced: "False/NoProxy", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit", enforcedMessage: "no ModelRoute",
		},
		"not in the report": {
			in:       newInput(func(in *input) { in.report = nil }),
			enforced: "False/Pending", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit",
		},
		"an older generation in the report": {
			in:       newInput(func(in *input) { in.report.Generation = 2 }),
			enforced: "False/Pending", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit",
		},
		"a finding": {
			in:       newInput(func(in *input) { in.report.Findings, in.report.Served = []compile.Finding{finding}, 0 }),
			enforced: "False/Invalid", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit", enforcedMessage: "spec.limit.amount: wrong",
		},
		"a finding, and the last good one served": {
			in:       newInput(func(in *input) { in.report.Findings, in.report.Served = []compile.Finding{finding}, 2 }),
			enforced: "False/Invalid", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit",
			enforcedMessage: "wrong; the proxies go on with generation 2",
		},
		"not in the table yet": {
			in:       newInput(func(in *input) { in.report.Served = 2 }),
			enforced: "False/Pending", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit", enforcedMessage: "go on with generation 2",
		},
		"no proxy is ready": {
			in:       newInput(func(in *input) { in.ready = 0 }),
			enforced: "False/NoReadyProxy", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit", enforcedMessage: "kubectl get pods -n team-a",
		},
		"a proxy is behind": {
			in:       newInput(func(in *input) { in.behind = 1 }),
			enforced: "False/Pending", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit", enforcedMessage: "1 of 2 ready proxies",
		},
	} {
		t.Run(name, func(t *testing.T) {
			planned := makePlan(tc.in)
			got := planned.status.Conditions
			lines := map[string]string{}
			for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionEnforced, v1alpha1.ConditionNearLimit, v1alpha1.ConditionExceeded} {
				lines[kind] = line(t, got, kind)
			}
			want := map[string]string{
				v1alpha1.ConditionReady: tc.enforced, v1alpha1.ConditionEnforced: tc.enforced,
				v1alpha1.ConditionNearLimit: tc.nearLimit, v1alpha1.ConditionExceeded: tc.exceeded,
			}
			if tc.enforced == "True/Enforced" {
				want[v1alpha1.ConditionReady] = "True/Ready"
			}
			if diff := cmp.Diff(want, lines); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			for kind, part := range map[string]string{
				v1alpha1.ConditionEnforced: tc.enforcedMessage, v1alpha1.ConditionNearLimit: tc.nearMessage, v1alpha1.ConditionExceeded: tc.exceededMessage,
			} {
				if message := meta.FindStatusCondition(got, kind).Message; !strings.Contains(message, part) {
					t.Errorf("%s says %q; want %q in it", kind, message, part)
				}
			}
			if tc.next != 0 && planned.next != tc.next {
				t.Errorf("looks again in %v; want %v", planned.next, tc.next)
			}
		})
	}
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
		if planned := makePlan(in); planned.create != nil || planned.update != nil || planned.remove != nil {
			t.Errorf("%s: plans %+v", name, planned)
		}
	}
}

func TestFold(t *testing.T) {
	many := make([]int64, ledger.MaxGoneOwners+3)
	for i := range many {
		many[i] = 1_000
	}
	for name, tc := range map[string]struct {
		pods   map[string]bool
		owners int
	}{
		"none is gone":       {pods: everyPod(len(many)), owners: 0},
		"all are gone":       {pods: map[string]bool{}, owners: ledger.MaxGoneOwners},
		"all but one are":    {pods: map[string]bool{"pod-0": true}, owners: ledger.MaxGoneOwners + 1},
		"not asked for pods": {pods: nil, owners: 0},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInput(spent(many...))
			text, err := ledger.Encode(in.record)
			if err != nil {
				t.Fatal(err)
			}
			in.ledger.Data = map[string]string{ledger.DataKey: string(text)}
			in.pods = tc.pods
			updated := makePlan(in).update
			if tc.owners == 0 {
				if updated != nil {
					t.Error("something was folded")
				}
				return
			}
			stored, err := kubernetes.Read(updated)
			if err != nil {
				t.Fatal(err)
			}
			window := stored.Record.Windows[0]
			if len(window.Owners) != tc.owners || window.Total().Spent != int64(len(many))*1_000 {
				t.Errorf("%d entries and %d spent; want %d and all of it", len(window.Owners), window.Total().Spent, tc.owners)
			}
			if in.ledger.Data[ledger.DataKey] != string(text) {
				t.Error("the object of the cache was changed")
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
		text, err := ledger.Encode(in.record)
		if err != nil {
			t.Fatal(err)
		}
		in.ledger.Data = map[string]string{ledger.DataKey: string(text)}
		return in.ledger
	}
	total := func(in *input) {
		in.record.Put(ledger.Key{Period: "Total", TimeZone: "UTC"}, time.Time{}, "pod/1", ledger.Entry{Seq: 1})
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
