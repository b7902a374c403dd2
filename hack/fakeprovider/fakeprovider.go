package fakeprovider

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"signalbox.dev/signalbox/hack/fakeprovider/anthropic"
	"signalbox.dev/signalbox/hack/fakeprovider/bedrock"
	"signalbox.dev/signalbox/hack/fakeprovider/cohere"
	"signalbox.dev/signalbox/hack/fakeprovider/core"
	"signalbox.dev/signalbox/hack/fakeprovider/gemini"
	"signalbox.dev/signalbox/hack/fakeprovider/openai"
)

// Package core documents these in full.
type (
	// Options are what a Server takes from outside.
	Options = core.Options
	// Settings is how the server answers requests that no Fault takes.
	Settings = core.Settings
	// Duration is a time.Duration that JSON shows the way Go writes one.
	Duration = core.Duration
	// Compression says when an answer is sent with Content-Encoding: gzip.
	Compression = core.Compression
	// UsageReport says whether answers carry usage.
	UsageReport = core.UsageReport
	// UnknownParameters says what happens to a request field that the API does not know.
	UnknownParameters = core.UnknownParameters
	// Key is an API key and what becomes of requests that bring it.
	Key = core.Key
	// ManagedKey is a key that was made by a management API.
	ManagedKey = core.ManagedKey
	// RateLimit is what the rate-limit headers say.
	RateLimit = core.RateLimit
	// Quota is what a key may ask of a model.
	Quota = core.Quota
	// Arrival is when a request came, and how it was taken.
	Arrival = core.Arrival
	// UsageOverride replaces parts of the usage that answers report and are billed for.
	UsageOverride = core.UsageOverride
	// APIError is what a refusal says.
	APIError = core.APIError
	// Fault makes something go wrong for the next requests that match.
	Fault = core.Fault
	// FaultKind is what goes wrong with a request.
	FaultKind = core.FaultKind
	// Match selects requests.
	Match = core.Match
	// Record is one request as it was received, and what became of it.
	Record = core.Record
	// State is how far an answer came.
	State = core.State
	// Usage is a number of tokens.
	Usage = core.Usage
	// Counts are sums over requests.
	Counts = core.Counts
	// Counters are the sums since the start or the last reset.
	Counters = core.Counters
	// Client calls the control API of a server in another process.
	Client = core.Client
)

// Values of FaultKind, Compression, UsageReport, UnknownParameters and State.
const (
	FaultStatus          = core.FaultStatus
	FaultHTML            = core.FaultHTML
	FaultDelay           = core.FaultDelay
	FaultHang            = core.FaultHang
	FaultClose           = core.FaultClose
	FaultReset           = core.FaultReset
	FaultCloseMidHeaders = core.FaultCloseMidHeaders
	FaultCloseMidBody    = core.FaultCloseMidBody
	FaultTruncate        = core.FaultTruncate
	FaultEndEarly        = core.FaultEndEarly
	FaultStall           = core.FaultStall
	FaultErrorEvent      = core.FaultErrorEvent
	FaultHugeLine        = core.FaultHugeLine
	FaultInvalidUTF8     = core.FaultInvalidUTF8
	FaultGzip            = core.FaultGzip
	FaultBrokenGzip      = core.FaultBrokenGzip
	FaultSplit           = core.FaultSplit
	FaultNoUsage         = core.FaultNoUsage
	CompressNever        = core.CompressNever
	CompressWhenAsked    = core.CompressWhenAsked
	CompressAlways       = core.CompressAlways
	UsageFaithful        = core.UsageFaithful
	UsageNever           = core.UsageNever
	UnknownRejected      = core.UnknownRejected
	UnknownIgnored       = core.UnknownIgnored
	StateOpen            = core.StateOpen
	StateDone            = core.StateDone
	StateRefused         = core.StateRefused
	StateBroken          = core.StateBroken
	StateClientLeft      = core.StateClientLeft
)

// Server is the fake provider: two handlers over one state. Safe for concurrent use.
type Server struct {
	*core.Server
}

// New makes a server. The error is that of Settings.Validate.
func New(options Options) (*Server, error) {
	server, err := core.New(options)
	if err != nil {
		return nil, fmt.Errorf("making the fake provider: %w", err)
	}
	return &Server{server}, nil
}

// DefaultSettings are the settings of a new Server: fast, every key accepted, usage as counted.
func DefaultSettings() Settings { return core.DefaultSettings() }

// NewClient makes a client for a control address such as "http://127.0.0.1:9901".
func NewClient(base string, client *http.Client) *Client { return core.NewClient(base, client) }

// Data is the handler of the imitated APIs.
func (s *Server) Data() http.Handler {
	fallbacks := map[string]core.Vendor{}
	for _, vendors := range []map[string]core.Vendor{openai.Fallbacks(), anthropic.Fallbacks(), gemini.Fallbacks(), bedrock.Fallbacks(), cohere.Fallbacks()} {
		maps.Copy(fallbacks, vendors)
	}
	return s.Handler(slices.Concat(openai.Routes(), anthropic.Routes(), gemini.Routes(), bedrock.Routes(), cohere.Routes()), fallbacks)
}
