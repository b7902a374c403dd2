package health

import "sync"

// vacancy tells those who wait that a single attempt has ended. Mostly nobody does.
type vacancy struct {
	mu sync.Mutex
	// ended is nil while nobody waits.
	ended chan struct{}
}

func (v *vacancy) next() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended == nil {
		v.ended = make(chan struct{})
	}
	return v.ended
}

func (v *vacancy) announce() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended != nil {
		close(v.ended)
		v.ended = nil
	}
}
