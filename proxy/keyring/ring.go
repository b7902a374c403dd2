package keyring

import (
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// Ring is the keys of one credential. It never changes but for turns, and may be used by any number of goroutines.
type Ring struct {
	keys  []table.Key
	names []name
	// shares tells that names share the calls; otherwise the first one that can be used leads.
	shares bool
}

// name is a key with all of its values. Those are places in Ring.keys, -1 for none.
type name struct {
	lead, canary int
	// previous are the replaced ones, youngest first.
	previous []int
	weight   int32
	// permille is the canary's share, and turns count the calls that it is a share of.
	permille int64
	turns    *atomic.Int64
}

const none = -1

// New returns the ring of a credential's keys; one without any has a single key without name and value. Canaries' shares are exact over time from a random
// beginning on, so that tables that follow each other quickly do not keep a canary from its calls.
func New(c *table.Credential, random func(int64) int64) *Ring {
	r := &Ring{keys: c.Keys, shares: c.SharesKeys}
	if len(r.keys) == 0 {
		r.keys = make([]table.Key, 1)
	}
	at := map[string]int{}
	for place := range r.keys {
		key := &r.keys[place]
		index, known := at[key.Name]
		if !known {
			index = len(r.names)
			at[key.Name] = index
			r.names = append(r.names, name{lead: none, canary: none})
		}
		r.names[index].add(key, place, random)
	}
	return r
}

func (n *name) add(key *table.Key, place int, random func(int64) int64) {
	n.weight = max(n.weight, key.Weight)
	switch {
	case key.Role == table.Previous:
		n.previous = append(n.previous, place)
	case key.Role == table.Canary && n.canary == none:
		n.canary, n.permille, n.turns = place, int64(min(max(key.Permille, 0), 1000)), &atomic.Int64{}
		n.turns.Store(random(1000))
	case n.lead == none:
		n.lead = place
	}
}

// Len is the number of keys, at least 1.
func (r *Ring) Len() int { return len(r.keys) }

// Key is the key at a place, which must not be changed.
func (r *Ring) Key(place int) *table.Key { return &r.keys[place] }

// Single tells that there is nothing to choose: there is one key, and it has no deadline.
func (r *Ring) Single() bool { return len(r.keys) == 1 && !Limited(&r.keys[0]) }

// Has tells whether a key is in the ring.
func (r *Ring) Has(fingerprint string) bool {
	for place := range r.keys {
		if r.keys[place].Fingerprint == fingerprint {
			return true
		}
	}
	return false
}

// Returned are the fingerprints of the keys that calls are made with again, after they had been replaced in the ring before.
func (r *Ring) Returned(before *Ring) []string {
	var returned []string
	for place := range r.keys {
		key := &r.keys[place]
		if key.Role != table.Previous && !key.Refused && before.replaced(key.Fingerprint) {
			returned = append(returned, key.Fingerprint)
		}
	}
	return returned
}

// replaced tells whether a key is in the ring, and in no other role than that of a replaced one.
func (r *Ring) replaced(fingerprint string) bool {
	found := false
	for place := range r.keys {
		if r.keys[place].Fingerprint != fingerprint {
			continue
		}
		if r.keys[place].Role != table.Previous {
			return false
		}
		found = true
	}
	return found
}

// Limited tells whether there is a time from which on a key must not be sent: one that was replaced has it, and one that leads although its Secret is gone. A
// canary's time is that of its trial, and ends nothing.
func Limited(key *table.Key) bool {
	return key.Role == table.Previous || key.Role == table.Leads && !key.Until.IsZero()
}

// Expired tells whether a key must not be sent any more. A replaced key without a deadline never may.
func Expired(key *table.Key, now time.Time) bool { return Limited(key) && !now.Before(key.Until) }

// isTurn takes a turn, and tells whether it is the canary's: of any 1000 in a row exactly its share are, evenly spread.
func (n *name) isTurn() bool { return turnOf(n.turns.Add(1), n.permille) }

// wouldBeTurn is isTurn without taking the turn.
func (n *name) wouldBeTurn() bool { return turnOf(n.turns.Load()+1, n.permille) }

func turnOf(turn, permille int64) bool { return turn*permille/1000 != (turn-1)*permille/1000 }
