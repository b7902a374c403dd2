// Package renewal keeps what expires: it asks for something new ahead of the end of what is there, so that who needs it does not wait.
package renewal

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// UnsafeEnd is how long before its end a value is not given out any more, for it has a way to go.
	UnsafeEnd = 30 * time.Second
	// AskLimit is how long asking may take.
	AskLimit = 20 * time.Second
	// retryPause is how long a failure to renew what is still good is left at that, and failPause how long one that leaves nothing good is.
	retryPause = 30 * time.Second
	failPause  = 2 * time.Second
	// spread is the share of the time ahead of the end by which renewals are scattered, so that what was asked for together is not renewed together.
	spread = 0.25
	// blameless is how old a value has to be before its refusal is a reason to ask for another one: one that was just given is refused for something else.
	blameless = time.Minute
)

// Term is a value with its end.
type Term[T any] struct {
	// Value that was given.
	Value T
	// Ends is when it is worth nothing any more.
	Ends time.Time
}

// Ask gets something new. The context does not end with that of who needs the answer first, but after AskLimit.
type Ask[T any] func(ctx context.Context) (Term[T], error)

// Rules say when renewals are due.
type Rules struct {
	// Ahead is how long before the end of something that was given for so long a new one is asked for.
	Ahead func(life time.Duration) time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Random scatters the renewals, with numbers from 0 up to 1; nil means the system's.
	Random func() float64
}

func (r Rules) withDefaults() Rules {
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Random == nil {
		r.Random = rand.Float64
	}
	return r
}

// Source gives out one thing that expires. At most one question is under way. It is safe for concurrent use.
type Source[T any] struct {
	rules Rules

	mutex   sync.Mutex
	ask     Ask[T]
	current Term[T]
	// given is when the current value came, and refused tells that it was not taken since.
	given   time.Time
	refused bool
	// renewAt is when the current value is to be replaced.
	renewAt time.Time
	// failure is how the last question ended, nil if that was well; until retryAt there is no other one.
	failure error
	retryAt time.Time
	// asking is the question under way; nil when there is none.
	asking *question[T]
	used   time.Time
}

// question is one that is under way.
type question[T any] struct {
	done chan struct{}
	got  Term[T]
	err  error
}

// Get returns a value that is good for a while. One that ends soon is renewed without anybody waiting for it. The error is that of the question, or that of
// ctx when it ended before the answer came.
func (s *Source[T]) Get(ctx context.Context) (T, error) {
	s.mutex.Lock()
	now := s.rules.Now()
	s.used = now
	good := s.lasts(now) && !s.refused
	if s.asking == nil && !now.Before(s.retryAt) && (!good || !now.Before(s.renewAt)) {
		s.asking = &question[T]{done: make(chan struct{})}
		// The answer serves others too, and outlives the request that needs it first.
		go s.answer(context.WithoutCancel(ctx), s.ask, s.asking)
	}
	current, asking, failure := s.current, s.asking, s.failure
	s.mutex.Unlock()
	var none T
	switch {
	case good:
		return current.Value, nil
	case asking == nil:
		return none, failure
	}
	select {
	case <-asking.done:
		return asking.got.Value, asking.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// lasts tells whether the current value is good for a while yet. It needs the mutex to be held.
func (s *Source[T]) lasts(now time.Time) bool { return s.current.Ends.Sub(now) >= UnsafeEnd }

// Refused notes that what was given out at a time was not taken, and tells whether there is something newer to try, or is to be: the next Get waits for that. While
// nothing newer is to be had the value is given out on, for a refusal can be a mistake.
func (s *Source[T]) Refused(at time.Time) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.given.After(at):
		return true
	case s.rules.Now().Before(s.retryAt), at.Sub(s.given) < blameless:
		return false
	}
	s.refused = true
	return true
}

// answer asks a question.
func (s *Source[T]) answer(ctx context.Context, ask Ask[T], q *question[T]) {
	ctx, cancel := context.WithTimeout(ctx, AskLimit)
	defer cancel()
	asked := s.rules.Now()
	q.got, q.err = ask(ctx)
	s.mutex.Lock()
	s.failure, s.asking, s.refused = q.err, nil, false
	now := s.rules.Now()
	switch {
	case q.err == nil:
		s.current, s.given = q.got, now
		ahead := s.rules.Ahead(q.got.Ends.Sub(asked))
		s.renewAt = q.got.Ends.Add(-ahead - time.Duration(spread*s.rules.Random()*float64(ahead)))
		// What came is not asked for again at once even if it is as good as over.
		s.retryAt = time.Time{}
	case s.lasts(now):
		s.retryAt = now.Add(retryPause)
		// Who waits because it was refused goes on with it.
		q.got, q.err = s.current, nil
	default:
		s.retryAt = now.Add(failPause)
	}
	s.mutex.Unlock()
	close(q.done)
}

// unusedSince tells whether nobody has asked for the value since a time, and nobody waits for it.
func (s *Source[T]) unusedSince(limit time.Time) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.used.Before(limit)
}

func (s *Source[T]) use(ask Ask[T], now time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.ask, s.used = ask, now
}
