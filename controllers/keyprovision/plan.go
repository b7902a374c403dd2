package keyprovision

import (
	"slices"
	"time"
)

const (
	// settle is how long after its intent a key can turn up at the provider that was asked for but never heard of: the call's own time, and what the provider's list may
	// lag behind. Until then no other one is made.
	settle = 2 * time.Minute
	// patience is used in place of settle while there is a key in the Secret: the next one can wait for a provider that carries a call out minutes late.
	patience = 5 * time.Minute
	// margin is added to the overlap before a key is deleted, for clocks of proxies that are late.
	margin = time.Minute
	// refusedFor is how long the provider has to refuse a key until it is given up: one that was just made may need a moment to be known everywhere.
	refusedFor = 5 * time.Minute
	// firstRetry and lastRetry bound the time until another key is made after one that was refused; it doubles.
	firstRetry = 10 * time.Minute
	lastRetry  = 24 * time.Hour
	// recheck is when the provider's list is looked at again though nothing is due, for a key that turned up late.
	recheck = 15 * time.Minute
	// look is when to look again for what others do: the proxies' table and the probes.
	look = 15 * time.Second
)

// action is what a step does.
type action int

const (
	// wait does nothing until step.after has passed.
	wait action = iota
	// write stores the content.
	write
	// create stores the content, which has an intent, and then makes the key.
	create
	// remove deletes a key at the provider.
	remove
	// release lets the credential go.
	release
)

// step is the next thing to do. There is one at a time: whatever happens in between, the next plan starts from what is there then.
type step struct {
	action  action
	content content
	id      string
	after   time.Duration
	// relist tells that it is the provider's list that is waited for.
	relist bool
	// told says how it stands, for people.
	told told
}

// told is what is said of a rule that applies.
type told int

const (
	// onSchedule: the key in use was made, and the next one is not due.
	onSchedule told = iota
	// making: a key is being made or tried.
	making
	// doubtful: a key may have been made that the provider's list does not show yet.
	doubtful
	// foreign: the key in the Secret was put there by somebody else.
	foreign
	// refused: the provider refuses the key that was made.
	refused
	// hurried: keys are needed faster than they are made.
	hurried
	// lingering: the provider goes on listing a key that it said to have deleted.
	lingering
	// blocked: two keys are live, and it is not known which of them proxies use.
	blocked
)

// rules in their order; the first that applies says what is done.
func rules() []func(input) (step, bool) {
	return []func(input) (step, bool){
		settleIntent, awaitLate, forgetAll, recall, removeOrphans, letGo, dropEmptied, rollBack, takeBack, retire, adoptForeign, awaitProof, awaitRoom, makeDue,
	}
}

// makePlan decides. It is pure.
func makePlan(in input) step {
	for _, rule := range rules() {
		if next, applies := rule(in); applies {
			return next
		}
	}
	return in.rest()
}

// forgetAll makes orphans of all keys once the credential is being deleted.
func forgetAll(in input) (step, bool) {
	nothing := state{owner: in.owner}
	if !in.deleting || in.secret.object == nil || in.secret.state == nothing && in.secret.previous == "" {
		return step{}, false
	}
	return in.write(making, func(c *content) { c.previous, c.state = "", nothing }), true
}

// recall takes keys as known again after somebody stripped the Secret of its annotations, or put older ones back: the key in it is probably the newest of those that are
// not known, or the one before that. Another is made when it is due, which is at once if nothing tells, and these go when no proxy uses them any more.
func recall(in input) (step, bool) {
	s := in.secret.state
	unknown := in.unknown()
	if in.deleting || in.secret.value == "" || s.current != (ref{}) && !in.edited() || in.restored() || len(unknown) == 0 {
		return step{}, false
	}
	return in.write(making, func(c *content) {
		c.state.owner, c.state.current = in.owner, ref{id: unknown[0].ID, fingerprint: fingerprint(in.secret.value), at: s.current.at}
		switch {
		case in.lists(s.current.id):
			c.state.retiring, c.state.retiringAfter = &s.current, in.retiringAfter()
		case len(unknown) > 1:
			before := in.secret.previous
			if before == "" {
				// Which of the two is in use is not known, so both count as used as long as the key in the Secret is.
				before = in.secret.value
			}
			c.state.retiring, c.state.retiringAfter = &ref{id: unknown[1].ID, fingerprint: fingerprint(before)}, in.retiringAfter()
		}
	}), true
}

// removeOrphans deletes keys that the Secret knows nothing of, unless one of them may still be in use. There is no intent, and the Secret was read after the list, so nobody
// can store them any more. This is the only place where keys are deleted. One that stays in the list though it was deleted is waited for, and deleted again less and less often.
func removeOrphans(in input) (step, bool) {
	if in.serving() {
		return step{}, false
	}
	waiting := step{relist: true, told: in.progress()}
	for _, key := range in.listed {
		if in.knows(key) {
			continue
		}
		done, confirmed := in.recent.removed[key.ID]
		if !confirmed || !in.now.Before(done.again) {
			return step{action: remove, id: key.ID, told: in.progress()}, true
		}
		if in.now.Sub(done.first) >= settle {
			waiting.told = lingering
		}
		waiting.after = max(waiting.after, min(done.again.Sub(in.now), look))
	}
	return waiting, waiting.after > 0
}

