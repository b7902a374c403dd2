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
	c := cache{tokens: map[digest]verified{}}
	for i := range maxVerified {
		c.put(keyOf(i), verified{until: now.Add(time.Duration(i%2) * time.Hour)}, now)
	}
	if len(c.tokens) != maxVerified {
		t.Fatalf("%d tokens are remembered, want %d", len(c.tokens), maxVerified)
	}
	c.put(keyOf(maxVerified), verified{until: now.Add(time.Hour)}, now.Add(2*Leeway))
	for i := range maxVerified + 1 {
		_, ok := c.get(keyOf(i))
		if want := i%2 == 1 || i == maxVerified; ok != want {
			t.Fatalf("token %d is remembered: %v, want %v", i, ok, want)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	c := cache{tokens: map[digest]verified{}}
	for i := range 3 * maxVerified {
		c.put(keyOf(i), verified{until: now.Add(time.Hour)}, now)
		if _, ok := c.get(keyOf(i)); !ok || len(c.tokens) > maxVerified {
			t.Fatalf("token %d is remembered: %v, beside %d others", i, ok, len(c.tokens))
		}
	}
}
