// Package report turns what was measured into figures, ratios and a verdict, as a table and as JSON.
package report

import (
	"math"
	"slices"
	"time"
)

// Round is one measurement of one target under load.
type Round struct {
	Attempts  int
	Failures  int
	Events    int64
	Elapsed   time.Duration
	CPU       time.Duration
	RSS       int64
	Latencies []time.Duration
}

// LoadFigures sum up all rounds of a target.
type LoadFigures struct {
	Attempts          int     `json:"attempts"`
	Failures          int     `json:"failures"`
	RequestsPerSecond float64 `json:"requestsPerSecond"`
	P50Millis         float64 `json:"p50Millis"`
	P95Millis         float64 `json:"p95Millis"`
	P99Millis         float64 `json:"p99Millis"`
	// CPUMicrosPerRequest is for plain requests, CPUMicrosPer1000Events for streams.
	CPUMicrosPerRequest    float64 `json:"cpuMicrosPerRequest"`
	CPUMicrosPer1000Events float64 `json:"cpuMicrosPer1000Events,omitempty"`
	EventsPerSecond        float64 `json:"eventsPerSecond,omitempty"`
	LoadedMiB              float64 `json:"loadedMiB"`
}

// Load is one scenario: figures of the reference and of the proxy, and the median of their ratios over the paired rounds.
type Load struct {
	Reference LoadFigures `json:"reference"`
	Proxy     LoadFigures `json:"proxy"`
	// CPURatio is CPU per request, or per event for streams: proxy over reference.
	CPURatio float64 `json:"cpuRatio"`
	// ThroughputRatio is requests a second: proxy over reference.
	ThroughputRatio float64 `json:"throughputRatio"`
}

// Delay is how long events took from being sent by the upstream to being seen by the client.
type Delay struct {
	Events    int     `json:"events"`
	P50Micros float64 `json:"p50Micros"`
	P99Micros float64 `json:"p99Micros"`
	// InTimePermille of the events arrived before the next one was sent.
	InTimePermille float64 `json:"inTimePermille"`
}

// Memory is resident memory.
type Memory struct {
	IdleMiB      float64 `json:"idleMiB"`
	StreamsOpen  int     `json:"streamsOpen"`
	StreamsMiB   float64 `json:"streamsMiB"`
	KiBPerStream float64 `json:"kibPerStream"`
}

// Report is everything.
type Report struct {
	Time        string `json:"time"`
	Reference   string `json:"reference"`
	CPUs        int    `json:"cpus"`
	Pinned      bool   `json:"pinned"`
	LoadAverage string `json:"loadAverage"`
	Connections int    `json:"connections"`
	Rounds      int    `json:"rounds"`
	RoundTime   string `json:"roundTime"`
	Plain       Load   `json:"plain"`
	Stream      Load   `json:"stream"`
	// TranslatedPlain and TranslatedStream compare the proxy with itself: calls of OpenAI's API that pass as they are, and calls that it translates to
	// Anthropic's.
	TranslatedPlain  Load              `json:"translatedPlain"`
	TranslatedStream Load              `json:"translatedStream"`
	Routing          Routing           `json:"routing"`
	Money            Money             `json:"money"`
	Memory           map[string]Memory `json:"memory"`
	Forwarding       map[string]Delay  `json:"forwarding"`
	Goals            []Goal            `json:"goals"`
}

// Goal is one number that the proxy should keep to.
type Goal struct {
	Name   string  `json:"name"`
	Limit  float64 `json:"limit"`
	Actual float64 `json:"actual"`
	Met    bool    `json:"met"`
}

// Names of the targets in Memory and Forwarding.
const (
	Direct    = "direct"
	Reference = "nginx"
	Proxy     = "signalbox"
)

