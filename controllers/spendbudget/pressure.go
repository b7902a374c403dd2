package spendbudget

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// A ledger in Kubernetes is one object, that each proxy writes as a whole up to once a second. Beyond these sizes it should move to Valkey.
const (
	// pressurePercent is the share of what fits into the object.
	pressurePercent = 50
	// pressureCounters is how many counters a window has, and pressureOwners how many proxies write into it.
	pressureCounters = 500
	pressureOwners   = 50
)

// pressure tells whether the ledger outgrows the place where it is kept. Once it did, it has to shrink by a tenth to be well again, so that a ledger at the
// edge does not make the condition flap.
func pressure(in *input, counted counted) metav1.Condition {
	condition := metav1.Condition{
		Type: v1alpha1.ConditionLedgerPressure, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonLedgerFits, Message: "the ledger has room",
	}
	switch {
	case !counted.known:
		return unknown(v1alpha1.ConditionLedgerPressure)
	case in.ledger == nil:
		return condition
	}
	before := meta.FindStatusCondition(in.budget.Status.Conditions, v1alpha1.ConditionLedgerPressure)
	beyond := func(reason string, number, limit int64) bool {
		if before != nil && before.Status == metav1.ConditionTrue && before.Reason == reason {
			limit -= limit / 10
		}
		return number > limit
	}
	const advice = "; move it to Valkey with signalbox ledger migrate"
	switch {
	case beyond(v1alpha1.ReasonLedgerLarge, fill(in.ledger), pressurePercent):
		condition.Reason = v1alpha1.ReasonLedgerLarge
		condition.Message = fmt.Sprintf("the ledger takes more than %d percent of what a ConfigMap can hold%s", pressurePercent, advice)
	case beyond(v1alpha1.ReasonManyCounters, int64(len(counted.counters)), pressureCounters):
		condition.Reason = v1alpha1.ReasonManyCounters
		condition.Message = fmt.Sprintf("the ledger has more than %d counters, which all proxies write together%s, or lower spec.maxCounters", pressureCounters, advice)
	case beyond(v1alpha1.ReasonManyOwners, int64(counted.owners), pressureOwners):
		condition.Reason = v1alpha1.ReasonManyOwners
		condition.Message = fmt.Sprintf("more than %d proxies write the ledger, and wait for each other%s", pressureOwners, advice)
	default:
		return condition
	}
	condition.Status = metav1.ConditionTrue
	return condition
}
