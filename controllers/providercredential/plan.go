package providercredential

import (
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// jitterPercent is by how much intervals differ, so that credentials that were made together are not probed together for ever.
	jitterPercent = 10
	// minimumWait is the shortest time between two probes of a provider that fails.
	minimumWait = 5 * time.Second
	// listInterval is the time between two calls that ask for nothing but a list of models; some are long, and they seldom change.
	listInterval = 10 * time.Minute
	// soonest keeps a moment that has come already from asking again without a pause.
	soonest = 100 * time.Millisecond
	// defaultInterval and defaultTimeout hold for objects that were stored without the API's defaults.
	defaultInterval = time.Minute
	defaultTimeout  = 10 * time.Second
)

// plan is what a reconciliation does.
type plan struct {
	status v1alpha1.ProviderCredentialStatus
	// subjects are what is asked about; what is known of others can be forgotten.
	subjects []Subject
	// probes are to be started.
	probes []Request
	// next is when to look again.
	next time.Duration
}

// makePlan decides. It is pure.
func makePlan(in *input) plan {
	planned := plan{status: makeStatus(in)}
	if in.incomplete {
		planned.next = secrets.RecheckAfter
	}
	for _, request := range in.requests() {
		planned.subjects = append(planned.subjects, request.Subject)
		due := in.due(request.Subject)
		if due <= 0 {
			planned.probes = append(planned.probes, request)
			// The prober asks again for a look once it has an answer; this one is for an answer that got lost.
			due = request.Timeout + in.interval()
		}
		planned.look(due)
	}
	if in.usable() && in.health.LookAgain > 0 {
		planned.look(in.health.LookAgain)
	}
	for _, moment := range in.moments() {
		planned.look(max(moment.Sub(in.now), soonest))
	}
	return planned
}

// look asks for a look after a while.
func (p *plan) look(after time.Duration) {
	if p.next == 0 || after < p.next {
		p.next = after
	}
}

// usable tells whether the provider can be asked: the credential compiled, and either has a key or needs none.
func (in *input) usable() bool {
	return in.entry != nil && (in.entry.Keyless || in.front() != nil)
}

// candidates are the keys that are asked about: new ones first, then those in use. What was replaced is not asked about any more.
func (in *input) candidates() []*table.Key {
	var keys []*table.Key
	add := func(key *table.Key) {
		if !slices.ContainsFunc(keys, func(k *table.Key) bool { return k.Fingerprint == key.Fingerprint }) {
			keys = append(keys, key)
		}
	}
	for i := range in.waiting {
		add(&in.waiting[i])
	}
	for i := range in.entry.Keys {
		if in.entry.Keys[i].Role != table.Previous {
			add(&in.entry.Keys[i])
		}
	}
	return keys
}

// front is the key that tells of the provider's health: the first one that leads, if there is one, that the provider takes; nil without any.
func (in *input) front() *table.Key {
	var front *table.Key
	for i := range in.entry.Keys {
		key := &in.entry.Keys[i]
		if key.Role == table.Leads && (front == nil || front.Refused && !key.Refused) {
			front = key
		}
	}
	if front == nil && len(in.waiting) > 0 {
		return &in.waiting[0]
	}
	return front
}

// about is the question about a key; nil for none.
func (in *input) about(key *table.Key) Subject {
	subject := Subject{Provider: in.entry.Provider, Account: provider.AccountOf(in.entry)}
	if key != nil {
		subject.Fingerprint = key.Fingerprint
	}
	return subject
}

// subject is what the probe asks about that tells of the provider's health.
func (in *input) subject() Subject { return in.about(in.front()) }

// requests are all probes that could be made.
func (in *input) requests() []Request {
	if !in.usable() {
		return nil
	}
	if in.entry.Keyless {
		return []Request{in.request(nil)}
	}
	var requests []Request
	for _, key := range in.candidates() {
		requests = append(requests, in.request(key))
	}
	return requests
}

