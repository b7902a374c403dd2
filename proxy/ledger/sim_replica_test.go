package ledger

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// simReplica is a container: the production state machine, and what it is in the middle of.
type simReplica struct {
	pod     *simPod
	owner   Owner
	book    *Book
	account *account
	budget  *Budget
	// skew is how much its clock is ahead of the store's.
	skew time.Duration
	// cut tells that it does not reach the store.
	cut      bool
	draining bool
	// next is the record that is on its way to the store; nil if there is none.
	next *Stored
	// reply is what the store answered, when the replica has not heard it yet; loaded is what it read.
	reply  *simReply
	loaded *simLoad
	// again tells that the last write met a conflict, and is made anew at once.
	again bool
	// recovered are the owners that it knows from the journal.
	recovered map[Owner]bool
	open      []*simAttempt
	waiting   []*simWaiter
}

// simReply is the store's answer to a write.
type simReply struct {
	stored Stored
	err    error
}

// simLoad is what the store held, and the order that was known when it was read.
type simLoad struct {
	stored Stored
	order  uint64
}

// simAttempt is a call that was admitted.
type simAttempt struct {
	ask         int64
	replica     *simReplica
	reservation Reservation
	claim       Claim
	counter     *simCounter
	owner       *simOwner
}

// simWaiter is a call that waits.
type simWaiter struct {
	*waiter
	from  *counter
	until time.Time
}

// simJournal is what a proxy knows on its own disk of the counters of its pod.
type simJournal struct {
	counters []Recovered
}

func newSimJournal() *simJournal {
	return &simJournal{}
}

// of returns what the journal has of a counter.
func (j *simJournal) of(claim Claim) *Recovered {
	i := slices.IndexFunc(j.counters, func(r Recovered) bool { return r.Owner == claim.Owner })
	if i < 0 {
		i = len(j.counters)
		claim.Nano = 0
		j.counters = append(j.counters, Recovered{Claim: claim})
	}
	return &j.counters[i]
}

// startContainer starts the next container of a pod.
func (s *sim) startContainer(pod *simPod) {
	pod.starts++
	if s.plan.rule == ownerIdentity {
		pod.starts = 1
	}
	r := &simReplica{pod: pod, owner: Owner(pod.name + "/" + strconv.Itoa(pod.starts)), recovered: map[Owner]bool{}}
	if s.plan.skew > 0 {
		r.skew = time.Duration(s.rng.Int64N(int64(2*s.plan.skew))) - s.plan.skew
	}
	r.book = NewBook(r.owner)
	r.book.Recover(pod.journal.counters)
	for _, known := range pod.journal.counters {
		s.tell("%s recovers %+v", r.owner, known)
		r.recovered[known.Owner] = true
	}
	s.use(r)
	pod.replica = r
}

// clock is what a replica takes for the ledger's time.
func (s *sim) clock(r *simReplica) time.Time {
	return r.book.clock(s.now.Add(r.skew))
}

// correct tells a replica what the store's clock shows, if it gets to know that.
func (s *sim) correct(r *simReplica) {
	if s.plan.corrected {
		r.book.offset.Store(int64(-r.skew))
	}
}

// use tells a replica what the budget says now.
func (s *sim) use(r *simReplica) {
	r.budget = r.book.Use([]table.Budget{s.budget}, s.now.Add(r.skew))[0]
	r.account = r.book.accounts[s.budget.Ledger]
	s.poll(r)
}

// claimant draws whose call it is.
func (s *sim) claimant() *Claimant {
	if s.plan.subjects == 0 {
		return &Claimant{}
	}
	return &Claimant{Caller: Caller{AccessKey: strconv.Itoa(s.rng.IntN(s.plan.subjects))}}
}

// ask asks for a call, which is admitted, refused, or waits.
func (s *sim) ask(r *simReplica, by *Claimant, nano int64) {
	c, err := r.budget.counter(s.clock(r), by)
	if err != nil {
		s.fail("%s: %v", r.owner, err)
		return
	}
	decided, held, refusal := c.ask(s.clock(r), &Ask{Nano: nano})
	s.tell("%s asks for %d: %v", c.owner, nano, decided)
	if decided == mustWait {
		var waits *waiter
		if waits, decided, held = c.enlist(nano); waits != nil {
			r.waiting = append(r.waiting, &simWaiter{waiter: waits, from: c, until: s.now.Add(DefaultPatience)})
		}
	}
	switch decided {
	case admitted:
		s.admit(r, held)
	case refused:
		s.refused(r, c, nano, refusal)
	case gone:
		s.fail("%s: the counter is closed", c.owner)
	case mustWait:
	}
}

// admit enters a call that was admitted.
func (s *sim) admit(r *simReplica, held hold) {
	a := &simAttempt{ask: held.nano, replica: r}
	a.reservation.add(held)
	a.reservation.request = 1
	a.claim = a.reservation.Claims(nil)[0]
	a.counter = s.counterOf(a.claim.Key, a.claim.Subject)
	a.owner = a.counter.ownerOf(a.claim.Owner)
	r.open = append(r.open, a)
	r.pod.journal.of(a.claim).Nano += a.ask
	s.admitted(a, held.counter.terms.limit)
	s.checkKnown(r, a, held.counter.terms.limit)
}

// refused checks a refusal.
func (s *sim) refused(r *simReplica, c *counter, nano int64, refusal *Refusal) {
	s.tell("%s refuses %d: %+v", c.owner, nano, *refusal)
	if refusal.Reason == LimitReached && refusal.Spent+refusal.Lost+refusal.Reserved+nano <= refusal.Limit {
		s.fail("%s: %d is refused though it fits: %+v", r.owner, nano, *refusal)
	}
}

