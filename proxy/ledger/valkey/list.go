package valkey

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"signalbox.dev/signalbox/proxy/ledger"
)

// Ledgers returns the names of the ledgers of the namespace that have a document, in order.
func (s *Store) Ledgers(ctx context.Context) ([]string, error) {
	names, err := s.members(ctx, s.ledgers())
	if err != nil {
		return nil, fmt.Errorf("listing ledgers: %w", err)
	}
	return names, nil
}

// List returns the names of the documents of a ledger, in order.
func (s *Store) List(ctx context.Context, of string) ([]string, error) {
	names, err := s.members(ctx, s.index(of))
	if err != nil {
		return nil, fmt.Errorf("listing the documents of ledger %s: %w", of, err)
	}
	return names, nil
}

func (s *Store) members(ctx context.Context, key string) ([]string, error) {
	var names []string
	for cursor := uint64(0); ; {
		found, next, err := s.client.SScan(ctx, key, cursor, "", page).Result()
		if err != nil {
			return nil, cleaned(err)
		}
		names = append(names, found...)
		if len(names) > 2*maxDocuments {
			return nil, fmt.Errorf("there are more than %d", maxDocuments)
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	// A scan may return a name more than once.
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Peek reads documents without making those that there are not: these have no Version.
func (s *Store) Peek(ctx context.Context, names ...string) ([]ledger.Stored, error) {
	stored := make([]ledger.Stored, 0, len(names))
	for some := range slices.Chunk(names, peeks) {
		answers := make([]*redis.SliceCmd, len(some))
		_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, name := range some {
				answers[i] = pipe.HMGet(ctx, s.document(name), "i", "o", "d")
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading %d ledgers: %w", len(names), cleaned(err))
		}
		for i, answer := range answers {
			one, err := peeked(answer.Val())
			if err != nil {
				return nil, fmt.Errorf("reading ledger %s: %w", some[i], err)
			}
			stored = append(stored, one)
		}
	}
	return stored, nil
}

// peeked returns what the fields of a document hold, if it is there.
func peeked(fields []any) (ledger.Stored, error) {
	if len(fields) != 3 || fields[0] == nil {
		return ledger.Stored{}, nil
	}
	var text [3]string
	for i, field := range fields {
		text[i], _ = field.(string)
	}
	return decode(text[0], text[1], text[2])
}

// Seed sets what documents of a ledger hold that are made from now on; without one they are empty.
func (s *Store) Seed(ctx context.Context, of string, record ledger.Record) error {
	text, err := ledger.Encode(record)
	if err != nil {
		return err
	}
	if err := s.client.Set(ctx, s.seed(of), text, 0).Err(); err != nil {
		return fmt.Errorf("seeding ledger %s: %w", of, cleaned(err))
	}
	return nil
}

// pruneAfter is how long after the end of its last window a document is removed, by the server's clock. It is long enough that no window of it is in use, however far
// a clock is off.
const pruneAfter = ledger.Retention * 8

// Prune removes the documents of a ledger whose windows have all ended long ago, and returns how many.
func (s *Store) Prune(ctx context.Context, of string) (int64, error) {
	names, err := s.List(ctx, of)
	if err != nil {
		return 0, err
	}
	var removed int64
	for _, name := range names {
		n, err := s.scripts.prune.Run(ctx, s.client, []string{s.document(name), s.index(of)}, name, pruneAfter.Microseconds()).Int64()
		if err != nil {
			return removed, fmt.Errorf("pruning ledger %s: %w", name, cleaned(err))
		}
		if n > 0 {
			s.forget(name)
		}
		removed += n
	}
	return removed, nil
}

// forget drops what is known of a document that nobody watches.
func (s *Store) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watchers[name]) == 0 {
		delete(s.seen, name)
	}
}
