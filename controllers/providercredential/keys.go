package providercredential

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// maxKeys is how many values the API has room for in a status. All that the keys of a spec can lead with, try and wait for fit; of the earlier ones there can
// be more.
const maxKeys = 64

// keyStatuses lists the values of the keys of the spec and their states.
func (in *input) keyStatuses() []v1alpha1.ProviderKeyStatus {
	var keys []v1alpha1.ProviderKeyStatus
	for _, found := range shown(in.keys) {
		keys = append(keys, in.keyStatus(found))
	}
	return keys
}

// shown are the values that a status has room for. The earlier ones that end first are left out first.
func shown(keys []compile.KeyReport) []compile.KeyReport {
	for len(keys) > maxKeys {
		first := -1
		for i := range keys {
			if keys[i].State == v1alpha1.KeyPrevious && (first < 0 || keys[i].Until.Before(keys[first].Until)) {
				first = i
			}
		}
		if first < 0 {
			return keys[:maxKeys]
		}
		keys = slices.Concat(keys[:first], keys[first+1:])
	}
	return keys
}

func (in *input) keyStatus(found compile.KeyReport) v1alpha1.ProviderKeyStatus {
	key := v1alpha1.ProviderKeyStatus{
		Name: found.Name, Fingerprint: found.Fingerprint, State: found.State, Message: found.Message,
		Until: moment(found.Until), FirstSeen: moment(found.FirstSeen),
	}
	standing := in.outcomes[found.Fingerprint].Standing
	switch {
	case found.State == v1alpha1.KeyRejected && found.Reason == "" && standing.State == provider.KeyInvalid:
		key.Message = standing.Message + "; the key is used only while there is no other"
	case found.State == v1alpha1.KeyActive || found.State == v1alpha1.KeyStandby:
		if why := in.leftAlone(found.Fingerprint); why != "" {
			key.State, key.Message = v1alpha1.KeyCoolingDown, why
		}
	}
	key.Message = bound(key.Message)
	key.Since = in.since(key, found.Since)
	return key
}

// moment is a time of a table in a status.
func moment(t time.Time) metav1.Time {
	if t.IsZero() {
		return metav1.Time{}
	}
	return metav1.NewTime(t)
}

// leftAlone says why all proxies that know anything of a key make no calls with it; empty if one does.
func (in *input) leftAlone(fingerprint string) string {
	seen, _ := in.traffic.Key(fingerprint)
	if blocked := seen.Refused + seen.Exhausted + seen.Limited; blocked == 0 || blocked < seen.Proxies {
		return ""
	}
	switch {
	case seen.Refused > 0:
		return "the provider refuses the key in calls; it is tried again after a while"
	case seen.Exhausted > 0:
		return "the quota or credit of the key is used up; it is tried again after a while"
	default:
		return "the key's rate limit is reached; it is tried again after a while"
	}
}

// since is when a value came into its state: when the table says, or for what the table does not tell when the status first said so.
func (in *input) since(key v1alpha1.ProviderKeyStatus, role time.Time) metav1.Time {
	now := metav1.NewTime(in.now.Truncate(time.Second))
	for _, old := range in.credential.Status.Keys {
		if old.Name != key.Name || old.Fingerprint != key.Fingerprint {
			continue
		}
		if old.State == key.State {
			return old.Since
		}
		if leads(old.State) && leads(key.State) {
			return now
		}
	}
	if role.IsZero() {
		return now
	}
	return metav1.NewTime(role)
}

// leads tells whether a state is one of a value that leads.
func leads(state v1alpha1.ProviderKeyState) bool {
	switch state {
	case v1alpha1.KeyActive, v1alpha1.KeyStandby, v1alpha1.KeyCoolingDown, v1alpha1.KeyRejected:
		return true
	default:
		return false
	}
}

// usableKeys counts the keys of the spec that calls can be made with.
func (in *input) usableKeys() string {
	if len(in.report.Values) == 0 {
		return ""
	}
	usable := map[string]bool{}
	for _, key := range in.keys {
		if (key.State == v1alpha1.KeyActive || key.State == v1alpha1.KeyStandby) && key.Reason == "" && in.leftAlone(key.Fingerprint) == "" {
			usable[key.Name] = true
		}
	}
	return fmt.Sprintf("%d/%d", len(usable), len(in.report.Values))
}

// tried are the keys whose word counts for KeyValid: those that lead, or, if none does, those that wait to.
func (in *input) tried() []*table.Key {
	var keys []*table.Key
	for i := range in.entry.Keys {
		if in.entry.Keys[i].Role == table.Leads {
			keys = append(keys, &in.entry.Keys[i])
		}
	}
	if len(keys) > 0 {
		return keys
	}
	for i := range in.waiting {
		keys = append(keys, &in.waiting[i])
	}
	return keys
}

// keyValid tells whether the provider takes a key that calls can be made with. It is false only if it takes none.
func (in *input) keyValid() metav1.Condition {
	kind := v1alpha1.ConditionKeyValid
	if in.entry != nil && in.entry.Keyless {
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonNoKeyNeeded, Message: "the endpoint takes no key"}
	}
	if !in.usable() {
		return in.unknown(kind)
	}
	tried := in.tried()
	taken, refused := 0, 0
	for _, key := range tried {
		outcome := in.outcome(in.about(key))
		switch {
		case outcome == nil:
		case outcome.Verdict.Key == provider.KeyValid:
			taken++
		case outcome.Verdict.Key == provider.KeyInvalid:
			refused++
		}
	}
	front := in.current()
	switch {
	case taken > 0:
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonKeyAccepted, Message: accepted(taken, len(tried)) + in.refusals()}
	case refused == len(tried):
		return metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonKeyRejected, Message: cmp.Or(front.Message, "the provider refused the key")}
	case front == nil:
		return in.unknown(kind)
	case front.Result == NotPermitted:
		return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonProbeNotPermitted, Message: front.Message}
	default:
		return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonProbeInconclusive, Message: front.Message}
	}
}

func accepted(taken, all int) string {
	if all == 1 {
		return "the provider took the key"
	}
	return fmt.Sprintf("the provider took %d of the %d keys in use", taken, all)
}

// refusals tells of the values that the provider refuses; empty for none.
func (in *input) refusals() string {
	text := ""
	for _, key := range in.keyStatuses() {
		if key.State == v1alpha1.KeyRejected {
			text += fmt.Sprintf("; key %q with fingerprint %s is refused: %s", key.Name, key.Fingerprint, key.Message)
		}
	}
	return text
}