// poll looks which of the calls that wait have been answered.
func (s *sim) poll(r *simReplica) {
	r.waiting = slices.DeleteFunc(r.waiting, func(w *simWaiter) bool {
		select {
		case <-w.ready:
		default:
			return false
		}
		if w.refusal != nil {
			s.refused(r, w.from, w.nano, w.refusal)
		} else {
			s.tell("%s admits %d after a wait", w.from.owner, w.nano)
			s.admit(r, w.held)
		}
		return true
	})
}

// endPatience gives up calls that have waited for too long.
func (s *sim) endPatience(r *simReplica) {
	for _, w := range r.waiting {
		if !s.now.Before(w.until) {
			s.tell("%s gives up %d", w.from.owner, w.nano)
			w.from.giveUp(w.waiter, LimitReached)
		}
	}
	r.waiting = slices.DeleteFunc(r.waiting, func(w *simWaiter) bool { return w.refusal != nil })
	s.poll(r)
}

// giveUp ends all waits.
func (s *sim) giveUp(r *simReplica) {
	for _, w := range r.waiting {
		w.from.giveUp(w.waiter, LimitReached)
	}
	r.waiting = nil
}

// settle ends a call that was sent.
func (s *sim) settle(a *simAttempt, cost int64) {
	s.settled(a, cost)
	after := a.reservation.Settle(Charge{Nano: cost}, nil)[0]
	s.tell("%s settles %d of %d", a.claim.Owner, cost, a.ask)
	if after.Totals != a.owner.settled {
		s.fail("%s: it settled %+v, not %+v", a.claim.Owner, after.Totals, a.owner.settled)
	}
	noted := a.replica.pod.journal.of(a.claim)
	if after.Seq <= noted.Seq {
		s.fail("%s: settlement %d comes after %d", a.claim.Owner, after.Seq, noted.Seq)
	}
	noted.Totals, noted.Seq = after.Totals, after.Seq
	noted.Nano -= a.ask
	s.poll(a.replica)
}

// release ends a call that was not sent.
func (s *sim) release(a *simAttempt) {
	s.released(a)
	a.reservation.Release()
	s.tell("%s releases %d", a.claim.Owner, a.ask)
	a.replica.pod.journal.of(a.claim).Nano -= a.ask
	s.poll(a.replica)
}

// observe tells a replica what a watch says.
func (s *sim) observe(r *simReplica, seen Stored) {
	s.correct(r)
	r.account.observe(s.clock(r), seen)
	s.poll(r)
}

// wants tells whether a replica would write now.
func (s *sim) wants(r *simReplica) bool {
	at, ok := r.account.due(s.clock(r))
	return ok && !at.After(s.clock(r))
}

// beginWrite has a replica write if it wants to.
func (s *sim) beginWrite(r *simReplica) {
	if r.loaded != nil {
		s.endLoad(r)
	} else if !r.again && !s.wants(r) {
		return
	}
	r.again = false
	if r.account.mustLoad() && !s.load(r) {
		return
	}
	before := s.granted(r)
	next, changed := r.account.prepare(s.clock(r))
	if !changed {
		return
	}
	s.tell("%s writes %+v on top of %s", r.owner, next.Record, next.Version)
	r.next = &next
	switch s.plan.rule {
	case acknowledgement:
		for _, c := range r.account.counters {
			c.confirm(s.clock(r))
		}
		s.poll(r)
	case lowerFirst:
		for i, c := range r.account.counters {
			c.granted = before[i]
		}
	default:
	}
}

// granted is what each counter of a replica holds.
func (s *sim) granted(r *simReplica) []int64 {
	granted := make([]int64, 0, len(r.account.counters))
	for _, c := range r.account.counters {
		granted = append(granted, c.granted)
	}
	return granted
}

// load has a replica read the store, and tells whether it has heard the answer.
func (s *sim) load(r *simReplica) bool {
	if !s.reached(r) {
		now := s.clock(r)
		r.account.failed(now, now.Add(firstBackoff))
		return false
	}
	r.loaded = &simLoad{stored: s.store.current(), order: r.account.order()}
	if !s.calmed && s.rng.IntN(4) == 0 {
		return false
	}
	s.endLoad(r)
	return true
}

// endLoad tells a replica what the store held when it was read.
func (s *sim) endLoad(r *simReplica) {
	loaded := r.loaded
	r.loaded = nil
	s.correct(r)
	r.account.reload(s.clock(r), loaded.stored, loaded.order)
	s.poll(r)
}

// endWrite tells a replica what became of its write.
func (s *sim) endWrite(r *simReplica, saved Stored, err error) {
	now := s.clock(r)
	s.tell("%s: the write ends with %v", r.owner, err)
	order := r.next.Order
	r.next, r.reply = nil, nil
	if err == nil {
		r.account.acknowledge(now, saved)
		s.poll(r)
		return
	}
	r.account.doubt(order)
	if r.again = errors.Is(err, ErrConflict); !r.again {
		r.account.failed(now, now.Add(firstBackoff))
	}
	s.poll(r)
}

// owns tells whether an owner is one of the replica's counters.
func (r *simReplica) owns(name Owner) bool {
	return strings.HasPrefix(string(name), string(r.owner)+".")
}

// knows tells whether the replica read in its journal what an owner did.
func (r *simReplica) knows(name Owner) bool {
	return r.recovered[name]
}
