package compile

import (
	"fmt"
	"reflect"
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

// maxPasses bounds how often the keys of an entry are read until nothing changes any more. One pass does for keys that stay, two for one that changes; more
// take values that move between keys.
const maxPasses = 4

// settle decides about the keys of an entry until deciding again from the outcome makes no difference.
func (c credentialCompiler) settle(
	spec *v1alpha1.ProviderCredential, entry, previous *table.Credential, pass func(r *keyReading, before *table.Credential),
) *keyReading {
	for passes := 1; ; passes++ {
		reading := &keyReading{rotation: c.rotation(spec, entry, previous), shop: c.shop, names: map[string]bool{}, owners: map[string]keySource{}}
		pass(reading, previous)
		entry.Keys = reading.keys()
		same := len(entry.Keys) == 0 && len(reading.before) == 0 || reflect.DeepEqual(entry.Keys, reading.before)
		if same || passes == maxPasses {
			return reading
		}
		after := *entry
		previous = &after
	}
}

// readKeys fills in the keys of a fresh entry and returns what is wrong with them. In place of a value that cannot be a key the last good one stays, but it
// is never sent to another address: if that has changed too, readKeys returns false and the whole last good entry stays in force.
func (c credentialCompiler) readKeys(d *credentialDraft, spec *v1alpha1.ProviderCredential, fresh, previous *table.Credential) (findings []Finding, serves bool) {
	serves = true
	sources := distinct(d.sources)
	reading := c.settle(spec, fresh, previous, func(r *keyReading, _ *table.Credential) {
		r.name(sources)
		for _, source := range sources {
			if problem := r.read(source); problem != nil && problem.invalid() && d.last != nil && !sameAccount(d.last, fresh) {
				serves = false
			}
		}
	})
	d.freshKeys = reading.kept
	return reading.findings, serves
}

// name notes the names of the keys of the spec.
func (r *keyReading) name(sources []keySource) {
	for _, source := range sources {
		r.names[source.name] = true
	}
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
	var after chain
	var why ruling
	if stored.SameAs == "" || r.proved[value.Fingerprint] {
		after, why = r.next(before, value)
	} else {
		// It is tried under the other name, and until it leads there this key goes on as it was.
		after = r.invalid(before)
	}
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
	owners := r.leading()
	for i := range r.chains {
		c := &r.chains[i]
		if c.lead == nil || owners[c.lead.Fingerprint] == i {
			continue
		}
		// Another key has this value now. What was to replace it does.
		c.lead = nil
		if c.canary != nil {
			c.lead, c.canary = r.leads(chain{}, *c.canary).lead, nil
		}
	}
	taken := r.leading()
	var keys []table.Key
	for i := range r.chains {
		for _, key := range r.chains[i].keys() {
			if _, twice := taken[key.Fingerprint]; twice && key.Role != table.Leads {
				continue
			}
			taken[key.Fingerprint] = i
			keys = append(keys, key)
		}
	}
	return keys
}

// leading says which key a value leads for: the first, but one that is about to go after the others.
func (r *keyReading) leading() map[string]int {
	owners := map[string]int{}
	for i := range r.chains {
		lead := r.chains[i].lead
		if lead == nil {
			continue
		}
		if before, twice := owners[lead.Fingerprint]; !twice || lead.Until.IsZero() && !r.chains[before].lead.Until.IsZero() {
			owners[lead.Fingerprint] = i
		}
	}
	return owners
}

// keepLast makes the entry in force, with the keys that may still be used: those whose name is still in the spec and whose Secret still holds a value. There is
// none when the endpoint has been closed since.
func (c credentialCompiler) keepLast(d *credentialDraft, spec *v1alpha1.ProviderCredential, previous *table.Credential) {
	if c.check(previous.Endpoint) != nil {
		return
	}
	last := *previous
	sources := distinct(d.sources)
	reading := c.settle(spec, &last, previous, func(r *keyReading, before *table.Credential) {
		r.name(sources)
		for _, source := range sources {
			r.readInForce(source, before)
		}
	})
	d.lastKeys, d.last = reading.kept, &last
}

// readInForce decides about one key of the spec from where its value in force came from.
func (r *keyReading) readInForce(source keySource, before *table.Credential) {
	at := slices.IndexFunc(before.Keys, func(k table.Key) bool {
		return k.Role == table.Leads && k.Name == source.name && k.Kind == source.kind
	})
	if at < 0 {
		r.kept.values = append(r.kept.values, KeyValue{
			Name: source.name, Message: fmt.Sprintf("key %q is new, and what was in force before stays", source.name),
		})
		return
	}
	r.read(sourceOf(before.Keys[at]))
}
