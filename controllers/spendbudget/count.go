package spendbudget

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
)

// counted is what was counted in the window that is running.
type counted struct {
	// known tells whether the rest is.
	known  bool
	window ledger.Window
	// limit of each counter that has none of its own.
	limit int64
	// sum over all counters. Its Routes and Callers are those of the shared counter.
	sum ledger.CounterSummary
	// counters, the fullest first. The shared counter is the only one of a budget that counts nothing apart.
	counters []counter
	// owners is how many proxies wrote into the window.
	owners int
}

// counter is how one counter stands.
type counter struct {
	subject            string
	limit, spent, lost int64
}

// gone is what cannot be spent any more.
func (c counter) gone() int64 {
	if c.spent > math.MaxInt64-c.lost {
		return math.MaxInt64
	}
	return c.spent + c.lost
}

// percent is the share of the limit that is spent or lost, rounded down.
func (c counter) percent() int64 {
	high, low := bits.Mul64(nonNegative(c.gone()), 100)
	limit := nonNegative(c.limit)
	if high >= limit {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, limit)
	if quotient > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(quotient)
}

// nonNegative converts a number that is never below zero.
func nonNegative(n int64) uint64 {
	return uint64(max(0, n))
}

// fullPercent is the share at which a limit counts as reached. A Hard budget never passes its limit and seldom meets it: calls that may cost more than what is
// left are refused, so it is as good as reached when no more than a hundredth is left.
func fullPercent(enforcement v1alpha1.Enforcement) int64 {
	if enforcement == v1alpha1.EnforcementHard {
		return 99
	}
	return 100
}

// apart tells whether a budget has counters of their own.
func apart(budget *v1alpha1.SpendBudget) bool {
	return budget.Spec.Counter != "" && budget.Spec.Counter != v1alpha1.CounterShared
}

// count adds up the window that is running.
func count(in *input) counted {
	zone := in.budget.Spec.Window.TimeZone
	if zone == "" {
		zone = time.UTC.String()
	}
	period := string(in.budget.Spec.Window.Period)
	window, err := ledger.NewWindow(period, zone, in.now)
	if err != nil {
		return counted{}
	}
	limit, err := meter.ParseUSD(string(in.budget.Spec.Limit.Amount))
	if err != nil || limit == 0 || in.foreign || in.unreadable != nil {
		return counted{window: window}
	}
	c := counted{known: true, window: window, limit: limit}
	c.add(in, ledger.Key{Period: period, TimeZone: zone, ResetID: in.budget.Spec.Window.ResetID, Start: window.Start})
	return c
}

// add adds up the counters of a window over all documents.
func (c *counted) add(in *input, key ledger.Key) {
	limits := ownLimits(&in.budget.Spec)
	pods := map[string]bool{}
	for i := range in.documents {
		for _, one := range in.documents[i].Record.Windows {
			if !sameWindow(one.Key, key) {
				continue
			}
			summary := one.Summarize()
			c.sum = plus(c.sum, summary)
			limit, own := limits[summary.Subject]
			if !own {
				limit = c.limit
			}
			c.counters = append(c.counters, counter{subject: summary.Subject, limit: limit, spent: summary.Spent, lost: summary.Lost})
			for owner := range one.Owners {
				pods[owner.Pod()] = true
			}
		}
	}
	c.owners = len(pods)
	if !apart(in.budget) {
		c.counters = []counter{{limit: c.limit, spent: c.sum.Spent, lost: c.sum.Lost}}
	}
	slices.SortFunc(c.counters, func(a, b counter) int {
		return cmp.Or(cmp.Compare(b.percent(), a.percent()), cmp.Compare(b.gone(), a.gone()), cmp.Compare(a.subject, b.subject))
	})
}

// sameWindow compares instants, not how they are written.
func sameWindow(a, b ledger.Key) bool {
	return a.Period == b.Period && a.TimeZone == b.TimeZone && a.ResetID == b.ResetID && a.Start.Equal(b.Start)
}

// plus adds a counter to a sum. What routes and callers spent is kept by the shared counter alone.
func plus(sum, one ledger.CounterSummary) ledger.CounterSummary {
	sum.Totals = sum.Plus(one.Totals)
	sum.Reserved = ledger.Totals{Spent: sum.Reserved}.Plus(ledger.Totals{Spent: one.Reserved}).Spent
	sum.Lost = ledger.Totals{Spent: sum.Lost}.Plus(ledger.Totals{Spent: one.Lost}).Spent
	if one.Subject == "" {
		sum.Routes, sum.Callers = one.Routes, one.Callers
	}
	return sum
}

// ownLimits are the limits of single counters, by the name of the counter in the ledger. One that cannot be read is left out: the budget is not in force then.
func ownLimits(spec *v1alpha1.SpendBudgetSpec) map[string]int64 {
	limits := make(map[string]int64, len(spec.Limits))
	for i := range spec.Limits {
		one := &spec.Limits[i]
		nano, err := meter.ParseUSD(string(one.Amount))
		if err != nil || nano == 0 {
			continue
		}
		limits[ledger.SubjectName(compile.LimitSubject(one))] = nano
	}
	return limits
}

// fullest is the counter of which most is spent.
func (c counted) fullest() counter {
	if len(c.counters) == 0 {
		return counter{limit: c.limit}
	}
	return c.counters[0]
}

// remaining is what is left of the limit, never below zero.
func (c counted) remaining() int64 {
	return max(0, c.limit-c.fullest().gone())
}

// exceeded is how many counters have reached their limit.
func (c counted) exceeded(enforcement v1alpha1.Enforcement) int64 {
	number := int64(0)
	for _, one := range c.counters {
		if one.percent() >= fullPercent(enforcement) {
			number++
		}
	}
	return number
}
