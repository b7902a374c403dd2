package core

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

const (
	keptRecords  = 256
	keptBody     = 64 << 10
	keptCounters = 1024
	// otherCounter collects the keys and models beyond keptCounters.
	otherCounter = "(other)"
)

// State is how far an answer came.
type State string

// Values of State.
const (
	StateOpen       State = "Open"       // not finished yet
	StateDone       State = "Done"       // answered in full with a status below 400
	StateRefused    State = "Refused"    // answered in full with a status of 400 or more
	StateBroken     State = "Broken"     // a fault cut it
	StateClientLeft State = "ClientLeft" // the client closed first
)

// Usage is a number of tokens. Cached and cache-write tokens are part of the prompt's, reasoning tokens of the completion's.
type Usage struct {
	PromptTokens     int64 `json:"promptTokens"`
	CachedTokens     int64 `json:"cachedTokens"`
	CacheWriteTokens int64 `json:"cacheWriteTokens"`
	CompletionTokens int64 `json:"completionTokens"`
	ReasoningTokens  int64 `json:"reasoningTokens"`
}

func (u *Usage) add(v Usage) {
	u.PromptTokens += v.PromptTokens
	u.CachedTokens += v.CachedTokens
	u.CacheWriteTokens += v.CacheWriteTokens
	u.CompletionTokens += v.CompletionTokens
	u.ReasoningTokens += v.ReasoningTokens
}

// Record is one request as it was received, and what became of it.
type Record struct {
	// ID is the x-request-id that the answer carries.
	ID string `json:"id"`
	// Time is when the request's body had been read.
	Time time.Time `json:"time"`
	// End is when the answer was finished, broken or abandoned; zero while it is open.
	End time.Time `json:"end,omitzero"`
	// State is how far the answer came.
	State State `json:"state"`
	// Method, Path, Query, Host and Proto are the request line's.
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"`
	Host   string `json:"host"`
	Proto  string `json:"proto"`
	// Header is everything the client sent, Authorization included.
	Header http.Header `json:"header"`
	// Body is the first 64 KiB of the body; BodyBytes and BodySHA256 (hex) are about all of it.
	Body       string `json:"body"`
	BodyBytes  int    `json:"bodyBytes"`
	BodySHA256 string `json:"bodySHA256"`
	// Key is the API key used.
	Key string `json:"key"`
	// Model is the model asked for.
	Model string `json:"model"`
	// Stream is true if a stream was asked for.
	Stream bool `json:"stream"`
	// Fault is the kind of the fault that took the request, empty for none.
	Fault FaultKind `json:"fault,omitempty"`
	// Status is the status answered, 0 if none was.
	Status int `json:"status"`
	// Events is the number of stream events written in full.
	Events int `json:"events"`
	// Reported is the usage written to the client, null if none was.
	Reported *Usage `json:"reported"`
	// Billed is what the provider charges: all of a full answer, the tokens written so far of one that ended before.
	Billed Usage `json:"billed"`
}

// Counts are sums over requests.
type Counts struct {
	// Requests were received; Done, Refused, Broken and ClientLeft are how they ended, by State.
	Requests   int64 `json:"requests"`
	Done       int64 `json:"done"`
	Refused    int64 `json:"refused"`
	Broken     int64 `json:"broken"`
	ClientLeft int64 `json:"clientLeft"`
	// ReportedAnswers is the number of answers that carried usage, Reported its sum.
	ReportedAnswers int64 `json:"reportedAnswers"`
	Reported        Usage `json:"reported"`
	// Billed is the sum of Record.Billed.
	Billed Usage `json:"billed"`
}

// Counters are the sums since the start or the last reset. Usage is counted when an answer ends.
type Counters struct {
	Total Counts `json:"total"`
	// ByKey, ByModel and ByPath split Total; beyond 1024 entries all others share "(other)".
	ByKey   map[string]Counts `json:"byKey"`
	ByModel map[string]Counts `json:"byModel"`
	ByPath  map[string]Counts `json:"byPath"`
	// ByStatus counts ended requests by status; "0" got none.
	ByStatus map[string]int64 `json:"byStatus"`
	// InFlight is the number of open requests now, MaxInFlight the most at one time.
	InFlight    int64 `json:"inFlight"`
	MaxInFlight int64 `json:"maxInFlight"`
}

func newCounters() Counters {
	return Counters{ByKey: map[string]Counts{}, ByModel: map[string]Counts{}, ByPath: map[string]Counts{}, ByStatus: map[string]int64{}}
}

// clone is a copy that shares no map.
func (c Counters) clone() Counters {
	out := c
	out.ByKey, out.ByModel, out.ByPath = copyCounts(c.ByKey), copyCounts(c.ByModel), copyCounts(c.ByPath)
	out.ByStatus = make(map[string]int64, len(c.ByStatus))
	for status, n := range c.ByStatus {
		out.ByStatus[status] = n
	}
	return out
}

func copyCounts(in map[string]Counts) map[string]Counts {
	out := make(map[string]Counts, len(in))
	for name, counts := range in {
		out[name] = counts
	}
	return out
}

// each applies change to the total and to the record's key, model and path.
func (c *Counters) each(record *Record, change func(*Counts)) {
	change(&c.Total)
	for _, split := range []struct {
		counts map[string]Counts
		name   string
	}{{c.ByKey, record.Key}, {c.ByModel, record.Model}, {c.ByPath, record.Path}} {
		name := split.name
		if _, known := split.counts[name]; !known && len(split.counts) >= keptCounters {
			name = otherCounter
		}
		counts := split.counts[name]
		change(&counts)
		split.counts[name] = counts
	}
}

// begin counts a request received.
func (c *Counters) begin(record *Record) {
	c.InFlight++
	c.MaxInFlight = max(c.MaxInFlight, c.InFlight)
	c.each(record, func(counts *Counts) { counts.Requests++ })
}

// end counts how the request ended.
func (c *Counters) end(record *Record) {
	c.InFlight--
	c.ByStatus[strconv.Itoa(record.Status)]++
	c.each(record, func(counts *Counts) {
		switch record.State {
		case StateDone:
			counts.Done++
		case StateRefused:
			counts.Refused++
		case StateBroken:
			counts.Broken++
		case StateClientLeft:
			counts.ClientLeft++
		case StateOpen:
		}
		if record.Reported != nil {
			counts.ReportedAnswers++
			counts.Reported.add(*record.Reported)
		}
		counts.Billed.add(record.Billed)
	})
}

// newRecord describes a request whose body was read.
func newRecord(r *http.Request, body []byte, now time.Time) *Record {
	sum := sha256.Sum256(body)
	return &Record{
		Time: now, State: StateOpen, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Host: r.Host, Proto: r.Proto, Header: r.Header.Clone(),
		Body: string(body[:min(len(body), keptBody)]), BodyBytes: len(body), BodySHA256: hex.EncodeToString(sum[:]),
	}
}

// recordRing keeps the newest records.
type recordRing struct {
	records []*Record
}

func (r *recordRing) push(record *Record) {
	if len(r.records) == keptRecords {
		copy(r.records, r.records[1:])
		r.records = r.records[:keptRecords-1]
	}
	r.records = append(r.records, record)
}

// last copies the newest n records, oldest first.
func (r *recordRing) last(n int) []Record {
	n = min(max(n, 0), len(r.records))
	out := make([]Record, 0, n)
	for _, record := range r.records[len(r.records)-n:] {
		out = append(out, *record)
	}
	return out
}
