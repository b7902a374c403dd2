package fakeprovider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxRequestBody bounds what one request may hold in memory.
const maxRequestBody = 128 << 20

// Options are what a Server takes from outside. The zero value is the real world with default settings.
type Options struct {
	// Settings in force at start and after a reset; DefaultSettings when nil.
	Settings *Settings
	// Now tells the time; time.Now when nil.
	Now func() time.Time
	// Sleep passes the given time, or returns the context's error once that ends; a real timer when nil.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Server is the fake provider: two handlers over one state. Safe for concurrent use.
type Server struct {
	now     func() time.Time
	sleep   func(ctx context.Context, d time.Duration) error
	initial Settings

	mu       sync.Mutex
	settings Settings
	faults   faultQueue
	records  recordRing
	counters Counters
	received uint64
	epoch    uint64        // counts resets
	changed  chan struct{} // closed and replaced whenever records or counters change
}

// New makes a server. The error is that of Settings.Validate.
func New(options Options) (*Server, error) {
	s := &Server{now: options.Now, sleep: options.Sleep, initial: DefaultSettings(), counters: newCounters(), changed: make(chan struct{})}
	if options.Settings != nil {
		s.initial = *options.Settings
	}
	if err := s.initial.Validate(); err != nil {
		return nil, fmt.Errorf("validating settings: %w", err)
	}
	s.settings = s.initial
	if s.now == nil {
		s.now = time.Now
	}
	if s.sleep == nil {
		s.sleep = sleepReal
	}
	return s, nil
}

func sleepReal(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Settings returns the settings in force.
func (s *Server) Settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}

// SetSettings replaces the settings; requests under way keep theirs. The error is that of Settings.Validate.
func (s *Server) SetSettings(settings Settings) error {
	if err := settings.Validate(); err != nil {
		return fmt.Errorf("validating settings: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings = settings
	return nil
}

// AddFaults appends faults to the queue, all or, on an error, none. At most 1000 can wait.
func (s *Server) AddFaults(faults ...Fault) error {
	for i, fault := range faults {
		if err := fault.Validate(); err != nil {
			return fmt.Errorf("validating fault %d: %w", i, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := within("faults", len(s.faults)+len(faults), 0, maxListed); err != nil {
		return err
	}
	s.faults.add(faults)
	return nil
}

// Faults returns the faults still to come.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Fault{}, s.faults...)
}

// ClearFaults forgets the faults still to come.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Requests returns the newest n records, oldest first; fewer if fewer are kept.
func (s *Server) Requests(n int) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records.last(n)
}

// Counters returns the sums so far.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counters.clone()
}

// Wait returns once the condition holds for the counters, or with the context's error. The condition runs again after every change.
func (s *Server) Wait(ctx context.Context, condition func(Counters) bool) error {
	for {
		s.mu.Lock()
		counters, changed := s.counters.clone(), s.changed
		s.mu.Unlock()
		if condition(counters) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for counters: %w", ctx.Err())
		}
	}
}

// Reset goes back to the state at start. Requests under way are finished, but counted no more.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings, s.faults, s.records, s.counters = s.initial, nil, recordRing{}, newCounters()
	s.epoch++
	s.notify()
}

// notify wakes those who Wait; the mutex is held.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Data is the handler of the imitated API.
func (s *Server) Data() http.Handler {
	mux := http.NewServeMux()
	for prefix, f := range map[string]flavour{"/v1/": openAI, "/openai/v1/": groq, "/api/v1/": openRouter} {
		for _, route := range []struct {
			method, endpoint, pattern string
			answer                    func(*exchange) error
		}{
			{http.MethodPost, "chat/completions", "chat/completions", (*exchange).chat},
			{http.MethodPost, "completions", "completions", (*exchange).completion},
			{http.MethodPost, "embeddings", "embeddings", (*exchange).embedding},
			{http.MethodGet, "models", "models", (*exchange).models},
			{http.MethodGet, "models", "models/{id...}", (*exchange).model},
		} {
			mux.Handle(route.method+" "+prefix+route.pattern, s.endpoint(f, route.endpoint, route.answer))
			mux.Handle(prefix+route.pattern, s.endpoint(f, route.endpoint, func(x *exchange) error { return wrongMethod(x.r.Method, x.r.URL.Path) }))
		}
	}
	mux.Handle("GET /api/v1/key", s.endpoint(openRouter, "key", (*exchange).key))
	mux.Handle("/", s.endpoint(openAI, "", func(x *exchange) error { return unknownURL(x.r.Method, x.r.URL.Path) }))
	return mux
}

// endpoint reads the body, records the request, and runs fault, key check and answer in this order: a fault stands for what happens before
// a provider looks at the key.
func (s *Server) endpoint(f flavour, name string, answer func(*exchange) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
		x := s.begin(w, r, body, f, name)
		err := readErr
		if err == nil {
			err = x.run(answer)
		} else {
			err = uploadError(err)
		}
		if x.conclude(err) == abortConnection {
			panic(http.ErrAbortHandler)
		}
	})
}

// uploadError tells a body that is too large from a client that left while sending it.
func uploadError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &refusal{http.StatusRequestEntityTooLarge, APIError{Message: "Request body too large.", Type: "invalid_request_error"}}
	}
	return errClientLeft
}

// begin takes the settings and the fault that hold for a request and records its arrival.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, body []byte, f flavour, endpoint string) *exchange {
	record := newRecord(r, body, s.now())
	record.Model, record.Stream = peek(body)
	record.Key = bearer(r.Header)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received++
	record.ID = fmt.Sprintf("req_%032x", s.received)
	fault := s.faults.take(endpoint, record.Model, record.Key)
	record.Fault = fault.Kind
	s.records.push(record)
	s.counters.begin(record)
	s.notify()
	return &exchange{
		server: s, settings: s.settings, fault: fault, flavour: f, endpoint: endpoint, w: w, r: r, body: body,
		record: record, epoch: s.epoch, sequence: s.received, started: record.Time,
	}
}

// bearer is the key in the Authorization header.
func bearer(header http.Header) string {
	scheme, key, _ := strings.Cut(header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}
