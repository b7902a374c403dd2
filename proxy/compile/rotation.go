package compile

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// defaultOverlap holds for objects that were stored without the API's default, and maxOverlap for those that never met its bound.
	defaultOverlap = 10 * time.Minute
	maxOverlap     = 24 * time.Hour
	// grace is how long a key stays in use when its Secret, the Secret's label or the value in it is gone: tools that replace a Secret delete it first.
	grace = 5 * time.Second
	// maxPrevious bounds how many earlier values of one key stay usable; the oldest go first.
	maxPrevious = 4
	// permillePerPercent turns the API's unit of a canary's share into the table's.
	permillePerPercent = 10
)

// chain are the values of one key that a table holds.
type chain struct {
	lead, canary *table.Key
	// previous ones, youngest first.
	previous []table.Key
}

// keys are the values in the order of a table.
func (c chain) keys() []table.Key {
	var list []table.Key
	for _, key := range []*table.Key{c.lead, c.canary} {
		if key != nil {
			list = append(list, *key)
		}
	}
	return append(list, c.previous...)
}

// ruling is what becomes of the value that is in a Secret.
type ruling struct {
	// reason is one of ReasonCheckingKey, ReasonKeyRejected and ReasonKeyHeld for a value that is kept out; empty for one that is in the table.
	reason  string
	message string
}

// rotation decides which values of a credential's keys are used. It reads what the table in force says, and changes nothing of it.
type rotation struct {
	now    time.Time
	policy v1alpha1.KeyRotation
	// probed tells that verdicts are to come for every key; without it a new value leads at once.
	probed   bool
	verdicts map[string]KeyVerdict
	// before are the keys in force at the account; none after a change of it, for an old value is never sent to another address.
	before []table.Key
	// proved are the fingerprints that led a moment ago, wherever.
	proved map[string]bool
	// firstSeen of values that were met before, by fingerprint.
	firstSeen map[string]time.Time
}

func (c credentialCompiler) rotation(spec *v1alpha1.ProviderCredential, entry, previous *table.Credential) *rotation {
	r := &rotation{
		now: c.now, policy: spec.Spec.Rotation, probed: c.verdicts != nil, verdicts: map[string]KeyVerdict{},
		proved: map[string]bool{}, firstSeen: map[string]time.Time{},
	}
	account := provider.AccountOf(entry)
	for fingerprint, verdict := range c.verdicts[spec.Name] {
		if verdict.Provider == entry.Provider && verdict.Account == account {
			r.verdicts[fingerprint] = verdict
		}
	}
	for _, key := range spec.Status.Keys {
		r.firstSeen[key.Fingerprint] = key.FirstSeen.UTC()
		// A table that was lost is made again from what the status says was in use. One that is there knows better.
		r.proved[key.Fingerprint] = previous == nil &&
			(key.State == v1alpha1.KeyActive || key.State == v1alpha1.KeyStandby || key.State == v1alpha1.KeyCoolingDown)
	}
	if previous != nil {
		r.recall(previous)
		if previous.Provider == entry.Provider && provider.AccountOf(previous) == account {
			r.before = previous.Keys
		}
	}
	return r
}

// recall notes what the table in force tells of values, wherever they led.
func (r *rotation) recall(previous *table.Credential) {
	for i := range previous.Keys {
		key := &previous.Keys[i]
		if key.Role != table.Canary && !r.over(key) {
			r.proved[key.Fingerprint] = !key.Refused
		}
		if !key.FirstSeen.IsZero() {
			r.firstSeen[key.Fingerprint] = key.FirstSeen
		}
	}
}

// chain returns what was in force under a name.
func (r *rotation) chain(name string, kind table.KeyKind) chain {
	var c chain
	for i := range r.before {
		key := r.before[i]
		if key.Name != name || key.Kind != kind {
			continue
		}
		switch {
		case key.Role == table.Canary:
			c.canary = &key
		case r.over(&key):
		case key.Role == table.Previous:
			c.previous = append(c.previous, key)
		default:
			key.Refused = r.refused(&key)
			c.lead = &key
		}
	}
	return c
}

// over tells whether the time of a value is over.
func (r *rotation) over(key *table.Key) bool { return !key.Until.IsZero() && !r.now.Before(key.Until) }

