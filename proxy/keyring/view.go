package keyring

import (
	"math"
	"time"

	"signalbox.dev/signalbox/proxy/health"
)

// View is how an upstream model is doing behind all keys of the ring: left alone as the best key that can be used is, with what is under way with any of them,
// and with the averages of all of them, the replaced ones too, so that a new key begins with what is known.
func (r *Ring) View(now time.Time, look func(place int) health.View) health.View {
	if r.Single() {
		return look(0)
	}
	var b blend
	r.visit(now, look, func(_ int, view health.View, live bool) {
		if live {
			b.take(&view)
		}
		b.average(&view)
	})
	return b.view()
}

// Live are the places of the keys that calls are made with as their health is now. look tells the health of the key at a place.
func (r *Ring) Live(now time.Time, look func(place int) health.View) []int {
	var places []int
	r.visit(now, look, func(place int, _ health.View, live bool) {
		if live {
			places = append(places, place)
		}
	})
	return places
}

// visit visits all keys. Those that were replaced are live only where those that replaced them are refused or gone, and none is from its deadline on.
func (r *Ring) visit(now time.Time, look func(int) health.View, each func(place int, view health.View, live bool)) {
	for i := range r.names {
		n := &r.names[i]
		refused := true
		if n.lead != none {
			view, expired := look(n.lead), Expired(&r.keys[n.lead], now)
			refused = expired || isRefusal(view.KeyBlock) || r.keys[n.lead].Refused
			each(n.lead, view, !expired)
		}
		if n.canary != none {
			each(n.canary, look(n.canary), true)
		}
		for _, place := range n.previous {
			view, expired := look(place), Expired(&r.keys[place], now)
			each(place, view, refused && !expired)
			if !expired {
				refused = refused && (isRefusal(view.KeyBlock) || r.keys[place].Refused)
			}
		}
	}
}

// blend makes one view of several.
type blend struct {
	best                           health.View
	found                          bool
	inFlight                       int64
	samples                        float64
	age                            time.Duration
	firstToken, answer, rate       mean
	errors, cachedPermille, output mean
}

// mean is a weighted average.
type mean struct{ sum, weight float64 }

func (m *mean) add(value, weight float64) {
	if value > 0 {
		m.sum += value * weight
		m.weight += weight
	}
}

// value is 0 without anything added.
func (m *mean) value() float64 {
	if m.weight == 0 {
		return 0
	}
	return m.sum / m.weight
}

// take takes in a key that calls can be made with.
func (b *blend) take(v *health.View) {
	if !b.found {
		b.best, b.found = *v, true
		return
	}
	headroom := b.best.Headroom
	own, before := lightness(v), lightness(&b.best)
	switch {
	case own > before:
		return
	case own < before:
		b.best = *v
		return
	case roomier(&v.Headroom, &headroom):
		headroom = v.Headroom
	}
	if v.Ramp > b.best.Ramp || v.Ramp == b.best.Ramp && v.For < b.best.For {
		b.best = *v
	}
	b.best.Headroom = headroom
}

// lightness orders views by how much stands in the way of a call.
func lightness(v *health.View) int {
	switch {
	case v.Block == health.Open && !v.Probe:
		return 0
	case v.Block == health.Open && !v.Busy:
		return 1
	case v.Block == health.Open:
		return 2
	case v.Block == health.ErrorRate:
		return 3
	default:
		return 4
	}
}

// roomier tells whether one leaves more room than the other; what is not known is taken for more than what is.
func roomier(h, than *health.Headroom) bool {
	if spent, otherSpent := h.Requests == 0 || h.Tokens == 0, than.Requests == 0 || than.Tokens == 0; spent != otherSpent {
		return otherSpent
	}
	if h.Tokens != than.Tokens {
		return most(h.Tokens) > most(than.Tokens)
	}
	return most(h.Requests) > most(than.Requests)
}

// most is a figure that is as large as can be when it is not known.
func most(figure int64) int64 {
	if figure < 0 {
		return math.MaxInt64
	}
	return figure
}

// average adds what is known of a key's past.
func (b *blend) average(v *health.View) {
	b.inFlight += v.InFlight
	if !(v.Samples > 0) {
		return
	}
	if b.samples == 0 || v.Age < b.age {
		b.age = v.Age
	}
	b.samples += v.Samples
	b.firstToken.add(float64(v.FirstToken), v.Samples)
	b.answer.add(float64(v.Answer), v.Samples)
	b.rate.add(v.TokensPerSecond, v.Samples)
	b.cachedPermille.add(float64(v.CachedPermille), v.Samples)
	b.output.add(float64(v.OutputTokens), v.Samples)
	b.errors.sum += float64(v.ErrorPermille) * v.Samples
	b.errors.weight += v.Samples
}

// view is the whole. A ring of which all deadlines are over is as good as refused.
func (b *blend) view() health.View {
	v := b.best
	if !b.found {
		v = health.View{Block: health.KeyRefused, KeyBlock: health.KeyRefused, Headroom: health.Headroom{Requests: -1, Tokens: -1}}
	}
	v.InFlight, v.Samples, v.Age = b.inFlight, b.samples, b.age
	v.FirstToken, v.Answer = time.Duration(b.firstToken.value()), time.Duration(b.answer.value())
	v.TokensPerSecond = b.rate.value()
	v.ErrorPermille, v.CachedPermille = int(b.errors.value()), int(b.cachedPermille.value())
	v.OutputTokens = int64(b.output.value())
	return v
}
