// Package modelroute writes the status of ModelRoutes. It compiles nothing itself: what became of a route is in the report beside the namespace's table,
// what the proxies serve and how their calls go is known by the fleet, and how the providers are is in the status of the ProviderCredentials.
package modelroute

import (
	"context"
	"fmt"
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
	"signalbox.dev/signalbox/controllers/broadcast"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/controllers/status"
)

const (
	// workers is how many routes are worked on at a time; most of them have nothing to write.
	workers = 4
	// recheckBlocked is when to look again whether a foreign object still keeps the table from being delivered.
	recheckBlocked = 30 * time.Second
	// unsettled is when to look again whether the proxies were heard after the manager's start. That they were heard asks for a look, too.
	unsettled = 100 * time.Millisecond
	// driftInterval is the shortest time between two writes of numbers that drift.
	driftInterval = 5 * time.Second
)

// Reports read the reports of namespaces.
type Reports interface {
	// View returns nil for a namespace without table.
	View(ctx context.Context, namespace string) (*report.View, error)
}

// Fleet knows what the proxies serve.
type Fleet interface {
	// Acknowledged counts the ready proxies of a namespace and those of them whose table is older than the sequence since.
	Acknowledged(namespace string, since int64) (ready, behind int)
	// Settled tells whether that can be relied on, which it cannot just after the manager's start.
	Settled(namespace string) bool
	// Traffic is what the ready proxies know of a route's targets.
	Traffic(namespace, route string) []fleet.Traffic
	// RouteSource is a source of requests for routes whose traffic changed.
	RouteSource() source.Source
}

// Reconciler writes the status of one ModelRoute.
type Reconciler struct {
	// Client reads the manager's cache.
	Client client.Reader
	// Live reads metadata past the cache.
	Live client.Reader
	// Reports say what became of the spec.
	Reports Reports
	// Fleet says what is served.
	Fleet Fleet
	// Status writes.
	Status status.Writer
	// Clock tells the time.
	Clock clock.PassiveClock
	// Config says whether the proxies speak TLS alone.
	Config *platform.Config

	// pace is that of all writes, turns that of those for a target that turned.
	pace, turns status.Pace
}

// +kubebuilder:rbac:groups=signalbox.dev,resources=modelroutes;providercredentials,verbs=get;list;watch
// +kubebuilder:rbac:groups=signalbox.dev,resources=modelroutes/status,verbs=get;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager registers the reconciler. tables holds the Secrets that the manager made.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, tables cache.Cache, namespaces broadcast.Source[string]) error {
	toRoutes := func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.requestNamespace(ctx, object.GetNamespace())
	}
	tableChanged := handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
		return toRoutes(ctx, secret)
	})
	isTable := predicate.NewTypedPredicateFuncs(func(secret *corev1.Secret) bool { return secret.Name == platform.TableSecret })
	return ctrl.NewControllerManagedBy(mgr).
		Named("modelroute").
		For(&v1alpha1.ModelRoute{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.ProviderCredential{}, handler.EnqueueRequestsFromMapFunc(r.requestUsers)).
		WatchesRawSource(source.Kind(tables, &corev1.Secret{}, tableChanged, isTable)).
		WatchesRawSource(namespaces(r.requestNamespace)).
		WatchesRawSource(r.Fleet.RouteSource()).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: retry.Limiter()}).
		Complete(r)
}

// Reconcile writes the status of the route that the request names.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var route v1alpha1.ModelRoute
	err := r.Client.Get(ctx, request.NamespacedName, &route)
	if apierrors.IsNotFound(err) {
		r.pace.Forget(request.NamespacedName)
		r.turns.Forget(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("reading ModelRoute %s: %w", request, err)
	}
	if !route.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	if !r.Fleet.Settled(route.Namespace) {
		return reconcile.Result{RequeueAfter: unsettled}, nil
	}
	in, err := r.gather(ctx, &route)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("reading what ModelRoute %s depends on: %w", request, err)
	}
	next, err := r.writeStatus(ctx, in)
	switch {
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: retry.Soon}, nil
	case err != nil:
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	return reconcile.Result{RequeueAfter: next}, nil
}

// writeStatus writes the status and returns when to look again; 0 for not before something changes. Numbers that drift wait until it is their turn, and
// so does a target that turns soon after the last one did; all else is written at once.
func (r *Reconciler) writeStatus(ctx context.Context, in *input) (time.Duration, error) {
	after := in.route.DeepCopy()
	after.Status = makeStatus(in)
	name := client.ObjectKeyFromObject(in.route)
	drifted := onlyDrifts(&in.route.Status, &after.Status)
	turned := !drifted && onlyTurns(&in.route.Status, &after.Status)
	if drifted {
		if wait := r.pace.Wait(name, driftInterval, in.now); wait > 0 {
			return wait, nil
		}
	}
	if turned {
		if wait := r.turns.Wait(name, driftInterval, in.now); wait > 0 {
			return wait, nil
		}
	}
	wrote, err := r.Status.Patch(ctx, in.route, after)
	if err != nil {
		return 0, err
	}
	if wrote {
		r.pace.Wrote(name, in.now)
		if turned {
			r.turns.Wrote(name, in.now)
		}
	}
	if in.blocked {
		return recheckBlocked, nil
	}
	return in.starting(), nil
}

// requestNamespace asks for every route of a namespace.
func (r *Reconciler) requestNamespace(ctx context.Context, namespace string) []reconcile.Request {
	return r.requestRoutes(ctx, namespace, func(*v1alpha1.ModelRoute) bool { return true })
}

// requestUsers asks for every route that uses a ProviderCredential.
func (r *Reconciler) requestUsers(ctx context.Context, credential client.Object) []reconcile.Request {
	return r.requestRoutes(ctx, credential.GetNamespace(), func(route *v1alpha1.ModelRoute) bool {
		for i := range route.Spec.Targets {
			if route.Spec.Targets[i].CredentialRef.Name == credential.GetName() {
				return true
			}
		}
		return false
	})
}

func (r *Reconciler) requestRoutes(ctx context.Context, namespace string, wanted func(*v1alpha1.ModelRoute) bool) []reconcile.Request {
	var routes v1alpha1.ModelRouteList
	if err := r.Client.List(ctx, &routes, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ModelRoutes", "namespace", namespace)
		return nil
	}
	requests := make([]reconcile.Request, 0, len(routes.Items))
	for i := range routes.Items {
		if wanted(&routes.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: routes.Items[i].Name}})
		}
	}
	return requests
}
