package proxydeployment

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// input is all that a plan is made from.
type input struct {
	namespace        string
	managerNamespace string
	config           *platform.Config
	now              time.Time
	// wait is not zero if it is too early for a plan.
	wait time.Duration

	routes      []v1alpha1.ModelRoute
	credentials []v1alpha1.ProviderCredential
	budgets     []v1alpha1.SpendBudget
	referenced  secrets.Referenced
	accessKeys  []corev1.Secret
	namespaces  []corev1.Namespace
	facts       apiserver.Facts
	// issuerKeys are the key sets of OIDC issuers, as far as they are known, by the issuer's name.
	issuerKeys map[string][]byte
	// lists are the models that providers offer, and verdicts what they said of keys.
	lists    map[string]provider.ModelList
	verdicts map[string]map[string]compile.KeyVerdict

	// remote are the routes of other namespaces that are called from here, directly or by way of others.
	remote map[string]compile.RemoteRoute

	// previous is the table in force, and secret the object that holds it; both nil if there is none.
	previous *table.Table
	secret   *corev1.Secret
	// stores are where ledgers are kept and records go, and ledgerTrouble is what keeps the proxies from the ledgers; empty for nothing.
	stores        storeAccess
	ledgerTrouble string
	// fresh holds random values for the table.
	fresh compile.Fresh
	// ledgers are the names of all ledger objects of the namespace.
	ledgers []string

	// reported is the report beside the table in force; nil if there is none.
	reported *compile.Report
	// pods counts the proxies that have not ended; it is gathered only once the namespace is to have none.
	pods int

	// existing are the proxy's objects that carry our labels.
	existing map[part]object
	// unseen are objects that carry our labels but that the cache does not have yet.
	unseen map[part]types.UID
	// foreign are objects that have the name of one of ours without our label.
	foreign map[part]bool
	// pace is how long the next table has to wait, and urgent how long one that takes something away.
	pace, urgent time.Duration
}

// gather reads everything about one namespace.
func (r *Reconciler) gather(ctx context.Context, namespace string) (*input, error) {
	in := &input{namespace: namespace, managerNamespace: r.ManagerNamespace, config: r.Config, now: r.Clock.Now()}
	steps := []func(context.Context, *input) error{
		r.gatherObjects, r.gatherFacts, r.gatherSecrets, r.gatherNamespaces, r.gatherTable, r.gatherRemote, r.gatherExisting, r.gatherForeign, r.gatherFresh,
		r.gatherStores, r.gatherPods,
	}
	for _, step := range steps {
		if err := step(ctx, in); err != nil {
			return nil, fmt.Errorf("reading namespace %s: %w", namespace, err)
		}
		if in.wait > 0 {
			break
		}
	}
	return in, nil
}

func (r *Reconciler) gatherObjects(ctx context.Context, in *input) error {
	var routes v1alpha1.ModelRouteList
	if err := r.Client.List(ctx, &routes, client.InNamespace(in.namespace)); err != nil {
		return fmt.Errorf("listing ModelRoutes: %w", err)
	}
	var credentials v1alpha1.ProviderCredentialList
	if err := r.Client.List(ctx, &credentials, client.InNamespace(in.namespace)); err != nil {
		return fmt.Errorf("listing ProviderCredentials: %w", err)
	}
	var budgets v1alpha1.SpendBudgetList
	if err := r.Client.List(ctx, &budgets, client.InNamespace(in.namespace)); err != nil {
		return fmt.Errorf("listing SpendBudgets: %w", err)
	}
	var ledgers corev1.ConfigMapList
	labelled := client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelComponent: v1alpha1.ComponentLedger}
	if err := r.Client.List(ctx, &ledgers, client.InNamespace(in.namespace), labelled); err != nil {
		return fmt.Errorf("listing ledgers: %w", err)
	}
	// One that is being deleted may still be there until its keys are deleted at the provider.
	credentials.Items = slices.DeleteFunc(credentials.Items, func(c v1alpha1.ProviderCredential) bool { return !c.DeletionTimestamp.IsZero() })
	in.routes, in.credentials, in.budgets = routes.Items, credentials.Items, budgets.Items
	for i := range ledgers.Items {
		in.ledgers = append(in.ledgers, ledgers.Items[i].Name)
	}
	return nil
}

// gatherFacts waits for the API server's first answer; its source asks again.
func (r *Reconciler) gatherFacts(_ context.Context, in *input) error {
	facts, known := r.Facts.Facts()
	if !known && in.serves() {
		in.wait = time.Second
	}
	in.facts = facts
	if r.IssuerKeys != nil {
		in.issuerKeys = r.IssuerKeys.Keys()
	}
	return nil
}

// serves tells whether the namespace is to have a proxy.
func (in *input) serves() bool { return len(in.routes) > 0 }

