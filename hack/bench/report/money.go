package report

// Money is what budgets cost.
type Money struct {
	// Steps are what the ledger and the meter do for one call, by Go's own benchmarks.
	Steps []Choice `json:"steps"`
	// Budgets compares the proxy with itself: plain requests that one budget counts when they have ended, and plain requests that four Hard budgets reserve for.
	Budgets Load `json:"budgets"`
}

// The bounds of one reservation and settlement, in nanoseconds, by the last part of the benchmark's name.
var stepGoals = map[string]float64{"1budget": 1000, "4budgets": 3000}

func (m *Money) goals() []Goal {
	var goals []Goal
	for _, step := range m.Steps {
		goal, ok := stepGoals[step.Strategy]
		if !ok {
			continue
		}
		goals = append(goals, atMost("reserving and settling with "+step.Strategy+", ns", goal, step.Nanos),
			atMost("allocations of that", 0, step.Allocs))
	}
	return goals
}

func (m *Money) print(p printer) {
	p.row("reserving, settling, pricing\tns\tbytes\tallocations")
	for _, step := range m.Steps {
		p.row("%s\t%.0f\t%.0f\t%.0f", step.Strategy, step.Nanos, step.Bytes, step.Allocs)
	}
	p.gap()
	printPlain(p, "budgets, plain", [2]string{"one Soft budget", "four Hard budgets"}, m.Budgets)
}
