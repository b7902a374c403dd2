package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"signalbox.dev/signalbox/hack/bench/control"
)

type controlFlags struct {
	options control.Options
	out     string
}

func parseControl(args []string) (controlFlags, error) {
	f := controlFlags{options: control.Options{Say: say}}
	set := flag.NewFlagSet("bench control", flag.ContinueOnError)
	set.StringVar(&f.options.Kubectl, "kubectl", "bin/kubectl", "the kubectl to apply with")
	set.StringVar(&f.options.Kubeconfig, "kubeconfig", "bin/kubeconfig", "kubeconfig file of the cluster")
	set.StringVar(&f.options.Namespace, "namespace", "signalbox-bench", "namespace to make for the run and to delete after it")
	set.StringVar(&f.options.Endpoint, "endpoint", "", "base URL of an OpenAI-compatible server that serves gpt-4o-mini and that the proxy can reach, such as the fake provider's Service")
	set.StringVar(&f.options.ProxyAddr, "proxy-addr", "", "host:port of the namespace's proxy; empty for a port-forward")
	set.StringVar(&f.out, "out", "bin/bench-control.json", "JSON file to write")
	set.IntVar(&f.options.Samples, "samples", 50, "routes timed at each size")
	sizes := set.String("sizes", "10,100,1000", "numbers of routes beside the new one, growing")
	if err := set.Parse(args); err != nil {
		return f, fmt.Errorf("reading flags: %w", err)
	}
	for text := range strings.SplitSeq(*sizes, ",") {
		size, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return f, fmt.Errorf("reading sizes: %w", err)
		}
		f.options.Sizes = append(f.options.Sizes, size)
	}
	if err := f.options.Validate(); err != nil {
		return f, fmt.Errorf("reading flags: %w", err)
	}
	return f, nil
}

// runControl measures and prints the control plane. What was measured before an error is printed too.
func runControl(ctx context.Context, args []string) error {
	f, err := parseControl(args)
	if err != nil {
		return err
	}
	figures, err := control.Measure(ctx, f.options)
	if len(figures) == 0 {
		return err
	}
	return errors.Join(err, writeJSON(f.out, figures), printControl(figures))
}

func printControl(figures []control.Figures) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "routes\tsamples\tapply to first answer p50 ms\tp99 ms\tafter kubectl ended p50 ms\tp99 ms\t") // the writer keeps errors for Flush
	for _, f := range figures {
		_, _ = fmt.Fprintf(w, "%d\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t\n", f.Routes, f.Samples, f.P50, f.P99, f.AfterApplyP50, f.AfterApplyP99)
	}
	return w.Flush()
}
