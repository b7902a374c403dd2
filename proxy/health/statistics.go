package health

import (
	"math"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// speedTime is the time constant of how fast an upstream is, shapeTime of what its answers are like.
	speedTime = 30 * time.Second
	shapeTime = 5 * time.Minute
	// mostSpeed bounds what the past of times weighs, in samples: after a busy time that was slow, the few calls that find out that it is over would
	// otherwise not be heard for minutes.
	mostSpeed = 100
)

// average is a mean whose samples count the less the older they are.
type average struct {
	mean, weight float64
	last         instant
}

// add takes in a sample of a weight. A sample that is older than the last counts as if it were not.
func (a *average) add(sample, weight float64, now instant, constant time.Duration) {
	if weight <= 0 {
		return
	}
	a.weight = a.weightAt(now, constant) + weight
	a.mean += (sample - a.mean) * weight / a.weight
	a.last = max(a.last, now)
}

// addTime takes in a time.
func (a *average) addTime(d time.Duration, now instant) {
	a.weight = min(a.weight, mostSpeed)
	a.add(float64(d), 1, now, speedTime)
}

// weightAt is how much the mean rests on.
func (a *average) weightAt(now instant, constant time.Duration) float64 {
	return a.weight * decay(time.Duration(now-a.last), constant)
}

// decay is what is left of a weight after some time.
func decay(age, constant time.Duration) float64 {
	if age <= 0 {
		return 1
	}
	return math.Exp(-float64(age) / float64(constant))
}

// statistics are averages over the attempts of an upstream. They are changed under its lock; published is what others read.
type statistics struct {
	attempts, firstToken, answer, rate average
	cached, output                     average
	published                          struct {
		firstToken, answer, output    atomic.Int64
		rate, samples                 atomic.Uint64
		last                          atomic.Int64
		cachedPermille, errorPermille atomic.Int64
	}
}

// add takes in an attempt that is not neutral, and the share of failures with it.
func (s *statistics) add(o *Outcome, failed float64, now instant) {
	s.attempts.add(0, 1, now, speedTime)
	s.addTimes(o, now)
	if o.Kind == table.None {
		s.addTokens(o, now)
	}
	s.publish()
	s.published.errorPermille.Store(int64(math.Round(failed * 1000)))
}

// addTimes counts a timeout as an answer that took that long, which is the least that it would have taken: without that, an upstream that only ever
// answers the quick calls would look quick.
func (s *statistics) addTimes(o *Outcome, now instant) {
	switch {
	case o.Stream && o.FirstToken > 0:
		s.firstToken.addTime(o.FirstToken, now)
	case o.Stream && o.Duration > 0 && (o.Kind == table.FirstTokenTimeout || o.Kind == table.Timeout):
		s.firstToken.addTime(o.Duration, now)
	case !o.Stream && o.Duration > 0 && (o.Kind == table.None || o.Kind == table.Timeout):
		s.answer.addTime(o.Duration, now)
	}
}

// addTokens weighs rates by time and shares by tokens, so that they are those of all answers together.
func (s *statistics) addTokens(o *Outcome, now instant) {
	spent := o.speaking()
	if o.Completion > 0 && spent > 0 {
		s.rate.add(float64(o.Completion)/spent.Seconds(), spent.Seconds(), now, speedTime)
	}
	if o.Completion > 0 {
		s.output.add(float64(o.Completion), 1, now, shapeTime)
	}
	if o.Prompt > 0 {
		cached := min(max(o.Cached, 0), o.Prompt)
		s.cached.add(float64(cached)/float64(o.Prompt), float64(o.Prompt), now, shapeTime)
	}
}

func (s *statistics) publish() {
	p := &s.published
	p.firstToken.Store(int64(s.firstToken.mean))
	p.answer.Store(int64(s.answer.mean))
	p.output.Store(int64(math.Round(s.output.mean)))
	p.rate.Store(math.Float64bits(s.rate.mean))
	p.samples.Store(math.Float64bits(s.attempts.weight))
	p.last.Store(int64(s.attempts.last))
	p.cachedPermille.Store(int64(math.Round(s.cached.mean * 1000)))
}

// read puts the averages into a view.
func (s *statistics) read(v *View, now instant) {
	p := &s.published
	samples := math.Float64frombits(p.samples.Load())
	if samples == 0 {
		return
	}
	v.FirstToken = time.Duration(p.firstToken.Load())
	v.Answer = time.Duration(p.answer.Load())
	v.OutputTokens = p.output.Load()
	v.TokensPerSecond = math.Float64frombits(p.rate.Load())
	v.CachedPermille = int(p.cachedPermille.Load())
	v.ErrorPermille = int(p.errorPermille.Load())
	v.Age = max(time.Duration(now-instant(p.last.Load())), 0)
	v.Samples = samples * fade(v.Age)
}

// fade is about decay(age, speedTime), within 1 % over its time constant, at a third of the price: (1 - x/64)^64 is nearly e^-x.
func fade(age time.Duration) float64 {
	left := max(1-float64(age)*(1/(64*float64(speedTime))), 0)
	for range 6 {
		left *= left
	}
	return left
}
