// Package report puts results together: what is missing, a table for people, and JSON for programs.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

// Report is the outcome of a run.
type Report struct {
	// Started is when it began, and Seconds how long it took.
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	// Failed counts the results that are not OK.
	Failed int `json:"failed"`
	// Results in the order of clients.
	Results []plan.Result `json:"results"`
}

// Expect lists what a client's program has to report, each as a failure, which the real result replaces.
func Expect(client catalogue.Client, upstreams, checks []string) []plan.Result {
	var all []plan.Result
	for _, surface := range client.Surfaces {
		for _, upstream := range upstreams {
			for _, check := range surface.Checks {
				if surface.Serves(upstream) && (len(checks) == 0 || slices.Contains(checks, check)) {
					all = append(all, plan.Result{Client: client.Name, Surface: surface.Name, Check: check, Upstream: upstream, Problem: "no result: the program did not get there"})
				}
			}
		}
	}
	return all
}

// Merge puts the results of a program in their places. One that was not expected is a failure.
func Merge(expected, got []plan.Result) []plan.Result {
	merged := slices.Clone(expected)
	for _, result := range got {
		at := slices.IndexFunc(merged, func(r plan.Result) bool {
			return r.Client == result.Client && r.Surface == result.Surface && r.Check == result.Check && r.Upstream == result.Upstream
		})
		if at < 0 {
			result.OK, result.Problem = false, "the catalogue does not know this check"
			merged = append(merged, result)
			continue
		}
		merged[at] = result
	}
	return merged
}

// New makes a report.
func New(started time.Time, results []plan.Result) Report {
	r := Report{Started: started, Seconds: time.Since(started).Round(100 * time.Millisecond).Seconds(), Results: results}
	for _, result := range results {
		if !result.OK {
			r.Failed++
		}
	}
	return r
}

// Save writes the report as JSON.
func (r Report) Save(file string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// Signs of the table.
const (
	signOK       = "ok"
	signRefused  = "refused"
	signFailed   = "FAILED"
	signNotTried = "-"
)

// Table is what people read: a line for each client, surface and check, a column for each upstream, and then the reasons.
func (r Report) Table() string {
	columns, rows := r.axes()
	cells := make([][]string, 0, len(rows)+1)
	cells = append(cells, append([]string{"client", "surface", "check"}, columns...))
	for _, row := range rows {
		line := []string{row.Client, row.Surface, row.Check}
		for _, upstream := range columns {
			line = append(line, r.cell(row, upstream))
		}
		cells = append(cells, line)
	}
	return align(cells) + r.reasons() + r.problems()
}

// axes are the upstreams, and the checks without upstream, in the order of their first appearance.
func (r Report) axes() (columns []string, rows []plan.Result) {
	for _, result := range r.Results {
		if !slices.Contains(columns, result.Upstream) {
			columns = append(columns, result.Upstream)
		}
		row := plan.Result{Client: result.Client, Surface: result.Surface, Check: result.Check}
		if !slices.Contains(rows, row) {
			rows = append(rows, row)
		}
	}
	return columns, rows
}

func (r Report) cell(row plan.Result, upstream string) string {
	at := slices.IndexFunc(r.Results, func(x plan.Result) bool {
		return x.Client == row.Client && x.Surface == row.Surface && x.Check == row.Check && x.Upstream == upstream
	})
	switch {
	case at < 0:
		return signNotTried
	case !r.Results[at].OK:
		return signFailed
	case r.Results[at].Expected != "":
		return signRefused
	default:
		return signOK
	}
}

// align makes columns of equal width.
func align(cells [][]string) string {
	widths := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var out strings.Builder
	for _, line := range cells {
		for i, cell := range line {
			fmt.Fprintf(&out, "%-*s  ", widths[i], cell)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// reasons of refusals, each once with what it is about.
func (r Report) reasons() string {
	about := map[string][]string{}
	var order []string
	for _, result := range r.Results {
		if !result.OK || result.Expected == "" {
			continue
		}
		if about[result.Expected] == nil {
			order = append(order, result.Expected)
		}
		pair := result.Surface + "/" + result.Check + " on " + result.Upstream
		if !slices.Contains(about[result.Expected], pair) {
			about[result.Expected] = append(about[result.Expected], pair)
		}
	}
	var out strings.Builder
	for _, reason := range order {
		fmt.Fprintf(&out, "refused: %s (%s)\n", reason, strings.Join(about[reason], ", "))
	}
	return out.String()
}

// problems lists the failures.
func (r Report) problems() string {
	var out strings.Builder
	for _, result := range r.Results {
		if !result.OK {
			fmt.Fprintf(&out, "%s: %s %s/%s on %s: %s\n", signFailed, result.Client, result.Surface, result.Check, result.Upstream, firstLine(result.Problem))
		}
	}
	fmt.Fprintf(&out, "%d checks, %d failed, %.1f s\n", len(r.Results), r.Failed, r.Seconds)
	return out.String()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
