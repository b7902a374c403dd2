package server

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/codecs"
	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/limit"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
	"signalbox.dev/signalbox/proxy/tracing"
	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
)

// Server answers requests by the newest routing table that Use was given. It is an http.Handler.
type Server struct {
	book         *ledger.Book
	providers    Providers
	newTransport func(table.EndpointRules) (http.RoundTripper, error)
	metrics      *telemetry.Metrics
	accessLog    *telemetry.AccessLog
	log          *slog.Logger
	limits       Limits
	now          func() time.Time
	random       route.Random
	buffers      bufferPool
	spooled      *disk
	codecs       *codecs.Codecs
	keeper       *auth.Keeper
	health       *health.Registry
	callerLimits *limit.Set
	memories     memories
	overruns     overruns
	journal      journal.Noted
	recent       *usage.Recent
	generations  Generations
	tracer       *tracing.Tracer
	pod          string
	mirrors      *mirrors
	keyWaiters   *keyWaiters
	// success is what a request without error ends with. Nobody changes it.
	success *Error

	handler  http.Handler
	draining atomic.Bool
	inFlight atomic.Int64

	using   sync.Mutex
	current atomic.Pointer[snapshot]
}

// New returns a server without a table: it answers not_ready until Use is called.
func New(o Options) *Server {
	limits := o.Limits.withDefaults()
	s := &Server{
		book:         o.Book,
		providers:    o.Providers,
		newTransport: o.NewTransport,
		metrics:      o.Metrics,
		accessLog:    o.AccessLog,
		log:          o.Log,
		limits:       limits,
		now:          o.Now,
		random:       o.Random,
		buffers:      newBufferPool(limits.BufferedBytes),
		spooled:      &disk{bound: limits.SpooledBytes},
		codecs:       codecs.Default(),
		success:      &Error{Code: CodeOK},
		health:       o.Health,
		callerLimits: o.CallerLimits,
		journal:      o.Journal,
		recent:       o.Recent,
		generations:  o.Generation,
		tracer:       o.Tracer,
		pod:          o.Pod,
		keyWaiters:   newKeyWaiters(o.WantKeys),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = systemRandom
	}
	if s.health == nil {
		s.health = health.NewRegistry(health.Options{Random: s.random})
	}
	if s.callerLimits == nil {
		s.callerLimits = limit.NewSet(limit.Options{Now: s.now})
	}
	if s.recent == nil {
		s.recent = usage.NewRecent(usage.RecentOptions{Started: s.now()})
	}
	s.mirrors = newMirrors()
	s.keeper = auth.NewKeeper(auth.Options{Now: s.now, Tokens: o.Tokens})
	s.handler = s.chain()
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Use makes a table the one that is served. Requests that are under way keep theirs. The table must not change afterwards.
// An error means that nothing of the table can be served and the one before it stays in use; single broken entries are no error.
func (s *Server) Use(t *table.Table) error {
	s.using.Lock()
	defer s.using.Unlock()
	previous := s.current.Load()
	next, err := s.compile(t, previous)
	if err != nil {
		s.metrics.TableRefused()
		return err
	}
	s.pardonKeys(previous, next)
	s.current.Store(next)
	s.keyWaiters.wake()
	s.callerLimits.Use(withThrottles(t))
	s.health.Retain(next.uses)
	s.memories.retain(next.routes)
	s.metrics.TableLoaded(t.Sequence)
	s.metrics.Retain(next.labels)
	if previous != nil && previous.transport != next.transport {
		closeIdle(previous.transport)
	}
	return nil
}

// pardonKeys has the keys used at once that somebody has put back in the place of those that had replaced them: the manager has them lead only after it has asked the
// provider, and what calls found out about them is from before.
func (s *Server) pardonKeys(previous, next *snapshot) {
	if previous == nil {
		return
	}
	for name, credential := range next.credentials {
		before := previous.credentials[name]
		if before == nil {
			continue
		}
		for _, fingerprint := range credential.ring.Returned(before.ring) {
			s.health.Pardon(name, fingerprint, s.now())
		}
	}
}

func closeIdle(transport http.RoundTripper) {
	if pool, ok := transport.(interface{ CloseIdleConnections() }); ok {
		pool.CloseIdleConnections()
	}
}

// Drain makes Ready fail and asks clients to leave their connections with the next answer. Requests are still answered, mirrored calls are given up.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.mirrors.stop()
}

// Draining tells whether Drain was called.
func (s *Server) Draining() bool { return s.draining.Load() }

// InFlight is how many requests are being answered.
func (s *Server) InFlight() int64 { return s.inFlight.Load() }

// Ready tells whether new requests should come here: there is a table, and Drain was not called.
func (s *Server) Ready() bool { return s.current.Load() != nil && !s.draining.Load() }
