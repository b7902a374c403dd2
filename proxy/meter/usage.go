package meter

// MaxTokens is the largest number of tokens that one call is believed to have used. Larger reports are cut to it.
const MaxTokens = 1 << 30

// bytesPerToken is low on purpose: common tokenizers make one token of about four bytes of English and of about three bytes of most other scripts.
const bytesPerToken = 3

// Usage is what one call used, in tokens. It is normalised: Cached, CacheWrite and PromptAudio are contained in Prompt, Reasoning and CompletionAudio in
// Completion, however the provider counts.
type Usage struct {
	// Prompt tokens, those read from a cache included.
	Prompt int64
	// Cached is the part of Prompt that the provider read from its prompt cache.
	Cached int64
	// CacheWrite is the part of Prompt that the provider wrote into its prompt cache, none of it in Cached.
	CacheWrite int64
	// CacheWrite1h is the part of CacheWrite that is kept for an hour rather than for minutes.
	CacheWrite1h int64
	// PromptAudio is the part of Prompt that was sound.
	PromptAudio int64
	// Completion tokens, reasoning included.
	Completion int64
	// Reasoning is the part of Completion that was reasoning, where the provider says so.
	Reasoning int64
	// CompletionAudio is the part of Completion that was sound.
	CompletionAudio int64
	// Estimated tells that at least one of the numbers was not measured by the provider, or was not believable.
	Estimated bool
}

// AtLeast raises Prompt and Completion to those of floor. It repairs a report that was not believable with what was seen on the wire.
func (u Usage) AtLeast(floor Usage) Usage {
	u.Prompt = max(u.Prompt, floor.Prompt)
	u.Completion = max(u.Completion, floor.Completion)
	return u
}

// EstimateUsage is the usage of a call whose provider reported none. promptBytes is the size of the request's body, outputBytes the size of the text that
// came back and outputEvents the number of stream events that carried text, 0 without a stream; an event carries at least one token. The estimate tends
// to be too high and is never zero.
func EstimateUsage(promptBytes, outputBytes, outputEvents int64) Usage {
	return Usage{
		Prompt:     max(1, tokensOf(promptBytes)),
		Completion: max(tokensOf(outputBytes), min(outputEvents, MaxTokens), 0),
		Estimated:  true,
	}
}

// tokensOf rounds up.
func tokensOf(bytes int64) int64 {
	if bytes <= 0 {
		return 0
	}
	return min((bytes-1)/bytesPerToken+1, MaxTokens)
}
