// Package providercredential writes the status of ProviderCredentials: whether the Secret with the key can be read, whether the provider takes the key
// and whether it answers. Providers are asked with free calls only, outside the controller's workers, so that a slow one delays nobody.
package providercredential

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	workers = 4
	// retryFacts is when to look again whether the API server's addresses are known.
	retryFacts = time.Second
	// crowded is when to try again to start a probe while too many are running.
	crowded = time.Second
)

// Facts tell what is known of the API server; ok is false before it first answered.
type Facts interface {
	Facts() (facts apiserver.Facts, ok bool)
}

// Reconciler writes the status of one ProviderCredential.
type Reconciler struct {
	// Client reads the manager's cache.
	Client client.Reader
	// Lookup finds the Secrets of keys.
	Lookup *secrets.Lookup
	// Facts are about the API server.
	Facts Facts
	// Config is the platform's configuration.
	Config *platform.Config
	// Prober asks providers.
	Prober *Prober
	// Tables reads the tables in force.
	Tables *report.Reader
	// Traffic is what the proxies saw of calls.
	Traffic Traffic
	// Provisions tell how the making of keys stands; nil where none are made.
	Provisions Provisions
	// Ages takes the ages of keys for the manager's metrics; nil for none.
	Ages *Ages
	// Status writes.
	Status status.Writer
	// Clock tells the time.
	Clock clock.PassiveClock

	memories memories
	pace     status.Pace
}

// +kubebuilder:rbac:groups=signalbox.dev,resources=providercredentials,verbs=get;list;watch
// +kubebuilder:rbac:groups=signalbox.dev,resources=providercredentials/status,verbs=get;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Sources are what the reconciler watches besides the manager's cache.
type Sources struct {
	// Keys holds the Secrets that are labelled as providers' keys, Managed those that the manager made, tables among them.
	Keys, Managed cache.Cache
	// Provisions tells of changes of Reconciler.Provisions.
	Provisions source.Source
}

// SetupWithManager registers the reconciler and its prober.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, sources Sources) error {
	if err := mgr.Add(r.Prober); err != nil {
		return fmt.Errorf("adding the prober: %w", err)
	}
	if r.Ages != nil {
		if err := mgr.Add(r.Ages); err != nil {
			return fmt.Errorf("adding the metrics of keys: %w", err)
		}
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("providercredential").
		For(&v1alpha1.ProviderCredential{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Kind(sources.Keys, &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(r.requestUsers))).
		WatchesRawSource(source.Kind(sources.Managed, &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(r.requestServed))).
		WatchesRawSource(r.Prober.Source()).
		WatchesRawSource(r.Traffic.CredentialSource()).
		WatchesRawSource(sources.Provisions).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: retry.Limiter()}).
		Complete(r)
}

// Reconcile writes the status of the credential that the request names, and has its provider asked when that is due.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var credential v1alpha1.ProviderCredential
	err := r.Client.Get(ctx, request.NamespacedName, &credential)
	if apierrors.IsNotFound(err) || err == nil && !credential.DeletionTimestamp.IsZero() {
		r.Prober.Forget(request.NamespacedName)
		r.memories.forget(request.NamespacedName)
		r.pace.Forget(request.NamespacedName)
		r.Ages.forget(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("reading ProviderCredential %s: %w", request, err)
	}
	in, err := r.gather(ctx, &credential)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("reading ProviderCredential %s: %w", request, err)
	}
	if in.wait > 0 {
		return reconcile.Result{RequeueAfter: in.wait}, nil
	}
	r.refuse(request.NamespacedName, in)
	planned := makePlan(in)
	r.probe(request.NamespacedName, &planned)
	r.Ages.set(request.NamespacedName, in.keys)
	r.memories.put(request.NamespacedName, in.health)
	wait, err := r.writeStatus(ctx, in, planned.status)
	switch {
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: retry.Soon}, nil
	case err != nil:
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	return reconcile.Result{RequeueAfter: sooner(planned.next, wait)}, nil
}

// refuse tells the prober of keys on trial that the provider refuses in calls, so that they are taken out.
func (r *Reconciler) refuse(name types.NamespacedName, in *input) {
	if in.entry == nil {
		return
	}
	for i := range in.entry.Keys {
		key := &in.entry.Keys[i]
		if seen, _ := in.traffic.Key(key.Fingerprint); key.Role == table.Canary && seen.Refused > 0 {
			r.Prober.Refuse(name, in.about(key), in.now)
		}
	}
}

// probe has the planned probes made. Those that there is no room for now come a little later.
func (r *Reconciler) probe(name types.NamespacedName, planned *plan) {
	r.Prober.Retain(name, planned.subjects)
	for _, request := range planned.probes {
		if !r.Prober.Probe(name, request) {
			planned.look(crowded)
		}
	}
}

// requestUsers asks for every credential that takes a key from a Secret.
func (r *Reconciler) requestUsers(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
	return r.requestThose(ctx, secret.Namespace, func(credential *v1alpha1.ProviderCredential) bool {
		return slices.Contains(credential.Spec.Auth.SecretNames(), secret.Name)
	})
}

// requestServed asks for every credential of the namespace whose table a Secret is.
func (r *Reconciler) requestServed(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
	if secret.Name != platform.TableSecret {
		return nil
	}
	return r.requestThose(ctx, secret.Namespace, func(*v1alpha1.ProviderCredential) bool { return true })
}

func (r *Reconciler) requestThose(ctx context.Context, namespace string, wanted func(*v1alpha1.ProviderCredential) bool) []reconcile.Request {
	var credentials v1alpha1.ProviderCredentialList
	if err := r.Client.List(ctx, &credentials, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ProviderCredentials", "namespace", namespace)
		return nil
	}
	var requests []reconcile.Request
	for i := range credentials.Items {
		if wanted(&credentials.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&credentials.Items[i])})
		}
	}
	return requests
}
