package compile

import (
	"cmp"
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

// KeyValue is what is known of the value that is in the Secret of one key. It never holds the value.
type KeyValue struct {
	// Name of the key.
	Name string
	// Fingerprint of the value; empty if it could not be read.
	Fingerprint string
	// FirstSeen is when the value was first seen.
	FirstSeen time.Time
	// Reason says why the value is not used: ReasonCheckingKey, ReasonKeyRejected or ReasonKeyHeld; empty for one that is.
	Reason string
	// Message says more of it, or what is wrong with the key.
	Message string
	// SameAs is the name of another key with the same value, under which it is used; empty for none.
	SameAs string
}

// KeyReport is the state of one value of a key of a credential.
type KeyReport struct {
	// Name of the key.
	Name string
	// Fingerprint of the value; empty when there is none.
	Fingerprint string
	// State of it. One that proxies leave alone is not told from others here.
	State v1alpha1.ProviderKeyState
	// Since is when a value of the table came into its role, and Until when that ends; zero where they do not apply.
	Since, Until time.Time
	// FirstSeen is when the value was first seen.
	FirstSeen time.Time
	// Reason says why a value is not used, as in KeyValue.
	Reason string
	// Message says what is wrong.
	Message string
	// SameAs is the name of another key with the same value, as in KeyValue.
	SameAs string
}

// KeyReports describes the keys of a spec as an entry of a table holds them; entry is nil for none.
func KeyReports(values []KeyValue, entry *table.Credential) []KeyReport {
	var reports []KeyReport
	if entry == nil {
		entry = &table.Credential{}
	}
	active := activeKeys(entry)
	for _, value := range values {
		reports = append(reports, value.reports(entry.Keys, active)...)
	}
	for i := range reports {
		reports[i].follow(reports)
	}
	return reports
}

// follow takes over why a value is not used that is stored as another key too: what waits there waits here.
func (r *KeyReport) follow(reports []KeyReport) {
	for i := range reports {
		if owner := &reports[i]; owner.Name == r.SameAs && owner.Fingerprint == r.Fingerprint && owner.Reason != "" {
			r.State, r.Reason = owner.State, owner.Reason
		}
	}
}

// activeKeys are the fingerprints of the values that calls are made with: the first one that leads and is not refused, or all that share the load.
func activeKeys(entry *table.Credential) map[string]bool {
	active := map[string]bool{}
	for i := range entry.Keys {
		key := &entry.Keys[i]
		if key.Role != table.Leads || key.Refused {
			continue
		}
		if entry.SharesKeys && key.Weight == 0 && len(entry.Keys) > 1 {
			continue
		}
		active[key.Fingerprint] = true
		if !entry.SharesKeys {
			return active
		}
	}
	return active
}

// reports are one line for each value of a key.
func (v KeyValue) reports(keys []table.Key, active map[string]bool) []KeyReport {
	var lines []KeyReport
	used := false
	for i := range keys {
		if keys[i].Name != v.Name {
			continue
		}
		line := describeKey(&keys[i], active)
		used = used || line.Fingerprint == v.Fingerprint
		if keys[i].Role == table.Leads && v.Fingerprint == "" && v.Message != "" {
			line.Message = v.Message + lastGoodStays(keys[i].Until)
		}
		lines = append(lines, line)
	}
	switch {
	case used:
		return lines
	case v.SameAs != "":
		line := v.line(v1alpha1.KeyStandby)
		line.SameAs = v.SameAs
		return append(lines, line)
	case v.Fingerprint != "":
		return append([]KeyReport{v.waiting()}, lines...)
	case len(lines) > 0:
		return lines
	default:
		return []KeyReport{v.line(v1alpha1.KeyMissing)}
	}
}

// lastGoodStays says what follows from a value that cannot be read.
func lastGoodStays(until time.Time) string {
	if until.IsZero() {
		return "; the last good key stays in use"
	}
	return "; the last good key stays in use until " + until.Format(time.RFC3339)
}

func (v KeyValue) line(state v1alpha1.ProviderKeyState) KeyReport {
	return KeyReport{Name: v.Name, Fingerprint: v.Fingerprint, State: state, FirstSeen: v.FirstSeen, Reason: v.Reason, Message: v.Message}
}

// waiting describes a value that is not in the table.
func (v KeyValue) waiting() KeyReport {
	if v.Reason == v1alpha1.ReasonKeyRejected {
		return v.line(v1alpha1.KeyRejected)
	}
	line := v.line(v1alpha1.KeyChecking)
	line.Reason = cmp.Or(line.Reason, v1alpha1.ReasonCheckingKey)
	line.Message = cmp.Or(line.Message, "the key is to be used, and is on its way to the proxies")
	return line
}

// describeKey describes a value that is in the table.
func describeKey(key *table.Key, active map[string]bool) KeyReport {
	line := KeyReport{
		Name: key.Name, Fingerprint: key.Fingerprint, Since: key.Since, Until: key.Until, FirstSeen: key.FirstSeen, State: v1alpha1.KeyStandby,
	}
	switch {
	case key.Role == table.Previous:
		line.State = v1alpha1.KeyPrevious
	case key.Role == table.Canary:
		line.State = v1alpha1.KeyCanary
	case key.Refused:
		line.State, line.Message = v1alpha1.KeyRejected, "the provider refused the key; it is used only while there is no other"
	case active[key.Fingerprint]:
		line.State = v1alpha1.KeyActive
	}
	return line
}
