package meter

import (
	"math"
	"math/bits"

	"signalbox.dev/signalbox/proxy/table"
)

// tokensPerPrice is the number of tokens that a price is for.
const tokensPerPrice = 1_000_000

// Cost is the price of a call in nano-dollars, rounded up once. It is never negative: negative tokens and prices count as zero, and so does a Cached
// above Prompt beyond Prompt. It saturates at the largest int64.
func Cost(u Usage, p table.Prices) int64 {
	prompt := max(u.Prompt, 0)
	cached := min(max(u.Cached, 0), prompt)
	var sum wide
	sum.add(prompt-cached, p.Input)
	sum.add(cached, p.CachedInput)
	sum.add(u.Completion, p.Output)
	return sum.divideUp(tokensPerPrice)
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
