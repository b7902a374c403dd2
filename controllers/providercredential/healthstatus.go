package providercredential

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/fleet"
)

const (
	// writeInterval is the shortest time between two writes of health, figuresInterval that of figures alone, and troubleInterval that of figures alone while
	// the provider is not well: the next change of state must not wait for the last figures. For the same reason figures alone wait while a change is in sight,
	// for unsettledFor at most.
	writeInterval   = 5 * time.Second
	figuresInterval = 10 * time.Second
	troubleInterval = time.Minute
	unsettledFor    = 15 * time.Second
	// resetStep is by how much the time of a reset must move.
	resetStep = 30 * time.Second
	// maxMessage is the longest message that the API has here, in bytes.
	maxMessage = 1024
)

// healthStatus is the whole of status.health; nil while the credential cannot be used.
func (in *input) healthStatus() *v1alpha1.ProviderHealth {
	if !in.usable() {
		return nil
	}
	old := v1alpha1.ProviderHealth{}
	if in.credential.Status.Health != nil {
		old = *in.credential.Status.Health
	}
	health := in.probeStatus(&old)
	health.State, health.Reason, health.Message = in.health.State, in.health.Reason, bound(in.health.Message)
	health.Since = metav1.NewTime(in.health.Since.Truncate(time.Second))
	in.addFigures(health, &old)
	health.RateLimit = in.rateLimit(old.RateLimit)
	return health
}

// bound cuts a message to what the API takes.
func bound(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	cut := maxMessage
	for cut > 0 && message[cut]&0xC0 == 0x80 {
		cut--
	}
	return message[:cut]
}

// probeStatus is what the last probe found; of an earlier process, if it still speaks of what is configured now.
func (in *input) probeStatus(old *v1alpha1.ProviderHealth) *v1alpha1.ProviderHealth {
	outcome := in.current()
	switch {
	case outcome == nil && in.remembered(in.subject()):
		return &v1alpha1.ProviderHealth{LastProbe: old.LastProbe, LatencyMilliseconds: old.LatencyMilliseconds, HTTPStatus: old.HTTPStatus, Balance: old.Balance}
	case outcome == nil || outcome.Result == NotPermitted:
		return &v1alpha1.ProviderHealth{}
	}
	health := &v1alpha1.ProviderHealth{LastProbe: metav1.NewTime(outcome.At.Truncate(time.Second)), Balance: outcome.Balance}
	if outcome.Result == Answered {
		health.LatencyMilliseconds, health.HTTPStatus = ptr.To(outcome.Latency.Milliseconds()), outcome.HTTPStatus
	}
	return health
}

// addFigures fills in what calls were like, rounded, as far as it moved.
func (in *input) addFigures(health, old *v1alpha1.ProviderHealth) {
	total := in.traffic.Minute.Total()
	if total == 0 {
		return
	}
	before := fleet.Figures{
		ErrorPermille: int64(ptr.Deref(old.ErrorPermille, int32(fleet.Unknown))), FirstTokenMS: ptr.Deref(old.TimeToFirstTokenP50Milliseconds, fleet.Unknown),
		FirstTokenP95MS: ptr.Deref(old.TimeToFirstTokenP95Milliseconds, fleet.Unknown), TokensPerSecond: ptr.Deref(old.TokensPerSecond, fleet.Unknown),
	}
	now := in.traffic.Figures().Settle(before)
	health.Requests = known(fleet.Settle(total, ptr.Deref(old.Requests, fleet.Unknown)))
	health.ErrorPermille = ptr.To(int32(min(max(now.ErrorPermille, 0), 1000)))
	health.TimeToFirstTokenP50Milliseconds, health.TimeToFirstTokenP95Milliseconds = known(now.FirstTokenMS), known(now.FirstTokenP95MS)
	health.TokensPerSecond = known(now.TokensPerSecond)
}

func known(figure int64) *int64 {
	if figure == fleet.Unknown {
		return nil
	}
	return &figure
}

// rateLimit adds up what is left of the limits of the keys in use; nil where no provider tells.
func (in *input) rateLimit(old *v1alpha1.ProviderRateLimit) *v1alpha1.ProviderRateLimit {
	requests, tokens, reset := fleet.Unknown, fleet.Unknown, time.Time{}
	for _, fingerprint := range in.usedKeys() {
		key, found := in.traffic.Key(fingerprint)
		if !found {
			continue
		}
		requests, tokens = plus(requests, key.Requests), plus(tokens, key.Tokens)
		if key.Reset.After(reset) {
			reset = key.Reset
		}
	}
	if requests == fleet.Unknown && tokens == fleet.Unknown {
		return nil
	}
	before := ptr.Deref(old, v1alpha1.ProviderRateLimit{})
	limit := &v1alpha1.ProviderRateLimit{
		RequestsRemaining: known(fleet.Settle(requests, ptr.Deref(before.RequestsRemaining, fleet.Unknown))),
		TokensRemaining:   known(fleet.Settle(tokens, ptr.Deref(before.TokensRemaining, fleet.Unknown))),
	}
	if !reset.IsZero() {
		limit.Reset = metav1.NewTime(reset.Truncate(time.Second))
		if moved := reset.Sub(before.Reset.Time); !before.Reset.IsZero() && before.Reset.After(in.now) && moved < resetStep && -moved < resetStep {
			limit.Reset = before.Reset
		}
	}
	return limit
}

