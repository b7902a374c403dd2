package bedrock

import (
	"encoding/json"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// wireUsage is Converse's report. inputTokens are those that were neither read from the cache nor written to it.
type wireUsage struct {
	Input      json.RawMessage `json:"inputTokens"`
	Output     json.RawMessage `json:"outputTokens"`
	CacheRead  json.RawMessage `json:"cacheReadInputTokens"`
	CacheWrite json.RawMessage `json:"cacheWriteInputTokens"`
	Details    []struct {
		Tokens json.RawMessage `json:"inputTokens"`
		TTL    string          `json:"ttl"`
	} `json:"cacheDetails"`
}

// normalise makes the parts lie inside their wholes; nil when there is nothing in the report.
func (u *wireUsage) normalise() *meter.Usage {
	if u == nil || u.Input == nil && u.Output == nil {
		return nil
	}
	believable := true
	count := func(raw json.RawMessage) int64 {
		tokens, ok := neutral.Number(raw).Tokens()
		believable = believable && ok
		return tokens
	}
	usage := meter.Usage{Cached: count(u.CacheRead), CacheWrite: count(u.CacheWrite), Completion: count(u.Output)}
	written := int64(0)
	for _, detail := range u.Details {
		tokens := count(detail.Tokens)
		written = min(written+tokens, meter.MaxTokens)
		if detail.TTL == "1h" {
			usage.CacheWrite1h = min(usage.CacheWrite1h+tokens, meter.MaxTokens)
		}
	}
	usage.CacheWrite = max(usage.CacheWrite, min(written, meter.MaxTokens))
	usage.CacheWrite1h = min(usage.CacheWrite1h, usage.CacheWrite)
	usage.Prompt = min(count(u.Input)+usage.Cached+usage.CacheWrite, meter.MaxTokens)
	usage.Estimated = !believable || usage.Cached+usage.CacheWrite > meter.MaxTokens
	return &usage
}
