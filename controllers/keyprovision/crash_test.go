package keyprovision

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

// The manager is killed at every point of a first key and two rotations, before and after everything that it does to the outside; each time the next one goes on from
// what is there, with a list that shows keys at once or late.
func TestKilledAtEveryPoint(t *testing.T) {
	whole := 2*every + time.Hour
	for _, lag := range []time.Duration{0, 90 * time.Second} {
		first := newWorld(t)
		first.provider.lag = lag
		first.run(whole)
		first.settled()
		if first.provider.made != 3 {
			t.Fatalf("%d keys were made without a kill, want 3", first.provider.made)
		}
		if first.mostLive != 2 {
			t.Fatalf("at most %d keys were live, want 2: the one before has to stay for the overlap", first.mostLive)
		}
		for cut := range first.calls {
			t.Run(fmt.Sprintf("lag %s, cut %d", lag, cut), func(t *testing.T) {
				w := newWorld(t)
				w.cut, w.provider.lag = cut, lag
				w.run(whole)
				w.settled()
			})
		}
	}
}

// An answer that is lost on its way leaves the same doubt as a kill, with a manager that lives on.
func TestAnswersLost(t *testing.T) {
	for _, call := range []string{"list", "make", "delete"} {
		for _, carriedOut := range []bool{true, false} {
			for _, lag := range []time.Duration{0, 90 * time.Second} {
				t.Run(fmt.Sprintf("%s, carried out %t, lag %s", call, carriedOut, lag), func(t *testing.T) {
					w := newWorld(t)
					w.provider.lag = lag
					lost := 0
					w.provider.fault = func(name string) (bool, error) {
						if name != call || lost >= 2 {
							return true, nil
						}
						lost++
						return carriedOut, &management.UnclearError{Problem: "no answer in time"}
					}
					w.run(2*every + time.Hour)
					w.settled()
					if lost != 2 {
						t.Errorf("%d answers were lost, want 2", lost)
					}
				})
			}
		}
	}
}

// Sequences of everything at once: kills, faults, refused keys, edits, a Secret that is deleted, clocks that jump.
func TestKilledInSequences(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			sequence(t, seeded(seed), func(w *world, chance *rand.Rand) {
				something(w, chance)
				w.run(time.Duration(chance.IntN(20*60)) * time.Minute)
			})
		})
	}
}

// The same one upon the other, within seconds and minutes, with annotations that are stripped as well.
func TestKilledInBursts(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			sequence(t, seeded(seed), func(w *world, chance *rand.Rand) {
				for range 1 + chance.IntN(4) {
					something(w, chance)
					if chance.IntN(3) == 0 {
						w.cut = w.calls + chance.IntN(6)
					}
					if chance.IntN(6) == 0 {
						w.edit(func(s *corev1.Secret) { s.Annotations = nil })
					}
					pauses := []time.Duration{20 * time.Second, 4 * time.Minute, 3 * time.Hour}
					w.run(time.Duration(chance.Int64N(int64(pauses[chance.IntN(len(pauses))]))))
				}
			})
		})
	}
}

// sequence does something to a world again and again, and lets it come to rest.
func sequence(t *testing.T, chance *rand.Rand, do func(*world, *rand.Rand)) {
	t.Helper()
	w := newWorld(t)
	w.provider.lag, w.provider.linger = time.Duration(chance.IntN(100))*time.Second, time.Duration(chance.IntN(300))*time.Second
	for range 12 {
		w.cut = w.calls + chance.IntN(12)
		w.provider.fault = someFault(chance)
		do(w, chance)
	}
	w.cut, w.provider.fault, w.provider.refuses = -1, nil, map[string]bool{}
	w.run(time.Hour)
	w.advised()
	// The longest pause after refused keys, a rotation, and a key of somebody else that stays until the next one.
	w.run(lastRetry + 2*every + 2*time.Hour)
	if len(w.provider.keys) > 1 {
		// The end fell into an overlap.
		w.run(overlap + 5*time.Minute)
	}
	w.settled()
	w.removeCredential()
	w.run(30 * time.Minute)
	if len(w.provider.keys) != 0 || w.credential() != nil {
		t.Errorf("left are %v", w.provider.keys)
	}
}

// advised does what the condition says to do where nothing tells which of two keys is in use.
func (w *world) advised() {
	if strings.Contains(w.condition().Message, "which of them the proxies use") {
		w.edit(func(s *corev1.Secret) { delete(s.Data, dataKey) })
		w.run(time.Hour)
	}
}

// someFault fails one call in ten, carried out or not.
func someFault(chance *rand.Rand) func(string) (bool, error) {
	return func(string) (bool, error) {
		switch chance.IntN(30) {
		case 0:
			return true, &management.UnclearError{Problem: "the connection broke"}
		case 1:
			return false, &management.UnclearError{Problem: "status 500"}
		case 2:
			return false, &management.RefusedError{Status: 429, RetryAfter: time.Minute}
		default:
			return true, nil
		}
	}
}

// something happens that is not the manager's doing.
func something(w *world, chance *rand.Rand) {
	switch chance.IntN(8) {
	case 0:
		w.provider.refuses[fmt.Sprintf("sk-or-v1-%d", w.provider.made+1)] = true
	case 1:
		w.edit(func(s *corev1.Secret) {
			s.Data = map[string][]byte{dataKey: fmt.Appendf(nil, "by-hand-%d", chance.IntN(1000))}
		})
	case 2:
		w.edit(func(s *corev1.Secret) { delete(s.Data, dataKey) })
	case 3:
		if secret := w.secret(); secret != nil {
			if err := w.client.Delete(w.t.Context(), secret); err != nil {
				w.t.Fatal(err)
			}
		}
	case 4:
		w.edit(func(s *corev1.Secret) {
			if before := s.Data[dataKey+v1alpha1.PreviousKeySuffix]; before != nil {
				s.Data[dataKey] = before
			}
		})
	case 5:
		w.setBack(time.Duration(chance.IntN(120)) * time.Second)
	}
}
