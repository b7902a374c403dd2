package identity

import (
	"encoding/binary"
	"testing"
	"time"
)

func keyOf(number int) digest {
	var key digest
	binary.BigEndian.PutUint64(key[:], uint64(number))
	return key
}

func TestCacheForgetsTheExpiredFirst(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	c := newMemory()
	for i := range maxVerified {
		c.remember(keyOf(i), &verified{until: now.Add(time.Duration(i%2) * time.Hour)}, now)
	}
	if len(c.good) != maxVerified {
		t.Fatalf("%d tokens are remembered, want %d", len(c.good), maxVerified)
	}
	c.remember(keyOf(maxVerified), &verified{until: now.Add(time.Hour)}, now.Add(2*Leeway))
	for i := range maxVerified + 1 {
		_, ok := c.verified(keyOf(i))
		if want := i%2 == 1 || i == maxVerified; ok != want {
			t.Fatalf("token %d is remembered: %v, want %v", i, ok, want)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	c := newMemory()
	for i := range 3 * maxVerified {
		c.remember(keyOf(i), &verified{until: now.Add(time.Hour)}, now)
		if _, ok := c.verified(keyOf(i)); !ok || len(c.good) > maxVerified {
			t.Fatalf("token %d is remembered: %v, beside %d others", i, ok, len(c.good))
		}
	}
}

// TestRefusalsAreForgotten shows that a refused token is looked at again after a moment, and that refusals neither grow without bounds nor push out good tokens.
func TestRefusalsAreForgotten(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	m := newMemory()
	m.remember(keyOf(1), &verified{until: now.Add(time.Hour)}, now)
	why := &Error{Reason: BadSignature}
	for i := range 3 * maxRefused {
		m.refuse(keyOf(i), why, now)
		if m.refusal(keyOf(i), now) != why || len(m.bad) > maxRefused {
			t.Fatalf("refusal %d is remembered: %v, beside %d others", i, m.refusal(keyOf(i), now), len(m.bad))
		}
	}
	last := keyOf(3*maxRefused - 1)
	if m.refusal(last, now.Add(refusedFor-1)) == nil || m.refusal(last, now.Add(refusedFor)) != nil {
		t.Errorf("a refusal does not last for %v", refusedFor)
	}
	if _, ok := m.verified(keyOf(1)); !ok {
		t.Error("refused tokens pushed out a good one")
	}
}
