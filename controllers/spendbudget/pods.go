package spendbudget

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/ledger"
)

// gatherPods finds out which of the pods that wrote the ledger still run, if one may be gone. The ledger was read before, so whoever is in it had a pod then; a
// pod that the cache does not know may be newer than the cache, so nobody is given up before the API server itself was asked.
func (r *Reconciler) gatherPods(ctx context.Context, in *input) error {
	if len(in.documents) == 0 {
		return nil
	}
	cached, err := running(ctx, r.Client, in.budget.Namespace)
	if err != nil {
		return err
	}
	if !someMayBeGone(in.documents, runningIn(cached)) {
		return nil
	}
	in.pods, err = running(ctx, r.Live, in.budget.Namespace)
	return err
}

// someMayBeGone tells whether a document has entries of pods that do not run and are not marked yet, or too many of those that are.
func someMayBeGone(documents []Document, runs func(pod string) bool) bool {
	return slices.ContainsFunc(documents, func(document Document) bool {
		return document.Record.Unmarked(runs) || slices.ContainsFunc(document.Record.Windows, func(count ledger.Count) bool {
			return len(count.Owners) > ledger.MaxGoneOwners
		})
	})
}

// running returns the UIDs of the proxy pods of a namespace whose containers have not ended for good.
func running(ctx context.Context, reader client.Reader, namespace string) (map[string]bool, error) {
	var pods corev1.PodList
	err := reader.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(platform.ProxySelector().MatchLabels), client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing proxy pods: %w", err)
	}
	uids := map[string]bool{}
	for i := range pods.Items {
		if !ended(&pods.Items[i]) {
			uids[string(pods.Items[i].UID)] = true
		}
	}
	return uids, nil
}

// ended tells whether the containers of a pod have ended and will not be started again.
func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
