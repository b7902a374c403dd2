package keyring

import (
	"time"

	"signalbox.dev/signalbox/proxy/health"
)

// Query is what the choice of a key depends on.
type Query struct {
	// Now is the time.
	Now time.Time
	// Tokens is about how many the call takes.
	Tokens int64
	// LastResort admits keys that are left alone for their share of failures, or of which another call is finding out whether their rate limit is over.
	LastResort bool
	// Insist admits, when no other key can be used, one that is left alone because the provider refuses it, as health.View.LastTry tells.
	Insist bool
	// Tried are the keys that are not to be tried again.
	Tried Tried
	// Look tells the health of the key at a place.
	Look func(place int) health.View
	// Random returns a number in [0, n).
	Random func(n int64) int64
}

// grade is how willingly a key is used; lower first.
type grade uint8

const (
	ready grade = iota
	// returning: it was left alone and gets a part of its calls, of which this one is none.
	returning
	// weightless: it shares no calls while another can be used.
	weightless
	// reserve: it was replaced, and nothing of its name is there any more.
	reserve
	// full: its rate limits leave no room for the call.
	full
	// suspect: the manager's probe was refused.
	suspect
	// failing: too many of its calls failed, and nothing is left but such keys.
	failing
	// out: an attempt with it would not be let through, or must not be made.
	out
)

// probePermille is the share of calls that may find out whether a key is back while others can be used.
const probePermille = 200

// standing is how a key is for a call.
type standing struct {
	grade grade
	// refused tells that the key that it replaced may be used.
	refused bool
	// room is how many such calls its rate limits leave; below 0 when not known.
	room int64
}

// choice is the best key of a name.
type choice struct {
	standing
	place int
	// canary is the grade of the name's canary; out without one.
	canary grade
}

// manyNames is for how many names a choice needs no memory of its own; the API allows no more.
const manyNames = 16

// Pick chooses the key of the next attempt; false when none can be used. A call's first attempt takes a turn where a canary shares the calls.
func (r *Ring) Pick(q *Query) (int, bool) {
	return r.choose(q, (*name).isTurn)
}

// Peek is Pick, but takes no turn.
func (r *Ring) Peek(q *Query) (int, bool) {
	return r.choose(q, (*name).wouldBeTurn)
}

func (r *Ring) choose(q *Query, isTurn func(*name) bool) (int, bool) {
	if r.Single() {
		tried, _ := q.Tried.of(r.keys[0].Fingerprint)
		return 0, !tried
	}
	var space [manyNames]choice
	choices := space[:0]
	if len(r.names) > manyNames {
		choices = make([]choice, 0, len(r.names))
	}
	for i := range r.names {
		best := r.best(&r.names[i], q)
		choices = append(choices, best)
		if best.grade == ready && !r.shares {
			break
		}
	}
	at := r.lead(choices)
	if r.shares {
		at = r.share(choices, q.Random)
	}
	chosen := &choices[at]
	if chosen.grade == out {
		return r.refusedLongestAgo(q)
	}
	if n := &r.names[at]; chosen.canary <= chosen.grade && chosen.place != n.canary && q.Tried.Count() == 0 && isTurn(n) {
		return n.canary, true
	}
	return chosen.place, true
}

// refusedLongestAgo is the key to make a last try with: of those that may be tried the one of which it is not known for the longest time whether it is back.
func (r *Ring) refusedLongestAgo(q *Query) (int, bool) {
	if !q.Insist {
		return 0, false
	}
	chosen, longest := 0, time.Duration(0)
	r.visit(q.Now, q.Look, func(place int, view health.View, live bool) {
		tried, _ := q.Tried.of(r.keys[place].Fingerprint)
		if live && !tried && view.LastTry > longest {
			chosen, longest = place, view.LastTry
		}
	})
	return chosen, longest > 0
}

