package meter

import "signalbox.dev/signalbox/proxy/table"

// unknown is a price that nobody told.
const unknown = -1

// rates are the prices that hold for one call, after its class of service, the length of its prompt and the fallbacks; unknown where there is none.
type rates struct {
	input, cached, cacheWrite, cacheWrite1h int64
	inputAudio, cachedAudio, inputImage     int64
	output, reasoning                       int64
	outputAudio, outputImage                int64
	request, image                          int64
	audioHour, speechHour, minAudio         int64
	characters, search, searchUnits         int64
}

// serviceOf returns the prices of a class of service; false when it has none of its own, and may cost more than the usual class.
func serviceOf(name string, p *table.Prices) (*table.Prices, bool) {
	if name == "" {
		return p, true
	}
	for i := range p.Services {
		if p.Services[i].Service == name {
			return &p.Services[i].Prices, true
		}
	}
	return p, isUsual(name)
}

// isUsual tells whether a class without prices of its own is covered by those of the usual class: it is another name of it, or one that every provider that has
// it sells for less.
func isUsual(service string) bool {
	switch service {
	case "auto", "default", "standard", "standard_only", "on_demand", "flex", "batch":
		return true
	}
	return false
}

// tierOf returns the tier of a prompt, the one with the highest threshold that it exceeds; nil below all of them.
func tierOf(prompt int64, p *table.Prices) *table.PriceTier {
	var tier *table.PriceTier
	for i := range p.Tiers {
		if t := &p.Tiers[i]; prompt > t.Above && (tier == nil || t.Above >= tier.Above) {
			tier = t
		}
	}
	return tier
}

// set takes the prices of a class of service, and of a tier of it, which may be nil.
func (r *rates) set(p *table.Prices, tier *table.PriceTier) {
	over := p
	if tier != nil {
		over = &tier.Prices
	}
	r.input, r.cached, r.output = max(over.Input, 0), max(over.CachedInput, 0), max(over.Output, 0)
	r.request, r.minAudio = replaced(over.Request, p.Request), replaced(over.MinAudioMillis, p.MinAudioMillis)
	r.cacheWrite = either(over.CacheWrite, p.CacheWrite, r.input)
	r.cacheWrite1h = either(over.CacheWrite1h, p.CacheWrite1h, r.cacheWrite)
	r.inputAudio = either(over.InputAudio, p.InputAudio, r.input)
	r.cachedAudio = either(over.CachedInputAudio, p.CachedInputAudio, r.inputAudio)
	r.inputImage = either(over.InputImage, p.InputImage, r.input)
	r.reasoning = either(over.Reasoning, p.Reasoning, r.output)
	r.outputAudio = either(over.OutputAudio, p.OutputAudio, r.output)
	r.outputImage = either(over.OutputImage, p.OutputImage, r.output)
	r.image = either(over.Image, p.Image, unknown)
	r.audioHour = either(over.AudioHour, p.AudioHour, unknown)
	r.speechHour = either(over.SpeechHour, p.SpeechHour, unknown)
	r.characters = either(over.Characters, p.Characters, unknown)
	r.search = either(over.Search, p.Search, unknown)
	r.searchUnits = either(over.SearchUnits, p.SearchUnits, unknown)
}

// either is the price of a tier, else that without the tier, else the fallback. Negative prices count as zero.
func either(tier, base *int64, fallback int64) int64 {
	switch {
	case tier != nil:
		return max(*tier, 0)
	case base != nil:
		return max(*base, 0)
	}
	return fallback
}

// replaced is a number of a tier, or the one without the tier where the tier has none.
func replaced(tier, base int64) int64 {
	if tier > 0 {
		return tier
	}
	return max(base, 0)
}
