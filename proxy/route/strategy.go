package route

import (
	"math"
	"time"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/preference"
	"signalbox.dev/signalbox/proxy/table"
)

// The band of targets that are as good as the best by latency or throughput: one comes in when it is at most 15 % behind the best, and drops out when it is
// more than 35 % behind. What lies between does not change where calls go, so that noise in the averages does not.
const (
	bandEnter = 1.15
	bandLeave = 1.35
)

// Exploration: so many of a thousand calls go first to a target of which nothing is known, or nothing new, when it has nothing under way. The first kind
// gets more of them, since one call is enough to end it.
const (
	exploreUnknownPermille = 100
	exploreStalePermille   = 20
	// staleAge is how old the newest sample has to be.
	staleAge = time.Second
)

// cheaperBy is how much cheaper, in permille of the leader's cost, a target has to be to take the lead by cost.
const cheaperBy = 50

// The tiers inside a rank.
const (
	tierBest = iota
	tierKnown
	tierUnknown
)

// strategyOf is the route's strategy, or what the request asks to sort by.
func strategyOf(r *table.Route, q *Query) table.Strategy {
	if q.Preferences != nil {
		switch q.Preferences.Sort {
		case preference.ByPrice:
			return table.LowestCost
		case preference.ByThroughput:
			return table.HighestThroughput
		case preference.ByLatency:
			return table.LowestLatency
		}
	}
	return r.Strategy
}

// arrangeRank orders targets of one rank. An affinity takes the first place; new sessions are placed by weight, or by what the request asks to sort by.
func (w *work) arrangeRank(c []choice) {
	place := -1
	if w.hasSession() {
		place = w.placeOfSession(c)
	}
	if place < 0 {
		w.arrangeByStrategy(c)
		return
	}
	moveToFront(c, place)
	w.arrangeByStrategy(c[1:])
}

// hasSession tells whether the call belongs to a session that is kept together.
func (w *work) hasSession() bool { return w.r.route.Affinity != nil && w.q.Affinity != 0 }

// placeOfSession is the place of the target where the call's session is or belongs; below 0 when it is not among these, or is new and to be sorted.
func (w *work) placeOfSession(c []choice) int {
	if place := w.seatIn(c); place >= 0 || w.sorted() {
		return place
	}
	return w.homeIn(c)
}

// sorted tells whether the request asks to sort.
func (w *work) sorted() bool { return w.q.Preferences != nil && w.q.Preferences.Sort != "" }

// seatIn is the place of the target where the session is; below 0 when it is not among these.
func (w *work) seatIn(c []choice) int {
	for place := range c {
		if c[place].index == w.seat {
			return place
		}
	}
	return -1
}

// homeIn is the place of the target that a new session belongs to. None of them is drained, or the session would be there.
func (w *work) homeIn(c []choice) int {
	home, best := -1, math.Inf(-1)
	for place := range c {
		t := &w.r.targets[c[place].index]
		if score := rendezvous(w.q.Affinity, t.key, t.Weight); score > best {
			home, best = place, score
		}
	}
	return home
}

func (w *work) arrangeByStrategy(c []choice) {
	if len(c) < 2 {
		return
	}
	switch w.strategy {
	case table.LowestCost:
		w.byCost(c)
	case table.LowestLatency:
		w.byLatency(c)
	case table.HighestThroughput:
		w.byThroughput(c)
	case table.LeastInFlight:
		w.byInFlight(c)
	default:
		drawByWeight(c, w.q.Random)
	}
}

// drawByWeight swaps a drawn choice to each place in turn; the chance of each one left is its weight's share of the weights left.
func drawByWeight(c []choice, random Random) {
	var total int64
	for i := range c {
		total += int64(c[i].weight)
	}
	for place := 0; place < len(c)-1; place++ {
		chosen := place + drawn(c[place:], total, random)
		c[place], c[chosen] = c[chosen], c[place]
		total -= int64(c[place].weight)
	}
}

// drawn is the place of one drawn by weight; total is the sum of the weights.
func drawn(c []choice, total int64, random Random) int {
	mark, chosen := random(total), 0
	for mark >= int64(c[chosen].weight) {
		mark -= int64(c[chosen].weight)
		chosen++
	}
	return chosen
}

// betterOfTwo moves the better one, by score, of two that are drawn by weight to the front. That way each call is kept from the worst, and the calls that
// come before the figures can follow do not all go to the same.
func betterOfTwo(c []choice, random Random) {
	if len(c) < 2 {
		return
	}
	var total int64
	for i := range c {
		total += int64(c[i].weight)
	}
	one := drawn(c, total, random)
	// The other is drawn from the rest: the weights before one, then those behind it.
	mark, other := random(total-int64(c[one].weight)), 0
	for ; other == one || mark >= int64(c[other].weight); other++ {
		if other != one {
			mark -= int64(c[other].weight)
		}
	}
	if c[other].score < c[one].score {
		one = other
	}
	moveToFront(c, one)
}

func (w *work) byInFlight(c []choice) {
	for i := range c {
		c[i].score = float64(w.facts[c[i].index].inFlight) / float64(c[i].weight)
	}
	sortChoices(c)
	betterOfTwo(c, w.q.Random)
}

func (w *work) byLatency(c []choice) {
	for i := range c {
		c[i].score = w.facts[c[i].index].latency
	}
	bit := inAnswerBand
	if w.q.Stream {
		bit = inStreamBand
	}
	w.byBand(c, bit)
}

