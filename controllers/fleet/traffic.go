package fleet

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/traffic"
	"signalbox.dev/signalbox/proxy/window"
)

const (
	// lasting is how long a target must be left alone, or be going to be, before it counts. The provider's rate limit may be hit every few seconds, for a
	// second each time, and statuses must not follow that.
	lasting = 5 * time.Second
	// driftInterval is the shortest time between two notices of a namespace's figures.
	driftInterval = 5 * time.Second
	// maxModel is the longest model id that the API has, in characters.
	maxModel = 256
)

// Bounds of what one proxy may claim. Their sums fit into an int64 for any number of proxies.
const (
	maxSeconds = 100_000
	maxLeft    = 1 << 50
)

// Traffic is what the ready proxies of a namespace together know of one target of a route.
type Traffic struct {
	// Target is its name.
	Target string
	// Successor is the upstream model that serves in place of a withdrawn one; empty when the target's own does.
	Successor string
	// Proxies is how many ready proxies know of the target, because they called it of late or something is wrong with it, and Blocked how many of those
	// leave it alone.
	Proxies, Blocked int
	// Block is why they do; Open if Blocked is 0.
	Block traffic.Block
	// Figures are those of the calls of all proxies together.
	Figures
}

// Down tells whether no proxy that knows of the target calls it.
func (t *Traffic) Down() bool { return t.Blocked > 0 && t.Blocked == t.Proxies }

// turned tells whether a difference is one that has to be told at once.
func (t *Traffic) turned(before *Traffic) bool {
	return t.Down() != before.Down() || t.Down() && t.Block != before.Block || t.Successor != before.Successor
}

// shown leaves out how many proxies there are where nobody is told.
func (t Traffic) shown() Traffic {
	if t.Down() || t.Blocked == 0 {
		t.Proxies, t.Blocked = min(t.Proxies, 1), min(t.Blocked, 1)
	}
	return t
}

// claim is what one pod says of one target. Its Block is never Trying, but what kept calls from it before.
type claim struct {
	traffic.Target
	since    time.Time // since when it has been left alone; zero while it is not
	standing bool      // whether that has lasted, or is to last, long enough to count
}

// claims are what one pod says, by route and target.
type claims map[string]map[string]claim

// alike tells whether two claims make the same of a target, figures aside.
func (c *claim) alike(other *claim) bool {
	return c.standing == other.standing && c.Block == other.Block && c.Successor == other.Successor
}

// newClaims reads a report of a pod that claimed before until then.
func newClaims(targets []traffic.Target, before claims, now time.Time) claims {
	made := claims{}
	for _, target := range targets[:min(len(targets), traffic.MaxTargets)] {
		if made[target.Route] == nil {
			made[target.Route] = map[string]claim{}
		}
		made[target.Route][target.Name] = newClaim(target, before[target.Route][target.Name], now)
	}
	return made
}

func newClaim(target traffic.Target, before claim, now time.Time) claim {
	made := claim{Target: bounded(target)}
	if made.Block == traffic.Open {
		return made
	}
	made.since, made.standing = stands(before.since, before.standing, made.Seconds, now)
	if made.Block == traffic.Trying {
		made.Block = traffic.CircuitOpen
		if before.Block != traffic.Open {
			made.Block = before.Block
		}
	}
	return made
}

// stands is since when something has been left alone, and whether that counts: it has lasted, or is to last, long enough, or counted before.
func stands(since time.Time, before bool, left int64, now time.Time) (time.Time, bool) {
	if since.IsZero() {
		since = now
	}
	return since, before || time.Duration(left)*time.Second >= lasting || now.Sub(since) >= lasting
}

// bounded keeps what a pod says within what can be added up and written into a status. A reason that this version does not know is like an open circuit.
func bounded(target traffic.Target) traffic.Target {
	if target.Block != traffic.Open && target.Block.Weight() == 0 {
		target.Block = traffic.CircuitOpen
	}
	if utf8.RuneCountInString(target.Successor) > maxModel {
		target.Successor = ""
	}
	target.Seconds = within(target.Seconds, maxSeconds)
	target.Calls = target.Calls.Bounded()
	return target
}

func within(n, most int64) int64 { return min(max(n, 0), most) }

// changed are the routes for which two sets of claims differ in more than figures.
func (c claims) changed(before claims) []string {
	var routes []string
	for route, targets := range c {
		if !sameTargets(targets, before[route]) {
			routes = append(routes, route)
		}
	}
	for route := range before {
		if _, still := c[route]; !still {
			routes = append(routes, route)
		}
	}
	return routes
}

func sameTargets(a, b map[string]claim) bool {
	if len(a) != len(b) {
		return false
	}
	for name, one := range a {
		other, known := b[name]
		if !known || !one.alike(&other) {
			return false
		}
	}
	return true
}

// merge puts together what pods say of the targets of one route, ordered by name.
func merge(pods []claims, route string) []Traffic {
	sums := map[string]*sum{}
	for _, pod := range pods {
		for name, said := range pod[route] {
			if sums[name] == nil {
				sums[name] = &sum{}
			}
			sums[name].add(&said)
		}
	}
	merged := make([]Traffic, 0, len(sums))
	for name, sum := range sums {
		merged = append(merged, sum.traffic(name))
	}
	slices.SortFunc(merged, func(a, b Traffic) int { return strings.Compare(a.Target, b.Target) })
	return merged
}

// sum adds up claims of several pods.
type sum struct {
	proxies, blocked int
	block            traffic.Block
	successor        string
	calls            window.Counts
	firstToken, rate window.Sketch
}

func (s *sum) add(said *claim) {
	s.proxies++
	if said.standing {
		s.blocked++
		if said.Block.Weight() > s.block.Weight() {
			s.block = said.Block
		}
	}
	// While a change of successor spreads, the order in which pods are asked must not matter.
	s.successor = max(s.successor, said.Successor)
	s.calls.Add(said.Calls)
	s.firstToken.Merge(said.FirstToken)
	s.rate.Merge(said.Rate)
}

func (s *sum) traffic(target string) Traffic {
	return Traffic{
		Target: target, Successor: s.successor, Proxies: s.proxies, Blocked: s.blocked, Block: s.block, Figures: figuresOf(s.calls, &s.firstToken, &s.rate),
	}
}
