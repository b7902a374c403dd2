package meter

import "math"

// Plus is the usage of two calls together. Its Service is that of the later one, v, and its ReportedCost the sum of those that are known.
func (u Usage) Plus(v Usage) Usage {
	sum := Usage{
		Prompt: add(u.Prompt, v.Prompt), Cached: add(u.Cached, v.Cached), CacheWrite: add(u.CacheWrite, v.CacheWrite),
		CacheWrite1h: add(u.CacheWrite1h, v.CacheWrite1h), PromptAudio: add(u.PromptAudio, v.PromptAudio), Completion: add(u.Completion, v.Completion),
		Reasoning: add(u.Reasoning, v.Reasoning), CompletionAudio: add(u.CompletionAudio, v.CompletionAudio), CachedAudio: add(u.CachedAudio, v.CachedAudio),
		PromptImage: add(u.PromptImage, v.PromptImage), CompletionImage: add(u.CompletionImage, v.CompletionImage), Images: add(u.Images, v.Images),
		AudioMillis: add(u.AudioMillis, v.AudioMillis), SpeechMillis: add(u.SpeechMillis, v.SpeechMillis), Characters: add(u.Characters, v.Characters),
		Searches: add(u.Searches, v.Searches), SearchUnits: add(u.SearchUnits, v.SearchUnits),
		Service: v.Service, ReportedCost: addKnown(u.ReportedCost, v.ReportedCost), Estimated: u.Estimated || v.Estimated,
	}
	return sum
}

// add adds two numbers that are not negative, and stops at the largest.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func addKnown(a, b *int64) *int64 {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	default:
		sum := add(*a, *b)
		return &sum
	}
}
