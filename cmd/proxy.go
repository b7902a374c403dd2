package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/klog/v2"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/dataplane"
	"signalbox.dev/signalbox/proxy/feed"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/kubernetes"
	"signalbox.dev/signalbox/proxy/server"
	"signalbox.dev/signalbox/proxy/usage/journal"
	"signalbox.dev/signalbox/proxy/workload"
)

// proxyFlags are the flags of the proxy.
type proxyFlags struct {
	kubeconfig  string
	namespace   string
	tableSecret string
	tableDir    string
	addr        string
	tlsAddr     string
	tlsDir      string
	controlAddr string
	metricsAddr string
	pod         string
	podUID      string
	podIP       string
	peers       string
	journalDir  string
	journalSize int64
	ledgerStore string
	drainDelay  time.Duration
	drainLimit  time.Duration
	logLevel    slog.Level
	limits      server.Limits
}

// NewProxy returns the subcommand that runs the proxy of one namespace.
func NewProxy() *cobra.Command {
	flags := &proxyFlags{}
	command := &cobra.Command{
		Use:   "proxy",
		Short: "Run the proxy of one namespace, which answers the calls",
		Long: "Proxy serves the routing table that the manager keeps in a Secret of the namespace. The manager starts it; to serve manifests without a\n" +
			"cluster use `signalbox run`. On SIGTERM it takes connections for the drain delay, and then lets requests end up to the drain limit.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return runProxy(command, flags)
		},
	}
	set := command.Flags()
	set.StringVar(&flags.kubeconfig, "kubeconfig", "", "kubeconfig file; without it the proxy uses its pod's ServiceAccount, or $KUBECONFIG")
	set.StringVar(&flags.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "namespace that is served; $POD_NAMESPACE by default")
	set.StringVar(&flags.tableSecret, "table-secret", "signalbox-table", "name of the Secret that holds the routing table")
	set.StringVar(&flags.tableDir, "table-dir", "", "directory that the same Secret is mounted at, for a start without the API server; empty if it is not")
	set.StringVar(&flags.addr, "addr", ":8080", "address to answer calls on; empty for none, with --tls-addr")
	set.StringVar(&flags.tlsAddr, "tls-addr", "", "address to answer calls on with TLS; empty for none")
	set.StringVar(&flags.tlsDir, "tls-dir", "", "directory of the certificate, tls.crt and tls.key, which is read again when it changes")
	set.StringVar(&flags.controlAddr, "control-addr", ":8443", "address of the control port, where the manager reads what is served and replicas talk to each other; empty for none")
	set.StringVar(&flags.metricsAddr, "metrics-addr", ":9090", "address of /metrics, /healthz and /readyz; empty for none")
	set.StringVar(&flags.pod, "pod", os.Getenv("POD_NAME"), "name of the pod; $POD_NAME by default")
	set.StringVar(&flags.podUID, "pod-uid", os.Getenv("POD_UID"), "UID of the pod; $POD_UID by default")
	set.StringVar(&flags.podIP, "pod-ip", os.Getenv("POD_IP"), "address of the pod; $POD_IP by default. Without it the other replicas are not looked for")
	set.StringVar(&flags.peers, "peers-service", "signalbox-control", "DNS name of the headless Service of the replicas' control ports; empty if there is none")
	set.StringVar(&flags.journalDir, "journal-dir", "", "directory of the journal of attempts and usage records, which the next process of this pod goes on with; empty keeps it in memory")
	set.Int64Var(&flags.journalSize, "journal-bytes", journal.DefaultMaxBytes, "the most that the journal takes")
	set.StringVar(&flags.ledgerStore, "ledger-store", "", "digest of the store that the first routing table must keep its ledgers in, as the manager gives it; empty for any")
	set.DurationVar(&flags.drainDelay, "drain-delay", dataplane.DefaultDrainDelay, "how long connections are taken after SIGTERM, while readiness fails")
	set.DurationVar(&flags.drainLimit, "drain-limit", dataplane.DefaultDrainLimit, "how long requests may take to end after that")
	set.TextVar(&flags.logLevel, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR; the access log has no level")
	set.Int64Var(&flags.limits.BodyBytes, "max-body-bytes", 32<<20, "largest request body; at most half of --max-buffered-bytes, for a body is held twice while it is sent")
	set.Int64Var(&flags.limits.BufferedBytes, "max-buffered-bytes", 1<<30, "memory that the bodies of all requests and answers may take together")
	set.Int64Var(&flags.limits.Concurrent, "max-concurrent", 4096, "requests that are answered at a time; more are refused")
	return command
}

