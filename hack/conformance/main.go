// Command conformance runs real client libraries against the proxy in front of fake providers of every dialect, or against the fakes themselves. Its
// subcommands:
//
//	run         the libraries
//	model       a real model
//	collection  write the Postman collection and the page of curl commands
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"signalbox.dev/signalbox/hack/conformance/report"
)

// options are the flags.
type options struct {
	bin, sources, out string
	fakes             bool
	client, upstream  string
	checks            string
	collection        string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := choose(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		stop()
		os.Exit(1)
	}
}

// choose runs a subcommand.
func choose(ctx context.Context, args []string) error {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "run":
		return run(ctx, args)
	case "model":
		return runModel(ctx, args)
	case "collection":
		return writeCollection(args)
	default:
		return fmt.Errorf("there is no subcommand %q; it is run, model or collection", name)
	}
}

// parse reads the flags.
func parse(args []string) (options, error) {
	var o options
	set := flag.NewFlagSet("conformance", flag.ContinueOnError)
	set.StringVar(&o.bin, "bin", "bin", "folder of signalbox and fakeprovider, and of conformance/ with the libraries")
	set.StringVar(&o.sources, "sources", "hack/conformance/clients", "folder of the clients' sources")
	set.StringVar(&o.out, "out", "bin/conformance.json", "file for the results")
	set.BoolVar(&o.fakes, "fakes", false, "call the vendors' fakes directly, without the proxy")
	set.StringVar(&o.client, "client", "", "regular expression of the clients to run; all when empty")
	set.StringVar(&o.upstream, "upstream", "", "regular expression of the upstreams; all when empty")
	set.StringVar(&o.collection, "collection", "docs/postman/signalbox.json", "the Postman collection")
	set.StringVar(&o.checks, "checks", "", "names of the checks to make, with commas; all when empty")
	if err := set.Parse(args); err != nil {
		return o, fmt.Errorf("reading flags: %w", err)
	}
	for _, path := range []*string{&o.bin, &o.sources, &o.collection} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return o, fmt.Errorf("finding %s: %w", *path, err)
		}
		*path = absolute
	}
	return o, nil
}

// folders are where libraries are installed and where logs go, which is made.
func (o options) folders() (installed, logs string, err error) {
	installed = filepath.Join(o.bin, "conformance")
	logs = filepath.Join(installed, "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return "", "", fmt.Errorf("making the folder of logs: %w", err)
	}
	return installed, logs, nil
}

// finish prints and saves a report. The error counts what failed.
func finish(outcome report.Report, file string) error {
	fmt.Print(outcome.Table())
	if err := outcome.Save(file); err != nil {
		return err
	}
	if outcome.Failed > 0 {
		return fmt.Errorf("%d of %d checks failed", outcome.Failed, len(outcome.Results))
	}
	return nil
}
