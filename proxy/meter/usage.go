package meter

// MaxTokens is the largest number of tokens that one call is believed to have used. Larger reports count as none.
const MaxTokens = 1 << 30

// bytesPerToken is low on purpose: common tokenizers make one token of about four bytes of English and of about three bytes of most other scripts.
const bytesPerToken = 3

// Usage is what one call used, in tokens where nothing else is said. It is normalised: Cached, CacheWrite, PromptAudio and PromptImage are contained in Prompt,
// Reasoning, CompletionAudio and CompletionImage in Completion, however the provider counts.
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
	// CachedAudio is the part of PromptAudio that is in Cached, too.
	CachedAudio int64
	// PromptImage is the part of Prompt that was images, none of it in Cached.
	PromptImage int64
	// CompletionImage is the part of Completion that was images.
	CompletionImage int64
	// Images that were made; those who charge their tokens have no price by the piece.
	Images int64
	// AudioMillis is the length of the sound that was heard, and SpeechMillis that of the sound that was made, in milliseconds, where they are known.
	AudioMillis, SpeechMillis int64
	// Characters that were spoken.
	Characters int64
	// Searches that the provider made in the web.
	Searches int64
	// SearchUnits of reranking, as Cohere counts them.
	SearchUnits int64
	// Service is the class of service that the provider says it gave, in lower case, such as "flex" and "priority"; empty for its usual one.
	Service string
	// ReportedCost is what the provider itself says that the call cost, in nano-dollars; nil if it does not say. Only aggregators do.
	ReportedCost *int64
	// Estimated tells that at least one of the numbers was not measured by the provider, or was not believable.
	Estimated bool
}

// AtLeast raises Prompt and Completion to those of floor, and takes over a length of sound where there is none. It repairs a report that was not believable with
// what was seen on the wire.
func (u Usage) AtLeast(floor Usage) Usage {
	if u.AudioMillis == 0 {
		u.AudioMillis = floor.AudioMillis
	}
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
