package core

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

// Bounds of what is held in memory: of one request, and between requests.
const (
	maxRequestBody = 128 << 20
	maxSeen        = 4096
	maxKept        = 1024
)

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
	account ServiceAccount

	mu       sync.Mutex
	settings Settings
	faults   faultQueue
	records  recordRing
	arrivals arrivalRing
	accounts map[quotaKey]*account
	counters Counters
	received uint64
	cached   map[uint64]bool // prefixes by SeedOf
	kept     map[string]any  // what answers stored
	managed  managedKeys     // what management APIs made
	epoch    uint64          // counts resets
	changed  chan struct{}   // closed and replaced whenever records or counters change
}

// New makes a server. The error is that of Settings.Validate.
func New(options Options) (*Server, error) {
	s := &Server{now: options.Now, sleep: options.Sleep, initial: DefaultSettings(), counters: newCounters(), changed: make(chan struct{}), account: newServiceAccount()}
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
	return s.faults.list()
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
	s.cached, s.kept, s.accounts, s.arrivals = nil, nil, nil, arrivalRing{}
	s.managed = managedKeys{}
	s.epoch++
	s.notify()
}

// notify wakes those who Wait; the mutex is held.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Handler serves routes; what no route takes is the fallback's to refuse, by prefix.
func (s *Server) Handler(routes []Route, fallback map[string]Vendor) http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]Route{}
	for _, route := range routes {
		methods[route.Pattern] = append(methods[route.Pattern], route)
	}
	for pattern, all := range methods {
		mux.Handle(pattern, s.byMethod(all))
	}
	for prefix, vendor := range fallback {
		mux.Handle(prefix, s.endpoint(Route{Vendor: vendor, Answer: func(x *Exchange) error { return vendor.NotFound(x) }}))
	}
	return mux
}

// byMethod chooses among the routes of one path. http.ServeMux could, but for paths that have methods of their own inside another's wildcard.
func (s *Server) byMethod(routes []Route) http.Handler {
	handlers := map[string]http.Handler{}
	for _, route := range routes {
		handlers[route.Method] = s.endpoint(route)
	}
	first := routes[0]
	first.Answer = func(x *Exchange) error { return first.Vendor.WrongMethod(x) }
	wrong := s.endpoint(first)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if handler, ok := handlers[method]; ok {
			handler.ServeHTTP(w, r)
			return
		}
		wrong.ServeHTTP(w, r)
	})
}

// endpoint reads the body, records the request, and runs fault, key check and answer in this order: a fault stands for what happens before
// a provider looks at the key.
func (s *Server) endpoint(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
		x := s.begin(w, r, body, route)
		err := readErr
		if err == nil {
			err = x.run(route.Answer)
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
		return Refuse(http.StatusRequestEntityTooLarge, "invalid_request_error", "Request body too large.")
	}
	return errClientLeft
}

// begin takes the settings and the fault that hold for a request and records its arrival.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, body []byte, route Route) *Exchange {
	record := newRecord(r, body, s.now())
	head := route.Vendor.Head(r, body)
	if route.EndpointOf != nil {
		route.Endpoint = route.EndpointOf(r)
	}
	record.Model, record.Stream, record.Key = head.Model, head.Stream, head.Key
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received++
	record.ID = fmt.Sprintf("req_%032x", s.received)
	fault := s.faults.take(route.Endpoint, record.Model, record.Key)
	record.Fault = fault.Kind
	s.records.push(record)
	s.arrivals.push(Arrival{Time: record.Time, Endpoint: route.Endpoint, Model: record.Model, Key: record.Key, Fault: fault.Kind})
	s.counters.begin(record)
	s.notify()
	return &Exchange{
		server: s, Settings: s.settings, Fault: fault, vendor: route.Vendor, Endpoint: route.Endpoint, w: w, R: r, Body: body,
		record: record, epoch: s.epoch, Sequence: s.received, Started: record.Time, Model: head.Model, Key: head.Key, RequestID: record.ID,
	}
}

// seen remembers a prefix that was cached, and tells whether it was before. At most maxSeen are kept; then all are forgotten.
func (s *Server) seen(prefix uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cached[prefix] {
		return true
	}
	if s.cached == nil || len(s.cached) >= maxSeen {
		s.cached = map[uint64]bool{}
	}
	s.cached[prefix] = true
	return false
}

// Keep stores what an answer has to be remembered by; at most maxKept, then all are forgotten.
func (x *Exchange) Keep(id string, value any) {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= maxKept {
		s.kept = map[string]any{}
	}
	s.kept[id] = value
}

// Kept is what an earlier answer stored, nil if nothing.
func (x *Exchange) Kept(id string) any {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[id]
}

// Forget removes what an earlier answer stored.
func (x *Exchange) Forget(id string) {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, id)
}

// Bearer is the key in the Authorization header.
func Bearer(header http.Header) string {
	scheme, key, _ := strings.Cut(header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}
