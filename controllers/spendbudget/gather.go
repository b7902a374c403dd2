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
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/kubernetes"
)

// input is all that a plan is made from.
type input struct {
	now    time.Time
	budget *v1alpha1.SpendBudget
	// store is where the ledger is kept.
	store v1alpha1.LedgerStoreType
	// ledger is the ledger object, nil when there is none or the ledger is kept elsewhere.
	ledger *corev1.ConfigMap
	// foreign tells that a ConfigMap has the ledger's name and was not made for this budget.
	foreign bool
	// documents are what the ledger holds.
	documents []Document
	// unreadable says why the ledger cannot be read.
	unreadable error
	// pods are the UIDs of the namespace's proxy pods that run; nil when none that wrote the ledger can be gone.
	pods map[string]bool
	// table tells whether the namespace has a routing table.
	table bool
	// report of the budget in that table; nil when it does not speak of this budget.
	report *compile.ObjectReport
	// ready counts the proxies, behind those of them that have not taken the budget yet.
	ready, behind int
	// wanted is since when proxies are: the creation of the namespace's oldest route. It is read only while none is ready.
	wanted time.Time
}

// gather reads all that the plan for a budget is made from.
func (r *Reconciler) gather(ctx context.Context, budget *v1alpha1.SpendBudget) (*input, error) {
	in := &input{now: r.Clock.Now(), budget: budget, store: v1alpha1.LedgerKubernetes}
	read := r.gatherLedger
	if r.Ledgers != nil {
		in.store, read = v1alpha1.LedgerValkey, r.gatherDocuments
	}
	if err := read(ctx, in); err != nil {
		return nil, err
	}
	if err := r.gatherPods(ctx, in); err != nil {
		return nil, err
	}
	return in, r.gatherTable(ctx, in)
}

// gatherDocuments reads the ledger where it is kept outside of the cluster. That it cannot be reached is told in the status and tried again, since nothing else
// of the budget depends on it.
func (r *Reconciler) gatherDocuments(ctx context.Context, in *input) error {
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	in.documents, in.unreadable = r.Ledgers.Read(bounded, in.budget.Namespace, ledger.Name(in.budget.Name))
	if ctx.Err() != nil {
		return fmt.Errorf("reading the ledger: %w", ctx.Err())
	}
	name := client.ObjectKeyFromObject(in.budget)
	if in.unreadable == nil {
		r.seen.note(name, in.documents, in.now)
		return nil
	}
	if last, fresh := r.seen.last(name, in.now); fresh {
		in.documents, in.unreadable = last, nil
	}
	return nil
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
	var stored ledger.Stored
	stored, in.unreadable = kubernetes.Read(object)
	if in.unreadable == nil {
		in.documents = []Document{{Name: object.Name, Stored: stored}}
	}
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
	if in.ready > 0 {
		return nil
	}
	return r.gatherRoutes(ctx, in)
}

// gatherRoutes finds out since when the namespace has routes.
func (r *Reconciler) gatherRoutes(ctx context.Context, in *input) error {
	var routes v1alpha1.ModelRouteList
	if err := r.Client.List(ctx, &routes, client.InNamespace(in.budget.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing ModelRoutes: %w", err)
	}
	for i := range routes.Items {
		if created := routes.Items[i].CreationTimestamp.Time; in.wanted.IsZero() || created.Before(in.wanted) {
			in.wanted = created
		}
	}
	return nil
}
