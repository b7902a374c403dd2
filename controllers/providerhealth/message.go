package providerhealth

import "signalbox.dev/signalbox/api/v1alpha1"

// elsewhere is what is added where the provider does well for others.
const elsewhere = "; the provider answers other credentials in this cluster, so look at this account or this namespace's network first"

// message says what was found and what to do. It holds nothing that changes while that lasts.
func (in *Input) message(found finding, calls sign) string {
	text := in.describe(found, calls)
	switch found.reason {
	case v1alpha1.ReasonCallsFail, v1alpha1.ReasonUnreachable, v1alpha1.ReasonProbeFailed, v1alpha1.ReasonKeyRejected, v1alpha1.ReasonProbeContradicted:
		if in.AnswersOthers {
			return text + elsewhere
		}
	}
	return text
}

func (in *Input) describe(found finding, calls sign) string {
	switch found.reason {
	case v1alpha1.ReasonCallsFail:
		return in.describeFailing(found.state)
	case v1alpha1.ReasonUnreachable:
		return in.withProbe("the provider cannot be reached; check the endpoint, the network and its policies")
	case v1alpha1.ReasonProbeFailed:
		return in.Probe.Message
	case v1alpha1.ReasonProbeContradicted:
		return in.contradiction(calls)
	}
	if text := describeReason(found.reason); text != "" {
		return text
	}
	if in.Probe.Message != "" {
		return in.Probe.Message
	}
	return "there are neither probes nor calls that tell"
}

// describeReason is for the reasons that say the same whatever was seen; empty for others.
func describeReason(reason string) string {
	switch reason {
	case v1alpha1.ReasonProbeSucceeded:
		return "the provider answered"
	case v1alpha1.ReasonCallsSucceed:
		return "calls work"
	case v1alpha1.ReasonSlow:
		return "half of the streams take longer than spec.probe.slowAfter to begin"
	case v1alpha1.ReasonSomeKeysUnusable:
		return "calls go on with the other keys; status.keys says which ones the provider refuses, or has no quota left for"
	case v1alpha1.ReasonRateLimited:
		return "the rate limit of every usable key is reached; raise it at the provider, add keys, or add targets to the routes"
	case v1alpha1.ReasonQuotaExhausted:
		return "the provider answers that the quota or credit is used up; raise it there, or add keys of another account"
	case v1alpha1.ReasonKeyRejected:
		return "the provider refuses every usable key; store a valid one in its Secret"
	}
	return ""
}

func (in *Input) describeFailing(state v1alpha1.HealthState) string {
	if state == v1alpha1.HealthDegraded {
		return "a fifth of the calls or more fail; docs/metrics.md has how to see which"
	}
	return in.withProbe("calls fail; see the provider's status page")
}

// withProbe adds what the probe found.
func (in *Input) withProbe(text string) string {
	if in.Probe.Message == "" || in.Probe.Result == Good {
		return text
	}
	return text + ": " + in.Probe.Message
}

// contradiction says who says what.
func (in *Input) contradiction(calls sign) string {
	switch calls {
	case refused:
		return "the provider refuses the keys in calls, and takes them in probes; look at what the keys are permitted"
	case broken, suspect:
		return "calls fail while the provider answers probes; look at the models that are called and at what the account is permitted"
	case silent, unsure, well, someUnusable, slow, inPart, limited, exhausted:
	}
	return in.withProbe("calls work while probes fail")
}
