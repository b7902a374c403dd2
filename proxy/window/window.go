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

	seconds      = int64(Minute / time.Second)
	shortSeconds = int64(Short / time.Second)
	briefSeconds = int64(Brief / time.Second)
	// slotSeconds is the length of a slot of times, and slots how many make a minute.
	slotSeconds = 5
	slots       = seconds / slotSeconds
	// enough is how many first tokens of the last latestSeconds tell by themselves how long they take; older ones would only say how long they took.
	enough        = 20
	latestSeconds = 3
)

// Window is the sliding minute of one upstream. Moments are durations since any beginning, the same for all calls, and never before it. Its methods must not be called
// by several goroutines at a time. A Window takes about 2 KiB, and 10 KiB more once it has times.
type Window struct {
	seconds [seconds]second
	times   *times
	// answered and failed are the moments of the last attempts that ended so; the zero moment is none.
	answered, failed moment
	// after counts what ended after the last answered attempt, in the same second.
	after [endings]uint32
	// waiting counts the attempts that do not get through, and have not ended.
	waiting int64
}

// times are how long first tokens took and how fast answers came: those of the last minute, and first tokens by the second for the last few.
type times struct {
	slots   [slots]slot
	seconds [briefSeconds]firstTokens
}

// moment is a time that may not have come yet.
type moment struct {
	at   time.Duration
	came bool
}

// latest is the later of two moments.
func latest(a, b moment) moment {
	if !a.came || b.came && b.at > a.at {
		return b
	}
	return a
}

// firstTokens counts times of one second. A count stops at its largest value.
type firstTokens struct {
	at     int64 // number of the second
	counts [Buckets]uint16
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
	w.mark(at, e)
}

// mark notes what followed what.
func (w *Window) mark(at time.Duration, e Ending) {
	switch {
	case e == Answered:
		w.answered, w.after = moment{at, true}, [endings]uint32{}
		return
	case w.answered.came && numberOf(w.answered.at, 1) == numberOf(at, 1) && w.after[e] < math.MaxUint32:
		w.after[e]++
	}
	if e.failure() {
		w.failed = latest(w.failed, moment{at, true})
	}
}

// Wait adds an attempt that does not get through for now, and returns how many there are with it.
func (w *Window) Wait() int64 {
	w.waiting++
	return w.waiting
}

// Unwait takes back what Wait added: the attempt gets through, or has ended.
func (w *Window) Unwait() { w.waiting-- }

// FirstToken adds the time that the first token of a stream took.
func (w *Window) FirstToken(at, took time.Duration) {
	bump(&w.slotOf(at).firstToken, took.Milliseconds())
	number := numberOf(at, 1)
	s := &w.times.seconds[number%briefSeconds]
	if s.at != number {
		*s = firstTokens{at: number}
	}
	bump(&s.counts, took.Milliseconds())
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
		w.times = &times{}
	}
	number := numberOf(at, slotSeconds)
	s := &w.times.slots[number%slots]
	if s.at != number {
		*s = slot{at: number}
	}
	return s
}

// Reading is what windows hold at one moment, added up.
type Reading struct {
	// Brief, Short and Minute count the attempts of those last times.
	Brief, Short, Minute Counts
	// Waiting counts the attempts under way that do not get through: they have had no connection for a while, or it acknowledges nothing.
	Waiting int64
	// FirstToken and Rate are the times to the first token, in milliseconds, and the completion tokens a second of the last minute; BriefFirstToken is that of
	// the last 5 seconds, or of the last 3 of a window that has enough of them.
	FirstToken, BriefFirstToken, Rate Sketch

	// since counts, by seconds of age, what ended after the last answered attempt of its window.
	since            [shortSeconds]Counts
	now              time.Duration
	answered, failed moment
}

// Run counts what ended after the last answered attempt, of the last 15 seconds. Of other windows than that which answered it takes the whole second.
func (r *Reading) Run() Counts {
	oldest := shortSeconds
	if r.answered.came {
		oldest = min(oldest, max(0, numberOf(r.now, 1)-numberOf(r.answered.at, 1))+1)
	}
	var run Counts
	for _, counts := range r.since[:oldest] {
		run.Add(counts)
	}
	return run
}

// AnsweredAgo is how long ago the last attempt was answered, and FailedAgo how long ago one failed; both are more than 0, and 0 where there was none in the last minute.
func (r *Reading) AnsweredAgo() time.Duration { return r.ago(r.answered) }

// FailedAgo is described at AnsweredAgo.
func (r *Reading) FailedAgo() time.Duration { return r.ago(r.failed) }

func (r *Reading) ago(then moment) time.Duration {
	if !then.came || r.now-then.at >= Minute {
		return 0
	}
	return max(1, r.now-then.at)
}

// AddTo adds what the window holds now, which is the same moment for all windows of a reading.
func (w *Window) AddTo(r *Reading, now time.Duration) {
	r.now = now
	r.Waiting += w.waiting
	r.answered, r.failed = latest(r.answered, w.answered), latest(r.failed, w.failed)
	current := numberOf(now, 1)
	for i := range w.seconds {
		s := &w.seconds[i]
		age := current - s.at
		if age < 0 || age >= seconds {
			continue
		}
		counts := wide(&s.counts)
		r.Minute.Add(counts)
		if age < shortSeconds {
			r.Short.Add(counts)
			r.since[age].Add(w.since(s))
		}
		if age < briefSeconds {
			r.Brief.Add(counts)
		}
	}
	if w.times != nil {
		w.times.addTo(r, now)
	}
}

// since is what of a second ended after the last answered attempt.
func (w *Window) since(s *second) Counts {
	if !w.answered.came {
		return wide(&s.counts)
	}
	switch number := numberOf(w.answered.at, 1); {
	case s.at > number:
		return wide(&s.counts)
	case s.at == number && s.counts[Answered] > 0:
		return wide(&w.after)
	}
	return Counts{}
}

func wide(narrow *[endings]uint32) (counts Counts) {
	for i, n := range narrow {
		counts[i] = int64(n)
	}
	return counts
}

func (t *times) addTo(r *Reading, now time.Duration) {
	current := numberOf(now, slotSeconds)
	for i := range t.slots {
		s := &t.slots[i]
		age := current - s.at
		if age < 0 || age >= slots {
			continue
		}
		for bucket := range Buckets {
			if first, rate := uint64(s.firstToken[bucket]), uint64(s.rate[bucket]); first+rate > 0 {
				r.FirstToken.add(bucket, first)
				r.Rate.add(bucket, rate)
			}
		}
	}
	brief := t.firstTokens(numberOf(now, 1), latestSeconds)
	if brief.total < enough {
		brief = t.firstTokens(numberOf(now, 1), briefSeconds)
	}
	r.BriefFirstToken.join(&brief)
}

// firstTokens are those of the last seconds.
func (t *times) firstTokens(current, length int64) (sum Sketch) {
	for i := range t.seconds {
		s := &t.seconds[i]
		if age := current - s.at; age < 0 || age >= length {
			continue
		}
		for bucket, count := range s.counts {
			sum.add(bucket, uint64(count))
		}
	}
	return sum
}
