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

// What callers set, send and read; package core documents them.
type (
	Options           = core.Options
	Settings          = core.Settings
	Duration          = core.Duration
	Compression       = core.Compression
	UsageReport       = core.UsageReport
	UnknownParameters = core.UnknownParameters
	Key               = core.Key
	RateLimit         = core.RateLimit
	UsageOverride     = core.UsageOverride
	APIError          = core.APIError
	Fault             = core.Fault
	FaultKind         = core.FaultKind
	Match             = core.Match
	Record            = core.Record
	State             = core.State
	Usage             = core.Usage
	Counts            = core.Counts
	Counters          = core.Counters
	Client            = core.Client
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
