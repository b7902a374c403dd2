package modelroute

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/proxy/traffic"
)

// addTraffic adds what the proxies know of a target. One that none of them calls is unavailable; what the manager itself found wrong with it goes first,
// for that is where the user can act.
func (in *input) addTraffic(target int, state *v1alpha1.RouteTargetStatus) {
	seen, known := in.traffic[state.Name]
	if !known {
		return
	}
	state.Model = cmp.Or(seen.Successor, state.Model)
	state.Traffic = figures(seen.Settle(in.figuresBefore(state.Name)))
	if state.State != v1alpha1.TargetAvailable {
		return
	}
	switch {
	case seen.Down():
		state.State = v1alpha1.TargetUnavailable
		state.Reason, state.Message = in.blockOf(target, seen)
	case seen.Successor != "":
		state.Reason, state.Message = v1alpha1.ReasonSuccessorServes, in.succeeded(target, seen.Successor)
	case seen.Blocked > 0:
		reason, message := in.blockOf(target, seen)
		state.Reason = reason
		state.Message = fmt.Sprintf("%d of %s: %s", seen.Blocked, count(seen.Proxies, "proxy leaves it alone", "proxies leave it alone"), message)
	}
}

// blockOf says why proxies leave a target alone and what to do. It holds nothing that changes while that lasts.
func (in *input) blockOf(target int, seen *fleet.Traffic) (reason, message string) {
	spec := &in.route.Spec.Targets[target]
	switch seen.Block {
	case traffic.ErrorRate:
		return v1alpha1.ReasonCircuitOpen, "too many of its calls fail; it is called only where no other target is left"
	case traffic.CoolingDown:
		return v1alpha1.ReasonCoolingDown, fmt.Sprintf(
			"%s limits the rate or is short of capacity, and is left alone for the time that it asked for; if this goes on, raise the limit at the provider or add targets", in.provider(target))
	case traffic.NoQuota:
		return v1alpha1.ReasonCoolingDown, fmt.Sprintf(
			"%s answers that the quota or credit of %s is used up; raise it there, or add targets", in.provider(target), account(spec))
	case traffic.KeyRefused:
		if spec.RouteRef != nil {
			return v1alpha1.ReasonKeyRejected, fmt.Sprintf("%s refuses the token of this namespace's proxy; the log of that proxy says why", in.provider(target))
		}
		return v1alpha1.ReasonKeyRejected, fmt.Sprintf(
			"%s refuses the key of ProviderCredential %q in calls; store a valid one in its Secret", in.provider(target), spec.CredentialRef.Name)
	case traffic.Withdrawn:
		return v1alpha1.ReasonModelWithdrawn, in.withdrawn(target, seen)
	case traffic.Open, traffic.Trying, traffic.CircuitOpen:
	}
	return v1alpha1.ReasonCircuitOpen, "its last calls failed one after another; single calls try whether it is back"
}

// figuresBefore are those of the status that is stored.
func (in *input) figuresBefore(target string) fleet.Figures {
	figures := fleet.NoFigures()
	for i := range in.route.Status.Targets {
		stored := &in.route.Status.Targets[i]
		if stored.Name != target || stored.Traffic == nil {
			continue
		}
		figures.ErrorPermille = int64(ptr.Deref(stored.Traffic.ErrorPermille, int32(fleet.Unknown)))
		figures.FirstTokenMS = ptr.Deref(stored.Traffic.TimeToFirstTokenP50Milliseconds, fleet.Unknown)
		figures.FirstTokenP95MS = ptr.Deref(stored.Traffic.TimeToFirstTokenP95Milliseconds, fleet.Unknown)
		figures.TokensPerSecond = ptr.Deref(stored.Traffic.TokensPerSecond, fleet.Unknown)
	}
	return figures
}

// figures are nil where there are none.
func figures(f fleet.Figures) *v1alpha1.TargetTraffic {
	if f == fleet.NoFigures() {
		return nil
	}
	shown := &v1alpha1.TargetTraffic{
		TimeToFirstTokenP50Milliseconds: known(f.FirstTokenMS), TimeToFirstTokenP95Milliseconds: known(f.FirstTokenP95MS),
		TokensPerSecond: known(f.TokensPerSecond),
	}
	if f.ErrorPermille != fleet.Unknown {
		shown.ErrorPermille = ptr.To(int32(min(max(f.ErrorPermille, 0), 1000)))
	}
	return shown
}

func known(figure int64) *int64 {
	if figure == fleet.Unknown {
		return nil
	}
	return &figure
}

// onlyDrifts tells whether two statuses differ in something, and in nothing but figures and how many proxies leave a target alone that others call.
func onlyDrifts(before, after *v1alpha1.ModelRouteStatus) bool {
	if equality.Semantic.DeepEqual(before, after) || len(before.Targets) != len(after.Targets) {
		return false
	}
	before, after = before.DeepCopy(), after.DeepCopy()
	for i := range after.Targets {
		old, now := &before.Targets[i], &after.Targets[i]
		old.Traffic, now.Traffic = nil, nil
		if old.State == v1alpha1.TargetAvailable && now.State == v1alpha1.TargetAvailable {
			old.Reason, old.Message, now.Reason, now.Message = "", "", "", ""
		}
	}
	return equality.Semantic.DeepEqual(before, after)
}

// account names what a target's calls are charged to at its provider.
func account(spec *v1alpha1.RouteTarget) string {
	if spec.RouteRef != nil {
		return fmt.Sprintf("ModelRoute %s/%s", spec.RouteRef.Namespace, spec.RouteRef.Name)
	}
	return fmt.Sprintf("ProviderCredential %q", spec.CredentialRef.Name)
}

// provider names a target's provider at the beginning of a sentence or after a word.
func (in *input) provider(target int) string {
	if ref := in.route.Spec.Targets[target].RouteRef; ref != nil {
		return "the proxy of namespace " + ref.Namespace
	}
	credential := in.credentials[in.route.Spec.Targets[target].CredentialRef.Name]
	if credential == nil {
		return "the provider"
	}
	return "provider " + string(credential.Spec.Provider)
}