// letGo lets a credential go that has no keys left.
func letGo(in input) (step, bool) {
	return step{action: release}, in.deleting
}

// dropEmptied notes that somebody took the key out of the Secret: the proxies drop it, and the one before it, after a moment.
func dropEmptied(in input) (step, bool) {
	s := in.secret.state
	if in.secret.value != "" || s.current.id == "" && s.retiring == nil {
		return step{}, false
	}
	return in.write(making, func(c *content) { c.previous, c.state.current, c.state.retiring = "", ref{}, nil }), true
}

// rollBack puts the key before back in its place after the provider has refused the new one for long, and waits longer each time before another is made. The new one is an
// orphan then.
func rollBack(in input) (step, bool) {
	s := in.secret.state
	if in.refusedSince.IsZero() || s.retiring == nil || in.edited() {
		return step{}, false
	}
	refusal := in.now.Sub(in.refusedSince)
	if refusal < refusedFor {
		return step{after: max(look, refusedFor-max(refusal, 0)), told: refused}, true
	}
	if in.secret.previous == "" {
		return step{}, false
	}
	return in.write(refused, func(c *content) {
		c.value, c.previous = c.previous, ""
		c.state.current, c.state.retiring = *s.retiring, nil
		c.state.retry = s.retry.next(in.now)
	}), true
}

// takeBack follows somebody who wrote the key before back into the Secret.
func takeBack(in input) (step, bool) {
	s := in.secret.state
	if !in.restored() {
		return step{}, false
	}
	return in.write(making, func(c *content) {
		taken := s.current
		c.previous = ""
		c.state.current, c.state.retiring, c.state.retiringAfter = *s.retiring, &taken, in.retiringAfter()
		c.state.retry = s.retry.next(in.now)
	}), true
}

// retire forgets the key before once its time is over and no proxy can use it any more. A new key that does not lead leaves the one before it in the proxies' table, and
// so here too.
func retire(in input) (step, bool) {
	s := in.secret.state
	if s.retiring == nil || in.now.Before(s.retiringAfter) || slices.Contains(in.inUse, s.retiring.fingerprint) {
		return step{}, false
	}
	return in.write(making, func(c *content) {
		c.previous, c.state.retiring, c.state.retry = "", nil, retry{}
	}), true
}

// adoptForeign follows somebody who wrote a key of their own into the Secret: it stays until the next one is due, and the one that was made is not needed any more.
func adoptForeign(in input) (step, bool) {
	s := in.secret.state
	if !in.edited() || s.retiring != nil && s.retiring.id != "" {
		return step{}, false
	}
	return in.write(foreign, func(c *content) {
		replaced := s.current
		c.previous = ""
		c.state.current, c.state.retiring, c.state.retiringAfter = ref{at: replaced.at}, &replaced, in.retiringAfter()
	}), true
}

// awaitProof waits while there is a key before: there are never more than two.
func awaitProof(in input) (step, bool) {
	s := in.secret.state
	if s.retiring == nil {
		return step{}, false
	}
	waiting := step{after: max(look, s.retiringAfter.Sub(in.now)), told: in.progress()}
	if s.retiring.fingerprint == s.current.fingerprint && in.now.After(s.retiringAfter) {
		waiting.told = blocked
	}
	return waiting, true
}

// awaitRoom waits while one more key would be the third, as an orphan that is still in use leaves room for one only.
func awaitRoom(in input) (step, bool) {
	waiting := step{after: look, told: in.progress(), relist: true}
	if !in.now.Before(in.due()) {
		waiting.told = blocked
	}
	return waiting, in.crowded()
}

// makeDue has a key made if it is time.
func makeDue(in input) (step, bool) {
	s := in.secret.state
	if in.now.Before(in.due()) {
		return step{}, false
	}
	if in.now.Before(s.retry.after) {
		return step{after: min(s.retry.after.Sub(in.now), recheck), told: refused}, true
	}
	if wait := in.recent.hurry(in.now); wait > 0 {
		return step{after: min(wait, recheck), told: hurried}, true
	}
	next := in.write(making, func(c *content) {
		c.state.owner, c.state.intent = in.owner, &intent{name: in.name(in.now), since: in.now}
	})
	next.action = create
	return next, true
}

// rest waits for the next key.
func (in input) rest() step {
	return step{after: min(in.due().Sub(in.now), recheck), told: in.progress()}
}

// write is a step that changes the Secret.
func (in input) write(told told, change func(*content)) step {
	changed := in.secret
	change(&changed)
	return step{action: write, content: changed, told: told}
}

// next counts one more refused key.
func (r retry) next(now time.Time) retry {
	wait := firstRetry << min(r.failures, 16)
	return retry{failures: r.failures + 1, after: now.Add(min(wait, lastRetry))}
}
