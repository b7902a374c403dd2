package provider

import (
	"encoding/json"
	"math/big"
	"strings"
)

const (
	// maxAmount is the longest amount that is read, in bytes.
	maxAmount = 24
	// cents is how many decimals of an amount are shown.
	cents = 2
)

// Balance says how a vendor tells what an account still has, with a call that costs nothing. Without a Read it does not.
type Balance struct {
	// Path and RootPath are where it is, with the meaning that they have in Probe. Without any of them it is in the answer to the probe.
	Path, RootPath string
	// Read takes what the account still has, in US dollars, out of an answer: the number as it is written there; false if it does not tell.
	Read func(answer []byte) (json.Number, bool)
}

// BalanceURL returns the address to GET for the balance; empty where it takes no call of its own, and at gateways with a path of their own, which do not have
// what is beside the API.
func (p Provider) BalanceURL(a Account) (string, error) {
	if p.Balance.Path == "" && p.Balance.RootPath == "" {
		return "", nil
	}
	if _, own, err := p.base(a); err != nil || !own && p.Balance.Path == "" {
		return "", err
	}
	return p.freeURL(a, place{p.Balance.Path, p.Balance.RootPath, ""})
}

// ReadBalance returns what the account still has, in US dollars and cents, "12.34", rounded down; empty if the answer does not tell.
func (p Provider) ReadBalance(answer []byte) string {
	if p.Balance.Read == nil {
		return ""
	}
	number, ok := p.Balance.Read(answer)
	if !ok {
		return ""
	}
	return dollars(number)
}

// dollars reads an amount without the rounding of floating-point numbers. Longer ones than any account holds, and exponents that would make them so, are
// none.
func dollars(number json.Number) string {
	if len(number) == 0 || len(number) > maxAmount || strings.ContainsAny(string(number), "eE/") {
		return ""
	}
	amount, ok := new(big.Rat).SetString(string(number))
	if !ok {
		return ""
	}
	hundred := new(big.Rat).SetInt64(100)
	whole := new(big.Int)
	amount.Mul(amount, hundred)
	whole.Div(amount.Num(), amount.Denom())
	return new(big.Rat).SetFrac(whole, big.NewInt(100)).FloatString(cents)
}
