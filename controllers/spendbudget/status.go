package spendbudget

import (
	"cmp"
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
)

const (
	// topCounters and topShares are how many counters, and how many routes and callers, a status names.
	topCounters = 10
	topShares   = 5
)

// writeStatus writes the status of a plan and returns when to look again. Numbers that drift wait until it is their turn; all else is written at once.
func (r *Reconciler) writeStatus(ctx context.Context, budget *v1alpha1.SpendBudget, planned plan) (time.Duration, error) {
	name, now := client.ObjectKeyFromObject(budget), r.Clock.Now()
	if len(planned.notices) == 0 && onlyDrifts(&budget.Status, &planned.status) {
		if wait := r.pace.Wait(name, driftInterval, now); wait > 0 {
			return min(wait, planned.next), nil
		}
	}
	after := budget.DeepCopy()
	after.Status = planned.status
	wrote, err := r.Status.Patch(ctx, budget, after)
	if err != nil {
		return 0, err
	}
	if wrote {
		r.pace.Wrote(name, now)
		r.announce(budget, planned.notices)
	}
	return planned.next, nil
}

// onlyDrifts tells whether two statuses differ in nothing but what was counted.
func onlyDrifts(before, after *v1alpha1.SpendBudgetStatus) bool {
	return equality.Semantic.DeepEqual(settled(before), settled(after))
}

// settled is what does not drift.
func settled(status *v1alpha1.SpendBudgetStatus) *v1alpha1.SpendBudgetStatus {
	return &v1alpha1.SpendBudgetStatus{Conditions: status.Conditions, ObservedGeneration: status.ObservedGeneration, Window: status.Window}
}

// makeStatus builds the whole status.
func makeStatus(in *input, counted counted) v1alpha1.SpendBudgetStatus {
	built := v1alpha1.SpendBudgetStatus{
		Conditions:         slices.Clone(in.budget.Status.Conditions),
		ObservedGeneration: in.budget.Generation,
		Window:             windowStatus(counted.window, in.budget.Spec.Window.Period),
		Ledger:             ledgerStatus(in, counted),
	}
	if counted.known {
		putNumbers(&built, in.budget, counted)
	}
	enforced, resolved := enforced(in), resolved(in)
	status.Set(&built.Conditions, in.budget.Generation, in.now,
		ready(enforced, resolved), enforced, resolved, nearLimit(in, counted), exceeded(in, counted), overrun(in, counted), pressure(in, counted))
	return built
}

// putNumbers enters what was counted.
func putNumbers(built *v1alpha1.SpendBudgetStatus, budget *v1alpha1.SpendBudget, counted counted) {
	percent := counted.fullest().percent()
	built.Spent = meter.FormatUSD(counted.sum.Spent)
	built.Reserved = meter.FormatUSD(counted.sum.Reserved)
	built.Lost = meter.FormatUSD(counted.sum.Lost)
	built.Overrun = meter.FormatUSD(counted.sum.Overrun)
	built.Percent = &percent
	built.Requests = counted.sum.Requests
	built.UnpricedRequests = counted.sum.Unpriced
	if apart(budget) {
		built.Counters = countersStatus(budget, counted)
		return
	}
	built.Remaining = meter.FormatUSD(counted.remaining())
	built.TopRoutes = topOf(counted.sum.Routes)
	built.TopCallers = topOf(counted.sum.Callers)
}

// countersStatus tells of the counters and names the fullest of them.
func countersStatus(budget *v1alpha1.SpendBudget, counted counted) *v1alpha1.BudgetCountersStatus {
	built := &v1alpha1.BudgetCountersStatus{
		Known: int64(len(counted.counters)), Max: standardCounters, Exceeded: counted.exceeded(budget.Spec.Enforcement),
	}
	if most := budget.Spec.MaxCounters; most != nil {
		built.Max = int64(*most)
	}
	for _, one := range counted.counters[:min(len(counted.counters), topCounters)] {
		percent := one.percent()
		built.Top = append(built.Top, v1alpha1.BudgetCounterStatus{
			Subject: cmp.Or(one.subject, ledger.SubjectUntrusted),
			Limit:   meter.FormatUSD(one.limit), Spent: meter.FormatUSD(one.spent), Lost: meter.FormatUSD(one.lost), Percent: &percent,
		})
	}
	return built
}

// standardCounters is the default of spec.maxCounters.
const standardCounters = 1000

// topOf returns the largest shares that have a name.
func topOf(shares []ledger.Share) []v1alpha1.BudgetShare {
	var top []v1alpha1.BudgetShare
	for _, share := range shares {
		if share.Name != "" && len(top) < topShares {
			top = append(top, v1alpha1.BudgetShare{Name: share.Name, Spent: meter.FormatUSD(share.Nano)})
		}
	}
	return top
}

// ledgerStatus is nil when something else has the ledger's name. Only in Kubernetes does a ledger have a size that matters.
func ledgerStatus(in *input, counted counted) *v1alpha1.BudgetLedgerStatus {
	if in.foreign {
		return nil
	}
	built := &v1alpha1.BudgetLedgerStatus{Store: in.store, Owners: int64(counted.owners)}
	if in.store == v1alpha1.LedgerKubernetes {
		percent := fill(in.ledger)
		built.Bytes, built.Percent = size(in.ledger), &percent
	}
	return built
}

// windowStatus is nil for a window that is not known or has no bounds.
func windowStatus(window ledger.Window, period v1alpha1.BudgetPeriod) *v1alpha1.WindowStatus {
	if period == v1alpha1.PeriodTotal || window.Unbounded() {
		return nil
	}
	return &v1alpha1.WindowStatus{Start: metav1.NewTime(window.Start), End: metav1.NewTime(window.End)}
}