// best is the best key of a name: of equals the one that leads, then the canary, then the youngest of those that were replaced.
func (r *Ring) best(n *name, q *Query) choice {
	best := choice{standing: standing{grade: out}, place: none, canary: out}
	take := func(place int, s standing) {
		if s.grade < best.grade {
			best.standing, best.place = s, place
		}
	}
	successor, least := standing{refused: true}, ready
	switch {
	case n.lead != none && !Expired(&r.keys[n.lead], q.Now):
		successor = r.stand(n, n.lead, q)
		take(n.lead, successor)
	case n.canary == none:
		least = reserve
	}
	if n.canary != none {
		canary := r.stand(n, n.canary, q)
		take(n.canary, canary)
		best.canary = canary.grade
	}
	for _, place := range n.previous {
		if !successor.refused {
			break
		}
		if Expired(&r.keys[place], q.Now) {
			continue
		}
		successor = r.stand(n, place, q)
		successor.grade = max(successor.grade, least)
		take(place, successor)
	}
	return best
}

// stand tells how a key is for a call.
func (r *Ring) stand(n *name, place int, q *Query) standing {
	key := &r.keys[place]
	view := q.Look(place)
	tried, refused := q.Tried.of(key.Fingerprint)
	s := standing{refused: refused || isRefusal(view.KeyBlock) || key.Refused, room: roomOf(&view.Headroom, q.Tokens)}
	s.grade = gradeOf(&view, q)
	if tried {
		s.grade = out
	}
	if key.Refused {
		s.grade = max(s.grade, suspect)
	}
	if s.room == 0 {
		s.grade = max(s.grade, full)
	}
	if r.shares && n.weight <= 0 {
		s.grade = max(s.grade, weightless)
	}
	return s
}

// isRefusal tells whether a key is left alone for something that the key before it need not have.
func isRefusal(b health.Block) bool { return b == health.KeyRefused || b == health.NoQuota }

// gradeOf is the grade of a key by its health alone.
func gradeOf(view *health.View, q *Query) grade {
	switch {
	case q.LastResort && passable(view):
		return failing
	case view.Block != health.Open, view.Probe && view.Busy:
		return out
	case view.Probe:
		return drawn(probePermille, q)
	case view.Ramp < 1000:
		return drawn(view.Ramp, q)
	default:
		return ready
	}
}

// passable tells whether an attempt as a last resort would be let through.
func passable(view *health.View) bool {
	beside := view.Probe && view.Busy && (view.Was == health.ErrorRate || view.Was == health.CoolingDown)
	return view.Block == health.ErrorRate || beside
}

func drawn(permille int, q *Query) grade {
	if q.Random(1000) < int64(permille) {
		return ready
	}
	return returning
}

// roomOf is how many calls of so many tokens rate limits leave; -1 when not known.
func roomOf(h *health.Headroom, tokens int64) int64 {
	room := h.Requests
	if h.Tokens >= 0 {
		left := h.Tokens / max(tokens, 1)
		if room < 0 || left < room {
			room = left
		}
	}
	return room
}

// lead is the first of those with the best grade.
func (r *Ring) lead(choices []choice) int {
	best := 0
	for at := range choices {
		if choices[at].grade < choices[best].grade {
			best = at
		}
	}
	return best
}

// share draws one of those with the best grade.
func (r *Ring) share(choices []choice, random func(int64) int64) int {
	best := r.lead(choices)
	grade, most, sum := choices[best].grade, int64(0), 0.0
	for at := range choices {
		if choices[at].grade == grade {
			most = max(most, choices[at].room)
			sum += float64(max(r.names[at].weight, 0))
		}
	}
	weigh := func(at int) float64 {
		if choices[at].grade != grade {
			return 0
		}
		weight, room := float64(max(r.names[at].weight, 0)), choices[at].room
		if sum == 0 {
			weight = 1 // None of them has one.
		}
		if room < 0 {
			room = most
		}
		return weight * float64(max(room, 1))
	}
	var total float64
	for at := range choices {
		total += weigh(at)
	}
	left := total * float64(random(1<<53)) / (1 << 53)
	for at := range choices {
		share := weigh(at)
		if share > 0 && left < share {
			return at
		}
		left -= share
		if share > 0 {
			best = at // Sums of fractions may not quite come out.
		}
	}
	return best
}
