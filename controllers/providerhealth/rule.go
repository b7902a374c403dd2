package providerhealth

import (
	"cmp"
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/window"
)

const (
	// settled is for how long a provider must do better before it is said to, and settledBusy that where many calls say so.
	settled     = 3 * time.Second
	settledBusy = 2 * time.Second
	// forgotten is how long a state is told that nothing speaks for or against any more.
	forgotten = 5 * time.Minute
	// urgent is the time between two probes while calls are in trouble, and confirm that while one more answer decides.
	urgent  = 5 * time.Second
	confirm = 3 * time.Second
	// patient bounds a probe while calls are in trouble, and brisk that while they get no connection: so much time is enough for one and an answer.
	patient = 5 * time.Second
	brisk   = 3 * time.Second
	// soonest is the shortest time until the next look.
	soonest = 250 * time.Millisecond
)

// Input is all that a state is found from.
type Input struct {
	// Now is the time.
	Now time.Time
	// Probe is what probes found, and Calls what proxies saw.
	Probe Probe
	Calls Calls
	// SlowAfter is the time to the first token from which on a provider is slow.
	SlowAfter time.Duration
	// AnswersOthers tells that the same provider, at the same endpoint, does well for other credentials of the cluster.
	AnswersOthers bool
}

// Health is a state with its reason, and what the next one depends on.
type Health struct {
	// State of the provider, and Reason and Message for it.
	State   v1alpha1.HealthState
	Reason  string
	Message string
	// Since is when it came into this state.
	Since time.Time
	// ProbeWithin is how long after the last probe the next one is to be made, sooner than the configured interval; 0 for no hurry.
	ProbeWithin time.Duration
	// ProbeTimeout bounds the time of a probe while calls are in trouble: who takes longer than that to answer a free call does not help them. 0 for no bound.
	ProbeTimeout time.Duration
	// UnsettledSince is since when something speaks for another state than this one, or may soon; zero while nothing does.
	UnsettledSince time.Time
	// LookAgain is when the state may change without any news; 0 if it does not.
	LookAgain time.Duration

	// calls is the last sign of calls, and callsSince how long it has been of the same kind.
	calls      sign
	callsSince time.Time
	// betterSince is since when all signs are of a better state; zero while they are not.
	betterSince time.Time
	// found is what was found last, and foundSince since when.
	found      finding
	foundSince time.Time
	// heard is when anything was last told.
	heard time.Time
}

// Restore is what a status that was written before tells, for a manager that has just started.
func Restore(state v1alpha1.HealthState, reason, message string, since, heard time.Time) Health {
	return Health{State: state, Reason: reason, Message: message, Since: since, heard: heard}
}

// finding is a line of the rule: a state and its reason. Without a state nothing is found, and what stands goes on.
type finding struct {
	state  v1alpha1.HealthState
	reason string
}

// Assess finds the state now from the one before, whose zero value is none.
func Assess(before Health, in Input) Health {
	after := before
	in.Calls = in.Calls.withWaiting()
	after.calls = in.sign(&before)
	if after.callsSince.IsZero() || after.calls.kind() != before.calls.kind() {
		after.callsSince = in.Now
	}
	if after.calls != silent || in.Probe.Result != NotTold && in.Probe.At.After(before.heard) {
		after.heard = in.Now
	}
	found := after.find(&in)
	if found.state == "" {
		found = after.untold(&in)
	}
	if after.found != found {
		after.found, after.foundSince = found, in.Now
	}
	after.take(found, &in)
	after.ProbeWithin, after.ProbeTimeout, after.LookAgain = after.hurry(&in), after.patience(&in), after.next(&in)
	after.settle(&in)
	return after
}

// untold is for when nothing is found: what stands goes on, until it is forgotten.
func (h *Health) untold(in *Input) finding {
	quiet := h.calls == silent && in.Probe.Result == NotTold
	switch {
	case quiet && (h.unknown() || in.Now.Sub(h.heard) >= forgotten):
		return finding{v1alpha1.HealthUnknown, cmp.Or(in.Probe.Reason, v1alpha1.ReasonPending)}
	case h.State == "":
		return finding{v1alpha1.HealthUnknown, v1alpha1.ReasonPending}
	}
	return finding{}
}

// isSlow tells whether the provider was said to be slow.
func (h *Health) isSlow() bool {
	return h.State == v1alpha1.HealthDegraded && h.Reason == v1alpha1.ReasonSlow
}

func (h *Health) unknown() bool { return h.State == "" || h.State == v1alpha1.HealthUnknown }

