package health

import (
	"time"

	"signalbox.dev/signalbox/proxy/window"
)

// Lost tells that the attempt does not get through: there is no connection, or nothing is heard over it. Found tells that it does, after all. Until then it is
// reported as one that waits, and if it ends first, as one that had no connection, whatever its outcome says of that.
func (a Attempt) Lost(now time.Time) {
	if a.attempt == nil {
		return
	}
	u := a.upstream
	t := u.registry.at(now)
	u.touch(t)
	first := false
	u.mu.Lock()
	if !a.ended && !a.lost {
		a.lost, a.lostAt = true, t
		first = u.minute().Wait() == 1
	}
	u.mu.Unlock()
	u.registry.publish(news{ended: first})
}

// Found is described at Lost.
func (a Attempt) Found() {
	if a.attempt == nil {
		return
	}
	a.upstream.mu.Lock()
	defer a.upstream.mu.Unlock()
	if !a.ended {
		a.found()
	}
}

// found takes back that the attempt waits. It needs the lock.
func (a *attempt) found() {
	if a.lost {
		a.lost = false
		a.upstream.minute().Unwait()
	}
}

// recordLost counts an attempt that never got through, also one that its client would not wait for. It counts for when that was found: that it went on waiting
// says nothing of a provider that came back in the meantime. It needs the lock.
func (a *attempt) recordLost() {
	a.found()
	a.upstream.minute().Count(time.Duration(a.lostAt), window.Unreachable)
}
