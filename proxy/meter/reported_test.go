package meter_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/meter"
)

func TestReadReported(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "0.0": 0, "0e9": 0, "0e999999999999": 0, "1": 1_000_000_000, "0.00014": 140_000, "1.4e-4": 140_000, "1.4E-04": 140_000, "14e-5": 140_000,
		"0.0000000001": 1, "1e-9": 1, "1.0e-9": 1, "1.1e-9": 2, "0.1234567891": 123_456_790, "1e-400": 1, "1e-99999999999": 1, "1e+2": 100_000_000_000,
		"100000": 100_000_000_000_000, "0.00000000000000000000000001e20": 1000, "100000.0000000000": 100_000_000_000_000,
	} {
		if got, ok := meter.ReadReported([]byte(text)); got != want || !ok {
			t.Errorf("ReadReported(%s) = %d, %t, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-1", "-0.1", "null", `"1"`, "{}", "1e", "1e+", "1e-x", ".5", "100000.0000000001", "100001", "1e6", "1e99999999999", "NaN", "1,5", "0x1", "1e1e1"} {
		if got, ok := meter.ReadReported([]byte(text)); ok {
			t.Errorf("ReadReported(%s) = %d, want a refusal", text, got)
		}
	}
}

func TestReadTicks(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1": 1, "10": 1, "11": 2, "37756000": 3_775_600, "200000000": 20_000_000, "1000000000000000": 100_000_000_000_000} {
		if got, ok := meter.ReadTicks([]byte(text)); got != want || !ok {
			t.Errorf("ReadTicks(%s) = %d, %t, want %d", text, got, ok, want)
		}
	}
	if got, ok := meter.ReadTicks([]byte("1000000000000001")); ok {
		t.Errorf("ReadTicks of more than is believable = %d, want a refusal", got)
	}
}

// FuzzReadReported compares with rational arithmetic where that can follow.
func FuzzReadReported(f *testing.F) {
	for _, seed := range []string{"0", "1.4e-4", "-1", "1e6", "0.0000000001", "1e-99999999999", "99999.9999999999", "9e00004"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		nano, ok := meter.ReadReported([]byte(text))
		if nano < 0 || ok && nano > 100_000*meter.NanosPerDollar {
			t.Fatalf("ReadReported(%q) = %d, %t", text, nano, ok)
		}
		up, can := exactly(text)
		if !can {
			return
		}
		believable := up.Sign() >= 0 && up.Cmp(big.NewInt(100_000*meter.NanosPerDollar)) <= 0 && !strings.HasPrefix(text, "-")
		if ok != believable || ok && up.Int64() != nano {
			t.Fatalf("ReadReported(%q) = %d, %t, want %v, %t", text, nano, ok, up, believable)
		}
	})
}

// exactly is a JSON number of dollars in nano-dollars, rounded up; false for what rational arithmetic cannot follow.
func exactly(text string) (*big.Int, bool) {
	_, power, _ := strings.Cut(strings.ToLower(text), "e")
	if !json.Valid([]byte(text)) || len(power) > 4 || len(text) > 60 || strings.Trim(text, "0123456789.eE+-") != "" {
		return nil, false
	}
	exact, valid := new(big.Rat).SetString(text)
	if !valid {
		return nil, false
	}
	exact.Mul(exact, big.NewRat(meter.NanosPerDollar, 1))
	up := new(big.Int).Add(exact.Num(), new(big.Int).Sub(exact.Denom(), big.NewInt(1)))
	return up.Div(up, exact.Denom()), true
}
