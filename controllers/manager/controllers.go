package manager

import (
	"context"
	"fmt"
	"os"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/controllers/keyprovision"
	"signalbox.dev/signalbox/controllers/modelroute"
	"signalbox.dev/signalbox/controllers/oidc"
	"signalbox.dev/signalbox/controllers/providercredential"
	"signalbox.dev/signalbox/controllers/proxydeployment"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/controllers/spendbudget"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/controllers/stores"
	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/usage"
)

// eventSource is what events name as their reporting controller.
const eventSource = "signalbox-manager"

// parts are what several controllers share.
type parts struct {
	mgr     ctrl.Manager
	options Options
	clock   clock.Clock
	secrets *secrets.Caches
	lookup  *secrets.Lookup
	tables  *report.Reader
	facts   *apiserver.Watcher
	issuers *oidc.Watcher
	fleet   *fleet.Fleet
	prober  *providercredential.Prober
	// standing tells how the namespaces' users in the stores stand.
	standing *stores.Standing
	// provisions tell how the making of keys at providers stands.
	provisions *keyprovision.Standing
}

// addControllers registers every controller and what they share.
func addControllers(mgr ctrl.Manager, restConfig *rest.Config, options Options) error {
	p, err := newParts(mgr, restConfig, options)
	if err != nil {
		return err
	}
	for _, add := range []func() error{p.addFleet, p.addStores, p.addProxyDeployment, p.addModelRoute, p.addProviderCredential, p.addKeyProvision, p.addSpendBudget} {
		if err := add(); err != nil {
			return fmt.Errorf("adding a controller: %w", err)
		}
	}
	return nil
}

