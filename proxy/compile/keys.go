package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/table"
)

// maxKeyBytes bounds a key's length.
const maxKeyBytes = 8 << 10

// fingerprintDigits is the length of a key's fingerprint in hexadecimal digits.
const fingerprintDigits = 12

// maxKeyFileBytes bounds the key file of a service account.
const maxKeyFileBytes = 16 << 10

// Names of the keys that have none in the spec.
const (
	awsKeyName    = "aws"
	googleKeyName = "google"
)

// keySource is where the parts of one key are read from.
type keySource struct {
	name   string
	kind   table.KeyKind
	value  keyPart
	weight int32
	// accessKeyID and sessionToken belong to keys of AWS; sessionToken is nil without one.
	accessKeyID  keyPart
	sessionToken *keyPart
	// cloud belongs to identities that have a token service; nil for others. Those without a secret have no value, but a field.
	cloud *table.CloudIdentity
}

// keyPart is where one part of a key is read from.
type keyPart struct {
	table.SecretPlace
	// field of the spec that says so; empty when it does not any more.
	field string
}

func partOf(ref v1alpha1.SecretKeyReference, field string) keyPart {
	return keyPart{table.SecretPlace{Secret: ref.Name, Key: ref.Key}, field}
}

// keySources are the keys of a spec, in its order.
func keySources(auth v1alpha1.ProviderAuth) []keySource {
	var sources []keySource
	for i, key := range auth.Keys {
		source := keySource{name: key.Name, weight: defaultWeight, value: partOf(key.SecretKeyRef, fmt.Sprintf("spec.auth.keys[%d].secretKeyRef", i))}
		if key.Weight != nil {
			source.weight = min(max(0, *key.Weight), maxWeight)
		}
		sources = append(sources, source)
	}
	if aws := auth.AWS; aws != nil && aws.AccessKeyIDRef != nil && aws.SecretAccessKeyRef != nil {
		source := keySource{
			name: awsKeyName, kind: table.AWSKey, weight: defaultWeight, value: partOf(*aws.SecretAccessKeyRef, "spec.auth.aws.secretAccessKeyRef"),
			accessKeyID: partOf(*aws.AccessKeyIDRef, "spec.auth.aws.accessKeyIDRef"),
		}
		if aws.SessionTokenRef != nil {
			token := partOf(*aws.SessionTokenRef, "spec.auth.aws.sessionTokenRef")
			source.sessionToken = &token
		}
		sources = append(sources, source)
	}
	if source, found := cloudSource(auth); found {
		sources = append(sources, source)
	}
	if google := auth.Google; google != nil && google.ServiceAccountKeyRef != nil {
		part := partOf(*google.ServiceAccountKeyRef, "spec.auth.google.serviceAccountKeyRef")
		sources = append(sources, keySource{name: googleKeyName, kind: table.GoogleKey, weight: defaultWeight, value: part})
	}
	return sources
}

// sourceOf is where a key of a table was read from.
func sourceOf(key table.Key) keySource {
	source := keySource{name: key.Name, kind: key.Kind, weight: key.Weight, cloud: key.Cloud, value: keyPart{SecretPlace: table.SecretPlace{Secret: key.Secret, Key: key.SecretKey}}}
	if key.AWS != nil {
		source.accessKeyID = keyPart{SecretPlace: key.AWS.AccessKeyIDFrom}
		if key.AWS.SessionTokenFrom != nil {
			source.sessionToken = &keyPart{SecretPlace: *key.AWS.SessionTokenFrom}
		}
	}
	return source
}

// keyShop is where keys are read from: the labelled Secrets of the namespace.
type keyShop struct {
	namespace  string
	labelled   map[string]*corev1.Secret
	unlabelled map[string]struct{}
	// check refuses addresses that must not be called.
	check func(endpoint string) error
}

func newKeyShop(in *Input, check func(endpoint string) error) keyShop {
	shop := keyShop{
		namespace:  in.Namespace,
		labelled:   make(map[string]*corev1.Secret, len(in.ProviderKeys)),
		unlabelled: make(map[string]struct{}, len(in.UnlabelledSecrets)),
		check:      check,
	}
	for i := range in.ProviderKeys {
		shop.labelled[in.ProviderKeys[i].Name] = &in.ProviderKeys[i]
	}
	for _, name := range in.UnlabelledSecrets {
		shop.unlabelled[name] = struct{}{}
	}
	return shop
}

// keyProblem is why a key cannot be used.
type keyProblem struct {
	reason  string
	message string
	field   string
}

// invalid tells a value that cannot be a key, which leaves the last good one in use, from a key that is gone.
func (p *keyProblem) invalid() bool {
	return p.reason == v1alpha1.ReasonInvalidKey || p.reason == v1alpha1.ReasonEndpointDenied
}

// readKey reads a key with all its parts.
func (s keyShop) readKey(source keySource) (table.Key, *keyProblem) {
	switch source.kind {
	case table.AWSKey:
		return s.readAWSKey(source)
	case table.GoogleKey:
		return s.readGoogleKey(source)
	case table.AWSWebIdentity, table.AWSPodIdentity, table.GoogleWorkloadIdentity, table.AzureSecret, table.AzureWorkloadIdentity:
		return s.readCloudKey(source)
	default:
		value, problem := s.read(source.value, keyText)
		return source.key(value, value), problem
	}
}

