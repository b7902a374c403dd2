package usage

import (
	"sync"
	"time"
)

// Bounds of a Recent.
const (
	// DefaultRecent is how many records are kept.
	DefaultRecent = 4096
	// DefaultRecentBytes bounds the memory that they take, roughly.
	DefaultRecentBytes = 16 << 20
	// recordBytes and attemptBytes are roughly those of a record and of an attempt without their texts.
	recordBytes, attemptBytes = 800, 100
)

// RecentOptions of a Recent.
type RecentOptions struct {
	// Records is how many are kept; 0 is DefaultRecent.
	Records int
	// Bytes bounds the memory that they take, roughly; 0 is DefaultRecentBytes.
	Bytes int64
	// Started is when the process began to keep records, for From.
	Started time.Time
}

// Recent keeps the newest records in memory, so that a request can be looked up before its answer has ended. It is safe for concurrent use. Nothing may be
// written to a record that it holds.
type Recent struct {
	mostBytes int64

	mu   sync.RWMutex
	ring []*Record
	// next is the slot of the next record; the oldest one is the first that is not nil from there on.
	next  int
	bytes int64
	// held is how many there are; they are the slots before next.
	held int
	byID map[string]int
	from time.Time
}

// NewRecent returns an empty Recent.
func NewRecent(o RecentOptions) *Recent {
	if o.Records <= 0 {
		o.Records = DefaultRecent
	}
	if o.Bytes <= 0 {
		o.Bytes = DefaultRecentBytes
	}
	return &Recent{mostBytes: o.Bytes, ring: make([]*Record, o.Records), byID: make(map[string]int, o.Records), from: o.Started}
}

// Put normalises a record and keeps it; of the same ID the last one counts. From now on nothing may be written to it.
func (c *Recent) Put(r *Record) {
	r.Normalize()
	c.mu.Lock()
	defer c.mu.Unlock()
	if slot, again := c.byID[r.ID]; again {
		c.bytes += sizeOf(r) - sizeOf(c.ring[slot])
		c.ring[slot] = r
	} else {
		if c.held == len(c.ring) {
			c.drop()
		}
		c.ring[c.next] = r
		c.byID[r.ID] = c.next
		c.next = (c.next + 1) % len(c.ring)
		c.held++
		c.bytes += sizeOf(r)
	}
	for c.bytes > c.mostBytes && c.held > 1 {
		c.drop()
	}
}

// drop forgets the oldest record.
func (c *Recent) drop() {
	slot := c.slot(c.held - 1)
	if gone := c.ring[slot].Time; !gone.Before(c.from) {
		c.from = gone.Add(1)
	}
	c.bytes -= sizeOf(c.ring[slot])
	delete(c.byID, c.ring[slot].ID)
	c.ring[slot] = nil
	c.held--
}

// slot of the record that so many newer ones follow.
func (c *Recent) slot(newer int) int {
	return (c.next - 1 - newer + 2*len(c.ring)) % len(c.ring)
}

// ByID finds a record by its own id, or else the newest one by the id that the provider gave to the answer, which clients see where the answer passes.
func (c *Recent) ByID(id string) (*Record, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if slot, known := c.byID[id]; known {
		return c.ring[slot], true
	}
	for newer := range c.held {
		if r := c.ring[c.slot(newer)]; id != "" && r.UpstreamID == id {
			return r, true
		}
	}
	return nil, false
}

// Filter chooses records. What is zero chooses all.
type Filter struct {
	// Caller as in Record.
	Caller string
	// Since and Until bound the time at which the request came; Until is not within.
	Since, Until time.Time
}

// Matches tells whether the filter chooses a record.
func (f *Filter) Matches(r *Record) bool {
	return (f.Caller == "" || f.Caller == r.Caller) && (f.Since.IsZero() || !r.Time.Before(f.Since)) && (f.Until.IsZero() || r.Time.Before(f.Until))
}

// Select returns the records that a filter chooses, the one that came last first.
func (c *Recent) Select(f Filter) []*Record {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var chosen []*Record
	for newer := range c.held {
		if r := c.ring[c.slot(newer)]; f.Matches(r) {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

// From is the time since which all records are there: when it was made, or later once old records had to go.
func (c *Recent) From() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.from
}

// sizeOf is roughly the memory that a record takes.
func sizeOf(r *Record) int64 {
	size := recordBytes + len(r.ID) + len(r.RequestID) + len(r.Caller) + len(r.EndUser) + len(r.Model) + len(r.Served) + len(r.UpstreamID) +
		len(r.PriceSource) + len(r.Attempts)*attemptBytes + len(r.Budgets)*16
	for i := range r.Tags {
		size += 32 + len(r.Tags[i].Key) + len(r.Tags[i].Value)
	}
	return int64(size)
}
