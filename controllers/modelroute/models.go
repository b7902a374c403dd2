package modelroute

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/traffic"
)

// modelsAvailable is false when a provider is known not to offer a target's model, also where a successor serves in its place: that is an edit of the
// spec that is due. The worst reason is that of the condition, and the message tells all.
func (in *input) modelsAvailable() metav1.Condition {
	if !in.compiled() {
		return pending(v1alpha1.ConditionModelsAvailable)
	}
	var problems []modelProblem
	for i := range in.route.Spec.Targets {
		if found := in.modelProblem(i); found.reason != "" {
			found.message = fmt.Sprintf("target %s: %s", in.route.Spec.Targets[i].Name, found.message)
			problems = append(problems, found)
		}
	}
	if mirror := in.report.Mirror; mirror != nil && mirror.Reason == v1alpha1.ReasonModelNotListed {
		problems = append(problems, modelProblem{reason: mirror.Reason, message: fmt.Sprintf("mirror %s: %s", mirror.Name, mirror.Message)})
	}
	if len(problems) == 0 {
		return good(v1alpha1.ConditionModelsAvailable, v1alpha1.ReasonModelsAvailable, "no provider is known not to offer a target's model")
	}
	worst, messages := problems[0], make([]string, 0, len(problems))
	for _, problem := range problems {
		messages = append(messages, problem.message)
		if problem.rank() < worst.rank() {
			worst = problem
		}
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionModelsAvailable, Status: metav1.ConditionFalse, Reason: worst.reason, Message: strings.Join(messages, "; "),
	}
}

// modelProblem is what is wrong with a target's model; nothing if it has no reason.
type modelProblem struct{ reason, message string }

// rank is 0 for the worst.
func (p modelProblem) rank() int {
	return slices.Index([]string{v1alpha1.ReasonModelWithdrawn, v1alpha1.ReasonModelNotListed, v1alpha1.ReasonSuccessorServes}, p.reason)
}

// modelProblem asks first what calls have shown and then what the provider's list says.
func (in *input) modelProblem(target int) modelProblem {
	name := in.route.Spec.Targets[target].Name
	if seen, ok := in.traffic[name]; ok {
		switch {
		case seen.Down() && seen.Block == traffic.Withdrawn:
			return modelProblem{v1alpha1.ReasonModelWithdrawn, in.withdrawn(target, seen)}
		case seen.Successor != "":
			return modelProblem{v1alpha1.ReasonSuccessorServes, in.succeeded(target, seen.Successor)}
		}
	}
	at := slices.IndexFunc(in.report.Targets, func(reported compile.TargetReport) bool { return reported.Name == name })
	if at < 0 || in.report.Targets[at].Reason != v1alpha1.ReasonModelNotListed {
		return modelProblem{}
	}
	return modelProblem{listedReason(&in.report.Targets[at]), in.report.Targets[at].Message}
}

// listedReason tells a target that is not on its provider's list from one whose successor is called for that.
func listedReason(reported *compile.TargetReport) string {
	if reported.Reason == v1alpha1.ReasonModelNotListed && reported.Model != "" {
		return v1alpha1.ReasonSuccessorServes
	}
	return reported.Reason
}

// withdrawn speaks of the successor where that is what was called.
func (in *input) withdrawn(target int, seen *fleet.Traffic) string {
	model, advice := in.route.Spec.Targets[target].Model, "name one that it offers in model, or a successor"
	if seen.Successor != "" {
		model, advice = seen.Successor, "name one that it offers in model"
	}
	return fmt.Sprintf("%s answers that it does not offer %q, any more or to this account; %s", in.provider(target), model, advice)
}

func (in *input) succeeded(target int, successor string) string {
	return fmt.Sprintf("%s does not offer %q any more, and calls go to its successor %q; name that in model", in.provider(target),
		in.route.Spec.Targets[target].Model, successor)
}
