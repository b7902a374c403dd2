// Package keyprovision has the keys of ProviderCredentials with rotation.provision made at their providers, writes them to their Secrets, and deletes those that are no
// longer needed.
//
// All that is remembered is in the Secret: which key is in it, which one was before it, and whether one may just be made. Each reconciliation does one step of it, and a
// manager that ends between any two leaves what the next one can go on from: a key is stored before anybody uses it, and a key that no Secret knows is deleted.
package keyprovision

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
	retrying "signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/proxy/table"
)

// workers bounds how many management APIs are called at a time; one that is slow holds up one of them.
const workers = 8

// Tables are the routing tables that were delivered.
type Tables interface {
	// Table returns the table of a namespace, nil if it has none.
	Table(ctx context.Context, namespace string) (*table.Table, *corev1.Secret, error)
}

// OpenFunc opens the management API of a credential's provider; what it returns beside it closes it.
type OpenFunc func(credential *v1alpha1.ProviderCredential, key string) (management.Keys, func(), error)

// Reconciler does the next step for one ProviderCredential.
type Reconciler struct {
	// Client reads ProviderCredentials from the manager's cache and Secrets from the API server, and writes both.
	Client client.Client
	// Live reads past any cache.
	Live client.Reader
	// Keys are the Secrets that are labelled as providers' keys.
	Keys client.Reader
	// Tables were delivered.
	Tables Tables
	// Open opens management APIs.
	Open OpenFunc
	// Standing is told how it stands.
	Standing *Standing
	// Events takes the warning of keys that could not be deleted.
	Events events.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
	// Attempts are what this process tried.
	Attempts *Attempts
}

// +kubebuilder:rbac:groups=signalbox.dev,resources=providercredentials,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager registers the reconciler. keys holds the Secrets that are labelled as providers' keys, managed those that the manager made, the tables among them.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, keys, managed cache.Cache) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("keyprovision").
		For(&v1alpha1.ProviderCredential{}, builder.WithPredicates(predicate.Funcs{UpdateFunc: matters})).
		WatchesRawSource(source.Kind(keys, &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(r.requestUsers))).
		WatchesRawSource(source.Kind(managed, &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(r.requestNamespace))).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: retrying.Limiter()}).
		Complete(r)
}

// matters tells whether a change of a credential can change what is to be done: its spec, its deletion, or what probes found of its keys.
func matters(changed event.UpdateEvent) bool {
	before, isCredential := changed.ObjectOld.(*v1alpha1.ProviderCredential)
	after, isStill := changed.ObjectNew.(*v1alpha1.ProviderCredential)
	if !isCredential || !isStill {
		return false
	}
	return before.Generation != after.Generation || !equality.Semantic.DeepEqual(before.Status.Keys, after.Status.Keys)
}

// requestUsers asks for the credentials whose keys are made and that use a Secret.
func (r *Reconciler) requestUsers(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
	return r.requests(ctx, secret.Namespace, func(c *v1alpha1.ProviderCredential) bool {
		return secretRef(c).Name == secret.Name || managementRef(c).Name == secret.Name
	})
}

// requestNamespace asks for the credentials of a namespace whose keys are made.
func (r *Reconciler) requestNamespace(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
	return r.requests(ctx, secret.Namespace, func(*v1alpha1.ProviderCredential) bool { return true })
}

func (r *Reconciler) requests(ctx context.Context, namespace string, wanted func(*v1alpha1.ProviderCredential) bool) []reconcile.Request {
	var credentials v1alpha1.ProviderCredentialList
	if err := r.Client.List(ctx, &credentials, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ProviderCredentials", "namespace", namespace)
		return nil
	}
	var requests []reconcile.Request
	for i := range credentials.Items {
		if provisions(&credentials.Items[i]) && wanted(&credentials.Items[i]) {
			name := types.NamespacedName{Namespace: namespace, Name: credentials.Items[i].Name}
			requests = append(requests, reconcile.Request{NamespacedName: name})
		}
	}
	return requests
}

