package dialect_test

import (
	"testing"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

func TestCostOf(t *testing.T) {
	prices := &table.Prices{Input: 1_000_000}
	told := meter.Usage{Prompt: 7, ReportedCost: new(int64(3))}
	for name, tc := range map[string]struct {
		exchange dialect.Exchange
		usage    meter.Usage
		want     int64
		unknown  bool
	}{
		"by the prices":               {exchange: dialect.Exchange{Prices: prices}, usage: told, want: 7},
		"as the provider says":        {exchange: dialect.Exchange{Prices: prices, BelievesCost: true}, usage: told, want: 3},
		"without prices":              {exchange: dialect.Exchange{BelievesCost: true}, usage: told, want: 3},
		"what it does not say":        {exchange: dialect.Exchange{Prices: prices, BelievesCost: true}, usage: meter.Usage{Prompt: 7}, want: 7},
		"not known":                   {usage: told, unknown: true},
		"a part is not known":         {exchange: dialect.Exchange{Prices: prices}, usage: meter.Usage{Prompt: 7, Searches: 1}, want: 7, unknown: true},
		"a part that is told in sums": {exchange: dialect.Exchange{Prices: prices, BelievesCost: true}, usage: meter.Usage{Searches: 1, ReportedCost: new(int64(3))}, want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := tc.exchange.CostOf(tc.usage); got != tc.want || ok == tc.unknown {
				t.Errorf("CostOf = %d, %t, want %d, %t", got, ok, tc.want, !tc.unknown)
			}
		})
	}
}
