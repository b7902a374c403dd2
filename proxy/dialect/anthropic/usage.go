package anthropic

import (
	"math"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/meter"
)

// counts are the numbers of usage objects as they were reported. In a stream each report replaces the numbers that it has.
type counts struct {
	input, cacheRead, cacheWrite int64
	write5m, write1h             int64
	output, thinking             int64
	searches                     int64
	// tier, speed and region are the words for the class of service.
	tier, speed, region string
	// steps are the sums over "iterations": an answer that was made in several steps reports the last one as its whole.
	steps steps
	// odd tells that a number was negative, too large or no number, and was cut to what is possible.
	odd bool
	// seen tells that there was any number.
	seen bool
}

// steps are sums over iterations.
type steps struct{ input, cacheRead, cacheWrite, output int64 }

// read takes in the usage object that starts at data[at] and was checked.
func (c *counts) read(data []byte, at int) {
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		c.readMember(member.Name(data), data, member.Value, end)
	}
}

func (c *counts) readMember(name, data []byte, at, end int) {
	switch string(name) {
	case "input_tokens":
		c.set(&c.input, data[at:end])
	case "cache_read_input_tokens":
		c.set(&c.cacheRead, data[at:end])
	case "cache_creation_input_tokens":
		c.set(&c.cacheWrite, data[at:end])
	case "output_tokens":
		c.set(&c.output, data[at:end])
	case "cache_creation", "output_tokens_details", "server_tool_use":
		if data[at] == '{' {
			c.readDetails(data, at)
		}
	case "service_tier":
		c.tier = span{at, end}.text(data)
	case "speed":
		c.speed = span{at, end}.text(data)
	case "inference_geo":
		c.region = span{at, end}.text(data)
	case "iterations":
		if data[at] == '[' {
			c.readIterations(data, at)
		}
	}
}

func (c *counts) readDetails(data []byte, at int) {
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		switch string(member.Name(data)) {
		case "ephemeral_5m_input_tokens":
			c.set(&c.write5m, data[member.Value:end])
		case "ephemeral_1h_input_tokens":
			c.set(&c.write1h, data[member.Value:end])
		case "thinking_tokens":
			c.set(&c.thinking, data[member.Value:end])
		case "web_search_requests":
			c.set(&c.searches, data[member.Value:end])
		}
	}
}

// readIterations sums up the steps. Those of an advisor are made by another model, at another price that is not known here.
func (c *counts) readIterations(data []byte, at int) {
	c.steps = steps{}
	walk := jsonscan.WalkArray(data, at)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		if data[at] == '{' {
			walk.Resume(c.readIteration(data, at))
		}
	}
}

func (c *counts) readIteration(data []byte, at int) (int, error) {
	var step counts
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		if name := member.Name(data); string(name) == "type" {
			c.odd = c.odd || string(data[member.Value:end]) == `"advisor_message"`
		} else {
			step.readMember(name, data, member.Value, end)
		}
	}
	c.odd = c.odd || step.odd
	c.steps.input = min(c.steps.input+step.input, meter.MaxTokens)
	c.steps.cacheRead = min(c.steps.cacheRead+step.cacheRead, meter.MaxTokens)
	c.steps.cacheWrite = min(c.steps.cacheWrite+step.cacheWrite, meter.MaxTokens)
	c.steps.output = min(c.steps.output+step.output, meter.MaxTokens)
	return walk.End()
}

// set reads a number of tokens, cut to 0 and meter.MaxTokens. Fractions round up; null says nothing.
func (c *counts) set(into *int64, raw []byte) {
	if string(raw) == "null" {
		return
	}
	value, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		var float float64
		float, err = strconv.ParseFloat(string(raw), 64)
		value = int64(math.Ceil(max(-1, min(float, meter.MaxTokens+1))))
	}
	if err != nil || value < 0 || value > meter.MaxTokens {
		c.odd = true
	}
	*into, c.seen = min(max(value, 0), meter.MaxTokens), true
}

// usage is the report, normalised: Anthropic counts cached tokens beside the input, not in it. It is false when nothing was reported.
func (c *counts) usage() (meter.Usage, bool) {
	input, read := max(c.input, c.steps.input), max(c.cacheRead, c.steps.cacheRead)
	write := max(c.cacheWrite, c.steps.cacheWrite, c.write5m+c.write1h)
	output := max(c.output, c.steps.output)
	odd := c.odd
	if c.thinking > output {
		output, odd = c.thinking, true
	}
	return meter.Usage{
		Prompt: min(input+read+write, meter.MaxTokens), Cached: read, CacheWrite: min(write, meter.MaxTokens), CacheWrite1h: min(c.write1h, write),
		Completion: output, Reasoning: c.thinking, Searches: c.searches, Service: c.service(), Estimated: odd,
	}, c.seen
}

// service is the class of service. What is faster, or stays in a region, has a price of its own.
func (c *counts) service() string {
	switch {
	case c.speed != "" && c.speed != "standard":
		return dialect.ServedAs(c.speed)
	case c.region != "" && c.region != "global" && c.region != "not_available":
		return dialect.ServedAs(c.region)
	}
	return dialect.ServedAs(c.tier)
}

// appendUsage appends usage as Anthropic counts it.
func appendUsage(dst []byte, u meter.Usage) []byte {
	dst = append(dst, `{"input_tokens":`...)
	dst = strconv.AppendInt(dst, max(u.Prompt-u.Cached-u.CacheWrite, 0), 10)
	dst = append(dst, `,"cache_creation_input_tokens":`...)
	dst = strconv.AppendInt(dst, u.CacheWrite, 10)
	dst = append(dst, `,"cache_read_input_tokens":`...)
	dst = strconv.AppendInt(dst, u.Cached, 10)
	if u.CacheWrite > 0 {
		dst = append(dst, `,"cache_creation":{"ephemeral_5m_input_tokens":`...)
		dst = strconv.AppendInt(dst, u.CacheWrite-u.CacheWrite1h, 10)
		dst = append(dst, `,"ephemeral_1h_input_tokens":`...)
		dst = append(strconv.AppendInt(dst, u.CacheWrite1h, 10), '}')
	}
	dst = append(dst, `,"output_tokens":`...)
	dst = strconv.AppendInt(dst, u.Completion, 10)
	if u.Reasoning > 0 {
		dst = append(dst, `,"output_tokens_details":{"thinking_tokens":`...)
		dst = append(strconv.AppendInt(dst, u.Reasoning, 10), '}')
	}
	return append(dst, '}')
}
