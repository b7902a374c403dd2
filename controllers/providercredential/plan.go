package providercredential

import (
	"hash/fnv"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/proxy/provider"
)

const (
	// jitterPercent is by how much intervals differ, so that credentials that were made together are not probed together for ever.
	jitterPercent = 10
	// minimumWait is the shortest time between two probes of a provider that fails.
	minimumWait = 5 * time.Second
	// listInterval is the time between two calls that ask for nothing but a list of models; some are long, and they seldom change.
	listInterval = 10 * time.Minute
	// defaultInterval and defaultTimeout hold for objects that were stored without the API's defaults.
	defaultInterval = time.Minute
	defaultTimeout  = 10 * time.Second
)

// plan is what a reconciliation does.
type plan struct {
	status v1alpha1.ProviderCredentialStatus
	// probe, if not nil, is to be started.
	probe *Request
	// next is when to look again.
	next time.Duration
}

// makePlan decides. It is pure.
func makePlan(in *input) plan {
	planned := plan{status: makeStatus(in)}
	if in.incomplete {
		planned.next = secrets.RecheckAfter
	}
	if in.usable() {
		request := in.request()
		due := in.due(request.Subject)
		if due <= 0 {
			planned.probe = &request
			// The prober asks again for a look once it has an answer; this one is for an answer that got lost.
			due = request.Timeout + in.interval()
		}
		if planned.next == 0 || due < planned.next {
			planned.next = due
		}
		if again := in.health.LookAgain; again > 0 && again < planned.next {
			planned.next = again
		}
	}
	return planned
}

// usable tells whether calls could be made with the credential: it compiled, and either has a key or needs none.
func (in *input) usable() bool {
	return in.entry != nil && (in.entry.Keyless || len(in.entry.Keys) > 0)
}

// subject is what a probe asks about.
func (in *input) subject() Subject {
	subject := Subject{Provider: in.entry.Provider, Account: provider.AccountOf(in.entry)}
	if len(in.entry.Keys) > 0 {
		subject.Fingerprint = in.entry.Keys[0].Fingerprint
	}
	return subject
}

func (in *input) request() Request {
	request := Request{Subject: in.subject(), Timeout: in.credential.Spec.Probe.Timeout.Duration}
	request.List = in.listDue(request.Subject)
	if len(in.entry.Keys) > 0 {
		request.key = &in.entry.Keys[0]
	}
	if request.Timeout == 0 {
		request.Timeout = defaultTimeout
	}
	if in.health.Impatient {
		request.Timeout = min(request.Timeout, patientFor)
	}
	return request
}

// listDue tells whether the list of models is to be asked for, where the probe does not have it anyway.
func (in *input) listDue(subject Subject) bool {
	last := in.outcome
	if last == nil || last.Subject.Provider != subject.Provider || last.Subject.Account != subject.Account {
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
	switch {
	case in.outcome != nil && in.outcome.Subject == subject:
		last = in.outcome.At
	case in.remembered(subject):
		last = in.credential.Status.Health.LastProbe.Time
	default:
		return 0
	}
	return max(0, last.Add(in.jittered(last, in.pause(last))).Sub(in.now))
}

// pause is the time between a probe and the next one: the interval, but no longer than the provider has been down, so that one that was only starting is
// soon known to work, and less while its health is in question.
func (in *input) pause(last time.Time) time.Duration {
	switch {
	case in.health.ProbeWithin > 0:
		return min(in.interval(), in.health.ProbeWithin)
	case in.health.State == v1alpha1.HealthDown:
		return min(in.interval(), max(minimumWait, last.Sub(in.health.Since)))
	}
	return in.interval()
}

// remembered tells whether the status, written before this process started, speaks of the subject.
func (in *input) remembered(subject Subject) bool {
	old := in.credential.Status
	if in.outcome != nil || old.Health == nil || old.Health.LastProbe.IsZero() || old.Endpoint != subject.Endpoint {
		return false
	}
	valid := meta.FindStatusCondition(old.Conditions, v1alpha1.ConditionKeyValid)
	if valid == nil || valid.ObservedGeneration != in.credential.Generation || valid.Reason == v1alpha1.ReasonPending {
		return false
	}
	if subject.Fingerprint == "" {
		return len(old.Keys) == 0
	}
	return len(old.Keys) > 0 && old.Keys[0].Fingerprint == subject.Fingerprint
}

// jittered is a duration, a little shorter or longer, always the same for the same credential and time.
func (in *input) jittered(last time.Time, duration time.Duration) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(string(in.credential.UID) + strconv.FormatInt(last.Unix(), 10)))
	percent := 100 - jitterPercent + int64(hash.Sum32()%(2*jitterPercent+1))
	return duration * time.Duration(percent) / 100
}
