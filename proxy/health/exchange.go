package health

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// maxSaid bounds how many blocks are told in one message, maxMessage how long it may be.
	maxSaid    = 512
	maxMessage = 256 << 10
	// The bounds of names. One that is longer is not exchanged.
	maxCredential = 253
	maxKey        = 256
	maxModel      = 512
)

// notice is a block as replicas tell each other of it. It holds a duration and no time, so that their clocks may differ.
type notice struct {
	Credential string `json:"credential"`
	Key        string `json:"key,omitempty"`
	Model      string `json:"model,omitempty"`
	Block      string `json:"block"`
	Remaining  int64  `json:"remainingMS"`
}

// later tells which of two notices is to be told first: the one that holds longer, but models that are not offered come last, because clients can make
// up as many of those as they like.
func (n notice) later(other notice) int {
	if gone := n.Block == Withdrawn.String(); gone != (other.Block == Withdrawn.String()) {
		if gone {
			return 1
		}
		return -1
	}
	return cmp.Compare(other.Remaining, n.Remaining)
}

var errNotices = errors.New("it is no list of blocks, or too long a one")

// Say is what another replica is to be told: what this one has found out itself and how long it still holds, as durations; nil for nothing.
func (r *Registry) Say(now time.Time) json.RawMessage {
	notices := r.notices(r.at(now))
	if len(notices) == 0 {
		return nil
	}
	slices.SortFunc(notices, notice.later)
	said := []byte{'['}
	for i, n := range notices[:min(len(notices), maxSaid)] {
		one, err := json.Marshal(n)
		if err != nil || len(said)+len(one)+len(",]") > maxMessage {
			break
		}
		if i > 0 {
			said = append(said, ',')
		}
		said = append(said, one...)
	}
	return append(said, ']')
}

// notices are the blocks that this replica found out itself and that still stand.
func (r *Registry) notices(now instant) []notice {
	var notices []notice
	for _, u := range r.Upstreams() {
		block, until := u.gate.own.load()
		if block == Open || until <= now || !exchangeable(u.subject) {
			continue
		}
		left := time.Duration(until - now)
		notices = append(notices, notice{
			Credential: u.subject.Credential, Key: u.subject.Key, Model: u.subject.Model, Block: block.String(),
			Remaining: (left + time.Millisecond - 1).Milliseconds(),
		})
	}
	return notices
}

func exchangeable(s Subject) bool {
	return s.Credential != "" && len(s.Credential) <= maxCredential && len(s.Key) <= maxKey && len(s.Model) <= maxModel
}

// Hear takes in what another replica said. A deadline only ever grows by it. What cannot be read is ignored and is an error.
func (r *Registry) Hear(said json.RawMessage, now time.Time) error {
	if len(said) == 0 {
		return nil
	}
	if len(said) > maxMessage || !json.Valid(said) {
		return errNotices
	}
	notices := json.NewDecoder(bytes.NewReader(said))
	if first, err := notices.Token(); err != nil || first != json.Delim('[') {
		return errNotices
	}
	t, ignored := r.at(now), 0
	for range maxSaid {
		if !notices.More() {
			break
		}
		var n notice
		if notices.Decode(&n) != nil || !r.hear(n, t) {
			ignored++
		}
	}
	if ignored > 0 || notices.More() {
		return fmt.Errorf("ignoring %d of the first %d blocks that another replica told, and all beyond", ignored, maxSaid)
	}
	return nil
}

// hear takes in one block; false if it cannot be one.
func (r *Registry) hear(n notice, now instant) bool {
	s := Subject{Credential: n.Credential, Key: n.Key, Model: n.Model}
	block, known := blockNamed(n.Block)
	if !known || n.Remaining <= 0 || !exchangeable(s) {
		return false
	}
	u := r.heardOf(s)
	if u == nil {
		return false
	}
	left := time.Duration(min(n.Remaining, maxTold.Milliseconds())) * time.Millisecond
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gate.hear(block, now.after(left), now)
	return true
}

// heardOf returns the state of a subject that another replica knows; nil when there is no room for one more key.
func (r *Registry) heardOf(s Subject) *Upstream {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := r.find(s); u != nil {
		return u
	}
	if r.keys[Subject{Credential: s.Credential, Key: s.Key}] == nil && len(r.keys) >= maxKeys {
		return nil
	}
	return r.add(s)
}

// blockNamed returns the block of a name, if it is one that can be told.
func blockNamed(name string) (Block, bool) {
	for b := CircuitOpen; b < NoHeadroom; b++ {
		if b.String() == name {
			return b, true
		}
	}
	return Open, false
}
