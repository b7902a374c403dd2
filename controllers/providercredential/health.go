package providercredential

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/controllers/providerhealth"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// defaultSlowAfter holds for objects that were stored without the API's defaults.
const defaultSlowAfter = 10 * time.Second

// Traffic knows what the proxies of a namespace saw of a credential's calls.
type Traffic interface {
	// Credential is zero when nothing is known.
	Credential(namespace, name string) fleet.Credential
	// CredentialSource is a source of requests for credentials that have news.
	CredentialSource() source.Source
}

// memory is what is remembered of a credential's health from one look to the next.
type memory struct {
	providerhealth.Health
	// of is whom it speaks of; the key does not matter.
	of Subject
	// probe is the last that was counted.
	probe providerhealth.Probe
}

// memories are those of all credentials. The zero value is empty; it is safe for concurrent use.
type memories struct {
	mutex  sync.Mutex
	byName map[types.NamespacedName]memory
}

func (m *memories) get(name types.NamespacedName) memory {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.byName[name]
}

func (m *memories) put(name types.NamespacedName, known memory) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.byName == nil {
		m.byName = map[types.NamespacedName]memory{}
	}
	m.byName[name] = known
}

func (m *memories) forget(name types.NamespacedName) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	delete(m.byName, name)
}

// account is the subject of a credential whatever its key.
func (in *input) account() Subject {
	subject := in.subject()
	subject.Fingerprint = ""
	return subject
}

// probed are the last outcomes for the keys that calls are made with.
func (in *input) probed() []*Outcome {
	var outcomes []*Outcome
	if in.entry.Keyless {
		outcomes = append(outcomes, in.outcome(in.subject()))
	}
	for _, key := range in.tried() {
		outcomes = append(outcomes, in.outcome(in.about(key)))
	}
	return slices.DeleteFunc(outcomes, func(o *Outcome) bool { return o == nil })
}

// assess finds the state of the provider's health.
func (in *input) assess() {
	if !in.usable() {
		in.health = memory{}
		return
	}
	if account := in.account(); in.health.of != account {
		in.health = in.restored(account)
	}
	in.health.countProbe(verdictOf(in.probed()))
	slowAfter := in.credential.Spec.Probe.SlowAfter.Duration
	if slowAfter <= 0 {
		slowAfter = defaultSlowAfter
	}
	in.health.Health = providerhealth.Assess(in.health.Health, providerhealth.Input{
		Now: in.now, Probe: in.health.probe, Calls: in.calls(), SlowAfter: slowAfter, AnswersOthers: in.answersOthers,
	})
}

// restored is what the status tells that an earlier process wrote, if it speaks of the same account.
func (in *input) restored(account Subject) memory {
	known, old := memory{of: account}, in.credential.Status.Health
	if old != nil && old.State != "" && in.credential.Status.Endpoint == account.Endpoint && in.health.of == (Subject{}) {
		known.Health = providerhealth.Restore(old.State, old.Reason, old.Message, old.Since.Time, in.now)
	}
	return known
}

// countProbe takes in the last probe, if it is a new one.
func (m *memory) countProbe(probe providerhealth.Probe) {
	switch {
	case probe.At.IsZero():
		m.probe = providerhealth.Probe{}
		return
	case probe.At.Equal(m.probe.At):
		return
	}
	probe.Streak = 1
	if probe.Result.Alike(m.probe.Result) {
		probe.Streak += m.probe.Streak
	}
	m.probe = probe
}

// verdictOf is what the probes of several keys say of their provider: the newest decides, but one refused key says nothing while another is taken.
func verdictOf(outcomes []*Outcome) providerhealth.Probe {
	var newest providerhealth.Probe
	for _, outcome := range outcomes {
		read := outcome.health()
		refused, before := read.Result == providerhealth.KeyRefused, newest.Result == providerhealth.KeyRefused
		if newest.At.IsZero() || before && !refused || before == refused && read.At.After(newest.At) {
			newest = read
		}
	}
	return newest
}

