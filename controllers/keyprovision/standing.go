package keyprovision

import (
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/broadcast"
)

// Standing is how the making of keys stands, for the controller that writes the status of ProviderCredentials. It is safe for concurrent use.
type Standing struct {
	changes broadcast.Broadcaster[types.NamespacedName]

	mutex      sync.Mutex
	conditions map[types.NamespacedName]metav1.Condition
}

// NewStanding knows nothing yet.
func NewStanding() *Standing {
	return &Standing{conditions: map[types.NamespacedName]metav1.Condition{}}
}

// Provisioned is the condition of that type; ok is false while this process has not looked.
func (s *Standing) Provisioned(credential types.NamespacedName) (condition metav1.Condition, ok bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	condition, ok = s.conditions[credential]
	return condition, ok
}

// Source is a controller's source of requests for each credential of which something else is known.
func (s *Standing) Source() source.Source { return s.changes.Source(broadcast.Itself) }

// set notes how it stands.
func (s *Standing) set(credential types.NamespacedName, condition metav1.Condition) {
	condition.Type = v1alpha1.ConditionProvisioned
	s.mutex.Lock()
	changed := s.conditions[credential] != condition
	s.conditions[credential] = condition
	s.mutex.Unlock()
	if changed {
		s.changes.Send(credential)
	}
}

// forget drops what is known of a credential.
func (s *Standing) forget(credential types.NamespacedName) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.conditions, credential)
}
