package proxydeployment

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// gatherRemote reads the routes of other namespaces that this one's routes call, and those that these call in turn, for loops are found by them. Nothing
// else of other namespaces is read but the prices and limits of what is called directly.
func (r *Reconciler) gatherRemote(ctx context.Context, in *input) error {
	in.remote = map[string]compile.RemoteRoute{}
	if !in.serves() {
		return nil
	}
	reader := compile.RemoteReader{Namespaces: in.namespaces, View: in.view()}
	direct := in.called()
	queue := slices.Clone(direct)
	for seen := map[string]bool{}; len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		namespace, _, _ := strings.Cut(name, "/")
		if seen[name] || namespace == in.namespace || !r.watches(namespace) {
			continue
		}
		seen[name] = true
		route, err := r.route(ctx, name)
		if err != nil {
			return err
		}
		if route == nil {
			continue
		}
		var inForce *table.Table
		if slices.Contains(direct, name) {
			// A table that cannot be read is replaced by its own namespace; until then its prices are not known.
			inForce, _, _ = r.Tables.Table(ctx, namespace)
		}
		read := reader.Read(route, inForce)
		proxy := r.Config.ProxyFor(namespace)
		read.TLSAlone = !proxy.SpeaksPlain()
		in.remote[name] = read
		queue = append(queue, read.Calls...)
	}
	return nil
}

// watches tells whether the manager knows the routes of a namespace.
func (r *Reconciler) watches(namespace string) bool {
	return len(r.Config.WatchNamespaces) == 0 || slices.Contains(r.Config.WatchNamespaces, namespace)
}

// route reads a ModelRoute by namespace/name; nil if there is none.
func (r *Reconciler) route(ctx context.Context, called string) (*v1alpha1.ModelRoute, error) {
	namespace, name, _ := strings.Cut(called, "/")
	route := &v1alpha1.ModelRoute{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, route)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading ModelRoute %s: %w", called, err)
	}
	return route, nil
}

// called are the routes of other namespaces, as namespace/name, that the specs of this one refer to, and those that the table in force calls: it may go on
// where a spec has an error.
func (in *input) called() []string {
	var called []string
	for i := range in.routes {
		called = append(called, references(&in.routes[i])...)
	}
	if in.previous == nil {
		return called
	}
	for i := range in.previous.Routes {
		for _, target := range in.previous.Routes[i].Targets {
			if target.CalledRoute != "" {
				called = append(called, target.CalledRoute)
			}
		}
	}
	return called
}

// references are the routes, as namespace/name, that the targets of one refer to.
func references(route *v1alpha1.ModelRoute) []string {
	var names []string
	for i := range route.Spec.Targets {
		if ref := route.Spec.Targets[i].RouteRef; ref != nil {
			names = append(names, ref.Namespace+"/"+ref.Name)
		}
	}
	return names
}

// view says how much of the cluster's Namespaces is read.
func (in *input) view() compile.NamespaceView {
	if len(in.config.WatchNamespaces) > 0 {
		return compile.NamesOnly
	}
	return compile.AllNamespaces
}

// requestCallers asks for every other namespace with a route that calls this one, by way of others or not: whether there is a loop depends on all of them.
func (r *Reconciler) requestCallers(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requestCallersOf(ctx, object.GetNamespace(), object.GetName())
}

// requestPayers asks for every namespace with a route that calls one of a namespace's whose table has changed, for it has their prices.
func (r *Reconciler) requestPayers(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
	if secret.Name != platform.TableSecret {
		return nil
	}
	return r.requestRoutes(ctx, func(route *v1alpha1.ModelRoute) bool {
		return slices.ContainsFunc(references(route), func(name string) bool { return strings.HasPrefix(name, secret.Namespace+"/") })
	})
}

func (r *Reconciler) requestCallersOf(ctx context.Context, namespace, name string) []reconcile.Request {
	var routes v1alpha1.ModelRouteList
	if err := r.Client.List(ctx, &routes, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ModelRoutes")
		return nil
	}
	callers := map[string][]types.NamespacedName{}
	for i := range routes.Items {
		route := &routes.Items[i]
		for _, called := range references(route) {
			callers[called] = append(callers[called], client.ObjectKeyFromObject(route))
		}
	}
	var requests []reconcile.Request
	asked := map[string]bool{namespace: true}
	seen := map[string]bool{}
	for queue := []string{namespace + "/" + name}; len(queue) > 0; queue = queue[1:] {
		for _, caller := range callers[queue[0]] {
			if seen[caller.String()] {
				continue
			}
			seen[caller.String()] = true
			queue = append(queue, caller.String())
			if !asked[caller.Namespace] {
				asked[caller.Namespace] = true
				requests = append(requests, requestFor(caller.Namespace))
			}
		}
	}
	return requests
}
