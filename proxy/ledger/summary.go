package ledger

import (
	"cmp"
	"slices"
)

// Share is a part of what was spent.
type Share struct {
	// Name of the route or caller; empty for all that have no name or no room of their own.
	Name string
	// Nano is the part in nano-dollars.
	Nano int64
}

// Shares returns the parts, the largest first.
func (b Breakdown) Shares() []Share {
	shares := make([]Share, 0, len(b))
	for name, nano := range b {
		shares = append(shares, Share{Name: name, Nano: nano})
	}
	slices.SortFunc(shares, func(a, b Share) int { return cmp.Or(cmp.Compare(b.Nano, a.Nano), cmp.Compare(a.Name, b.Name)) })
	return shares
}

// CounterSummary is how one counter stands.
type CounterSummary struct {
	// Subject whose counter it is; empty for the shared one.
	Subject string
	Totals
	// Reserved is what living owners hold beyond what they spent, and Lost what those that are gone held, in nano-dollars.
	Reserved, Lost int64
	// Owners is how many entries there are; LostOwners are those of them that are marked as lost.
	Owners, LostOwners int
	// Routes and Callers say what Spent was spent on, the largest first, as far as the counter keeps it.
	Routes, Callers []Share
}

// Summarize tells how the counter stands.
func (c Count) Summarize() CounterSummary {
	routes, callers := c.Folded.Routes, c.Folded.Callers
	summary := CounterSummary{Subject: c.Subject, Totals: c.Total(), Reserved: c.Reserved(), Lost: c.Lost(), Owners: len(c.Owners)}
	for _, entry := range c.Owners {
		if entry.Lost {
			summary.LostOwners++
		}
		routes, callers = routes.merge(entry.Routes), callers.merge(entry.Callers)
	}
	summary.Routes, summary.Callers = routes.Shares(), callers.Shares()
	return summary
}

// Summary is how a window stands, over all its counters.
type Summary struct {
	Totals
	// Reserved is what living owners hold beyond what they spent, and Lost what those that are gone held, in nano-dollars.
	Reserved, Lost int64
	// Owners is how many owners there are, with a name for each run of a container.
	Owners int
	// Counters of the window, by subject.
	Counters []CounterSummary
	// Routes and Callers say what was spent on what, the largest first, as far as the shared counter keeps it.
	Routes, Callers []Share
}

// Summary tells how a window stands. Without calls it is zero.
func (r Record) Summary(key Key) Summary {
	return Summarize([]Record{r}, key)
}

// Summarize tells how a window stands whose counters are in several documents.
func Summarize(records []Record, key Key) Summary {
	var summary Summary
	runs := map[string]bool{}
	for _, record := range records {
		for _, window := range record.Windows {
			if !window.same(key) {
				continue
			}
			one := window.Summarize()
			summary.Totals = summary.Plus(one.Totals)
			summary.Reserved = addSaturating(summary.Reserved, one.Reserved)
			summary.Lost = addSaturating(summary.Lost, one.Lost)
			summary.Counters = append(summary.Counters, one)
			for owner := range window.Owners {
				runs[owner.run()] = true
			}
			if window.Subject == "" {
				summary.Routes, summary.Callers = one.Routes, one.Callers
			}
		}
	}
	summary.Owners = len(runs)
	slices.SortFunc(summary.Counters, func(a, b CounterSummary) int { return cmp.Compare(a.Subject, b.Subject) })
	return summary
}
