package window

// Ending is how an attempt ended, as far as that says something of the provider.
type Ending int

// The endings.
const (
	// Answered: the provider did what it is there for. Refusing a bad request is a part of that.
	Answered Ending = iota
	// Unreachable: there was no connection.
	Unreachable
	// Failed: it answered with an error of its own, or broke off.
	Failed
	// TimedOut: it took too long.
	TimedOut
	// Limited: a rate limit was reached.
	Limited
	// Exhausted: the quota or credit is used up.
	Exhausted
	// Refused: it does not take the key.
	Refused
	// endings is how many there are.
	endings
)

// maxTotal bounds what one report may claim of each ending, so that thousands of reports can be added up.
const maxTotal = 1 << 40

// Counts are attempts by how they ended.
type Counts [endings]int64

// Add adds others up.
func (c *Counts) Add(other Counts) {
	for i, n := range other {
		c[i] += n
	}
}

// Bounded keeps counts that somebody else claims within what can be added up.
func (c Counts) Bounded() Counts {
	for i := range c {
		c[i] = min(max(c[i], 0), maxTotal)
	}
	return c
}

// Total is how many attempts there were.
func (c Counts) Total() int64 {
	var total int64
	for _, n := range c {
		total += n
	}
	return total
}

// Failures is how many failed for the provider's fault: what its limits and the account brought about is none.
func (c Counts) Failures() int64 { return c[Unreachable] + c[Failed] + c[TimedOut] }

// failure tells whether it is one of Failures.
func (e Ending) failure() bool { return e == Unreachable || e == Failed || e == TimedOut }

// Permille is the share of failures; 0 without attempts.
func (c Counts) Permille() int64 {
	total := c.Total()
	if total == 0 {
		return 0
	}
	return (c.Failures()*1000 + total/2) / total
}
