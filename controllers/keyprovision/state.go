package keyprovision

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

// ref is a key that was made at the provider. A zero ID is a key that somebody else made.
type ref struct {
	id, fingerprint string
	at              time.Time
}

// intent is that a key of this name may just be made, since a time.
type intent struct {
	name  string
	since time.Time
}

// retry is how often in a row a new key was refused, and when the next one may be made.
type retry struct {
	failures int
	after    time.Time
}

// state is all that is remembered of the keys that were made. It is written as a whole, together with the keys, or not at all.
type state struct {
	// owner is the UID of the credential that it speaks of; empty if nothing was ever made.
	owner string
	// current is the key in the Secret, as it was written.
	current ref
	// retiring is the key before it; nil if there is none.
	retiring *ref
	// retiringAfter is when that one may be deleted at the earliest.
	retiringAfter time.Time
	// intent is nil while no key is made.
	intent *intent
	retry  retry
}

// content is the Secret.
type content struct {
	// object is nil if there is no Secret.
	object *corev1.Secret
	// value is the key in it, previous the one before; empty for none.
	value, previous string
	state           state
}

// readContent reads a Secret. An annotation that somebody spoilt counts as not there.
func readContent(secret *corev1.Secret, key string) content {
	if secret == nil {
		return content{}
	}
	return content{
		object: secret,
		value:  string(secret.Data[key]), previous: string(secret.Data[key+v1alpha1.PreviousKeySuffix]),
		state: readState(secret.Annotations),
	}
}

func readState(from map[string]string) state {
	s := state{owner: from[v1alpha1.AnnotationProvisionedFor], current: ref{
		id: readID(from[v1alpha1.AnnotationProvisionedID]), fingerprint: readFingerprint(from[v1alpha1.AnnotationProvisionedFingerprint]),
		at: readTime(from[v1alpha1.AnnotationProvisionedAt]),
	}}
	s.retiringAfter = readTime(from[v1alpha1.AnnotationRetiringAfter])
	if !s.retiringAfter.IsZero() || readID(from[v1alpha1.AnnotationRetiringID]) != "" {
		s.retiring = &ref{
			id: readID(from[v1alpha1.AnnotationRetiringID]), fingerprint: readFingerprint(from[v1alpha1.AnnotationRetiringFingerprint]),
			at: readTime(from[v1alpha1.AnnotationRetiringAt]),
		}
	}
	if name, since, ok := strings.Cut(from[v1alpha1.AnnotationProvisionIntent], " "); ok {
		s.intent = &intent{name: name, since: readTime(since)}
	}
	if count, after, ok := strings.Cut(from[v1alpha1.AnnotationProvisionRetry], " "); ok {
		if failures, err := strconv.Atoi(count); err == nil && failures > 0 {
			s.retry = retry{failures: failures, after: readTime(after)}
		}
	}
	return s
}

func readID(text string) string {
	if !management.IsID(text) {
		return ""
	}
	return text
}

func readFingerprint(text string) string {
	if part, err := hex.DecodeString(text); err != nil || len(part) != shown || text != strings.ToLower(text) {
		return ""
	}
	return text
}

func readTime(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// annotations are the state as it is stored; "" takes one away.
func (s state) annotations() map[string]string {
	written := map[string]string{
		v1alpha1.AnnotationProvisionedFor:         s.owner,
		v1alpha1.AnnotationProvisionedID:          s.current.id,
		v1alpha1.AnnotationProvisionedAt:          writeTime(s.current.at),
		v1alpha1.AnnotationProvisionedFingerprint: s.current.fingerprint,
		v1alpha1.AnnotationRetiringID:             "", v1alpha1.AnnotationRetiringAt: "",
		v1alpha1.AnnotationRetiringFingerprint: "", v1alpha1.AnnotationRetiringAfter: "",
		v1alpha1.AnnotationProvisionIntent: "", v1alpha1.AnnotationProvisionRetry: "",
	}
	if s.retiring != nil {
		written[v1alpha1.AnnotationRetiringID] = s.retiring.id
		written[v1alpha1.AnnotationRetiringAt] = writeTime(s.retiring.at)
		written[v1alpha1.AnnotationRetiringFingerprint] = s.retiring.fingerprint
		written[v1alpha1.AnnotationRetiringAfter] = writeTime(s.retiringAfter)
	}
	if s.intent != nil {
		written[v1alpha1.AnnotationProvisionIntent] = s.intent.name + " " + writeTime(s.intent.since)
	}
	if s.retry.failures > 0 {
		written[v1alpha1.AnnotationProvisionRetry] = strconv.Itoa(s.retry.failures) + " " + writeTime(s.retry.after)
	}
	return written
}

func writeTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// write puts keys and state into a Secret.
func (c content) write(secret *corev1.Secret, key string) {
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	for name, value := range map[string]string{key: c.value, key + v1alpha1.PreviousKeySuffix: c.previous} {
		if value == "" {
			delete(secret.Data, name)
		} else {
			secret.Data[name] = []byte(value)
		}
	}
	for name, value := range c.state.annotations() {
		if value == "" {
			delete(secret.Annotations, name)
		} else {
			secret.Annotations[name] = value
		}
	}
}

// references tells whether a key at the provider is one that the Secret knows.
func (s state) references(id string) bool {
	return id != "" && (s.current.id == id || s.retiring != nil && s.retiring.id == id)
}

// refs are the keys that a Secret knows and that were made.
func (s state) refs() []ref {
	known := []ref{s.current}
	if s.retiring != nil {
		known = append(known, *s.retiring)
	}
	return slices.DeleteFunc(known, func(r ref) bool { return r.id == "" })
}

// shown is how many bytes of a hash are its fingerprint.
const shown = 6

// fingerprint is that of a key in the Secret, as the status shows it; empty for none.
func fingerprint(value string) string {
	value = strings.TrimSuffix(value, "\n")
	if value == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:shown])
}
