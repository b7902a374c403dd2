// Package spendbudget keeps the ledger of each SpendBudget and writes its status from it. What was spent is written into the ledger by the proxies; here it is
// only added up, and what pods held that are gone is marked as lost. A ledger outlives its budget until its windows end, so that a budget that is deleted and
// made again is not refilled.
package spendbudget

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/broadcast"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/kubernetes"
	"signalbox.dev/signalbox/proxy/usage"
)

const (
	// workers is how many budgets are worked on at a time.
	workers = 4
	// unsettled is when to look again whether the proxies were heard after the manager's start. That they were heard asks for a look, too.
	unsettled = 100 * time.Millisecond
	// driftInterval is the shortest time between two writes of numbers that drift.
	driftInterval = 2 * time.Second
	// readTimeout bounds a call to a store outside of the cluster.
	readTimeout = 10 * time.Second
	// graceTime is how long what was read last stands in for a store that cannot be reached.
	graceTime = 30 * time.Second
	// pruneInterval is how often the documents of a namespace are looked through for those that are over.
	pruneInterval = time.Hour
)

// Reports read the reports of namespaces.
type Reports interface {
	// View returns nil for a namespace without table.
	View(ctx context.Context, namespace string) (*report.View, error)
}

// Fleet knows what the proxies serve.
type Fleet interface {
	// Acknowledged counts the ready proxies of a namespace and those of them whose table is older than the sequence since.
	Acknowledged(namespace string, since int64) (ready, behind int)
	// Settled tells whether that can be relied on, which it cannot just after the manager's start.
	Settled(namespace string) bool
}

// Reconciler keeps the ledger and the status of one SpendBudget.
type Reconciler struct {
	// Client reads the manager's cache, which holds only ConfigMaps that the manager made, and writes.
	Client client.Client
	// Live reads past the cache.
	Live client.Reader
	// Ledgers are where ledgers are kept; nil is in ConfigMaps.
	Ledgers Ledgers
	// Usage takes the usage records of slices that are lost.
	Usage Records
	// Reports say what became of the spec.
	Reports Reports
	// Fleet says what is served.
	Fleet Fleet
	// Status writes.
	Status status.Writer
	// Clock tells the time.
	Clock clock.PassiveClock

	pace   status.Pace
	pruned status.Pace
	seen   memory
	// telling is held while usage records are written.
	telling sync.Mutex
}

// Records take usage records. One goroutine writes at a time.
type Records interface {
	Write(ctx context.Context, records []*usage.Record) error
}

// Adverse are the condition types whose True is the bad state, for the status.Writer of the Reconciler.
func Adverse() []string {
	return []string{v1alpha1.ConditionNearLimit, v1alpha1.ConditionExceeded, v1alpha1.ConditionOverrun, v1alpha1.ConditionLedgerPressure}
}

// Notable are the reasons of a SpendBudget's conditions that are an event in every status, with the event's type. A budget that comes before the first
// route, or stays after the last one, is no trouble.
func Notable() map[string]string {
	return map[string]string{v1alpha1.ReasonNoProxy: corev1.EventTypeNormal}
}

// +kubebuilder:rbac:groups=signalbox.dev,resources=modelroutes;spendbudgets,verbs=get;list;watch
// +kubebuilder:rbac:groups=signalbox.dev,resources=spendbudgets/status,verbs=get;patch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager registers the reconciler. tables holds the Secrets that the manager made.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, tables cache.Cache, fleet broadcast.Source[string]) error {
	isTable := predicate.NewTypedPredicateFuncs(func(secret *corev1.Secret) bool { return secret.Name == platform.TableSecret })
	tableChanged := handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, secret *corev1.Secret) []reconcile.Request {
		return r.requestNamespace(ctx, secret.Namespace)
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("spendbudget").
		For(&v1alpha1.SpendBudget{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(requestLedger)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.requestWritten), builder.WithPredicates(predicate.NewPredicateFuncs(isProxy), podEnds())).
		WatchesRawSource(source.Kind(tables, &corev1.Secret{}, tableChanged, isTable)).
		WatchesRawSource(fleet(r.requestNamespace)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: retry.Limiter()}).
		Complete(r)
}

