package compile

import (
	"fmt"
	"slices"
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

// Defaults and bounds of the API for limits.
const (
	highestRequests    = 10_000_000
	highestTokens      = 10_000_000_000
	highestConcurrency = 1_000_000
	defaultMaxWait     = time.Second
	shortestWait       = 10 * time.Millisecond
	longestWait        = time.Minute
	defaultQueue       = 100
	longestQueue       = 10_000
)

// limits reads what callers can ask for.
func (c *complaints) limits(spec []v1alpha1.RouteLimit) []table.Limit {
	var read []table.Limit
	for i := range spec {
		path := fmt.Sprintf("spec.limits[%d]", i)
		entry := c.limit(&spec[i], path)
		if slices.ContainsFunc(read, func(other table.Limit) bool { return other.Per == entry.Per }) {
			c.invalid(path+".per", fmt.Sprintf("%q is there twice", bounded(string(entry.Per))))
		}
		read = append(read, entry)
	}
	return read
}

func (c *complaints) limit(spec *v1alpha1.RouteLimit, path string) table.Limit {
	read := table.Limit{
		Per:               word(c, table.LimitScope(spec.Per), []table.LimitScope{table.PerRoute, table.PerCaller}, path+".per"),
		RequestsPerMinute: c.number(spec.RequestsPerMinute, span{1, highestRequests}, path+".requestsPerMinute"),
		TokensPerMinute:   c.number(spec.TokensPerMinute, span{1, highestTokens}, path+".tokensPerMinute"),
		Concurrency:       c.number(spec.Concurrency, span{1, highestConcurrency}, path+".concurrency"),
	}
	if spec.RequestsPerMinute == nil && spec.TokensPerMinute == nil && spec.Concurrency == nil {
		c.invalid(path, "a limit needs at least one of requestsPerMinute, tokensPerMinute and concurrency")
	}
	if queue := spec.Queue; queue != nil {
		read.MaxWait = c.duration(queue.MaxWait.Duration, defaultMaxWait, period{shortestWait, longestWait}, path+".queue.maxWait")
		read.MaxQueue = c.small(queue.MaxLength, defaultQueue, span{1, longestQueue}, path+".queue.maxLength")
	}
	return read
}
