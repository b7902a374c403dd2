package gemini

import (
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// counts are the numbers of a usageMetadata as they were reported.
type counts struct {
	prompt, toolUse, cached, candidates, thoughts, total int64
	// inside, cachedInside and made are the tokens by modality of prompt, cached and candidates.
	inside, cachedInside, made modalities
	// given tells that there are tokens of the prompt and in total, be they zero.
	given, summed bool
	// tier is the trafficType.
	tier string
	// odd tells that a number was negative, too large or no number, and was cut to what is possible.
	odd bool
}

// modalities are the tokens that are sound and images.
type modalities struct{ audio, image int64 }

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
		c.prompt, c.given = c.count(raw), !isNull(raw)
	case "toolUsePromptTokenCount", "tool_use_prompt_token_count":
		c.toolUse = c.count(raw)
	case "cachedContentTokenCount", "cached_content_token_count":
		c.cached = c.count(raw)
	case "candidatesTokenCount", "candidates_token_count":
		c.candidates = c.count(raw)
	case "thoughtsTokenCount", "thoughts_token_count":
		c.thoughts = c.count(raw)
	case "totalTokenCount", "total_token_count":
		c.total, c.summed = c.count(raw), !isNull(raw)
	case "promptTokensDetails", "prompt_tokens_details":
		c.inside = c.modalities(raw)
	case "cacheTokensDetails", "cache_tokens_details":
		c.cachedInside = c.modalities(raw)
	case "candidatesTokensDetails", "candidates_tokens_details":
		c.made = c.modalities(raw)
	case "trafficType", "traffic_type":
		c.tier = text(raw)
	}
}

// modalities are the tokens of sound and images in a list of tokens by modality.
func (c *counts) modalities(raw []byte) modalities {
	var sums modalities
	if raw[0] != '[' {
		return sums
	}
	walk := jsonscan.WalkArray(raw, 0)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		if raw[at] != '{' {
			continue
		}
		kind, count := "", int64(0)
		object := jsonscan.WalkObject(raw, at)
		for member, ok := object.Next(); ok; member, ok = object.Next() {
			end := object.Skip()
			switch value := raw[member.Value:end]; string(member.Name(raw)) {
			case "modality":
				kind = string(value)
			case "tokenCount", "token_count":
				count = c.count(value)
			}
		}
		walk.Resume(object.End())
		switch kind {
		case `"AUDIO"`:
			sums.audio = min(sums.audio+count, meter.MaxTokens)
		case `"IMAGE"`:
			sums.image = min(sums.image+count, meter.MaxTokens)
		}
	}
	return sums
}

// count reads a number of tokens, cut to 0 and meter.MaxTokens.
func (c *counts) count(raw []byte) int64 {
	count, believable := neutral.Number(raw).Tokens()
	c.odd = c.odd || !believable
	return count
}

// usage is the normalised form; false when no tokens were reported. Zero is a report where it is told of the prompt and in total. Thoughts are not in the candidates' tokens, and results of hosted
// tools not in the prompt's. What the total has more than its parts is thinking that is told nowhere else.
func (c *counts) usage() (meter.Usage, bool) {
	if c.prompt == 0 && c.candidates == 0 && c.thoughts == 0 && c.total == 0 && !c.odd && (!c.given || !c.summed) {
		return meter.Usage{}, false
	}
	prompt, completion := c.prompt+c.toolUse, c.candidates+c.thoughts
	completion += max(c.total-prompt-completion, 0)
	if c.cached > prompt {
		prompt += c.cached
		c.odd = true
	}
	prompt, completion = min(prompt, meter.MaxTokens), min(completion, meter.MaxTokens)
	cached, sound := min(c.cached, prompt), min(c.inside.audio, prompt)
	return meter.Usage{
		Prompt: prompt, Cached: cached, PromptAudio: sound, CachedAudio: min(c.cachedInside.audio, sound, cached),
		PromptImage: min(max(c.inside.image-c.cachedInside.image, 0), prompt-cached),
		Completion:  completion, Reasoning: min(c.thoughts, completion), CompletionAudio: min(c.made.audio, completion),
		CompletionImage: min(c.made.image, completion), Estimated: c.odd,
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
	dst = appendModalities(dst, "promptTokensDetails", u.Prompt, modalities{audio: u.PromptAudio, image: u.PromptImage})
	dst = appendModalities(dst, "candidatesTokensDetails", u.Completion-u.Reasoning, modalities{audio: u.CompletionAudio, image: u.CompletionImage})
	return append(dst, '}')
}

// appendModalities tells tokens by modality, where some of them are no text.
func appendModalities(dst []byte, name string, all int64, of modalities) []byte {
	if of == (modalities{}) {
		return dst
	}
	dst = append(key(dst, name), '[')
	for _, m := range [...]struct {
		name  string
		count int64
	}{{"TEXT", all - of.audio - of.image}, {"AUDIO", of.audio}, {"IMAGE", of.image}} {
		if m.count > 0 {
			dst = append(intMember(stringMember(append(comma(dst), '{'), "modality", m.name), "tokenCount", m.count), '}')
		}
	}
	return append(dst, ']')
}

// searchesIn is how often Google searched for candidates: for Gemini 3 each query is charged, for older models each answer that has any.
func searchesIn(candidates []candidate, model string) int64 {
	total := int64(0)
	for i := range candidates {
		grounding := candidates[i].grounding
		if !isObject(grounding) {
			continue
		}
		queries := int64(0)
		_ = eachMember(grounding, "", func(name string, value []byte) error {
			if name == "webSearchQueries" && value[0] == '[' {
				queries = int64(len(listed(value)))
			}
			return nil
		})
		if !versionOf(model).from(3, 0) {
			queries = min(queries, 1)
		}
		total += queries
	}
	return total
}
