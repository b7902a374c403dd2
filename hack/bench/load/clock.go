package load

import (
	"bytes"
	"context"
	"strconv"
	"time"
)

// Delays runs one stream of events that carry their time of sending, in nanoseconds since epoch, and returns for each how long it took to arrive.
// InTime counts those that were there before the next one, sent gap later, could have pushed them.
func Delays(ctx context.Context, addr string, request []byte, epoch time.Time, gap time.Duration) (delays []time.Duration, inTime int, err error) {
	conn, err := Dial(ctx, addr)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = conn.Close() }()
	_, err = conn.Do(request, func(piece []byte) {
		arrived := time.Since(epoch)
		for _, sent := range sendTimes(piece) {
			delay := arrived - sent
			delays = append(delays, delay)
			if delay < gap {
				inTime++
			}
		}
	})
	return delays, inTime, err
}

// sendTimes are the times in a piece's events.
func sendTimes(piece []byte) []time.Duration {
	var times []time.Duration
	for {
		_, after, found := bytes.Cut(piece, []byte(`"content":"`))
		if !found {
			return times
		}
		number, rest, _ := bytes.Cut(after, []byte(`"`))
		if sent, err := strconv.ParseInt(string(number), 10, 64); err == nil {
			times = append(times, time.Duration(sent))
		}
		piece = rest
	}
}
