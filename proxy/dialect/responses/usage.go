package responses

import (
	"encoding/json"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// wireUsage is what a call used. Cached and written tokens are part of the input, thinking is part of the output.
type wireUsage struct {
	InputTokens        count `json:"input_tokens"`
	InputTokensDetails struct {
		CachedTokens     count `json:"cached_tokens"`
		CacheWriteTokens count `json:"cache_write_tokens"`
		AudioTokens      count `json:"audio_tokens"`
	} `json:"input_tokens_details"`
	OutputTokens        count `json:"output_tokens"`
	OutputTokensDetails struct {
		ReasoningTokens count `json:"reasoning_tokens"`
		AudioTokens     count `json:"audio_tokens"`
	} `json:"output_tokens_details"`
	TotalTokens count `json:"total_tokens"`
}

// count is a number of tokens, cut to what is possible; odd tells that it was not.
type count struct {
	tokens int64
	odd    bool
}

// UnmarshalJSON reads a number. What is none counts as odd, and null as nothing.
func (c *count) UnmarshalJSON(raw []byte) error {
	tokens, believable := neutral.Number(raw).Tokens()
	c.tokens, c.odd = tokens, !believable
	return nil
}

// readUsage reads a usage object; false when it reports no tokens at all, which no call has, or is no such object.
func readUsage(raw json.RawMessage) (meter.Usage, bool) {
	var w wireUsage
	if !isObject(raw) || json.Unmarshal(raw, &w) != nil {
		return meter.Usage{}, false
	}
	u := meter.Usage{
		Prompt: w.InputTokens.tokens, Cached: w.InputTokensDetails.CachedTokens.tokens, CacheWrite: w.InputTokensDetails.CacheWriteTokens.tokens,
		PromptAudio: w.InputTokensDetails.AudioTokens.tokens, Completion: w.OutputTokens.tokens,
		Reasoning: w.OutputTokensDetails.ReasoningTokens.tokens, CompletionAudio: w.OutputTokensDetails.AudioTokens.tokens,
		Estimated: w.InputTokens.odd || w.OutputTokens.odd || w.InputTokensDetails.CachedTokens.odd || w.OutputTokensDetails.ReasoningTokens.odd,
	}
	if u.Prompt == 0 && u.Completion == 0 && w.TotalTokens.tokens == 0 && !u.Estimated {
		return meter.Usage{}, false
	}
	return normalise(u, w.TotalTokens.tokens), true
}

// normalise makes the parts fit the wholes. What the total has beyond input and output is thinking that the provider did not count as output.
func normalise(u meter.Usage, total int64) meter.Usage {
	if extra := total - u.Prompt - u.Completion; extra > 0 {
		u.Completion += extra
	}
	if parts := u.Cached + u.CacheWrite; parts > u.Prompt {
		u.Prompt += parts
		u.Estimated = true
	}
	if u.Reasoning > u.Completion {
		u.Completion += u.Reasoning
		u.Estimated = true
	}
	u.PromptAudio, u.CompletionAudio = min(u.PromptAudio, u.Prompt), min(u.CompletionAudio, u.Completion)
	u.Prompt, u.Completion = min(u.Prompt, meter.MaxTokens), min(u.Completion, meter.MaxTokens)
	return u
}

// appendUsage appends the usage object to dst; null when nothing was reported.
func appendUsage(dst []byte, u *meter.Usage) []byte {
	if u == nil {
		return append(dst, "null"...)
	}
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), u.Prompt, 10)
	dst = strconv.AppendInt(append(dst, `,"input_tokens_details":{"cached_tokens":`...), u.Cached, 10)
	dst = strconv.AppendInt(append(dst, `,"cache_write_tokens":`...), u.CacheWrite, 10)
	dst = strconv.AppendInt(append(dst, `},"output_tokens":`...), u.Completion, 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens_details":{"reasoning_tokens":`...), u.Reasoning, 10)
	dst = strconv.AppendInt(append(dst, `},"total_tokens":`...), u.Prompt+u.Completion, 10)
	return append(dst, '}')
}
