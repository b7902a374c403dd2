package valkey

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// maxNameBytes bounds the name of a document.
	maxNameBytes = 1024
	// maxDocuments bounds how many names List returns.
	maxDocuments = 100_000
	// page is how many names, orders or removals are asked for at a time.
	page = 256
	// peeks is how many documents are read at a time; each can be as large as ledger.MaxEncodedBytes.
	peeks = 16
)

// Store is a ledger.Store on the keys of one namespace. A document that was never saved is made empty by Load.
type Store struct {
	client  redis.UniversalClient
	prefix  string
	scripts scripts
	log     *slog.Logger
	offset  offset
	// ends is done when the store is closed.
	ends  context.Context
	close context.CancelFunc

	mu sync.Mutex
	// seen is the latest state of each document that an answer showed.
	seen map[string]point
	// watchers of each document.
	watchers map[string]map[*watcher]struct{}
	// listening is held by the goroutines that serve the watchers; they run from the first watch on.
	listening sync.WaitGroup
	listens   bool
	// reading bounds the reads of watchers.
	reading chan struct{}
}

// point is a state of a document.
type point struct {
	identity string
	order    uint64
}

// New returns the store of a namespace. It dials when it is first used; the logger gets what a watch cannot return. The error is that of options that cannot be
// used.
func New(options table.Valkey, log *slog.Logger) (*Store, error) {
	if !validPrefix(options.Prefix) {
		return nil, fmt.Errorf("opening the ledger server: the prefix %q holds no hash tag", options.Prefix)
	}
	client, err := connect(server{
		addresses: options.Addresses, cluster: options.Cluster, username: options.Username, password: options.Password, caPEM: options.CAPEM,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the ledger server: %w", err)
	}
	ends, end := context.WithCancel(context.Background())
	return &Store{
		client: client, prefix: options.Prefix, scripts: newScripts(), log: log, ends: ends, close: end,
		seen: map[string]point{}, watchers: map[string]map[*watcher]struct{}{}, reading: make(chan struct{}, watchReads),
	}, nil
}

// Close ends all watches and connections.
func (s *Store) Close() error {
	s.mu.Lock()
	s.close()
	s.mu.Unlock()
	s.listening.Wait()
	return s.client.Close()
}

// Offset tells how far the server's clock is ahead of this machine's, and false before the first answer.
func (s *Store) Offset() (time.Duration, bool) {
	return s.offset.value()
}

func (s *Store) document(name string) string { return s.prefix + "doc:" + name }
func (s *Store) index(of string) string      { return s.prefix + "index:" + of }
func (s *Store) seed(of string) string       { return s.prefix + "seed:" + of }
func (s *Store) ledgers() string             { return s.prefix + "ledgers" }
func (s *Store) channel() string             { return s.prefix + "changes" }

// checkName refuses names that cannot be a document's.
func checkName(name string) error {
	if name == "" || len(name) > maxNameBytes {
		return fmt.Errorf("a ledger's name of %d bytes is not of 1 to %d", len(name), maxNameBytes)
	}
	return nil
}

// Load implements ledger.Store.
func (s *Store) Load(ctx context.Context, name string) (ledger.Stored, error) {
	if err := checkName(name); err != nil {
		return ledger.Stored{}, err
	}
	of, _ := ledger.SplitDocument(name)
	floor := s.last(name)
	sent := time.Now()
	answer, err := s.scripts.load.Run(ctx, s.client, []string{s.document(name), s.index(of), s.ledgers(), s.seed(of)},
		rand.Text(), floor.identity, floor.order, name, of, s.channel(), ledger.MaxEncodedBytes).StringSlice()
	if err != nil {
		return ledger.Stored{}, fmt.Errorf("loading ledger %s: %w", name, cleaned(err))
	}
	if len(answer) != 4 {
		return ledger.Stored{}, fmt.Errorf("loading ledger %s: the answer has %d parts", name, len(answer))
	}
	s.offset.learn(answer[3], sent, time.Now())
	stored, err := decode(answer[0], answer[1], answer[2])
	if err != nil {
		return ledger.Stored{}, fmt.Errorf("loading ledger %s: %w", name, err)
	}
	s.note(name, stored)
	return stored, nil
}

// decode returns what the fields of a document hold.
func decode(identity, order, data string) (ledger.Stored, error) {
	number, err := strconv.ParseUint(order, 10, 63)
	if err != nil || identity == "" {
		return ledger.Stored{}, errors.New("its order or identity cannot be read")
	}
	stored := ledger.Stored{Version: order, Order: number, Identity: identity}
	if data == "" {
		return stored, nil
	}
	stored.Record, err = ledger.Decode([]byte(data))
	return stored, err
}

// Save implements ledger.Store.
func (s *Store) Save(ctx context.Context, name string, stored ledger.Stored) (ledger.Stored, error) {
	if err := checkName(name); err != nil {
		return ledger.Stored{}, err
	}
	text, err := ledger.Encode(stored.Record)
	if err != nil {
		return ledger.Stored{}, err
	}
	sent := time.Now()
	answer, err := s.scripts.save.Run(ctx, s.client, []string{s.document(name)},
		stored.Identity, stored.Version, text, ends(stored.Record), name, s.channel()).StringSlice()
	if errors.Is(err, redis.Nil) {
		return ledger.Stored{}, fmt.Errorf("saving ledger %s: %w", name, ledger.ErrConflict)
	}
	if err != nil {
		return ledger.Stored{}, fmt.Errorf("saving ledger %s: %w", name, cleaned(err))
	}
	if len(answer) != 2 {
		return ledger.Stored{}, fmt.Errorf("saving ledger %s: the answer has %d parts", name, len(answer))
	}
	s.offset.learn(answer[1], sent, time.Now())
	order, err := strconv.ParseUint(answer[0], 10, 63)
	if err != nil {
		return ledger.Stored{}, fmt.Errorf("saving ledger %s: its order cannot be read", name)
	}
	saved := ledger.Stored{Record: stored.Record, Version: answer[0], Order: order, Identity: stored.Identity}
	s.note(name, saved)
	return saved, nil
}

// ends returns when the last window of a record ends, as the scripts take it.
func ends(record ledger.Record) string {
	last, bounded := record.LastEnd()
	switch {
	case !bounded:
		return "0"
	case last.IsZero():
		return ""
	default:
		return strconv.FormatInt(last.UnixMicro(), 10)
	}
}

// last returns the latest state of a document that is known.
func (s *Store) last(name string) point {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[name]
}

// note remembers the state of a document. Orders grow over all its lives, so the largest is the latest.
func (s *Store) note(name string, stored ledger.Stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[name].order < stored.Order {
		s.seen[name] = point{identity: stored.Identity, order: stored.Order}
	}
}
