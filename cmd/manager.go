package cmd

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"signalbox.dev/signalbox/controllers/manager"
	"signalbox.dev/signalbox/controllers/platform"
)

// managerFlags are the flags of the manager.
type managerFlags struct {
	config     string
	kubeconfig string
	logLevel   slog.Level
	options    manager.Options
}

// NewManager returns the subcommand that runs the manager: it compiles routing tables, runs the proxies and writes statuses.
func NewManager() *cobra.Command {
	flags := &managerFlags{}
	command := &cobra.Command{
		Use:   "manager",
		Short: "Run the manager, which looks after the proxies of all namespaces",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return runManager(command, flags)
		},
	}
	set := command.Flags()
	set.StringVar(&flags.config, "config", "", "file with the platform's configuration (required)")
	set.StringVar(&flags.kubeconfig, "kubeconfig", "", "kubeconfig file; without it the manager uses its pod's ServiceAccount, or $KUBECONFIG")
	set.StringVar(&flags.options.Namespace, "namespace", os.Getenv("POD_NAMESPACE"), "namespace that the manager runs in, where its Lease is; $POD_NAMESPACE by default")
	set.BoolVar(&flags.options.LeaderElection, "leader-election", true, "let replicas take turns; switch off for a single process only")
	set.StringVar(&flags.options.MetricsAddr, "metrics-addr", ":8080", `address of the metrics; "0" serves none`)
	set.StringVar(&flags.options.HealthAddr, "health-addr", ":8081", `address of /healthz and /readyz; "0" serves none`)
	set.IntVar(&flags.options.WebhookPort, "webhook-port", 0, "port of the webhook that gives labelled pods a token; 0 serves none")
	set.TextVar(&flags.logLevel, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR")
	return command
}

func runManager(command *cobra.Command, flags *managerFlags) error {
	handler := slog.NewJSONHandler(command.ErrOrStderr(), &slog.HandlerOptions{Level: flags.logLevel})
	logger := logr.FromSlogHandler(handler)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	if flags.config == "" {
		return errors.New("--config is required")
	}
	config, err := platform.Load(flags.config)
	if err != nil {
		return err
	}
	options := flags.options
	options.Config = config
	restConfig, err := loadRESTConfig(flags.kubeconfig)
	if err != nil {
		return err
	}
	_, notPod := rest.InClusterConfig()
	options.InCluster = notPod == nil
	if err := manager.WaitForAPIServer(command.Context(), restConfig, logger); err != nil {
		return err
	}
	mgr, err := manager.New(restConfig, options)
	if err != nil {
		return err
	}
	if err := mgr.Start(command.Context()); err != nil {
		return fmt.Errorf("running the manager: %w", err)
	}
	return nil
}

// loadRESTConfig reads a kubeconfig, or what the environment offers.
func loadRESTConfig(kubeconfig string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return config, nil
}
