package spendbudget

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/kubernetes"
)

// input is all that a plan is made from.
type input struct {
	now    time.Time
	budget *v1alpha1.SpendBudget
	// ledger is the ledger object, nil when there is none.
	ledger *corev1.ConfigMap
	// foreign tells that a ConfigMap has the ledger's name and was not made for this budget.
	foreign bool
	// record is what the ledger holds.
	record ledger.Record
	// unreadable says why the ledger cannot be read.
	unreadable error
	// pods are the UIDs of the namespace's proxy pods; they are gathered only when entries may have to be folded.
	pods map[string]bool
	// table tells whether the namespace has a routing table.
	table bool
	// report of the budget in that table; nil when it does not speak of this budget.
	report *compile.ObjectReport
	// ready counts the proxies, behind those of them that have not taken the budget yet.
	ready, behind int
}

// gather reads all that the plan for a budget is made from.
func (r *Reconciler) gather(ctx context.Context, budget *v1alpha1.SpendBudget) (*input, error) {
	in := &input{now: r.Clock.Now(), budget: budget}
	if err := r.gatherLedger(ctx, in); err != nil {
		return nil, err
	}
	if tooManyOwners(in.record) {
		if err := r.gatherPods(ctx, in); err != nil {
			return nil, err
		}
	}
	return in, r.gatherTable(ctx, in)
}

// gatherLedger reads the ledger. The cache knows only ConfigMaps that the manager made, so one that it does not know is looked up by its metadata: it may
// belong to somebody else.
func (r *Reconciler) gatherLedger(ctx context.Context, in *input) error {
	name := client.ObjectKeyFromObject(in.budget)
	object, err := r.cachedLedger(ctx, name)
	if err != nil {
		return err
	}
	if object == nil {
		return r.lookForForeign(ctx, in)
	}
	if kubernetes.Budget(object.Labels) != name.Name {
		in.foreign = true
		return nil
	}
	in.ledger = object
	stored, err := kubernetes.Read(object)
	in.record, in.unreadable = stored.Record, err
	return nil
}

// cachedLedger returns the ConfigMap with the name of a budget's ledger, nil when the cache has none.
func (r *Reconciler) cachedLedger(ctx context.Context, budget types.NamespacedName) (*corev1.ConfigMap, error) {
	object := &corev1.ConfigMap{}
	name := types.NamespacedName{Namespace: budget.Namespace, Name: ledger.Name(budget.Name)}
	err := r.Client.Get(ctx, name, object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s: %w", name, err)
	}
	return object, nil
}

// lookForForeign tells a ConfigMap that was not made for this budget from none at all.
func (r *Reconciler) lookForForeign(ctx context.Context, in *input) error {
	found := &metav1.PartialObjectMetadata{}
	found.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	name := types.NamespacedName{Namespace: in.budget.Namespace, Name: ledger.Name(in.budget.Name)}
	err := r.Live.Get(ctx, name, found)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("looking up ConfigMap %s: %w", name, err)
	}
	// One of ours is only not in the cache yet; making it again fails and looks again.
	in.foreign = kubernetes.Budget(found.Labels) != in.budget.Name
	return nil
}

// tooManyOwners tells whether a window has more entries than those of owners that are gone may be.
func tooManyOwners(record ledger.Record) bool {
	for _, window := range record.Windows {
		if len(window.Owners) > ledger.MaxGoneOwners {
			return true
		}
	}
	return false
}

func (r *Reconciler) gatherPods(ctx context.Context, in *input) error {
	var pods corev1.PodList
	err := r.Client.List(ctx, &pods, client.InNamespace(in.budget.Namespace), client.MatchingLabels(platform.ProxySelector().MatchLabels),
		client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("listing proxy pods: %w", err)
	}
	in.pods = map[string]bool{}
	for i := range pods.Items {
		in.pods[string(pods.Items[i].UID)] = true
	}
	return nil
}

func (r *Reconciler) gatherTable(ctx context.Context, in *input) error {
	view, err := r.Reports.View(ctx, in.budget.Namespace)
	if err != nil || view == nil {
		return err
	}
	in.table = true
	found, ok := view.Object(compile.KindSpendBudget, in.budget.Name)
	if ok && found.UID == string(in.budget.UID) {
		in.report = found
		in.ready, in.behind = r.Fleet.Acknowledged(in.budget.Namespace, found.Since)
	}
	return nil
}