func (r *Reconciler) gatherSecrets(ctx context.Context, in *input) error {
	if !in.serves() {
		return nil
	}
	var err error
	if in.referenced, err = r.Lookup.Referenced(ctx, in.namespace, in.credentials); err != nil {
		return err
	}
	if in.referenced.Behind {
		in.wait = retry.Soon
		return nil
	}
	var keys corev1.SecretList
	if err := r.AccessKeys.List(ctx, &keys, client.InNamespace(in.namespace)); err != nil {
		return fmt.Errorf("listing access keys: %w", err)
	}
	// Who deletes a key means it to be good no longer, whatever finalizer keeps its Secret.
	in.accessKeys = slices.DeleteFunc(keys.Items, func(s corev1.Secret) bool { return !s.DeletionTimestamp.IsZero() })
	return nil
}

func (r *Reconciler) gatherNamespaces(ctx context.Context, in *input) error {
	if !in.serves() || len(r.Config.WatchNamespaces) > 0 {
		return nil
	}
	var namespaces corev1.NamespaceList
	if err := r.Client.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing Namespaces: %w", err)
	}
	in.namespaces = namespaces.Items
	for i := range in.namespaces {
		if in.namespaces[i].Name == in.namespace && !in.namespaces[i].DeletionTimestamp.IsZero() {
			// Nothing can be created in a namespace that is going away, and all of ours goes with it.
			in.routes = nil
		}
	}
	return nil
}

func (r *Reconciler) gatherTable(ctx context.Context, in *input) error {
	var err error
	in.previous, in.secret, err = r.Tables.Table(ctx, in.namespace)
	if err != nil && in.secret != nil {
		// A table that cannot be read, after a downgrade for example, is replaced.
		in.previous = nil
		return nil
	}
	if err != nil || in.secret == nil {
		return err
	}
	if in.reported, err = r.Tables.Report(ctx, in.namespace); err != nil {
		// So is a report that cannot be.
		in.reported = nil
	}
	return nil
}

// gatherPods counts the proxies that are still there.
func (r *Reconciler) gatherPods(ctx context.Context, in *input) error {
	if in.serves() {
		return nil
	}
	var pods corev1.PodList
	proxies := client.MatchingLabels(platform.ProxySelector().MatchLabels)
	if err := r.Client.List(ctx, &pods, client.InNamespace(in.namespace), proxies, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing proxy pods: %w", err)
	}
	for i := range pods.Items {
		if phase := pods.Items[i].Status.Phase; phase != corev1.PodSucceeded && phase != corev1.PodFailed {
			in.pods++
		}
	}
	return nil
}

func (r *Reconciler) gatherExisting(ctx context.Context, in *input) error {
	in.existing = map[part]object{}
	if in.secret != nil {
		in.existing[tablePart()] = in.secret
	}
	ours := client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelComponent: v1alpha1.ComponentProxy}
	for _, kind := range kinds() {
		list := kind.list()
		if err := r.Client.List(ctx, list, client.InNamespace(in.namespace), ours); err != nil {
			return fmt.Errorf("listing objects of kind %s: %w", kind.gvk.Kind, err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return fmt.Errorf("listing objects of kind %s: %w", kind.gvk.Kind, err)
		}
		for _, item := range items {
			if found, ok := item.(client.Object); ok {
				in.existing[part{kind.gvk, found.GetName()}] = found
			}
		}
	}
	return nil
}

// gatherForeign asks the API server for each object that the cache does not have: it may belong to somebody else, or be new.
func (r *Reconciler) gatherForeign(ctx context.Context, in *input) error {
	in.foreign, in.unseen = map[part]bool{}, map[part]types.UID{}
	if !in.serves() {
		return nil
	}
	for _, wanted := range wantedParts(in.settings(nil)) {
		if in.existing[wanted] != nil {
			continue
		}
		metadata := &metav1.PartialObjectMetadata{}
		metadata.SetGroupVersionKind(wanted.kind)
		err := r.Live.Get(ctx, types.NamespacedName{Namespace: in.namespace, Name: wanted.name}, metadata)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return fmt.Errorf("reading metadata of %s: %w", wanted, err)
		case metadata.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedByValue:
			in.foreign[wanted] = true
		case wanted == tablePart():
			// Without the table in force, the next one could not follow it.
			in.wait = retry.Soon
		default:
			in.unseen[wanted] = metadata.UID
		}
	}
	return nil
}

// gatherFresh makes the random values that the next table needs.
func (r *Reconciler) gatherFresh(_ context.Context, in *input) error {
	if !in.serves() {
		return nil
	}
	in.pace, in.urgent = r.Pace.Wait(in.namespace, in.now)
	if r.Probes != nil {
		in.lists, in.verdicts = r.Probes.Lists(in.namespace), r.Probes.Verdicts(in.namespace)
	}
	if in.previous == nil {
		in.fresh.AccessKeySalt = newSalt()
		in.fresh.FirstSequence = in.now.Unix()
	}
	if in.now.Before(renewAt(in.previous)) {
		return nil
	}
	var err error
	in.fresh.Control, err = newControl(in.namespace, in.now)
	return err
}

// settings are what the proxy's objects are built from.
func (in *input) settings(ledgers []string) settings {
	return settings{
		namespace:        in.namespace,
		managerNamespace: in.managerNamespace,
		proxy:            in.config.ProxyFor(in.namespace),
		network:          in.config.NetworkPolicy,
		ledgers:          ledgers,
		ledgerStore:      table.ConfigMaps,
		journalBytes:     in.config.Usage.JournalSize.Value(),
	}
}
