package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/limit"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
	"signalbox.dev/signalbox/proxy/tracing"
	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
)

// Providers knows the providers by the names that the routing table uses.
type Providers interface {
	// Lookup returns the provider of a name.
	Lookup(name string) (provider.Provider, bool)
}

// Options are what a Server needs. All fields are required but those that say what nil means, and Limits.
type Options struct {
	// Book counts and refuses by budget.
	Book *ledger.Book
	// Providers of upstreams.
	Providers Providers
	// NewTransport makes the client for upstreams under a table's endpoint rules. It is called when the rules change.
	NewTransport func(table.EndpointRules) (http.RoundTripper, error)
	// Metrics of requests.
	Metrics *telemetry.Metrics
	// AccessLog of requests.
	AccessLog *telemetry.AccessLog
	// Log of everything else.
	Log *slog.Logger
	// Limits of requests; zero fields take their defaults.
	Limits Limits
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Random draws targets of one priority; nil means the system's random numbers.
	Random route.Random
	// Health knows how upstreams have been doing; nil means one of the server's own.
	Health *health.Registry
	// Pod that the proxy runs in, for usage records.
	Pod string
	// Journal notes attempts before they are sent, and usage records; nil notes nothing.
	Journal journal.Noted
	// Recent keeps the newest usage records; nil keeps some that nobody else sees.
	Recent *usage.Recent
	// Generation asks the other replicas for the usage record of an id; nil asks nobody.
	Generation Generations
	// Tokens of the proxy's own ServiceAccount; nil where there is none, so that keys that need them cannot be used.
	Tokens auth.Tokens
	// Tracer makes traces; nil makes none.
	Tracer *tracing.Tracer
	// WantKeys is called when a request comes to wait for the newest keys of an issuer: somebody has to read KeysWanted, and to bring a newer
	// table or to call KeysFound. It must not wait. nil means that nobody can, and that no request waits.
	WantKeys func()
	// CallerLimits are those of the routes; nil means a set of the server's own, which no other replica shares.
	CallerLimits *limit.Set
}

// Generations finds the usage record of an id, which may be a proxy's own or another replica's. It must be back within a second or so.
type Generations func(ctx context.Context, id string) (*usage.Record, bool)

// Limits bound what one client, and all together, can take of the proxy.
type Limits struct {
	// BodyBytes is the largest request body. The default is 32 MiB.
	BodyBytes int64
	// AnswerBytes is the largest answer that is not a stream. The default is 64 MiB.
	AnswerBytes int64
	// EventBytes is the largest event of a stream. The default is 16 MiB.
	EventBytes int
	// FormBytes is the largest form, such as an upload of sound. The default is 128 MiB.
	FormBytes int64
	// SpooledBytes is the disk that the uploads of all requests may take together, in the directory for temporary files. The default is 1 GiB.
	SpooledBytes int64
	// BufferedBytes is the memory that the bodies of all requests and answers may take together. The default is 1 GiB.
	BufferedBytes int64
	// Concurrent is how many requests are answered at a time; more are refused at once. The default is 4096.
	Concurrent int64
	// BodyGrace is how long a body may take however small it is. The default is 10 s.
	BodyGrace time.Duration
	// BodyBytesPerSecond is the rate that a body must keep after BodyGrace. The default is 16 KiB.
	BodyBytesPerSecond int64
	// KeepAlive is how long a stream may be silent after its first token before the client gets a sign of life. The default is 15 s.
	KeepAlive time.Duration
	// WriteStall is how long a client may take no byte of its answer before it is cut. The default is 60 s; it is cut at the latest after that time
	// and at the earliest after three quarters of it. It is as well how long the client of a form may send no byte while a provider waits for it.
	WriteStall time.Duration
}

func (l Limits) withDefaults() Limits {
	return Limits{
		BodyBytes:          orDefault(l.BodyBytes, 32<<20),
		AnswerBytes:        orDefault(l.AnswerBytes, 64<<20),
		EventBytes:         orDefault(l.EventBytes, 16<<20),
		FormBytes:          orDefault(l.FormBytes, 128<<20),
		SpooledBytes:       orDefault(l.SpooledBytes, 1<<30),
		BufferedBytes:      orDefault(l.BufferedBytes, 1<<30),
		Concurrent:         orDefault(l.Concurrent, 4096),
		BodyGrace:          orDefault(l.BodyGrace, 10*time.Second),
		BodyBytesPerSecond: orDefault(l.BodyBytesPerSecond, 16<<10),
		KeepAlive:          orDefault(l.KeepAlive, 15*time.Second),
		WriteStall:         orDefault(l.WriteStall, time.Minute),
	}
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