// renamed returns what was in force of a value under a name that the spec does not have any more.
func (r *rotation) renamed(value table.Key, names map[string]bool) chain {
	for i := range r.before {
		key := &r.before[i]
		if key.Role != table.Leads || key.Fingerprint != value.Fingerprint || key.Kind != value.Kind || names[key.Name] {
			continue
		}
		found := r.chain(key.Name, key.Kind)
		for _, one := range []*table.Key{found.lead, found.canary} {
			if one != nil {
				one.Name = value.Name
			}
		}
		for i := range found.previous {
			found.previous[i].Name = value.Name
		}
		return found
	}
	return chain{}
}

// overlap is how long a replaced value stays usable.
func (r *rotation) overlap() time.Duration {
	if r.policy.Overlap == nil {
		return defaultOverlap
	}
	return min(max(0, r.policy.Overlap.Duration), maxOverlap)
}

// stamp is the time that goes into the table. It has whole seconds, as the status has.
func (r *rotation) stamp() time.Time { return r.now.UTC().Truncate(time.Second) }

// end is the time after a while from now, no sooner.
func (r *rotation) end(after time.Duration) time.Time {
	return r.now.UTC().Add(after + time.Second - 1).Truncate(time.Second)
}

// next returns what is used from now on of a key with this value in its Secret, and what becomes of the value.
func (r *rotation) next(before chain, value table.Key) (chain, ruling) {
	value.FirstSeen = r.seen(value.Fingerprint)
	before.previous = r.shortened(before.previous)
	switch {
	case before.lead == nil:
		return r.first(before, value)
	case before.lead.Fingerprint == value.Fingerprint:
		value.Since, value.Refused = before.lead.Since, before.lead.Refused
		return chain{lead: &value, previous: before.previous}, ruling{}
	case before.canary != nil && before.canary.Fingerprint == value.Fingerprint:
		return r.tried(before, value)
	default:
		before.canary = nil
		return r.replaced(before, value)
	}
}

func (r *rotation) seen(fingerprint string) time.Time {
	if known := r.firstSeen[fingerprint]; !known.IsZero() {
		return known
	}
	return r.stamp()
}

// refused tells whether the last probe of a value in use was refused. What a probe cannot tell changes nothing.
func (r *rotation) refused(key *table.Key) bool {
	verdict, known := r.verdicts[key.Fingerprint]
	switch {
	case known && verdict.State == provider.KeyInvalid:
		return true
	case known && verdict.State == provider.KeyValid:
		return false
	default:
		return key.Refused
	}
}

// good tells whether a value led a moment ago, and nothing is known against it since.
func (r *rotation) good(value table.Key) bool {
	return r.proved[value.Fingerprint] && r.verdicts[value.Fingerprint].State != provider.KeyInvalid
}

// first decides about a value that replaces none: the provider's word that it is bad keeps it out, and only that.
func (r *rotation) first(before chain, value table.Key) (chain, ruling) {
	verdict, known := r.verdicts[value.Fingerprint]
	switch {
	case r.atOnce(value) || r.good(value):
	case !known:
		return before, checking()
	case verdict.State == provider.KeyInvalid:
		return before, rejected(verdict)
	}
	return r.leads(before, value), ruling{}
}

// atOnce tells whether a value is used without a word of the provider's.
func (r *rotation) atOnce(value table.Key) bool {
	return !r.probed || r.policy.Validate == v1alpha1.ValidateNone || value.Value == ""
}

// replaced decides about a value that is to take another one's place.
func (r *rotation) replaced(before chain, value table.Key) (chain, ruling) {
	if r.good(value) || !r.probed || value.Value == "" {
		return r.leads(before, value), ruling{}
	}
	if why := r.doubts(value); why.reason != "" {
		return before.kept(), why
	}
	if r.policy.Canary == nil || before.lead.Refused {
		return r.leads(before, value), ruling{}
	}
	value.Role, value.Since = table.Canary, r.stamp()
	return r.tried(chain{lead: before.lead, canary: &value, previous: before.previous}, value)
}

// doubts are what keeps a new value from being used; none for one that may be.
func (r *rotation) doubts(value table.Key) ruling {
	verdict, known := r.verdicts[value.Fingerprint]
	switch {
	case r.policy.Validate == v1alpha1.ValidateNone && (r.policy.Canary == nil || verdict.State != provider.KeyInvalid):
		return ruling{}
	case !known:
		return checking()
	case verdict.State == provider.KeyInvalid:
		return rejected(verdict)
	case verdict.State == provider.KeyValid:
		return ruling{}
	case verdict.Pending:
		return ruling{v1alpha1.ReasonCheckingKey, "the provider has not given a proper answer yet and is asked again: " + verdict.Message}
	case r.policy.WhenUnknown == v1alpha1.UnknownHolds:
		return ruling{v1alpha1.ReasonKeyHeld, "the probe cannot tell whether the key is good, and spec.rotation.whenUnknown is Hold: " + verdict.Message}
	default:
		return ruling{}
	}
}

