package keyprovision

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// Standing is how the making of keys stands, for the controller that writes the status of ProviderCredentials. It is safe for concurrent use.
type Standing struct {
	mutex      sync.Mutex
	conditions map[types.NamespacedName]metav1.Condition
	listeners  []func(types.NamespacedName)
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
func (s *Standing) Source() source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.listeners = append(s.listeners, func(name types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: name}) })
		return nil
	})
}

// set notes how it stands.
func (s *Standing) set(credential types.NamespacedName, condition metav1.Condition) {
	condition.Type = v1alpha1.ConditionProvisioned
	s.mutex.Lock()
	changed := s.conditions[credential] != condition
	s.conditions[credential] = condition
	listeners := s.listeners
	s.mutex.Unlock()
	if !changed {
		return
	}
	for _, tell := range listeners {
		tell(credential)
	}
}

// forget drops what is known of a credential.
func (s *Standing) forget(credential types.NamespacedName) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.conditions, credential)
}
