package spendbudget

import (
	"math"
	"math/bits"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/kubernetes"
	"signalbox.dev/signalbox/proxy/meter"
)

const (
	// maxWait is the longest time until a budget is looked at again, in case the clock was set.
	maxWait = time.Hour
	// recheckForeign is when to look again whether a foreign ConfigMap still has the ledger's name.
	recheckForeign = 30 * time.Second
)

// plan is what is to be done for a budget.
type plan struct {
	// create, update and remove are ledger objects; nil is nothing to do.
	create, update, remove *corev1.ConfigMap
	// status to write.
	status v1alpha1.SpendBudgetStatus
	// next is when to look again; 0 is when something changes.
	next time.Duration
}

// makePlan decides what to do for a budget that exists.
func makePlan(in *input) plan {
	planned := plan{next: maxWait}
	switch {
	case in.foreign:
		planned.next = recheckForeign
	case in.ledger == nil:
		planned.create = newLedger(in.budget)
	case in.unreadable == nil && in.pods != nil:
		planned.update = folded(in)
	}
	counted := count(in)
	if !counted.window.Unbounded() {
		planned.next = min(planned.next, max(counted.window.End.Sub(in.now), time.Millisecond))
	}
	planned.status = makeStatus(in, counted)
	return planned
}

// planDeleted decides what to do with the ledger of a budget that is gone. One with a window that never ends stays, as does one that cannot be read or was
// not made by the manager.
func planDeleted(object *corev1.ConfigMap, now time.Time) plan {
	if object == nil {
		return plan{}
	}
	stored, err := kubernetes.Read(object)
	if err != nil {
		return plan{}
	}
	end, ends := stored.Record.LastEnd()
	switch {
	case !ends:
		return plan{}
	case end.After(now):
		return plan{next: min(end.Sub(now), maxWait)}
	default:
		return plan{remove: object}
	}
}

// newLedger returns the ledger of a budget, without a record. It has no owner reference, since it outlives the budget.
func newLedger(budget *v1alpha1.SpendBudget) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: budget.Namespace,
		Name:      ledger.Name(budget.Name),
		Labels:    kubernetes.Labels(budget.Name),
	}}
}

// folded returns the ledger with the entries of pods that are gone folded, nil when there is nothing to fold.
func folded(in *input) *corev1.ConfigMap {
	record := in.record.Clone()
	if !record.FoldGone(func(pod string) bool { return in.pods[pod] }, ledger.MaxGoneOwners) {
		return nil
	}
	text, err := ledger.Encode(record)
	if err != nil {
		// It was read a moment ago and is shorter now, so this cannot happen; the entries stay as they are.
		return nil
	}
	object := in.ledger.DeepCopy()
	object.Data[ledger.DataKey] = string(text)
	return object
}

// counted is what was spent in the window that is running.
type counted struct {
	// known tells whether the rest is.
	known  bool
	window ledger.Window
	limit  int64
	totals ledger.Totals
}

// count adds up the window that is running.
func count(in *input) counted {
	zone := in.budget.Spec.Window.TimeZone
	if zone == "" {
		zone = time.UTC.String()
	}
	period := string(in.budget.Spec.Window.Period)
	window, err := ledger.NewWindow(period, zone, in.now)
	if err != nil {
		return counted{}
	}
	limit, err := meter.ParseUSD(string(in.budget.Spec.Limit.Amount))
	if err != nil || limit == 0 || in.foreign || in.unreadable != nil {
		return counted{window: window}
	}
	found, _ := in.record.Find(ledger.Key{Period: period, TimeZone: zone, ResetID: in.budget.Spec.Window.ResetID, Start: window.Start})
	return counted{known: true, window: window, limit: limit, totals: found.Total()}
}

// percent is the share of the limit that is spent, rounded down.
func (c counted) percent() int64 {
	high, low := bits.Mul64(nonNegative(c.totals.Spent), 100)
	limit := nonNegative(c.limit)
	if high >= limit {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, limit)
	if quotient > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(quotient)
}

// nonNegative converts a number that is never below zero.
func nonNegative(n int64) uint64 {
	return uint64(max(0, n))
}

// remaining is what is left of the limit, never below zero.
func (c counted) remaining() int64 {
	return max(0, c.limit-c.totals.Spent)
}

// reached is the highest share of a Notify action that spending has reached; 0 is none.
func (c counted) reached(actions []v1alpha1.BudgetAction) int32 {
	percent := c.percent()
	highest := int32(0)
	for _, action := range actions {
		if action.Do == v1alpha1.ActionNotify && percent >= int64(action.AtPercent) {
			highest = max(highest, action.AtPercent)
		}
	}
	return highest
}
