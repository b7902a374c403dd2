// Package refresh keeps what is known of somebody else up to date: he is asked at an interval, and sooner when somebody waits for his answer.
package refresh

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Loop asks one source of knowledge again and again. All fields are required.
type Loop struct {
	// Ask asks once, and tells whether there was an answer. It has to bound its own time.
	Ask func(ctx context.Context) bool
	// Interval is the time from an answer to the next question.
	Interval time.Duration
	// FirstRetry and MaxRetry bound the time from a failure to the next question, which doubles with each failure in a row.
	FirstRetry, MaxRetry time.Duration
	// Gap is the shortest time between two questions, however many wait for an answer. While somebody waits it is the longest one, too.
	Gap time.Duration
	// Clock paces the questions.
	Clock clock.Clock

	mutex   sync.Mutex
	waiting []func()
	nudge   chan struct{} // holds a token when somebody has come to wait
}

// Want has the next question asked as soon as Gap allows, and calls answered, which must not wait, once a question has an answer that was asked after Want.
func (l *Loop) Want(answered func()) {
	l.mutex.Lock()
	l.waiting = append(l.waiting, answered)
	nudges := l.nudges()
	l.mutex.Unlock()
	select {
	case nudges <- struct{}{}:
	default:
	}
}

// nudges needs the mutex to be held.
func (l *Loop) nudges() chan struct{} {
	if l.nudge == nil {
		l.nudge = make(chan struct{}, 1)
	}
	return l.nudge
}

// Run asks until the context ends.
func (l *Loop) Run(ctx context.Context) {
	l.mutex.Lock()
	nudges := l.nudges()
	l.mutex.Unlock()
	retry := l.FirstRetry
	for {
		began, pause := l.Clock.Now(), l.Interval
		if l.question(ctx) {
			retry = l.FirstRetry
		} else {
			pause, retry = retry, min(2*retry, l.MaxRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-l.Clock.After(pause):
			continue
		case <-nudges:
		}
		pause = l.Gap - l.Clock.Since(began)
		if pause <= 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-l.Clock.After(pause):
		}
	}
}

// question asks once and, if there is an answer, tells those who had come to wait before. The others, and all of them without an answer, go on waiting.
func (l *Loop) question(ctx context.Context) bool {
	l.mutex.Lock()
	waiting := l.waiting
	l.waiting = nil
	select {
	case <-l.nudges(): // the question that follows is the one that was asked for
	default:
	}
	l.mutex.Unlock()
	if l.Ask(ctx) {
		for _, answered := range waiting {
			answered()
		}
		return true
	}
	if len(waiting) == 0 {
		return false
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.waiting = append(waiting, l.waiting...)
	select {
	case l.nudges() <- struct{}{}:
	default:
	}
	return false
}
