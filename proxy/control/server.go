package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// DefaultInterval is the time between two reports when nothing changes. A provider's status follows what the reports say within seconds.
	DefaultInterval = 2 * time.Second
	// DefaultMaxStreams bounds the streams that are open at a time.
	DefaultMaxStreams = 64

	headerTimeout = 5 * time.Second
	writeTimeout  = 10 * time.Second
	// reportGap is the shortest time between a report and the next one that a change asks for. Many targets may get into trouble within a moment, and a
	// report of all of them takes milliseconds to make.
	reportGap      = 100 * time.Millisecond
	maxHeaderBytes = 8 << 10
	// idleTimeout is how long a connection without a request is kept.
	idleTimeout = time.Minute
)

// errNoIdentity refuses a handshake before the first table has arrived.
var errNoIdentity = errors.New("no routing table yet")

// Options configure a Server.
type Options struct {
	// Addr to listen on, such as ":8443"; used by Run only.
	Addr string
	// Pod is the pod's name.
	Pod string
	// PodUID is the pod's UID.
	PodUID string
	// StartedAt is when the process started.
	StartedAt time.Time
	// Stats reads the data plane's numbers; required.
	Stats func() Stats
	// Log takes errors of connections; required.
	Log *slog.Logger
	// Interval between two reports when nothing changes; 0 means DefaultInterval.
	Interval time.Duration
	// MaxStreams bounds the open streams; 0 means DefaultMaxStreams.
	MaxStreams int
	// Answer takes what another replica of the proxy says, at most MaxExchangeBytes, and returns what it is told in turn. An error refuses a message that
	// cannot be read. nil means that replicas are not answered.
	Answer func(said []byte) ([]byte, error)
	// Generation returns what this replica knows of a request, at most MaxGenerationBytes. nil means that replicas are not answered.
	Generation func(id string) (known []byte, found bool)
	// KeysFound takes what the manager learned of the keys that a report wanted. It must not wait. nil means that no report wants any.
	KeysFound func(KeysFound)
}

// Server serves the control port. It accepts nobody before the first call of Use.
type Server struct {
	options     Options
	slots       chan struct{}
	exchanges   chan struct{}
	generations chan struct{}
	findings    chan struct{}

	mutex   sync.Mutex
	current served
	changed chan struct{} // closed and replaced at every change
}

// served is what the data plane serves from.
type served struct {
	identity *Identity
	sequence int64
	revision string
}

// NewServer returns a server that does not listen yet.
func NewServer(options Options) *Server {
	if options.Interval == 0 {
		options.Interval = DefaultInterval
	}
	if options.MaxStreams == 0 {
		options.MaxStreams = DefaultMaxStreams
	}
	return &Server{
		options: options, slots: make(chan struct{}, options.MaxStreams), exchanges: make(chan struct{}, maxExchanges),
		generations: make(chan struct{}, maxGenerations), findings: make(chan struct{}, maxKeysFound), changed: make(chan struct{}),
	}
}

// Use takes the identity of a table and reports its sequence and revision. Call it once the data plane serves the table. On an error the server
// stays as it was.
func (s *Server) Use(t *table.Table) error {
	identity, err := NewIdentity(t.Control)
	if err != nil {
		return err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.current.identity.same(identity) {
		// Connections are kept for as long as the identity is the same one.
		identity = s.current.identity
	}
	s.current = served{identity: identity, sequence: t.Sequence, revision: t.Revision}
	s.wake()
	return nil
}

// Identity returns the identity of the newest table; nil before the first.
func (s *Server) Identity() *Identity {
	current, _ := s.state()
	return current.identity
}

// Announce sends a report to every stream at once, because something other than the table changed; several within reportGap are one. It does not wait,
// and any goroutine may call it as often as it likes.
func (s *Server) Announce() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.wake()
}

// wake needs the mutex to be held.
func (s *Server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// state returns what is served and a channel that is closed at the next change.
func (s *Server) state() (served, <-chan struct{}) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.current, s.changed
}

// Run listens on Options.Addr and serves until the context ends.
func (s *Server) Run(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.options.Addr)
	if err != nil {
		return fmt.Errorf("listening on the control port: %w", err)
	}
	return s.Serve(ctx, listener)
}

// Serve serves on a listener, which it closes, until the context ends; open streams end with it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ReportsPath, s.streamReports)
	if s.options.Answer != nil {
		mux.HandleFunc("POST "+PeersPath, s.guard(s.exchanges, "too many exchanges", s.exchange))
	}
	if s.options.Generation != nil {
		mux.HandleFunc("GET "+GenerationPath+"{id}", s.guard(s.generations, "too many questions", s.generation))
	}
	if s.options.KeysFound != nil {
		mux.HandleFunc("POST "+KeysPath, s.guard(s.findings, "too many messages", s.keysFound))
	}
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(tls.NewListener(listener, &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: s.configForClient,
	}))
	if errors.Is(err, http.ErrServerClosed) && ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serving the control port: %w", err)
}

// guard lets as many requests pass at a time as there are slots, of those whose certificate is still accepted: a connection may be older than that.
func (s *Server) guard(slots chan struct{}, busy string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if identity := s.Identity(); identity.verify(*r.TLS) != nil {
			http.Error(w, "the certificate is no longer accepted", http.StatusForbidden)
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next(w, r)
		default:
			http.Error(w, busy, http.StatusServiceUnavailable)
		}
	}
}

func (s *Server) configForClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	current, _ := s.state()
	if current.identity == nil {
		return nil, errNoIdentity
	}
	return current.identity.serverConfig(), nil
}

// streamReports writes reports until the client goes away, or its certificate is no longer accepted.
func (s *Server) streamReports(w http.ResponseWriter, r *http.Request) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		http.Error(w, "too many streams", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", ContentType)
	controller := http.NewResponseController(w)
	ticker := time.NewTicker(s.options.Interval)
	defer ticker.Stop()
	for {
		current, changed := s.state()
		if current.identity.verify(*r.TLS) != nil {
			return
		}
		if err := s.send(w, controller, current); err != nil {
			s.options.Log.Debug("control stream ended", "error", err)
			return
		}
		if !awaitReport(r.Context(), changed, ticker.C) {
			return
		}
	}
}

// awaitReport waits until the next report is due; false when the stream has ended before.
func awaitReport(ctx context.Context, changed <-chan struct{}, tick <-chan time.Time) bool {
	gap := time.NewTimer(reportGap)
	defer gap.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-tick:
		return true
	case <-changed:
	}
	select {
	case <-ctx.Done():
		return false
	case <-gap.C:
		return true
	}
}

// send writes one report; a reader that does not take it within writeTimeout loses the stream.
func (s *Server) send(w io.Writer, controller *http.ResponseController, current served) error {
	if err := controller.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("setting the deadline of a report: %w", err)
	}
	text, err := line(Report{
		Pod: s.options.Pod, PodUID: s.options.PodUID, StartedAt: s.options.StartedAt,
		Sequence: current.sequence, Revision: current.revision, Stats: s.options.Stats(),
	})
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("writing a report: %w", err)
	}
	if err := controller.Flush(); err != nil {
		return fmt.Errorf("flushing a report: %w", err)
	}
	return nil
}
