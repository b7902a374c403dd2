package refresh_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"signalbox.dev/signalbox/controllers/refresh"
)

// source is one that answers while it is up, and notes when it was asked.
type source struct {
	began time.Time
	up    atomic.Bool
	asked chan time.Duration // since began
	takes time.Duration
}

func (s *source) ask(ctx context.Context) bool {
	s.asked <- time.Since(s.began)
	if s.takes == 0 {
		return s.up.Load()
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(s.takes):
		return s.up.Load()
	}
}

// start runs a loop that asks a source every minute, after 2 to 8 seconds if that failed, and not twice in a second.
func start(t *testing.T, s *source) *refresh.Loop {
	t.Helper()
	s.began, s.asked = time.Now(), make(chan time.Duration, 100)
	l := &refresh.Loop{
		Ask: s.ask, Interval: time.Minute, FirstRetry: 2 * time.Second, MaxRetry: 8 * time.Second, Gap: time.Second, Clock: clock.RealClock{},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		l.Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return l
}

// pass lets time pass and returns when the source was asked in it.
func (s *source) pass(d time.Duration) []time.Duration {
	<-time.After(d)
	synctest.Wait()
	var asked []time.Duration
	for len(s.asked) > 0 {
		asked = append(asked, <-s.asked)
	}
	return asked
}

func expect(t *testing.T, what string, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: asked (-want +got):\n%s", what, diff)
	}
}

func TestLoopAsksAtAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		s.up.Store(true)
		start(t, s)
		expect(t, "up", s.pass(2*time.Minute+time.Second), 0, time.Minute, 2*time.Minute)
	})
}

func TestLoopTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		start(t, s)
		expect(t, "down", s.pass(23*time.Second), 0, 2*time.Second, 6*time.Second, 14*time.Second, 22*time.Second)
		s.up.Store(true)
		expect(t, "up again", s.pass(70*time.Second), 30*time.Second, 90*time.Second)
		s.up.Store(false)
		expect(t, "down again", s.pass(60*time.Second), 150*time.Second, 152*time.Second)
	})
}

// TestWanted shows that whoever waits has the source asked at once, but never twice within the gap.
func TestWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		s.up.Store(true)
		l := start(t, s)
		expect(t, "first", s.pass(400*time.Millisecond), 0)
		answered := 0
		for range 3 {
			l.Want(func() { answered++ })
		}
		expect(t, "within the gap", s.pass(500*time.Millisecond))
		expect(t, "after it", s.pass(10100*time.Millisecond), time.Second)
		if answered != 3 {
			t.Errorf("%d of 3 were told", answered)
		}
		l.Want(func() { answered++ })
		expect(t, "long after the last question", s.pass(time.Second), 11*time.Second)
		expect(t, "nobody waits", s.pass(time.Minute), 71*time.Second)
		if answered != 4 {
			t.Errorf("%d were told", answered)
		}
	})
}

// TestWantedOfOneThatIsAway shows that those who wait are told when the source is back, and that it is asked at every gap for them.
func TestWantedOfOneThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		l := start(t, s)
		s.pass(14500 * time.Millisecond)
		answered := 0
		l.Want(func() { answered++ })
		expect(t, "away", s.pass(2*time.Second), 15*time.Second, 16*time.Second)
		if answered > 0 {
			t.Error("told of an answer that nobody gave")
		}
		s.up.Store(true)
		expect(t, "back", s.pass(2*time.Second), 17*time.Second)
		if answered != 1 {
			t.Errorf("told %d times", answered)
		}
	})
}

// TestWantedDuringAQuestion shows that an answer to an older question is not good enough.
func TestWantedDuringAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{takes: 5 * time.Second}
		s.up.Store(true)
		l := start(t, s)
		s.pass(time.Second)
		var after time.Duration
		l.Want(func() { after = time.Since(s.began) })
		expect(t, "again", s.pass(10*time.Second), 5*time.Second)
		if after != 10*time.Second {
			t.Errorf("told after %s", after)
		}
	})
}
