package gemini

import (
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// counts are the numbers of a usageMetadata as they were reported.
type counts struct {
	prompt, toolUse, cached, candidates, thoughts, total int64
	promptAudio, completionAudio                         int64
	// tier is the trafficType.
	tier string
	// odd tells that a number was negative, too large or no number, and was cut to what is possible.
	odd bool
}

// readUsage reads the object "usageMetadata" at data[at] and returns the offset behind it.
func (c *counts) readUsage(data []byte, at int) (int, error) {
	*c = counts{}
	if at >= len(data) || data[at] != '{' {
		return jsonscan.Value(data, at)
	}
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		if _, err := walk.End(); err == nil {
			c.read(string(member.Name(data)), data[member.Value:end])
		}
	}
	return walk.End()
}

func (c *counts) read(name string, raw []byte) {
	switch name {
	case "promptTokenCount", "prompt_token_count":
		c.prompt = c.count(raw)
	case "toolUsePromptTokenCount", "tool_use_prompt_token_count":
		c.toolUse = c.count(raw)
	case "cachedContentTokenCount", "cached_content_token_count":
		c.cached = c.count(raw)
	case "candidatesTokenCount", "candidates_token_count":
		c.candidates = c.count(raw)
	case "thoughtsTokenCount", "thoughts_token_count":
		c.thoughts = c.count(raw)
	case "totalTokenCount", "total_token_count":
		c.total = c.count(raw)
	case "promptTokensDetails", "prompt_tokens_details":
		c.promptAudio = c.audio(raw)
	case "candidatesTokensDetails", "candidates_tokens_details":
		c.completionAudio = c.audio(raw)
	case "trafficType", "traffic_type":
		c.tier = text(raw)
	}
}

// audio is the tokens of sound in a list of tokens by modality.
func (c *counts) audio(raw []byte) int64 {
	if raw[0] != '[' {
		return 0
	}
	var sum int64
	walk := jsonscan.WalkArray(raw, 0)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		if raw[at] != '{' {
			continue
		}
		sound, count := false, int64(0)
		object := jsonscan.WalkObject(raw, at)
		for member, ok := object.Next(); ok; member, ok = object.Next() {
			end := object.Skip()
			switch value := raw[member.Value:end]; string(member.Name(raw)) {
			case "modality":
				sound = string(value) == `"AUDIO"`
			case "tokenCount", "token_count":
				count = c.count(value)
			}
		}
		walk.Resume(object.End())
		if sound {
			sum += count
		}
	}
	return sum
}

// count reads a number of tokens, cut to 0 and meter.MaxTokens.
func (c *counts) count(raw []byte) int64 {
	count, believable := neutral.Number(raw).Tokens()
	c.odd = c.odd || !believable
	return count
}

// usage is the normalised form; false when no tokens were reported, which no call has. Thoughts are not in the candidates' tokens, and results of hosted
// tools not in the prompt's. What the total has more than its parts is thinking that is told nowhere else.
func (c *counts) usage() (meter.Usage, bool) {
	if c.prompt == 0 && c.candidates == 0 && c.thoughts == 0 && c.total == 0 && !c.odd {
		return meter.Usage{}, false
	}
	prompt, completion := c.prompt+c.toolUse, c.candidates+c.thoughts
	completion += max(c.total-prompt-completion, 0)
	if c.cached > prompt {
		prompt += c.cached
		c.odd = true
	}
	prompt, completion = min(prompt, meter.MaxTokens), min(completion, meter.MaxTokens)
	return meter.Usage{
		Prompt: prompt, Cached: min(c.cached, prompt), PromptAudio: min(c.promptAudio, prompt),
		Completion: completion, Reasoning: min(c.thoughts, completion), CompletionAudio: min(c.completionAudio, completion),
		Estimated: c.odd,
	}, true
}

// serviceTier is the tier that served the call; empty for the common one.
func (c *counts) serviceTier() string {
	switch c.tier {
	case "ON_DEMAND_FLEX":
		return "flex"
	case "ON_DEMAND_PRIORITY":
		return "priority"
	}
	return ""
}

// appendUsage appends the member "usageMetadata".
func appendUsage(dst []byte, u meter.Usage) []byte {
	dst = append(key(dst, "usageMetadata"), '{')
	dst = intMember(dst, "promptTokenCount", u.Prompt)
	if u.Cached > 0 {
		dst = intMember(dst, "cachedContentTokenCount", u.Cached)
	}
	dst = intMember(dst, "candidatesTokenCount", max(u.Completion-u.Reasoning, 0))
	if u.Reasoning > 0 {
		dst = intMember(dst, "thoughtsTokenCount", u.Reasoning)
	}
	dst = intMember(dst, "totalTokenCount", u.Prompt+u.Completion)
	dst = appendModalities(dst, "promptTokensDetails", u.Prompt, u.PromptAudio)
	dst = appendModalities(dst, "candidatesTokensDetails", u.Completion-u.Reasoning, u.CompletionAudio)
	return append(dst, '}')
}

// appendModalities tells tokens by modality, where some of them are sound.
func appendModalities(dst []byte, name string, all, audio int64) []byte {
	if audio <= 0 {
		return dst
	}
	dst = append(key(dst, name), '[')
	if all > audio {
		dst = append(intMember(stringMember(append(dst, '{'), "modality", "TEXT"), "tokenCount", all-audio), '}')
	}
	dst = append(intMember(stringMember(append(comma(dst), '{'), "modality", "AUDIO"), "tokenCount", audio), '}')
	return append(dst, ']')
}
