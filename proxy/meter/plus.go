package meter

import "math"

// Plus is the usage of two calls together. Its Service is that of the later one, v, and its ReportedCost the sum of those that are known.
func (u Usage) Plus(v Usage) Usage {
	sum := Usage{
		Prompt: AddSaturating(u.Prompt, v.Prompt), Cached: AddSaturating(u.Cached, v.Cached), CacheWrite: AddSaturating(u.CacheWrite, v.CacheWrite),
		CacheWrite1h: AddSaturating(u.CacheWrite1h, v.CacheWrite1h), PromptAudio: AddSaturating(u.PromptAudio, v.PromptAudio), Completion: AddSaturating(u.Completion, v.Completion),
		Reasoning: AddSaturating(u.Reasoning, v.Reasoning), CompletionAudio: AddSaturating(u.CompletionAudio, v.CompletionAudio), CachedAudio: AddSaturating(u.CachedAudio, v.CachedAudio),
		PromptImage: AddSaturating(u.PromptImage, v.PromptImage), CompletionImage: AddSaturating(u.CompletionImage, v.CompletionImage), Images: AddSaturating(u.Images, v.Images),
		AudioMillis: AddSaturating(u.AudioMillis, v.AudioMillis), SpeechMillis: AddSaturating(u.SpeechMillis, v.SpeechMillis), Characters: AddSaturating(u.Characters, v.Characters),
		Searches: AddSaturating(u.Searches, v.Searches), SearchUnits: AddSaturating(u.SearchUnits, v.SearchUnits),
		Service: v.Service, ReportedCost: addKnown(u.ReportedCost, v.ReportedCost), Estimated: u.Estimated || v.Estimated,
	}
	return sum
}

// AddSaturating adds two numbers that are not negative, and stops at the largest.
func AddSaturating(a, b int64) int64 {
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
		sum := AddSaturating(*a, *b)
		return &sum
	}
}
