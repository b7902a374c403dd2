package meter

import (
	"fmt"
	"strconv"
	"strings"
)

// NanosPerDollar is the number of nano-dollars in a dollar.
const NanosPerDollar = 1_000_000_000

// maxUSDDigits bounds the digits on either side of the point; 999999999.999999999 fits an int64 of nano-dollars.
const maxUSDDigits = 9

// FormatUSD writes nano-dollars as an exact decimal number of dollars without superfluous zeros: "0.000012", "250". It is also a JSON number.
func FormatUSD(nano int64) string {
	return string(AppendUSD(make([]byte, 0, 24), nano))
}

// AppendUSD appends FormatUSD(nano) to dst.
func AppendUSD(dst []byte, nano int64) []byte {
	whole, fraction := nano/NanosPerDollar, nano%NanosPerDollar
	if nano < 0 {
		dst = append(dst, '-')
		whole, fraction = -whole, -fraction
	}
	dst = strconv.AppendInt(dst, whole, 10)
	if fraction == 0 {
		return dst
	}
	dst = append(dst, '.')
	for digit := int64(NanosPerDollar / 10); fraction > 0; digit /= 10 {
		dst = append(dst, "0123456789"[fraction/digit])
		fraction %= digit
	}
	return dst
}

// ParseUSD reads an exact decimal number of dollars into nano-dollars: one to nine digits, then optionally a point and one to nine digits. Signs,
// exponents, separators and blanks are errors. Read as a price, the result is nano-dollars for one million tokens.
func ParseUSD(s string) (int64, error) {
	whole, fraction, hasPoint := strings.Cut(s, ".")
	dollars, ok := digits(whole)
	if !ok {
		return 0, &AmountError{Problem: "needs one to nine digits before the point"}
	}
	if !hasPoint {
		return dollars * NanosPerDollar, nil
	}
	nano, ok := digits(fraction)
	if !ok {
		return 0, &AmountError{Problem: "needs one to nine digits after the point"}
	}
	for range maxUSDDigits - len(fraction) {
		nano *= 10
	}
	return dollars*NanosPerDollar + nano, nil
}

// digits reads one to nine decimal digits.
func digits(s string) (int64, bool) {
	if len(s) == 0 || len(s) > maxUSDDigits {
		return 0, false
	}
	var value int64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		value = value*10 + int64(c-'0')
	}
	return value, true
}

// AmountError tells why a text is not an amount.
type AmountError struct {
	// Problem completes the sentence "the amount ...".
	Problem string
}

// Error implements error.
func (e *AmountError) Error() string {
	return fmt.Sprintf("the amount %s, like 0.59", e.Problem)
}
