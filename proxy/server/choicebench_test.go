package server

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/keyring"
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

// BenchmarkChoiceOfKey is what a call does of it with its keys: a look at how the target is, the choice among keys that share the calls, and the attempt's
// beginning and end, by as many callers at once as there are processors.
func BenchmarkChoiceOfKey(b *testing.B) {
	for _, keys := range []int{1, 4, 16} {
		b.Run(strconv.Itoa(keys), func(b *testing.B) {
			account := table.Credential{Object: table.Object{Name: "c"}, SharesKeys: true}
			for i := range keys {
				account.Keys = append(account.Keys, apiKey(strconv.Itoa(i)))
			}
			p := newPool(keyring.New(&account, rand.Int64N), health.NewRegistry(health.Options{}), "c", "m")
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					now := time.Now()
					p.view(now)
					begun, may := p.begin(choosing{now: now, tokens: 100, random: rand.Int64N})
					if !may {
						b.Error("no key was chosen")
						return
					}
					begun.attempt.End(now, health.Outcome{Limits: health.RateLimits{RequestsLeft: 1000, TokensLeft: 100_000, RequestsReset: time.Minute, TokensReset: time.Minute}})
				}
			})
		})
	}
}
