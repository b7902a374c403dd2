package valkey

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"signalbox.dev/signalbox/proxy/ledger"
)

const (
	// watchReads bounds how many watchers read at a time.
	watchReads = 8
	// sweepInterval is how often the orders of all watched documents are compared with what is known: messages can be lost.
	sweepInterval = 5 * time.Second
	// silence is how long the subscription may be silent before the server is asked whether it is there.
	silence = 10 * time.Second
	// pruneInterval is how often the ledgers that are watched are pruned.
	pruneInterval = time.Hour
	// firstBackoff and lastBackoff bound the wait after a failure; it doubles with each.
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = 5 * time.Second
)

// watcher is one Watch.
type watcher struct {
	// wake holds a token when the document should be read.
	wake chan struct{}
}

// Watch implements ledger.Store. All watches of a store share one subscription.
func (s *Store) Watch(ctx context.Context, name string, seen func(ledger.Stored)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ends, cancel)()
	w := &watcher{wake: make(chan struct{}, 1)}
	if !s.enter(name, w) {
		<-ctx.Done()
		return
	}
	defer s.leave(name, w)
	signal(w.wake)
	var last point
	backoff := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		stored, err := s.read(ctx, name)
		if err != nil {
			if ctx.Err() == nil && backoff == 0 {
				s.log.WarnContext(ctx, "ledger cannot be read; it is tried again until it can", "ledger", name, "error", err)
			}
			backoff = min(max(firstBackoff, 2*backoff), lastBackoff)
			pause(ctx, backoff)
			signal(w.wake)
			continue
		}
		backoff = 0
		if now := (point{identity: stored.Identity, order: stored.Order}); now != last {
			last = now
			seen(stored)
		}
	}
}

// read loads a document when it is its turn.
func (s *Store) read(ctx context.Context, name string) (ledger.Stored, error) {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return ledger.Stored{}, ctx.Err()
	}
	return s.Load(ctx, name)
}

// enter registers a watcher and starts to listen with the first. It tells whether the store is open.
func (s *Store) enter(name string, w *watcher) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ends.Err() != nil {
		return false
	}
	if s.watchers[name] == nil {
		s.watchers[name] = map[*watcher]struct{}{}
	}
	s.watchers[name][w] = struct{}{}
	if !s.listens {
		s.listens = true
		sweep := make(chan struct{}, 1)
		s.listening.Go(func() { s.listen(s.ends, sweep) })
		s.listening.Go(func() { s.sweeps(s.ends, sweep) })
		s.listening.Go(func() { s.prunes(s.ends) })
	}
	return true
}

// leave takes a watcher out, and with the last one what is known of the document.
func (s *Store) leave(name string, w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers[name], w)
	if len(s.watchers[name]) == 0 {
		delete(s.watchers, name)
		delete(s.seen, name)
	}
}

// awaken has all watchers of a document read it.
func (s *Store) awaken(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers[name] {
		signal(w.wake)
	}
}

// watched returns the names of all documents that are watched.
func (s *Store) watched() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.watchers))
}

// listen wakes watchers when messages say that their documents changed, over any number of connections. Each connection begins with a sweep.
func (s *Store) listen(ctx context.Context, sweep chan<- struct{}) {
	backoff := firstBackoff
	for ctx.Err() == nil {
		began := time.Now()
		err := s.subscribe(ctx, sweep)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > lastBackoff {
			backoff = firstBackoff
		}
		if backoff == firstBackoff {
			s.log.WarnContext(ctx, "the subscription to ledgers ended; it is made again", "error", cleaned(err))
		}
		pause(ctx, backoff)
		backoff = min(2*backoff, lastBackoff)
	}
}

// subscribe listens until the connection fails.
func (s *Store) subscribe(ctx context.Context, sweep chan<- struct{}) error {
	subscription := s.client.Subscribe(ctx, s.channel())
	closed := context.AfterFunc(ctx, func() { _ = subscription.Close() })
	defer func() {
		if closed() {
			_ = subscription.Close()
		}
	}()
	asked := false
	for {
		message, err := subscription.ReceiveTimeout(ctx, silence)
		if err != nil {
			var late net.Error
			if !errors.As(err, &late) || !late.Timeout() || asked {
				return err
			}
			if err := subscription.Ping(ctx); err != nil {
				return err
			}
			asked = true
			continue
		}
		asked = false
		switch message := message.(type) {
		case *redis.Message:
			s.awaken(message.Payload)
		case *redis.Subscription:
			signal(sweep)
		}
	}
}

// sweeps compares orders, at intervals and when a connection begins.
func (s *Store) sweeps(ctx context.Context, sweep <-chan struct{}) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep:
		case <-tick.C:
		}
		s.sweep(ctx)
	}
}

// sweep wakes the watchers of documents that are not as they were last seen. One that fails is left to the next.
func (s *Store) sweep(ctx context.Context) {
	for names := range slices.Chunk(s.watched(), page) {
		answers := make([]*redis.SliceCmd, len(names))
		_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, name := range names {
				answers[i] = pipe.HMGet(ctx, s.document(name), "i", "o")
			}
			return nil
		})
		if err != nil {
			s.log.DebugContext(ctx, "the orders of ledgers cannot be read", "error", cleaned(err))
			return
		}
		for i, name := range names {
			if !s.current(name, answers[i].Val()) {
				s.awaken(name)
			}
		}
	}
}

// current tells whether a document is as it was last seen.
func (s *Store) current(name string, fields []any) bool {
	if len(fields) != 2 {
		return false
	}
	identity, _ := fields[0].(string)
	order, _ := fields[1].(string)
	held, err := decode(identity, order, "")
	last := s.last(name)
	return err == nil && held.Identity == last.identity && held.Order == last.order
}

// prunes removes documents that are over, for as long as something is watched.
func (s *Store) prunes(ctx context.Context) {
	for {
		pause(ctx, pruneInterval)
		if ctx.Err() != nil {
			return
		}
		of := map[string]struct{}{}
		for _, name := range s.watched() {
			whole, _ := ledger.SplitDocument(name)
			of[whole] = struct{}{}
		}
		for name := range of {
			if _, err := s.Prune(ctx, name); err != nil {
				s.log.WarnContext(ctx, "old documents of a ledger cannot be removed", "ledger", name, "error", err)
			}
		}
	}
}

// signal leaves a token in a channel of capacity one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits, at most until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
