package spendbudget

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// notice is an event that no condition's change tells.
type notice struct {
	// reason of the event, action that was being done, and what is to be said.
	reason, action, message string
}

// announce emits the events of notices.
func (r *Reconciler) announce(budget *v1alpha1.SpendBudget, notices []notice) {
	for _, one := range notices {
		r.Status.Events.Eventf(budget, nil, corev1.EventTypeWarning, one.reason, one.action, "%s", one.message)
	}
}

// dueActions returns the highest share that spending has reached, 0 for none, and what the actions up to there do.
func dueActions(actions []v1alpha1.BudgetAction, percent int64) (highest int32, does string) {
	var reroute, throttle *v1alpha1.BudgetAction
	for i := range actions {
		action := &actions[i]
		if percent < int64(action.AtPercent) {
			continue
		}
		highest = max(highest, action.AtPercent)
		switch {
		case action.Do == v1alpha1.ActionReroute && (reroute == nil || reroute.AtPercent < action.AtPercent):
			reroute = action
		case action.Do == v1alpha1.ActionThrottle && (throttle == nil || throttle.AtPercent < action.AtPercent):
			throttle = action
		}
	}
	for _, action := range []*v1alpha1.BudgetAction{reroute, throttle} {
		if action != nil {
			does += "; " + effect(action)
		}
	}
	return highest, does
}

// effect says what an action does; empty for one that only tells.
func effect(action *v1alpha1.BudgetAction) string {
	switch action.Do {
	case v1alpha1.ActionReroute:
		return fmt.Sprintf("calls go to route %q", action.Route)
	case v1alpha1.ActionThrottle:
		perMinute := int32(0)
		if action.RequestsPerMinute != nil {
			perMinute = *action.RequestsPerMinute
		}
		return fmt.Sprintf("at most %d calls a minute are admitted", perMinute)
	default:
		return ""
	}
}

// makeNotices tells of each action whose share was reached since the last status, and of counters of their own that have come to their limit. A counter is
// followed while it is among the fullest that a status names, so that neither the status nor the events grow with the number of counters.
func makeNotices(budget *v1alpha1.SpendBudget, after *v1alpha1.SpendBudgetStatus) []notice {
	if after.Percent == nil {
		return nil
	}
	before := &budget.Status
	if near := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionNearLimit); near != nil && near.Status == metav1.ConditionUnknown {
		// The ledger could not be read, so nobody knows what is news.
		return nil
	}
	if !equality.Semantic.DeepEqual(before.Window, after.Window) {
		before = &v1alpha1.SpendBudgetStatus{}
	}
	if after.Counters == nil {
		was := int64(0)
		if before.Percent != nil {
			was = *before.Percent
		}
		return reached(budget, mark{from: was, to: *after.Percent, whose: "spending", told: newlyNear(before, after)})
	}
	var notices []notice
	for i := range after.Counters.Top {
		one := &after.Counters.Top[i]
		from, known := percentBefore(before.Counters, one.Subject)
		if !known {
			continue
		}
		at := mark{from: from, to: *one.Percent, whose: fmt.Sprintf("counter %q", one.Subject)}
		notices = append(notices, reached(budget, at)...)
		if full := fullPercent(budget.Spec.Enforcement); at.from < full && full <= at.to {
			notices = append(notices, notice{
				reason: v1alpha1.ReasonLimitReached, action: exceedAction,
				message: fmt.Sprintf("%s: %s has reached its limit of %s USD%s", v1alpha1.ConditionExceeded, at.whose, one.Limit, consequence(budget.Spec.Enforcement)),
			})
		}
	}
	return notices
}

// exceedAction is what the event of a counter that has come to its limit says was being done.
const exceedAction = "Count"

// mark is how far something went since the last status.
type mark struct {
	// from and to are shares of the limit in percent.
	from, to int64
	// whose limit it is.
	whose string
	// told tells that the condition NearLimit has just become true, whose event says what a Notify action would.
	told bool
}

// newlyNear tells whether NearLimit has become true.
func newlyNear(before, after *v1alpha1.SpendBudgetStatus) bool {
	return !meta.IsStatusConditionTrue(before.Conditions, v1alpha1.ConditionNearLimit) && meta.IsStatusConditionTrue(after.Conditions, v1alpha1.ConditionNearLimit)
}

// reached returns the notices of the actions whose share lies on the way; of several of one kind only that of the highest share.
func reached(budget *v1alpha1.SpendBudget, at mark) []notice {
	highest := map[v1alpha1.BudgetActionType]*v1alpha1.BudgetAction{}
	for i := range budget.Spec.Actions {
		action := &budget.Spec.Actions[i]
		share := int64(action.AtPercent)
		if at.from < share && share <= at.to && (highest[action.Do] == nil || highest[action.Do].AtPercent < action.AtPercent) {
			highest[action.Do] = action
		}
	}
	if at.told {
		delete(highest, v1alpha1.ActionNotify)
	}
	var notices []notice
	for _, action := range highest {
		one := notice{
			reason: reasonOf(action.Do), action: string(action.Do),
			message: fmt.Sprintf("%s: %s has reached %d percent of the limit", v1alpha1.ConditionNearLimit, at.whose, action.AtPercent),
		}
		if does := effect(action); does != "" {
			one.message += "; " + does
		}
		notices = append(notices, one)
	}
	slices.SortFunc(notices, func(a, b notice) int { return cmp.Compare(a.reason, b.reason) })
	return notices
}

func reasonOf(do v1alpha1.BudgetActionType) string {
	switch do {
	case v1alpha1.ActionReroute:
		return v1alpha1.ReasonRerouted
	case v1alpha1.ActionThrottle:
		return v1alpha1.ReasonThrottled
	default:
		return v1alpha1.ReasonThresholdReached
	}
}

// percentBefore is how full a counter was at the last status. One that was not named then was no fuller than the last that was, so what lies above that is
// news, and what does not cannot be told.
func percentBefore(before *v1alpha1.BudgetCountersStatus, subject string) (int64, bool) {
	if before == nil {
		return 0, true
	}
	for i := range before.Top {
		if before.Top[i].Subject == subject && before.Top[i].Percent != nil {
			return *before.Top[i].Percent, true
		}
	}
	if len(before.Top) < topCounters {
		return 0, true
	}
	last := before.Top[len(before.Top)-1].Percent
	if last == nil {
		return 0, false
	}
	return *last, true
}