// plus adds figures of which each may be unknown.
func plus(sum, more int64) int64 {
	if more == fleet.Unknown {
		return sum
	}
	return max(sum, 0) + more
}

// writeStatus writes the status and returns 0, or returns how long it has to wait: health is written every few seconds at most, all else at once.
func (r *Reconciler) writeStatus(ctx context.Context, in *input, want v1alpha1.ProviderCredentialStatus) (time.Duration, error) {
	name := client.ObjectKeyFromObject(in.credential)
	if wait := r.wait(name, in, &want); wait > 0 {
		return wait, nil
	}
	after := in.credential.DeepCopy()
	after.Status = want
	wrote, err := r.Status.Patch(ctx, in.credential, after)
	if err != nil || !wrote {
		return 0, err
	}
	r.pace.Wrote(name, in.now)
	r.announce(in.credential.Status.Health, after)
	return 0, nil
}

// wait is how long a status has to wait until it may be written; 0 for not at all.
func (r *Reconciler) wait(name types.NamespacedName, in *input, want *v1alpha1.ProviderCredentialStatus) time.Duration {
	have := &in.credential.Status
	switch {
	case !equality.Semantic.DeepEqual(withoutHealth(have), withoutHealth(want)), have.Health == nil, have.Health.State == "", have.Health.State == v1alpha1.HealthUnknown:
		return 0
	case want.Health == nil || have.Health.State != want.Health.State || have.Health.Reason != want.Health.Reason:
		return r.pace.Wait(name, writeInterval, in.now)
	}
	interval := troubleInterval
	if want.Health.State == v1alpha1.HealthHealthy {
		interval = figuresInterval
	}
	turning := time.Duration(0)
	if since := in.health.UnsettledSince; !since.IsZero() {
		turning = min(unsettledFor, max(0, unsettledFor-in.now.Sub(since)))
	}
	return max(turning, r.pace.Wait(name, interval, in.now))
}

// withoutHealth leaves out what follows from health alone: whether a key is taken cannot be told while its provider does not answer.
func withoutHealth(status *v1alpha1.ProviderCredentialStatus) *v1alpha1.ProviderCredentialStatus {
	rest := status.DeepCopy()
	rest.Health, rest.UsableKeys = nil, ""
	for i := range rest.Keys {
		// That proxies leave a key alone comes and goes with their calls.
		if key := &rest.Keys[i]; key.State == v1alpha1.KeyCoolingDown || key.State == v1alpha1.KeyActive || key.State == v1alpha1.KeyStandby {
			key.State, key.Since, key.Message = v1alpha1.KeyActive, metav1.Time{}, ""
		}
	}
	rest.Conditions = slices.DeleteFunc(rest.Conditions, func(c metav1.Condition) bool {
		return c.Type == v1alpha1.ConditionHealthy || c.Type == v1alpha1.ConditionReady ||
			c.Type == v1alpha1.ConditionKeyValid && c.Status != metav1.ConditionFalse
	})
	return rest
}

// announce makes an event of a change of state that no condition makes one of: to Degraded, which calls survive, and back to Healthy.
func (r *Reconciler) announce(before *v1alpha1.ProviderHealth, after *v1alpha1.ProviderCredential) {
	now := after.Status.Health
	if before == nil || now == nil || before.State == now.State && before.Reason == now.Reason {
		return
	}
	switch now.State {
	case v1alpha1.HealthDegraded:
		r.Status.Tell(after, corev1.EventTypeWarning, now.Reason, "Degraded: "+now.Message)
	case v1alpha1.HealthHealthy:
		if before.State != v1alpha1.HealthUnknown && before.State != "" {
			r.Status.Tell(after, corev1.EventTypeNormal, now.Reason, "Healthy again: "+now.Message)
		}
	case v1alpha1.HealthDown, v1alpha1.HealthRateLimited, v1alpha1.HealthUnknown:
	}
}

// sooner is the earlier of two times to look again, of which each may be 0 for never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
