package core

import (
	"errors"
	"fmt"
	"time"
)

// FaultKind is what goes wrong with a request.
type FaultKind string

// Values of FaultKind. "Cut point" is Fault.AfterEvents events into a stream, and the middle of the body of a plain answer.
const (
	FaultStatus          FaultKind = "Status"          // answers with status, headers, and body or error
	FaultHTML            FaultKind = "HTML"            // answers with a gateway's HTML page, 502 unless status says otherwise
	FaultDelay           FaultKind = "Delay"           // answers as usual after delay
	FaultHang            FaultKind = "Hang"            // sends nothing until the client leaves
	FaultClose           FaultKind = "Close"           // closes the connection before the headers
	FaultReset           FaultKind = "Reset"           // resets the connection (TCP RST) before the headers
	FaultCloseMidHeaders FaultKind = "CloseMidHeaders" // closes the connection inside the headers
	FaultCloseMidBody    FaultKind = "CloseMidBody"    // closes at the cut point, chunked, without the last chunk
	FaultTruncate        FaultKind = "Truncate"        // announces the whole Content-Length, closes at the cut point
	FaultEndEarly        FaultKind = "EndEarly"        // ends properly at the cut point: no finish_reason, no [DONE]
	FaultStall           FaultKind = "Stall"           // goes silent at the cut point until the client leaves
	FaultErrorEvent      FaultKind = "ErrorEvent"      // an error at the cut point of a 200 stream, which then ends; plain: 200 with an error body
	FaultHugeLine        FaultKind = "HugeLine"        // one event, or the plain text, is padded to bytes (10 MiB by default)
	FaultInvalidUTF8     FaultKind = "InvalidUTF8"     // the text contains bytes that are not UTF-8
	FaultGzip            FaultKind = "Gzip"            // compresses even where it was not asked for
	FaultBrokenGzip      FaultKind = "BrokenGzip"      // says gzip and sends bytes that do not decompress
	FaultSplit           FaultKind = "Split"           // splits the answer into writes of bytes bytes (1 by default)
	FaultNoUsage         FaultKind = "NoUsage"         // leaves usage out
)

const (
	defaultHugeLine = 10 << 20
	always          = -1
)

// Match selects requests. Omitted fields match everything.
type Match struct {
	// Endpoint is the path after the prefix and version, such as "chat/completions", "messages" or "models"; Google's is the method, such as
	// "generateContent", Bedrock's what follows the model, such as "converse-stream".
	Endpoint string `json:"endpoint,omitempty"`
	// Model is the model asked for.
	Model string `json:"model,omitempty"`
	// Key is the API key sent.
	Key string `json:"key,omitempty"`
}

// Fault makes something go wrong for the next requests that match.
type Fault struct {
	// Kind says what; required.
	Kind FaultKind `json:"kind"`
	// Times is for how many requests; 0 means 1, -1 until it is cleared.
	Times int `json:"times"`
	// Match selects requests; omitted means all.
	Match Match `json:"match"`
	// Permille is how many of 1000 requests that match are taken; the rest go on to the next fault. 0, the default, takes all.
	Permille uint64 `json:"permille,omitempty"`
	// Seed decides, with Permille, which ones: equal seeds take the same requests of a row.
	Seed uint64 `json:"seed,omitempty"`
	// Delay passes before anything is sent, with every kind. At most 1h.
	Delay Duration `json:"delay,omitempty"`
	// Status of Status (required, 200 to 599), HTML and ErrorEvent (the code in the event).
	Status int `json:"status,omitempty"`
	// Headers are added to the answer of Status and HTML, for example Retry-After.
	Headers map[string]string `json:"headers,omitempty"`
	// Body is the raw body of Status; omitted means Error.
	Body string `json:"body,omitempty"`
	// Error is the error of Status and ErrorEvent; the provider's usual one for the status when omitted.
	Error *APIError `json:"error,omitempty"`
	// AfterEvents is the number of events sent before the cut point; 0 cuts right after the headers.
	AfterEvents int `json:"afterEvents,omitempty"`
	// Bytes is the size for HugeLine (at most 64 MiB) and Split.
	Bytes int `json:"bytes,omitempty"`
}

// Validate reports the first field that does not fit the kind.
func (f Fault) Validate() error {
	err := errors.Join(
		within("times", f.Times, always, 1<<30),
		within("delay", time.Duration(f.Delay), 0, maxDelay),
		within("afterEvents", f.AfterEvents, 0, 1<<20),
		within("bytes", f.Bytes, 0, maxFaultBytes),
		within("body", len(f.Body), 0, 1<<20),
	)
	if err != nil {
		return err
	}
	if f.Permille > 1000 {
		return fmt.Errorf("permille: %d is not between 0 and 1000", f.Permille)
	}
	switch f.Kind {
	case FaultStatus:
		return within("status", f.Status, 200, 599)
	case FaultHTML, FaultErrorEvent:
		if f.Status != 0 {
			return within("status", f.Status, 200, 599)
		}
		return nil
	case FaultDelay, FaultHang, FaultClose, FaultReset, FaultCloseMidHeaders, FaultCloseMidBody, FaultTruncate, FaultEndEarly, FaultStall,
		FaultHugeLine, FaultInvalidUTF8, FaultGzip, FaultBrokenGzip, FaultSplit, FaultNoUsage:
		return nil
	default:
		return fmt.Errorf("kind: %q is not known", string(f.Kind))
	}
}

func (f Fault) matches(endpoint, model, key string) bool {
	m := f.Match
	return (m.Endpoint == "" || m.Endpoint == endpoint) && (m.Model == "" || m.Model == model) && (m.Key == "" || m.Key == key)
}

// faultQueue holds the faults to come, in the order they were added.
type faultQueue []queuedFault

// queuedFault is a fault with the number of requests that it could have taken.
type queuedFault struct {
	Fault
	seen uint64
}

// takes decides about a request that matches.
func (f *queuedFault) takes() bool {
	f.seen++
	return f.Permille == 0 || mix(f.Seed+f.seen*golden)%1000 < f.Permille
}

// take removes one time from the first fault that takes the request and returns that fault; a zero Fault means none does.
func (q *faultQueue) take(endpoint, model, key string) Fault {
	for i := range *q {
		fault := &(*q)[i]
		if !fault.matches(endpoint, model, key) || !fault.takes() {
			continue
		}
		taken := fault.Fault
		if taken.Times != always {
			fault.Times--
		}
		if fault.Times == 0 {
			*q = append((*q)[:i:i], (*q)[i+1:]...)
		}
		return taken
	}
	return Fault{}
}

// add appends faults; a Times of zero becomes one.
func (q *faultQueue) add(faults []Fault) {
	for _, fault := range faults {
		if fault.Times == 0 {
			fault.Times = 1
		}
		*q = append(*q, queuedFault{Fault: fault})
	}
}

// list copies the faults.
func (q *faultQueue) list() []Fault {
	out := make([]Fault, 0, len(*q))
	for _, fault := range *q {
		out = append(out, fault.Fault)
	}
	return out
}