// Compare sums paired rounds up: reference[i] and proxy[i] ran next to each other.
func Compare(reference, proxy []Round) Load {
	result := Load{Reference: Figures(reference), Proxy: Figures(proxy)}
	var cpu, throughput []float64
	for i := range min(len(reference), len(proxy)) {
		r, p := Figures(reference[i:i+1]), Figures(proxy[i:i+1])
		cpu = append(cpu, ratio(unitCPU(p), unitCPU(r)))
		throughput = append(throughput, ratio(p.RequestsPerSecond, r.RequestsPerSecond))
	}
	result.CPURatio, result.ThroughputRatio = Median(cpu), Median(throughput)
	return result
}

// unitCPU is what CPU is compared by: events where there are any.
func unitCPU(f LoadFigures) float64 {
	if f.CPUMicrosPer1000Events > 0 {
		return f.CPUMicrosPer1000Events
	}
	return f.CPUMicrosPerRequest
}

// Figures sums rounds up. Rates and CPU count answers that ended well; without any they are zero.
func Figures(rounds []Round) LoadFigures {
	var f LoadFigures
	var latencies []time.Duration
	var elapsed, cpu time.Duration
	var events int64
	for _, r := range rounds {
		f.Attempts += r.Attempts
		f.Failures += r.Failures
		elapsed += r.Elapsed
		cpu += r.CPU
		events += r.Events
		latencies = append(latencies, r.Latencies...)
		f.LoadedMiB = max(f.LoadedMiB, MiB(r.RSS))
	}
	slices.Sort(latencies)
	good := float64(len(latencies))
	f.RequestsPerSecond = ratio(good, elapsed.Seconds())
	f.EventsPerSecond = ratio(float64(events), elapsed.Seconds())
	f.CPUMicrosPerRequest = ratio(micros(cpu), good)
	f.CPUMicrosPer1000Events = ratio(micros(cpu)*1000, float64(events))
	f.P50Millis, f.P95Millis, f.P99Millis = millis(Percentile(latencies, 50)), millis(Percentile(latencies, 95)), millis(Percentile(latencies, 99))
	return f
}

// Delays sums the delays of a stream's events up.
func Delays(delays []time.Duration, inTime int) Delay {
	slices.Sort(delays)
	return Delay{
		Events: len(delays), P50Micros: micros(Percentile(delays, 50)), P99Micros: micros(Percentile(delays, 99)),
		InTimePermille: ratio(float64(inTime)*1000, float64(len(delays))),
	}
}

// Percentile is the nearest-rank percentile of sorted values, zero without any.
func Percentile(sorted []time.Duration, percent float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Median is the middle value, or the mean of the two in the middle; zero without any.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Judge holds the figures against the goals.
func (r *Report) Judge() {
	// A busy machine delays events everywhere: only what waits beyond the reference was added by the proxy.
	waited := max(0, r.Forwarding[Reference].InTimePermille-r.Forwarding[Proxy].InTimePermille)
	failed := 0
	for _, l := range []Load{r.Plain, r.Stream, r.TranslatedPlain, r.TranslatedStream, r.Routing.Policies, r.Money.Budgets, r.Routing.Shedding.Loaded, r.Routing.Shedding.Alone} {
		failed += l.Proxy.Failures
	}
	r.Goals = []Goal{
		atMost("CPU per plain request, times "+r.Reference, 3, r.Plain.CPURatio),
		atMost("idle memory, MiB", 40, r.Memory[Proxy].IdleMiB),
		atMost("streamed events that waited for the next one, beyond "+r.Reference+", permille", 10, waited),
		atMost("CPU per translated request, times one that passes", 2.5, r.TranslatedPlain.CPURatio),
		atMost("CPU per translated event, times one that passes", 2.5, r.TranslatedStream.CPURatio),
		atMost("failed requests", 0, float64(failed)),
	}
	r.Goals = append(r.Goals, r.Routing.goals()...)
	r.Goals = append(r.Goals, r.Money.goals()...)
}

// atMost is a goal that is met by a figure up to the limit.
func atMost(name string, limit, actual float64) Goal {
	return Goal{Name: name, Limit: limit, Actual: actual, Met: actual <= limit}
}

// MiB is bytes in mebibytes.
func MiB(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
