package ledger

import (
	"slices"
	"time"
)

// step lets one thing happen.
func (s *sim) step() {
	replica := s.anyReplica()
	switch roll := s.rng.IntN(100); {
	case roll < 25:
		s.stepAsk(replica)
	case roll < 42:
		s.stepEnd(replica)
	case roll < 60:
		s.stepWrite(replica)
	case roll < 70:
		s.stepWatch(replica)
	case roll < 88:
		s.stepClock()
	case roll < 93:
		s.stepManager()
	case roll < 95:
		s.stepLate()
	default:
		s.stepMisfortune(replica)
	}
}

// anyReplica returns one that runs, and starts one if there is none.
func (s *sim) anyReplica() *simReplica {
	living := s.living()
	if len(living) == 0 {
		s.startPod()
		living = s.living()
	}
	return living[s.rng.IntN(len(living))]
}

// reached tells whether a replica reaches the store.
func (s *sim) reached(r *simReplica) bool {
	return !s.away && !r.cut
}

// stepAsk asks for a call: mostly a small one.
func (s *sim) stepAsk(r *simReplica) {
	if r.draining || r.budget == nil || len(r.waiting) > 4 {
		return
	}
	ask := 1 + s.rng.Int64N(60)
	if s.rng.IntN(6) == 0 {
		ask = 1 + s.rng.Int64N(700)
	}
	s.ask(r, s.claimant(), ask)
}

// stepEnd ends a call: nearly all were sent, and cost what they asked for or less.
func (s *sim) stepEnd(r *simReplica) {
	if len(r.open) == 0 {
		return
	}
	i := s.rng.IntN(len(r.open))
	a := r.open[i]
	r.open = slices.Delete(r.open, i, i+1)
	if s.rng.IntN(12) == 0 {
		s.release(a)
		return
	}
	cost := s.cost(a.ask)
	if s.plan.overruns && s.rng.IntN(10) == 0 {
		cost = a.ask + 1 + s.rng.Int64N(40)
	}
	s.settle(a, cost)
}

// cost of a call: often all that was asked for.
func (s *sim) cost(ask int64) int64 {
	if s.rng.IntN(2) == 0 {
		return ask
	}
	return s.rng.Int64N(ask + 1)
}

// stepWrite takes a replica's write one step further: to read the store, to write, or to hear what became of it.
func (s *sim) stepWrite(r *simReplica) {
	switch {
	case r.reply != nil:
		s.endWrite(r, r.reply.stored, r.reply.err)
	case r.next != nil:
		s.arrive(r)
	default:
		s.beginWrite(r)
	}
}

// arrive has the write that is under way arrive or not, and its reply be heard at once, later, or never.
func (s *sim) arrive(r *simReplica) {
	fate := s.rng.IntN(20)
	if !s.reached(r) {
		fate = 0
	}
	late := simLate{stored: *r.next, writer: r}
	switch {
	case fate == 0:
		s.late = append(s.late, late)
		s.endWrite(r, Stored{}, errSimAway)
	case fate == 1:
		s.save(r, *r.next)
		s.late = append(s.late, late)
		s.endWrite(r, Stored{}, errSimAway)
	case fate < 6:
		r.reply = s.save(r, *r.next)
	default:
		reply := s.save(r, *r.next)
		if s.rng.IntN(6) == 0 {
			s.late = append(s.late, late)
		}
		s.endWrite(r, reply.stored, reply.err)
	}
}

// stepWatch tells a replica what the store holds, or held.
func (s *sim) stepWatch(r *simReplica) {
	if !s.reached(r) {
		return
	}
	seen := s.store.current()
	if s.rng.IntN(4) == 0 {
		seen = s.store.past[s.rng.IntN(len(s.store.past))]
	}
	s.observe(r, seen)
}

// stepClock lets time pass: mostly less than a second, sometimes up to the end of the window and past it.
func (s *sim) stepClock() {
	d := time.Duration(1+s.rng.IntN(700)) * time.Millisecond
	switch roll := s.rng.IntN(12); {
	case roll < 3:
		d = time.Duration(1+s.rng.IntN(6)) * time.Second
	case roll == 3 && s.plan.windows && s.now.Sub(s.begun) < 90*time.Minute:
		d = time.Duration(1+s.rng.IntN(8)) * time.Minute
	}
	s.pass(d)
}

// pass lets time pass; the patience of calls that wait may end.
func (s *sim) pass(d time.Duration) {
	s.now = s.now.Add(d)
	for _, r := range s.living() {
		s.endPatience(r)
	}
}

// stepLate has a write arrive that was given up, or arrive again.
func (s *sim) stepLate() {
	if len(s.late) == 0 || s.away {
		return
	}
	i := s.rng.IntN(len(s.late))
	late := s.late[i]
	s.late = slices.Delete(s.late, i, i+1)
	s.replay(late)
}

// stepMisfortune lets something happen that should not.
func (s *sim) stepMisfortune(r *simReplica) {
	var able []func()
	add := func(may bool, do func()) {
		if may {
			able = append(able, do)
		}
	}
	add(s.plan.restarts, func() { s.restart(r) })
	add(s.plan.losses, func() { s.lose(r) })
	add(s.plan.losses, func() { s.drain(r) })
	add(s.plan.losses && len(s.pods) < 12, s.startPod)
	add(s.plan.cuts, func() { r.cut = !r.cut })
	add(s.plan.outages, func() { s.away = !s.away })
	add(s.plan.rewinds, s.rewind)
	add(s.plan.limits, s.changeLimit)
	add(s.plan.limits || s.plan.resets || s.plan.deletes, func() { s.use(r) })
	add(s.plan.deletes, func() { s.unuse(r) })
	add(s.plan.resets && s.resets < 3, s.changeReset)
	add(s.plan.skew > 0, func() { r.skew = time.Duration(s.rng.Int64N(int64(2*s.plan.skew))) - s.plan.skew })
	if len(able) > 0 {
		able[s.rng.IntN(len(able))]()
	}
}
