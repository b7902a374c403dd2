package ledger

import "fmt"

// simCounter is what is true of one counter, whatever the ledger says.
type simCounter struct {
	key     Key
	subject string
	// limit is the highest one that a call was admitted under.
	limit int64
	// slack is by how much the limit can be passed: what was granted in versions of the ledger that were taken back.
	slack int64
	// rewound tells that the store forgot something of the counter.
	rewound bool
	// served is what the providers served, open is reserved for calls that are under way.
	served, open int64
	owners       map[Owner]*simOwner
}

// simOwner is what is true of one owner of a counter.
type simOwner struct {
	// settled is what it settled; orphaned was reserved for calls whose end it did not live to see.
	settled  Totals
	orphaned int64
	// open is reserved for calls that are under way.
	open int64
	// committed is the most that the store took.
	committed int64
	// folded tells that the entry is gone from the ledger.
	folded bool
}

// simClaim is what is counted of an ended owner, and what of it is lost.
type simClaim struct {
	spent, lost int64
}

// counterOf returns the counter of a claim.
func (s *sim) counterOf(key Key, subject string) *simCounter {
	for _, c := range s.counters {
		if c.key.same(key) && c.subject == subject {
			return c
		}
	}
	made := &simCounter{key: key, subject: subject, owners: map[Owner]*simOwner{}}
	s.counters = append(s.counters, made)
	return made
}

// ownerOf returns one owner of the counter.
func (c *simCounter) ownerOf(name Owner) *simOwner {
	found := c.owners[name]
	if found == nil {
		found = &simOwner{}
		c.owners[name] = found
	}
	return found
}

func (c *simCounter) String() string {
	return fmt.Sprintf("window %s %s%s%s", c.key.Period, c.key.Start.Format("01-02T15:04"), c.key.ResetID, c.subject)
}

// admitted checks a call that was admitted and enters it.
func (s *sim) admitted(a *simAttempt, limit int64) {
	c := a.counter
	c.limit = max(c.limit, limit)
	if c.served+c.open+a.ask > c.limit+c.slack {
		s.overspend("%s: %d was admitted on top of %d served and %d open; the limit is %d", c, a.ask, c.served, c.open, c.limit)
	}
	c.open += a.ask
	a.owner.open += a.ask
}

// settled enters what a call cost.
func (s *sim) settled(a *simAttempt, cost int64) {
	a.counter.open -= a.ask
	a.owner.open -= a.ask
	over := max(0, cost-a.ask)
	a.counter.slack += over
	a.owner.settled = a.owner.settled.Plus(Totals{Spent: cost, Requests: 1, Overrun: over})
	s.serve(a.counter, cost)
}

// released enters that a call was not sent.
func (s *sim) released(a *simAttempt) {
	a.counter.open -= a.ask
	a.owner.open -= a.ask
}

// orphaned enters a call whose proxy has died; the provider may have served it.
func (s *sim) orphaned(a *simAttempt, cost int64) {
	a.counter.open -= a.ask
	a.owner.open -= a.ask
	a.owner.orphaned += a.ask
	s.serve(a.counter, cost)
}

func (s *sim) serve(c *simCounter, cost int64) {
	c.served += cost
	if c.served > c.limit+c.slack {
		s.overspend("%s: %d were served; the limit is %d", c, c.served, c.limit)
	}
}

// checkKnown says whether a call was admitted that does not fit the limit that the replica knows, given what it knows of the others.
func (s *sim) checkKnown(r *simReplica, a *simAttempt, limit int64) {
	window, _ := r.account.stored.Record.FindCounter(a.claim.Key, a.claim.Subject)
	known := window.Folded.Spent + window.Folded.Lost + a.owner.settled.Spent + a.owner.open
	for name, entry := range window.Owners {
		if name != a.claim.Owner {
			known += entry.Committed()
		}
	}
	if known > limit && !a.counter.rewound && a.counter.slack == 0 {
		s.suspect("%s: %d was admitted though %d are known to be taken of %d", a.claim.Owner, a.ask, known, limit)
	}
}
