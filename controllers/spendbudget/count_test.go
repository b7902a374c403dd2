package spendbudget

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/ledger"
)

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
				Conditions: got.Conditions, ObservedGeneration: 3, Window: got.Window, Ledger: got.Ledger,
				Spent: tc.spent, Reserved: "0", Lost: "0", Overrun: "0", Remaining: tc.remaining, Percent: &tc.percent, Requests: tc.requests, UnpricedRequests: tc.unpricedNumber,
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
	if got := (counter{limit: 1, spent: math.MaxInt64, lost: math.MaxInt64}).percent(); got != math.MaxInt64 {
		t.Errorf("percent = %d; want the largest number", got)
	}
}

// What living proxies hold is reserved; what those held that are gone is lost, and counts as spent.
func TestHeldAllowancesAreReservedOrLost(t *testing.T) {
	in := newInput(
		func(in *input) { in.budget.Spec.Enforcement = v1alpha1.EnforcementHard },
		enter("living/1", ledger.Entry{Totals: ledger.Totals{Spent: 2 * dollar, Requests: 3, Overrun: 5}, Allowance: 3 * dollar}),
		enter("gone/1", ledger.Entry{Totals: ledger.Totals{Spent: dollar, Requests: 1}, Allowance: 2*dollar + 1, Lost: true}),
		func(in *input) { in.documents[0].Record.Windows[0].Folded.Lost = 4 },
	)
	got := makePlan(in).status
	want := v1alpha1.SpendBudgetStatus{
		Conditions: got.Conditions, ObservedGeneration: 3, Window: got.Window, Ledger: got.Ledger,
		Spent: "3", Reserved: "1", Lost: "1.000000005", Overrun: "0.000000005", Remaining: "5.999999995", Percent: new(int64(40)), Requests: 4,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestBreakdown(t *testing.T) {
	routes := ledger.Breakdown{"a": 1, "b": 7, "c": 3, "d": 4, "e": 5, "f": 6, "": 100}
	in := newInput(
		enter("pod-0/1", ledger.Entry{Totals: ledger.Totals{Spent: 126}, Routes: routes, Callers: ledger.Breakdown{"accesskey:ci": 26}}),
		enter("pod-1/1", ledger.Entry{Totals: ledger.Totals{Spent: 10}, Routes: ledger.Breakdown{"a": 10}, Callers: ledger.Breakdown{"serviceaccount:a/b": 9, "accesskey:ci": 1}}),
	)
	got := makePlan(in).status
	wantRoutes := []v1alpha1.BudgetShare{
		{Name: "a", Spent: "0.000000011"}, {Name: "b", Spent: "0.000000007"}, {Name: "f", Spent: "0.000000006"}, {Name: "e", Spent: "0.000000005"},
		{Name: "d", Spent: "0.000000004"},
	}
	if diff := cmp.Diff(wantRoutes, got.TopRoutes); diff != "" {
		t.Errorf("top routes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]v1alpha1.BudgetShare{{Name: "accesskey:ci", Spent: "0.000000027"}, {Name: "serviceaccount:a/b", Spent: "0.000000009"}}, got.TopCallers); diff != "" {
		t.Errorf("top callers (-want +got):\n%s", diff)
	}
}

func TestCounters(t *testing.T) {
	many := map[string]int64{}
	for i := range 12 {
		many[fmt.Sprintf("user-%02d", i)] = int64(i) * dollar
	}
	top := func(subject, limit, spent string, percent int64) v1alpha1.BudgetCounterStatus {
		return v1alpha1.BudgetCounterStatus{Subject: subject, Limit: limit, Spent: spent, Lost: "0", Percent: &percent}
	}
	const starred = "*vip" // has another name in the ledger, where some names that begin so are taken
	for name, tc := range map[string]struct {
		in            *input
		spent         string
		percent       int64
		known, max    int64
		exceeded      int64
		top           []v1alpha1.BudgetCounterStatus
		onlyTheFirsts bool
	}{
		"none yet": {
			in: newInput(each(v1alpha1.CounterPerCaller, nil)), spent: "0", max: 1000,
		},
		"limits of their own come first by their share": {
			in: newInput(each(v1alpha1.CounterPerCaller, map[string]int64{"accesskey:ci": dollar, "serviceaccount:a/b": 4 * dollar, "*others": 2 * dollar}), func(in *input) {
				in.budget.Spec.Limits = []v1alpha1.CounterLimit{
					{AccessKey: "ci", Amount: "1"}, {ServiceAccount: &v1alpha1.ServiceAccountReference{Namespace: "a", Name: "b"}, Amount: "100"},
				}
				in.budget.Spec.MaxCounters = new(int32(3))
			}),
			spent: "7", percent: 100, known: 3, max: 3, exceeded: 1,
			top: []v1alpha1.BudgetCounterStatus{top("accesskey:ci", "1", "1", 100), top("*others", "10", "2", 20), top("serviceaccount:a/b", "100", "4", 4)},
		},
		"users have limits of their own": {
			in: newInput(each(v1alpha1.CounterPerCaller, map[string]int64{"user:corp/ada@example.com": 3 * dollar, "user:corp/bob@example.com": 4 * dollar}), func(in *input) {
				in.budget.Spec.Limits = []v1alpha1.CounterLimit{{User: &v1alpha1.UserReference{Issuer: "corp", Name: "ada@example.com"}, Amount: "4"}}
			}),
			spent: "7", percent: 75, known: 2, max: 1000,
			top: []v1alpha1.BudgetCounterStatus{top("user:corp/ada@example.com", "4", "3", 75), top("user:corp/bob@example.com", "10", "4", 40)},
		},
		"a name that the ledger writes otherwise has its limit all the same": {
			in: newInput(each(v1alpha1.CounterPerEndUser, map[string]int64{ledger.SubjectName(starred): dollar}), func(in *input) {
				in.budget.Spec.Limits = []v1alpha1.CounterLimit{{EndUser: starred, Amount: "2"}}
			}),
			spent: "1", percent: 50, known: 1, max: 1000,
			top: []v1alpha1.BudgetCounterStatus{top(ledger.SubjectName(starred), "2", "1", 50)},
		},
		"ten are named": {
			in: newInput(each(v1alpha1.CounterPerEndUser, many)), spent: "66", percent: 110, known: 12, max: 1000, exceeded: 2,
			top:           []v1alpha1.BudgetCounterStatus{top("user-11", "10", "11", 110), top("user-10", "10", "10", 100)},
			onlyTheFirsts: true,
		},
		"in documents of their own": {
			in: newInput(elsewhere, each(v1alpha1.CounterPerEndUser, map[string]int64{"alice": dollar, "bob": 3 * dollar})), spent: "4", percent: 30, known: 2, max: 1000,
			top: []v1alpha1.BudgetCounterStatus{top("bob", "10", "3", 30), top("alice", "10", "1", 10)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := makePlan(tc.in).status
			if got.Spent != tc.spent || *got.Percent != tc.percent || got.Remaining != "" {
				t.Errorf("spent %s, %d percent, remaining %q; want %s, %d and none", got.Spent, *got.Percent, got.Remaining, tc.spent, tc.percent)
			}
			if tc.onlyTheFirsts {
				if len(got.Counters.Top) != topCounters {
					t.Errorf("%d are named", len(got.Counters.Top))
				}
				got.Counters.Top = got.Counters.Top[:len(tc.top)]
			}
			want := &v1alpha1.BudgetCountersStatus{Known: tc.known, Max: tc.max, Exceeded: tc.exceeded, Top: tc.top}
			if diff := cmp.Diff(want, got.Counters); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLedgerStatus(t *testing.T) {
	full := newInput(spent(1, 2), func(in *input) {
		in.ledger.Data = map[string]string{ledger.DataKey: strings.Repeat("x", ledger.MaxEncodedBytes/4)}
	})
	for name, tc := range map[string]struct {
		in   *input
		want *v1alpha1.BudgetLedgerStatus
	}{
		"in Kubernetes": {full, &v1alpha1.BudgetLedgerStatus{Store: v1alpha1.LedgerKubernetes, Bytes: ledger.MaxEncodedBytes / 4, Percent: new(int64(25)), Owners: 2}},
		"not made yet":  {newInput(func(in *input) { in.ledger, in.documents = nil, nil }), &v1alpha1.BudgetLedgerStatus{Store: v1alpha1.LedgerKubernetes, Percent: new(int64)}},
		"not ours":      {newInput(func(in *input) { in.ledger, in.documents, in.foreign = nil, nil, true }), nil},
		"in Valkey": {
			newInput(elsewhere, each(v1alpha1.CounterPerEndUser, map[string]int64{"alice": 1, "bob": 2})), &v1alpha1.BudgetLedgerStatus{Store: v1alpha1.LedgerValkey, Owners: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, makePlan(tc.in).status.Ledger); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
		})
	}
}
