// Command conformance runs real client libraries against the proxy in front of fake providers of every dialect, or against the fakes themselves. Its
// subcommands:
//
//	run         the libraries
//	collection  write the Postman collection and the page of curl commands
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/collection"
	"signalbox.dev/signalbox/hack/conformance/plan"
	"signalbox.dev/signalbox/hack/conformance/report"
	"signalbox.dev/signalbox/hack/conformance/runner"
	"signalbox.dev/signalbox/hack/conformance/world"
)

// image is a PNG of 7 times 5 pixels, whose base64 has both of the letters that differ between its alphabets.
const image = "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFCAIAAAAG+GGPAAAAeUlEQVR4nAFuAJH/AIK3Du5/GlA5vvB+wjR/Bm7Qj13HUQAkR+NA" +
	"QwACa25UVZSgZWhdZMSYC7gA1FRKhyGpmgGtIZ61nPahXvbxWh2DAAu3zgnWu8AE5xdcZDx97LC1gOw3vACXEt0uaq65S66NL5+inFooTJ73UhiQ6DJhKA1QYAAAAABJRU5ErkJggg=="

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
	case "collection":
		return writeCollection(args)
	default:
		return fmt.Errorf("there is no subcommand %q; it is run or collection", name)
	}
}

// writeCollection writes the files that are made from package collection.
func writeCollection(args []string) error {
	set := flag.NewFlagSet("collection", flag.ContinueOnError)
	docs := set.String("docs", "docs", "folder of the documentation")
	if err := set.Parse(args); err != nil {
		return fmt.Errorf("reading flags: %w", err)
	}
	data, err := collection.Postman()
	if err != nil {
		return err
	}
	folder := filepath.Join(*docs, "postman")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("making the folder of the collection: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "signalbox.json"), data, 0o644); err != nil {
		return fmt.Errorf("writing the collection: %w", err)
	}
	if err := os.WriteFile(filepath.Join(*docs, "curl.md"), []byte(collection.Curl()), 0o644); err != nil {
		return fmt.Errorf("writing the page of commands: %w", err)
	}
	return nil
}

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

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	started := time.Now()
	clients, err := o.clients()
	if err != nil {
		return err
	}
	logs := filepath.Join(o.bin, "conformance", "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return fmt.Errorf("making the folder of logs: %w", err)
	}
	fake, err := world.StartFake(ctx, filepath.Join(o.bin, "fakeprovider"), logs, world.ProviderKey, catalogue.Upstreams())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fake.Stop()) }()
	r := runner.Runner{Sources: o.sources, Installed: filepath.Join(o.bin, "conformance"), Logs: logs, Exceptions: catalogue.Exceptions()}
	base := plan.Plan{Control: fake.Control, Text: world.Text, Image: image, Busy: world.Busy, Broken: world.Broken, Checks: o.checkNames(), Collection: o.collection}
	var results []plan.Result
	if o.fakes {
		results, err = againstFakes(ctx, r, base, fake, clients)
	} else {
		results, err = againstProxy(ctx, r, base, fake, o)
	}
	if err != nil {
		return err
	}
	outcome := report.New(started, results)
	fmt.Print(outcome.Table())
	if err := outcome.Save(o.out); err != nil {
		return err
	}
	if outcome.Failed > 0 {
		return fmt.Errorf("%d of %d checks failed", outcome.Failed, len(results))
	}
	return nil
}