func (w *work) byThroughput(c []choice) {
	for i := range c {
		c[i].score = 0
		if rate := w.facts[c[i].index].throughput; rate > 0 {
			c[i].score = 1 / rate
		}
	}
	w.byBand(c, inThroughputBand)
}

// byBand orders by a score, lower first and 0 for unknown: first the band of the best, by their load; then the others by their score; then those of which
// nothing is known, by their load. Bit says in which band.
func (w *work) byBand(c []choice, bit uint32) {
	best := math.Inf(1)
	for i := range c {
		if c[i].score > 0 {
			best = min(best, c[i].score)
		}
	}
	band := 0
	for i := range c {
		traits, load := w.r.targets[c[i].index].traits, float64(w.facts[c[i].index].inFlight+1)
		switch score := c[i].score; {
		case math.IsInf(best, 1):
			c[i].score = load
			band++
		case score <= 0:
			c[i].rank |= tierUnknown
			c[i].score = load
		case score <= best*bandEnter || (score <= best*bandLeave && traits.has(bit)):
			traits.put(bit, true)
			c[i].score = score * load
			band++
		default:
			traits.put(bit, false)
			c[i].rank |= tierKnown
		}
	}
	sortChoices(c)
	betterOfTwo(c[:band], w.q.Random)
}

// explore moves a target of which too little is known to the front, now and then. Sessions are not used for that, and strategies that do not go by
// statistics do not need it.
func (w *work) explore(c []choice) {
	if w.hasSession() || (w.strategy != table.LowestLatency && w.strategy != table.HighestThroughput) {
		return
	}
	place, stalest := -1, staleAge
	unknown := false
	for i := 1; i < len(c) && !unknown; i++ {
		f := &w.facts[c[i].index]
		switch {
		case f.inFlight > 0:
		case c[i].rank&rankTier == tierUnknown:
			place, unknown = i, true
		case f.age >= stalest:
			place, stalest = i, f.age
		}
	}
	chance := int64(exploreStalePermille)
	if unknown {
		chance = exploreUnknownPermille
	}
	if place > 0 && w.q.Random(1000) < chance {
		moveToFront(c, place)
	}
}

// byCost orders by what the call is expected to cost; targets without prices come last, drawn by weight. The leader stays until another is clearly cheaper.
func (w *work) byCost(c []choice) {
	usual, priced := w.usualOutput(c), 0
	for i := range c {
		c[i].score = w.expectedCost(c[i].index, usual)
		if math.IsInf(c[i].score, 1) {
			c[i].rank |= tierUnknown
		} else {
			priced++
		}
	}
	sortChoices(c)
	if priced > 0 {
		moveToFront(c, w.leaderByCost(c[:priced]))
	}
	if priced < len(c) {
		drawByWeight(c[priced:], w.q.Random)
	}
}

// usualOutput is how long answers are on average, over the targets that know.
func (w *work) usualOutput(c []choice) int64 {
	var sum, known int64
	for i := range c {
		if output := w.facts[c[i].index].output; output > 0 {
			sum += output
			known++
		}
	}
	if known == 0 {
		return expectedOutput
	}
	return sum / known
}

// expectedCost is what a call is expected to cost: the share of the prompt that the target's cache usually answers at the price of that, and an answer of
// its usual length. It is infinite where the prices are not known.
func (w *work) expectedCost(index int, usual int64) float64 {
	t, f := &w.r.targets[index], &w.facts[index]
	prices := t.Backend.Prices(w.q.Asked)
	if prices == nil {
		return math.Inf(1)
	}
	output := boundedOutput(t, knownOr(f.output, usual))
	if w.q.MaxOutputTokens > 0 {
		output = min(output, w.q.MaxOutputTokens)
	}
	cached := w.q.PromptTokens * int64(f.cachedPermille) / 1000
	return float64(meter.Cost(&meter.Usage{Prompt: w.q.PromptTokens, Cached: cached, Completion: output}, prices).Nano)
}

// leaderByCost is the place of the target that leads: the one that did, unless the cheapest is cheaper by 5 %. The first of c is the cheapest. While the
// leader is out another acts for it, so that the lead does not go to and fro then either, and is its own again when it is back.
func (w *work) leaderByCost(c []choice) int {
	bit := leadsByCost
	leader := w.holder(c, bit)
	if leader < 0 && w.leaderIsOut(&w.r.targets[c[0].index]) {
		bit = actsByCost
		leader = w.holder(c, bit)
	}
	if leader >= 0 && c[0].score*1000 > c[leader].score*(1000-cheaperBy) {
		return leader
	}
	if leader > 0 {
		w.r.targets[c[leader].index].traits.put(bit, false)
	}
	w.r.targets[c[0].index].traits.put(bit, true)
	return 0
}

// holder is the place of the target that has a bit; below 0 when none has.
func (w *work) holder(c []choice, bit uint32) int {
	for place := range c {
		if w.r.targets[c[place].index].traits.has(bit) {
			return place
		}
	}
	return -1
}

// leaderIsOut tells whether a target of the same priority leads that is not among those that this call can use.
func (w *work) leaderIsOut(of *routed) bool {
	for i := range w.r.targets {
		if t := &w.r.targets[i]; t.Priority == of.Priority && t.traits.has(leadsByCost) {
			return true
		}
	}
	return false
}
