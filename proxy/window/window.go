package window

import (
	"math"
	"time"
)

const (
	// Minute is what a window holds.
	Minute = 60 * time.Second
	// Short is the last part of it that has enough calls to go by.
	Short = 15 * time.Second
	// Brief is the last part of it that tells quickly that something turned.
	Brief = 5 * time.Second

	seconds = int64(Minute / time.Second)
	// slotSeconds is the length of a slot of times, and slots how many make a minute.
	slotSeconds = 5
	slots       = seconds / slotSeconds
	// briefSlots make the last 5 to 10 seconds.
	briefSlots = 2
)

// Window is the sliding minute of one upstream. Moments are durations since any beginning, the same for all calls, and never before it. Its methods must not be called
// by several goroutines at a time. A Window takes about 2 KiB, and 8 KiB more once it has times.
type Window struct {
	seconds [seconds]second
	times   *[slots]slot
}

// second counts the attempts that ended in one second.
type second struct {
	at     int64 // number of the second
	counts [endings]uint32
}

// slot counts times of five seconds. A count stops at its largest value.
type slot struct {
	at               int64 // number of the slot
	firstToken, rate [Buckets]uint16
}

// numberOf is the number of the span of a length that a moment is in.
func numberOf(at time.Duration, length int64) int64 {
	return int64(max(at, 0)/time.Second) / length
}

// Count adds an attempt that ended.
func (w *Window) Count(at time.Duration, e Ending) {
	number := numberOf(at, 1)
	s := &w.seconds[number%seconds]
	if s.at != number {
		*s = second{at: number}
	}
	if s.counts[e] < math.MaxUint32 {
		s.counts[e]++
	}
}

// FirstToken adds the time that the first token of a stream took.
func (w *Window) FirstToken(at, took time.Duration) {
	bump(&w.slotOf(at).firstToken, took.Milliseconds())
}

// Rate adds how many completion tokens a second an answer had.
func (w *Window) Rate(at time.Duration, tokens int64, spent time.Duration) {
	bump(&w.slotOf(at).rate, int64(min(float64(tokens)/spent.Seconds(), math.MaxInt32)))
}

func bump(counts *[Buckets]uint16, value int64) {
	if count := &counts[bucketOf(value)]; *count < math.MaxUint16 {
		*count++
	}
}

func (w *Window) slotOf(at time.Duration) *slot {
	if w.times == nil {
		w.times = &[slots]slot{}
	}
	number := numberOf(at, slotSeconds)
	s := &w.times[number%slots]
	if s.at != number {
		*s = slot{at: number}
	}
	return s
}

// Reading is what windows hold at one moment, added up.
type Reading struct {
	// Brief, Short and Minute count the attempts of those last times.
	Brief, Short, Minute Counts
	// FirstToken and Rate are the times to the first token, in milliseconds, and the completion tokens a second of the last minute; BriefFirstToken is that of
	// the last 5 to 10 seconds.
	FirstToken, BriefFirstToken, Rate Sketch
}

// AddTo adds what the window holds now.
func (w *Window) AddTo(r *Reading, now time.Duration) {
	current := numberOf(now, 1)
	for i := range w.seconds {
		s := &w.seconds[i]
		age := current - s.at
		if age < 0 || age >= seconds {
			continue
		}
		counts := s.wide()
		r.Minute.Add(counts)
		if age < int64(Short/time.Second) {
			r.Short.Add(counts)
		}
		if age < int64(Brief/time.Second) {
			r.Brief.Add(counts)
		}
	}
	if w.times != nil {
		w.addTimes(r, numberOf(now, slotSeconds))
	}
}

func (s *second) wide() (counts Counts) {
	for i, n := range s.counts {
		counts[i] = int64(n)
	}
	return counts
}

func (w *Window) addTimes(r *Reading, current int64) {
	for i := range w.times {
		s := &w.times[i]
		age := current - s.at
		if age < 0 || age >= slots {
			continue
		}
		for bucket := range Buckets {
			first, rate := uint64(s.firstToken[bucket]), uint64(s.rate[bucket])
			if first == 0 && rate == 0 {
				continue
			}
			r.FirstToken.add(bucket, first)
			r.Rate.add(bucket, rate)
			if age < briefSlots {
				r.BriefFirstToken.add(bucket, first)
			}
		}
	}
}
