package limit

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// maxMessage bounds a message, in bytes.
	maxMessage = 64 << 10
	// maxEntryBytes bounds the entries of a message together; the rest is for its head.
	maxEntryBytes = 36 << 10
	// maxEntries bounds the limiters of a message.
	maxEntries = 256
	// maxNames bounds the names in a list of a message's head, and maxID the length of one.
	maxNames, maxID = 64, 128
	// maxName bounds the name of a route or caller; limiters of longer ones are not shared on request.
	maxName = 1024
	// maxSum bounds what two replicas give each other in their lifetimes.
	maxSum = int64(1) << 56
)

// message is what a replica says to another.
type message struct {
	// To is the name of the one that it is said to, by which that one learns its own.
	To string `json:"to"`
	// Number grows with every message of the sender.
	Number int64 `json:"n"`
	// Ghosts are those that the sender would let go of, and Gone those of the receiver's that the sender has done with.
	Ghosts []ghost  `json:"ghosts,omitempty"`
	Gone   []string `json:"gone,omitempty"`
	// Active tells that the sender has a part in the limits. Others are all that it shares with, ghosts too, told to those that have no part yet.
	Active bool     `json:"active,omitempty"`
	Others []string `json:"others,omitempty"`
	// Complete tells that all limiters of which the sender still holds a part of the receiver's share are among the entries.
	Complete bool `json:"complete,omitempty"`
	// Entries are about one limiter each.
	Entries []json.RawMessage `json:"limits,omitempty"`
}

// ghost is a replica that is gone, and what it owned. A stranger's part is not known and 0.
type ghost struct {
	ID string `json:"id"`
	part
}

// entry is what a message says of one limiter.
type entry struct {
	Route  string           `json:"route"`
	Per    table.LimitScope `json:"per"`
	Caller string           `json:"caller,omitempty"`
	// Mine and Theirs name the counts of sender and receiver; 0 while they are not known.
	Mine   int64 `json:"mine,omitempty"`
	Theirs int64 `json:"theirs,omitempty"`
	// Given and Received are sums over the life of these counts, and Want what the sender would like to be given.
	Given    amounts `json:"given,omitzero"`
	Received amounts `json:"received,omitzero"`
	Want     amounts `json:"want,omitzero"`
	// Freed is what the receiver, having joined, may use of the sender's former share so far; below 0 for kinds that are settled. Nil when all are.
	Freed *amounts `json:"freed,omitempty"`
}

var errMessage = errors.New("message on limits out of bounds")

// read reads a message and its entries and checks their bounds.
func read(said json.RawMessage) (*message, []entry, error) {
	if len(said) > maxMessage {
		return nil, nil, errMessage
	}
	var m message
	if err := json.Unmarshal(said, &m); err != nil {
		return nil, nil, fmt.Errorf("reading a message on limits: %w", err)
	}
	if !m.headFits() {
		return nil, nil, errMessage
	}
	entries := make([]entry, len(m.Entries))
	for i, raw := range m.Entries {
		if err := json.Unmarshal(raw, &entries[i]); err != nil {
			return nil, nil, fmt.Errorf("reading a limit of a message: %w", err)
		}
		if !entries[i].fits() {
			return nil, nil, errMessage
		}
	}
	return &m, entries, nil
}

func (m *message) headFits() bool {
	return m.Number > 0 && len(m.Entries) <= maxEntries && namesFit([]string{m.To}) && ghostsFit(m.Ghosts) && namesFit(m.Gone) && namesFit(m.Others)
}

func ghostsFit(ghosts []ghost) bool {
	for _, g := range ghosts {
		if g.ID == "" || len(g.ID) > maxID || g.Size < 0 || g.Size > most || g.Rank < 0 || g.Rank > g.Size {
			return false
		}
	}
	return len(ghosts) <= maxNames
}

func namesFit(ids []string) bool {
	for _, id := range ids {
		if id == "" || len(id) > maxID {
			return false
		}
	}
	return len(ids) <= maxNames
}

// fits tells whether the figures of an entry are within their bounds.
func (e *entry) fits() bool {
	if len(e.Route) > maxName || len(e.Caller) > maxName || e.Mine < 0 || e.Theirs < 0 {
		return false
	}
	freed := e.Freed == nil || e.Freed.within(settledKind, most)
	return freed && e.Given.within(0, maxSum) && e.Received.within(0, maxSum) && e.Want.within(0, most)
}

// within tells whether all figures are within bounds.
func (a *amounts) within(least, highest int64) bool {
	for _, n := range a {
		if n < least || n > highest {
			return false
		}
	}
	return true
}

// settledKind stands in Freed for a kind of which nothing is held any more.
const settledKind = -1

// sayable tells whether the name of a limiter survives the wire.
func (l *limiter) sayable(routeName string) bool {
	return len(routeName) <= maxName && len(l.caller) <= maxName && utf8.ValidString(l.caller) && utf8.ValidString(routeName)
}