func newParts(mgr ctrl.Manager, restConfig *rest.Config, options Options) (*parts, error) {
	caches, err := secrets.NewCaches(restConfig, secrets.Options{
		HTTPClient: mgr.GetHTTPClient(), Mapper: mgr.GetRESTMapper(), Scheme: mgr.GetScheme(), Namespaces: watchedNamespaces(options.Config),
	})
	if err != nil {
		return nil, err
	}
	if err := caches.AddTo(mgr); err != nil {
		return nil, err
	}
	clients, err := kubernetes.NewForConfigAndClient(restConfig, mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	wall := clock.RealClock{}
	asker := apiserver.Asker{REST: clients.Discovery().RESTClient(), Live: mgr.GetAPIReader(), Host: restConfig.Host}
	p := &parts{
		mgr: mgr, options: options, clock: wall, secrets: caches,
		lookup: secrets.NewLookup(caches.ProviderKeys, mgr.GetAPIReader(), wall),
		tables: report.NewReader(caches.Managed),
		facts:  apiserver.NewWatcher(asker, wall, mgr.GetLogger().WithName("apiserver")),
	}
	p.issuers = oidc.NewWatcher(oidc.Options{
		Issuers: options.Config.Tokens.Issuers, Ask: oidc.Asker{Config: options.Config, Facts: p.facts}.Keys, Facts: p.facts, Clock: wall,
		Log: mgr.GetLogger().WithName("oidc"),
	})
	p.standing, p.provisions = stores.NewStanding(), keyprovision.NewStanding()
	p.fleet = fleet.New(fleet.Options{
		Identities: p.identity, Stream: control.Client{}.Stream, Clock: wall, Log: mgr.GetLogger().WithName("fleet"),
		KeysWanted: func(issuer string, found func(digest string)) bool {
			return p.facts.KeysWanted(issuer, found) || p.issuers.KeysWanted(issuer, found)
		},
		TellKeys: control.Client{}.TellKeys,
	})
	caller := providercredential.Caller{
		Config: options.Config, Facts: p.facts, Providers: registry.Default(), Clock: wall,
		LongAnswers: make(chan struct{}, providercredential.LongAnswersAtATime),
	}
	p.prober = providercredential.NewProber(caller.Ask)
	if err := mgr.Add(p.facts); err != nil {
		return nil, fmt.Errorf("adding the watcher of the API server: %w", err)
	}
	if err := mgr.Add(p.issuers); err != nil {
		return nil, fmt.Errorf("adding the watcher of OIDC issuers: %w", err)
	}
	return p, nil
}

// identity is the certificate in a namespace's table.
func (p *parts) identity(ctx context.Context, namespace string) (*control.Identity, error) {
	delivered, _, err := p.tables.Table(ctx, namespace)
	if err != nil || delivered == nil {
		return nil, err
	}
	return control.NewIdentity(delivered.Control)
}

func (p *parts) addFleet() error {
	reconciler := &fleet.Reconciler{Client: p.mgr.GetClient(), Fleet: p.fleet}
	return reconciler.SetupWithManager(p.mgr)
}

func (p *parts) addProxyDeployment() error {
	reconciler := &proxydeployment.Reconciler{
		Client: p.mgr.GetClient(), Live: p.mgr.GetAPIReader(), AccessKeys: p.secrets.AccessKeys, Lookup: p.lookup, Tables: p.tables, Facts: p.facts,
		Config: p.options.Config, Events: p.mgr.GetEventRecorder(eventSource), Clock: p.clock, Pace: proxydeployment.NewPace(),
		Probes: p.prober, Stores: p.standing, IssuerKeys: p.issuers,
	}
	if p.options.InCluster {
		reconciler.ManagerNamespace = p.options.Namespace
	}
	return reconciler.SetupWithManager(p.mgr, proxydeployment.Sources{
		Secrets: p.secrets, Facts: p.facts.Source, IssuerKeys: p.issuers.Source, Probes: p.prober.ChangeSource, Stores: p.standing.LedgerSource,
	})
}

func (p *parts) addModelRoute() error {
	reconciler := &modelroute.Reconciler{
		Client: p.mgr.GetClient(), Live: p.mgr.GetAPIReader(), Reports: p.tables, Fleet: p.fleet, Status: p.statusWriter(), Clock: p.clock,
		Config: p.options.Config,
	}
	reconciler.Status.Cause = modelroute.Cause
	return reconciler.SetupWithManager(p.mgr, p.secrets.Managed, p.fleet.Source)
}

func (p *parts) addProviderCredential() error {
	reconciler := &providercredential.Reconciler{
		Client: p.mgr.GetClient(), Lookup: p.lookup, Facts: p.facts, Config: p.options.Config,
		Prober: p.prober, Tables: p.tables, Traffic: p.fleet, Provisions: p.provisions,
		Ages: providercredential.NewAges(metrics.Registry, p.clock), Clock: p.clock,
	}
	reconciler.Status = p.statusWriter()
	reconciler.Status.Notable = providercredential.Notable()
	return reconciler.SetupWithManager(p.mgr, providercredential.Sources{
		Keys: p.secrets.ProviderKeys, Managed: p.secrets.Managed, Provisions: p.provisions.Source(),
	})
}

func (p *parts) addKeyProvision() error {
	opener := keyprovision.Opener{Config: p.options.Config, Facts: p.facts, Providers: registry.Default()}
	reconciler := &keyprovision.Reconciler{
		Client: p.mgr.GetClient(), Live: p.mgr.GetAPIReader(), Keys: p.secrets.ProviderKeys, Tables: p.tables, Open: opener.Open,
		Standing: p.provisions, Events: p.mgr.GetEventRecorder(eventSource), Clock: p.clock, Attempts: keyprovision.NewAttempts(),
	}
	return reconciler.SetupWithManager(p.mgr, p.secrets.ProviderKeys, p.secrets.Managed)
}

func (p *parts) addSpendBudget() error {
	reconciler := &spendbudget.Reconciler{
		Client: p.mgr.GetClient(), Live: p.mgr.GetAPIReader(), Reports: p.tables, Fleet: p.fleet, Usage: usage.NewLines(os.Stdout), Ledgers: p.ledgers(),
		Status: p.statusWriter(spendbudget.Adverse()...), Clock: p.clock,
	}
	reconciler.Status.Notable = spendbudget.Notable()
	return reconciler.SetupWithManager(p.mgr, p.secrets.Managed, p.fleet.Source)
}

func (p *parts) statusWriter(adverse ...string) status.Writer {
	return status.Writer{Client: p.mgr.GetClient(), Events: p.mgr.GetEventRecorder(eventSource), Adverse: adverse}
}
