package server

import (
	"crypto/rand"
	"encoding/binary"
	"math"
)

// systemRandom draws from [0, n). The bias of the remainder is below n/2^63, and n is a sum of at most 16 weights of at most 1000.
func systemRandom(n int64) int64 {
	var bytes [8]byte
	// crypto/rand.Read never returns an error: it ends the program where the system has no random numbers.
	_, _ = rand.Read(bytes[:])
	return int64(binary.LittleEndian.Uint64(bytes[:])&math.MaxInt64) % n
}
