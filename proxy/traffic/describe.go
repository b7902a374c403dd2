package traffic

import (
	"math"
	"time"

	"signalbox.dev/signalbox/proxy/health"
)

const (
	// recent is how long after its last call the figures of a target are told; by then they have lost nearly all of their weight.
	recent = 2 * time.Minute
	// tryingRecent is how long after its last call it is told that nobody knows whether a target is back. It is longer, so that a route that is called
	// every few minutes does not seem well in between.
	tryingRecent = 10 * time.Minute
)

// Subject says which target a description is of.
type Subject struct {
	// Route and Name of the target, and Provider, the vendor's name.
	Route, Name, Provider string
	// Successor is the upstream model that serves in place of a withdrawn one; empty when the target's own does.
	Successor string
	// AnyModel tells that the target sends on whatever name the client asks for. That one of them does not exist says nothing of the target.
	AnyModel bool
}

// Describe puts together the views of all upstreams that a target may send to: one for each of its keys, and for each model of one that has AnyModel. The
// target is left alone when all of them are. It is false when there is nothing to tell: no call of late, and nothing wrong.
func Describe(s Subject, views ...health.View) (Target, bool) {
	described := Target{Route: s.Route, Name: s.Name, Provider: s.Provider, Successor: s.Successor}
	described.Block, described.Seconds = block(s, views)
	described.average(views)
	return described, described.troubled() || described.Samples > 0
}

// block is the lightest of all blocks, and the time until the first of those ends; Open if there is an upstream without one.
func block(s Subject, views []health.View) (Block, int64) {
	lightest, left, found := Open, int64(0), false
	for i := range views {
		view := &views[i]
		own, ends := wordOf(view), seconds(view.For)
		switch {
		case own == Withdrawn && s.AnyModel:
			continue
		case own == Trying && (view.Samples == 0 || view.Age > tryingRecent):
			own = Open
		}
		switch {
		case !found || own.Weight() < lightest.Weight():
			lightest, left, found = own, ends, true
		case own == lightest:
			left = min(left, ends)
		}
	}
	if lightest == Open || lightest == Trying {
		left = 0
	}
	return lightest, left
}

func wordOf(view *health.View) Block {
	switch view.Block {
	case health.CircuitOpen:
		return CircuitOpen
	case health.ErrorRate:
		return ErrorRate
	case health.CoolingDown:
		return CoolingDown
	case health.NoQuota:
		return NoQuota
	case health.KeyRefused:
		return KeyRefused
	case health.Withdrawn:
		return Withdrawn
	case health.Open, health.NoHeadroom:
	}
	if view.Probe {
		return Trying
	}
	return Open
}

// average fills in the figures of the views that had calls of late, each by the number of its calls.
func (t *Target) average(views []health.View) {
	var samples float64
	var errors, firstToken, tokens mean
	for i := range views {
		view := &views[i]
		if !(view.Samples > 0) || view.Age > recent {
			continue
		}
		weight := min(view.Samples, most)
		samples += weight
		errors.add(float64(view.ErrorPermille), weight)
		if view.FirstToken > 0 {
			firstToken.add(float64(view.FirstToken)/float64(time.Millisecond), weight)
		}
		if view.TokensPerSecond > 0 {
			tokens.add(min(view.TokensPerSecond, most), weight)
		}
	}
	t.Samples = whole(math.Ceil(samples))
	t.ErrorPermille = min(errors.value(), 1000)
	t.FirstTokenMS = atLeastOne(firstToken)
	t.TokensPerSecond = atLeastOne(tokens)
}

// mean is a weighted average.
type mean struct{ sum, weight float64 }

func (m *mean) add(value, weight float64) {
	m.sum += value * weight
	m.weight += weight
}

// value is 0 without anything added.
func (m *mean) value() int64 {
	if m.weight == 0 {
		return 0
	}
	return whole(math.Round(m.sum / m.weight))
}

// atLeastOne keeps a known average from looking like one that is not known.
func atLeastOne(m mean) int64 {
	if m.weight == 0 {
		return 0
	}
	return max(1, m.value())
}

// most bounds what goes into an average and what comes out of it, so that it is always a number.
const most = 1 << 40

// whole is 0 for what is no number.
func whole(f float64) int64 {
	if !(f > 0) {
		return 0
	}
	return int64(min(f, most))
}
