package providerhealth

import (
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// find is the rule: what calls and probes together say. callsSince is since when calls have been of their kind: a probe that began before that does not
// contradict them. first tells that nothing is known yet, so that the first sign decides.
func find(in *Input, calls sign, callsSince time.Time, first bool) finding {
	probe := &in.Probe
	fresh := !probe.At.Before(callsSince)
	switch calls {
	case limited:
		return finding{v1alpha1.HealthRateLimited, v1alpha1.ReasonRateLimited}
	case exhausted:
		return finding{v1alpha1.HealthRateLimited, v1alpha1.ReasonQuotaExhausted}
	case inPart:
		return finding{v1alpha1.HealthDegraded, v1alpha1.ReasonCallsFail}
	case well, slow, someUnusable:
		return calls.working(probe, fresh)
	case broken, suspect:
		return calls.notWorking(in, fresh)
	case refused:
		return noKey(probe, fresh)
	case silent:
		return probeAlone(probe, first)
	case unsure:
	}
	if first {
		return probeAlone(probe, first)
	}
	return finding{}
}

// working is for calls that work. A probe that says otherwise must have begun since.
func (s sign) working(probe *Probe, fresh bool) finding {
	switch {
	case (probe.Result.bad() && probe.Streak >= confirmed || probe.Result == KeyRefused) && fresh:
		return finding{v1alpha1.HealthDegraded, v1alpha1.ReasonProbeContradicted}
	case s == slow:
		return finding{v1alpha1.HealthDegraded, v1alpha1.ReasonSlow}
	case s == someUnusable:
		return finding{v1alpha1.HealthDegraded, v1alpha1.ReasonSomeKeysUnusable}
	case probe.Result == Good:
		return finding{v1alpha1.HealthHealthy, v1alpha1.ReasonProbeSucceeded}
	}
	return finding{v1alpha1.HealthHealthy, v1alpha1.ReasonCallsSucceed}
}

// notWorking is for calls that fail. The last few say that only together with probes that are sure of it.
func (s sign) notWorking(in *Input, fresh bool) finding {
	probe := &in.Probe
	sure, reason := s == broken || probe.Streak >= repeated, v1alpha1.ReasonCallsFail
	if in.Calls.unreachable() {
		reason = v1alpha1.ReasonUnreachable
	}
	switch {
	case probe.Result.bad() && sure:
		return finding{v1alpha1.HealthDown, reason}
	case probe.Result == KeyRefused && fresh:
		return finding{v1alpha1.HealthDown, v1alpha1.ReasonKeyRejected}
	case s != broken:
		return finding{}
	case probe.Result == NotTold:
		return finding{v1alpha1.HealthDown, reason}
	case !fresh:
		return finding{}
	}
	return finding{v1alpha1.HealthDegraded, v1alpha1.ReasonProbeContradicted}
}

// noKey is for calls that no key is left for.
func noKey(probe *Probe, fresh bool) finding {
	switch {
	case probe.Result != Good:
		return finding{v1alpha1.HealthDown, v1alpha1.ReasonKeyRejected}
	case !fresh:
		return finding{}
	}
	return finding{v1alpha1.HealthDegraded, v1alpha1.ReasonProbeContradicted}
}

// probeAlone is for no calls.
func probeAlone(probe *Probe, first bool) finding {
	found, needed := finding{}, repeated
	switch probe.Result {
	case Good:
		return finding{v1alpha1.HealthHealthy, v1alpha1.ReasonProbeSucceeded}
	case Limited:
		found = finding{v1alpha1.HealthRateLimited, v1alpha1.ReasonRateLimited}
	case Exhausted:
		found = finding{v1alpha1.HealthRateLimited, v1alpha1.ReasonQuotaExhausted}
	case KeyRefused:
		found = finding{v1alpha1.HealthDown, v1alpha1.ReasonKeyRejected}
	case Unreachable:
		found, needed = finding{v1alpha1.HealthDown, v1alpha1.ReasonUnreachable}, confirmed
	case Failed:
		found, needed = finding{v1alpha1.HealthDown, v1alpha1.ReasonProbeFailed}, confirmed
	case NotTold:
	}
	if first || probe.Streak >= needed {
		return found
	}
	return finding{}
}
