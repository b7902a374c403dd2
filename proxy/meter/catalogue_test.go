package meter_test

import (
	"math/rand/v2"
	"testing"

	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/meter"
)

// TestCostIsWithinBoundOfCatalogue draws demands, and usage within them, for every model whose prices are known.
func TestCostIsWithinBoundOfCatalogue(t *testing.T) {
	known, d := catalogue.Standard(), dice{rand.New(rand.NewPCG(7, 8))}
	models := 0
	for _, provider := range known.Providers() {
		for _, key := range known.Keys(provider) {
			entry, ok := known.Entry(provider, key)
			if !ok {
				t.Fatalf("%s %s has no entry", provider, key)
			}
			prices := &entry.Prices
			models++
			for range 4 {
				demand := d.demand()
				bound, priced := meter.Bound(&demand, prices)
				for range 4 {
					usage := d.usage(&demand, prices)
					cost := meter.Cost(&usage, prices)
					if cost.Nano > bound || cost.Unpriced && priced {
						t.Fatalf("%s %s: Cost(%+v) = %+v is not within Bound(%+v) = %d, %t", provider, key, usage, cost, demand, bound, priced)
					}
				}
			}
		}
	}
	if models < 500 {
		t.Errorf("the catalogue has prices of %d models only", models)
	}
}
