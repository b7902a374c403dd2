package health

import "sync/atomic"

// blockBits is how many bits a Block takes; NoHeadroom, the last, fits.
const blockBits = 3

// hold is a block and the moment until which it stands, which are read together without a lock. Changes are made under the lock of its gate.
// The deadline is rounded down to 8 ns to make room for the block.
type hold struct{ packed atomic.Int64 }

func (h *hold) load() (Block, instant) {
	packed := h.packed.Load()
	return Block(packed & (1<<blockBits - 1)), instant(packed >> blockBits << blockBits)
}

func (h *hold) store(b Block, until instant) {
	h.packed.Store(int64(until)>>blockBits<<blockBits | int64(b))
}

// stands tells whether the block is there and its deadline is not over.
func (h *hold) stands(now instant) bool {
	block, until := h.load()
	return block != Open && until > now
}

// grow takes a block in: the later deadline wins, and so does its reason, but ErrorRate, which may be passed over, never takes the place of a harder one
// that stands. It tells by how much the deadline moved, if it did, and whether anything changed.
func (h *hold) grow(b Block, until, now instant) (moved instant, changed bool) {
	block, old := h.load()
	if block == Open || old <= now {
		h.store(b, until)
		return until - now, true
	}
	reason := block
	if block == ErrorRate || b != ErrorRate && until > old {
		reason = b
	}
	latest := max(old, until)
	h.store(reason, latest)
	return latest - old, reason != block
}
