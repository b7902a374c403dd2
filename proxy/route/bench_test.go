package route

import (
	"strconv"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// twenty is a router of 20 targets of one priority, which is the dearest arrangement of them.
func twenty(strategy table.Strategy) *Router {
	var targets []Target
	for i := range 20 {
		pace := i * 7 % 20
		targets = append(targets, at("t"+strconv.Itoa(i), weight(int32(i+1)), provider("OpenAI"), seen(func(v *health.View) {
			*v = health.View{
				Ramp: 1000, FirstToken: time.Duration(100+pace) * time.Millisecond, Answer: time.Second, TokensPerSecond: float64(50 + pace),
				Samples: 10, InFlight: int64(i % 3), OutputTokens: 300, Headroom: health.Headroom{Requests: 100, Tokens: 1e6},
			}
		}), priced(table.Prices{Input: int64(1+pace) * 1e8, CachedInput: 1e7, Output: 1e9})))
	}
	r := &table.Route{Strategy: strategy}
	if strategy == "" {
		r.Affinity = &table.Affinity{By: table.BySession}
	}
	return NewRouter(r, targets, NewMemory())
}

// BenchmarkOrder20 orders 20 targets by each strategy, and by affinity.
func BenchmarkOrder20(b *testing.B) {
	for _, strategy := range []table.Strategy{table.Weighted, table.LowestCost, table.LowestLatency, table.HighestThroughput, table.LeastInFlight, ""} {
		name := string(strategy)
		query := &Query{Now: start, Asked: "m", Stream: true, PromptTokens: 2000, MaxOutputTokens: 500, Random: seeded(1)}
		if strategy == "" {
			name, query.Affinity = "Affinity", 77
		}
		b.Run(name, func(b *testing.B) {
			router := twenty(strategy)
			buffer := make([]Candidate, 0, 20)
			b.ReportAllocs()
			for b.Loop() {
				buffer = router.Order(buffer[:0], 0, query)
			}
		})
	}
}
