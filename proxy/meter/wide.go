package meter

import (
	"math"
	"math/bits"
)

// denominator is what one nano-dollar is divided into while parts are added up: the least number that prices for a million, for a thousand, for one and for an
// hour in milliseconds all divide. So the sum is exact, and rounded up once.
const denominator = 18_000_000

// What a count times a price is multiplied by to have the denominator.
const (
	perMillion  = denominator / 1_000_000
	perThousand = denominator / 1_000
	perPiece    = denominator
	perHour     = denominator / 3_600_000
)

// wide is a sum of 128 bits that stays at its end when it is full.
type wide struct {
	high, low uint64
	full      bool
}

// add adds count*price*unit; what is not positive adds nothing. Most parts of most calls are nothing, so this much is inlined.
func (w *wide) add(count, price int64, unit uint64) {
	if count > 0 && price > 0 {
		w.addProduct(uint64(count), uint64(price), unit)
	}
}

//go:noinline
func (w *wide) addProduct(count, price, unit uint64) {
	high, low := bits.Mul64(count, price)
	above, high := bits.Mul64(high, unit)
	carried, low := bits.Mul64(low, unit)
	var carry uint64
	high, carry = bits.Add64(high, carried, 0)
	above += carry
	w.low, carry = bits.Add64(w.low, low, 0)
	w.high, carry = bits.Add64(w.high, high, carry)
	w.full = w.full || above+carry > 0
}

// nano is the sum in nano-dollars, rounded up.
func (w *wide) nano() int64 {
	if w.full || w.high >= denominator {
		return math.MaxInt64
	}
	quotient, rest := w.low/denominator, w.low%denominator // Dividing by a constant is much quicker, and most sums are so small.
	if w.high > 0 {
		quotient, rest = bits.Div64(w.high, w.low, denominator)
	}
	if quotient >= math.MaxInt64 {
		return math.MaxInt64
	}
	if rest > 0 {
		quotient++
	}
	return int64(quotient)
}
