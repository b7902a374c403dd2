package spendbudget

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/proxy/ledger"
)

// apply writes the ledger objects of a plan, and tells of slices as soon as they are written down as lost. An update replaces only the version that was read,
// for proxies write it too; so does a removal.
func (r *Reconciler) apply(ctx context.Context, in *input, planned plan) error {
	if object := planned.create; object != nil {
		if err := r.Client.Create(ctx, object); err != nil {
			return fmt.Errorf("creating ConfigMap %s: %w", object.Name, err)
		}
	}
	if err := r.remove(ctx, planned.remove); err != nil {
		return err
	}
	var conflict error
	var failed []error
	for _, one := range planned.saves {
		err := r.save(ctx, in, one.Document)
		switch {
		case errors.Is(err, ledger.ErrConflict), apierrors.IsConflict(err):
			// A proxy was faster; the other documents need not wait for this one.
			conflict = err
		case err != nil:
			return err
		default:
			failed = append(failed, r.tellLost(ctx, in, one.lost))
		}
	}
	r.prune(ctx, in)
	return errors.Join(append(failed, conflict)...)
}

// prune removes documents of the namespace that are over, now and then. Nothing waits for it, so that it failed is no reason to do the rest again.
func (r *Reconciler) prune(ctx context.Context, in *input) {
	namespace := types.NamespacedName{Name: in.budget.Namespace}
	if r.Ledgers == nil || r.pruned.Wait(namespace, pruneInterval, in.now) > 0 {
		return
	}
	r.pruned.Wrote(namespace, in.now)
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if err := r.Ledgers.Prune(bounded, in.budget.Namespace); err != nil {
		ctrl.LoggerFrom(ctx).Info("ledgers that are over could not be removed", "namespace", in.budget.Namespace, "reason", err.Error())
	}
}

func (r *Reconciler) remove(ctx context.Context, object *corev1.ConfigMap) error {
	if object == nil {
		return nil
	}
	same := client.Preconditions{UID: &object.UID, ResourceVersion: &object.ResourceVersion}
	if err := client.IgnoreNotFound(r.Client.Delete(ctx, object, same)); err != nil {
		return fmt.Errorf("deleting ConfigMap %s: %w", object.Name, err)
	}
	return nil
}

// save replaces a document of the ledger.
func (r *Reconciler) save(ctx context.Context, in *input, document Document) error {
	if in.ledger == nil {
		bounded, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		return r.Ledgers.Save(bounded, in.budget.Namespace, document)
	}
	text, err := ledger.Encode(document.Record)
	if err != nil {
		return err
	}
	object := in.ledger.DeepCopy()
	object.Data[ledger.DataKey] = string(text)
	if err := r.Client.Update(ctx, object); err != nil {
		return fmt.Errorf("updating ConfigMap %s: %w", object.Name, err)
	}
	return nil
}
