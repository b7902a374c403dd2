package stores

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// refresh is how often each user is made again, for a server may have forgotten it.
	refresh = time.Minute
	// again is when to try again what failed.
	again = 5 * time.Second
	// drainRecheck is when to look again whether the last proxies have ended.
	drainRecheck = 5 * time.Second
	// callTimeout bounds one call of a store.
	callTimeout = 10 * time.Second
	// workers is how many namespaces are worked on at a time: a store that hangs holds up no more than these.
	workers = 4
	// action is what the events say was being done.
	action = "Provision"
	// recordsUnavailable is the reason of the event that a namespace's proxies cannot deliver usage records. They keep them for a while.
	recordsUnavailable = "UsageStoreUnavailable"
)

// Reconciler keeps the users of one namespace. Its key is the namespace.
type Reconciler struct {
	// Client reads the manager's cache.
	Client client.Reader
	// Tables reads the table that is in force.
	Tables *report.Reader
	// Stores that are configured.
	Stores []Store
	// Standing is where it is told how the users stand.
	Standing *Standing
	// Events takes what is wrong, for the Secret of the table.
	Events events.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
}

// SetupWithManager registers the reconciler for the Secrets that the manager made.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, managed cache.Cache) error {
	mapped := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, secret *corev1.Secret) []reconcile.Request {
		if secret.Name != platform.TableSecret {
			return nil
		}
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: secret.Namespace}}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("stores").
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, RateLimiter: retry.Limiter()}).
		WatchesRawSource(source.Kind(managed, &corev1.Secret{}, mapped)).
		Complete(r)
}

// input is all that a plan is made from.
type input struct {
	namespace string
	now       time.Time
	// table in force, and secret that holds it; both nil if there is none.
	table  *table.Table
	secret *corev1.Secret
	// pods counts the proxies that have not ended; it is gathered only where there is no table.
	pods int
	// known is what is known of the users.
	known map[Use]state
}

// Reconcile makes or removes the users of the namespace that the request names.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	in, err := r.gather(ctx, request.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	planned := makePlan(in)
	if planned.remove {
		return reconcile.Result{}, r.remove(ctx, in.namespace)
	}
	if failed := r.ensure(ctx, in, planned.ensure); failed {
		planned.next = min(planned.next, again)
	}
	return reconcile.Result{RequeueAfter: planned.next}, nil
}

func (r *Reconciler) gather(ctx context.Context, namespace string) (*input, error) {
	in := &input{namespace: namespace, now: r.Clock.Now(), known: map[Use]state{}}
	var err error
	if in.table, in.secret, err = r.Tables.Table(ctx, namespace); err != nil {
		return nil, fmt.Errorf("reading namespace %s: %w", namespace, err)
	}
	for _, store := range r.Stores {
		in.known[store.Use] = r.Standing.get(user{namespace, store.Use})
	}
	if in.table != nil {
		return in, nil
	}
	in.pods, err = countProxies(ctx, r.Client, namespace)
	return in, err
}

// countProxies counts the proxies of a namespace that have not ended.
func countProxies(ctx context.Context, from client.Reader, namespace string) (int, error) {
	var pods corev1.PodList
	proxies := client.MatchingLabels(platform.ProxySelector().MatchLabels)
	if err := from.List(ctx, &pods, client.InNamespace(namespace), proxies, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("listing proxy pods of namespace %s: %w", namespace, err)
	}
	running := 0
	for i := range pods.Items {
		if phase := pods.Items[i].Status.Phase; phase != corev1.PodSucceeded && phase != corev1.PodFailed {
			running++
		}
	}
	return running, nil
}

// ensure makes users, and tells whether one could not be made.
func (r *Reconciler) ensure(ctx context.Context, in *input, passwords map[Use]string) (failed bool) {
	for _, store := range r.Stores {
		password, due := passwords[store.Use]
		if !due {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, callTimeout)
		err := store.Directory.Ensure(limited, in.namespace, password)
		cancel()
		failed = failed || err != nil
		r.note(ctx, in, store.Use, password, err)
	}
	return failed
}

// note keeps how a user stands, and tells of a change.
func (r *Reconciler) note(ctx context.Context, in *input, use Use, password string, err error) {
	now := state{password: password, made: in.now}
	if err != nil {
		now.trouble = in.known[use].trouble
		if now.trouble == "" {
			now.trouble = fmt.Sprintf("the user of this namespace in the store of %s cannot be made: %v", use, err)
		}
	}
	if !r.Standing.set(user{in.namespace, use}, now) {
		return
	}
	log := ctrl.LoggerFrom(ctx).WithValues("namespace", in.namespace, "store", use)
	if err == nil {
		log.Info("the namespace's user can be made again")
		return
	}
	log.Error(err, "making the namespace's user")
	r.Events.Eventf(in.secret, nil, corev1.EventTypeWarning, reason(use), action, "%s", now.trouble)
}

func reason(use Use) string {
	if use == ForLedgers {
		return v1alpha1.ReasonLedgerUnavailable
	}
	return recordsUnavailable
}

// remove removes the users of a namespace that has no proxy any more.
func (r *Reconciler) remove(ctx context.Context, namespace string) error {
	var problems []error
	for _, store := range r.Stores {
		limited, cancel := context.WithTimeout(ctx, callTimeout)
		err := store.Directory.Remove(limited, namespace)
		cancel()
		if err != nil {
			problems = append(problems, fmt.Errorf("removing the user of namespace %s from the store of %s: %w", namespace, store.Use, err))
			continue
		}
		r.Standing.forget(user{namespace, store.Use})
	}
	return errors.Join(problems...)
}
