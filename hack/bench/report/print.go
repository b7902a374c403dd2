package report

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// printer writes rows of cells in columns; an empty line begins a new table. Errors are kept by the writer below for Flush.
type printer struct {
	*tabwriter.Writer
}

func (p printer) row(format string, args ...any) { _, _ = fmt.Fprintf(p, format+"\t\n", args...) }

func (p printer) gap() { _, _ = fmt.Fprintln(p) }

// Print writes the report as tables.
func (r *Report) Print(out io.Writer) error {
	p := printer{tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)}
	pinning := "not pinned"
	if r.Pinned {
		pinning = "both proxies pinned to one of them"
	}
	_, _ = fmt.Fprintf(p, "\n%s as plain reverse proxy is the reference. %d CPUs, %s; load average at start %s; %d connections, no retries, %d rounds of %s each, alternating.\n",
		r.Reference, r.CPUs, pinning, r.LoadAverage, r.Connections, r.Rounds, r.RoundTime)
	p.gap()
	proxies, ways := [2]string{Reference, Proxy}, [2]string{"passed", "translated"}
	printPlain(p, "plain", proxies, r.Plain)
	printStream(p, "streams", proxies, r.Stream)
	printPlain(p, "OpenAI to Anthropic, plain", ways, r.TranslatedPlain)
	printStream(p, "OpenAI to Anthropic, streams", ways, r.TranslatedStream)
	r.printMemory(p)
	r.printForwarding(p)
	r.Routing.print(p)
	r.Money.print(p)
	p.row("goal\tat most\tmeasured\t")
	for _, g := range r.Goals {
		p.row("%s\t%.4g\t%.4g\t%s", g.Name, g.Limit, g.Actual, map[bool]string{true: "met", false: "MISSED"}[g.Met])
	}
	if err := p.Flush(); err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	return nil
}

// printPlain writes a comparison of plain requests: the reference first.
func printPlain(p printer, title string, names [2]string, l Load) {
	p.row("%s\tattempts\tfailed\trequests/s\tp50 ms\tp95 ms\tp99 ms\tCPU µs/request\tMiB under load", title)
	row := func(name string, f LoadFigures) {
		p.row("%s\t%d\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%.1f\t%.1f", name, f.Attempts, f.Failures, f.RequestsPerSecond, f.P50Millis, f.P95Millis, f.P99Millis,
			f.CPUMicrosPerRequest, f.LoadedMiB)
	}
	row(names[0], l.Reference)
	row(names[1], l.Proxy)
	p.row("times %s\t\t\t%.2f\t\t\t\t%.2f\t", names[0], l.ThroughputRatio, l.CPURatio)
	p.gap()
}

// printStream writes a comparison of streams.
func printStream(p printer, title string, names [2]string, l Load) {
	p.row("%s\tattempts\tfailed\tevents/s\tp50 ms\tp95 ms\tp99 ms\tCPU µs/1000 events\tMiB under load", title)
	row := func(name string, f LoadFigures) {
		p.row("%s\t%d\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f", name, f.Attempts, f.Failures, f.EventsPerSecond, f.P50Millis, f.P95Millis, f.P99Millis,
			f.CPUMicrosPer1000Events, f.LoadedMiB)
	}
	row(names[0], l.Reference)
	row(names[1], l.Proxy)
	p.row("times %s\t\t\t\t\t\t\t%.2f\t", names[0], l.CPURatio)
	p.gap()
}

func (r *Report) printMemory(p printer) {
	p.row("memory\tidle MiB\topen streams\twith them MiB\tKiB/stream")
	for _, name := range []string{Reference, Proxy} {
		m := r.Memory[name]
		p.row("%s\t%.1f\t%d\t%.1f\t%.1f", name, m.IdleMiB, m.StreamsOpen, m.StreamsMiB, m.KiBPerStream)
	}
	p.row("times %s\t%.2f\t\t\t%.2f", Reference, ratio(r.Memory[Proxy].IdleMiB, r.Memory[Reference].IdleMiB), ratio(r.Memory[Proxy].KiBPerStream, r.Memory[Reference].KiBPerStream))
	p.gap()
}

func (r *Report) printForwarding(p printer) {
	p.row("forwarding an event\tevents\tp50 µs\tp99 µs\tadded p50 µs\tadded p99 µs\tbefore the next was sent ‰")
	direct := r.Forwarding[Direct]
	for _, name := range []string{Direct, Reference, Proxy} {
		d := r.Forwarding[name]
		p.row("%s\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f", name, d.Events, d.P50Micros, d.P99Micros, d.P50Micros-direct.P50Micros, d.P99Micros-direct.P99Micros, d.InTimePermille)
	}
	p.gap()
}
