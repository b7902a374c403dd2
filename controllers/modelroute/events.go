package modelroute

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// Cause names the condition of a ModelRoute that another one only follows from, for one mistake is one event: nothing is served of a route that is not
// accepted, and no target can be used where none resolves. It is empty for a condition that says something of its own.
func Cause(object client.Object, condition metav1.Condition) string {
	route, isRoute := object.(*v1alpha1.ModelRoute)
	switch {
	case !isRoute:
		return ""
	case condition.Type == v1alpha1.ConditionProgrammed && condition.Reason == v1alpha1.ReasonInvalid:
		return v1alpha1.ConditionAccepted
	case condition.Type == v1alpha1.ConditionHealthy && condition.Reason == v1alpha1.ReasonNoTargetAvailable && !slices.ContainsFunc(route.Status.Targets, resolves):
		return v1alpha1.ConditionResolvedRefs
	}
	return ""
}

// resolves tells whether something else than what it refers to keeps a target from being used, if anything does.
func resolves(target v1alpha1.RouteTargetStatus) bool {
	return !slices.Contains([]string{
		v1alpha1.ReasonBackendNotFound, v1alpha1.ReasonBackendUnusable, v1alpha1.ReasonRefNotPermitted, v1alpha1.ReasonRouteLoop, v1alpha1.ReasonUnsupportedValue,
	}, target.Reason)
}
