package dataplane

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/server"
	"signalbox.dev/signalbox/proxy/table"
)

// Defaults of Options.
const (
	// DefaultDrainDelay is how long a proxy keeps taking connections after it was told to end, for its address to leave the Service.
	DefaultDrainDelay = 5 * time.Second
	// DefaultIdleGrace is how long the connections of a draining proxy must have been silent before it closes them.
	DefaultIdleGrace = 5 * time.Second
	// DefaultDrainLimit is how long requests may then take to end.
	DefaultDrainLimit = 10 * time.Minute
)

// Source is where tables come from.
type Source interface {
	// Run hands every new table to use until the context ends. It returns an error only for what cannot get better by waiting.
	Run(ctx context.Context, use func(*table.Table)) error
}

// WorkloadTokens gives out tokens of the proxy's own ServiceAccount.
type WorkloadTokens interface {
	auth.Tokens
	// Limit sets the longest lifetime that the proxies of the platform take.
	Limit(longest time.Duration)
}

// Options are what a DataPlane is made of.
type Options struct {
	// Addr to serve requests on, such as ":8080"; empty means not to, with a TLSAddr.
	Addr string
	// TLSAddr to serve the same on with TLS; empty means not to. TLSDir has the certificate, as a Secret of type kubernetes.io/tls is mounted.
	TLSAddr, TLSDir string
	// MetricsAddr to serve /metrics, /healthz and /readyz on; empty means not to.
	MetricsAddr string
	// ControlAddr to serve the control port on; empty means not to.
	ControlAddr string
	// Pod and PodUID are told on the control port.
	Pod, PodUID string
	// Version of the program, for traces.
	Version string
	// PodIP is the address by which the other replicas know this one, and LookupPeers asks for the addresses of all of them. Without either, and without a
	// control port, a proxy is the only one: it has all of every limit.
	PodIP       netip.Addr
	LookupPeers func(context.Context) ([]netip.Addr, error)
	// Source of tables; required.
	Source Source
	// Owner of what is counted in the ledger; required.
	Owner ledger.Owner
	// Store of the ledgers, where a table does not name another one; required.
	Store ledger.Store
	// OpenValkey opens the store of a table that names a server; nil means that there is no way to one.
	OpenValkey func(table.Valkey) (LedgerStore, error)
	// LedgerStore is the digest of the store that the first table must name: one that names another is not used. Empty means any.
	LedgerStore string
	// JournalDir is where the journal is, for the next process of this pod; empty keeps it in memory.
	JournalDir string
	// JournalBytes bounds the journal; 0 means the journal's own default.
	JournalBytes int64
	// Records gets one JSON line for each usage record, and may wait; nil for none.
	Records io.Writer
	// OpenPostgres and OpenOTLP open the sinks of a table that names them; nil means that there is no way to one.
	OpenPostgres func(database table.Postgres, namespace string) (Sink, error)
	OpenOTLP     func(endpoint string) (Sink, error)
	// Tokens of the pod's own ServiceAccount; nil outside of a cluster.
	Tokens WorkloadTokens
	// StartedAt is when the process started; required.
	StartedAt time.Time
	// DrainDelay is the time between the end of Run's context and the refusal of new connections. 0 means none.
	DrainDelay time.Duration
	// IdleGrace is how long no connection may have become free for a next request before the ones that wait are closed. A client whose answer began before
	// the drain was not told to leave its connection and may be about to send on it; whatever it sends is answered, and that answer tells it. 0 means that
	// connections are closed as soon as no request is under way.
	IdleGrace time.Duration
	// DrainLimit is how long requests may take to end after that before they are cut. 0 means that they are cut at once.
	DrainLimit time.Duration
	// Limits of requests; zero fields take their defaults.
	Limits server.Limits
	// HTTPProxy says which HTTP proxy a call to a provider goes through; nil means none.
	HTTPProxy func(*http.Request) (*url.URL, error)
	// Log of everything but requests; required.
	Log *slog.Logger
	// AccessLog gets one JSON line for each request; required.
	AccessLog io.Writer
}