// health is what an outcome says of the provider.
func (o *Outcome) health() providerhealth.Probe {
	probe := providerhealth.Probe{At: o.At, Message: o.Message, Reason: v1alpha1.ReasonProbeInconclusive}
	switch {
	case o.Result == NotPermitted:
		probe.Reason = v1alpha1.ReasonProbeNotPermitted
	case o.Result == NoAnswer:
		probe.Result = providerhealth.Unreachable
	case o.HTTPStatus == http.StatusTooManyRequests:
		probe.Result = providerhealth.Limited
	case o.HTTPStatus == http.StatusPaymentRequired:
		probe.Result = providerhealth.Exhausted
	case o.Verdict.Health == provider.Unhealthy:
		probe.Result = providerhealth.Failed
	case o.Verdict.Key == provider.KeyInvalid:
		probe.Result = providerhealth.KeyRefused
	case o.Verdict.Health == provider.Healthy:
		probe.Result = providerhealth.Good
	}
	return probe
}

// usedKeys are the fingerprints of the keys that calls are made with; one empty one where none is needed.
func (in *input) usedKeys() []string {
	if in.entry.Keyless {
		return []string{""}
	}
	var used []string
	for i := range in.entry.Keys {
		if in.entry.Keys[i].Role != table.Previous {
			used = append(used, in.entry.Keys[i].Fingerprint)
		}
	}
	return used
}

// calls is what the proxies saw.
func (in *input) calls() providerhealth.Calls {
	calls := providerhealth.Calls{
		Brief: in.traffic.Brief, Short: in.traffic.Short, Run: in.traffic.Run, Waiting: in.traffic.Waiting, AnsweredAgo: in.traffic.AnsweredAgo, FailedAgo: in.traffic.FailedAgo,
		Streams: in.traffic.BriefFirstToken.Count(), MinuteStreams: in.traffic.FirstToken.Count(),
	}
	if median, ok := in.traffic.BriefFirstToken.Quantile(500); ok {
		calls.FirstToken = time.Duration(median) * time.Millisecond
	}
	for _, fingerprint := range in.usedKeys() {
		calls.Keys.Usable++
		key, known := in.traffic.Key(fingerprint)
		switch {
		case !known || key.Refused+key.Exhausted+key.Limited < key.Proxies:
		case key.Limited > 0:
			calls.Keys.Limited++
		case key.Exhausted > 0:
			calls.Keys.Exhausted++
		default:
			calls.Keys.Refused++
		}
	}
	return calls
}

// healthy is true while calls work, at least in part.
func (in *input) healthy() metav1.Condition {
	if !in.usable() {
		return in.unknown(v1alpha1.ConditionHealthy)
	}
	condition := metav1.Condition{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionUnknown, Reason: in.health.Reason, Message: in.health.Message}
	switch in.health.State {
	case v1alpha1.HealthHealthy, v1alpha1.HealthDegraded:
		condition.Status = metav1.ConditionTrue
	case v1alpha1.HealthDown, v1alpha1.HealthRateLimited:
		condition.Status = metav1.ConditionFalse
	case v1alpha1.HealthUnknown:
	}
	return condition
}

// answersOthers tells whether the same provider, at the same endpoint, does well for another credential of the cluster.
func (r *Reconciler) answersOthers(ctx context.Context, in *input) (bool, error) {
	if in.entry == nil || in.health.State != v1alpha1.HealthDown && in.health.State != v1alpha1.HealthDegraded {
		return false, nil
	}
	var all v1alpha1.ProviderCredentialList
	if err := r.Client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return false, err
	}
	return slices.ContainsFunc(all.Items, func(other v1alpha1.ProviderCredential) bool {
		return other.UID != in.credential.UID && other.Spec.Provider == in.credential.Spec.Provider && other.Status.Endpoint == in.entry.Endpoint &&
			other.Status.Health != nil && other.Status.Health.State == v1alpha1.HealthHealthy
	}), nil
}
