package meter

import "signalbox.dev/signalbox/proxy/table"

// ServiceAuto lets the provider choose the class of service.
const ServiceAuto = "auto"

// Demand is the most that a call can use, as its request and the limits of its model say. It is what a reservation is priced from.
type Demand struct {
	// Prompt is the most tokens that the prompt can have.
	Prompt int64
	// Completion is the most tokens that all choices together can have: the output limit that is sent.
	Completion int64
	// WritesCache tells that the provider may write the prompt into its cache, and WritesCache1h that it may keep it for an hour.
	WritesCache, WritesCache1h bool
	// PromptAudio, PromptImage, CompletionAudio and CompletionImage tell that tokens of that kind can occur.
	PromptAudio, PromptImage, CompletionAudio, CompletionImage bool
	// Images that can be made.
	Images int64
	// AudioMillis is the most sound that can be heard, SpeechMillis that can be made, in milliseconds.
	AudioMillis, SpeechMillis int64
	// Characters that can be spoken.
	Characters int64
	// Searches that the provider can make.
	Searches int64
	// SearchUnits of reranking.
	SearchUnits int64
	// Service that the request asks for, in lower case; with "auto" any of the model's services can be charged.
	Service string
}

// Bound is the most that a call within a demand can cost, in nano-dollars: Cost of any usage within it is not above. priced is false when a part of it has no
// known price. A provider may always serve in its usual class in place of the one that was asked for.
func Bound(d *Demand, p *table.Prices) (nano int64, priced bool) {
	nano, priced = boundOfClass(d, p)
	switch asked, known := serviceOf(d.Service, p); {
	case d.Service == ServiceAuto:
		for i := range p.Services {
			of, ok := boundOfClass(d, &p.Services[i].Prices)
			nano, priced = max(nano, of), priced && ok
		}
	case asked != p:
		of, ok := boundOfClass(d, asked)
		nano, priced = max(nano, of), priced && ok
	default:
		priced = priced && known
	}
	return nano, priced
}

// boundOfClass is the bound in one class of service. A prompt may end in any tier below its longest, and a lower tier may be the dearer one, so that each is
// tried with the longest prompt that it has.
func boundOfClass(d *Demand, class *table.Prices) (nano int64, priced bool) {
	nano, priced = boundOfTier(d, class, nil)
	for i := range class.Tiers {
		if tier := &class.Tiers[i]; d.Prompt > tier.Above {
			of, ok := boundOfTier(d, class, tier)
			nano, priced = max(nano, of), priced && ok
		}
	}
	return nano, priced
}

func boundOfTier(d *Demand, class *table.Prices, tier *table.PriceTier) (nano int64, priced bool) {
	var r rates
	r.set(class, tier)
	var sum total
	sum.add(longestIn(d.Prompt, class, tier), r.dearestPrompt(d), perMillion)
	sum.add(d.Completion, r.dearestCompletion(d), perMillion)
	sum.pieces(&Usage{
		Images: d.Images, AudioMillis: d.AudioMillis, SpeechMillis: d.SpeechMillis, Characters: d.Characters, Searches: d.Searches, SearchUnits: d.SearchUnits,
	}, &r)
	return sum.nano(), !sum.unpriced
}

// longestIn is the longest prompt within the demand that a tier has: up to the next threshold. nil is what lies below all tiers.
func longestIn(prompt int64, class *table.Prices, tier *table.PriceTier) int64 {
	for i := range class.Tiers {
		if above := class.Tiers[i].Above; tier == nil || above > tier.Above {
			prompt = min(prompt, above)
		}
	}
	return prompt
}

// dearestPrompt is the highest price that a token of the prompt can have. Providers read from their caches unasked.
func (r *rates) dearestPrompt(d *Demand) int64 {
	price := max(r.input, r.cached)
	if d.WritesCache || d.WritesCache1h {
		price = max(price, r.cacheWrite)
	}
	if d.WritesCache1h {
		price = max(price, r.cacheWrite1h)
	}
	if d.PromptAudio {
		price = max(price, r.inputAudio, r.cachedAudio)
	}
	if d.PromptImage {
		price = max(price, r.inputImage)
	}
	return price
}

// dearestCompletion is the highest price that a token of the completion can have. Models may think unasked.
func (r *rates) dearestCompletion(d *Demand) int64 {
	price := max(r.output, r.reasoning)
	if d.CompletionAudio {
		price = max(price, r.outputAudio)
	}
	if d.CompletionImage {
		price = max(price, r.outputImage)
	}
	return price
}

// FitCompletion is the largest number of completion tokens, up to that of the demand, with which its bound is at most nano; 0 when there is none, or when a part
// of it has no known price.
func FitCompletion(d *Demand, p *table.Prices, nano int64) int64 {
	tried := *d
	fits := func(completion int64) bool {
		tried.Completion = completion
		bound, priced := Bound(&tried, p)
		return priced && bound <= nano
	}
	if !fits(0) {
		return 0
	}
	// The bound never falls when the completion grows.
	low, high := int64(0), max(d.Completion, 0)
	for low < high {
		middle := high - (high-low)/2
		if fits(middle) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}
