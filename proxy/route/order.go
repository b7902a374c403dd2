package route

import (
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// onStack is how many targets an order is found for without allocating; the API allows fewer.
const onStack = 32

// choice is an eligible target on its way to its place.
type choice struct {
	// rank is what the strategy has no say in; lower first. The strategy orders those of one rank.
	rank int64
	// score is the strategy's order inside a rank; lower first.
	score float64
	// index of the target.
	index int
	// weight is that of the target, at least 1: a drained one gets a place when its session is there.
	weight int32
	// returning tells that the target is coming back and has to wait.
	returning bool
}

// A rank is a sum of these, each larger than all that stand below it together. A request's order comes before priority, for it chooses among what the
// route allows. Order takes 8 bits, priority 32 and a sign.
const (
	rankReturning = 1 << 62
	rankOrder     = 54
	mostOrdered   = 1<<8 - 1
	rankPriority  = 22
	rankNoProbe   = 1 << 21
	rankUnlisted  = 1 << 20
	rankMissed    = 1 << 19
	// rankTier are the bits that are left to strategies.
	rankTier = 3
)

// facts are what a strategy looks at. They stay in the order of the targets.
type facts struct {
	latency, throughput float64
	inFlight            int64
	age                 time.Duration
	output              int64
	cachedPermille      int
	out                 Exclusion
	left                time.Duration
	// limited tells that it was a rate limit that ended, and it has to be found out whether that was all.
	limited bool
}

// work is what finding one order takes. It lives on the stack.
type work struct {
	r *Router
	q *Query
	// facts by target.
	facts []facts
	// seat is the target where the session is; -1 for none.
	seat int
	// strategy orders those of one rank.
	strategy table.Strategy
	// lastResort tells that nothing is eligible, so that what is better than nothing is tried.
	lastResort bool
}

// Order appends all targets of the route to dst: those that can be tried in the order of trial, then the others with why they are left out.
// It allocates nothing but dst's growth.
func (r *Router) Order(dst []Candidate, route int, q *Query) []Candidate {
	var factSpace [onStack]facts
	var choiceSpace [onStack]choice
	known, choices := factSpace[:], choiceSpace[:0]
	if len(r.targets) > onStack {
		known, choices = make([]facts, len(r.targets)), make([]choice, 0, len(r.targets))
	}
	w := work{r: r, q: q, facts: known[:len(r.targets)], seat: r.seated(q), strategy: strategyOf(r.route, q)}
	for i := range r.targets {
		if c, ok := w.look(i); ok {
			choices = append(choices, c)
		}
	}
	if len(choices) == 0 {
		choices = w.appendLarger(choices)
	}
	w.lastResort = len(choices) == 0
	for i := range r.targets {
		if t := &r.targets[i]; w.lastResort && w.isLastResort(i) {
			choices = append(choices, choice{rank: rankOf(t) + w.preferred(i, t), index: i, weight: max(t.Weight, 1)})
		}
	}
	w.arrange(choices)
	dst = w.appendChoices(dst, choices, route)
	return w.appendOthers(dst, route)
}

// appendLarger appends the targets that are for calls that do not fit elsewhere, when what is known of the others says so beforehand.
func (w *work) appendLarger(choices []choice) []choice {
	if !slices.ContainsFunc(w.facts, func(f facts) bool { return f.out == ContextTooSmall }) {
		return choices
	}
	for i := range w.r.targets {
		t := &w.r.targets[i]
		if w.facts[i].out == AfterFailureOnly && slices.Contains(t.OnlyFor, table.ContextTooLong) {
			w.facts[i].out = Eligible
			choices = append(choices, choice{rank: rankOf(t) + w.preferred(i, t), index: i, weight: max(t.Weight, 1)})
		}
	}
	return choices
}

// look finds out whether a target is eligible, and its rank if so.
func (w *work) look(i int) (choice, bool) {
	t, f := &w.r.targets[i], &w.facts[i]
	if f.out = w.outAtAll(i, t); f.out != Eligible {
		return choice{}, false
	}
	var view health.View
	t.look(w.q, &view)
	if f.out = w.r.outByPrice(t, w.q, &view); f.out == Eligible {
		f.out = outByHealth(t, w.q, &view)
	}
	if f.out.healsWithTime() {
		f.limited = view.Was == health.CoolingDown
		f.left = leftOf(f.out, t, w.q, &view)
	}
	if f.out == Eligible && len(t.OnlyFor) > 0 {
		f.out = AfterFailureOnly
	}
	f.learn(&view, w.q)
	if f.out != Eligible {
		return choice{}, false
	}
	c := choice{rank: rankOf(t) + w.preferred(i, t), index: i, weight: max(t.Weight, 1)}
	switch w.turnOf(i, t, &view) {
	case hasToWait:
		c.returning = true
		c.rank += rankReturning + rankNoProbe
	case isIn:
		c.rank += rankNoProbe
	case goesFirst:
	}
	if t.Unlisted && t.Successor == "" {
		c.rank += rankUnlisted
	}
	return c, true
}

// outAtAll is why a target is out whatever its health and its prices.
func (w *work) outAtAll(i int, t *routed) Exclusion {
	switch {
	case t.Excluded != "":
		return Unusable
	case t.Weight <= 0 && w.seat != i:
		return Drained
	}
	if out := w.r.outByDeclaration(t, w.q); out != Eligible {
		return out
	}
	return w.r.outByPreference(i, t, w.q)
}

// learn keeps what strategies look at.
func (f *facts) learn(view *health.View, q *Query) {
	latency := view.Answer
	if q.Stream {
		latency = view.FirstToken
	}
	f.latency = latency.Seconds()
	f.throughput = view.TokensPerSecond
	f.inFlight, f.age = view.InFlight, view.Age
	f.output, f.cachedPermille = view.OutputTokens, view.CachedPermille
}

// rankOf is the rank of a target by its priority alone.
func rankOf(t *routed) int64 { return int64(t.Priority) << rankPriority }

// preferred is what the request's preferences add to a target's rank.
func (w *work) preferred(i int, t *routed) int64 {
	p, f := w.q.Preferences, &w.facts[i]
	if p == nil {
		return 0
	}
	var rank int64
	if len(p.Order) > 0 {
		rank += int64(min(w.r.placeIn(p.Order, t), mostOrdered)) << rankOrder
	}
	tooSlow := p.MinThroughput > 0 && f.throughput > 0 && f.throughput < p.MinThroughput
	tooLate := p.MaxLatencySeconds > 0 && f.latency > p.MaxLatencySeconds
	if tooSlow || tooLate {
		rank += rankMissed
	}
	return rank
}

// turn is what a target that comes back gets of a call.
type turn uint8

const (
	// isIn: the target has its usual place.
	isIn turn = iota
	// hasToWait: it stands behind all others.
	hasToWait
	// goesFirst: it is tried first of its priority, to find out whether it is back.
	goesFirst
)

// probePermille is the share of calls that may find out whether a target is back. At 20 calls a second one of them does within a second, as good as
// certainly; at thousands a second it is still one at a time that does.
const probePermille = 200

// turnOf tells what a target that comes back gets of the call.
func (w *work) turnOf(i int, t *routed, view *health.View) turn {
	switch {
	case view.Probe:
		// A session is not torn from where its cache is warm for that.
		if (w.seat >= 0 && w.seat != i) || w.q.Random(1000) >= probePermille {
			return hasToWait
		}
		return goesFirst
	case view.Ramp >= 1000:
		return isIn
	case w.hasSession():
		if isBack(w.q.Affinity, t.key, view.Ramp) {
			return isIn
		}
		return hasToWait
	case w.q.Random(1000) < int64(view.Ramp):
		return isIn
	}
	return hasToWait
}

// isLastResort tells whether a target is left out for something that is better than nothing. All else is out for good.
func (w *work) isLastResort(i int) bool {
	if len(w.r.targets[i].OnlyFor) > 0 {
		return false
	}
	switch f := &w.facts[i]; f.out {
	case ErrorRate, NoHeadroom:
		return true
	case BeingProbed:
		return w.q.StoodBy && f.limited
	default:
		return false
	}
}

// arrange sorts the choices by rank, and those of one rank by affinity and strategy.
func (w *work) arrange(all []choice) {
	sortChoices(all)
	for start := 0; start < len(all); {
		end := start + 1
		for end < len(all) && all[end].rank == all[start].rank {
			end++
		}
		w.arrangeRank(all[start:end])
		if start == 0 {
			w.explore(all[:end])
		}
		start = end
	}
}

// sortChoices sorts by rank and score and keeps the order of equals. There are few, mostly sorted, which is what insertion is good at.
func sortChoices(c []choice) {
	for i := 1; i < len(c); i++ {
		moving, at := c[i], i
		for at > 0 && (moving.rank < c[at-1].rank || (moving.rank == c[at-1].rank && moving.score < c[at-1].score)) {
			c[at] = c[at-1]
			at--
		}
		c[at] = moving
	}
}

// moveToFront moves the choice at a place before the others, which keep their order.
func moveToFront(c []choice, place int) {
	moving := c[place]
	copy(c[1:place+1], c[:place])
	c[0] = moving
}

// alone tells that the request wants the first target and no other.
func (w *work) alone() bool {
	p := w.q.Preferences
	return p != nil && p.NoFallbacks && len(p.Order) == 0
}

func (w *work) appendChoices(dst []Candidate, choices []choice, route int) []Candidate {
	for place, c := range choices {
		candidate := Candidate{Route: route, Index: c.index, Returning: c.returning}
		switch f := &w.facts[c.index]; {
		case place > 0 && w.alone():
			candidate.Out = NoFallbacks
		case w.lastResort:
			candidate.LastResort, candidate.Despite, candidate.Left = true, f.out, f.left
			if f.out == NoHeadroom {
				candidate.Wait = min(f.left, longestWait)
			}
		}
		if w.sorted() {
			candidate.Figure = w.figure(c.index)
		}
		dst = append(dst, candidate)
	}
	return dst
}

// appendOthers appends what was left out, in the order of the spec.
func (w *work) appendOthers(dst []Candidate, route int) []Candidate {
	for i := range w.facts {
		out := w.facts[i].out
		if out == Eligible || (w.lastResort && w.isLastResort(i)) {
			continue
		}
		if out == AfterFailureOnly && w.alone() {
			out = NoFallbacks
		}
		dst = append(dst, Candidate{Route: route, Index: i, Out: out, Left: w.facts[i].left})
	}
	return dst
}
