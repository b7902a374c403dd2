package core

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// maxManaged bounds the keys that management APIs make, those deleted included.
const maxManaged = 10_000

// ManagedKey is a key that was made by a management API. Requests may bring it from then on, whatever Settings.Keys says, until it is deleted.
type ManagedKey struct {
	// ID is what the API calls it by.
	ID string `json:"id"`
	// Account is whose it is: OpenRouter, or the project of OpenAI.
	Account string `json:"account"`
	// Name is what its maker called it.
	Name string `json:"name"`
	// Value is the key itself.
	Value string `json:"value"`
	// Made and Deleted are when; Deleted is zero while it lives.
	Made    time.Time `json:"made"`
	Deleted time.Time `json:"deleted,omitzero"`
	// Together is how many keys of the account whose names have the same beginning, up to the last hyphen, lived right after it was made, itself included.
	Together int `json:"together"`
}

// managedKeys are all keys ever made, by their value.
type managedKeys struct {
	all     []*ManagedKey
	byValue map[string]*ManagedKey
}

// ManagedKeys returns the keys that management APIs made, oldest first, those deleted included.
func (s *Server) ManagedKeys() []ManagedKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]ManagedKey, 0, len(s.managed.all))
	for _, key := range s.managed.all {
		out = append(out, *key)
	}
	return out
}

// MakeKey makes a key of an account. Its id begins with idPrefix and its value with valuePrefix.
func (x *Exchange) MakeKey(account, name, idPrefix, valuePrefix string) (ManagedKey, *Refusal) {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.managed.all) >= maxManaged {
		return ManagedKey{}, Refuse(400, "invalid_request_error", "The limit of keys is reached.")
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d %d", account, name, s.epoch, len(s.managed.all)))
	id := sha256.Sum256(sum[:])
	key := &ManagedKey{
		ID: idPrefix + hex.EncodeToString(id[:]), Account: account, Name: name, Value: valuePrefix + hex.EncodeToString(sum[:]), Made: s.now(),
	}
	if s.managed.byValue == nil {
		s.managed.byValue = map[string]*ManagedKey{}
	}
	s.managed.all, s.managed.byValue[key.Value] = append(s.managed.all, key), key
	for _, other := range s.managed.all {
		if other.Account == account && other.Deleted.IsZero() && family(other.Name) == family(name) {
			key.Together++
		}
	}
	return *key, nil
}

// family is a name up to its last hyphen.
func family(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '-' {
			return name[:i]
		}
	}
	return name
}

// ListKeys are the living keys of an account that its list shows already, oldest first.
func (x *Exchange) ListKeys(account string) []ManagedKey {
	since := x.Now().Add(-time.Duration(x.Settings.KeyListLag))
	return slices.DeleteFunc(x.server.ManagedKeys(), func(key ManagedKey) bool {
		return key.Account != account || !key.Deleted.IsZero() || key.Made.After(since)
	})
}

// DeleteKey ends a key's life, and tells whether there was one.
func (x *Exchange) DeleteKey(account, id string) bool {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.managed.all {
		if key.Account == account && key.ID == id && key.Deleted.IsZero() {
			key.Deleted = s.now()
			return true
		}
	}
	return false
}

// managedKey is what is known of the request's key; nil if no management API made it.
func (x *Exchange) managedKey() *ManagedKey {
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	key, made := s.managed.byValue[x.Key]
	if !made {
		return nil
	}
	known := *key
	return &known
}

// CheckManagementKey refuses a request to a management API whose key is not one for that.
func (x *Exchange) CheckManagementKey(unknown *Refusal) *Refusal {
	if x.managedKey() != nil {
		return unknown
	}
	if keys := x.Settings.ManagementKeys; len(keys) > 0 && !slices.Contains(keys, x.Key) {
		return unknown
	}
	return nil
}
