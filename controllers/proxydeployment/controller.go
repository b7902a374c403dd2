// Package proxydeployment keeps the proxy of each namespace that has a ModelRoute: it compiles the namespace's routing table, delivers it, and keeps the
// objects that run the proxy. Its key is the namespace. Where the last ModelRoute is gone it removes all that it made, except for the ledgers, which
// belong to the SpendBudgets.
package proxydeployment

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/provider"
)

// FieldOwner is the field manager of everything that is applied.
const FieldOwner = "signalbox"

// Facts tell what is known of the API server; ok is false before it first answered.
type Facts interface {
	Facts() (facts apiserver.Facts, ok bool)
}

// IssuerKeys tell the key sets of OIDC issuers that are known, by the issuer's name.
type IssuerKeys interface {
	Keys() map[string][]byte
}

// Probes tell what probes found.
type Probes interface {
	// Lists are the models that the providers of a namespace's credentials offer, by the name of the credential.
	Lists(namespace string) map[string]provider.ModelList
	// Verdicts are what is known of their keys, by the name of the credential and the key's fingerprint; never nil.
	Verdicts(namespace string) map[string]map[string]compile.KeyVerdict
}

// Reconciler keeps one namespace's proxy.
type Reconciler struct {
	// Client reads the manager's cache and writes.
	Client client.Client
	// Live reads metadata past the cache.
	Live client.Reader
	// AccessKeys reads the Secrets that are labelled as access keys.
	AccessKeys client.Reader
	// Lookup finds the Secrets that ProviderCredentials refer to.
	Lookup *secrets.Lookup
	// Tables reads the table that is in force.
	Tables *report.Reader
	// Facts are about the API server.
	Facts Facts
	// IssuerKeys are those of the configuration's OIDC issuers; nil when nobody asks them.
	IssuerKeys IssuerKeys
	// Probes tell what models providers offer and which keys they take; nil when nobody asks them.
	Probes Probes
	// Stores tell whether the proxies can reach their ledgers; nil without a store outside the API server.
	Stores Stores
	// Config is the platform's configuration.
	Config *platform.Config
	// ManagerNamespace is where the manager itself runs; empty outside a cluster.
	ManagerNamespace string
	// Events takes what is wrong with access-key Secrets.
	Events events.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
	// Pace slows the writing of large tables.
	Pace *Pace
}

// +kubebuilder:rbac:groups=signalbox.dev,resources=modelroutes;providercredentials;spendbudgets,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets;services;serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=serviceaccounts/token,resourceNames=signalbox,verbs=create
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;update
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;rolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=list,namespace=default
// +kubebuilder:rbac:groups="",resources=services,verbs=get,namespace=default

// Reconcile compiles and delivers the table of the namespace that the request names, and keeps its proxy.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	in, err := r.gather(ctx, request.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	if in.wait > 0 {
		return reconcile.Result{RequeueAfter: in.wait}, nil
	}
	planned, err := makePlan(in)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("planning the proxy of namespace %s: %w", request.Name, err)
	}
	err = r.apply(ctx, planned)
	if apierrors.IsConflict(err) {
		ctrl.LoggerFrom(ctx).V(1).Info("lost against another write; trying again", "reason", err.Error())
		return reconcile.Result{RequeueAfter: retry.Soon}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("applying the proxy of namespace %s: %w", request.Name, err)
	}
	return reconcile.Result{RequeueAfter: planned.next}, nil
}
