package manifest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apimachineryvalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxSecretBytes is what the API server lets the values of a Secret have together.
const maxSecretBytes = corev1.MaxSecretSize

// addSecret reads a Secret by hand: errors of a decoder can quote what it read.
func (l *loader) addSecret(o *object) {
	if !l.identify(o) {
		return
	}
	fail := func(path, message string) { l.report(o, Error, path, message) }
	for _, name := range slices.Sorted(maps.Keys(o.content)) {
		if !slices.Contains([]string{"apiVersion", "kind", "metadata", "data", "stringData", "type", "immutable"}, name) {
			fail(name, fmt.Sprintf("unknown field %q", name))
		}
	}
	l.reportAll(o, apimachineryvalidation.ValidateObjectMeta(&o.meta, true, apimachineryvalidation.NameIsDNSSubdomain, field.NewPath("metadata")))
	secret := corev1.Secret{ObjectMeta: o.meta, Type: corev1.SecretTypeOpaque, Data: map[string][]byte{}}
	size := 0
	take := func(path, key string, value []byte) {
		for _, problem := range validation.IsConfigMapKey(key) {
			fail(path+"["+key+"]", problem)
		}
		size += len(value)
		secret.Data[key] = value
	}
	eachText(o.content, "data", fail, func(key, text string) {
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			fail("data["+key+"]", "it is not base64; write plain text under stringData instead")
			return
		}
		take("data", key, value)
	})
	eachText(o.content, "stringData", fail, func(key, text string) { take("stringData", key, []byte(text)) })
	if size > maxSecretBytes {
		fail("data", fmt.Sprintf("Too long: may not be more than %d bytes", maxSecretBytes))
	}
	if !o.defective {
		l.set.Secrets = append(l.set.Secrets, secret)
	}
}

// eachText calls take with the entries of a map of texts, in the order of their keys.
func eachText(content map[string]any, name string, fail func(path, message string), take func(key, text string)) {
	if content[name] == nil {
		return
	}
	entries, isMap := content[name].(map[string]any)
	if !isMap {
		fail(name, "it must be a map of keys to texts")
		return
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		text, isText := entries[key].(string)
		if !isText {
			fail(name+"["+key+"]", "it must be a text; put it in quotes")
			continue
		}
		take(key, text)
	}
}
