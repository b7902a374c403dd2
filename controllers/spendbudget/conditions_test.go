package spendbudget

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/ledger"
)

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
		"the first proxies are starting": {
			in:       newInput(func(in *input) { in.ready, in.wanted = 0, in.now.Add(-20*time.Second) }),
			enforced: "False/Pending", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit",
			enforcedMessage: "the proxies are starting; no proxy pod is ready; see: kubectl get pods -n team-a", next: 40 * time.Second,
		},
		"the first proxies take too long": {
			in:       newInput(func(in *input) { in.ready, in.wanted = 0, in.now.Add(-time.Minute) }),
			enforced: "False/NoReadyProxy", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit",
		},
		"the proxies are gone again": {
			in: newInput(func(in *input) {
				in.ready, in.wanted = 0, in.now
				in.budget.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionEnforced, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonEnforced}}
			}),
			enforced: "False/NoReadyProxy", nearLimit: "False/WithinLimit", exceeded: "False/WithinLimit",
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

func hard(in *input) { in.budget.Spec.Enforcement = v1alpha1.EnforcementHard }

// stands states a condition: "Status/Reason", and a part of its message.
type stands struct{ line, message string }

func TestFurtherConditions(t *testing.T) {
	missing := compile.Finding{
		Condition: v1alpha1.ConditionResolvedRefs, Reason: v1alpha1.ReasonRouteNotFound, Message: `spec.actions[0].route: there is no ModelRoute "x"`, Field: "spec.actions[0].route",
	}
	acting := func(in *input) {
		in.budget.Spec.Actions = []v1alpha1.BudgetAction{
			{AtPercent: 50, Do: v1alpha1.ActionReroute, Route: "cheap"}, {AtPercent: 60, Do: v1alpha1.ActionReroute, Route: "free"},
			{AtPercent: 60, Do: v1alpha1.ActionThrottle, RequestsPerMinute: new(int32(6))}, {AtPercent: 90, Do: v1alpha1.ActionNotify},
		}
	}
	for name, tc := range map[string]struct {
		in   *input
		want map[string]stands
	}{
		"a route that is missing leaves the budget enforced": {
			newInput(func(in *input) { in.report.Findings = []compile.Finding{missing} }), map[string]stands{
				v1alpha1.ConditionResolvedRefs: {"False/RouteNotFound", `there is no ModelRoute "x"`}, v1alpha1.ConditionEnforced: {"True/Enforced", ""},
				v1alpha1.ConditionReady: {"False/RouteNotFound", `there is no ModelRoute "x"`},
			},
		},
		"routes that exist": {newInput(), map[string]stands{v1alpha1.ConditionResolvedRefs: {"True/ResolvedRefs", ""}}},
		"routes that were not looked at": {
			newInput(func(in *input) { in.report = nil }), map[string]stands{v1alpha1.ConditionResolvedRefs: {"Unknown/Pending", ""}, v1alpha1.ConditionReady: {"False/Pending", ""}},
		},
		"the first action": {
			newInput(acting, spent(5*dollar)), map[string]stands{v1alpha1.ConditionNearLimit: {"True/ThresholdReached", `reached 50 percent of the limit of 10 USD; calls go to route "cheap"; the window`}},
		},
		"the later of two actions of a kind": {
			newInput(acting, spent(7*dollar)),
			map[string]stands{v1alpha1.ConditionNearLimit: {"True/ThresholdReached", `reached 60 percent of the limit of 10 USD; calls go to route "free"; at most 6 calls a minute are admitted; the`}},
		},
		"a counter near its limit": {
			newInput(acting, each(v1alpha1.CounterPerCaller, map[string]int64{"accesskey:a": 1, "accesskey:b": 5 * dollar})),
			map[string]stands{
				v1alpha1.ConditionNearLimit: {"True/ThresholdReached", `at least one counter has reached 50 percent of its limit`},
				v1alpha1.ConditionExceeded:  {"False/WithinLimit", ""},
			},
		},
		"many counters that are not near theirs": {
			newInput(acting, each(v1alpha1.CounterPerCaller, map[string]int64{"accesskey:a": 4 * dollar, "accesskey:b": 4 * dollar, "accesskey:c": 4 * dollar})),
			map[string]stands{v1alpha1.ConditionNearLimit: {"False/WithinLimit", ""}, v1alpha1.ConditionExceeded: {"False/WithinLimit", ""}},
		},
		"a counter at its limit": {
			newInput(each(v1alpha1.CounterPerCaller, map[string]int64{"accesskey:a": 1, "accesskey:b": 10 * dollar})),
			map[string]stands{v1alpha1.ConditionExceeded: {"True/LimitReached", "at least one counter has reached its limit; status.counters names the fullest; calls that it counts are refused"}},
		},
		"hard, a hundredth and more left": {newInput(hard, spent(9_899_999_999)), map[string]stands{v1alpha1.ConditionExceeded: {"False/WithinLimit", ""}}},
		"hard, a hundredth left": {
			newInput(hard, spent(9_900_000_000)), map[string]stands{v1alpha1.ConditionExceeded: {"True/LimitReached", "but for a hundredth at most; calls that may cost more than what is left are refused"}},
		},
		"what is lost counts": {
			newInput(hard, enter("a/1", ledger.Entry{Totals: ledger.Totals{Spent: 5 * dollar}, Allowance: 10 * dollar, Lost: true})),
			map[string]stands{v1alpha1.ConditionExceeded: {"True/LimitReached", ""}, v1alpha1.ConditionNearLimit: {"True/ThresholdReached", "90 percent"}},
		},
		"what is reserved does not": {
			newInput(hard, enter("a/1", ledger.Entry{Totals: ledger.Totals{Spent: 5 * dollar}, Allowance: 10 * dollar})),
			map[string]stands{v1alpha1.ConditionExceeded: {"False/WithinLimit", ""}, v1alpha1.ConditionNearLimit: {"False/WithinLimit", ""}},
		},
		"overrun": {
			newInput(hard, enter("a/1", ledger.Entry{Totals: ledger.Totals{Spent: dollar, Overrun: 1}})), map[string]stands{v1alpha1.ConditionOverrun: {"True/AboveReservation", "status.overrun"}},
		},
		"no overrun":              {newInput(hard, spent(dollar)), map[string]stands{v1alpha1.ConditionOverrun: {"False/WithinReservations", "no call"}}},
		"overrun means Hard":      {newInput(spent(dollar)), map[string]stands{v1alpha1.ConditionOverrun: {"False/WithinReservations", "not Hard"}}},
		"overrun of what is past": {newInput(hard, enter("a/1", ledger.Entry{Totals: ledger.Totals{Spent: dollar, Overrun: 1}}), func(in *input) { in.now = in.now.AddDate(0, 0, 1) }), map[string]stands{v1alpha1.ConditionOverrun: {"False/WithinReservations", ""}}},
		"a store that cannot be read": {
			newInput(elsewhere, func(in *input) { in.unreadable = errors.New("connection refused") }),
			map[string]stands{
				v1alpha1.ConditionEnforced: {"False/LedgerUnavailable", "the manager cannot read the ledger: connection refused"}, v1alpha1.ConditionOverrun: {"Unknown/LedgerUnavailable", ""},
				v1alpha1.ConditionLedgerPressure: {"Unknown/LedgerUnavailable", ""}, v1alpha1.ConditionExceeded: {"Unknown/LedgerUnavailable", ""},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expectConditions(t, makePlan(tc.in).status.Conditions, tc.want)
		})
	}
}

