package node

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlanPods(t *testing.T) {
	seen := func(name, hash string, ready bool) observed {
		return observed{ready: ready, pod: pod{Metadata: meta{Name: name, Labels: map[string]string{hashLabel: hash}}}}
	}
	deleted := seen("going", "new", true)
	deleted.pod.Metadata.DeletionTimestamp = &time.Time{}
	tests := map[string]struct {
		wanted int
		pods   []observed
		create int
		remove []string
	}{
		"none yet":                       {wanted: 2, create: 2},
		"all there":                      {wanted: 1, pods: []observed{seen("a", "new", true)}},
		"one that goes does not count":   {wanted: 1, pods: []observed{deleted}, create: 1},
		"old ones stay until new ready":  {wanted: 1, pods: []observed{seen("old", "before", true), seen("a", "new", false)}},
		"old ones go when new are ready": {wanted: 1, pods: []observed{seen("old", "before", true), seen("a", "new", true)}, remove: []string{"old"}},
		"too many":                       {wanted: 1, pods: []observed{seen("a", "new", true), seen("b", "new", true)}, remove: []string{"b"}},
		"none wanted":                    {wanted: 0, pods: []observed{seen("a", "new", true), seen("old", "before", true)}, remove: []string{"a", "old"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := planPods(tc.wanted, "new", tc.pods)
			var removed []string
			for _, p := range got.remove {
				removed = append(removed, p.Metadata.Name)
			}
			if got.create != tc.create {
				t.Errorf("create = %d, want %d", got.create, tc.create)
			}
			if diff := cmp.Diff(tc.remove, removed); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTemplateHash(t *testing.T) {
	base := template{Spec: []byte(`{"a":1}`), Metadata: meta{Labels: map[string]string{"x": "1", "y": "2"}}}
	same := template{Spec: []byte(`{"a":1}`), Metadata: meta{Labels: map[string]string{"y": "2", "x": "1"}}}
	if templateHash(base) != templateHash(same) {
		t.Error("the same template has two hashes")
	}
	other := base
	other.Metadata = meta{Labels: map[string]string{"x": "1"}}
	if templateHash(base) == templateHash(other) {
		t.Error("another label must give another hash")
	}
	other = base
	other.Spec = []byte(`{"a":2}`)
	if templateHash(base) == templateHash(other) {
		t.Error("another spec must give another hash")
	}
}
