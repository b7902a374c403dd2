package proxydeployment

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// handoverOwner is the field manager that holds the number of replicas until the autoscaler first changes it.
const handoverOwner = "signalbox-handover"

// apply writes a plan. The rights come first and the table next, for a changed route waits for nothing else. Rights that cannot be written are an error,
// but they do not keep back the table: it may take something away.
func (r *Reconciler) apply(ctx context.Context, p *plan) error {
	refused := r.writeAll(ctx, p.access)
	if p.table != nil {
		if err := r.write(ctx, *p.table); err != nil {
			return errors.Join(err, refused)
		}
		r.Pace.Wrote(p.namespace, p.tableSize, r.Clock.Now())
		r.give(p.notices)
	}
	if refused != nil {
		return refused
	}
	if p.handover != nil {
		if err := r.handOver(ctx, p.namespace, *p.handover); err != nil {
			return err
		}
	}
	if err := r.writeAll(ctx, p.objects); err != nil {
		return err
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

// writeAll applies objects in their order, up to the first that cannot be.
func (r *Reconciler) writeAll(ctx context.Context, objects []write) error {
	for _, object := range objects {
		if err := r.write(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// noVersion is a resource version that no stored object has.
const noVersion = "1"

// write applies one object. The UID pins an apply to the object whose label was seen. An object that does not exist yet is applied with a version that
// none has: should somebody else make one of that name in the same moment, the apply conflicts instead of taking it over.
func (r *Reconciler) write(ctx context.Context, w write) error {
	options := []client.ApplyOption{client.FieldOwner(FieldOwner)}
	if w.uid == "" {
		w.document.SetResourceVersion(noVersion)
	} else {
		w.document.SetUID(w.uid)
		w.document.SetResourceVersion(w.resourceVersion)
		options = append(options, client.ForceOwnership)
	}
	if err := r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(w.document), options...); err != nil {
		return fmt.Errorf("applying %s %s: %w", w.document.GetKind(), w.document.GetName(), err)
	}
	return nil
}

// handOver gives the number of replicas to a second owner, so that leaving it out of the next apply does not set it back to 1.
func (r *Reconciler) handOver(ctx context.Context, namespace string, replicas int32) error {
	document := &unstructured.Unstructured{}
	document.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kindDeployment))
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
