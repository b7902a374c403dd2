package keyprovision

import (
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/controllers/keyprovision/management"
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
	// recent is what this process did and saw lately.
	recent recent
}

// due is when the next key is to be made; a time in the past for at once.
func (in input) due() time.Time {
	made := in.secret.state.current.at
	if made.IsZero() || in.secret.value == "" || in.refused() {
		return time.Time{}
	}
	return made.Add(in.every)
}

// refused tells whether the provider has been refusing the key in the Secret for so long that it is given up.
func (in input) refused() bool {
	return !in.refusedSince.IsZero() && in.now.Sub(in.refusedSince) >= refusedFor
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

// unknown are the keys at the provider that the Secret does not know, the newest first.
func (in input) unknown() []management.Key {
	left := slices.DeleteFunc(slices.Clone(in.listed), in.knows)
	slices.SortFunc(left, func(a, b management.Key) int { return strings.Compare(b.Name, a.Name) })
	return left
}

// lists tells whether the provider has a key of an id.
func (in input) lists(id string) bool {
	return slices.ContainsFunc(in.listed, func(key management.Key) bool { return key.ID == id })
}

// serving tells whether an orphan may still be in use, because it is not known which key the proxies use, or which one is in the Secret. Proxies go on for some seconds with a
// key whose Secret was deleted or emptied, for the overlap once there is another one, and for as long as that one is refused.
func (in input) serving() bool {
	return !in.deleting && (in.secret.value != "" && !in.identifies(fingerprint(in.secret.value)) ||
		slices.ContainsFunc(in.inUse, func(used string) bool { return !in.identifies(used) }))
}

// identifies tells whether it is known which key a fingerprint is that of: one with an id or, where no fingerprint was noted, what is in the Secret.
func (in input) identifies(used string) bool {
	s := in.secret.state
	return slices.ContainsFunc(s.refs(), func(known ref) bool { return known.fingerprint == used }) || s.current.fingerprint == "" && fingerprint(in.secret.value) == used
}

// crowded tells whether one more key would be the third.
func (in input) crowded() bool { return len(in.listed)+len(in.unlisted()) > 1 }

// unlisted are the keys that the Secret knows and that the list does not have.
func (in input) unlisted() []ref {
	return slices.DeleteFunc(in.secret.state.refs(), func(known ref) bool {
		return slices.ContainsFunc(in.listed, func(key management.Key) bool { return key.ID == known.id || key.Name == in.name(known.at) })
	})
}

// unseen are those of them that the list should have by now: somebody deleted them at the provider, or the management key is that of another account.
func (in input) unseen() []ref {
	return slices.DeleteFunc(in.unlisted(), func(known ref) bool { return in.now.Sub(known.at) < settle })
}

// lost are those of them that nobody will know any more once a content is stored.
func (in input) lost(stored content) []ref {
	return slices.DeleteFunc(in.unseen(), func(known ref) bool { return stored.state.references(known.id) })
}

func (in input) retiringAfter() time.Time { return in.now.Add(in.overlap + margin) }

// edited tells whether the Secret holds another key than the one that was made. Without a fingerprint to compare with it is taken for the same.
func (in input) edited() bool {
	current := in.secret.state.current
	return current.id != "" && current.fingerprint != "" && fingerprint(in.secret.value) != current.fingerprint
}

// restored tells whether somebody wrote the key before back into the Secret.
func (in input) restored() bool {
	before := in.secret.state.retiring
	return in.edited() && before != nil && before.id != "" && before.fingerprint == fingerprint(in.secret.value)
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
