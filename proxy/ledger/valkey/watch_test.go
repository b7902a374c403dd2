package valkey

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/valkey/valkeytest"
)

// views holds what watches saw last.
type views struct {
	mu   sync.Mutex
	last map[string]ledger.Stored
}

func (v *views) get(name string) ledger.Stored {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last[name]
}

// watch watches documents until the test ends.
func watch(t *testing.T, store *Store, names ...string) *views {
	t.Helper()
	v := &views{last: map[string]ledger.Stored{}}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, name := range names {
		running.Go(func() {
			store.Watch(ctx, name, func(stored ledger.Stored) {
				v.mu.Lock()
				defer v.mu.Unlock()
				v.last[name] = stored
			})
		})
	}
	t.Cleanup(func() { cancel(); running.Wait() })
	return v
}

// subscriptions returns how many connections listen to the channel of a store.
func subscriptions(t *testing.T, store *Store) int64 {
	t.Helper()
	counts, err := store.client.PubSubNumSub(t.Context(), store.channel()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return counts[store.channel()]
}

// TestWatch watches a thousand documents over one subscription, through an outage and a loss of the database.
func TestWatch(t *testing.T) {
	server := valkeytest.Start(t)
	watching, writing := open(t, options(server)), open(t, options(server))
	const documents = 1000
	var names []string
	for i := range documents {
		names = append(names, fmt.Sprintf("b/%d", i))
	}
	seen := watch(t, watching, names...)
	eventually(t, "all documents are seen", func() bool {
		for _, name := range names {
			if seen.get(name).Identity == "" {
				return false
			}
		}
		return true
	})
	eventually(t, "one subscription", func() bool { return subscriptions(t, writing) == 1 })
	set := func(name string, nano, seq int64) {
		save(t, writing, name, with(load(t, writing, name), "a/1", nano, seq))
	}
	for i, name := range names {
		if i%10 == 0 {
			set(name, int64(i), 1)
		}
	}
	eventually(t, "the changes", func() bool {
		for i, name := range names {
			if i%10 == 0 && spent(seen.get(name).Record) != int64(i) {
				return false
			}
		}
		return true
	})
	server.Kill()
	server.Restart()
	eventually(t, "the server is back", func() bool { _, err := writing.Load(t.Context(), names[0]); return err == nil })
	set(names[0], 7, 2)
	eventually(t, "a change after an outage", func() bool { return spent(seen.get(names[0]).Record) == 7 })
	if err := writing.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	before := seen.get(names[3])
	eventually(t, "the loss of the database", func() bool { return seen.get(names[3]).Identity != before.Identity })
	if after := seen.get(names[3]); after.Order <= before.Order {
		t.Errorf("order %d after %d", after.Order, before.Order)
	}
}

// TestSavesAreTold listens to the messages of a save and of a new document.
func TestSavesAreTold(t *testing.T) {
	server := valkeytest.Start(t)
	store := open(t, options(server))
	subscription := store.client.Subscribe(t.Context(), store.channel())
	defer func() { _ = subscription.Close() }()
	if _, err := subscription.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	save(t, store, "b", with(load(t, store, "b"), "a/1", 5, 1))
	for _, change := range []string{"the making", "the save"} {
		message, err := subscription.ReceiveTimeout(t.Context(), 30*time.Second)
		if told, is := message.(*redis.Message); err != nil || !is || told.Payload != "b" {
			t.Errorf("%s is told as %v, %v", change, message, err)
		}
	}
}

// TestWatchWithoutMessages changes a document without a message: the sweep finds it.
func TestWatchWithoutMessages(t *testing.T) {
	server := valkeytest.Start(t)
	watching, writing := open(t, options(server)), open(t, options(server))
	seen := watch(t, watching, "b")
	eventually(t, "the document is seen", func() bool { return seen.get("b").Identity != "" })
	mute := open(t, options(server))
	mute.prefix = Prefix("nobody")
	stored := load(t, writing, "b")
	text, err := ledger.Encode(with(stored, "a/1", 5, 1).Record)
	if err != nil {
		t.Fatal(err)
	}
	err = mute.scripts.save.Run(t.Context(), mute.client, []string{writing.document("b")}, stored.Identity, stored.Version, text, "", "b", mute.channel()).Err()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the change", func() bool { return spent(seen.get("b").Record) == 5 })
}

// TestWatchEnds checks that a watch ends with its context, leaves nothing behind, and does nothing on a store that is closed.
func TestWatchEnds(t *testing.T) {
	server := valkeytest.Start(t)
	store := open(t, options(server))
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		store.Watch(ctx, "b", func(ledger.Stored) { close(first) })
	})
	<-first
	cancel()
	running.Wait()
	store.mu.Lock()
	if len(store.watchers) != 0 || len(store.seen) != 0 {
		t.Errorf("left behind: %d watchers, %d documents", len(store.watchers), len(store.seen))
	}
	store.mu.Unlock()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	store.Watch(ended, "b", func(ledger.Stored) { t.Error("a closed store saw something") })
}
