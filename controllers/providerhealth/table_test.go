package providerhealth

import (
	"os"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/window"
)

func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

// callsThat are what the lines of the documented table stand for.
func callsThat() map[string]Calls {
	one := Keys{Usable: 1}
	good := window.Counts{window.Answered: 10}
	const long = window.Minute
	limits := window.Counts{window.Limited: 3}
	return map[string]Calls{
		"none":               {Keys: one, AnsweredAgo: long, FailedAgo: long},
		"work":               {Brief: good, Short: good, FailedAgo: long, Keys: one},
		"slow":               {Brief: good, Short: good, FailedAgo: long, Keys: one, Streams: 3, MinuteStreams: 3, FirstToken: 10 * time.Second},
		"some keys unusable": {Brief: good, Short: good, FailedAgo: long, Keys: Keys{Usable: 3, Refused: 1, Exhausted: 1}},
		"fail in part":       {Brief: window.Counts{window.Answered: 9, window.Failed: 1}, Short: window.Counts{window.Answered: 20, window.Failed: 5}, Keys: one},
		"the last few failed": {
			Brief: window.Counts{window.Failed: 2}, Short: window.Counts{window.Answered: 2, window.Failed: 2}, Run: window.Counts{window.Failed: 2},
			AnsweredAgo: 6 * time.Second, Keys: one,
		},
		"fail": {Brief: window.Counts{window.Answered: 4, window.TimedOut: 4}, Short: window.Counts{window.Answered: 40, window.TimedOut: 4}, Keys: one},
		"no connection": {
			Brief: window.Counts{window.Unreachable: 1}, Short: window.Counts{window.Unreachable: 3}, Run: window.Counts{window.Unreachable: 3}, AnsweredAgo: long,
			Keys: one,
		},
		"all calls limited": {
			Brief: window.Counts{window.Answered: 90, window.Limited: 3}, Short: window.Counts{window.Answered: 900, window.Limited: 3}, Run: limits,
			AnsweredAgo: limitedFor, FailedAgo: long, Keys: one,
		},
		"all keys rate-limited": {Short: good, FailedAgo: long, Keys: Keys{Usable: 3, Refused: 1, Exhausted: 1, Limited: 1}},
		"all keys out of quota": {Short: good, FailedAgo: long, Keys: Keys{Usable: 2, Refused: 1, Exhausted: 1}},
		"all keys refused":      {Short: good, FailedAgo: long, Keys: Keys{Usable: 1, Refused: 1}},
	}
}

func probesThat() map[string]Probe {
	return map[string]Probe{
		"not told":     {},
		"good":         {Result: Good, Streak: 1},
		"fails":        {Result: Failed, Streak: 3},
		"rate-limited": {Result: Limited, Streak: 2},
		"key refused":  {Result: KeyRefused, Streak: 2},
	}
}

// documented reads the rows of the table in docs/health.md that begins with a cell.
func documented(t *testing.T, first string) [][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/health.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| "+first+" |")
	if !found {
		t.Fatalf("docs/health.md has no table %q", first)
	}
	table, _, _ = strings.Cut(first+" |"+table, "\n\n")
	var rows [][]string
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// TestTheRuleIsAsDocumented: every cell of the table in docs/health.md is what the rule finds, and every kind of calls and probes is in it.
func TestTheRuleIsAsDocumented(t *testing.T) {
	rows := documented(t, `calls \ probe`)
	calls, probes := callsThat(), probesThat()
	if len(rows)-2 != len(calls) || len(rows[0])-1 != len(probes) {
		t.Fatalf("the table has %d lines and %d columns, want %d and %d", len(rows)-2, len(rows[0])-1, len(calls), len(probes))
	}
	for _, row := range rows[2:] {
		for column, want := range row[1:] {
			name := row[0] + ", " + rows[0][column+1]
			t.Run(name, func(t *testing.T) {
				seen, ok := calls[row[0]]
				asked, known := probes[rows[0][column+1]]
				if !ok || !known {
					t.Fatal("the test does not know what that is")
				}
				asked.At = noon().Add(time.Second)
				in := Input{Now: noon().Add(2 * time.Second), Calls: seen, Probe: asked, SlowAfter: 10 * time.Second}
				// Nothing was better before, so that what is found is taken at once, and nothing is unknown, so that it takes all evidence.
				before := Health{State: v1alpha1.HealthHealthy, calls: in.sign(&Health{}), callsSince: noon()}
				found := before.find(&in)
				got := strings.TrimSpace(string(found.state) + " " + found.reason)
				if row[0] == "none" && asked.Result == NotTold {
					first := Assess(Health{}, in)
					got = string(first.State) + " " + first.Reason
				}
				if got == "" {
					got = "as before"
				}
				if got != want {
					t.Errorf("the rule finds %q, the table says %q", got, want)
				}
			})
		}
	}
}

// TestOneSourceAloneNeverSaysDown: whatever probes say while calls work, and whatever calls say while probes are good, the provider is not down.
func TestOneSourceAloneNeverSaysDown(t *testing.T) {
	for callsName, calls := range callsThat() {
		for probeName, probe := range probesThat() {
			for _, began := range []time.Duration{-time.Hour, time.Second} {
				probe.At = noon().Add(began)
				in := Input{Now: noon().Add(time.Minute), Calls: calls, Probe: probe, SlowAfter: 10 * time.Second}
				sign := in.sign(&Health{})
				before := Health{State: v1alpha1.HealthHealthy, calls: sign, callsSince: noon()}
				found := before.find(&in)
				if found.state == "Down" && (sign.kind() == 1 || probe.Result == Good) {
					t.Errorf("calls: %s, probe: %s: %+v", callsName, probeName, found)
				}
			}
		}
	}
}
