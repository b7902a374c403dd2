package spendbudget

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
)

// notifyAction is what the event of a Notify action says was being done.
const notifyAction = "Notify"

// writeStatus writes the status of a plan and returns when to look again. Numbers that drift wait until it is their turn; all else is written at once.
func (r *Reconciler) writeStatus(ctx context.Context, budget *v1alpha1.SpendBudget, planned plan) (time.Duration, error) {
	name, now := client.ObjectKeyFromObject(budget), r.Clock.Now()
	if onlyDrifts(&budget.Status, &planned.status) {
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
		r.notify(budget, &planned.status)
	}
	return planned.next, nil
}

// onlyDrifts tells whether two statuses differ in nothing but what was counted.
func onlyDrifts(before, after *v1alpha1.SpendBudgetStatus) bool {
	before, after = before.DeepCopy(), after.DeepCopy()
	for _, s := range []*v1alpha1.SpendBudgetStatus{before, after} {
		s.Spent, s.Remaining, s.Percent, s.Requests, s.UnpricedRequests = "", "", nil, 0, 0
	}
	return equality.Semantic.DeepEqual(before, after)
}

// notify emits the event of a further Notify action, for the condition NearLimit is true already and its own event was that of the first one.
func (r *Reconciler) notify(budget *v1alpha1.SpendBudget, after *v1alpha1.SpendBudgetStatus) {
	before := &budget.Status
	old := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionNearLimit)
	now := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionNearLimit)
	if old == nil || old.Status != metav1.ConditionTrue || now.Status != metav1.ConditionTrue || old.Message == now.Message {
		return
	}
	if before.ObservedGeneration != after.ObservedGeneration || !equality.Semantic.DeepEqual(before.Window, after.Window) {
		return
	}
	r.Status.Events.Eventf(budget, nil, corev1.EventTypeWarning, now.Reason, notifyAction, "%s", now.Type+": "+now.Message)
}

// makeStatus builds the whole status.
func makeStatus(in *input, counted counted) v1alpha1.SpendBudgetStatus {
	built := v1alpha1.SpendBudgetStatus{
		Conditions:         slices.Clone(in.budget.Status.Conditions),
		ObservedGeneration: in.budget.Generation,
		Window:             windowStatus(counted.window, in.budget.Spec.Window.Period),
	}
	if counted.known {
		percent := counted.percent()
		built.Spent = meter.FormatUSD(counted.totals.Spent)
		built.Remaining = meter.FormatUSD(counted.remaining())
		built.Percent = &percent
		built.Requests = counted.totals.Requests
		built.UnpricedRequests = counted.totals.Unpriced
	}
	enforced := enforced(in)
	status.Set(&built.Conditions, in.budget.Generation, in.now,
		ready(enforced), enforced, nearLimit(in, counted), exceeded(in, counted))
	return built
}

// windowStatus is nil for a window that is not known or has no bounds.
func windowStatus(window ledger.Window, period v1alpha1.BudgetPeriod) *v1alpha1.WindowStatus {
	if period == v1alpha1.PeriodTotal || window.Unbounded() {
		return nil
	}
	return &v1alpha1.WindowStatus{Start: metav1.NewTime(window.Start), End: metav1.NewTime(window.End)}
}

// enforced goes through what can keep a budget from being applied; the first that does decides.
func enforced(in *input) metav1.Condition {
	for _, rule := range []func(*input) (reason, message string){
		foreignLedger, unreadableLedger, unknownZone, noProxy, notCompiled, findings, notReady, notAcknowledged,
	} {
		if reason, message := rule(in); reason != "" {
			return metav1.Condition{Type: v1alpha1.ConditionEnforced, Status: metav1.ConditionFalse, Reason: reason, Message: message}
		}
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionEnforced, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonEnforced,
		Message: "every ready proxy applies this budget",
	}
}

func foreignLedger(in *input) (reason, message string) {
	if !in.foreign {
		return "", ""
	}
	return v1alpha1.ReasonConflict, fmt.Sprintf(
		"spending cannot be counted: ConfigMap %q exists and was not made for this SpendBudget; delete it or give the SpendBudget another name",
		ledger.Name(in.budget.Name))
}

func unreadableLedger(in *input) (reason, message string) {
	if in.unreadable == nil {
		return "", ""
	}
	return v1alpha1.ReasonLedgerUnavailable, fmt.Sprintf(
		"spending cannot be counted: %v; repair the ConfigMap, or delete it to start counting from what the running proxies remember", in.unreadable)
}

