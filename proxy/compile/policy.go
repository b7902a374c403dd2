package compile

import (
	"fmt"
	"slices"
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

// Defaults and bounds of the API for what a route does with its targets.
const (
	highestMaxAttempts = 16
	highestMaxRetries  = 5
	shortestAffinity   = time.Second
	longestAffinity    = 24 * time.Hour
)

// knownKinds are all failures that the API has a word for.
func knownKinds() []table.FailureKind { return append(table.DefaultFallback().On, table.BadRequest) }

// strategy reads how targets of one priority are ordered.
func (c *complaints) strategy(spec v1alpha1.RouteStrategy) table.Strategy {
	if spec == "" {
		return table.Weighted
	}
	known := []table.Strategy{table.Weighted, table.LowestCost, table.LowestLatency, table.HighestThroughput, table.LeastInFlight}
	return word(c, table.Strategy(spec), known, "spec.strategy")
}

func (c *complaints) affinity(spec *v1alpha1.RouteAffinity) *table.Affinity {
	if spec == nil {
		return nil
	}
	known := []table.AffinityKey{table.BySession, table.ByPromptPrefix, table.ByEndUser}
	return &table.Affinity{
		By:  word(c, table.AffinityKey(spec.By), known, "spec.affinity.by"),
		TTL: c.duration(spec.TTL.Duration, 0, period{shortestAffinity, longestAffinity}, "spec.affinity.ttl"),
	}
}

func (c *complaints) fallback(spec v1alpha1.RouteFallback) table.Fallback {
	read := table.DefaultFallback()
	if spec.Failures != nil {
		read.On = c.kinds(*spec.Failures, "spec.fallback.failures")
	}
	if spec.Retry.Failures != nil {
		read.RetryOn = c.kinds(*spec.Retry.Failures, "spec.fallback.retry.failures")
	}
	read.MaxAttempts = c.small(spec.MaxAttempts, read.MaxAttempts, span{1, highestMaxAttempts}, "spec.fallback.maxAttempts")
	read.MaxRetries = c.small(spec.Retry.Max, read.MaxRetries, span{0, highestMaxRetries}, "spec.fallback.retry.max")
	read.MaxCost = c.bound(spec.MaxCost, "spec.fallback.maxCost")
	return read
}

func (c *complaints) kinds(given []v1alpha1.FailureKind, field string) []table.FailureKind {
	read := make([]table.FailureKind, 0, len(given))
	for _, kind := range given {
		read = append(read, table.FailureKind(kind))
	}
	return words(c, read, knownKinds(), field)
}

// checkOnlyFor refuses routes whose calls have no target to begin with, and targets that no failure leads to.
func (c *complaints) checkOnlyFor(route *table.Route) {
	first := false
	for i := range route.Targets {
		only := route.Targets[i].OnlyFor
		if len(only) == 0 {
			first = true
			continue
		}
		if !slices.ContainsFunc(only, route.Fallback.MovesOn) {
			c.invalid(fmt.Sprintf("spec.targets[%d].onlyFor", i), "none of these failures is in spec.fallback.failures, so no call would ever come here")
		}
	}
	if !first && len(route.Targets) > 0 {
		c.invalid("spec.targets", "every target has onlyFor, so there is none that a call can begin with")
	}
}