// kinds of signs: whether they are of the same kind decides whether a probe is as new as they are.
func (s sign) kind() int {
	switch s {
	case well, someUnusable, slow:
		return 1
	case suspect, broken, refused:
		return 2
	case silent, unsure, inPart, limited, exhausted:
	}
	return 0
}

// take moves to what was found: to what is worse at once, for it is not found without evidence; to what is better once all has been better for a while, and so
// to another reason for the same.
func (h *Health) take(found finding, in *Input) {
	switch {
	case found.state == "":
		h.betterSince = time.Time{}
		return
	case found.state == h.State:
		h.betterSince = time.Time{}
		if h.State == v1alpha1.HealthHealthy {
			return // How it is known is no news.
		}
		if found.reason != h.Reason && in.Now.Sub(h.foundSince) < settled {
			return
		}
	case h.unknown() || rank(found.state) > rank(h.State):
		h.State, h.Since, h.betterSince = found.state, in.Now, time.Time{}
	case h.betterSince.IsZero():
		h.betterSince = in.Now
		return
	case in.Now.Sub(h.betterSince) < in.patience() || !in.twice(h.calls):
		return
	default:
		h.State, h.Since, h.betterSince = found.state, in.Now, time.Time{}
	}
	h.Reason, h.Message = found.reason, in.message(found, h.calls)
}

// settle notes since when something speaks for another state.
func (h *Health) settle(in *Input) {
	healthy := h.State == v1alpha1.HealthHealthy
	same := h.found.state == h.State && (healthy || h.found.reason == h.Reason)
	switch {
	case same && h.betterSince.IsZero() && (!healthy || !in.Calls.doubtful() && !in.Calls.lost()):
		h.UnsettledSince = time.Time{}
	case h.UnsettledSince.IsZero():
		h.UnsettledSince = in.Now
	}
}

// patience is for how long the provider must do better.
func (in *Input) patience() time.Duration {
	if in.Calls.Brief[window.Answered] >= busy {
		return settledBusy
	}
	return settled
}

// twice tells whether more than one sign says that the provider does better.
func (in *Input) twice(calls sign) bool {
	switch calls {
	case silent:
		return in.Probe.Streak >= repeated || in.Probe.Result == NotTold
	case limited, exhausted:
		return true
	case unsure, well, someUnusable, slow, inPart, suspect, broken, refused:
	}
	return in.Calls.Short[window.Answered] >= 2 || in.Probe.Result == Good && in.Probe.Streak >= repeated
}

// rank orders states: the worse, the higher.
func rank(state v1alpha1.HealthState) int {
	switch state {
	case v1alpha1.HealthDegraded:
		return 1
	case v1alpha1.HealthRateLimited:
		return 2
	case v1alpha1.HealthDown:
		return 3
	case v1alpha1.HealthHealthy, v1alpha1.HealthUnknown:
	}
	return 0
}

// hurry is how soon after the last one a probe is wanted.
func (h *Health) hurry(in *Input) time.Duration {
	asked, down := in.Probe.Result, h.State == v1alpha1.HealthDown
	switch {
	case h.calls == silent && h.oneMoreDecides(asked):
		return confirm
	case h.calls.trouble() && in.Probe.At.Before(h.callsSince):
		return confirm
	case h.calls.trouble(), h.calls.kind() == 1 && asked != Good && asked != NotTold, down && h.calls != silent:
		return urgent
	case in.Calls.lost():
		return confirm
	}
	return 0
}

// oneMoreDecides tells whether nothing but another answer is missing for another state, where nobody calls.
func (h *Health) oneMoreDecides(asked Result) bool {
	return !h.betterSince.IsZero() || h.State != v1alpha1.HealthDown && (asked.bad() || asked == KeyRefused)
}

// patience is how much time a probe has.
func (h *Health) patience(in *Input) time.Duration {
	switch {
	case in.Calls.lost(), h.calls.trouble() && in.Calls.unreachable():
		return brisk
	case h.calls.trouble():
		return patient
	}
	return 0
}

// next is when to look again although nothing was told.
func (h *Health) next(in *Input) time.Duration {
	switch {
	case !h.betterSince.IsZero():
		return max(soonest, h.betterSince.Add(in.patience()).Sub(in.Now))
	case h.calls != silent && (h.calls != well || h.State != v1alpha1.HealthHealthy):
		return time.Second
	case !h.unknown() && in.Probe.Result == NotTold:
		return max(time.Second, h.heard.Add(forgotten).Sub(in.Now))
	}
	return 0
}
