package catalogue

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// worldwide is the place of calls that are kept nowhere.
	worldwide = "global"
	// regional is every other place.
	regional = "regional"
	// thousandths is the unit of uplifts.
	thousandths = 1000
)

// at is the entry with the prices of a place.
func (e Entry) at(place string) Entry {
	uplift, known := e.Uplifts[place]
	if !known && place != "" && place != worldwide {
		uplift = e.Uplifts[regional]
	}
	if uplift <= thousandths {
		return e
	}
	source := fmt.Sprintf("%s, times %d.%03d in %s", e.Prices.Source, uplift/thousandths, uplift%thousandths, place)
	e.Prices = Multiply(&e.Prices, uplift)
	e.Prices.Source = source
	return e
}

// gratis is the entry at no charge. Searches are not part of a model, so they stay unpriced.
func (e Entry) gratis(provider, model string) Entry {
	e.Key = model
	e.Prices = table.Prices{}
	e.sign(provider)
	return e
}

// Multiply returns prices with those of tokens multiplied by thousandths, rounded up, in tiers and services too.
func Multiply(p *table.Prices, by int64) table.Prices {
	product := *p
	for _, price := range []*int64{&product.Input, &product.CachedInput, &product.Output} {
		*price = times(*price, by)
	}
	for _, price := range []**int64{
		&product.CacheWrite, &product.CacheWrite1h, &product.InputAudio, &product.CachedInputAudio, &product.InputImage,
		&product.Reasoning, &product.OutputAudio, &product.OutputImage,
	} {
		if *price != nil {
			more := times(**price, by)
			*price = &more
		}
	}
	product.Tiers, product.Services = slices.Clone(p.Tiers), slices.Clone(p.Services)
	for i := range product.Tiers {
		product.Tiers[i].Prices = Multiply(&p.Tiers[i].Prices, by)
	}
	for i := range product.Services {
		product.Services[i].Prices = Multiply(&p.Services[i].Prices, by)
	}
	return product
}

func times(price, by int64) int64 {
	if price <= 0 || by <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(price), uint64(by))
	low, carry := bits.Add64(low, thousandths-1, 0)
	high += carry
	if high >= thousandths {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, thousandths)
	return int64(min(quotient, math.MaxInt64))
}