// key is the key that a source makes; identity is what its fingerprint is of.
func (s keySource) key(value, identity string) table.Key {
	return table.Key{
		Name: s.name, Kind: s.kind, Value: value, Weight: s.weight, Fingerprint: fingerprint(identity), Secret: s.value.Secret, SecretKey: s.value.Key,
	}
}

// readAWSKey reads the parts of a key of AWS. A part that is gone says more than one that is not valid.
func (s keyShop) readAWSKey(source keySource) (table.Key, *keyProblem) {
	pair := table.AWSKeyPair{AccessKeyIDFrom: source.accessKeyID.SecretPlace}
	var value string
	var worst *keyProblem
	take := func(part keyPart, into *string) {
		text, problem := s.read(part, keyText)
		*into = text
		if problem != nil && (worst == nil || worst.invalid() && !problem.invalid()) {
			worst = problem
		}
	}
	take(source.accessKeyID, &pair.AccessKeyID)
	take(source.value, &value)
	identity := pair.AccessKeyID + ":" + value
	if source.sessionToken != nil {
		take(*source.sessionToken, &pair.SessionToken)
		pair.SessionTokenFrom = &source.sessionToken.SecretPlace
		identity += ":" + pair.SessionToken
	}
	key := source.key(value, identity)
	key.AWS = &pair
	return key, worst
}

// readGoogleKey reads the key file of a service account.
func (s keyShop) readGoogleKey(source keySource) (table.Key, *keyProblem) {
	value, problem := s.read(source.value, keyFile)
	if problem != nil {
		return table.Key{}, problem
	}
	account, err := auth.ParseServiceAccount([]byte(value))
	if err != nil {
		return table.Key{}, source.value.invalid(err.Error())
	}
	err = s.check(account.TokenURI)
	var form *endpoint.URLError
	switch {
	case errors.As(err, &form):
		return table.Key{}, source.value.invalid("has a token_uri that " + form.Problem)
	case err != nil:
		return table.Key{}, &keyProblem{
			reason:  v1alpha1.ReasonEndpointDenied,
			message: fmt.Sprintf("the token_uri of the key file in key %q of Secret %q: %s", source.value.Key, source.value.Secret, err),
			field:   source.value.field,
		}
	}
	return source.key(value, value), nil
}

// read returns what a Secret holds, as accept reads it.
func (s keyShop) read(part keyPart, accept func(stored []byte) (text, defect string)) (string, *keyProblem) {
	stored, ok := s.labelled[part.Secret]
	if !ok {
		return "", s.absent(part)
	}
	value, ok := stored.Data[part.Key]
	if !ok {
		return "", &keyProblem{
			reason:  v1alpha1.ReasonSecretKeyNotFound,
			message: fmt.Sprintf("Secret %q has no key %q", part.Secret, part.Key),
			field:   part.field,
		}
	}
	text, defect := accept(value)
	if defect != "" {
		return "", part.invalid(defect)
	}
	return text, nil
}

// invalid is the problem of a value that cannot be a key.
func (p keyPart) invalid(defect string) *keyProblem {
	return &keyProblem{
		reason:  v1alpha1.ReasonInvalidKey,
		message: fmt.Sprintf("the value of key %q in Secret %q %s", p.Key, p.Secret, defect),
		field:   p.field,
	}
}

func (s keyShop) absent(part keyPart) *keyProblem {
	if _, exists := s.unlabelled[part.Secret]; exists {
		return &keyProblem{
			reason: v1alpha1.ReasonSecretNotLabelled,
			message: fmt.Sprintf("Secret %q lacks the label that lets Signalbox read it; set it with: kubectl label secret %s -n %s %s=true",
				part.Secret, part.Secret, s.namespace, v1alpha1.LabelProviderKey),
			field: part.field,
		}
	}
	return &keyProblem{
		reason:  v1alpha1.ReasonSecretNotFound,
		message: fmt.Sprintf("Secret %q does not exist", part.Secret),
		field:   part.field,
	}
}

// keyFile returns a stored file as text, or what is wrong with it.
func keyFile(stored []byte) (text, defect string) {
	text = strings.TrimSpace(string(stored))
	switch {
	case text == "":
		return "", "is empty"
	case len(text) > maxKeyFileBytes:
		return "", fmt.Sprintf("is longer than %d bytes", maxKeyFileBytes)
	case !utf8.ValidString(text):
		return "", "is not text"
	}
	return text, ""
}

// keyText returns a stored value as a key, or what is wrong with it. One newline at the end is left off, for editors and `echo` add it; anything else
// around a key is more likely a mistake than part of it.
func keyText(stored []byte) (text, defect string) {
	text, ended := strings.CutSuffix(string(stored), "\n")
	if ended {
		text = strings.TrimSuffix(text, "\r")
	}
	switch {
	case strings.TrimSpace(text) == "":
		return "", "is empty"
	case len(text) > maxKeyBytes:
		return "", fmt.Sprintf("is longer than %d bytes", maxKeyBytes)
	case text != strings.TrimSpace(text):
		return "", "has white space around it"
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return "", fmt.Sprintf("has a byte that no key has at position %d; only printable ASCII can be sent", i+1)
		}
	}
	return text, ""
}

func fingerprint(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])[:fingerprintDigits]
}
