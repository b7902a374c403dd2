package route

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// start is the time at which tests begin.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// fake is a backend of which everything is told.
type fake struct {
	view   health.View
	prices *table.Prices
}

func (f *fake) View(time.Time, string) health.View { return f.view }

func (f *fake) Prices(string) *table.Prices { return f.prices }

// healthy is the view of an upstream of which nothing is known but that it is well.
func healthy() health.View {
	return health.View{Ramp: 1000, Headroom: health.Headroom{Requests: -1, Tokens: -1}}
}

// modifier makes a target special.
type modifier func(*Target)

// at is a healthy target of weight 1.
func at(name string, modifiers ...modifier) Target {
	t := Target{Target: &table.Target{Name: name, Weight: 1}, Provider: "OpenAICompatible", Backend: &fake{view: healthy()}}
	for _, modify := range modifiers {
		modify(&t)
	}
	return t
}

func priority(p int32) modifier { return func(t *Target) { t.Priority = p } }

func weight(w int32) modifier { return func(t *Target) { t.Weight = w } }

func provider(name string) modifier { return func(t *Target) { t.Provider = name } }

func declaring(d table.Declared) modifier { return func(t *Target) { t.Declared = d } }

func onlyFor(kinds ...table.FailureKind) modifier { return func(t *Target) { t.OnlyFor = kinds } }

func priced(p table.Prices) modifier { return func(t *Target) { t.Backend.(*fake).prices = &p } }

func seen(change func(*health.View)) modifier {
	return func(t *Target) { change(&t.Backend.(*fake).view) }
}

func blocked(block health.Block, left time.Duration) modifier {
	return seen(func(v *health.View) { v.Block, v.For = block, left })
}

func ramping(permille int) modifier { return seen(func(v *health.View) { v.Ramp = permille }) }

func probing(busy bool) modifier {
	return seen(func(v *health.View) { v.Probe, v.Busy = true, busy })
}

func latency(d time.Duration) modifier {
	return seen(func(v *health.View) { v.FirstToken, v.Answer, v.Samples = d, d, 10 })
}

func inFlight(n int64) modifier { return seen(func(v *health.View) { v.InFlight = n }) }

func aged(d time.Duration) modifier { return seen(func(v *health.View) { v.Age = d }) }

// seeded are random numbers that are the same in each run.
func seeded(seed uint64) Random { return rand.New(rand.NewPCG(seed, 1)).Int64N }

// always draws the same number, cut to what may be drawn.
func always(mark int64) Random { return func(n int64) int64 { return min(mark, n-1) } }

// scripted draws these numbers, and fails the test for more.
func scripted(t *testing.T, marks ...int64) Random {
	drawn := 0
	t.Cleanup(func() {
		if drawn != len(marks) {
			t.Errorf("drew %d times, want %d", drawn, len(marks))
		}
	})
	return func(n int64) int64 {
		if drawn == len(marks) || marks[drawn] >= n {
			t.Fatalf("draw %d of [0,%d) is not expected of %v", drawn+1, n, marks)
		}
		drawn++
		return marks[drawn-1]
	}
}

// written is an order in words: the names of those that can be tried, then "|" and the others with their exclusions.
func written(r *Router, candidates []Candidate) string {
	var in, out []string
	for _, c := range candidates {
		name := r.targets[c.Index].Name
		switch {
		case c.Out != Eligible:
			out = append(out, name+"="+c.Out.String())
		case c.LastResort:
			in = append(in, name+"!"+c.Despite.String())
		default:
			in = append(in, name)
		}
	}
	if len(out) == 0 {
		return strings.Join(in, " ")
	}
	return strings.TrimSpace(strings.Join(in, " ") + " | " + strings.Join(out, " "))
}

// firstOf is the name of the first candidate.
func firstOf(r *Router, q *Query) string {
	return r.targets[r.Order(nil, 0, q)[0].Index].Name
}
