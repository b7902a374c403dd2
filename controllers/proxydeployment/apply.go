package proxydeployment

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// handoverOwner is the field manager that holds the number of replicas until the autoscaler first changes it.
const handoverOwner = "signalbox-handover"

// apply writes a plan: the table first, for a changed route waits for nothing else.
func (r *Reconciler) apply(ctx context.Context, p *plan) error {
	if p.table != nil {
		if err := r.write(ctx, *p.table); err != nil {
			return err
		}
		r.Pace.Wrote(p.namespace, p.tableSize, r.Clock.Now())
	}
	if p.handover != nil {
		if err := r.handOver(ctx, p.namespace, *p.handover); err != nil {
			return err
		}
	}
	for _, object := range p.objects {
		if err := r.write(ctx, object); err != nil {
			return err
		}
	}
	for _, object := range p.remove {
		uid := object.GetUID()
		err := r.Client.Delete(ctx, object, client.Preconditions{UID: &uid}, client.PropagationPolicy("Background"))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %s: %w", object.GetName(), err)
		}
	}
	if p.next == 0 {
		r.Pace.Forget(p.namespace)
	}
	return nil
}

// write applies one object. The UID pins an apply to the object whose label was seen. An object that does not exist yet is applied without force:
// should somebody else make one of that name in the same moment, the apply conflicts instead of taking it over.
func (r *Reconciler) write(ctx context.Context, w write) error {
	options := []client.ApplyOption{client.FieldOwner(FieldOwner)}
	if w.uid != "" {
		w.document.SetUID(w.uid)
		options = append(options, client.ForceOwnership)
	}
	if w.resourceVersion != "" {
		w.document.SetResourceVersion(w.resourceVersion)
	}
	if err := r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(w.document), options...); err != nil {
		return fmt.Errorf("applying %s %s: %w", w.document.GetKind(), w.document.GetName(), err)
	}
	return nil
}

// handOver gives the number of replicas to a second owner, so that leaving it out of the next apply does not set it back to 1.
func (r *Reconciler) handOver(ctx context.Context, namespace string, replicas int32) error {
	document := &unstructured.Unstructured{}
	document.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	name := types.NamespacedName{Namespace: namespace, Name: v1alpha1.ProxyName}
	document.SetName(name.Name)
	document.SetNamespace(name.Namespace)
	if err := unstructured.SetNestedField(document.Object, int64(replicas), "spec", "replicas"); err != nil {
		return fmt.Errorf("handing over the replicas of %s: %w", name, err)
	}
	err := r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(document), client.FieldOwner(handoverOwner), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("handing over the replicas of %s: %w", name, err)
	}
	return nil
}
