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
	// write5m and write1h are what was written into the cache by how long it is kept.
	write5m, write1h int64
	reasoning        int64
	// promptAudio, cachedAudio and completionAudio are the parts of prompt, cached and completion that were sound, promptImage and completionImage images.
	promptAudio, cachedAudio, completionAudio int64
	promptImage, completionImage              int64
	searches, millis                          int64
	cost                                      cost
	// told tells that something was used. given, answered and summed tell that there are tokens of the prompt, of the completion, and a total, be they zero.
	told, given, answered, summed bool
	// odd tells that a number was negative, too large or no number, and was cut to what is possible.
	odd bool
}

// cost is what the provider says that the call cost.
type cost struct {
	// charged by the provider, and by the one behind it where the client has an account of its own there, in nano-dollars.
	charged, upstream int64
	// told tells that the provider says so, and own that there is an account of its own.
	told, own bool
}

// readUsage reads the usage object that starts at data[at] and was checked. It returns false when it reports nothing that is charged. Zero is a
// report where it is told of all tokens.
func readUsage(data []byte, at int) (meter.Usage, bool) {
	var c counts
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		c.read(member.Name(data), data, member.Value, end)
	}
	if !c.told && !c.odd && (!c.given || !c.answered && !c.summed) {
		return meter.Usage{}, false
	}
	return c.normalise(), true
}

// read takes in one member. Names differ by dialect: hit tokens are DeepSeek's, a bare cached_tokens is Moonshot's, input and output are of newer APIs.
func (c *counts) read(name, data []byte, at, end int) {
	raw := data[at:end]
	switch string(name) {
	case "prompt_tokens", "input_tokens":
		c.prompt = c.report(raw, &c.given)
	case "completion_tokens", "output_tokens":
		c.completion = c.report(raw, &c.answered)
	case "total_tokens":
		c.total = c.report(raw, &c.summed)
	case "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens":
		c.cached = max(c.cached, c.count(raw))
	case "cache_creation_input_tokens":
		c.cacheWrite = max(c.cacheWrite, c.count(raw))
	case "prompt_tokens_details", "input_tokens_details", "input_token_details":
		c.details(data, at, c.promptDetail)
	case "completion_tokens_details", "output_tokens_details", "output_token_details":
		c.details(data, at, c.completionDetail)
	default:
		c.readOther(string(name), data, at, end)
	}
}

// readOther takes in what is no count of OpenAI's tokens: how often the provider searched, how long a sound is, what the call cost, and llama.cpp's timings.
func (c *counts) readOther(name string, data []byte, at, end int) {
	raw := data[at:end]
	switch name {
	case "server_tool_use", "server_tool_use_details", "server_side_tool_usage_details":
		c.details(data, at, c.toolDetail)
	case "num_search_queries", "num_sources_used":
		c.searches = max(c.searches, c.count(raw))
	case "seconds", "prompt_audio_seconds":
		c.readSeconds(raw, name == "seconds")
	case "cache_creation":
		c.details(data, at, c.writeDetail)
	case "prompt_n":
		c.prompt += c.report(raw, &c.given)
	case "cache_n":
		c.cached = c.count(raw)
		c.prompt += c.cached
	case "predicted_n":
		c.completion = c.report(raw, &c.answered)
	default:
		c.readCost(name, data, at, end)
	}
}

// readCost takes in what the provider says that the call cost.
func (c *counts) readCost(name string, data []byte, at, end int) {
	raw := data[at:end]
	switch name {
	case "cost":
		c.charge(&c.cost.charged, raw, meter.ReadReported)
	case "cost_in_usd_ticks":
		c.charge(&c.cost.charged, raw, meter.ReadTicks)
	case "is_byok":
		c.cost.own = string(raw) == "true"
	case "cost_details":
		c.details(data, at, func(name, raw []byte) {
			if string(name) == "upstream_inference_cost" && raw[0] != 'n' {
				c.cost.upstream, _ = meter.ReadReported(raw)
			}
		})
	}
}

// charge reads a cost. What is not believable is not told; an object or null tells nothing.
func (c *counts) charge(into *int64, raw []byte, read func([]byte) (int64, bool)) {
	if !isNumber(raw) {
		return
	}
	*into, c.cost.told = read(raw)
}

