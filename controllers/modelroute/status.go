package modelroute

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/proxy/compile"
)

// makeStatus builds the whole status. It is pure.
func makeStatus(in *input) v1alpha1.ModelRouteStatus {
	built := v1alpha1.ModelRouteStatus{
		Conditions:         slices.Clone(in.route.Status.Conditions),
		ObservedGeneration: in.route.Generation,
		Address:            in.proxy.BaseURL(v1alpha1.ProxyName + "." + in.route.Namespace),
		Targets:            in.targets(),
	}
	available := 0
	for i := range built.Targets {
		if built.Targets[i].State == v1alpha1.TargetAvailable {
			available++
		}
	}
	built.AvailableTargets = fmt.Sprintf("%d/%d", available, len(in.route.Spec.Targets))
	conditions := []metav1.Condition{in.accepted(), in.resolvedRefs(), in.programmed(), in.healthy(built.Targets), in.modelsAvailable()}
	conditions = append([]metav1.Condition{ready(conditions)}, conditions...)
	status.Set(&built.Conditions, in.route.Generation, in.now, conditions...)
	return built
}

// compiled tells whether the report speaks of the generation that is asked for.
func (in *input) compiled() bool {
	return in.report != nil && in.report.Generation == in.route.Generation
}

// finding turns the findings of one condition type into a false condition. All of them are told; the first one gives the reason.
func (in *input) finding(condition string) (metav1.Condition, bool) {
	var reason string
	var messages []string
	for _, finding := range in.report.Findings {
		if finding.Condition != condition {
			continue
		}
		if reason == "" {
			reason = finding.Reason
		}
		messages = append(messages, describe(finding))
	}
	if reason == "" {
		return metav1.Condition{}, false
	}
	return metav1.Condition{Type: condition, Status: metav1.ConditionFalse, Reason: reason, Message: strings.Join(messages, "; ")}, true
}

// describe puts the field before the message, unless the message begins with it.
func describe(finding compile.Finding) string {
	if finding.Field == "" || strings.HasPrefix(finding.Message, finding.Field) {
		return finding.Message
	}
	return finding.Field + ": " + finding.Message
}

func (in *input) accepted() metav1.Condition {
	if !in.compiled() {
		return pending(v1alpha1.ConditionAccepted)
	}
	if found, bad := in.finding(v1alpha1.ConditionAccepted); bad {
		return found
	}
	return good(v1alpha1.ConditionAccepted, v1alpha1.ReasonAccepted, "the spec is valid and in force")
}

func (in *input) resolvedRefs() metav1.Condition {
	if !in.compiled() {
		return pending(v1alpha1.ConditionResolvedRefs)
	}
	if found, bad := in.finding(v1alpha1.ConditionResolvedRefs); bad {
		return found
	}
	return good(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonResolvedRefs, "all references resolve")
}

// programmed is true only if at least one proxy is ready and every ready one serves this generation.
func (in *input) programmed() metav1.Condition {
	not := func(reason, message string) metav1.Condition {
		return metav1.Condition{Type: v1alpha1.ConditionProgrammed, Status: metav1.ConditionFalse, Reason: reason, Message: message}
	}
	if in.blocked {
		return not(v1alpha1.ReasonConflict, fmt.Sprintf(
			"the routing table cannot be delivered: Secret %q exists and was not made by Signalbox; rename or delete it", platform.TableSecret))
	}
	if !in.compiled() {
		return not(v1alpha1.ReasonPending, "this generation is not compiled yet")
	}
	if found, bad := in.finding(v1alpha1.ConditionProgrammed); bad {
		return found
	}
	switch {
	case in.report.Served == 0:
		return not(v1alpha1.ReasonInvalid, "the proxies serve nothing of this route; Accepted and ResolvedRefs say why")
	case in.report.Served != in.route.Generation:
		return not(v1alpha1.ReasonLastGoodServed, fmt.Sprintf("the proxies go on with generation %d; Accepted says what is wrong with generation %d",
			in.report.Served, in.route.Generation))
	case in.ready == 0 && in.starting() > 0:
		return not(v1alpha1.ReasonPending, "the proxies are starting; "+in.noReadyProxy())
	case in.ready == 0:
		return not(v1alpha1.ReasonNoReadyProxy, in.noReadyProxy())
	case in.behind > 0:
		return not(v1alpha1.ReasonPending, fmt.Sprintf("%d of %d ready proxies still serve an older table", in.behind, in.ready))
	}
	return good(v1alpha1.ConditionProgrammed, v1alpha1.ReasonProgrammed, fmt.Sprintf("served by %s", count(in.ready, "ready proxy", "ready proxies")))
}

// starting is for how long it is no trouble yet that no proxy is ready.
func (in *input) starting() time.Duration {
	return status.Starting(in.route.Status.Conditions, v1alpha1.ConditionProgrammed, in.route.CreationTimestamp.Time, in.now)
}

// noReadyProxy says where to look, and that proxies which speak TLS alone wait for their certificate.
func (in *input) noReadyProxy() string {
	message := "no proxy pod is ready; see: kubectl get pods -n " + in.route.Namespace + " -l " + platform.LabelName + "=" + platform.ProxyApp
	if in.proxy.SpeaksPlain() {
		return message
	}
	return message + fmt.Sprintf("; they speak TLS alone, and are not ready before Secret %q of this namespace has tls.crt and tls.key", in.proxy.TLS.SecretName)
}

