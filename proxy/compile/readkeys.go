package compile

import (
	"fmt"
	"slices"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// keptKeys is what became of the values of a credential's keys.
type keptKeys struct {
	// values are what the Secrets hold, in the order of the spec.
	values []KeyValue
	// waiting are the values that are not in the table.
	waiting []table.Key
}

// kept is what belongs to the chosen entry.
func (d *credentialDraft) kept(entry *table.Credential) keptKeys {
	if entry != nil && entry == d.last {
		return d.lastKeys
	}
	return d.freshKeys
}

// keyReading is the work on the keys of one entry.
type keyReading struct {
	*rotation
	shop keyShop
	// names of the keys of the spec.
	names map[string]bool
	// owners are the keys of the spec by the value that is in their Secret, by fingerprint.
	owners map[string]keySource
	chains []chain
	kept   keptKeys
	// findings of this entry.
	findings []Finding
}

func (c credentialCompiler) reading(sources []keySource, life *rotation) *keyReading {
	r := &keyReading{rotation: life, shop: c.shop, names: map[string]bool{}, owners: map[string]keySource{}}
	for _, source := range sources {
		r.names[source.name] = true
	}
	return r
}

// readKeys fills in the keys of a fresh entry and returns what is wrong with them. In place of a value that cannot be a key the last good one stays, but it
// is never sent to another address: if that has changed too, readKeys returns false and the whole last good entry stays in force.
func (c credentialCompiler) readKeys(d *credentialDraft, fresh *table.Credential, life *rotation) (findings []Finding, serves bool) {
	reading := c.reading(d.sources, life)
	serves = true
	for _, source := range distinct(d.sources) {
		if problem := reading.read(source); problem != nil && problem.invalid() && d.last != nil && !sameAccount(d.last, fresh) {
			serves = false
		}
	}
	fresh.Keys, d.freshKeys = reading.keys(), reading.kept
	return reading.findings, serves
}

// distinct are the first keys of each name; the spec is in error if there are others.
func distinct(sources []keySource) []keySource {
	var firsts []keySource
	for _, source := range sources {
		if !slices.ContainsFunc(firsts, func(s keySource) bool { return s.name == source.name }) {
			firsts = append(firsts, source)
		}
	}
	return firsts
}

func sameAccount(a, b *table.Credential) bool {
	return a.Provider == b.Provider && provider.AccountOf(a) == provider.AccountOf(b)
}

// read decides about one key of the spec, and returns what is wrong with what its Secret holds.
func (r *keyReading) read(source keySource) *keyProblem {
	value, problem := r.shop.readKey(source)
	before := r.chain(source.name, source.kind)
	if problem == nil {
		if before.lead == nil {
			before = r.adopt(before, value)
		}
		r.take(source, before, value)
		return nil
	}
	r.findings = append(r.findings, Finding{
		Condition: v1alpha1.ConditionResolvedRefs, Reason: problem.reason, Message: problem.message, Field: problem.field,
	})
	r.kept.values = append(r.kept.values, KeyValue{Name: source.name, Message: problem.message})
	r.chains = append(r.chains, r.without(before))
	return problem
}

// adopt takes over what was in force of the value under another name, where that name is gone.
func (r *keyReading) adopt(before chain, value table.Key) chain {
	if found := r.renamed(value, r.names); found.lead != nil {
		return found
	}
	return before
}

// without returns what is used of a key whose Secret holds no value that could be: what was in force, as long as the place where that came from has not lost
// it. A reference that leads nowhere thus takes nothing away that is still stored.
func (r *keyReading) without(before chain) chain {
	if before.lead == nil {
		return r.invalid(before)
	}
	if _, own := r.shop.readKey(sourceOf(*before.lead)); own != nil && !own.invalid() {
		return r.gone(before)
	}
	return r.invalid(before)
}

// take decides about a value.
func (r *keyReading) take(source keySource, before chain, value table.Key) {
	value.FirstSeen = r.seen(value.Fingerprint)
	stored := KeyValue{Name: source.name, Fingerprint: value.Fingerprint, FirstSeen: value.FirstSeen}
	if owner, twice := r.owners[value.Fingerprint]; twice {
		finding := duplicate(owner, source)
		r.findings = append(r.findings, finding)
		stored.SameAs, stored.Message = owner.name, finding.Message
	} else {
		r.owners[value.Fingerprint] = source
	}
	after, why := r.next(before, value)
	if stored.SameAs == "" {
		stored.Reason, stored.Message = why.reason, why.message
	}
	if why.reason != "" && stored.SameAs == "" {
		value.Refused = why.reason == v1alpha1.ReasonKeyRejected
		r.kept.waiting = append(r.kept.waiting, value)
	}
	if after.lead != nil && after.lead.Fingerprint == value.Fingerprint {
		r.proved[value.Fingerprint] = !after.lead.Refused
	}
	r.kept.values = append(r.kept.values, stored)
	r.chains = append(r.chains, after)
}

// keys are the values that go into the entry. A value that moved from one key to another is there once, as the best that it is.
func (r *keyReading) keys() []table.Key {
	leading := map[string]bool{}
	for i := range r.chains {
		c := &r.chains[i]
		if c.lead != nil && leading[c.lead.Fingerprint] {
			// Another key has this value now. What was to replace it does.
			c.lead = nil
			if c.canary != nil {
				promoted := r.leads(chain{}, *c.canary)
				c.lead, c.canary = promoted.lead, nil
			}
		}
		if c.lead != nil {
			leading[c.lead.Fingerprint] = true
		}
	}
	var keys []table.Key
	for i := range r.chains {
		for _, key := range r.chains[i].keys() {
			if key.Role != table.Leads && leading[key.Fingerprint] {
				continue
			}
			leading[key.Fingerprint] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// keepLast makes the entry in force, with the keys that may still be used: those whose name is still in the spec and whose Secret still holds a value. There is
// none when the endpoint has been closed since.
func (c credentialCompiler) keepLast(d *credentialDraft, spec *v1alpha1.ProviderCredential, previous *table.Credential) {
	if c.check(previous.Endpoint) != nil {
		return
	}
	last := *previous
	reading := c.reading(d.sources, c.rotation(spec, previous, previous))
	for _, source := range distinct(d.sources) {
		at := slices.IndexFunc(previous.Keys, func(k table.Key) bool {
			return k.Role == table.Leads && k.Name == source.name && k.Kind == source.kind
		})
		if at >= 0 {
			reading.read(sourceOf(previous.Keys[at]))
			continue
		}
		reading.kept.values = append(reading.kept.values, KeyValue{
			Name: source.name, Message: fmt.Sprintf("key %q is new, and what was in force before stays", source.name),
		})
	}
	last.Keys, d.lastKeys = reading.keys(), reading.kept
	d.last = &last
}