// readSeconds reads a length of time in seconds.
func (c *counts) readSeconds(raw []byte, report bool) {
	if raw[0] == 'n' {
		return
	}
	millis, believable := secondsOf(raw)
	c.odd = c.odd || !believable
	c.millis, c.told = millis, c.told || report
}

// secondsOf reads seconds as milliseconds, rounded up, cut to what is possible.
func secondsOf(raw []byte) (millis int64, believable bool) {
	value, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || value != value {
		return 0, false
	}
	return int64(math.Ceil(min(max(value*1000, 0), meter.MaxTokens))), value >= 0 && value*1000 <= meter.MaxTokens
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
	case "image_tokens":
		c.promptImage = c.count(raw)
	case "cached_tokens_details":
		c.details(raw, 0, func(name, raw []byte) {
			if string(name) == "audio_tokens" {
				c.cachedAudio = c.count(raw)
			}
		})
	case "cache_creation", "cache_creation_token_details":
		c.details(raw, 0, c.writeDetail)
	}
}

func (c *counts) writeDetail(name, raw []byte) {
	switch string(name) {
	case "ephemeral_5m_input_tokens":
		c.write5m = c.count(raw)
	case "ephemeral_1h_input_tokens":
		c.write1h = c.count(raw)
	}
}

func (c *counts) completionDetail(name, raw []byte) {
	switch string(name) {
	case "reasoning_tokens":
		c.reasoning = max(c.reasoning, c.count(raw))
	case "audio_tokens":
		c.completionAudio = c.count(raw)
	case "image_tokens":
		c.completionImage = c.count(raw)
	}
}

// toolDetail takes in how often a hosted tool was used.
func (c *counts) toolDetail(name, raw []byte) {
	switch string(name) {
	case "web_search_requests", "web_search_calls", "x_search_calls":
		c.searches = min(c.searches+c.count(raw), meter.MaxTokens)
	}
}

// report reads a number of tokens, and notes that there is one.
func (c *counts) report(raw []byte, there *bool) int64 {
	count := c.count(raw)
	*there = *there || raw[0] != 'n'
	c.told = c.told || count > 0
	return count
}

// count reads a number of tokens; 0 stands for what is not believable, which is odd. Fractions round up.
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
		return 0
	}
	return value
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
	switch {
	case !c.given && !c.answered:
		c.prompt = c.total
	case !c.summed && c.given != c.answered:
		c.odd = true // Half of it is not known, which is not nothing.
	}
	switch extra := c.total - c.prompt - c.completion; {
	case extra <= 0:
	case (extra == c.cached || extra == c.cached+c.cacheWrite) && extra != c.reasoning:
		c.prompt += extra
	default:
		c.completion += extra
	}
	c.fitPrompt()
	if c.reasoning > c.completion {
		c.completion += c.reasoning
		c.odd = true
	}
	prompt, completion := min(c.prompt, meter.MaxTokens), min(c.completion, meter.MaxTokens)
	written := min(c.cacheWrite, prompt-c.cached)
	sound := min(c.promptAudio, prompt)
	return meter.Usage{
		Prompt: prompt, Cached: c.cached, CacheWrite: written, CacheWrite1h: min(c.write1h, written), PromptAudio: sound,
		CachedAudio: min(c.cachedAudio, sound, c.cached), PromptImage: min(c.promptImage, prompt-c.cached),
		Completion: completion, Reasoning: c.reasoning, CompletionAudio: min(c.completionAudio, completion), CompletionImage: min(c.completionImage, completion),
		AudioMillis: c.millis, Searches: c.searches, ReportedCost: c.cost.total(), Estimated: c.odd,
	}
}

// fitPrompt makes the parts of the prompt lie inside of it.
func (c *counts) fitPrompt() {
	c.cacheWrite = max(c.cacheWrite, min(c.write5m+c.write1h, meter.MaxTokens))
	if c.cached > c.prompt {
		c.prompt += c.cached
		c.odd = true
	}
	if c.cacheWrite > c.prompt-c.cached {
		c.prompt += c.cacheWrite
		c.odd = true
	}
}

// total is the whole cost, in nano-dollars; nil when the provider does not tell it. OpenRouter charges its fee alone where the client has an account of its own
// at the provider behind it, which charges the rest.
func (c *cost) total() *int64 {
	if !c.told {
		return nil
	}
	total := c.charged
	if c.own {
		total += c.upstream
	}
	return &total
}
