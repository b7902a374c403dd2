package main

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// errNegative is a price below zero.
var errNegative = errors.New("it is negative")

// maxExponent bounds what is read of a decimal number, so that a short text cannot ask for a long one.
const maxExponent = 40

// rational reads a decimal number, exponents included, exactly.
func rational(text string) (*big.Rat, error) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if exponent != "" {
		power, err := strconv.Atoi(exponent)
		if err != nil || power > maxExponent || power < -maxExponent {
			return nil, fmt.Errorf("the exponent of %q is out of bounds", text)
		}
	}
	if len(mantissa) > maxExponent {
		return nil, fmt.Errorf("%q has too many digits", text)
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok || strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789.eE+-", r) }) {
		return nil, fmt.Errorf("%q is not a decimal number", text)
	}
	if value.Sign() < 0 {
		return nil, fmt.Errorf("reading %q: %w", text, errNegative)
	}
	return value, nil
}

// nanos is an amount of dollars, times a factor, in nano-dollars. What has more digits is rounded up, and exact is false.
func nanos(text string, factor int64) (nano int64, exact bool, err error) {
	value, err := rational(text)
	if err != nil {
		return 0, false, err
	}
	value.Mul(value, new(big.Rat).SetInt64(factor))
	value.Mul(value, new(big.Rat).SetInt64(1_000_000_000))
	quotient, rest := new(big.Int).QuoRem(value.Num(), value.Denom(), new(big.Int))
	exact = rest.Sign() == 0
	if !exact {
		quotient.Add(quotient, big.NewInt(1))
	}
	if !quotient.IsInt64() {
		return 0, false, fmt.Errorf("%q is too large", text)
	}
	return quotient.Int64(), exact, nil
}

// scaleUp is amount * by / of, rounded up; amount itself where by is not above of.
func scaleUp(amount, by, of int64) int64 {
	if by <= of || of <= 0 {
		return amount
	}
	product := new(big.Int).Mul(big.NewInt(amount), big.NewInt(by))
	quotient, rest := product.QuoRem(product, big.NewInt(of), new(big.Int))
	if rest.Sign() > 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return quotient.Int64()
}
