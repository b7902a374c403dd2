package ledger

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// simPlan is what may happen in a schedule. It follows from the seed.
type simPlan struct {
	seed uint64
	rule simRule
	// replicas that run at first, and steps until things calm down.
	replicas, steps int
	// restarts, losses, cuts, outages, rewinds, limits, resets, deletes, overruns and windows tell what kinds of misfortune there are.
	restarts, losses, cuts, outages, rewinds, limits, resets, deletes, overruns, windows bool
	// wiped tells that a journal can be lost with its container, mistaken that a pod which runs can be marked as gone.
	wiped, mistaken bool
	// skew is the most that a replica's clock is off; corrected tells that the replicas know the store's.
	skew      time.Duration
	corrected bool
	// subjects is how many counters the budget has; 0 for one that is shared.
	subjects int
	period   string
}

// newSimPlan draws a plan. Most of them are small, for most mistakes need little to show.
func newSimPlan(seed uint64, rule simRule) simPlan {
	rng := rand.New(rand.NewPCG(seed, 1))
	one := func(in int) bool { return rng.IntN(in) == 0 }
	plan := simPlan{
		seed: seed, rule: rule, replicas: 1 + rng.IntN(3), steps: 20 + rng.IntN(40),
		restarts: one(2), losses: one(2), cuts: one(2), outages: one(3), rewinds: one(12), limits: one(4), resets: one(8), deletes: one(8), overruns: one(8), windows: one(3),
		wiped: one(3), mistaken: one(4), corrected: !one(3), period: periodTotal,
	}
	if one(8) {
		plan.replicas, plan.steps = 4+rng.IntN(5), 60+rng.IntN(100)
	}
	if one(3) {
		plan.skew = time.Duration(rng.Int64N(int64(5 * time.Minute)))
	}
	if one(5) {
		plan.subjects = 1 + rng.IntN(3)
	}
	if plan.windows {
		plan.period = []string{periodHour, periodDay, periodMonth}[rng.IntN(3)]
	}
	return plan
}

// sim is one run of the protocol: pods with books, a store, a manager, and the truth. Nothing in it runs by itself.
type sim struct {
	plan simPlan
	rng  *rand.Rand
	// now is the store's clock.
	now, begun time.Time
	store      *simStore
	// away tells that nobody reaches the store.
	away bool
	pods []*simPod
	// late are writes that can arrive, or arrive again.
	late     []simLate
	counters []*simCounter
	budget   table.Budget
	// highest is the highest limit so far.
	highest int64
	resets  int
	// calmed tells that nothing is delayed any more.
	calmed bool
	// violation is the first that went wrong; overspent tells that money was lost by it.
	violation string
	overspent bool
	// trace is called with what happens; nil does nothing.
	trace func(format string, args ...any)
}

// simPod is a pod, whose containers run one after the other.
type simPod struct {
	name    string
	starts  int
	replica *simReplica
	// gone tells that the pod is deleted, drained that its last container gave back all that it held.
	gone, drained bool
	// last is the container that drained.
	last Owner
	// journal survives containers.
	journal *simJournal
}

// simLate is a write on its way.
type simLate struct {
	stored Stored
	writer *simReplica
}

// simStart is when schedules begin: shortly before the end of an hour, a day and a month in Lisbon, on the night before the clocks change or not.
func simStart(rng *rand.Rand) time.Time {
	ends := []time.Time{
		time.Date(2026, 3, 28, 23, 55, 0, 0, time.UTC), time.Date(2026, 10, 24, 22, 50, 0, 0, time.UTC), time.Date(2026, 6, 30, 22, 57, 0, 0, time.UTC),
	}
	return ends[rng.IntN(len(ends))]
}

func newSim(plan simPlan) *sim {
	s := &sim{
		plan: plan, rng: rand.New(rand.NewPCG(plan.seed, 2)), store: newSimStore(plan.rule),
		budget: table.Budget{
			Object: table.Object{Name: "team"}, Limit: 1000, Period: plan.period, TimeZone: "Europe/Lisbon", Enforcement: table.Hard, Ledger: Name("team"),
		},
	}
	if plan.subjects > 0 {
		s.budget.Counter, s.budget.MaxCounters = table.CountPerCaller, 100
	}
	s.now = simStart(s.rng)
	s.begun = s.now
	s.highest = s.budget.Limit
	return s
}

