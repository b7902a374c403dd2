package spendbudget

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// apply writes the ledger objects of a plan. An update replaces only the version that was read, for proxies write it too; so does a removal.
func (r *Reconciler) apply(ctx context.Context, planned plan) error {
	if object := planned.create; object != nil {
		if err := r.Client.Create(ctx, object); err != nil {
			return fmt.Errorf("creating ConfigMap %s: %w", object.Name, err)
		}
	}
	if object := planned.update; object != nil {
		if err := r.Client.Update(ctx, object); err != nil {
			return fmt.Errorf("updating ConfigMap %s: %w", object.Name, err)
		}
	}
	if object := planned.remove; object != nil {
		same := client.Preconditions{UID: &object.UID, ResourceVersion: &object.ResourceVersion}
		if err := client.IgnoreNotFound(r.Client.Delete(ctx, object, same)); err != nil {
			return fmt.Errorf("deleting ConfigMap %s: %w", object.Name, err)
		}
	}
	return nil
}
