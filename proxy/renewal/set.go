package renewal

import (
	"sync"
	"time"
)

// unusedLimit is how long a source that nobody asks is kept.
const unusedLimit = 3 * time.Hour

// Set keeps sources by name, and drops those that nobody has used for three hours. It is safe for concurrent use.
type Set[T any] struct {
	rules Rules

	mutex   sync.Mutex
	sources map[string]*Source[T]
}

// NewSet returns a Set without sources.
func NewSet[T any](rules Rules) *Set[T] {
	return &Set[T]{rules: rules.withDefaults(), sources: map[string]*Source[T]{}}
}

// Source returns the source of a name, with what it has got so far. It asks with ask from now on.
func (s *Set[T]) Source(name string, ask Ask[T]) *Source[T] {
	now := s.rules.Now()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for known, source := range s.sources {
		if known != name && source.unusedSince(now.Add(-unusedLimit)) {
			delete(s.sources, known)
		}
	}
	source, known := s.sources[name]
	if !known {
		source = &Source[T]{rules: s.rules}
		s.sources[name] = source
	}
	source.use(ask, now)
	return source
}

// Drop forgets all sources, so that what they have got is asked for again.
func (s *Set[T]) Drop() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	clear(s.sources)
}

// Len is how many sources are kept.
func (s *Set[T]) Len() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.sources)
}