// suspect notes a state that is wrong in itself, whether or not it does harm. Without one of the rules only the harm counts.
func (s *sim) suspect(format string, args ...any) {
	if s.plan.rule == noRule {
		s.fail(format, args...)
	}
}

// overspend notes that a limit was passed, or that money is missing in the ledger and so will be spent twice.
func (s *sim) overspend(format string, args ...any) {
	s.overspent = s.overspent || s.violation == ""
	s.fail(format, args...)
}

// fail notes what went wrong, if nothing did before.
func (s *sim) fail(format string, args ...any) {
	if s.violation == "" {
		s.violation = fmt.Sprintf(format, args...)
	}
}

func (s *sim) tell(format string, args ...any) {
	if s.trace != nil {
		s.trace(format, args...)
	}
}

// save is a write that arrives at the store.
func (s *sim) save(writer *simReplica, stored Stored) *simReply {
	before := s.store.record
	saved, err := s.store.save(stored)
	if err == nil {
		s.changed(before, s.store.record, writer)
	}
	return &simReply{stored: saved, err: err}
}

// replay is a write that arrives late, or once more.
func (s *sim) replay(late simLate) {
	before := s.store.record
	if s.store.replay(late.stored, late.writer.owns) {
		s.tell("a late write of %s arrives", late.writer.owner)
		s.changed(before, s.store.record, late.writer)
	}
}

// manage has the manager mark the owners of pods that it takes for gone, and fold all but a few of them.
func (s *sim) manage(running func(pod string) bool, keep int) {
	stored := s.store.current()
	stored.Record = stored.Record.Clone()
	if s.plan.rule == lostCounts {
		freeLost(stored.Record, running)
	}
	_, marked := stored.Record.MarkLost(running)
	if folded := stored.Record.FoldGone(running, keep); !marked && !folded {
		return
	}
	s.tell("the manager writes %+v", stored.Record)
	if reply := s.save(nil, stored); reply.err != nil {
		s.fail("the manager: %v", reply.err)
	}
}

// freeLost gives back what owners that are gone held.
func freeLost(record Record, running func(pod string) bool) {
	for _, window := range record.Windows {
		for name, entry := range window.Owners {
			if !running(name.Pod()) {
				entry.Allowance = entry.Spent
				window.Owners[name] = entry
			}
		}
	}
}

// window is the one that a budget is in by the store's clock.
func (s *sim) window() Window {
	window, err := NewWindow(s.budget.Period, s.budget.TimeZone, s.now)
	if err != nil {
		panic(err)
	}
	return window
}

// startPod starts a pod with its first container.
func (s *sim) startPod() {
	pod := &simPod{name: "pod" + strconv.Itoa(len(s.pods)), journal: newSimJournal()}
	s.pods = append(s.pods, pod)
	s.startContainer(pod)
}

// living returns the replicas that run.
func (s *sim) living() []*simReplica {
	living := make([]*simReplica, 0, len(s.pods))
	for _, pod := range s.pods {
		if pod.replica != nil {
			living = append(living, pod.replica)
		}
	}
	return living
}

// podOf returns the pod of an owner.
func (s *sim) podOf(name Owner) *simPod {
	for _, pod := range s.pods {
		if pod.name == name.Pod() {
			return pod
		}
	}
	return nil
}

// runsPod tells whether a pod is there.
func (s *sim) runsPod(name string) bool {
	pod := s.podOf(Owner(name))
	return pod != nil && !pod.gone
}

// ended lets replicas leave that have drained.
func (s *sim) ended() {
	for _, r := range s.living() {
		if r.draining && r.next == nil && len(r.open) == 0 && !r.account.dirty(s.clock(r)) {
			s.tell("%s has drained", r.owner)
			r.pod.replica, r.pod.gone, r.pod.drained = nil, true, true
			r.pod.last = r.owner
		}
	}
}
