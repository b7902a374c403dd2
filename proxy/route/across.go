package route

import (
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
			*c = Candidate{Route: c.Route, Index: c.Index, Out: c.Despite}
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

// AcrossModels is Join for a request that sorts the targets of all its models together: by the strategy that the request asks for, whatever their routes and
// priorities, those of which the figure is not known last.
func AcrossModels(routers []*Router, candidates []Candidate, q *Query) {
	Join(candidates)
	type sorted struct {
		candidate Candidate
		figure    float64
	}
	all := make([]sorted, len(candidates))
	for i, c := range candidates {
		all[i] = sorted{candidate: c}
		if c.Out == Eligible {
			all[i].figure = routers[c.Route].figure(c.Index, q)
		}
	}
	slices.SortStableFunc(all, func(a, b sorted) int {
		if by := standing(a.candidate) - standing(b.candidate); by != 0 {
			return by
		}
		switch {
		case a.figure < b.figure:
			return -1
		case a.figure > b.figure:
			return 1
		}
		return 0
	})
	for i := range all {
		candidates[i] = all[i].candidate
	}
}

// figure is what a target is sorted by, lower first; infinite when it is not known.
func (r *Router) figure(index int, q *Query) float64 {
	view := r.targets[index].Backend.View(q.Now, q.Asked)
	w := work{r: r, q: q, facts: make([]facts, len(r.targets))}
	f := &w.facts[index]
	f.learn(&view, q.Stream)
	figure := math.Inf(1)
	switch strategyOf(r.route, q) {
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
