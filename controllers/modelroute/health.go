package modelroute

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/proxy/traffic"
)

const (
	// failing is the share of a target's calls, in permille, from which on it is Degraded, and calmed what it must fall below to be well again.
	failing = 200
	calmed  = 100
)

// opinion is how a target does by one source, and why.
type opinion struct {
	health          v1alpha1.HealthState
	reason, message string
}

// addHealth says how a target does: as its provider, or worse where its own calls say so.
func (in *input) addHealth(target int, state *v1alpha1.RouteTargetStatus) {
	worst := in.opinionOfProvider(target)
	if own := in.opinionOfCalls(state); rank(own.health) > rank(worst.health) {
		worst = own
	}
	state.Health = worst.health
	if state.Reason == "" && rank(worst.health) > rank(v1alpha1.HealthHealthy) {
		state.Reason, state.Message = worst.reason, worst.message
	}
	state.Since = in.since(state)
}

// rank orders states of health: the worse, the higher.
func rank(state v1alpha1.HealthState) int {
	return slices.Index([]v1alpha1.HealthState{
		v1alpha1.HealthUnknown, v1alpha1.HealthHealthy, v1alpha1.HealthDegraded, v1alpha1.HealthRateLimited, v1alpha1.HealthDown,
	}, state)
}

// opinionOfProvider is that of the target's ProviderCredential.
func (in *input) opinionOfProvider(target int) opinion {
	reference := in.route.Spec.Targets[target].CredentialRef.Name
	credential := in.credentials[reference]
	if credential == nil || credential.Status.Health == nil || credential.Status.Health.State == "" {
		return opinion{health: v1alpha1.HealthUnknown}
	}
	health := credential.Status.Health
	return opinion{health.State, health.Reason, health.Message}
}

// opinionOfCalls is that of the calls to the target itself.
func (in *input) opinionOfCalls(state *v1alpha1.RouteTargetStatus) opinion {
	seen, known := in.traffic[state.Name]
	switch {
	case !known:
		return opinion{health: v1alpha1.HealthUnknown}
	case seen.Down() && (seen.Block == traffic.CoolingDown || seen.Block == traffic.NoQuota):
		return opinion{health: v1alpha1.HealthRateLimited}
	case seen.Down():
		return opinion{health: v1alpha1.HealthDown}
	case seen.Blocked > 0:
		return opinion{health: v1alpha1.HealthDegraded}
	case seen.ErrorPermille == fleet.Unknown:
		return opinion{health: v1alpha1.HealthUnknown}
	case seen.ErrorPermille >= in.bound(state.Name):
		return opinion{v1alpha1.HealthDegraded, v1alpha1.ReasonCallsFail, "a tenth of its calls or more fail; calls go on to the next target where there is one"}
	}
	return opinion{health: v1alpha1.HealthHealthy}
}

// bound is the share of failures from which on a target is Degraded: lower for one that is.
func (in *input) bound(target string) int64 {
	if stored := in.stored(target); stored != nil && stored.Health == v1alpha1.HealthDegraded {
		return calmed
	}
	return failing
}

// stored is what the status says of a target; nil if it does not know it.
func (in *input) stored(target string) *v1alpha1.RouteTargetStatus {
	at := slices.IndexFunc(in.route.Status.Targets, func(t v1alpha1.RouteTargetStatus) bool { return t.Name == target })
	if at < 0 {
		return nil
	}
	return &in.route.Status.Targets[at]
}

// since is when state and health became what they are.
func (in *input) since(state *v1alpha1.RouteTargetStatus) metav1.Time {
	if stored := in.stored(state.Name); stored != nil && stored.State == state.State && stored.Health == state.Health && !stored.Since.IsZero() {
		return stored.Since
	}
	return metav1.NewTime(in.now.Truncate(time.Second))
}

// onlyTurns tells whether two statuses differ in nothing but how targets do and what follows from that.
func onlyTurns(before, after *v1alpha1.ModelRouteStatus) bool {
	return len(before.Targets) > 0 && equality.Semantic.DeepEqual(withoutHealth(before), withoutHealth(after))
}

func withoutHealth(status *v1alpha1.ModelRouteStatus) *v1alpha1.ModelRouteStatus {
	rest := status.DeepCopy()
	rest.Targets, rest.AvailableTargets = nil, ""
	rest.Conditions = slices.DeleteFunc(rest.Conditions, func(c metav1.Condition) bool {
		return c.Type == v1alpha1.ConditionHealthy || c.Type == v1alpha1.ConditionReady
	})
	return rest
}
