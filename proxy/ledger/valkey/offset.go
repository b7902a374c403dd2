package valkey

import (
	"strconv"
	"sync/atomic"
	"time"
)

// maxRoundTrip is the longest that an answer may take to tell the time: the server's clock was read at any moment of it.
const maxRoundTrip = time.Second

// offset is how far the server's clock is ahead of this machine's.
type offset struct {
	// told is the last one that a server told; nil before.
	told atomic.Pointer[time.Duration]
}

// learn takes the time, in microseconds, from an answer to what was sent at an instant and came at another.
func (o *offset) learn(micros string, sent, came time.Time) {
	at, err := strconv.ParseInt(micros, 10, 64)
	trip := came.Sub(sent)
	if err != nil || at <= 0 || trip < 0 || trip > maxRoundTrip {
		return
	}
	ahead := time.UnixMicro(at).Sub(sent.Add(trip / 2).Round(0))
	o.told.Store(&ahead)
}

// value returns the offset, and false while it is not known.
func (o *offset) value() (time.Duration, bool) {
	told := o.told.Load()
	if told == nil {
		return 0, false
	}
	return *told, true
}
