package openai

import (
	"math"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/meter"
)

// counts are the numbers of a usage object as they were reported.
type counts struct {
	prompt, completion, total int64
	cached, cacheWrite        int64
	reasoning                 int64
	// promptAudio and completionAudio are the parts of prompt and completion that were sound.
	promptAudio, completionAudio int64
	// split tells that prompt or completion tokens were given, not only a total.
	split bool
	// odd tells that a number was negative, too large or no number, and was cut to what is possible.
	odd bool
}

// readUsage reads the usage object that starts at data[at] and was checked. It returns false when it reports no tokens at all, which no call has.
func readUsage(data []byte, at int) (meter.Usage, bool) {
	var c counts
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		c.read(member.Name(data), data, member.Value, end)
	}
	if c.prompt == 0 && c.completion == 0 && c.total == 0 && !c.odd {
		return meter.Usage{}, false
	}
	return c.normalise(), true
}

// read takes in one member. Names differ by dialect: hit tokens are DeepSeek's, a bare cached_tokens is Moonshot's, input and output are of newer APIs.
func (c *counts) read(name, data []byte, at, end int) {
	raw := data[at:end]
	switch string(name) {
	case "prompt_tokens", "input_tokens":
		c.prompt, c.split = c.count(raw), true
	case "completion_tokens", "output_tokens":
		c.completion, c.split = c.count(raw), true
	case "total_tokens":
		c.total = c.count(raw)
	case "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens":
		c.cached = max(c.cached, c.count(raw))
	case "cache_creation_input_tokens":
		c.cacheWrite = max(c.cacheWrite, c.count(raw))
	case "prompt_tokens_details", "input_tokens_details":
		c.details(data, at, c.promptDetail)
	case "completion_tokens_details", "output_tokens_details":
		c.details(data, at, c.completionDetail)
	}
}

// details reads the members of the object at data[at].
func (c *counts) details(data []byte, at int, read func(name, raw []byte)) {
	if data[at] != '{' {
		return
	}
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		read(member.Name(data), data[member.Value:end])
	}
}

func (c *counts) promptDetail(name, raw []byte) {
	switch string(name) {
	case "cached_tokens":
		c.cached = max(c.cached, c.count(raw))
	case "cache_write_tokens", "cache_creation_tokens":
		c.cacheWrite = max(c.cacheWrite, c.count(raw))
	case "audio_tokens":
		c.promptAudio = c.count(raw)
	}
}

func (c *counts) completionDetail(name, raw []byte) {
	switch string(name) {
	case "reasoning_tokens":
		c.reasoning = max(c.reasoning, c.count(raw))
	case "audio_tokens":
		c.completionAudio = c.count(raw)
	}
}

// count reads a number of tokens, cut to 0 and meter.MaxTokens. Fractions round up.
func (c *counts) count(raw []byte) int64 {
	if string(raw) == "null" {
		return 0
	}
	value, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		value, err = fraction(raw)
	}
	if err != nil || value < 0 || value > meter.MaxTokens {
		c.odd = true
	}
	return min(max(value, 0), meter.MaxTokens)
}

// fraction reads a number that is not a plain integer, or not of 64 bits.
func fraction(raw []byte) (int64, error) {
	value, err := strconv.ParseFloat(string(raw), 64)
	switch {
	case value > meter.MaxTokens:
		return meter.MaxTokens + 1, nil
	case err != nil:
		return 0, err
	case value < 0:
		return -1, nil
	}
	return int64(math.Ceil(value)), nil
}

// normalise makes the parts lie inside their wholes. Providers differ in what they leave out: what the total has more is reasoning that is not in the
// completion (xAI), cached tokens that are not in the prompt, or thinking that is reported nowhere else (Google), which is billed as completion.
func (c *counts) normalise() meter.Usage {
	if !c.split {
		c.prompt = c.total
	}
	switch extra := c.total - c.prompt - c.completion; {
	case extra <= 0:
	case (extra == c.cached || extra == c.cached+c.cacheWrite) && extra != c.reasoning:
		c.prompt += extra
	default:
		c.completion += extra
	}
	if c.cached > c.prompt {
		c.prompt += c.cached
		c.odd = true
	}
	if c.cacheWrite > c.prompt-c.cached {
		c.prompt += c.cacheWrite
		c.odd = true
	}
	if c.reasoning > c.completion {
		c.completion += c.reasoning
		c.odd = true
	}
	prompt, completion := min(c.prompt, meter.MaxTokens), min(c.completion, meter.MaxTokens)
	return meter.Usage{
		Prompt: prompt, Cached: c.cached, CacheWrite: min(c.cacheWrite, prompt-c.cached), PromptAudio: min(c.promptAudio, prompt),
		Completion: completion, Reasoning: c.reasoning, CompletionAudio: min(c.completionAudio, completion),
		Estimated: c.odd,
	}
}
