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
		ImageTokens      count `json:"image_tokens"`
	} `json:"input_tokens_details"`
	OutputTokens        count `json:"output_tokens"`
	OutputTokensDetails struct {
		ReasoningTokens count `json:"reasoning_tokens"`
		AudioTokens     count `json:"audio_tokens"`
		ImageTokens     count `json:"image_tokens"`
	} `json:"output_tokens_details"`
	TotalTokens count `json:"total_tokens"`

	Cost        json.RawMessage `json:"cost"`
	Ticks       json.RawMessage `json:"cost_in_usd_ticks"`
	OwnAccount  json.RawMessage `json:"is_byok"`
	CostDetails struct {
		Upstream json.RawMessage `json:"upstream_inference_cost"`
	} `json:"cost_details"`
	Tools struct {
		WebSearch count `json:"web_search_calls"`
		XSearch   count `json:"x_search_calls"`
	} `json:"server_side_tool_usage_details"`
}

// cost is what the provider itself says that the call cost; nil when it does not. OpenRouter charges its fee alone where the client has an account of its own at
// the provider behind it, which charges the rest.
func (w *wireUsage) cost() *int64 {
	nano, ok := meter.ReadReported(w.Cost)
	if !ok {
		nano, ok = meter.ReadTicks(w.Ticks)
	}
	if !ok {
		return nil
	}
	if string(w.OwnAccount) == "true" {
		upstream, _ := meter.ReadReported(w.CostDetails.Upstream)
		nano += upstream
	}
	return &nano
}

// count is a number of tokens, cut to what is possible; odd tells that it was not.
type count struct {
	tokens int64
	// given tells that there is one, be it zero.
	given, odd bool
}

// UnmarshalJSON reads a number. What is none counts as odd, and null as nothing.
func (c *count) UnmarshalJSON(raw []byte) error {
	tokens, believable := neutral.Number(raw).Tokens()
	c.tokens, c.odd, c.given = tokens, !believable, !isNull(raw)
	return nil
}

// readUsage reads a usage object; false when it reports no tokens at all, or is no such object. Zero is a report where it is told of input and output.
func readUsage(raw json.RawMessage) (meter.Usage, bool) {
	var w wireUsage
	if !isObject(raw) || json.Unmarshal(raw, &w) != nil {
		return meter.Usage{}, false
	}
	in, out := &w.InputTokensDetails, &w.OutputTokensDetails
	u := meter.Usage{
		Prompt: w.InputTokens.tokens, Cached: in.CachedTokens.tokens, CacheWrite: in.CacheWriteTokens.tokens, PromptAudio: in.AudioTokens.tokens,
		PromptImage: in.ImageTokens.tokens, Completion: w.OutputTokens.tokens, Reasoning: out.ReasoningTokens.tokens, CompletionAudio: out.AudioTokens.tokens,
		CompletionImage: out.ImageTokens.tokens, Searches: w.Tools.WebSearch.tokens + w.Tools.XSearch.tokens, ReportedCost: w.cost(),
	}
	for _, c := range [...]*count{&w.InputTokens, &w.OutputTokens, &w.TotalTokens, &in.CachedTokens, &in.CacheWriteTokens, &in.AudioTokens, &in.ImageTokens, &out.ReasoningTokens, &out.AudioTokens, &out.ImageTokens} {
		u.Estimated = u.Estimated || c.odd
	}
	none := u.Prompt == 0 && u.Completion == 0 && w.TotalTokens.tokens == 0
	if none && !u.Estimated && (!w.InputTokens.given || !w.OutputTokens.given) {
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
	u.Prompt, u.Completion = min(u.Prompt, meter.MaxTokens), min(u.Completion, meter.MaxTokens)
	u.PromptAudio, u.CompletionAudio = min(u.PromptAudio, u.Prompt), min(u.CompletionAudio, u.Completion)
	u.PromptImage, u.CompletionImage = min(u.PromptImage, max(u.Prompt-u.Cached, 0)), min(u.CompletionImage, u.Completion)
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

// searchesIn is how often the provider searched the web for the items of an answer. Reading a page that was found costs nothing.
func searchesIn(output []json.RawMessage) int64 {
	count := int64(0)
	for _, raw := range output {
		if isSearch(raw) {
			count++
		}
	}
	return count
}

// isSearch tells whether an item is a search of the web.
func isSearch(raw json.RawMessage) bool {
	var item struct {
		Type   string `json:"type"`
		Action struct {
			Type string `json:"type"`
		} `json:"action"`
	}
	return json.Unmarshal(raw, &item) == nil && item.Type == "web_search_call" && (item.Action.Type == "" || item.Action.Type == "search")
}
