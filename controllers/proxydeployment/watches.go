package proxydeployment

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
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
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/controllers/secrets"
)

// workers is how many namespaces are worked on at a time.
const workers = 8

// Sources are what the reconciler watches besides the manager's cache.
type Sources struct {
	// Secrets are the labelled Secrets.
	Secrets *secrets.Caches
	// Facts is a source of requests at every change of what is known of the API server.
	Facts func(requests func(ctx context.Context) []reconcile.Request) source.Source
	// IssuerKeys is a source of requests at every change of an OIDC issuer's keys; nil when nobody asks for them.
	IssuerKeys func(requests func(ctx context.Context) []reconcile.Request) source.Source
	// Probes is a source of requests at every change of what probes found of a namespace's models and keys; nil when nobody asks.
	Probes broadcast.Source[string]
	// Stores is a source of requests at every change of what keeps a namespace from its ledgers; nil without a store outside the API server.
	Stores broadcast.Source[string]
}

// SetupWithManager registers the reconciler for all that a table or a proxy depends on.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, sources Sources) error {
	specs := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	toNamespace := handler.EnqueueRequestsFromMapFunc(requestNamespace)
	build := ctrl.NewControllerManagedBy(mgr).
		Named("proxydeployment").
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: retry.Limiter()}).
		Watches(&v1alpha1.ModelRoute{}, toNamespace, specs).
		Watches(&v1alpha1.ModelRoute{}, handler.EnqueueRequestsFromMapFunc(r.requestCallers), specs).
		Watches(&v1alpha1.ProviderCredential{}, toNamespace, specs).
		Watches(&v1alpha1.SpendBudget{}, toNamespace, specs).
		Watches(&appsv1.Deployment{}, toNamespace, specs).
		// A ledger changes with every settlement; only which ledgers exist matters here.
		Watches(&corev1.ConfigMap{}, toNamespace, builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WatchesRawSource(sources.Facts(r.requestAll))
	if sources.IssuerKeys != nil {
		build = build.WatchesRawSource(sources.IssuerKeys(r.requestAll))
	}
	if sources.Probes != nil {
		build = build.WatchesRawSource(sources.Probes(requestChanged))
	}
	if sources.Stores != nil {
		build = build.WatchesRawSource(sources.Stores(requestChanged))
	}
	for _, object := range []client.Object{
		&corev1.Service{}, &corev1.ServiceAccount{}, &rbacv1.Role{}, &rbacv1.RoleBinding{}, &policyv1.PodDisruptionBudget{},
		&autoscalingv2.HorizontalPodAutoscaler{}, &networkingv1.NetworkPolicy{},
	} {
		build = build.Watches(object, toNamespace)
	}
	for _, labelled := range []cache.Cache{sources.Secrets.ProviderKeys, sources.Secrets.AccessKeys, sources.Secrets.Managed} {
		mapped := handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
			return requestNamespace(ctx, secret)
		})
		build = build.WatchesRawSource(source.Kind(labelled, &corev1.Secret{}, mapped))
	}
	build = build.WatchesRawSource(source.Kind(sources.Secrets.Managed, &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(r.requestPayers)))
	if len(r.Config.WatchNamespaces) == 0 {
		build = build.Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.requestSelecting),
			builder.WithPredicates(predicate.LabelChangedPredicate{}))
	}
	return build.Complete(r)
}

func requestNamespace(_ context.Context, object client.Object) []reconcile.Request {
	return []reconcile.Request{requestFor(object.GetNamespace())}
}

func requestChanged(_ context.Context, namespace string) []reconcile.Request {
	return []reconcile.Request{requestFor(namespace)}
}

func requestFor(namespace string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: namespace}}
}

// requestAll asks for every namespace that has a ModelRoute.
func (r *Reconciler) requestAll(ctx context.Context) []reconcile.Request {
	return r.requestRoutes(ctx, func(*v1alpha1.ModelRoute) bool { return true })
}

// requestSelecting asks for every namespace in which a ModelRoute admits callers by the labels of their namespace, or calls one elsewhere that may.
func (r *Reconciler) requestSelecting(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.requestRoutes(ctx, func(route *v1alpha1.ModelRoute) bool {
		if len(references(route)) > 0 {
			return true
		}
		if route.Spec.Access == nil {
			return false
		}
		for _, rule := range route.Spec.Access.Allow {
			if rule.NamespaceSelector != nil {
				return true
			}
		}
		return false
	})
}

func (r *Reconciler) requestRoutes(ctx context.Context, wanted func(*v1alpha1.ModelRoute) bool) []reconcile.Request {
	var routes v1alpha1.ModelRouteList
	if err := r.Client.List(ctx, &routes, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ModelRoutes")
		return nil
	}
	var requests []reconcile.Request
	seen := map[string]bool{}
	for i := range routes.Items {
		namespace := routes.Items[i].Namespace
		if !seen[namespace] && wanted(&routes.Items[i]) {
			seen[namespace] = true
			requests = append(requests, requestFor(namespace))
		}
	}
	return requests
}