// healthy is true if a target that calls can go to has a provider that answered its last probe. Calls cannot go to a target that the proxies leave alone.
func (in *input) healthy(targets []v1alpha1.RouteTargetStatus) metav1.Condition {
	unknown := false
	for i := range targets {
		unknown = unknown || targets[i].State == v1alpha1.TargetUnavailable && targets[i].Reason == v1alpha1.ReasonPending
		if targets[i].State != v1alpha1.TargetAvailable {
			continue
		}
		health := in.providerHealth(i)
		switch {
		case health == nil || health.Status == metav1.ConditionUnknown:
			unknown = true
		case health.Status == metav1.ConditionTrue:
			return good(v1alpha1.ConditionHealthy, v1alpha1.ReasonTargetsAvailable, fmt.Sprintf("target %s: %s", targets[i].Name, health.Message))
		}
	}
	if unknown || !in.compiled() {
		return metav1.Condition{
			Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPending,
			Message: in.unprobed(),
		}
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNoTargetAvailable,
		Message: "no target can be used; " + reasons(targets),
	}
}

// unprobed says why nothing is known of the health of a route's targets. Proxies of other namespaces are not probed: only calls show how they do.
func (in *input) unprobed() string {
	if slices.ContainsFunc(in.route.Spec.Targets, func(t v1alpha1.RouteTarget) bool { return t.RouteRef == nil }) {
		return "no target's provider has answered a probe; the ProviderCredentials say more"
	}
	return "routes of other namespaces are not probed; status.targets says how calls to them go"
}

// reasons lists why targets cannot be used; their messages are in the list of targets.
func reasons(targets []v1alpha1.RouteTargetStatus) string {
	listed := make([]string, 0, len(targets))
	for i := range targets {
		listed = append(listed, targets[i].Name+": "+targets[i].Reason)
	}
	return strings.Join(listed, ", ")
}

// providerHealth is the condition Healthy of a target's ProviderCredential, nil if there is none.
func (in *input) providerHealth(target int) *metav1.Condition {
	credential := in.credentials[in.route.Spec.Targets[target].CredentialRef.Name]
	if credential == nil {
		return nil
	}
	return meta.FindStatusCondition(credential.Status.Conditions, v1alpha1.ConditionHealthy)
}

// targets lists the targets of the spec with what is known of them.
func (in *input) targets() []v1alpha1.RouteTargetStatus {
	known := map[string]compile.TargetReport{}
	if in.compiled() {
		for _, target := range in.report.Targets {
			known[target.Name] = target
		}
	}
	targets := make([]v1alpha1.RouteTargetStatus, 0, len(in.route.Spec.Targets))
	for i := range in.route.Spec.Targets {
		name := in.route.Spec.Targets[i].Name
		state := v1alpha1.RouteTargetStatus{Name: name, State: v1alpha1.TargetUnavailable, Reason: v1alpha1.ReasonPending}
		if found, ok := known[name]; ok {
			state = v1alpha1.RouteTargetStatus{
				Name: name, State: found.State, Reason: listedReason(&found), Message: found.Message, Priced: found.Priced, Model: found.Model,
			}
		}
		in.addTrouble(i, &state)
		if in.compiled() {
			in.addTraffic(i, &state)
		}
		in.addHealth(i, &state)
		targets = append(targets, state)
	}
	return targets
}

// addTrouble takes a target whose provider failed its last probe or refused the key for unavailable, and says what the ProviderCredential found.
func (in *input) addTrouble(target int, state *v1alpha1.RouteTargetStatus) {
	credential := in.credentials[in.route.Spec.Targets[target].CredentialRef.Name]
	if state.State != v1alpha1.TargetAvailable || credential == nil {
		return
	}
	for _, kind := range []string{v1alpha1.ConditionKeyValid, v1alpha1.ConditionHealthy} {
		if found := meta.FindStatusCondition(credential.Status.Conditions, kind); found != nil && found.Status == metav1.ConditionFalse {
			state.State, state.Reason, state.Message = v1alpha1.TargetUnavailable, found.Reason, found.Message
			return
		}
	}
}

// ready sums up: the first condition that is false decides, then the first that is not known. The health of providers that cannot be probed does not
// keep a route from being ready, nor does a model that is gone: calls are served as long as any target can be used, which Healthy tells.
func ready(conditions []metav1.Condition) metav1.Condition {
	for _, wanted := range []metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionUnknown} {
		for _, condition := range conditions {
			if condition.Status != wanted || wanted == metav1.ConditionUnknown && condition.Type == v1alpha1.ConditionHealthy ||
				condition.Type == v1alpha1.ConditionModelsAvailable {
				continue
			}
			return metav1.Condition{Type: v1alpha1.ConditionReady, Status: wanted, Reason: condition.Reason, Message: condition.Message}
		}
	}
	return good(v1alpha1.ConditionReady, v1alpha1.ReasonReady, "calls to its models are served")
}

func good(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message}
}

func pending(kind string) metav1.Condition {
	return metav1.Condition{
		Type: kind, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPending, Message: "this generation is not compiled yet",
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
