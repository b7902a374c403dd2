package traffic

import (
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/window"
)

const (
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
// target is left alone when all of them are. minute is what their last minute adds up to. It is false when there is nothing to tell: no call of late, and
// nothing wrong.
func Describe(s Subject, minute *window.Reading, views ...health.View) (Target, bool) {
	described := Target{
		Route: s.Route, Name: s.Name, Provider: s.Provider, Successor: s.Successor, Calls: minute.Minute,
		FirstToken: minute.FirstToken.Pack(), Rate: minute.Rate.Pack(),
	}
	described.Block, described.Seconds = block(s, views)
	return described, described.troubled() || described.Calls.Total() > 0
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
	if block := blockOf(view.Block); block != Open || !view.Probe {
		return block
	}
	return Trying
}

func blockOf(block health.Block) Block {
	switch block {
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
	return Open
}
