package keyprovision

import (
	"slices"
	"time"

	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

// settleIntent finds out what became of a key that may have been made without anybody being left to store it. Only when it has turned up, or cannot turn up any more, is
// the intent taken back; from then on whoever is still making that key cannot store it, and it is an orphan.
func settleIntent(in input) (step, bool) {
	open := in.secret.state.intent
	if open == nil {
		return step{}, false
	}
	seen := slices.ContainsFunc(in.listed, func(key management.Key) bool {
		return key.Name == open.name && !in.knows(key)
	})
	if until := in.settled(*open); !seen && in.now.Before(until) {
		return step{after: min(until.Sub(in.now), look), told: doubtful, relist: true}, true
	}
	return in.write(making, func(c *content) { c.state.intent = nil }), true
}

// settled is when a key that was asked for under an intent cannot turn up any more. The time in the intent is that of the manager that wrote it, whose clock may be off; so a
// part of the wait is counted from when this process first saw it, and a time far ahead is none.
func (in input) settled(open intent) time.Time {
	long := in.doubt()
	watched := in.recent.doubt.since
	since := open.since
	if since.Sub(watched) > long {
		since = watched
	}
	if until := watched.Add(settle / 2); until.After(since.Add(long)) {
		return until
	}
	return since.Add(long)
}

// doubt is how long a key that may have been made is waited for.
func (in input) doubt() time.Duration {
	if in.secret.value != "" {
		return patience
	}
	return settle
}

// awaitLate waits for a key that was made a moment ago and that the list does not show yet, where nothing is going to be left that knows it: it would turn up as one too many,
// or when nobody looks any more. Where the Secret tells nothing, or of another key than is in it, there may be such a key as long as this process has not been watching.
func awaitLate(in input) (step, bool) {
	var made time.Time
	if in.secret.state.owner == "" || in.edited() {
		made = in.recent.watched
	}
	leaving := in.deleting || in.secret.value == "" || in.edited()
	if last := in.recent.made; last.Name != "" && (leaving || !in.secret.state.references(last.ID)) {
		made = later(made, in.recent.madeAt)
	}
	if leaving {
		for _, known := range in.unlisted() {
			made = later(made, in.madeAt(known))
		}
	}
	wait := made.Add(in.doubt()).Sub(in.now)
	return step{after: min(wait, look), told: doubtful, relist: true}, wait > 0
}

// madeAt is when a key was made. A time that is still to come was written by a clock that was ahead: another process's, so before this one began to watch.
func (in input) madeAt(known ref) time.Time {
	if known.at.After(in.now) {
		return in.recent.watched
	}
	return known.at
}

func later(one, other time.Time) time.Time {
	if other.After(one) {
		return other
	}
	return one
}