func expectConditions(t *testing.T, got []metav1.Condition, want map[string]stands) {
	t.Helper()
	for kind, condition := range want {
		if got := line(t, got, kind); got != condition.line {
			t.Errorf("%s is %s; want %s", kind, got, condition.line)
		}
		if message := meta.FindStatusCondition(got, kind).Message; !strings.Contains(message, condition.message) {
			t.Errorf("%s says %q; want %q in it", kind, message, condition.message)
		}
	}
}

func TestLedgerPressure(t *testing.T) {
	bytes := func(percent int) func(*input) {
		return func(in *input) {
			in.ledger.Data = map[string]string{ledger.DataKey: strings.Repeat("x", (ledger.MaxEncodedBytes*percent+99)/100)}
		}
	}
	counters := func(number int) func(*input) {
		subjects := map[string]int64{}
		for i := range number {
			subjects["accesskey:"+strings.Repeat("a", i+1)] = 1
		}
		return each(v1alpha1.CounterPerCaller, subjects)
	}
	owners := func(number int) func(*input) { return spent(make([]int64, number)...) }
	was := func(reason string) func(*input) {
		return func(in *input) {
			meta.SetStatusCondition(&in.budget.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionLedgerPressure, Status: metav1.ConditionTrue, Reason: reason})
		}
	}
	for name, tc := range map[string]struct {
		in   *input
		want string
	}{
		"empty":                         {newInput(), "False/LedgerFits"},
		"not made yet":                  {newInput(func(in *input) { in.ledger, in.documents = nil, nil }), "False/LedgerFits"},
		"half full":                     {newInput(bytes(50)), "False/LedgerFits"},
		"more than half full":           {newInput(bytes(51)), "True/LedgerLarge"},
		"half full again":               {newInput(bytes(48), was(v1alpha1.ReasonLedgerLarge)), "True/LedgerLarge"},
		"well below half again":         {newInput(bytes(45), was(v1alpha1.ReasonLedgerLarge)), "False/LedgerFits"},
		"another pressure is no excuse": {newInput(bytes(48), was(v1alpha1.ReasonManyOwners)), "False/LedgerFits"},
		"500 counters":                  {newInput(counters(500)), "False/LedgerFits"},
		"501 counters":                  {newInput(counters(501)), "True/ManyCounters"},
		"a few counters fewer":          {newInput(counters(460), was(v1alpha1.ReasonManyCounters)), "True/ManyCounters"},
		"fewer counters":                {newInput(counters(450), was(v1alpha1.ReasonManyCounters)), "False/LedgerFits"},
		"50 proxies":                    {newInput(owners(50)), "False/LedgerFits"},
		"51 proxies":                    {newInput(owners(51)), "True/ManyOwners"},
		"thousands of counters are for elsewhere": {newInput(elsewhere, counters(1200)), "False/LedgerFits"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := line(t, makePlan(tc.in).status.Conditions, v1alpha1.ConditionLedgerPressure); got != tc.want {
				t.Errorf("got %s; want %s", got, tc.want)
			}
		})
	}
}
