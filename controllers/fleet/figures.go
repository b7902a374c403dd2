package fleet

import "signalbox.dev/signalbox/proxy/window"

// Unknown is the figure of what is not known.
const Unknown int64 = -1

// Figures are those of the calls of about the last minute; Unknown where there were none.
type Figures struct {
	// ErrorPermille is the share of calls that failed by the fault of whom they went to.
	ErrorPermille int64
	// FirstTokenMS is the median of the time to the first token of streams, in milliseconds.
	FirstTokenMS int64
	// TokensPerSecond is the median rate of completion tokens.
	TokensPerSecond int64
	// FirstTokenP95MS is the time to the first token, in milliseconds, that 95 of 100 streams stayed below.
	FirstTokenP95MS int64
}

// NoFigures are those without calls.
func NoFigures() Figures {
	return Figures{ErrorPermille: Unknown, FirstTokenMS: Unknown, TokensPerSecond: Unknown, FirstTokenP95MS: Unknown}
}

// figuresOf are those of calls and of all their samples together.
func figuresOf(calls window.Counts, firstToken, rate *window.Sketch) Figures {
	figures := NoFigures()
	if calls.Total() > 0 {
		figures.ErrorPermille = calls.Permille()
	}
	figures.FirstTokenMS = quantile(firstToken, half)
	figures.FirstTokenP95MS = quantile(firstToken, most)
	figures.TokensPerSecond = quantile(rate, half)
	return figures
}

// half and most are the shares of samples, in permille, that figures are told of.
const (
	half = 500
	most = 950
)

func quantile(s *window.Sketch, permille uint64) int64 {
	value, ok := s.Quantile(permille)
	if !ok {
		return Unknown
	}
	return value
}

// Settle rounds figures for people, and keeps those of before that did not move far enough to matter: averages are never still, and whatever is written
// down anew costs the API server a write.
func (f Figures) Settle(before Figures) Figures {
	return Figures{
		ErrorPermille:   settle(f.ErrorPermille, before.ErrorPermille, permilleStep, roundPermille),
		FirstTokenMS:    settle(f.FirstTokenMS, before.FirstTokenMS, fifth(before.FirstTokenMS), roundDigits),
		TokensPerSecond: settle(f.TokensPerSecond, before.TokensPerSecond, fifth(before.TokensPerSecond), roundDigits),
		FirstTokenP95MS: settle(f.FirstTokenP95MS, before.FirstTokenP95MS, fifth(before.FirstTokenP95MS), roundDigits),
	}
}

// Settle rounds one figure in the same way.
func Settle(now, before int64) int64 { return settle(now, before, fifth(before), roundDigits) }

// permilleStep is what shares of errors are rounded to, and by how much one must move.
const permilleStep = 10

// fifth is by how much other figures must move, which is more than averages of many calls waver.
func fifth(n int64) int64 { return max(2, n/5+1) }

func settle(now, before, step int64, round func(int64) int64) int64 {
	if now == Unknown {
		return Unknown
	}
	if before != Unknown && now-before < step && before-now < step {
		return before
	}
	return round(now)
}

func roundPermille(n int64) int64 { return (n + permilleStep/2) / permilleStep * permilleStep }

// roundDigits keeps two significant digits.
func roundDigits(n int64) int64 {
	unit := int64(1)
	for n/unit >= 100 {
		unit *= 10
	}
	return (n + unit/2) / unit * unit
}
