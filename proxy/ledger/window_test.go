package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
)

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestNewWindow(t *testing.T) {
	for name, tc := range map[string]struct {
		period, zone, now string
		start, end        string
	}{
		"hour in UTC":                     {"Hour", "UTC", "2026-11-22T15:59:59Z", "2026-11-22T15:00:00Z", "2026-11-22T16:00:00Z"},
		"hour bounds are inclusive":       {"Hour", "UTC", "2026-11-22T15:00:00Z", "2026-11-22T15:00:00Z", "2026-11-22T16:00:00Z"},
		"hour in a half-hour zone":        {"Hour", "Asia/Kolkata", "2026-11-22T15:29:59Z", "2026-11-22T14:30:00Z", "2026-11-22T15:30:00Z"},
		"hour shown twice is one":         {"Hour", "America/New_York", "2026-11-01T06:30:00Z", "2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"},
		"hour before a skipped one":       {"Hour", "America/New_York", "2026-03-08T06:59:00Z", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z"},
		"hour of half an hour":            {"Hour", "Australia/Lord_Howe", "2026-10-03T15:31:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"},
		"hour set back by three hours":    {"Hour", "Antarctica/Casey", "2010-03-04T16:30:00Z", "2010-03-04T14:00:00Z", "2010-03-04T18:00:00Z"},
		"day":                             {"Day", "Europe/Lisbon", "2026-07-14T22:59:59Z", "2026-07-13T23:00:00Z", "2026-07-14T23:00:00Z"},
		"day of 23 hours":                 {"Day", "Europe/Lisbon", "2026-03-29T12:00:00Z", "2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z"},
		"day of 25 hours":                 {"Day", "Europe/Lisbon", "2026-10-25T12:00:00Z", "2026-10-24T23:00:00Z", "2026-10-26T00:00:00Z"},
		"day without midnight":            {"Day", "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		"day before a date that was left": {"Day", "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		"day after a date that was left":  {"Day", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		"evening shown again after midnight belongs to the new day": {
			"Day", "America/St_Johns", "2009-11-01T03:00:00Z", "2009-11-01T02:30:00Z", "2009-11-02T03:30:00Z",
		},
		"week starts on Monday":            {"Week", "UTC", "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
		"week on a Monday":                 {"Week", "UTC", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},
		"week over the end of the year":    {"Week", "Europe/Lisbon", "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"},
		"month":                            {"Month", "America/New_York", "2026-03-31T23:00:00Z", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"},
		"month of February in a leap year": {"Month", "UTC", "2028-02-29T23:59:59Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		"month at the end of the year":     {"Month", "Asia/Kolkata", "2026-12-31T18:29:59Z", "2026-11-30T18:30:00Z", "2026-12-31T18:30:00Z"},
		"month with Ramadan's summer time": {"Month", "Africa/Casablanca", "2026-03-10T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-31T23:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := NewWindow(tc.period, tc.zone, instant(t, tc.now))
			if err != nil {
				t.Fatal(err)
			}
			want := Window{Start: instant(t, tc.start), End: instant(t, tc.end)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("window (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewWindowTotalHasNoBounds(t *testing.T) {
	got, err := NewWindow("Total", "Europe/Lisbon", instant(t, "2026-11-22T15:00:00Z"))
	if err != nil || !got.Unbounded() || !got.Contains(time.Unix(0, 0)) {
		t.Errorf("NewWindow = %v, %v; want one without bounds", got, err)
	}
}

func TestNewWindowRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ period, zone string }{
		"unknown period": {"Fortnight", "UTC"},
		"unknown zone":   {"Day", "Europe/Atlantis"},
		"machine's zone": {"Day", "Local"},
	} {
		t.Run(name, func(t *testing.T) {
			if window, err := NewWindow(tc.period, tc.zone, instant(t, "2026-11-22T15:00:00Z")); err == nil {
				t.Errorf("NewWindow = %v; want an error", window)
			}
		})
	}
}

// TestWindowsPartitionTime walks from window to window: each starts where the one before it ends, and every instant in it, its last one too, finds it.
func TestWindowsPartitionTime(t *testing.T) {
	zones := []string{
		"UTC", "Europe/Lisbon", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo", "Australia/Lord_Howe",
		"Africa/Cairo", "Asia/Beirut", "America/Havana", "Antarctica/Troll", "Antarctica/Casey", "America/St_Johns", "Pacific/Kwajalein", "Asia/Tehran",
		"Pacific/Chatham", "America/Asuncion", "Asia/Amman",
	}
	starts := []string{"1993-08-15T00:00:00Z", "2009-10-25T00:00:00Z", "2011-12-25T00:00:00Z", "2018-10-30T00:00:00Z", "2026-03-05T00:00:00Z", "2026-10-22T00:00:00Z"}
	random := rand.New(rand.NewPCG(1, 2))
	for _, zone := range zones {
		for period, steps := range map[string]int{"Hour": 300, "Day": 30, "Week": 8, "Month": 6} {
			t.Run(fmt.Sprintf("%s/%s", zone, period), func(t *testing.T) {
				for _, start := range starts {
					walker{t, random, period, zone}.walk(instant(t, start), steps)
				}
			})
		}
	}
}

// walker goes through the windows of a period in a zone.
type walker struct {
	*testing.T
	random       *rand.Rand
	period, zone string
}

func (t walker) walk(at time.Time, steps int) {
	t.Helper()
	window, err := NewWindow(t.period, t.zone, at)
	if err != nil {
		t.Fatal(err)
	}
	for range steps {
		if !window.Contains(at) || !window.Start.Before(window.End) {
			t.Fatalf("window %v of %v does not hold it", window, at)
		}
		length := window.End.Sub(window.Start)
		for _, inside := range []time.Time{window.Start, window.Start.Add(time.Duration(t.random.Int64N(int64(length)))), window.End.Add(-1)} {
			got, err := NewWindow(t.period, t.zone, inside)
			if err != nil || got != window {
				t.Fatalf("window of %v is %v, %v; want %v", inside, got, err, window)
			}
		}
		at = window.End
		next, err := NewWindow(t.period, t.zone, at)
		if err != nil || !next.Start.Equal(window.End) {
			t.Fatalf("window after %v is %v, %v", window, next, err)
		}
		window = next
	}
}
