package meter

import (
	"math"
	"strings"
)

// maxReported is the largest cost of one call that is believed, in nano-dollars: a hundred thousand dollars.
const maxReported = 100_000 * NanosPerDollar

// nanoDigits is how many digits behind the point a dollar has in nano-dollars.
const nanoDigits = 9

// maxExponentDigits bounds the exponent of a JSON number, without leading zeros: no cost needs more.
const maxExponentDigits = 4

// ReadReported reads what a provider says that a call cost, a JSON number of dollars, into nano-dollars, rounded up; nothing in it is lost to floating point. It
// is false for what is no number, or is not believable: negative, or more than a hundred thousand dollars.
func ReadReported(number []byte) (int64, bool) { return readDecimal(number, nanoDigits) }

// ReadTicks is ReadReported for costs in ticks, of which a dollar has ten thousand million (xAI).
func ReadTicks(number []byte) (int64, bool) { return readDecimal(number, -1) }

// readDecimal reads a JSON number times ten to the power of shift, rounded up.
func readDecimal(number []byte, shift int) (int64, bool) {
	mantissa, power, raised := strings.Cut(strings.Replace(string(number), "E", "e", 1), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	exponent, ok := readExponent(power)
	if !ok || raised != (power != "") || whole == "" || !isDigits(whole) || !isDigits(fraction) {
		return 0, false
	}
	figures := strings.TrimLeft(whole+fraction, "0")
	if figures == "" {
		return 0, true
	}
	// The number is 0.figures times ten to the power of places.
	places := len(figures) - len(fraction) + exponent + shift
	const most = 15 // digits of maxReported
	switch {
	case places > most:
		return 0, false
	case places < 0:
		return 1, true
	}
	nano := roundedUp(figures, places)
	return nano, nano <= maxReported
}

// roundedUp is the number of the first digits, as many as places, rounded up by those behind them; digits that are missing are zeros.
func roundedUp(figures string, places int) int64 {
	number := int64(0)
	for i := range places {
		digit := byte('0')
		if i < len(figures) {
			digit = figures[i]
		}
		number = number*10 + int64(digit-'0')
	}
	if places < len(figures) && strings.Trim(figures[places:], "0") != "" {
		number++
	}
	return number
}

// readExponent reads the exponent of a JSON number; none is 0. One that is too large for any cost stays as large as that.
func readExponent(text string) (int, bool) {
	if text == "" {
		return 0, true
	}
	sign := 1
	switch text[0] {
	case '-':
		sign, text = -1, text[1:]
	case '+':
		text = text[1:]
	}
	if text == "" || !isDigits(text) {
		return 0, false
	}
	text = strings.TrimLeft(text, "0")
	if len(text) > maxExponentDigits {
		return sign * math.MaxInt32, true
	}
	exponent := 0
	for _, c := range []byte(text) {
		exponent = exponent*10 + int(c-'0')
	}
	return sign * exponent, true
}

func isDigits(text string) bool {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
