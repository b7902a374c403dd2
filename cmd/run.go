package cmd

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/proxy/dataplane"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/file"
	"signalbox.dev/signalbox/standalone"
)

// localPod is the owner of what a standalone proxy counts: its state directory has one user at a time.
const localPod = "local"

// runOptions are the flags of `signalbox run`.
type runOptions struct {
	addr        string
	metricsAddr string
	namespace   string
	stateDir    string
	drainLimit  time.Duration
}

// NewRun returns the command that serves manifests without a cluster.
func NewRun() *cobra.Command {
	options := runOptions{}
	command := &cobra.Command{
		Use:   "run FILE...",
		Short: "Serve manifests on this machine, without a cluster",
		Long: "Run reads the same manifests that a cluster takes, Secrets with stringData included, and serves them in one process. It reads them again\n" +
			"when they change; files with errors are reported and leave in force what was. Callers need an access key; there are no ServiceAccounts.",
		Example: "  signalbox run config/samples/\n  signalbox run routes.yaml keys.yaml --addr 127.0.0.1:9000",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, paths []string) error {
			return run(command, paths, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.addr, "addr", "127.0.0.1:8080", "address to serve on")
	flags.StringVar(&options.metricsAddr, "metrics-addr", "127.0.0.1:9090", "address for metrics and health; empty for none")
	flags.StringVarP(&options.namespace, "namespace", "n", "", "namespace to serve, and that of objects that name none (default: that of the objects)")
	flags.StringVar(&options.stateDir, "state-dir", "", "directory for what was spent (default: signalbox in the user's cache directory)")
	flags.DurationVar(&options.drainLimit, "drain-limit", 30*time.Second, "how long requests may take to end after a SIGTERM")
	return command
}

func run(command *cobra.Command, paths []string, options runOptions) (err error) {
	ctx := command.Context()
	loader, err := standalone.New(ctx, standalone.Options{
		Paths: paths, Namespace: options.namespace, Stdin: command.InOrStdin(), Findings: command.ErrOrStderr(), Now: time.Now,
	})
	if err != nil {
		return err
	}
	dir, err := stateFolder(options.stateDir, loader.Table().Namespace)
	if err != nil {
		return err
	}
	store, err := file.Open(dir)
	if err != nil {
		return fmt.Errorf("opening the ledger: %w", err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	started := time.Now()
	plane, err := dataplane.New(ctx, dataplane.Options{
		Addr: options.addr, MetricsAddr: options.metricsAddr, Pod: localPod, PodUID: localPod, Source: loader,
		Owner: ledger.NewOwner(localPod, started), Store: store, StartedAt: started, DrainLimit: options.drainLimit,
		JournalDir: filepath.Join(dir, "journal"), Records: command.OutOrStdout(),
		HTTPProxy: http.ProxyFromEnvironment, Log: slog.New(slog.NewTextHandler(command.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		AccessLog: command.OutOrStdout(),
	})
	if err != nil {
		return err
	}
	at := standalone.Addresses{Requests: plane.Addr().String()}
	if metrics := plane.MetricsAddr(); metrics != nil {
		at.Metrics = metrics.String()
	}
	if _, err := io.WriteString(command.OutOrStdout(), loader.Summary(at)); err != nil {
		return errors.Join(fmt.Errorf("printing: %w", err), plane.Close())
	}
	return plane.Run(ctx)
}

// stateFolder is where what was spent in a namespace is kept.
func stateFolder(dir, namespace string) (string, error) {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("finding a directory for what was spent, name one with --state-dir: %w", err)
		}
		dir = filepath.Join(cache, "signalbox")
	}
	return filepath.Join(dir, namespace), nil
}
