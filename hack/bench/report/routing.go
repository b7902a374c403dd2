package report

import "time"

// Routing is what policies cost and how the proxy behaves on a bad day.
type Routing struct {
	// Choices are the orderings of 20 targets.
	Choices []Choice `json:"choices"`
	// Policies compares the proxy with itself: plain requests of a route with one target, and of a route with every policy.
	Policies Load     `json:"policies"`
	Shedding Shedding `json:"shedding"`
	Outage   Outage   `json:"outage"`
}

// Choice is what it costs to put 20 targets in order, by one strategy.
type Choice struct {
	Strategy string  `json:"strategy"`
	Nanos    float64 `json:"nanos"`
	Bytes    float64 `json:"bytes"`
	Allocs   float64 `json:"allocs"`
}

// Shedding is how a full proxy refuses: plain requests of the reference beside refusals, each with a connection of its own.
type Shedding struct {
	// Streams were open meanwhile, and Ended of them ended well afterwards.
	Streams int `json:"streams"`
	Ended   int `json:"ended"`
	// Loaded is with all connections at once, Alone with one.
	Loaded Load `json:"loaded"`
	Alone  Load `json:"alone"`
}

// Outage is what became of requests while the provider failed every attempt.
type Outage struct {
	Requests int `json:"requests"`
	// Broken got no whole answer.
	Broken int `json:"broken"`
	// Attempts reached the provider.
	Attempts           int64   `json:"attempts"`
	AttemptsPerRequest float64 `json:"attemptsPerRequest"`
	P50Millis          float64 `json:"p50Millis"`
	P99Millis          float64 `json:"p99Millis"`
	SlowestMillis      float64 `json:"slowestMillis"`
}

// OutageOf sums an outage up. The latencies are sorted.
func OutageOf(requests, broken int, attempts int64, latencies []time.Duration) Outage {
	return Outage{
		Requests: requests, Broken: broken, Attempts: attempts, AttemptsPerRequest: ratio(float64(attempts), float64(requests)),
		P50Millis: millis(Percentile(latencies, 50)), P99Millis: millis(Percentile(latencies, 99)), SlowestMillis: millis(Percentile(latencies, 100)),
	}
}

func (r *Routing) goals() []Goal {
	var slowest, allocs float64
	for _, c := range r.Choices {
		slowest, allocs = max(slowest, c.Nanos), max(allocs, c.Allocs)
	}
	return []Goal{
		atMost("choosing among 20 targets, ns", 2000, slowest),
		atMost("allocations of a choice", 0, allocs),
		atMost("refusing one client when full, p50 ms", 1, r.Shedding.Alone.Proxy.P50Millis),
		atMost("open streams harmed by refusals", 0, float64(r.Shedding.Streams-r.Shedding.Ended)),
		atMost("attempts per request in an outage", 1.1, r.Outage.AttemptsPerRequest),
		atMost("requests without an answer in an outage", 0, float64(r.Outage.Broken)),
	}
}

func (r *Routing) print(p printer) {
	p.row("choosing among 20 targets\tns\tbytes\tallocations")
	for _, c := range r.Choices {
		p.row("%s\t%.0f\t%.0f\t%.0f", c.Strategy, c.Nanos, c.Bytes, c.Allocs)
	}
	p.gap()
	printPlain(p, "policies, plain", [2]string{"one target", "every policy"}, r.Policies)
	refusals := [2]string{Reference, "refusals"}
	printPlain(p, "full proxy, under load", refusals, r.Shedding.Loaded)
	printPlain(p, "full proxy, one client", refusals, r.Shedding.Alone)
	p.row("full proxy\topen streams\tended well")
	p.row("%s\t%d\t%d", Proxy, r.Shedding.Streams, r.Shedding.Ended)
	p.gap()
	p.row("outage\trequests\twithout an answer\tattempts at the provider\tper request\tp50 ms\tp99 ms\tslowest ms")
	o := r.Outage
	p.row("%s\t%d\t%d\t%d\t%.3f\t%.2f\t%.2f\t%.2f", Proxy, o.Requests, o.Broken, o.Attempts, o.AttemptsPerRequest, o.P50Millis, o.P99Millis, o.SlowestMillis)
	p.gap()
}