// Reconcile keeps the ledger and the status of the SpendBudget that the request names, or what is left of its ledger.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var budget v1alpha1.SpendBudget
	err := r.Client.Get(ctx, request.NamespacedName, &budget)
	if apierrors.IsNotFound(err) {
		return r.reconcileDeleted(ctx, request.NamespacedName)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("reading SpendBudget %s: %w", request, err)
	}
	if !budget.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	if !r.Fleet.Settled(budget.Namespace) {
		return reconcile.Result{RequeueAfter: unsettled}, nil
	}
	in, err := r.gather(ctx, &budget)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("reading what SpendBudget %s depends on: %w", request, err)
	}
	planned := makePlan(in)
	if err := r.apply(ctx, in, planned); err != nil {
		return outcome(fmt.Errorf("keeping the ledger of SpendBudget %s: %w", request, err))
	}
	next, err := r.writeStatus(ctx, &budget, planned)
	if err != nil {
		return outcome(err)
	}
	return reconcile.Result{RequeueAfter: next}, nil
}

// reconcileDeleted removes the ledger of a budget that is gone once the last of its windows has ended.
func (r *Reconciler) reconcileDeleted(ctx context.Context, name types.NamespacedName) (reconcile.Result, error) {
	r.pace.Forget(name)
	r.seen.forget(name)
	object, err := r.cachedLedger(ctx, name)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("reading the ledger of SpendBudget %s: %w", name, err)
	}
	planned := planDeleted(object, r.Clock.Now())
	if err := r.remove(ctx, planned.remove); err != nil {
		return outcome(fmt.Errorf("removing the ledger of SpendBudget %s: %w", name, err))
	}
	if r.Ledgers != nil {
		return r.pruneDeleted(ctx, name)
	}
	return reconcile.Result{RequeueAfter: planned.next}, nil
}

// pruneDeleted removes what is over of a ledger that is kept outside of the cluster, and comes back while something is left of it.
func (r *Reconciler) pruneDeleted(ctx context.Context, name types.NamespacedName) (reconcile.Result, error) {
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if err := r.Ledgers.Prune(bounded, name.Namespace); err != nil {
		return reconcile.Result{}, fmt.Errorf("pruning the ledger of SpendBudget %s: %w", name, err)
	}
	left, err := r.Ledgers.Read(bounded, name.Namespace, ledger.Name(name.Name))
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("reading the ledger of SpendBudget %s: %w", name, err)
	}
	if len(left) == 0 {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: maxWait}, nil
}

// outcome maps the error of a write: one that lost against another write looks again, one into what is being deleted ends, the rest is an error.
func outcome(err error) (reconcile.Result, error) {
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), errors.Is(err, ledger.ErrConflict):
		return reconcile.Result{RequeueAfter: retry.Soon}, nil
	case apierrors.IsNotFound(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return reconcile.Result{}, nil
	default:
		return reconcile.Result{}, err
	}
}

// requestLedger asks for the budget of a ledger, whether or not it still exists.
func requestLedger(_ context.Context, object client.Object) []reconcile.Request {
	name := kubernetes.Budget(object.GetLabels())
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: name}}}
}

// requestWritten asks for every budget that a pod may have spent from.
func (r *Reconciler) requestWritten(ctx context.Context, pod client.Object) []reconcile.Request {
	return r.requestNamespace(ctx, pod.GetNamespace())
}

// isProxy tells whether an object is a pod of proxies.
func isProxy(object client.Object) bool {
	for key, value := range platform.ProxySelector().MatchLabels {
		if object.GetLabels()[key] != value {
			return false
		}
	}
	return true
}

// podEnds lets through only what can make a pod one that is gone.
func podEnds() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(update event.UpdateEvent) bool {
			before, isPod := update.ObjectOld.(*corev1.Pod)
			after, arePods := update.ObjectNew.(*corev1.Pod)
			return isPod && arePods && !ended(before) && ended(after)
		},
	}
}

// requestNamespace asks for every budget of a namespace.
func (r *Reconciler) requestNamespace(ctx context.Context, namespace string) []reconcile.Request {
	var budgets v1alpha1.SpendBudgetList
	if err := r.Client.List(ctx, &budgets, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing SpendBudgets", "namespace", namespace)
		return nil
	}
	requests := make([]reconcile.Request, 0, len(budgets.Items))
	for i := range budgets.Items {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: budgets.Items[i].Name}})
	}
	return requests
}
