package spendbudget

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/kubernetes"
)

const (
	// maxWait is the longest time until a budget is looked at again, in case the clock was set.
	maxWait = time.Hour
	// recheckForeign is when to look again whether a foreign ConfigMap still has the ledger's name.
	recheckForeign = 30 * time.Second
	// pollInterval is how often a ledger is read that tells of no change.
	pollInterval = 3 * time.Second
	// pollDocuments is how many documents make such a ledger wait for another second, for reading thousands takes its time.
	pollDocuments = 500
)

// plan is what is to be done for a budget.
type plan struct {
	// create and remove are ledger objects; nil is nothing to do.
	create, remove *corev1.ConfigMap
	// saves are documents of the ledger to replace.
	saves []upkeep
	// status to write, and the events that go with it.
	status  v1alpha1.SpendBudgetStatus
	notices []notice
	// next is when to look again; 0 is when something changes.
	next time.Duration
}

// upkeep is a document whose owners that are gone are marked or added up.
type upkeep struct {
	Document
	// lost are the slices that are counted as lost from now on.
	lost []ledger.Slice
}

// makePlan decides what to do for a budget that exists.
func makePlan(in *input) plan {
	planned := plan{next: maxWait}
	switch {
	case in.store == v1alpha1.LedgerValkey:
		planned.next = pollInterval + time.Duration(len(in.documents)/pollDocuments)*time.Second
	case in.foreign:
		planned.next = recheckForeign
	case in.ledger == nil:
		planned.create = newLedger(in.budget)
	}
	planned.saves = upkeeps(in)
	counted := count(in)
	if !counted.window.Unbounded() {
		planned.next = min(planned.next, max(counted.window.End.Sub(in.now), time.Millisecond))
	}
	if starting := in.starting(); starting > 0 {
		planned.next = min(planned.next, starting)
	}
	planned.status = makeStatus(in, counted)
	planned.notices = makeNotices(in.budget, &planned.status)
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

// upkeeps marks what pods that are gone held as lost, and adds up the oldest entries of such pods where there are too many of them. It is done only with
// pods that were asked for.
func upkeeps(in *input) []upkeep {
	if in.pods == nil {
		return nil
	}
	runs := runningIn(in.pods)
	var changed []upkeep
	for i := range in.documents {
		one := upkeep{Document: in.documents[i]}
		one.Record = one.Record.Clone()
		lost, marked := one.Record.MarkLost(runs)
		folded := one.Record.FoldGone(runs, keepGone(in, one.Document))
		if marked || folded {
			one.lost = lost
			changed = append(changed, one)
		}
	}
	return changed
}

// runningIn tells of which pods entries are left alone: those of a set, and what a migration carried over, which stands for owners elsewhere.
func runningIn(pods map[string]bool) func(pod string) bool {
	return func(pod string) bool { return pods[pod] || ledger.Owner(pod).Carried() }
}

// keepGone is how many entries of pods that are gone a counter keeps. They make a late write of such a pod exact; a ledger without room for them goes first.
func keepGone(in *input, document Document) int {
	if in.ledger != nil && document.Name == in.ledger.Name && fill(in.ledger) >= tightPercent {
		return 0
	}
	return ledger.MaxGoneOwners
}

// tightPercent is the fill from which on a ledger keeps no entries of pods that are gone.
const tightPercent = 75

// size is how many bytes the record of a ledger object takes; none when the object is not made yet.
func size(object *corev1.ConfigMap) int64 {
	if object == nil {
		return 0
	}
	return int64(len(object.Data[ledger.DataKey]))
}

// fill is how full a ledger object is, in percent.
func fill(object *corev1.ConfigMap) int64 {
	return size(object) * 100 / ledger.MaxEncodedBytes
}
