package kubernetes

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"signalbox.dev/signalbox/proxy/ledger"
)

// watchBackoff returns the waits between attempts to watch while the API server is away: short enough for a replica to know what the others spent soon
// after it is back. It goes on for ever at its cap.
func watchBackoff() *wait.Backoff {
	return &wait.Backoff{Duration: 250 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 16, Cap: 5 * time.Second}
}

// Watch implements ledger.Store.
func (s *Store) Watch(ctx context.Context, name string, seen func(ledger.Stored)) {
	defer s.forget(name)
	selector := fields.OneTermEqualSelector("metadata.name", name).String()
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector
			return s.maps.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = selector
			return s.maps.Watch(ctx, options)
		},
	}
	log := s.log.With("ledger", name)
	logger := logr.FromSlogHandler(log.Handler())
	sink := &sink{take: func(object *corev1.ConfigMap) {
		stored, err := s.take(object)
		if err != nil {
			log.WarnContext(ctx, "ledger cannot be read", "error", err)
			return
		}
		seen(stored)
	}}
	reflector := cache.NewReflectorWithOptions(source, &corev1.ConfigMap{}, sink, cache.ReflectorOptions{
		Logger: &logger, Name: "ledger", Backoff: watchBackoff(),
	})
	reflector.RunWithContext(klog.NewContext(ctx, logger))
}

// sink hands each version of the one object that is watched to take. A deleted ledger changes nothing: what was counted in it stays known until there
// is another one.
type sink struct {
	take func(*corev1.ConfigMap)
}

// Add implements cache.ReflectorStore.
func (s *sink) Add(object any) error {
	if object, ok := object.(*corev1.ConfigMap); ok {
		s.take(object)
	}
	return nil
}

// Update implements cache.ReflectorStore.
func (s *sink) Update(object any) error {
	return s.Add(object)
}

// Delete implements cache.ReflectorStore.
func (s *sink) Delete(any) error {
	return nil
}

// Replace implements cache.ReflectorStore.
func (s *sink) Replace(objects []any, _ string) error {
	for _, object := range objects {
		if err := s.Add(object); err != nil {
			return err
		}
	}
	return nil
}

// Resync implements cache.ReflectorStore.
func (s *sink) Resync() error {
	return nil
}
