package meter

import (
	"slices"

	"signalbox.dev/signalbox/proxy/table"
)

// Highest are prices that are at no length of the prompt below any of the given ones: what a call costs at most that may go to each of them. Prices by tiers
// become one price. A class of service that only some have prices for raises the usual prices, for a provider may choose it by itself, and has none of its own;
// what one of them has no price for has none either. It is nil if there are no prices, or if one of them is nil, which is not known.
func Highest(all []*table.Prices) *table.Prices {
	if len(all) == 0 || slices.Contains(all, nil) {
		return nil
	}
	usual := slices.Clone(all)
	var shared []table.ServicePrices
	for _, p := range all {
		for i := range p.Services {
			name := p.Services[i].Service
			classes := sameService(name, all)
			switch {
			case classes == nil:
				usual = append(usual, &p.Services[i].Prices)
			case p == all[0]:
				shared = append(shared, table.ServicePrices{Service: name, Prices: *highestOf(classes)})
			}
		}
	}
	highest := highestOf(usual)
	highest.Services = shared
	return highest
}

// sameService are the prices of one class of service; nil unless all have them.
func sameService(name string, all []*table.Prices) []*table.Prices {
	classes := make([]*table.Prices, 0, len(all))
	for _, p := range all {
		at := slices.IndexFunc(p.Services, func(s table.ServicePrices) bool { return s.Service == name })
		if at < 0 {
			return nil
		}
		classes = append(classes, &p.Services[at].Prices)
	}
	return classes
}

// highestOf is Highest without the classes of service.
func highestOf(all []*table.Prices) *table.Prices {
	highest := piecesPaid(all[0], nil)
	for _, p := range all {
		highest.raise(piecesPaid(p, nil))
		for i := range p.Tiers {
			highest.raise(piecesPaid(p, &p.Tiers[i]))
		}
	}
	return highest.prices()
}

// piecesPaid are the rates of a class, where pieces that are paid by other units cost nothing themselves: beside the prices of somebody who has one for
// them, that is not the same as a price that nobody knows.
func piecesPaid(p *table.Prices, tier *table.PriceTier) *rates {
	r := &rates{}
	r.set(p, tier)
	of := *r
	for _, piece := range [...]struct {
		price     *int64
		elsewhere bool
	}{
		{&r.image, of.outputImage > 0},
		{&r.audioHour, of.inputAudio > 0},
		{&r.speechHour, of.outputAudio > 0 || of.characters >= 0},
		{&r.characters, of.input > 0 || of.outputAudio > 0 || of.speechHour >= 0},
		{&r.searchUnits, of.input > 0},
	} {
		if *piece.price == unknown && piece.elsewhere {
			*piece.price = 0
		}
	}
	return r
}

// raise makes every rate at least that of another. One that is not known stays so.
func (r *rates) raise(other *rates) {
	for _, pair := range [...]struct{ into, from *int64 }{
		{&r.input, &other.input}, {&r.cached, &other.cached}, {&r.cacheWrite, &other.cacheWrite}, {&r.cacheWrite1h, &other.cacheWrite1h},
		{&r.inputAudio, &other.inputAudio}, {&r.cachedAudio, &other.cachedAudio}, {&r.inputImage, &other.inputImage},
		{&r.output, &other.output}, {&r.reasoning, &other.reasoning}, {&r.outputAudio, &other.outputAudio}, {&r.outputImage, &other.outputImage},
		{&r.request, &other.request}, {&r.image, &other.image}, {&r.audioHour, &other.audioHour}, {&r.speechHour, &other.speechHour},
		{&r.minAudio, &other.minAudio}, {&r.characters, &other.characters}, {&r.search, &other.search}, {&r.searchUnits, &other.searchUnits},
	} {
		if *pair.into == unknown || *pair.from == unknown {
			*pair.into = unknown
			continue
		}
		*pair.into = max(*pair.into, *pair.from)
	}
}

// prices are the rates as they stand in a table.
func (r *rates) prices() *table.Prices {
	return &table.Prices{
		Input: r.input, CachedInput: r.cached, CacheWrite: told(r.cacheWrite), CacheWrite1h: told(r.cacheWrite1h),
		InputAudio: told(r.inputAudio), CachedInputAudio: told(r.cachedAudio), InputImage: told(r.inputImage),
		Output: r.output, Reasoning: told(r.reasoning), OutputAudio: told(r.outputAudio), OutputImage: told(r.outputImage),
		Request: r.request, Image: told(r.image), AudioHour: told(r.audioHour), MinAudioMillis: r.minAudio, SpeechHour: told(r.speechHour),
		Characters: told(r.characters), Search: told(r.search), SearchUnits: told(r.searchUnits),
	}
}

// told is a price; nil for one that is not known.
func told(price int64) *int64 {
	if price == unknown {
		return nil
	}
	return &price
}
