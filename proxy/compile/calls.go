package compile

import (
	"slices"
)

// MaxHops is how many namespaces a call can pass through behind the one where it began. The proxies hold to it as well.
const MaxHops = 4

// callGraph says which routes call which, across namespaces. References are by route and not by model, so that it holds every loop and no other.
type callGraph struct {
	calls map[string][]string
	// rings are the groups of routes that call each other in a loop, by their members: two routes are in one if each can be reached from the other.
	rings map[string]int
	// depths are how many calls can follow one another from a route on.
	depths map[string]int
}

// calls is the graph of all routes that are known, made when it is first asked for.
func (a *assembly) calls() *callGraph {
	if a.graph != nil {
		return a.graph
	}
	calls := make(map[string][]string, len(a.in.Remote)+len(a.in.Routes))
	for name, remote := range a.in.Remote {
		calls[name] = unique(remote.Calls)
	}
	for i := range a.in.Routes {
		calls[a.in.Namespace+"/"+a.in.Routes[i].Name] = callsOf(&a.in.Routes[i])
	}
	a.graph = newCallGraph(calls)
	return a.graph
}

func newCallGraph(calls map[string][]string) *callGraph {
	g := &callGraph{calls: calls, depths: make(map[string]int, len(calls))}
	g.rings = findRings(calls)
	return g
}

// loop is the shortest way that a call of one route at another takes back to the first, with the first at both ends; nil when there is none.
func (g *callGraph) loop(from, called string) []string {
	before := map[string]string{called: from}
	for queue := []string{called}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at == from {
			return g.way(before, from)
		}
		for _, next := range g.calls[at] {
			if _, seen := before[next]; !seen {
				before[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// way walks back from a route to itself.
func (g *callGraph) way(before map[string]string, from string) []string {
	way := []string{from}
	for at := before[from]; at != from; at = before[at] {
		way = append(way, at)
	}
	way = append(way, from)
	slices.Reverse(way)
	return way
}

// tooDeep tells whether a call at a route could pass through too many others.
func (g *callGraph) tooDeep(called string) bool { return g.depth(called) >= MaxHops }

// depth is how many calls can follow one another from a route on. Those that are left out, for they are part of a loop or lead too deep themselves, do not
// count.
func (g *callGraph) depth(route string) int {
	if depth, known := g.depths[route]; known {
		return depth
	}
	deepest := 0
	for _, next := range g.calls[route] {
		if g.rings[next] == g.rings[route] {
			continue
		}
		if below := g.depth(next) + 1; below <= MaxHops {
			deepest = max(deepest, below)
		}
	}
	g.depths[route] = deepest
	return deepest
}

// ringFinder finds the rings of a graph by Tarjan's algorithm.
type ringFinder struct {
	calls         map[string][]string
	number, low   map[string]int
	rings         map[string]int
	stack         []string
	onStack       map[string]bool
	numbers, ends int
}

// findRings gives every route the number of its ring; a route that is in no loop has one for itself.
func findRings(calls map[string][]string) map[string]int {
	f := ringFinder{
		calls: calls, number: map[string]int{}, low: map[string]int{}, rings: map[string]int{}, onStack: map[string]bool{},
	}
	for route := range calls {
		f.visit(route)
	}
	return f.rings
}

// visit numbers a route and all that it calls, unless that was done.
func (f *ringFinder) visit(route string) {
	if f.number[route] != 0 {
		return
	}
	f.numbers++
	f.number[route], f.low[route] = f.numbers, f.numbers
	f.stack, f.onStack[route] = append(f.stack, route), true
	for _, next := range f.calls[route] {
		f.visit(next)
		if f.onStack[next] {
			f.low[route] = min(f.low[route], f.low[next])
		}
	}
	if f.low[route] == f.number[route] {
		f.close(route)
	}
}

// close makes a ring of what is on the stack down to its first route.
func (f *ringFinder) close(first string) {
	f.ends++
	for {
		last := f.stack[len(f.stack)-1]
		f.stack, f.onStack[last] = f.stack[:len(f.stack)-1], false
		f.rings[last] = f.ends
		if last == first {
			return
		}
	}
}
