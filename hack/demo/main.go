// Command demo shows Signalbox at work: on a cluster that it boots on this machine, as processes around a real API server where no containers run, or on a
// cluster that it is given. `make demo`, `make demo-down` and `make run` start it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"signalbox.dev/signalbox/hack/demo/laptop"
	"signalbox.dev/signalbox/hack/demo/node"
	"signalbox.dev/signalbox/hack/demo/scenario"
	"signalbox.dev/signalbox/hack/demo/shell"
	"signalbox.dev/signalbox/hack/demo/tier"
)

// removalLimit bounds the removal of what an earlier demo left.
const removalLimit = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stopped := ctx.Err() != nil
	stop()
	if err == nil {
		return
	}
	if stopped {
		err = errors.New("stopped")
	}
	fmt.Fprintln(os.Stderr, "\ndemo:", err)
	if len(os.Args) > 1 && os.Args[1] == "up" {
		fmt.Fprintln(os.Stderr, "What was started is still there to look at; `make demo-down` removes it.")
	}
	os.Exit(1)
}

func run(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context, shell.Shell, string) error{"up": up, "down": down, "node": runNode, "run": runLaptop}
	if len(args) == 0 || commands[args[0]] == nil {
		return errors.New("usage: demo up|down|run --root FOLDER")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	root := flags.String("root", ".", "the repository's folder")
	server := flags.String("server", "", "URL of the API server, for node")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	absolute, err := filepath.Abs(*root)
	if err != nil {
		return fmt.Errorf("finding the repository: %w", err)
	}
	sh := shell.Shell{Root: absolute, State: filepath.Join(absolute, "bin", "demo-state"), Out: os.Stdout}
	return commands[args[0]](ctx, sh, *server)
}

// up removes an earlier demo and shows a new one.
func up(ctx context.Context, sh shell.Shell, _ string) error {
	wishes := tier.Wishes{
		Kubeconfig: os.Getenv("DEMO_KUBECONFIG"),
		Loading:    tier.Loading{Command: os.Getenv("DEMO_LOAD"), Registry: os.Getenv("DEMO_REGISTRY")},
		Processes:  os.Getenv("DEMO_PROCESSES"),
	}
	ground, err := tier.Choose(ctx, sh, wishes)
	if err != nil {
		return err
	}
	fmt.Println("tier " + ground.Title())
	if err := remove(ctx, sh); err != nil {
		return fmt.Errorf("removing an earlier demo: %w", err)
	}
	progress := shell.NewProgress(os.Stdout)
	err = scenario.Run(ctx, ground, progress, os.Stdout)
	if broken := (*tier.BootError)(nil); errors.As(err, &broken) && ctx.Err() == nil {
		fmt.Printf("\n%v\n", err)
		if err := tier.RemoveMachine(ctx, sh); err != nil {
			return err
		}
		ground = tier.NewProcesses(sh, "a cluster did not boot: "+tier.Reason(broken.Err))
		fmt.Println("tier " + ground.Title())
		err = scenario.Run(ctx, ground, progress, os.Stdout)
	}
	return err
}

func down(ctx context.Context, sh shell.Shell, _ string) error {
	if err := remove(ctx, sh); err != nil {
		return err
	}
	fmt.Println("nothing of the demo is left")
	return nil
}

// remove removes what demos of all tiers left.
func remove(ctx context.Context, sh shell.Shell) error {
	limited, cancel := context.WithTimeout(ctx, removalLimit)
	defer cancel()
	if err := errors.Join(tier.RemoveMachine(limited, sh), tier.RemoveGiven(limited, sh)); err != nil {
		return err
	}
	// Last, for its folder holds what the others must know.
	return tier.RemoveProcesses(limited, sh)
}

// runNode runs the pods of tier (b) until it is asked to end.
func runNode(ctx context.Context, sh shell.Shell, server string) error {
	options, err := tier.NodeOptions(sh, server)
	if err != nil {
		return err
	}
	options.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	return node.New(options).Run(ctx)
}

// runLaptop serves the samples without any cluster until it is asked to end.
func runLaptop(ctx context.Context, sh shell.Shell, _ string) error {
	sh.State = filepath.Join(sh.Root, "bin", "run-state")
	return laptop.Run(ctx, sh)
}
