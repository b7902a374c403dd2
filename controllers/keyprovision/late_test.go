package keyprovision

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// stopAfterIntent has the manager stopped right after it stored an intent, while others go on.
func (w *world) stopAfterIntent(meanwhile func()) {
	stopped := false
	w.reconciler.Client = interceptor.NewClient(w.reconciler.Client.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			err := c.Patch(ctx, object, patch, options...)
			if !stopped && object.GetAnnotations()[v1alpha1.AnnotationProvisionIntent] != "" {
				stopped = true
				meanwhile()
			}
			return err
		},
	})
}

// A manager that was stopped between its intent and the call, for so long that another one has settled the intent and made a key, makes none when it goes on: there would be
// three.
func TestStoppedBeforeTheCall(t *testing.T) {
	w := newWorld(t)
	w.run(every - time.Minute)
	stopped := w.reconciler
	w.stopAfterIntent(func() {
		w.restart()
		w.run(5 * time.Minute)
	})
	first := w.reconciler
	w.run(2 * time.Minute)
	if w.reconciler == stopped || w.reconciler == first {
		t.Fatal("no other manager took over")
	}
	w.run(time.Hour)
	w.settled()
	if w.provider.made != 2 || w.mostLive != 2 {
		t.Errorf("%d keys were made, %d lived at a time, want 2 of both", w.provider.made, w.mostLive)
	}
}

// ahead is a clock that is ahead of another.
type ahead struct {
	clock.PassiveClock
	by time.Duration
}

func (a ahead) Now() time.Time                  { return a.PassiveClock.Now().Add(a.by) }
func (a ahead) Since(t time.Time) time.Duration { return a.Now().Sub(t) }

// A manager whose clock is ahead, or behind, of that of the one before it does not take its intent for an old one while the key may still turn up, nor wait for ever.
func TestClocksApart(t *testing.T) {
	for _, by := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		w := newWorld(t)
		w.provider.lag = 45 * time.Second
		w.run(every - time.Minute)
		killed := false
		w.provider.fault = func(call string) (bool, error) {
			if call == "make" && !killed {
				killed = true
				w.cut = w.calls
			}
			return true, nil
		}
		w.run(time.Minute + time.Second)
		if len(w.provider.keys) != 2 || w.secret().Annotations[v1alpha1.AnnotationProvisionIntent] == "" {
			t.Fatalf("live are %v, want one of which nobody heard", w.provider.keys)
		}
		w.restart()
		w.reconciler.Clock = ahead{w.clock, by}
		w.run(time.Hour)
		w.settled()
	}
}

// A key that the list does not show yet goes with the credential too, also where the Secret, and with it all that is remembered, went first.
func TestDeletionOfLateKey(t *testing.T) {
	cases := map[string]func(*world){
		"credential alone":                  func(*world) {},
		"credential alone, another manager": func(w *world) { w.restart() },
		"Secret first":                      func(w *world) { w.remove(w.secret()) },
		"Secret first, another manager": func(w *world) {
			w.remove(w.secret())
			w.restart()
		},
	}
	for name, meanwhile := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.provider.lag = 90 * time.Second
			w.run(5 * time.Second)
			if len(w.provider.keys) != 1 {
				t.Fatalf("live are %v, want one", w.provider.keys)
			}
			meanwhile(w)
			w.removeCredential()
			w.run(10 * time.Minute)
			if w.credential() != nil || len(w.provider.keys) != 0 {
				t.Errorf("left are %v", w.provider.keys)
			}
			if text := w.event(); text != "" {
				t.Error(text)
			}
		})
	}
}

// A Secret that is deleted again and again before the list shows what was in it does not have more and more keys made.
func TestSecretDeletedBeforeTheListShowsIt(t *testing.T) {
	w := newWorld(t)
	w.provider.lag = 90 * time.Second
	for range 4 {
		w.run(5 * time.Second)
		if secret := w.secret(); secret != nil {
			w.remove(secret)
		}
	}
	w.run(time.Hour)
	w.settled()
}

// A key that the list goes on showing after it was deleted is deleted again, but less and less often; it holds up what comes next until it is gone, and somebody is told.
func TestDeletedKeyStaysListed(t *testing.T) {
	cases := map[string]struct {
		linger time.Duration
		calls  int
		fails  bool
	}{
		"for a while": {90 * time.Second, 10, false},
		"for ever":    {1000 * time.Hour, 20, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.run(every + time.Minute)
			w.provider.linger = tc.linger
			deletions := 0
			w.provider.fault = func(call string) (bool, error) {
				if call == "delete" {
					deletions++
				}
				return true, nil
			}
			w.run(time.Hour)
			w.settled()
			if deletions < 2 || deletions > tc.calls {
				t.Errorf("%d deletions, want 2 to %d", deletions, tc.calls)
			}
			condition := w.condition()
			if failed := condition.Status == metav1.ConditionFalse; failed != tc.fails || failed && !strings.Contains(condition.Message, "hash1") {
				t.Errorf("the condition is %v", condition)
			}
			w.run(10 * time.Hour)
			if made := w.provider.made; (made == 2) != tc.fails {
				t.Errorf("%d keys were made", made)
			}
		})
	}
}

// Whoever takes out every key that is written, or replaces the Secret, does not have keys made as fast as that.
func TestKeysTakenOut(t *testing.T) {
	cases := map[string]func(*corev1.Secret){
		"key taken out":        func(s *corev1.Secret) { delete(s.Data, dataKey) },
		"annotations stripped": func(s *corev1.Secret) { s.Annotations = nil },
		"all stripped":         func(s *corev1.Secret) { s.Annotations, s.Data = nil, nil },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for range 200 {
				w.run(15 * time.Second)
				w.edit(change)
			}
			if w.provider.made < 2 || w.provider.made > burst+30 {
				t.Errorf("%d keys were made in 50 minutes", w.provider.made)
			}
			told := w.condition().Message
			if name == "key taken out" && !strings.Contains(told, "show-managed-fields") {
				t.Errorf("the condition says %q", told)
			}
			w.run(time.Hour)
			w.settled()
		})
	}
}

// A Secret that is deleted, or emptied, costs no call: the key that was in it is deleted at the provider when the proxies have the next one, which is made meanwhile.
func TestSecretDeletedWhileInUse(t *testing.T) {
	cases := map[string]func(*world){
		"deleted": func(w *world) { w.remove(w.secret()) },
		"emptied": func(w *world) { w.edit(func(s *corev1.Secret) { delete(s.Data, dataKey) }) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.run(time.Hour)
			change(w)
			w.run(4 * time.Second)
			if len(w.provider.keys) != 2 || string(w.secret().Data[dataKey]) != "sk-or-v1-2" {
				t.Fatalf("live are %v, want the one in use and the next", w.provider.keys)
			}
			w.run(overlap / 2)
			if len(w.provider.keys) != 2 {
				t.Fatalf("live are %v, want both for the overlap", w.provider.keys)
			}
			w.run(overlap)
			w.settled()
		})
	}
}
