package ledger

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// schedulesVariable is the environment variable that says how many schedules to run.
const schedulesVariable = "SIGNALBOX_LEDGER_SCHEDULES"

// schedules returns how many to run.
func schedules(t *testing.T) uint64 {
	t.Helper()
	text, set := os.LookupEnv(schedulesVariable)
	if !set {
		return simSchedules
	}
	count, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", schedulesVariable, err)
	}
	return count
}

// runSim runs the schedule of a seed and returns what went wrong first, or nothing.
func runSim(seed uint64, rule simRule, trace func(format string, args ...any)) string {
	s := newSim(newSimPlan(seed, rule))
	s.trace = trace
	s.run()
	return s.violation
}

// run lets misfortunes happen for a while, then has all come to rest and compares the ledger with the truth.
func (s *sim) run() {
	for range s.plan.replicas {
		s.startPod()
	}
	for range s.plan.steps {
		s.step()
		if s.violation != "" {
			return
		}
	}
	s.calm()
	s.settleAll()
	s.rest()
	if s.plan.seed%4 == 0 && s.violation == "" {
		s.probe()
		s.rest()
	}
	s.finish()
}

// TestSchedules runs the protocol through random schedules. A seed that fails is told with all that happened in it.
func TestSchedules(t *testing.T) {
	t.Parallel()
	count := schedules(t)
	var next, failed atomic.Uint64
	var running sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for seed := next.Add(1); seed <= count && failed.Load() == 0; seed = next.Add(1) {
				if violation := runSim(seed, noRule, nil); violation != "" {
					failed.Store(seed)
				}
			}
		})
	}
	running.Wait()
	if seed := failed.Load(); seed > 0 {
		t.Logf("seed %d: %+v", seed, newSimPlan(seed, noRule))
		t.Fatal(runSim(seed, noRule, t.Logf))
	}
	t.Logf("%d schedules", count)
}

// TestRulesAreNeeded takes each rule out. The schedule that is named, or one soon after it if what the code does has changed, passes a limit or loses money then, and
// does not with all rules.
func TestRulesAreNeeded(t *testing.T) {
	t.Parallel()
	const more = 400
	for name, tc := range map[string]struct {
		rule simRule
		seed uint64
	}{
		"compare-and-set":                         {compareAndSet, 4},
		"the window in the key":                   {windowInKey, 1},
		"the sequence number":                     {sequenceNumber, 85},
		"an owner for each container":             {ownerIdentity, 121},
		"spending only after the acknowledgement": {acknowledgement, 2},
		"lowering before writing":                 {lowerFirst, 52},
		"what is lost stays counted":              {lostCounts, 1},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := tc.seed; seed < tc.seed+more; seed++ {
				without := newSim(hardPlan(seed, tc.rule))
				if without.run(); !without.overspent {
					continue
				}
				t.Logf("seed %d: %s", seed, without.violation)
				with := newSim(hardPlan(seed, noRule))
				if with.run(); with.violation != "" {
					t.Errorf("seed %d fails with all rules: %s", seed, with.violation)
				}
				return
			}
			t.Errorf("no schedule of %d passes a limit without the rule", more)
		})
	}
}

// hardPlan is a long schedule with all kinds of misfortune that the rules are there for.
func hardPlan(seed uint64, rule simRule) simPlan {
	plan := simPlan{
		seed: seed, rule: rule, replicas: 4, steps: 500, restarts: true, losses: true, cuts: true, outages: true, corrected: true, period: periodTotal,
	}
	if rule == windowInKey {
		plan.windows, plan.period = true, periodHour
	}
	return plan
}
