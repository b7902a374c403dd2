package server

import (
	"errors"

	"signalbox.dev/signalbox/proxy/dialect/anthropic"
)

// countTokens answers how many tokens a request would be. It asks a provider that can count, which costs nothing; where none can, or none answers, the
// reply is an estimate and says so: clients call this before every request and must not fail for it.
func (s *Server) countTokens(c *call) error {
	err := s.generate(c)
	var failure *Error
	if !errors.As(err, &failure) || c.started() || !failure.leavesNoCounter() {
		return err
	}
	c.w.Header()[headerEstimated] = []string{"true"}
	return s.sendJSON(c, anthropic.AppendTokenCount(nil, anthropic.EstimateTokens(c.body.bytes)))
}

// leavesNoCounter tells whether a request is fine, and nobody is there to count its tokens.
func (e *Error) leavesNoCounter() bool {
	switch e.Code {
	case CodeUnsupportedByTargets, CodeNoEligibleTarget, CodeUpstreamTimeout:
		return true
	default:
		return e.upstreamFault()
	}
}
