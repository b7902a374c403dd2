// Package manager puts the controllers together into one program.
package manager

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/inject"
	"signalbox.dev/signalbox/controllers/platform"
)

const (
	// leaseName is the Lease that the leader holds.
	leaseName = "signalbox-manager"
	// shutdownTimeout is how long running reconciliations may take to end.
	shutdownTimeout = 10 * time.Second
	// reconcileTimeout bounds one reconciliation.
	reconcileTimeout = time.Minute
	// readyTimeout bounds the readiness check.
	readyTimeout = time.Second
)

// Options configure the program.
type Options struct {
	// Config is the platform's configuration; required.
	Config *platform.Config
	// Namespace that the manager runs in, where its Lease is too.
	Namespace string
	// InCluster tells that the manager is a pod of Namespace, so that its network address can be told by labels.
	InCluster bool
	// LeaderElection makes replicas take turns.
	LeaderElection bool
	// MetricsAddr serves metrics; "0" does not.
	MetricsAddr string
	// HealthAddr serves /healthz and /readyz; "0" does not.
	HealthAddr string
	// WebhookPort serves the webhook that gives labelled pods their tokens; 0 does not.
	WebhookPort int
	// Controller holds settings of all controllers, for tests.
	Controller config.Controller
}

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;create;update,namespace=signalbox-system

// New returns a manager with all controllers, ready to be started.
func New(restConfig *rest.Config, options Options) (ctrl.Manager, error) {
	restConfig = rest.CopyConfig(restConfig)
	// The API server's own priority and fairness keeps order; a limit here would only delay what a user waits for.
	restConfig.QPS = -1
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	shutdown, reconcileLimit := shutdownTimeout, options.Controller
	if reconcileLimit.ReconciliationTimeout == 0 {
		reconcileLimit.ReconciliationTimeout = reconcileTimeout
	}
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions(options.Config),
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics:                       metricsserver.Options{BindAddress: options.MetricsAddr},
		HealthProbeBindAddress:        options.HealthAddr,
		LeaderElection:                options.LeaderElection,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       options.Namespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       &shutdown,
		Controller:                    reconcileLimit,
	})
	if err != nil {
		return nil, fmt.Errorf("creating the manager: %w", err)
	}
	if err := addHealth(mgr); err != nil {
		return nil, err
	}
	if err := addControllers(mgr, restConfig, options); err != nil {
		return nil, err
	}
	if options.WebhookPort != 0 {
		if err := addWebhook(mgr, options); err != nil {
			return nil, err
		}
	}
	return mgr, nil
}

// addWebhook serves the webhook on every replica.
func addWebhook(mgr ctrl.Manager, options Options) error {
	keeper := &inject.Keeper{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Namespace: options.Namespace, Host: inject.Name + "." + options.Namespace + ".svc", Clock: clock.RealClock{},
	}
	return inject.Add(mgr, inject.NewServer("", options.WebhookPort, keeper), options.Config, keeper)
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	return scheme, nil
}

// cacheOptions keep in memory what is ours: our kinds, and of the built-in kinds the objects that carry our label.
func cacheOptions(config *platform.Config) cache.Options {
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue})}
	return cache.Options{
		DefaultNamespaces: watchedNamespaces(config),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:                            ours,
			&corev1.ConfigMap{}:                      ours,
			&corev1.Service{}:                        ours,
			&corev1.ServiceAccount{}:                 ours,
			&appsv1.Deployment{}:                     ours,
			&rbacv1.Role{}:                           ours,
			&rbacv1.RoleBinding{}:                    ours,
			&policyv1.PodDisruptionBudget{}:          ours,
			&autoscalingv2.HorizontalPodAutoscaler{}: ours,
			&networkingv1.NetworkPolicy{}:            ours,
			&corev1.Namespace{}:                      {Transform: cache.TransformStripManagedFields()},
		},
	}
}

// watchedNamespaces restricts caches; nil means all namespaces.
func watchedNamespaces(config *platform.Config) map[string]cache.Config {
	if len(config.WatchNamespaces) == 0 {
		return nil
	}
	watched := make(map[string]cache.Config, len(config.WatchNamespaces))
	for _, namespace := range config.WatchNamespaces {
		watched[namespace] = cache.Config{}
	}
	return watched
}

// addHealth makes the manager ready once its caches are filled.
func addHealth(mgr ctrl.Manager) error {
	synced := func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), readyTimeout)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("caches are not filled yet")
		}
		return nil
	}
	if err := errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("caches", synced)); err != nil {
		return fmt.Errorf("adding health checks: %w", err)
	}
	return nil
}
