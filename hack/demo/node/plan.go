package node

import (
	"crypto/sha256"
	"encoding/hex"
)

// hashLabel tells of which template a pod was made.
const hashLabel = "pod-template-hash"

// observed is a pod and whether it is ready.
type observed struct {
	pod   pod
	ready bool
}

// change is what brings a deployment's pods to what is wanted.
type change struct {
	create int
	remove []pod
}

// templateHash names a template by its content.
func templateHash(t template) string {
	hash := sha256.New()
	hash.Write(t.Spec)
	for _, part := range []map[string]string{t.Metadata.Labels, t.Metadata.Annotations} {
		hash.Write(encode(part))
	}
	return hex.EncodeToString(hash.Sum(nil))[:10]
}

// planPods compares a deployment with its pods. Pods of an older template go once the new ones are ready, and not before.
func planPods(wanted int, hash string, pods []observed) change {
	var next change
	var current, older []pod
	ready := 0
	for _, seen := range pods {
		switch {
		case seen.pod.Metadata.DeletionTimestamp != nil:
		case seen.pod.Metadata.Labels[hashLabel] != hash:
			older = append(older, seen.pod)
		default:
			current = append(current, seen.pod)
			if seen.ready {
				ready++
			}
		}
	}
	next.create = max(0, wanted-len(current))
	if len(current) > wanted {
		next.remove = append(next.remove, current[wanted:]...)
	}
	if ready >= wanted {
		next.remove = append(next.remove, older...)
	}
	return next
}
