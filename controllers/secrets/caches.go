// Package secrets reads the Secrets that Signalbox may read and no others: those that carry one of its labels are watched and kept in memory, and of a
// Secret that a ProviderCredential names but that carries no label only the metadata is fetched, to tell that the label is missing.
package secrets

import (
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// Caches are three views of the cluster's Secrets, one for each label. A label selector knows no "or", hence three. Objects that they return are shared
// and must not be changed.
type Caches struct {
	// ProviderKeys are the Secrets that hold providers' keys.
	ProviderKeys cache.Cache
	// AccessKeys are the Secrets that hold callers' access keys.
	AccessKeys cache.Cache
	// Managed are the Secrets that the manager made: the routing tables.
	Managed cache.Cache
}

// Options say how the caches reach the API server.
type Options struct {
	// HTTPClient, Mapper and Scheme are those of the manager.
	HTTPClient *http.Client
	// Mapper of kinds to resources.
	Mapper meta.RESTMapper
	// Scheme with the core kinds.
	Scheme *runtime.Scheme
	// Namespaces restrict the caches; nil means all.
	Namespaces map[string]cache.Config
}

// NewCaches returns caches that are not started yet.
func NewCaches(config *rest.Config, options Options) (*Caches, error) {
	providerKeys, err := newCache(config, options, v1alpha1.LabelProviderKey, "true")
	if err != nil {
		return nil, err
	}
	accessKeys, err := newCache(config, options, v1alpha1.LabelAccessKey, "true")
	if err != nil {
		return nil, err
	}
	managed, err := newCache(config, options, v1alpha1.LabelManagedBy, v1alpha1.ManagedByValue)
	if err != nil {
		return nil, err
	}
	return &Caches{ProviderKeys: providerKeys, AccessKeys: accessKeys, Managed: managed}, nil
}

func newCache(config *rest.Config, options Options, label, value string) (cache.Cache, error) {
	shared := true
	secrets, err := cache.New(config, cache.Options{
		HTTPClient:                  options.HTTPClient,
		Mapper:                      options.Mapper,
		Scheme:                      options.Scheme,
		DefaultNamespaces:           options.Namespaces,
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {
			Label:                 labels.SelectorFromSet(labels.Set{label: value}),
			UnsafeDisableDeepCopy: &shared,
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("creating the cache of Secrets labelled %s: %w", label, err)
	}
	return secrets, nil
}

// AddTo has a manager start and stop the caches together with its own.
func (c *Caches) AddTo(mgr manager.Manager) error {
	for _, secrets := range []cache.Cache{c.ProviderKeys, c.AccessKeys, c.Managed} {
		if err := mgr.Add(started{secrets}); err != nil {
			return fmt.Errorf("adding a cache of Secrets: %w", err)
		}
	}
	return nil
}

// started makes the manager treat a cache as one: started before the controllers, and waited for.
type started struct{ cache.Cache }

// GetCache returns the cache.
func (s started) GetCache() cache.Cache { return s.Cache }
