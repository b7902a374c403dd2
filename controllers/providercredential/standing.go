package providercredential

import (
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/provider"
)

const (
	// patience is how long a provider that gives no proper answer about a key is asked again before that counts as one that cannot tell.
	patience = time.Minute
	// maxRefusals is the last one that is counted; the pauses do not grow any more.
	maxRefusals = 16
	// distrust is for how long probes that take a key are not believed after calls with it were refused: probes may read where the key may not call. It
	// doubles each time, up to maxDistrust.
	distrust    = 5 * time.Minute
	maxDistrust = time.Hour
)

// Standing is what is known of a key by all answers so far. An answer that does not tell takes nothing back of what an earlier one said.
type Standing struct {
	// State of the key; empty before there was an answer.
	State provider.KeyState
	// Message of the answer that said so.
	Message string
	// Pending tells that there was no proper answer yet and that it is soon asked again.
	Pending bool
	// Refusals counts the answers in a row that said that the key is bad.
	Refusals int
	// callRefusals counts how often calls with the key were refused, and until trustAt a probe that takes it changes nothing.
	callRefusals int
	trustAt      time.Time
	// asked is when it was first asked for the answer that is missing.
	asked time.Time
}

func (s *Standing) refuse(message string) {
	s.State, s.Message, s.Pending, s.Refusals = provider.KeyInvalid, message, false, min(s.Refusals+1, maxRefusals)
}

// refuseCalls notes that the provider refuses the key in calls.
func (s *Standing) refuseCalls(now time.Time) {
	s.refuse("the provider refuses the key in calls")
	s.trustAt = now.Add(min(distrust<<s.callRefusals, maxDistrust))
	s.callRefusals = min(s.callRefusals+1, maxRefusals)
}

// accept notes that a probe that began at a time took the key.
func (s *Standing) accept(at time.Time, message string) {
	if at.Before(s.trustAt) {
		s.refuse(s.Message)
		return
	}
	*s = Standing{State: provider.KeyValid, Message: message, callRefusals: s.callRefusals}
}

// await notes that there was no proper answer to a question of a time.
func (s *Standing) await(at time.Time, message string) {
	if s.asked.IsZero() {
		s.asked = at
	}
	s.State, s.Message, s.Pending = provider.KeyUnknown, message, at.Sub(s.asked) < patience
}

// follow works out what is known after an outcome, from what was known before it.
func (o *Outcome) follow(before Outcome) {
	known := Standing{}
	if before.Subject == o.Subject {
		known = before.Standing
	}
	switch said := o.says(); {
	case said == provider.KeyInvalid:
		known.refuse(o.Message)
	case said == provider.KeyValid:
		known.accept(o.At, o.Message)
	case known.State == provider.KeyValid || known.State == provider.KeyInvalid:
	case !o.passing():
		known = Standing{State: provider.KeyUnknown, Message: o.Message}
	case known.State == provider.KeyUnknown && !known.Pending:
	default:
		known.await(o.At, o.Message)
	}
	o.Standing = known
}

// says is what an outcome by itself says of the key.
func (o *Outcome) says() provider.KeyState {
	if o.Result != Answered {
		return provider.KeyUnknown
	}
	return o.Verdict.Key
}

// passing tells whether an outcome says nothing because of trouble that may pass.
func (o *Outcome) passing() bool {
	if o.Result != Answered {
		return o.Result != NotPermitted
	}
	switch o.HTTPStatus {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	default:
		return o.HTTPStatus >= http.StatusInternalServerError
	}
}

// verdict is what the compiler is told of the key.
func (o *Outcome) verdict() compile.KeyVerdict {
	return compile.KeyVerdict{
		Provider: o.Subject.Provider, Account: o.Subject.Account,
		State: o.Standing.State, Pending: o.Standing.Pending, Message: o.Standing.Message,
	}
}
