package ledger

import (
	"errors"
	"slices"
	"strconv"
)

// errSimAway is what a write meets whose reply does not come.
var errSimAway = errors.New("no reply")

// die ends the calls of a replica that is killed: some were served.
func (s *sim) die(r *simReplica) {
	for _, a := range r.open {
		cost := int64(0)
		if s.rng.IntN(3) > 0 {
			cost = s.cost(a.ask)
		}
		s.orphaned(a, cost)
	}
	if r.next != nil {
		s.late = append(s.late, simLate{stored: *r.next, writer: r})
	}
	r.open, r.waiting, r.next, r.reply, r.loaded = nil, nil, nil, nil, nil
	r.pod.replica = nil
}

// restart kills a container; the next one of the pod reads the journal, if it is still there.
func (s *sim) restart(r *simReplica) {
	s.die(r)
	if s.plan.wiped && s.rng.IntN(2) == 0 {
		r.pod.journal = newSimJournal()
		s.tell("%s: the journal is lost", r.pod.name)
	}
	s.startContainer(r.pod)
}

// lose kills a whole pod.
func (s *sim) lose(r *simReplica) {
	s.tell("%s is lost with its pod", r.owner)
	s.die(r)
	r.pod.gone = true
}

// drain ends a replica as SIGTERM does: its calls end, and it leaves when all is written.
func (s *sim) drain(r *simReplica) {
	if r.draining {
		return
	}
	s.tell("%s drains", r.owner)
	r.draining = true
	s.giveUp(r)
	s.settleOpen(r)
	r.book.drain()
}

// stepManager has the manager look at the ledger.
func (s *sim) stepManager() {
	if s.away {
		return
	}
	mistaken := ""
	if s.plan.mistaken && s.rng.IntN(3) == 0 {
		mistaken = s.pods[s.rng.IntN(len(s.pods))].name
	}
	running := func(pod string) bool {
		return pod != mistaken && slices.ContainsFunc(s.pods, func(p *simPod) bool { return p.name == pod && !p.gone })
	}
	keep := MaxGoneOwners
	if mistaken == "" && s.rng.IntN(3) == 0 {
		keep = s.rng.IntN(2)
	}
	s.manage(running, keep)
}

// rewind takes changes of the store back, as a backup that is restored does. What was granted in them may be granted again.
func (s *sim) rewind() {
	back := s.store.past[s.rng.IntN(len(s.store.past))].Record
	for _, c := range s.counters {
		found, _ := back.FindCounter(c.key, c.subject)
		for name, owner := range c.owners {
			c.slack += max(0, owner.committed-found.Owners[name].Committed())
		}
		c.rewound = true
	}
	if s.rng.IntN(2) == 0 {
		s.store.identity++
	}
	s.tell("the store goes back to a record with %d windows", len(back.Windows))
	s.store.replace(back.Clone())
}

// changeLimit changes the budget; the replicas learn of it one by one.
func (s *sim) changeLimit() {
	s.budget.Limit = []int64{300, 700, 1000, 1500, 4000}[s.rng.IntN(5)]
	s.highest = max(s.highest, s.budget.Limit)
	s.tell("the limit is %d", s.budget.Limit)
}

// changeReset begins the window anew.
func (s *sim) changeReset() {
	s.resets++
	s.budget.ResetID = "again-" + strconv.Itoa(s.resets)
	s.tell("the budget is reset")
}

// unuse has a replica learn that there is no budget, for a while. Its calls go on, those that wait may go on waiting.
func (s *sim) unuse(r *simReplica) {
	if r.draining {
		return
	}
	s.tell("%s has no budget", r.owner)
	r.book.Use(nil, s.now.Add(r.skew))
	r.budget = nil
	s.poll(r)
}
