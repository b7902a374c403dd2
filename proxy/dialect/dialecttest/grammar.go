// Package dialecttest holds what the tests of several wire dialects share.
package dialecttest

import "signalbox.dev/signalbox/proxy/dialect/neutral"

// grammar is what was seen of a stream's events.
type grammar struct {
	// open tells that part number parts has begun.
	open  bool
	parts int
	// finished tells that the choice has its reason, over that nothing may come.
	finished, over bool
}

// CheckGrammar tells what is wrong with the order of a reader's events, as package neutral demands it of one choice; empty when nothing is.
func CheckGrammar(all []neutral.Event) string {
	var g grammar
	for i := range all {
		if g.over {
			return "something comes after the end"
		}
		if all[i].Kind == neutral.EventStart && i > 0 {
			return "the start is not the first"
		}
		if problem := g.next(&all[i]); problem != "" {
			return problem
		}
	}
	return ""
}

func (g *grammar) next(e *neutral.Event) string {
	switch e.Kind {
	case neutral.EventPartStart, neutral.EventPartDelta, neutral.EventPartStop:
		return g.part(e)
	case neutral.EventFinish:
		if g.open || g.finished {
			return "it finishes at the wrong place"
		}
		g.finished = true
	case neutral.EventEnd:
		if !g.finished {
			return "it ends without a finish"
		}
		g.over = true
	case neutral.EventFailure:
		g.over = true
	case neutral.EventStart, neutral.EventUsage, neutral.EventPing:
	}
	return ""
}

func (g *grammar) part(e *neutral.Event) string {
	starts := e.Kind == neutral.EventPartStart
	if g.open == starts || e.Index != g.parts || g.finished {
		return "a part of kind " + string(e.Kind) + " is at the wrong place"
	}
	g.open = e.Kind != neutral.EventPartStop
	if !g.open {
		g.parts++
	}
	return ""
}