func checking() ruling {
	return ruling{v1alpha1.ReasonCheckingKey, "the provider is being asked about this key; it is not used before"}
}

func rejected(verdict KeyVerdict) ruling {
	return ruling{v1alpha1.ReasonKeyRejected, cmp.Or(verdict.Message, "the provider refused the key")}
}

// kept is what stays in force while a new value waits. The Secret is there, so nothing ends by itself any more but the overlap of earlier ones.
func (c chain) kept() chain {
	lead := *c.lead
	lead.Until = time.Time{}
	return chain{lead: &lead, previous: c.previous}
}

// tried decides about a value that gets a share of the calls.
func (r *rotation) tried(before chain, value table.Key) (chain, ruling) {
	verdict := r.verdicts[value.Fingerprint]
	if verdict.State == provider.KeyInvalid {
		return before.kept(), rejected(verdict)
	}
	since := before.canary.Since
	if since.After(r.now) {
		// The clock was ahead when the trial began.
		since = r.stamp()
	}
	policy := r.policy.Canary
	if !r.probed || policy == nil || policy.Duration == nil || before.lead.Refused {
		return r.leads(before, value), ruling{}
	}
	end := since.Add(policy.Duration.Duration)
	if !r.now.Before(end) {
		return r.leads(before, value), ruling{}
	}
	kept := before.kept()
	value.Role, value.Since, value.Until = table.Canary, since, end
	value.Permille = policy.Percent * permillePerPercent
	kept.canary = &value
	return kept, ruling{}
}

// leads puts a value in the place of the one before it, which stays usable for the overlap.
func (r *rotation) leads(before chain, value table.Key) chain {
	value.Role, value.Since, value.Until, value.Permille = table.Leads, r.stamp(), time.Time{}, 0
	value.Refused = r.verdicts[value.Fingerprint].State == provider.KeyInvalid
	previous := slices.DeleteFunc(slices.Clone(before.previous), func(k table.Key) bool { return k.Fingerprint == value.Fingerprint })
	if old := before.lead; old != nil && r.overlap() > 0 && value.Value != "" {
		replaced := *old
		replaced.Role, replaced.Since, replaced.Until = table.Previous, r.stamp(), r.end(r.overlap())
		previous = slices.Insert(previous, 0, replaced)
	}
	return chain{lead: &value, previous: previous[:min(len(previous), maxPrevious)]}
}

// shortened are the earlier values that are still usable: a shorter overlap holds for them too, a longer one does not. None is usable for longer than the
// overlap from now on, for the clock may have been ahead when it was replaced.
func (r *rotation) shortened(previous []table.Key) []table.Key {
	var still []table.Key
	latest := r.end(r.overlap())
	for _, key := range previous {
		for _, end := range []time.Time{key.Since.Add(r.overlap() + time.Second), latest} {
			if end.Before(key.Until) {
				key.Until = end
			}
		}
		if r.now.Before(key.Until) {
			still = append(still, key)
		}
	}
	return still
}

// invalid returns what is used while the Secret holds what cannot be a key: the last good value.
func (r *rotation) invalid(before chain) chain {
	if before.lead == nil {
		return chain{previous: r.shortened(before.previous)}
	}
	kept := before.kept()
	kept.previous = r.shortened(before.previous)
	return kept
}

// gone returns what is used for the moment that a value may take to come back.
func (r *rotation) gone(before chain) chain {
	end := r.end(min(grace, r.overlap()))
	var left chain
	ending := append(chain{lead: before.lead}.keys(), r.shortened(before.previous)...)
	for _, key := range ending {
		if key.Until.IsZero() || end.Before(key.Until) {
			key.Until = end
		}
		switch {
		case !r.now.Before(key.Until):
		case key.Role == table.Previous:
			left.previous = append(left.previous, key)
		default:
			left.lead = &key
		}
	}
	return left
}

// duplicate is the finding for a value that is stored as two keys.
func duplicate(first, second keySource) Finding {
	return Finding{
		Condition: v1alpha1.ConditionResolvedRefs,
		Reason:    v1alpha1.ReasonInvalidKey,
		Message:   fmt.Sprintf("keys %q and %q have the same value, which is used once, as %q; store another one, or remove %q", first.name, second.name, first.name, second.name),
		Field:     second.value.field,
	}
}
