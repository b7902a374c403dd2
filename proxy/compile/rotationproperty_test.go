package compile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// history is a vault to which things happen at random, and what must hold whatever they are.
type history struct {
	*vault
	random *rand.Rand
	// said are the last words of the provider about values.
	said map[string]provider.KeyState
	// places are the Secrets of the keys, by the key's name.
	places map[string]string
	// log tells how it came to be so.
	log []string
}

func newHistory(seed uint64) *history {
	h := &history{vault: newVault(), random: rand.New(rand.NewPCG(seed, 7)), said: map[string]provider.KeyState{"a": valid}}
	h.places = map[string]string{"primary": "groq"}
	for _, name := range []string{"spare", "third"}[:1+seed%2] {
		h.places[name] = name
		h.credential.Spec.Auth.Keys = append(h.credential.Spec.Auth.Keys, v1alpha1.ProviderKey{
			Name: name, SecretKeyRef: v1alpha1.SecretKeyReference{Name: name, Key: "api-key"},
		})
	}
	h.edit()
	h.compile()
	return h
}

// edit draws another policy.
func (h *history) edit() {
	rotation := v1alpha1.KeyRotation{
		Validate: v1alpha1.ValidateByProbe, WhenUnknown: []v1alpha1.UnknownKeyPolicy{v1alpha1.UnknownLeads, v1alpha1.UnknownHolds}[h.random.IntN(2)],
		Overlap: &metav1.Duration{Duration: time.Duration(h.random.IntN(4)) * time.Minute},
	}
	if h.random.IntN(2) == 0 {
		rotation.Canary = &v1alpha1.CanaryPolicy{Percent: 1 + h.random.Int32N(50), Duration: &metav1.Duration{Duration: time.Duration(1+h.random.IntN(5)) * time.Minute}}
	}
	h.credential.Spec.Rotation = rotation
	h.credential.Generation++
}

// happen lets one thing happen.
func (h *history) happen() {
	value := string(rune('a' + h.random.IntN(6)))
	keys := h.credential.Spec.Auth.Keys
	place := keys[h.random.IntN(len(keys))].SecretKeyRef.Name
	switch h.random.IntN(12) {
	case 0, 1:
		h.log = append(h.log, place+" holds "+value)
		h.store(place, value)
	case 2:
		h.log = append(h.log, place+" is deleted")
		delete(h.secrets, place)
	case 3:
		h.log = append(h.log, place+" holds no key")
		h.store(place, " ")
	case 4:
		both := keys[h.random.IntN(len(keys))].SecretKeyRef.Name
		h.log = append(h.log, place+" and "+both+" hold "+value)
		h.store(place, value)
		h.store(both, value)
	case 5, 6, 7:
		h.judge(value)
	case 8, 9:
		h.pass()
	case 10:
		h.edit()
		h.log = append(h.log, fmt.Sprintf("the policy is %+v", h.credential.Spec.Rotation))
	default:
		h.restart()
	}
}

// judge draws what the provider says of a value, or that it has said nothing yet.
func (h *history) judge(value string) {
	state := []provider.KeyState{valid, invalid, unknown, ""}[h.random.IntN(4)]
	switch {
	case state == "" && !h.inUse(value):
		h.log = append(h.log, "nothing is known of "+value)
		delete(h.verdicts, printOf(value))
		delete(h.said, value)
	case state == "", state == unknown && h.said[value] != "":
		// What cannot be told now takes nothing back, as the manager's memory has it.
	default:
		h.log = append(h.log, fmt.Sprintf("%s is %s", value, state))
		h.said[value] = state
		h.verdict(value, state)
	}
}

// pass lets time pass, or sets the clock back.
func (h *history) pass() {
	step := time.Duration(h.random.IntN(300_000)) * time.Millisecond
	if h.random.IntN(8) == 0 {
		step = -time.Hour
	}
	h.log = append(h.log, fmt.Sprintf("%s pass", step))
	h.later(step)
}

