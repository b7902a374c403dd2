package ledger

import (
	"slices"
	"time"
)

const (
	// simTick is how often all replicas get to do something while things are calm.
	simTick = 250 * time.Millisecond
	// simPatience is how many ticks all may take to come to rest.
	simPatience = 400
)

// calm heals all that can be healed, and has what is under way come to its end.
func (s *sim) calm() {
	s.away, s.calmed = false, true
	for _, late := range s.late {
		s.replay(late)
	}
	s.late = nil
	for _, r := range s.living() {
		r.cut = false
		s.use(r)
		if r.next != nil && r.reply == nil {
			r.reply = s.save(r, *r.next)
		}
		if r.reply != nil {
			s.endWrite(r, r.reply.stored, r.reply.err)
		}
	}
	if window := s.window(); !window.Unbounded() && window.End.Sub(s.now) < 10*time.Minute {
		s.pass(10 * time.Minute)
	}
	s.manage(s.runsPod, MaxGoneOwners)
}

// tick lets a little time pass in which everything works.
func (s *sim) tick() {
	s.pass(simTick)
	s.ended()
	for _, r := range s.living() {
		s.observe(r, s.store.current())
		r.book.closeRetired(r.account, s.clock(r))
		for range 3 {
			s.beginWrite(r)
			if r.next == nil {
				break
			}
			reply := s.save(r, *r.next)
			s.endWrite(r, reply.stored, reply.err)
			if reply.err == nil {
				break
			}
		}
	}
}

// settleAll ends all calls.
func (s *sim) settleAll() {
	for _, r := range s.living() {
		s.settleOpen(r)
	}
}

// settleOpen ends the calls of one replica; those that wait may begin when others end.
func (s *sim) settleOpen(r *simReplica) {
	for len(r.open) > 0 {
		a := r.open[0]
		r.open = r.open[1:]
		s.settle(a, s.cost(a.ask))
	}
}

// rest lets things come to rest: nobody waits, and nobody has anything to write.
func (s *sim) rest() {
	for range simPatience {
		busy := false
		for _, r := range s.living() {
			busy = busy || len(r.waiting) > 0 || s.wants(r)
		}
		if !busy || s.violation != "" {
			return
		}
		s.tick()
		s.settleAll()
	}
	s.fail("nothing comes to rest within %s", simPatience*simTick)
}

// probe spends the rest of the limit: half of what is left at a time, then in small pieces until one is refused.
func (s *sim) probe() {
	// Long enough for a write, too short for idle allowances to be given back.
	for range int(2*WriteInterval/simTick) + 1 {
		s.tick()
	}
	percent := max(1, s.budget.Limit/100)
	for range 60 {
		r := s.prober()
		if r == nil || s.violation != "" {
			return
		}
		left := s.budget.Limit - s.probed(r)
		ask := max(1, min(left/2, percent))
		if left > 10*percent {
			ask = left / 2
		}
		if s.probeOnce(r, ask) {
			continue
		}
		if left > 3*percent {
			s.fail("%s: only %d%% of the limit could be spent", r.owner, 100-left/percent)
		}
		return
	}
	s.fail("the limit is never reached")
}

// probeOnce has one call wait until it is admitted or refused, and tells whether it was admitted. Calls that fit must be.
func (s *sim) probeOnce(r *simReplica, ask int64) bool {
	// The window can change while the call waits; it belongs to the one in which it asked.
	asked := s.probedPlace(r)
	before, taken := len(r.open), s.taken(asked.Key, asked.subject)
	s.ask(r, s.probing(), ask)
	for range simPatience {
		if len(r.waiting) == 0 {
			break
		}
		s.tick()
	}
	if len(r.waiting) > 0 {
		s.fail("%s: a call of %d waits forever", r.owner, ask)
		return false
	}
	if len(r.open) > before {
		if taken+ask > s.budget.Limit {
			s.fail("%s: a call of %d was admitted although %d of %d are taken", r.owner, ask, taken, s.budget.Limit)
		}
		a := r.open[before]
		r.open = r.open[:before]
		s.settle(a, ask)
		return true
	}
	if taken = s.taken(asked.Key, asked.subject); taken+ask <= s.budget.Limit-s.budget.Limit/100 {
		s.fail("%s: a call of %d was refused although %d of %d are taken", r.owner, ask, taken, s.budget.Limit)
	}
	return false
}

// prober returns a replica that takes calls, if there is one.
func (s *sim) prober() *simReplica {
	living := slices.DeleteFunc(s.living(), func(r *simReplica) bool { return r.draining })
	if len(living) == 0 {
		return nil
	}
	return living[s.rng.IntN(len(living))]
}

// probing is whose calls probe.
func (s *sim) probing() *Claimant {
	if s.plan.subjects == 0 {
		return &Claimant{}
	}
	return &Claimant{Caller: Caller{AccessKey: "0"}}
}

// probed is what is taken of the counter that is probed.
func (s *sim) probed(r *simReplica) int64 {
	now := s.probedPlace(r)
	return s.taken(now.Key, now.subject)
}

// probedPlace is where the calls of a replica that are probed count now.
func (s *sim) probedPlace(r *simReplica) place {
	c, err := r.budget.counter(s.clock(r), s.probing())
	if err != nil {
		panic(err)
	}
	return c.place
}

// finish drains all, and compares.
func (s *sim) finish() {
	for _, r := range s.living() {
		r.draining = true
		r.book.drain()
	}
	for range simPatience {
		if s.violation != "" || len(s.living()) == 0 {
			break
		}
		s.tick()
	}
	if n := len(s.living()); n > 0 {
		s.fail("%d replicas do not drain within %s", n, simPatience*simTick)
	}
	if s.violation == "" {
		s.manage(s.runsPod, MaxGoneOwners)
		s.checkEnd()
	}
}