func (in *input) request(key *table.Key) Request {
	request := Request{Subject: in.about(key), Timeout: in.credential.Spec.Probe.Timeout.Duration, key: key}
	request.List = request.Subject == in.subject() && in.listDue(request.Subject)
	if request.Timeout == 0 {
		request.Timeout = defaultTimeout
	}
	if most := in.health.ProbeTimeout; most > 0 {
		request.Timeout = min(request.Timeout, most)
	}
	return request
}

// listDue tells whether the list of models is to be asked for, where the probe does not have it anyway.
func (in *input) listDue(subject Subject) bool {
	last := in.latest
	if last.Subject.Provider != subject.Provider || last.Subject.Account != subject.Account {
		return true
	}
	return in.now.Sub(last.ListAsked) >= listInterval
}

func (in *input) interval() time.Duration {
	if interval := in.credential.Spec.Probe.Interval.Duration; interval > 0 {
		return interval
	}
	return defaultInterval
}

// due is how long until the next probe of a subject. Something that was not probed yet is due at once.
func (in *input) due(subject Subject) time.Duration {
	var last time.Time
	outcome, known := in.outcomes[subject.Fingerprint]
	switch {
	case known && outcome.Subject == subject:
		last = outcome.At
	case in.remembered(subject):
		last = in.credential.Status.Health.LastProbe.Time
	default:
		return 0
	}
	return max(0, last.Add(in.jittered(last, in.pause(subject, last))).Sub(in.now))
}

// pause is the time between a probe and the next one: the interval, but of a key that waits for an answer or was refused less at first, of a provider that is
// down no longer than it has been, so that one that was only starting is soon known to work, and less while its health is in question.
func (in *input) pause(subject Subject, last time.Time) time.Duration {
	standing := in.outcomes[subject.Fingerprint].Standing
	switch {
	case standing.Pending && in.isWaiting(subject.Fingerprint):
		return min(in.interval(), minimumWait)
	case standing.Refusals > 0:
		return min(in.interval(), minimumWait<<(standing.Refusals-1))
	case subject != in.subject():
		return in.interval()
	case in.health.ProbeWithin > 0:
		return min(in.interval(), in.health.ProbeWithin)
	case in.health.State == v1alpha1.HealthDown:
		return min(in.interval(), max(minimumWait, last.Sub(in.health.Since)))
	}
	return in.interval()
}

func (in *input) isWaiting(fingerprint string) bool {
	return slices.ContainsFunc(in.waiting, func(k table.Key) bool { return k.Fingerprint == fingerprint })
}

// remembered tells whether the status, written before this process started, speaks of the subject.
func (in *input) remembered(subject Subject) bool {
	old := in.credential.Status
	if in.latest.Subject != (Subject{}) || subject != in.subject() || old.Health == nil || old.Health.LastProbe.IsZero() || old.Endpoint != subject.Endpoint {
		return false
	}
	valid := meta.FindStatusCondition(old.Conditions, v1alpha1.ConditionKeyValid)
	if valid == nil || valid.ObservedGeneration != in.credential.Generation || valid.Reason == v1alpha1.ReasonPending {
		return false
	}
	if subject.Fingerprint == "" {
		return len(old.Keys) == 0
	}
	return slices.ContainsFunc(old.Keys, func(k v1alpha1.ProviderKeyStatus) bool {
		return k.Fingerprint == subject.Fingerprint && k.State != v1alpha1.KeyChecking && k.State != v1alpha1.KeyRejected
	})
}

// jittered is a duration, a little shorter or longer, always the same for the same credential and time.
func (in *input) jittered(last time.Time, duration time.Duration) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(string(in.credential.UID) + strconv.FormatInt(last.Unix(), 10)))
	percent := 100 - jitterPercent + int64(hash.Sum32()%(2*jitterPercent+1))
	return duration * time.Duration(percent) / 100
}
