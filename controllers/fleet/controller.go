package fleet

import (
	"context"
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/controllers/platform"
)

// Reconciler tells a Fleet of the proxy pods that come, change and go.
type Reconciler struct {
	// Client reads Pods.
	Client client.Reader
	// Fleet is told.
	Fleet *Fleet
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch

// SetupWithManager registers the reconciler, and the fleet itself, which ends its streams with the manager.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if err := mgr.Add(r.Fleet); err != nil {
		return fmt.Errorf("adding the fleet: %w", err)
	}
	if err := mgr.Add(manager.RunnableFunc(r.begin)); err != nil {
		return fmt.Errorf("adding the first look at the fleet: %w", err)
	}
	proxies, err := predicate.LabelSelectorPredicate(*platform.ProxySelector())
	if err != nil {
		return fmt.Errorf("building the selector of proxy pods: %w", err)
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("fleet").
		For(&corev1.Pod{}).
		WithEventFilter(proxies).
		Complete(r)
}

// begin tells the fleet which proxy pods there are when the manager starts.
func (r *Reconciler) begin(ctx context.Context) error {
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.MatchingLabels(platform.ProxySelector().MatchLabels), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing the pods of proxies: %w", err)
	}
	names := make([]types.NamespacedName, 0, len(pods.Items))
	for i := range pods.Items {
		names = append(names, client.ObjectKeyFromObject(&pods.Items[i]))
	}
	r.Fleet.begin(names)
	return nil
}

// Reconcile takes over the state of one pod.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var pod corev1.Pod
	err := r.Client.Get(ctx, request.NamespacedName, &pod)
	if apierrors.IsNotFound(err) {
		r.Fleet.forget(request.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("reading Pod %s: %w", request.NamespacedName, err)
	}
	r.Fleet.observe(request.NamespacedName, read(&pod))
	return reconcile.Result{}, nil
}

// read says what a Pod object tells. A pod that is being deleted gets no new requests, so it does not count as ready.
func read(pod *corev1.Pod) observation {
	seen := observation{uid: pod.UID}
	if pod.Status.Phase != corev1.PodRunning || pod.Status.PodIP == "" {
		return seen
	}
	if port := controlPort(pod); port != 0 {
		seen.addr = net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(port)))
	}
	if !pod.DeletionTimestamp.IsZero() {
		return seen
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			seen.ready = condition.Status == corev1.ConditionTrue
		}
	}
	return seen
}

// controlPort is the container port of that name, 0 if there is none.
func controlPort(pod *corev1.Pod) int32 {
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == platform.ControlPortName {
				return port.ContainerPort
			}
		}
	}
	return 0
}
