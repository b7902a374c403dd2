package meter

import (
	"math"
	"math/bits"

	"signalbox.dev/signalbox/proxy/table"
)

// tokensPerPrice is the number of tokens that a price is for.
const tokensPerPrice = 1_000_000

// Amount is what a call costs.
type Amount struct {
	// Nano is the cost in nano-dollars of what has a price.
	Nano int64
	// Unpriced tells that a part of the usage has no known price.
	Unpriced bool
}

// Cost is the price of a call, rounded up once. It is never negative: negative numbers count as zero, and parts that are larger than what contains them count
// as all of it. It saturates at the largest int64.
func Cost(u *Usage, p *table.Prices) Amount {
	prompt := max(u.Prompt, 0)
	cached := min(max(u.Cached, 0), prompt)
	var sum wide
	sum.add(prompt-cached, p.Input)
	sum.add(cached, p.CachedInput)
	sum.add(u.Completion, p.Output)
	return Amount{Nano: sum.divideUp(tokensPerPrice)}
}

// wide is a 128-bit sum. Three products of int64 fit without overflow.
type wide struct{ high, low uint64 }

func (w *wide) add(tokens, price int64) {
	if tokens <= 0 || price <= 0 {
		return
	}
	high, low := bits.Mul64(uint64(tokens), uint64(price))
	var carry uint64
	w.low, carry = bits.Add64(w.low, low, 0)
	w.high, _ = bits.Add64(w.high, high, carry)
}

func (w *wide) divideUp(by uint64) int64 {
	if w.high >= by {
		return math.MaxInt64
	}
	quotient, rest := bits.Div64(w.high, w.low, by)
	if quotient >= math.MaxInt64 {
		return math.MaxInt64
	}
	if rest > 0 {
		quotient++
	}
	return int64(quotient)
}
