package route

import (
	"cmp"
	"slices"

	"signalbox.dev/signalbox/proxy/table"
)

// DrainedReason is the exclusion of a target whose weight is 0.
const DrainedReason = "its weight is 0"

// WeightCandidate is one target of a route, in the order of trial.
type WeightCandidate struct {
	// Index of the target in the route's targets.
	Index int
	// Excluded says why the target cannot be used; empty when it can.
	Excluded string
}


// OrderByWeight appends the targets to dst in the order in which they are to be tried: the usable ones first, the lowest priority number before higher ones,
// targets of the same priority drawn by weight without replacement; then the excluded ones in the order of the spec. Every target appears once.
func OrderByWeight(dst []WeightCandidate, targets []table.Target, random Random) []WeightCandidate {
	base := len(dst)
	for i := range targets {
		if exclusionOf(&targets[i]) == "" {
			dst = append(dst, WeightCandidate{Index: i})
		}
	}
	usable := dst[base:]
	if len(usable) > 1 {
		slices.SortStableFunc(usable, func(a, b WeightCandidate) int {
			return cmp.Compare(targets[a.Index].Priority, targets[b.Index].Priority)
		})
		shuffleEachPriority(usable, targets, random)
	}
	for i := range targets {
		if reason := exclusionOf(&targets[i]); reason != "" {
			dst = append(dst, WeightCandidate{Index: i, Excluded: reason})
		}
	}
	return dst
}

func exclusionOf(t *table.Target) string {
	switch {
	case t.Excluded != "":
		return t.Excluded
	case t.Weight <= 0:
		return DrainedReason
	default:
		return ""
	}
}

func shuffleEachPriority(sorted []WeightCandidate, targets []table.Target, random Random) {
	for start := 0; start < len(sorted); {
		end := start + 1
		for end < len(sorted) && targets[sorted[end].Index].Priority == targets[sorted[start].Index].Priority {
			end++
		}
		drawByWeight(sorted[start:end], targets, random)
		start = end
	}
}

// drawByWeight swaps a drawn candidate to each place in turn; the chance of each one left is its weight's share of the weights left.
func drawByWeight(group []WeightCandidate, targets []table.Target, random Random) {
	var total int64
	for _, c := range group {
		total += int64(targets[c.Index].Weight)
	}
	for place := 0; place < len(group)-1; place++ {
		mark := random(total)
		chosen := place
		for mark >= int64(targets[group[chosen].Index].Weight) {
			mark -= int64(targets[group[chosen].Index].Weight)
			chosen++
		}
		group[place], group[chosen] = group[chosen], group[place]
		total -= int64(targets[group[place].Index].Weight)
	}
}
