package openai

import (
	"strconv"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/meter"
)

// appendUsage appends the object "usage" with what the flavor has beside the counts. The details always have their numbers, for strict clients need them.
func appendUsage(dst []byte, u meter.Usage, o *dialect.Exchange) []byte {
	dst = appendInteger(append(dst, '{'), "prompt_tokens", u.Prompt)
	dst = appendInteger(dst, "completion_tokens", u.Completion)
	dst = appendInteger(dst, "total_tokens", u.Prompt+u.Completion)
	dst = appendPromptDetails(appendKey(dst, "prompt_tokens_details"), u)
	dst = appendCompletionDetails(appendKey(dst, "completion_tokens_details"), u)
	dst = appendFlavorUsage(dst, u, o)
	return append(dst, '}')
}

func appendPromptDetails(dst []byte, u meter.Usage) []byte {
	dst = appendInteger(append(dst, '{'), "cached_tokens", u.Cached)
	if u.CacheWrite > 0 {
		dst = appendInteger(dst, "cache_write_tokens", u.CacheWrite)
	}
	return append(appendInteger(dst, "audio_tokens", u.PromptAudio), '}')
}

func appendCompletionDetails(dst []byte, u meter.Usage) []byte {
	dst = appendInteger(append(dst, '{'), "reasoning_tokens", u.Reasoning)
	return append(appendInteger(dst, "audio_tokens", u.CompletionAudio), '}')
}

// appendFlavorUsage appends the cost where it is known, and OpenRouter's and Groq's own members.
func appendFlavorUsage(dst []byte, u meter.Usage, o *dialect.Exchange) []byte {
	if nano, ok := o.CostOf(u); ok {
		dst = appendRaw(dst, "cost", meter.FormatUSD(nano))
	}
	switch o.Flavor {
	case dialect.OpenRouterFlavor:
		dst = appendRaw(dst, "is_byok", "false")
		dst = appendCostDetails(dst, u, o)
	case dialect.GroqFlavor:
		dst = appendTiming(dst, o)
	case dialect.OpenAIFlavor:
	}
	return dst
}

// appendCostDetails appends how the cost is made up by the prices, where these are known: strict clients take no details without their sums. The first member is
// what OpenRouter's users pay to a provider of their own beside OpenRouter.
func appendCostDetails(dst []byte, u meter.Usage, o *dialect.Exchange) []byte {
	u.ReportedCost, u.Estimated = nil, false
	whole, priced := o.CostOf(u)
	if !priced {
		return dst
	}
	u.Completion, u.Reasoning, u.CompletionAudio, u.CompletionImage = 0, 0, 0, 0
	prompt, _ := o.CostOf(u)
	dst = append(appendKey(dst, "cost_details"), `{"upstream_inference_cost":null`...)
	dst = appendRaw(dst, "upstream_inference_prompt_cost", meter.FormatUSD(prompt))
	dst = appendRaw(dst, "upstream_inference_completions_cost", meter.FormatUSD(whole-prompt))
	return append(dst, '}')
}

// appendTiming appends Groq's times in seconds.
func appendTiming(dst []byte, o *dialect.Exchange) []byte {
	if o.Timing == nil {
		return dst
	}
	t := o.Timing()
	dst = appendSeconds(dst, "queue_time", t.Queue)
	dst = appendSeconds(dst, "prompt_time", t.Prompt)
	dst = appendSeconds(dst, "completion_time", t.Completion)
	return appendSeconds(dst, "total_time", t.Prompt+t.Completion)
}

func appendSeconds(dst []byte, name string, d time.Duration) []byte {
	return strconv.AppendFloat(appendKey(dst, name), d.Seconds(), 'f', -1, 64)
}