func unknownZone(in *input) (reason, message string) {
	if _, err := ledger.NewWindow(string(v1alpha1.PeriodDay), in.budget.Spec.Window.TimeZone, in.now); err != nil {
		return v1alpha1.ReasonInvalidTimeZone, fmt.Sprintf(
			"spec.window.timeZone: %q is not in the IANA time zone database; use a name such as Europe/Lisbon", in.budget.Spec.Window.TimeZone)
	}
	return "", ""
}

func noProxy(in *input) (reason, message string) {
	if in.table {
		return "", ""
	}
	return v1alpha1.ReasonNoProxy, "the namespace has no ModelRoute, hence no proxy that could spend or refuse anything"
}

func notCompiled(in *input) (reason, message string) {
	if in.report != nil && in.report.Generation == in.budget.Generation {
		return "", ""
	}
	return v1alpha1.ReasonPending, "this generation is not compiled yet"
}

func findings(in *input) (reason, message string) {
	var messages []string
	for _, finding := range in.report.Findings {
		if reason == "" {
			reason = finding.Reason
		}
		messages = append(messages, describe(finding))
	}
	switch {
	case reason == "" && in.report.Served == in.budget.Generation:
		return "", ""
	case reason == "":
		reason, messages = v1alpha1.ReasonPending, []string{"this generation is not in the routing table yet"}
	}
	if in.report.Served != 0 && in.report.Served != in.budget.Generation {
		messages = append(messages, fmt.Sprintf("the proxies go on with generation %d", in.report.Served))
	}
	return reason, strings.Join(messages, "; ")
}

// describe puts the field before the message, unless the message begins with it.
func describe(finding compile.Finding) string {
	if finding.Field == "" || strings.HasPrefix(finding.Message, finding.Field) {
		return finding.Message
	}
	return finding.Field + ": " + finding.Message
}

func notReady(in *input) (reason, message string) {
	if in.ready > 0 {
		return "", ""
	}
	return v1alpha1.ReasonNoReadyProxy, fmt.Sprintf("no proxy pod is ready; see: kubectl get pods -n %s -l %s=%s",
		in.budget.Namespace, platform.LabelName, platform.ProxyApp)
}

func notAcknowledged(in *input) (reason, message string) {
	if in.behind == 0 {
		return "", ""
	}
	return v1alpha1.ReasonPending, fmt.Sprintf("%d of %d ready proxies still serve an older table", in.behind, in.ready)
}

// ready is that of Enforced: a budget whose limit is reached works as it should.
func ready(enforced metav1.Condition) metav1.Condition {
	if enforced.Status != metav1.ConditionTrue {
		enforced.Type = v1alpha1.ConditionReady
		return enforced
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, Message: "calls are counted and the limit is applied",
	}
}

// nearLimit tells whether a Notify action is due. Its message names no amount that drifts.
func nearLimit(in *input, counted counted) metav1.Condition {
	if !counted.known {
		return unknown(v1alpha1.ConditionNearLimit)
	}
	condition := metav1.Condition{
		Type: v1alpha1.ConditionNearLimit, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWithinLimit,
		Message: "spending has not reached the share of any action",
	}
	if percent := counted.reached(in.budget.Spec.Actions); percent > 0 {
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonThresholdReached
		condition.Message = fmt.Sprintf("spending has reached %d percent of the limit of %s USD%s", percent, meter.FormatUSD(counted.limit), until(counted.window))
	}
	return condition
}

// exceeded tells whether the limit is reached.
func exceeded(in *input, counted counted) metav1.Condition {
	if !counted.known {
		return unknown(v1alpha1.ConditionExceeded)
	}
	if counted.totals.Spent < counted.limit {
		return metav1.Condition{
			Type: v1alpha1.ConditionExceeded, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWithinLimit, Message: "spending is below the limit",
		}
	}
	consequence := "calls that it counts are refused"
	if in.budget.Spec.Enforcement == v1alpha1.EnforcementObserve {
		consequence = "nothing is refused, for the budget only observes"
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionExceeded, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonLimitReached,
		Message: fmt.Sprintf("spending has reached the limit of %s USD; %s%s", meter.FormatUSD(counted.limit), consequence, until(counted.window)),
	}
}

func unknown(kind string) metav1.Condition {
	return metav1.Condition{
		Type: kind, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonLedgerUnavailable, Message: "spending is not known; Enforced says why",
	}
}

// until says when the window ends.
func until(window ledger.Window) string {
	if window.Unbounded() {
		return ""
	}
	return "; the window ends at " + window.End.UTC().Format(time.RFC3339)
}
