package server

import (
	"strconv"
	"testing"

	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// BenchmarkChoice20 is the choice among 20 targets as a request makes it: over the health of real upstreams.
func BenchmarkChoice20(b *testing.B) {
	for _, strategy := range []table.Strategy{table.Weighted, table.LowestCost, table.LowestLatency, table.HighestThroughput, table.LeastInFlight} {
		b.Run(string(strategy), func(b *testing.B) {
			compiled := baseTable()
			for i := range 20 {
				addTarget(compiled, 0, unreachable)
				target := &compiled.Routes[0].Targets[i]
				target.Name, target.Model, target.Weight = "t"+strconv.Itoa(i), "m"+strconv.Itoa(i), int32(i+1)
				target.Prices = &table.Prices{Input: int64(1+i*7%20) * 1e8, CachedInput: 1e7, Output: 1e9}
			}
			compiled.Routes[0].Strategy = strategy
			s, err := NewDry(compiled)
			if err != nil {
				b.Fatal(err)
			}
			entry := s.current.Load().routes[s.current.Load().index.Models(func(*table.Route) bool { return true })[0].Route]
			query := &route.Query{Now: s.now(), Asked: "chat", Stream: true, PromptTokens: 2000, MaxOutputTokens: 500, Random: s.random}
			candidates := make([]route.Candidate, 0, 20)
			b.ReportAllocs()
			for b.Loop() {
				candidates = entry.router.Order(candidates[:0], 0, query)
			}
			if len(candidates) != 20 || candidates[0].Out != 0 {
				b.Fatalf("%d candidates, the first is out for %v", len(candidates), candidates[0].Out)
			}
		})
	}
}
