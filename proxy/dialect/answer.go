package dialect

import (
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// Answer is an upstream's whole answer, and what the client gets of it.
type Answer interface {
	// Failure is the error that the provider put into an answer of status 200; nil when there is none.
	Failure() *neutral.Error
	// Reported is the usage that the provider reported, normalised; false when it reported none.
	Reported() (meter.Usage, bool)
	// Settle returns the usage to charge: the reported one, or an estimate where none was reported or the report is not believable. promptBytes is the
	// size of the request's body.
	Settle(promptBytes int64) meter.Usage
	// Body is what the client gets. It may use the memory of what was read. used is what Settle returned.
	Body(used meter.Usage) []byte
}

// AnswerError tells why an answer of status 200 cannot be an answer: it is HTML, for example, or was cut off.
type AnswerError struct {
	// Err is the problem; it holds nothing of the answer.
	Err error
}

// Error implements error.
func (e *AnswerError) Error() string { return "the answer cannot be read: " + e.Err.Error() }

// Unwrap returns the problem.
func (e *AnswerError) Unwrap() error { return e.Err }

// settle is the usage to charge for an answer, by what was reported and what was seen.
func settle(reported *meter.Usage, seen meter.Usage) meter.Usage {
	switch {
	case reported == nil:
		return seen
	case reported.Estimated:
		return reported.AtLeast(seen)
	default:
		return *reported
	}
}
