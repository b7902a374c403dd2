package spendbudget

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// after makes the status of an earlier look the budget's.
func after(before *input) func(*input) {
	return func(in *input) { in.budget.Status = makePlan(before).status }
}

func TestNotices(t *testing.T) {
	acting := func(in *input) {
		in.budget.Spec.Actions = []v1alpha1.BudgetAction{
			{AtPercent: 50, Do: v1alpha1.ActionNotify}, {AtPercent: 60, Do: v1alpha1.ActionNotify}, {AtPercent: 60, Do: v1alpha1.ActionReroute, Route: "cheap"},
			{AtPercent: 90, Do: v1alpha1.ActionThrottle, RequestsPerMinute: new(int32(6))},
		}
	}
	callers := func(spent map[string]int64) func(*input) { return each(v1alpha1.CounterPerCaller, spent) }
	full := map[string]int64{}
	for i := range topCounters {
		full[fmt.Sprintf("accesskey:%d", i)] = 6 * dollar
	}
	fuller := map[string]int64{"accesskey:late": 9 * dollar}
	for name, nano := range full {
		fuller[name] = nano
	}
	throttled := `NearLimit: counter "accesskey:late" has reached 90 percent of the limit; at most 6 calls a minute are admitted`
	for name, tc := range map[string]struct {
		in   *input
		want []notice
	}{
		"the first look, at nothing spent": {newInput(acting), nil},
		"the event of NearLimit says what the first Notify would": {
			newInput(acting, spent(5*dollar), after(newInput(acting))), nil,
		},
		"further actions, each kind once": {
			newInput(acting, spent(9*dollar), after(newInput(acting, spent(5*dollar)))), []notice{
				{v1alpha1.ReasonRerouted, "Reroute", `NearLimit: spending has reached 60 percent of the limit; calls go to route "cheap"`},
				{v1alpha1.ReasonThresholdReached, "Notify", "NearLimit: spending has reached 60 percent of the limit"},
				{v1alpha1.ReasonThrottled, "Throttle", "NearLimit: spending has reached 90 percent of the limit; at most 6 calls a minute are admitted"},
			},
		},
		"nothing new": {newInput(acting, spent(9*dollar), after(newInput(acting, spent(9*dollar)))), nil},
		"less than before, after the limit was raised": {
			newInput(acting, spent(5*dollar), func(in *input) { in.budget.Spec.Limit.Amount = "20" }, after(newInput(acting, spent(9*dollar)))), nil,
		},
		"another window begins afresh": {
			newInput(acting, func(in *input) { in.now = in.now.AddDate(0, 0, 1) }, spent(6*dollar), after(newInput(acting, spent(9*dollar)))), []notice{
				{v1alpha1.ReasonRerouted, "Reroute", `NearLimit: spending has reached 60 percent of the limit; calls go to route "cheap"`},
			},
		},
		"what was not known is no news": {
			newInput(acting, spent(9*dollar), func(in *input) {
				meta.SetStatusCondition(&in.budget.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionNearLimit, Status: metav1.ConditionUnknown, Reason: "x"})
			}), nil,
		},
		"each counter by itself": {
			newInput(acting, callers(map[string]int64{"accesskey:a": 5 * dollar, "accesskey:b": 6 * dollar, "accesskey:c": 1}),
				after(newInput(acting, callers(map[string]int64{"accesskey:a": 4 * dollar, "accesskey:b": 5 * dollar, "accesskey:c": 1})))),
			[]notice{
				{v1alpha1.ReasonRerouted, "Reroute", `NearLimit: counter "accesskey:b" has reached 60 percent of the limit; calls go to route "cheap"`},
				{v1alpha1.ReasonThresholdReached, "Notify", `NearLimit: counter "accesskey:b" has reached 60 percent of the limit`},
				{v1alpha1.ReasonThresholdReached, "Notify", `NearLimit: counter "accesskey:a" has reached 50 percent of the limit`},
			},
		},
		"a counter that is new": {
			newInput(acting, callers(map[string]int64{"accesskey:a": 5 * dollar}), after(newInput(acting, callers(nil)))), []notice{
				{v1alpha1.ReasonThresholdReached, "Notify", `NearLimit: counter "accesskey:a" has reached 50 percent of the limit`},
			},
		},
		"counters at their limits": {
			newInput(hard, func(in *input) { in.budget.Spec.Actions = nil }, callers(map[string]int64{"accesskey:a": 9_900_000_000, "accesskey:b": 9_899_999_999}),
				after(newInput(hard, callers(nil)))),
			[]notice{{
				v1alpha1.ReasonLimitReached, "Count",
				`Exceeded: counter "accesskey:a" has reached its limit of 10 USD but for a hundredth at most; calls that may cost more than what is left are refused`,
			}},
		},
		"one that overtakes the fullest": {
			newInput(acting, callers(fuller), after(newInput(acting, callers(full)))), []notice{{v1alpha1.ReasonThrottled, "Throttle", throttled}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, makePlan(tc.in).notices, cmp.AllowUnexported(notice{})); diff != "" {
				t.Errorf("notices (-want +got):\n%s", diff)
			}
		})
	}
}
