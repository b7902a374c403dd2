package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// maxKeyBytes bounds a key's length.
const maxKeyBytes = 8 << 10

// fingerprintDigits is the length of a key's fingerprint in hexadecimal digits.
const fingerprintDigits = 12

// keyShop is where keys are read from: the labelled Secrets of the namespace.
type keyShop struct {
	namespace  string
	labelled   map[string]*corev1.Secret
	unlabelled map[string]struct{}
}

func newKeyShop(in *Input) keyShop {
	shop := keyShop{
		namespace:  in.Namespace,
		labelled:   make(map[string]*corev1.Secret, len(in.ProviderKeys)),
		unlabelled: make(map[string]struct{}, len(in.UnlabelledSecrets)),
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
}

// invalid tells a value that cannot be a key, which leaves the last good one in use, from a key that is gone.
func (p *keyProblem) invalid() bool {
	return p.reason == v1alpha1.ReasonInvalidKey
}

// read returns the key that a Secret holds.
func (s keyShop) read(secret, key string) (string, *keyProblem) {
	stored, ok := s.labelled[secret]
	if !ok {
		return "", s.absent(secret)
	}
	value, ok := stored.Data[key]
	if !ok {
		return "", &keyProblem{
			reason:  v1alpha1.ReasonSecretKeyNotFound,
			message: fmt.Sprintf("Secret %q has no key %q", secret, key),
		}
	}
	text, defect := keyText(value)
	if defect != "" {
		return "", &keyProblem{
			reason:  v1alpha1.ReasonInvalidKey,
			message: fmt.Sprintf("the value of key %q in Secret %q %s", key, secret, defect),
		}
	}
	return text, nil
}

func (s keyShop) absent(secret string) *keyProblem {
	if _, exists := s.unlabelled[secret]; exists {
		return &keyProblem{
			reason: v1alpha1.ReasonSecretNotLabelled,
			message: fmt.Sprintf("Secret %q lacks the label that lets Signalbox read it; set it with: kubectl label secret %s -n %s %s=true",
				secret, secret, s.namespace, v1alpha1.LabelProviderKey),
		}
	}
	return &keyProblem{
		reason:  v1alpha1.ReasonSecretNotFound,
		message: fmt.Sprintf("Secret %q does not exist", secret),
	}
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
