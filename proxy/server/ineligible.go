package server

import (
	"fmt"
	"net/http"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/route"
)

// noEligibleTarget tells each target and what excluded it, and the last tries that were made in vain.
func (c *call) noEligibleTarget() error {
	exclusions := make([]dialect.Exclusion, 0, len(c.candidates))
	reasons := make([]string, 0, len(c.candidates))
	for _, candidate := range c.candidates {
		name := c.legs[candidate.Route].route.targets[candidate.Index].name
		reason := c.reason(candidate)
		exclusions = append(exclusions, dialect.Exclusion{Target: name, Reason: reason})
		reasons = append(reasons, name+": "+reason)
	}
	failure := c.whyNotEligible()
	failure.Message = fmt.Sprintf("no target of ModelRoute %q in namespace %q can be used: %s", c.legs[0].route.Name, c.snapshot.namespace, strings.Join(reasons, "; "))
	failure.Metadata = &dialect.Metadata{Targets: exclusions, Attempts: c.describeAttempts()}
	if wait := route.ShortestLeft(c.candidates); wait > 0 {
		failure = failure.withRetryAfter(wait)
	}
	return failure
}

// whyNotEligible finds code and status: what may heal is a matter of time; what the request itself rules out is the client's to change.
func (c *call) whyNotEligible() *Error {
	var heals, asked, tooLong int
	for _, candidate := range c.candidates {
		switch cause := causeOf(candidate.Out); {
		case cause == causeHealth:
			heals++
		case candidate.Out == route.ContextTooSmall:
			tooLong++
		case cause == causeRequest:
			asked++
		}
	}
	switch {
	case heals > 0 || asked+tooLong == 0:
		return &Error{Code: CodeNoEligibleTarget, Status: http.StatusServiceUnavailable}
	case asked == 0:
		return &Error{Code: CodeUnsupportedByTargets, Status: http.StatusBadRequest, DialectCode: "context_length_exceeded", Param: "messages"}
	default:
		return &Error{Code: CodeUnsupportedByTargets, Status: http.StatusBadRequest}
	}
}

// cause is what kind of thing excludes a target.
type cause uint8

const (
	causePolicy cause = iota
	causeRequest
	causeHealth
)

func causeOf(out route.Exclusion) cause {
	switch out {
	case route.LacksNeeded, route.ContextTooSmall, route.RequestDataPolicy, route.NotInOnly, route.Ignored, route.NotInOrder, route.OtherQuantization,
		route.NotDistillable, route.DropsParameters, route.NothingLeft, route.OverRequestPrice, route.OverCost, route.NoFallbacks, outUnsuitable:
		return causeRequest
	case route.CircuitOpen, route.ErrorRate, route.CoolingDown, route.NoHeadroom, route.NoQuota, route.KeyRefused, route.Withdrawn, route.BeingProbed, outBegun:
		return causeHealth
	default:
		return causePolicy
	}
}
