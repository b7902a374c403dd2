package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"

	"signalbox.dev/signalbox/hack/cluster/boot"
	"signalbox.dev/signalbox/hack/cluster/component"
	"signalbox.dev/signalbox/hack/cluster/holder"
)

// runCommand runs a command that works on a cluster of this machine.
func runCommand(ctx context.Context, name string, arguments []string) error {
	if name == holder.Subcommand {
		return holder.Hold(os.Stdin, os.Stdout)
	}
	command, found := commands()[name]
	if !found {
		return errUsage
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	call := call{options: boot.Options{Out: os.Stdout}}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&call.options.Name, "name", boot.DefaultName, "name of the cluster")
	flags.StringVar(&call.options.Bin, "bin", filepath.Dir(self), "folder of the Kubernetes programs")
	flags.StringVar(&call.options.Kubeconfig, "kubeconfig", "", "kubeconfig to write (default: kubeconfig in the folder of programs)")
	flags.IntVar(&call.options.Nodes, "nodes", 1, "number of nodes")
	flags.IntVar(&call.node, "node", 1, "number of the node, from 1")
	if err := flags.Parse(arguments); err != nil {
		return errUsage
	}
	call.arguments = flags.Args()
	if len(call.arguments) < command.least || len(call.arguments) > command.most {
		return errUsage
	}
	return command.run(ctx, call)
}

type call struct {
	options   boot.Options
	node      int
	arguments []string
}

type command struct {
	least, most int
	run         func(context.Context, call) error
}

func commands() map[string]command {
	const many = 1000
	return map[string]command{
		"up":     {run: func(ctx context.Context, c call) error { return boot.Up(ctx, c.options) }},
		"down":   {run: func(ctx context.Context, c call) error { return boot.Down(ctx, c.options) }},
		"status": {run: func(ctx context.Context, c call) error { return boot.Status(ctx, c.options) }},
		"check":  {run: func(ctx context.Context, c call) error { return boot.Check(ctx, c.options) }},
		"load":   {1, many, func(ctx context.Context, c call) error { return boot.Load(ctx, c.options, c.arguments) }},
		"exec":   {1, many, func(_ context.Context, c call) error { return boot.Exec(c.options, c.node, c.arguments) }},
		"stop":   {1, 1, func(_ context.Context, c call) error { return boot.Stop(c.options, c.arguments[0], c.node) }},
		"start":  {1, 1, func(ctx context.Context, c call) error { return boot.Start(ctx, c.options, c.arguments[0], c.node) }},
		"stop-apiserver": {run: func(_ context.Context, c call) error {
			return boot.Stop(c.options, component.APIServer, 1)
		}},
		"start-apiserver": {run: func(ctx context.Context, c call) error {
			return boot.Start(ctx, c.options, component.APIServer, 1)
		}},
		"folder":   {run: func(_ context.Context, c call) error { return boot.Folder(c.options, c.node) }},
		"packages": {0, many, func(ctx context.Context, c call) error { return boot.Install(ctx, c.options, c.arguments) }},
	}
}
