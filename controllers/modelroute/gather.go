package modelroute

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/compile"
)

// input is all that a status is made from.
type input struct {
	route *v1alpha1.ModelRoute
	// proxy is how the proxies of the namespace are run.
	proxy platform.Proxy
	now   time.Time
	// report says what became of the route; nil while no table holds it.
	report *compile.ObjectReport
	// blocked tells that there is no table because an object of its name is somebody else's.
	blocked bool
	// ready and behind count proxies.
	ready, behind int
	// credentials that the targets name, by name; those that do not exist are missing.
	credentials map[string]*v1alpha1.ProviderCredential
	// traffic is what the proxies know of targets, by name; those that nobody called of late, and with which nothing is wrong, are missing.
	traffic map[string]*fleet.Traffic
}

// gather reads everything about one route.
func (r *Reconciler) gather(ctx context.Context, route *v1alpha1.ModelRoute) (*input, error) {
	in := &input{
		route: route, proxy: r.Config.ProxyFor(route.Namespace), now: r.Clock.Now(), credentials: map[string]*v1alpha1.ProviderCredential{}, traffic: map[string]*fleet.Traffic{},
	}
	view, err := r.Reports.View(ctx, route.Namespace)
	if err != nil {
		return nil, err
	}
	if view == nil {
		if in.blocked, err = r.tableIsForeign(ctx, route.Namespace); err != nil {
			return nil, err
		}
	} else if found, ok := view.Object(compile.KindModelRoute, route.Name); ok && found.UID == string(route.UID) {
		in.report = found
		in.ready, in.behind = r.Fleet.Acknowledged(route.Namespace, found.Since)
		for _, seen := range r.Fleet.Traffic(route.Namespace, route.Name) {
			in.traffic[seen.Target] = &seen
		}
	}
	for i := range route.Spec.Targets {
		name := route.Spec.Targets[i].CredentialRef.Name
		if name == "" || in.credentials[name] != nil {
			continue
		}
		var credential v1alpha1.ProviderCredential
		err := r.Client.Get(ctx, types.NamespacedName{Namespace: route.Namespace, Name: name}, &credential)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading ProviderCredential %s: %w", name, err)
		}
		if err == nil {
			in.credentials[name] = &credential
		}
	}
	return in, nil
}

// tableIsForeign asks whether the name of the table's Secret is taken by an object without our label.
func (r *Reconciler) tableIsForeign(ctx context.Context, namespace string) (bool, error) {
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: platform.TableSecret}, metadata)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("reading metadata of Secret %s: %w", platform.TableSecret, err)
	}
	return err == nil && metadata.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedByValue, nil
}
