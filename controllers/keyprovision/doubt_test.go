package keyprovision

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

// A manager that is started where the Secret tells nothing does not know what the one before it made a moment ago: it waits until the list would show it.
func TestKilledAndForgotten(t *testing.T) {
	cases := map[string]func(*world){
		"Secret deleted":       func(w *world) { w.remove(w.secret()) },
		"annotations stripped": func(w *world) { w.edit(func(s *corev1.Secret) { s.Annotations = nil }) },
		"all stripped":         func(w *world) { w.edit(func(s *corev1.Secret) { s.Annotations, s.Data = nil, nil }) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.provider.lag = 90 * time.Second
			w.run(every + 5*time.Second)
			if len(w.provider.keys) != 2 {
				t.Fatalf("live are %v, want one that the list does not show yet", w.provider.keys)
			}
			change(w)
			w.restart()
			w.run(30 * time.Second)
			if told := w.condition().Message; w.provider.made != 2 || !strings.Contains(told, "may have been made") {
				t.Errorf("%d keys were made; the condition says %q", w.provider.made, told)
			}
			w.run(3 * time.Hour)
			w.advised()
			w.settled()
		})
	}
}

// What is deleted right after a manager was started does not wait as if the Secret told nothing.
func TestDeletionAfterStart(t *testing.T) {
	w := newWorld(t)
	w.run(time.Hour)
	w.restart()
	w.removeCredential()
	w.run(20 * time.Second)
	if w.credential() != nil || len(w.provider.keys) != 0 {
		t.Errorf("left are %v", w.provider.keys)
	}
}

// A key that was taken out of its Secret goes on being used for as long as the next one is refused. Nothing says which of the two it is, so neither is deleted, whatever is
// written into the Secret meanwhile, and no third one is made.
func TestEmptiedWhileRefused(t *testing.T) {
	cases := map[string]struct {
		change func(*corev1.Secret)
		during time.Duration
		told   string
	}{
		"left alone": {func(*corev1.Secret) {}, every, "which of them the proxies use"},
		"by hand":    {func(s *corev1.Secret) { s.Data[dataKey] = []byte("by-hand") }, overlap / 2, "a key was made"},
		"stripped":   {func(s *corev1.Secret) { s.Annotations = nil }, every, "which of them the proxies use"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.provider.refuses["sk-or-v1-2"] = true
			w.run(time.Hour)
			w.edit(func(s *corev1.Secret) { delete(s.Data, dataKey) })
			w.run(time.Minute)
			if lead := w.lead(); lead == nil || lead.Value != "sk-or-v1-1" || len(w.provider.keys) != 2 {
				t.Fatalf("live are %v, leads %v, want the one taken out and a refused one", w.provider.keys, lead)
			}
			w.edit(tc.change)
			w.run(tc.during)
			if len(w.provider.keys) != 2 || !strings.Contains(w.condition().Message, tc.told) {
				t.Errorf("live are %v; the condition says %q", w.provider.keys, w.condition().Message)
			}
			// What the condition says to do.
			w.edit(func(s *corev1.Secret) { delete(s.Data, dataKey) })
			w.run(time.Hour)
			w.settled()
		})
	}
}

// A provider that carries out a call two minutes late has no third key: while there is one in the Secret, nobody is in a hurry.
func TestCarriedOutLate(t *testing.T) {
	w := newWorld(t)
	w.run(every - time.Minute)
	w.provider.fault = func(call string) (bool, error) {
		if call == "make" {
			return false, &management.UnclearError{Problem: "no answer in time"}
		}
		return true, nil
	}
	w.run(time.Minute + 5*time.Second)
	w.provider.fault = nil
	name, _, intended := strings.Cut(w.secret().Annotations[v1alpha1.AnnotationProvisionIntent], " ")
	if !intended {
		t.Fatal("no key is being made")
	}
	w.run(150 * time.Second)
	w.provider.lag = 90 * time.Second
	w.provider.carryOut(name)
	w.run(time.Hour)
	w.settled()
}

// A manager that was stopped before a deletion does not send it when it goes on: whoever took over may use the key by now.
func TestStoppedBeforeDeletion(t *testing.T) {
	w := newWorld(t)
	w.run(time.Hour)
	planned := &input{now: w.clock.Now().Add(-time.Minute)}
	if err := w.reconciler.remove(t.Context(), work{credential: w.credential(), in: planned, keys: w.provider}, "hash1"); err == nil {
		t.Error("it was sent")
	}
	w.settled()
}
