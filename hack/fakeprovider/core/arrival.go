package core

import "time"

// keptArrivals bounds how many arrivals are remembered; the newest are.
const keptArrivals = 1 << 17

// Arrival is when a request came, and how it was taken. It is a small part of a Record, kept for far more requests.
type Arrival struct {
	// Time is when the request's body had been read.
	Time time.Time `json:"time"`
	// Endpoint is the name by which faults match it.
	Endpoint string `json:"endpoint"`
	// Model is the model asked for.
	Model string `json:"model"`
	// Key is the API key used.
	Key string `json:"key,omitempty"`
	// Fault is the kind of the fault that took it, empty for none.
	Fault FaultKind `json:"fault,omitempty"`
}

// arrivalRing keeps the newest arrivals.
type arrivalRing struct {
	arrivals []Arrival
	next     int // the oldest one, once all places are taken
}

func (r *arrivalRing) push(a Arrival) {
	if len(r.arrivals) < keptArrivals {
		r.arrivals = append(r.arrivals, a)
		return
	}
	r.arrivals[r.next] = a
	r.next = (r.next + 1) % keptArrivals
}

// list copies the arrivals, oldest first.
func (r *arrivalRing) list() []Arrival {
	out := make([]Arrival, 0, len(r.arrivals))
	return append(append(out, r.arrivals[r.next:]...), r.arrivals[:r.next]...)
}

// Arrivals returns when the newest requests came, oldest first; 131072 are kept.
func (s *Server) Arrivals() []Arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrivals.list()
}
