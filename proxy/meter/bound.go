package meter

import "signalbox.dev/signalbox/proxy/table"

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
// known price.
func Bound(d *Demand, p *table.Prices) (nano int64, priced bool) {
	cost := Cost(&Usage{Prompt: d.Prompt, Completion: d.Completion}, p)
	return cost.Nano, !cost.Unpriced
}
