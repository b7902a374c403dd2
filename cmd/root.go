// Package cmd holds the subcommands. Each one wires parts together and decides nothing.
package cmd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Execute runs the subcommand that args name until it ends or a SIGINT or SIGTERM arrives, and returns the exit code.
func Execute(version string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := newRoot(version)
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "signalbox: "+err.Error())
		return 1
	}
	return 0
}

func newRoot(version string) *cobra.Command {
	root := &cobra.Command{
		Use:           "signalbox",
		Short:         "LLM routing inside your own cluster",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(NewManager(), NewProxy(), NewRun(), NewCheck(), NewCompare(), NewPrices(), NewUsage(), NewLedger(), NewKey())
	return root
}