// restart makes the manager forget all but what it is told again.
func (h *history) restart() {
	h.log = append(h.log, "the manager is restarted")
	clear(h.verdicts)
	for known, state := range h.said {
		if h.random.IntN(2) == 0 {
			h.verdict(known, state)
		}
	}
}

// inUse tells whether a value is in the table.
func (h *history) inUse(value string) bool {
	return slices.ContainsFunc(h.entry().Keys, func(k table.Key) bool { return k.Value == value })
}

// leading are the values that lead in a table, by the key's name.
func leading(t *table.Table) map[string]table.Key {
	leads := map[string]table.Key{}
	for i := range t.Credentials {
		for _, key := range t.Credentials[i].Keys {
			if key.Role == table.Leads {
				leads[key.Name] = key
			}
		}
	}
	return leads
}

// check compiles and returns what is wrong; empty for nothing.
func (h *history) check() string {
	before := leading(h.previous)
	ledBefore := map[string]bool{}
	for _, key := range before {
		ledBefore[key.Value] = true
	}
	h.compile()
	again := compile.Compile(h.input())
	if again.Table.Revision != h.result.Table.Revision {
		return fmt.Sprintf("compiled again it is another table: %v", again.Table.Credentials[0].Keys)
	}
	if wrong := h.checkValues(ledBefore); wrong != "" {
		return wrong
	}
	return h.checkStay(before)
}

// checkValues looks at each value of the table, given those that led before.
func (h *history) checkValues(ledBefore map[string]bool) string {
	seen := map[string]bool{}
	previous := map[string]int{}
	for _, key := range h.entry().Keys {
		wrong := h.wrongUse(&key, ledBefore[key.Value])
		switch {
		case seen[key.Value]:
			return fmt.Sprintf("%q is there twice", key.Value)
		case wrong != "":
			return fmt.Sprintf("%q %s", key.Value, wrong)
		}
		seen[key.Value] = true
		if key.Role == table.Previous {
			previous[key.Name]++
		}
		if previous[key.Name] > 4 {
			return "there are too many earlier values"
		}
	}
	return ""
}

// wrongUse is what is wrong with the role that a value has; led tells that it led before.
func (h *history) wrongUse(key *table.Key, led bool) string {
	earlier := key.Role == table.Previous
	switch {
	case h.over(key):
		return "is there after its time"
	case key.Role == table.Leads && !led && h.verdicts[printOf(key.Value)].State == invalid:
		return "leads, and was refused"
	case !earlier && !led && h.said[key.Value] == "":
		return "is used, and nobody was asked about it"
	case earlier && key.Until.IsZero():
		return "is previous for ever"
	case earlier && key.Until.After(h.now.Add(h.credential.Spec.Rotation.Overlap.Duration+time.Second)):
		return "is previous for longer than the overlap"
	default:
		return ""
	}
}

// checkStay looks for values that led before and are gone too soon.
func (h *history) checkStay(before map[string]table.Key) string {
	seen := map[string]bool{}
	for _, key := range h.entry().Keys {
		seen[key.Value] = true
	}
	leads := leading(&h.result.Table)
	for name, place := range h.places {
		stored, there := h.secrets[place]
		old, led := before[name]
		_, leadsNow := leads[name]
		// Without an overlap a value goes when the one that took its place leads, under whatever name.
		if led && there && !leadsNow && !seen[old.Value] && !seen[string(stored.Data["api-key"])] && !h.over(&old) {
			return fmt.Sprintf("%q led as %s and is gone, though the Secret has %q", old.Value, name, stored.Data["api-key"])
		}
	}
	return ""
}

func (h *history) over(key *table.Key) bool { return !key.Until.IsZero() && !h.now.Before(key.Until) }

func TestRotationHolds(t *testing.T) {
	for seed := range uint64(40) {
		h := newHistory(seed)
		for range 60 {
			h.happen()
			if wrong := h.check(); wrong != "" {
				t.Fatalf("seed %d: %s; the table has %q after %q", seed, wrong, h.keys(), h.log)
			}
		}
	}
}
