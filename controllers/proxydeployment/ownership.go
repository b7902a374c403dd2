package proxydeployment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// annotationApplied holds the hash of what was applied last. A field that is no longer wanted shows in it.
const annotationApplied = "signalbox.dev/applied"

// hashDigits is the length of that hash in hexadecimal digits.
const hashDigits = 16

// wantedParts names the table's Secret and every object that a proxy is made of.
func wantedParts(s settings) []part {
	parts := []part{tablePart()}
	for _, wanted := range objects(s) {
		parts = append(parts, partOf(wanted))
	}
	return parts
}

func partOf(of object) part {
	return part{of.GetObjectKind().GroupVersionKind(), of.GetName()}
}

// document turns an object into what is applied: without status, and with the hash of all the rest.
func document(of object) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(of)
	if err != nil {
		return nil, fmt.Errorf("converting %s: %w", partOf(of), err)
	}
	delete(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	plain, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", partOf(of), err)
	}
	built := &unstructured.Unstructured{Object: content}
	hash := sha256.Sum256(plain)
	annotations := built.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationApplied] = hex.EncodeToString(hash[:])[:hashDigits]
	built.SetAnnotations(annotations)
	return built, nil
}

// inForce tells whether an object needs no apply: it was applied last from the same document, and nobody changed a field of it since.
func inForce(wanted *unstructured.Unstructured, existing object) (bool, error) {
	if existing == nil || existing.GetAnnotations()[annotationApplied] != wanted.GetAnnotations()[annotationApplied] {
		return false, nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(existing)
	if err != nil {
		return false, fmt.Errorf("converting %s: %w", wanted.GetName(), err)
	}
	spec := wanted.DeepCopy()
	// Objects that come from a typed cache do not carry their kind.
	unstructured.RemoveNestedField(spec.Object, "apiVersion")
	unstructured.RemoveNestedField(spec.Object, "kind")
	return covers(spec.Object, content), nil
}

// covers tells whether everything that is wanted is there. What the API server added by defaulting does not matter.
func covers(wanted, existing any) bool {
	switch wanted := wanted.(type) {
	case map[string]any:
		present, ok := existing.(map[string]any)
		if !ok {
			return len(wanted) == 0 && existing == nil
		}
		for key, value := range wanted {
			if !covers(value, present[key]) {
				return false
			}
		}
		return true
	case []any:
		present, _ := existing.([]any)
		if len(present) != len(wanted) {
			return false
		}
		for i := range wanted {
			if !covers(wanted[i], present[i]) {
				return false
			}
		}
		return true
	default:
		return wanted == existing
	}
}

// ownsReplicas tells whether the number of replicas of a Deployment is a field that was applied by us. Leaving it out of an apply would then set it back
// to the default, 1.
func ownsReplicas(deployment object) bool {
	return slices.ContainsFunc(deployment.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == FieldOwner && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" &&
			entry.FieldsV1 != nil && bytes.Contains(entry.FieldsV1.GetRawBytes(), []byte(`"f:replicas"`))
	})
}
