package route

import (
	"cmp"
	"math"
	"slices"

	"signalbox.dev/signalbox/proxy/table"
)

// Join makes one order of the candidates of several routes, which stand one after the other: those that can be tried, route after route; then all that are
// left out. A last resort is left out if any route has something better.
func Join(candidates []Candidate) {
	better := slices.ContainsFunc(candidates, func(c Candidate) bool { return c.Out == Eligible && !c.LastResort })
	for i := range candidates {
		if c := &candidates[i]; better && c.LastResort {
			*c = Candidate{Route: c.Route, Index: c.Index, Out: c.Despite, Left: c.Left}
		}
	}
	slices.SortStableFunc(candidates, func(a, b Candidate) int { return standing(a) - standing(b) })
}

// standing sorts candidates: those that can be tried, those that are coming back, those that are left out.
func standing(c Candidate) int {
	switch {
	case c.Out != Eligible:
		return 2
	case c.Returning:
		return 1
	default:
		return 0
	}
}

// JoinSorted is Join for a request that sorts the targets of all its models together: by what it asks to sort by, whatever their routes and priorities,
// those of which the figure is not known last.
func JoinSorted(candidates []Candidate) {
	Join(candidates)
	slices.SortStableFunc(candidates, func(a, b Candidate) int {
		return cmp.Or(standing(a)-standing(b), cmp.Compare(a.Figure, b.Figure))
	})
}

// figure is what the request asks to sort a target by.
func (w *work) figure(index int) float64 {
	f, figure := &w.facts[index], math.Inf(1)
	switch w.strategy {
	case table.LowestCost:
		figure = w.expectedCost(index, expectedOutput)
	case table.HighestThroughput:
		if f.throughput > 0 {
			figure = 1 / f.throughput
		}
	case table.LowestLatency:
		if f.latency > 0 {
			figure = f.latency
		}
	case table.Weighted, table.LeastInFlight:
	}
	return figure
}