func (f *proxyFlags) validate() error {
	_, err := f.parsePodIP()
	switch {
	case err != nil:
		return fmt.Errorf("reading --pod-ip: %w", err)
	case f.namespace == "":
		return errors.New("--namespace is required")
	case f.podUID == "":
		return errors.New("--pod-uid is required: what a proxy counts is kept by it")
	case f.drainDelay < 0 || f.drainLimit < 0:
		return errors.New("--drain-delay and --drain-limit must not be negative")
	case f.journalSize < journal.MinBytes:
		return fmt.Errorf("--journal-bytes must be at least %d", journal.MinBytes)
	case f.limits.BodyBytes <= 0 || f.limits.BufferedBytes <= 0 || f.limits.Concurrent <= 0:
		return errors.New("--max-body-bytes, --max-buffered-bytes and --max-concurrent must be greater than zero")
	default:
		return f.validateAddresses()
	}
}

func (f *proxyFlags) validateAddresses() error {
	if f.addr == "" && f.tlsAddr == "" {
		return errors.New("--addr or --tls-addr is required")
	}
	if (f.tlsAddr == "") != (f.tlsDir == "") {
		return errors.New("--tls-addr and --tls-dir go together")
	}
	return nil
}

// bounded lowers the largest body to what can ever be held: a larger one would be told to come back for ever.
func (f *proxyFlags) bounded() server.Limits {
	limits := f.limits
	limits.BodyBytes = min(limits.BodyBytes, max(1, limits.BufferedBytes/2))
	return limits
}

// parsePodIP returns an address that is not valid when none is given.
func (f *proxyFlags) parsePodIP() (netip.Addr, error) {
	if f.podIP == "" {
		return netip.Addr{}, nil
	}
	return netip.ParseAddr(f.podIP)
}

// lookup asks a Service for the addresses of its pods, of the family that a pod itself has; nil without either. Go's own resolver keeps nothing, so each
// answer is a new one of the cluster's DNS.
func lookup(service string, pod netip.Addr) func(context.Context) ([]netip.Addr, error) {
	if service == "" || !pod.IsValid() {
		return nil
	}
	family := "ip6"
	if pod.Unmap().Is4() {
		family = "ip4"
	}
	resolver := &net.Resolver{PreferGo: true}
	return func(ctx context.Context) ([]netip.Addr, error) { return resolver.LookupNetIP(ctx, family, service) }
}

func runProxy(command *cobra.Command, flags *proxyFlags) error {
	started := time.Now()
	if err := flags.validate(); err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(command.ErrOrStderr(), &slog.HandlerOptions{Level: flags.logLevel}))
	klog.SetSlogLogger(log)
	clock := kubernetes.NewClock()
	core, err := newCoreClient(flags.kubeconfig, clock.Wrap)
	if err != nil {
		return err
	}
	podIP, err := flags.parsePodIP()
	if err != nil {
		return err
	}
	plane, err := dataplane.New(command.Context(), dataplane.Options{
		Addr: flags.addr, TLSAddr: flags.tlsAddr, TLSDir: flags.tlsDir, MetricsAddr: flags.metricsAddr, ControlAddr: flags.controlAddr, Pod: flags.pod, PodUID: flags.podUID,
		Version: command.Root().Version,
		PodIP:   podIP, LookupPeers: lookup(flags.peers, podIP),
		Source: &feed.Cluster{Secrets: core.Secrets(flags.namespace), Name: flags.tableSecret, Dir: flags.tableDir, Log: log},
		Owner:  ledger.NewOwner(flags.podUID, started), Store: kubernetes.New(core, flags.namespace, log).WithClock(clock), StartedAt: started,
		OpenValkey: openValkey(log), LedgerStore: flags.ledgerStore, JournalDir: flags.journalDir, JournalBytes: flags.journalSize,
		OpenPostgres: openPostgres, OpenOTLP: openOTLP(flags.namespace, flags.pod, command.Root().Version), Records: command.OutOrStdout(),
		Tokens: workload.New(workload.Options{
			ServiceAccounts: core.ServiceAccounts(flags.namespace), Name: v1alpha1.ProxyName, Pod: flags.pod, PodUID: flags.podUID,
		}),
		DrainDelay: flags.drainDelay, IdleGrace: dataplane.DefaultIdleGrace, DrainLimit: flags.drainLimit, Limits: flags.bounded(), HTTPProxy: http.ProxyFromEnvironment,
		Log: log, AccessLog: command.OutOrStdout(),
	})
	if err != nil {
		return err
	}
	log.Info("proxy started", "namespace", flags.namespace, "addr", flags.addr, "tls_addr", flags.tlsAddr)
	if err := plane.Run(command.Context()); err != nil {
		return fmt.Errorf("running the proxy: %w", err)
	}
	return nil
}

// newCoreClient returns a client that leaves the pace of its few calls to the API server. wraps go around its transport.
func newCoreClient(kubeconfig string, wraps ...func(http.RoundTripper) http.RoundTripper) (*typedcorev1.CoreV1Client, error) {
	config, err := loadRESTConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	for _, wrap := range wraps {
		config.Wrap(wrap)
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client, err := typedcorev1.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client for the API server: %w", err)
	}
	return client, nil
}