// Reconcile does the next step.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var credential v1alpha1.ProviderCredential
	if err := r.Client.Get(ctx, request.NamespacedName, &credential); err != nil {
		r.forget(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	held := controllerutil.ContainsFinalizer(&credential, v1alpha1.FinalizerProvisionedKeys)
	deleting := !credential.DeletionTimestamp.IsZero()
	switch {
	case !provisions(&credential), deleting && !held:
		r.forget(request.NamespacedName)
		return reconcile.Result{}, r.release(ctx, &credential)
	case !held:
		return reconcile.Result{RequeueAfter: retrying.Soon}, r.hold(ctx, &credential)
	}
	result, err := r.advance(ctx, &credential)
	if problem, known := problemOf(err); known {
		return r.fail(ctx, &credential, problem)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("making keys for ProviderCredential %s: %w", request, err)
	}
	return result, nil
}

// advance does the next step, without a call to the provider where there is none to do.
func (r *Reconciler) advance(ctx context.Context, credential *v1alpha1.ProviderCredential) (reconcile.Result, error) {
	key, err := r.managementKey(ctx, credential)
	if err != nil {
		return reconcile.Result{}, err
	}
	if pause := r.Attempts.pause(credential, key, r.Clock.Now()); pause > 0 {
		return reconcile.Result{RequeueAfter: r.inTime(credential, pause)}, r.giveUpLate(ctx, credential)
	}
	in, err := r.gather(ctx, credential)
	if err != nil {
		return reconcile.Result{}, err
	}
	var lately bool
	if in.listed, lately = r.Attempts.listedLately(credential, in.now); lately {
		if planned := makePlan(*in); planned.action == wait && !planned.relist {
			return r.rest(credential, in, planned), nil
		}
	}
	return r.act(ctx, credential, key)
}

// act lists our keys at the provider, plans, and applies one step.
func (r *Reconciler) act(ctx context.Context, credential *v1alpha1.ProviderCredential, key string) (reconcile.Result, error) {
	keys, closing, err := r.Open(credential, key)
	if errors.Is(err, errUnknownYet) {
		return reconcile.Result{RequeueAfter: time.Second}, nil
	}
	if err != nil {
		return reconcile.Result{}, &problem{text: err.Error()}
	}
	defer closing()
	listed, err := r.list(ctx, keys, prefix(credential))
	if err != nil {
		return reconcile.Result{}, err
	}
	r.Attempts.listed(credential, listed, key, r.Clock.Now())
	// The Secret is read again after the list: what is in the list and not in this Secret cannot be stored any more.
	in, err := r.gather(ctx, credential)
	if err != nil {
		return reconcile.Result{}, err
	}
	in.listed = listed
	planned := makePlan(*in)
	if planned.action == wait {
		return r.rest(credential, in, planned), nil
	}
	r.Attempts.listAgain(credential)
	err = r.apply(ctx, work{credential: credential, in: in, keys: keys}, planned)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return reconcile.Result{RequeueAfter: retrying.Soon}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	r.Attempts.worked(credential)
	r.tell(credential, in, planned)
	r.tellLost(ctx, credential, in, planned)
	return reconcile.Result{RequeueAfter: retrying.Soon}, nil
}

// rest ends a reconciliation in which there is nothing to do.
func (r *Reconciler) rest(credential *v1alpha1.ProviderCredential, in *input, planned step) reconcile.Result {
	r.Attempts.worked(credential)
	r.tell(credential, in, planned)
	return reconcile.Result{RequeueAfter: max(planned.after, time.Second)}
}

// hold keeps a credential from going before its keys are deleted.
func (r *Reconciler) hold(ctx context.Context, credential *v1alpha1.ProviderCredential) error {
	held := credential.DeepCopy()
	controllerutil.AddFinalizer(held, v1alpha1.FinalizerProvisionedKeys)
	if err := r.patchCredential(ctx, credential, held); err != nil {
		return err
	}
	r.Attempts.held(credential)
	return nil
}

// release lets a credential go.
func (r *Reconciler) release(ctx context.Context, credential *v1alpha1.ProviderCredential) error {
	released := credential.DeepCopy()
	if !controllerutil.RemoveFinalizer(released, v1alpha1.FinalizerProvisionedKeys) {
		return nil
	}
	return r.patchCredential(ctx, credential, released)
}

func (r *Reconciler) patchCredential(ctx context.Context, before, after *v1alpha1.ProviderCredential) error {
	err := r.Client.Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("writing the finalizers of ProviderCredential %s/%s: %w", before.Namespace, before.Name, err)
	}
	return nil
}

func (r *Reconciler) forget(name types.NamespacedName) {
	r.Standing.forget(name)
	r.Attempts.forget(name)
}

// provisions tells whether the keys of a credential are made.
func provisions(credential *v1alpha1.ProviderCredential) bool {
	provision := credential.Spec.Rotation.Provision
	return provision != nil && len(credential.Spec.Auth.Keys) == 1 && (provision.OpenRouter != nil) != (provision.OpenAI != nil)
}

// secretRef is where the key is written.
func secretRef(credential *v1alpha1.ProviderCredential) v1alpha1.SecretKeyReference {
	return credential.Spec.Auth.Keys[0].SecretKeyRef
}

// managementRef is where the management key is.
func managementRef(credential *v1alpha1.ProviderCredential) v1alpha1.SecretKeyReference {
	if openRouter := credential.Spec.Rotation.Provision.OpenRouter; openRouter != nil {
		return openRouter.ManagementKeyRef
	}
	return credential.Spec.Rotation.Provision.OpenAI.AdminKeyRef
}
