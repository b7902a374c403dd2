package spendbudget

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
)

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
	if in.store == v1alpha1.LedgerValkey {
		return v1alpha1.ReasonLedgerUnavailable, fmt.Sprintf("spending is not known: the manager cannot read the ledger: %v", in.unreadable)
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

// findings tells what keeps this generation from being applied. A route that is not there does not.
func findings(in *input) (reason, message string) {
	reason, messages := findingsOf(in, v1alpha1.ConditionEnforced)
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

// findingsOf returns the findings about a condition, and the reason of the first one.
func findingsOf(in *input, condition string) (reason string, messages []string) {
	for _, finding := range in.report.Findings {
		if finding.Condition == condition {
			reason = cmp.Or(reason, finding.Reason)
			messages = append(messages, describe(finding))
		}
	}
	return reason, messages
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
	message = fmt.Sprintf("no proxy pod is ready; see: kubectl get pods -n %s -l %s=%s", in.budget.Namespace, platform.LabelName, platform.ProxyApp)
	if in.starting() > 0 {
		return v1alpha1.ReasonPending, "the proxies are starting; " + message
	}
	return v1alpha1.ReasonNoReadyProxy, message
}

// starting is for how long it is no trouble yet that no proxy is ready.
func (in *input) starting() time.Duration {
	return status.Starting(in.budget.Status.Conditions, v1alpha1.ConditionEnforced, in.wanted, in.now)
}

func notAcknowledged(in *input) (reason, message string) {
	if in.behind == 0 {
		return "", ""
	}
	return v1alpha1.ReasonPending, fmt.Sprintf("%d of %d ready proxies still serve an older table", in.behind, in.ready)
}

// resolved tells whether the routes and issuers that the budget names exist.
func resolved(in *input) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionResolvedRefs}
	if in.report == nil || in.report.Generation != in.budget.Generation {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionUnknown, v1alpha1.ReasonPending, "this generation is not compiled yet"
		return condition
	}
	reason, messages := findingsOf(in, v1alpha1.ConditionResolvedRefs)
	if reason != "" {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, reason, strings.Join(messages, "; ")
		return condition
	}
	condition.Status, condition.Reason, condition.Message = metav1.ConditionTrue, v1alpha1.ReasonResolvedRefs, "every route and issuer that is named exists"
	return condition
}

// ready is the first of its parts that is not true: a budget whose limit is reached works as it should.
func ready(parts ...metav1.Condition) metav1.Condition {
	for _, part := range parts {
		if part.Status != metav1.ConditionTrue {
			part.Type, part.Status = v1alpha1.ConditionReady, metav1.ConditionFalse
			return part
		}
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, Message: "calls are counted and the limit is applied",
	}
}

// nearLimit tells whether an action is due, and which ones are. Its message names no amount that drifts.
func nearLimit(in *input, counted counted) metav1.Condition {
	if !counted.known {
		return unknown(v1alpha1.ConditionNearLimit)
	}
	percent, due := dueActions(in.budget.Spec.Actions, counted.fullest().percent())
	if percent == 0 {
		return metav1.Condition{
			Type: v1alpha1.ConditionNearLimit, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWithinLimit,
			Message: "spending has not reached the share of any action",
		}
	}
	whose := fmt.Sprintf("spending has reached %d percent of the limit of %s USD", percent, meter.FormatUSD(counted.limit))
	if apart(in.budget) {
		whose = fmt.Sprintf("at least one counter has reached %d percent of its limit; status.counters names the fullest", percent)
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionNearLimit, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonThresholdReached,
		Message: whose + due + until(counted.window),
	}
}

// exceeded tells whether the limit is reached.
func exceeded(in *input, counted counted) metav1.Condition {
	if !counted.known {
		return unknown(v1alpha1.ConditionExceeded)
	}
	if counted.exceeded(in.budget.Spec.Enforcement) == 0 {
		return metav1.Condition{
			Type: v1alpha1.ConditionExceeded, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWithinLimit, Message: "spending is below the limit",
		}
	}
	whose := fmt.Sprintf("spending has reached the limit of %s USD", meter.FormatUSD(counted.limit))
	if apart(in.budget) {
		whose = "at least one counter has reached its limit; status.counters names the fullest"
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionExceeded, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonLimitReached,
		Message: whose + consequence(in.budget.Spec.Enforcement) + until(counted.window),
	}
}

// consequence says what follows from a limit that is reached.
func consequence(enforcement v1alpha1.Enforcement) string {
	switch enforcement {
	case v1alpha1.EnforcementHard:
		return " but for a hundredth at most; calls that may cost more than what is left are refused"
	case v1alpha1.EnforcementObserve:
		return "; nothing is refused, for the budget only observes"
	default:
		return "; calls that it counts are refused"
	}
}

// overrun tells whether a call cost more than what was reserved for it.
func overrun(in *input, counted counted) metav1.Condition {
	switch {
	case !counted.known:
		return unknown(v1alpha1.ConditionOverrun)
	case in.budget.Spec.Enforcement != v1alpha1.EnforcementHard:
		return metav1.Condition{
			Type: v1alpha1.ConditionOverrun, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWithinReservations, Message: "nothing is reserved, for the budget is not Hard",
		}
	case counted.sum.Overrun == 0:
		return metav1.Condition{
			Type: v1alpha1.ConditionOverrun, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWithinReservations,
			Message: "no call cost more than what was reserved for it",
		}
	default:
		return metav1.Condition{
			Type: v1alpha1.ConditionOverrun, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAboveReservation,
			Message: "a provider charged more than the most that a call could cost by its prices and the limits it was sent; status.overrun says how much more, the usage records say " +
				"which target; Hard budgets admit no further call to that target" + until(counted.window),
		}
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
