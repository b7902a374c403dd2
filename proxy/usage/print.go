package usage

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"signalbox.dev/signalbox/proxy/meter"
)

// WriteTable writes a summary for people, with a line for the sum of all.
func WriteTable(out io.Writer, s *Summary) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var heads []string
	for _, d := range s.By {
		heads = append(heads, strings.ToUpper(normal(string(d), MaxText)))
	}
	heads = append(heads, "REQUESTS", "FAILED", "ESTIMATED", "UNPRICED", "PROMPT", "CACHED", "COMPLETION", "REASONING", "COST USD")
	text := strings.Join(heads, "\t") + "\n"
	var all Sums
	for i := range s.Rows {
		var cells []string
		for _, value := range s.Rows[i].Values {
			cells = append(cells, shown(value))
		}
		text += line(cells, &s.Rows[i].Sums)
		all.add(s.Rows[i].Sums)
	}
	if len(s.By) > 0 {
		cells := make([]string, len(s.By))
		cells[0] = "TOTAL"
		text += line(cells, &all)
	}
	if _, err := io.WriteString(t, text); err != nil {
		return fmt.Errorf("printing usage: %w", err)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("printing usage: %w", err)
	}
	return nil
}

// shown is a value in a table: one that is empty can be seen, and none can move the cursor.
func shown(value string) string {
	if value == "" {
		return "-"
	}
	return normal(value, MaxText)
}

func line(cells []string, sums *Sums) string {
	for _, n := range sums.numbers() {
		if n.value != &sums.Cost {
			cells = append(cells, strconv.FormatInt(*n.value, 10))
		}
	}
	return strings.Join(append(cells, meter.FormatUSD(sums.Cost)), "\t") + "\n"
}

// WriteCSV writes a summary for spreadsheets. Texts that a spreadsheet would take for a formula get an apostrophe before them, for clients choose some of them.
func WriteCSV(out io.Writer, s *Summary) error {
	w := csv.NewWriter(out)
	var heads []string
	for _, d := range s.By {
		heads = append(heads, inert(string(d)))
	}
	for _, n := range (&Sums{}).numbers() {
		heads = append(heads, n.name)
	}
	lines := [][]string{append(heads, "cost_usd")}
	for i := range s.Rows {
		row := &s.Rows[i]
		var cells []string
		for _, value := range row.Values {
			cells = append(cells, inert(value))
		}
		for _, n := range row.numbers() {
			cells = append(cells, strconv.FormatInt(*n.value, 10))
		}
		lines = append(lines, append(cells, meter.FormatUSD(row.Cost)))
	}
	if err := w.WriteAll(lines); err != nil {
		return fmt.Errorf("printing usage: %w", err)
	}
	return nil
}

// inert is a text that is no formula.
func inert(value string) string {
	value = normal(value, MaxText)
	if value != "" && strings.ContainsRune("=+-@", rune(value[0])) {
		return "'" + value
	}
	return value
}
