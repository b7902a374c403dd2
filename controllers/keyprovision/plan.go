package keyprovision

import (
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

const (
	// settle is how long after its intent a key can turn up at the provider that was asked for but never heard of: the call's own time, and what the provider's list may
	// lag behind. Until then no other one is made.
	settle = 2 * time.Minute
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

// input is all that a step is planned from.
type input struct {
	now            time.Time
	every, overlap time.Duration
	// prefix of the names of our keys.
	prefix string
	// owner is the UID of the credential.
	owner string
	// secret is what was read of the Secret after the list.
	secret content
	// listed are our keys at the provider.
	listed []management.Key
	// inUse are the fingerprints of all keys that proxies may still use.
	inUse []string
	// refusedSince is from when on the provider has been refusing the key in the Secret; zero if it does not.
	refusedSince time.Time
	// deleting tells that the credential is being deleted.
	deleting bool
}

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
	// foreign: the key in the Secret was put there by somebody else.
	foreign
	// refused: the provider refuses the key that was made.
	refused
)

// rules in their order; the first that applies says what is done.
func rules() []func(input) (step, bool) {
	return []func(input) (step, bool){
		settleIntent, forgetAll, recall, removeOrphans, letGo, dropEmptied, rollBack, takeBack, retire, adoptForeign, awaitProof, makeDue,
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

// settleIntent finds out what became of a key that may have been made without anybody being left to store it. Only when it has turned up, or cannot turn up any more, is
// the intent taken back; from then on whoever is still making that key cannot store it, and it is an orphan.
func settleIntent(in input) (step, bool) {
	open := in.secret.state.intent
	if open == nil {
		return step{}, false
	}
	until := open.since.Add(settle)
	seen := slices.ContainsFunc(in.listed, func(key management.Key) bool {
		return key.Name == open.name && !in.knows(key)
	})
	// A time far ahead is none that a manager wrote.
	if !seen && in.now.Before(until) && until.Sub(in.now) < 2*settle {
		return step{after: min(until.Sub(in.now), look), told: making}, true
	}
	return in.write(making, func(c *content) { c.state.intent = nil }), true
}

// forgetAll makes orphans of all keys once the credential is being deleted.
func forgetAll(in input) (step, bool) {
	if !in.deleting || in.secret.state == (state{}) && in.secret.previous == "" {
		return step{}, false
	}
	return in.write(making, func(c *content) { c.previous, c.state = "", state{} }), true
}

// recall takes keys as known again after somebody stripped the Secret of its annotations, for the key in it is probably one of them: the newest, or the one before it.
// Another is made at once, and these go when no proxy uses them any more.
func recall(in input) (step, bool) {
	s := in.secret.state
	if in.deleting || in.secret.value == "" || s.current != (ref{}) || s.retiring != nil || len(in.listed) == 0 {
		return step{}, false
	}
	byName := slices.SortedFunc(slices.Values(in.listed), func(a, b management.Key) int { return strings.Compare(b.Name, a.Name) })
	return in.write(making, func(c *content) {
		c.state.owner, c.state.current = in.owner, ref{id: byName[0].ID, fingerprint: fingerprint(in.secret.value)}
		if len(byName) > 1 {
			before := in.secret.previous
			if before == "" {
				// Which of the two is in use is not known, so both count as used as long as the key in the Secret is.
				before = in.secret.value
			}
			c.state.retiring, c.state.retiringAfter = &ref{id: byName[1].ID, fingerprint: fingerprint(before)}, in.retiringAfter()
		}
	}), true
}

// removeOrphans deletes keys that the Secret knows nothing of. There is no intent, and the Secret was read after the list, so nobody can store them any more. This is
// the only place where keys are deleted.
func removeOrphans(in input) (step, bool) {
	for _, key := range in.listed {
		if !in.knows(key) {
			return step{action: remove, id: key.ID, told: in.progress()}, true
		}
	}
	return step{}, false
}

// letGo lets a credential go that has no keys left.
func letGo(in input) (step, bool) {
	return step{action: release}, in.deleting
}

// dropEmptied notes that somebody took the key out of the Secret: the proxies dropped it, and the one before it, at once.
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
	if !in.edited() || s.retiring == nil || s.retiring.id == "" || s.retiring.fingerprint != fingerprint(in.secret.value) {
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
	return step{after: max(look, s.retiringAfter.Sub(in.now)), told: in.progress()}, true
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
	next := in.write(making, func(c *content) {
		c.state.owner, c.state.intent = in.owner, &intent{name: in.name(in.now), since: in.now}
	})
	next.action = create
	return next, true
}

// due is when the next key is to be made; a time in the past for at once.
func (in input) due() time.Time {
	made := in.secret.state.current.at
	if made.IsZero() || in.secret.value == "" || !in.refusedSince.IsZero() && in.now.Sub(in.refusedSince) >= refusedFor {
		return time.Time{}
	}
	return made.Add(in.every)
}

// rest waits for the next key.
func (in input) rest() step {
	return step{after: min(in.due().Sub(in.now), recheck), told: in.progress()}
}

// stored is what the Secret holds once a key was made: the key that it replaces stays beside it, to be put back should the provider refuse the new one.
func (in input) stored(made management.Made) content {
	c := in.secret
	if c.value != "" {
		replaced := c.state.current
		replaced.fingerprint = fingerprint(c.value)
		c.state.retiring, c.state.retiringAfter = &replaced, in.retiringAfter()
	}
	c.state.owner, c.state.intent = in.owner, nil
	c.state.current = ref{id: made.ID, fingerprint: fingerprint(made.Value), at: in.now}
	c.value, c.previous = made.Value, c.value
	return c
}

// withoutIntent is what the Secret holds when the provider said that it made no key.
func (in input) withoutIntent() content {
	c := in.secret
	c.state.intent = nil
	return c
}

// name is that of a key that is made at a time.
func (in input) name(at time.Time) string { return in.prefix + at.UTC().Format("20060102t150405z") }

// knows tells whether a key at the provider is one that the Secret knows: by its id or, should somebody have spoilt that, by when it was made.
func (in input) knows(key management.Key) bool {
	s := in.secret.state
	if s.references(key.ID) {
		return true
	}
	known := []ref{s.current}
	if s.retiring != nil {
		known = append(known, *s.retiring)
	}
	return slices.ContainsFunc(known, func(r ref) bool { return r.fingerprint != "" && key.Name == in.name(r.at) && !in.lists(r.id) })
}

// lists tells whether the provider has a key of an id.
func (in input) lists(id string) bool {
	return slices.ContainsFunc(in.listed, func(key management.Key) bool { return key.ID == id })
}

func (in input) retiringAfter() time.Time { return in.now.Add(in.overlap + margin) }

// edited tells whether the Secret holds another key than the one that was made.
func (in input) edited() bool {
	return in.secret.state.current.id != "" && fingerprint(in.secret.value) != in.secret.state.current.fingerprint
}

// progress is how it stands where nothing is wrong.
func (in input) progress() told {
	s := in.secret.state
	switch {
	case in.edited(), s.current.id == "" && in.secret.value != "" && !s.current.at.IsZero():
		return foreign
	case s.current.id == "" || s.retiring != nil:
		return making
	default:
		return onSchedule
	}
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
