package providerhealth

import "signalbox.dev/signalbox/api/v1alpha1"

// find is the rule: what calls and probes together say. A probe that began before calls were of their kind does not contradict them. While nothing is known yet
// the first sign decides.
func (h *Health) find(in *Input) finding {
	probe := &in.Probe
	fresh := !probe.At.Before(h.callsSince)
	switch h.calls {
	case limited:
		return finding{v1alpha1.HealthRateLimited, v1alpha1.ReasonRateLimited}
	case exhausted:
		return finding{v1alpha1.HealthRateLimited, v1alpha1.ReasonQuotaExhausted}
	case inPart:
		return finding{v1alpha1.HealthDegraded, v1alpha1.ReasonCallsFail}
	case well, slow, someUnusable:
		return h.calls.working(probe, fresh)
	case broken, suspect:
		return h.calls.notWorking(in, fresh)
	case refused:
		return noKey(probe, fresh)
	case silent:
		return h.probeAlone(probe)
	case unsure:
	}
	if h.unknown() {
		return h.probeAlone(probe)
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
	case !fresh || in.mended():
		return finding{}
	}
	return finding{v1alpha1.HealthDegraded, v1alpha1.ReasonProbeContradicted}
}

// mended tells whether no call has failed since the probe began: then the provider may be back, and calls have not found out.
func (in *Input) mended() bool { return !in.Now.Add(-in.Calls.FailedAgo).After(in.Probe.At) }

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
func (h *Health) probeAlone(probe *Probe) finding {
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
	if h.unknown() || probe.Streak >= needed {
		return found
	}
	return finding{}
}
