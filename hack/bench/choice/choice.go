// Package choice reads what Go's own benchmark says of the choice among targets, which is too short to be seen from outside of the proxy.
package choice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/hack/bench/report"
)

// line is one result: the part of the name after the last slash, without the number of processors that Go appends to it, and the figures of -benchmem.
// In between stands what the benchmark reports besides.
var line = regexp.MustCompile(`^Benchmark\S*/(\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op\b.*?\s([0-9.]+) B/op\s+([0-9.]+) allocs/op`)

// Run starts the command line and reads its results.
func Run(ctx context.Context, commandLine string) ([]report.Choice, error) {
	words := strings.Fields(commandLine)
	if len(words) == 0 {
		return nil, errors.New("benchmarking the choice: empty command line")
	}
	var problems bytes.Buffer
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("benchmarking the choice: %w: %s%s", err, output, problems.Bytes())
	}
	return Parse(output)
}

// Parse reads the results out of a benchmark's output, in their order. Of several runs of a strategy the fastest counts, for whatever else the machine does
// only makes them slower; of their allocations the most.
func Parse(output []byte) ([]report.Choice, error) {
	var choices []report.Choice
	for text := range strings.Lines(string(output)) {
		match := line.FindStringSubmatch(text)
		if match == nil {
			continue
		}
		var figures [3]float64
		for i := range figures {
			figure, err := strconv.ParseFloat(match[i+2], 64)
			if err != nil {
				return nil, fmt.Errorf("reading %q: %w", text, err)
			}
			figures[i] = figure
		}
		choices = add(choices, report.Choice{Strategy: match[1], Nanos: figures[0], Bytes: figures[1], Allocs: figures[2]})
	}
	if len(choices) == 0 {
		return nil, errors.New("benchmarking the choice: no result with time and allocations found")
	}
	return choices, nil
}

// add takes a run in.
func add(choices []report.Choice, run report.Choice) []report.Choice {
	at := slices.IndexFunc(choices, func(c report.Choice) bool { return c.Strategy == run.Strategy })
	if at < 0 {
		return append(choices, run)
	}
	known := &choices[at]
	known.Nanos, known.Bytes, known.Allocs = min(known.Nanos, run.Nanos), max(known.Bytes, run.Bytes), max(known.Allocs, run.Allocs)
	return choices
}
