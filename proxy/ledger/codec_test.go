package ledger

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample() Record {
	day, end := dayKey(22)
	var record Record
	record.Put(day, end, "a/1", spent(math.MaxInt64, 1))
	record.Put(day, end, "a/2", spent(7, 1))
	record.Put(Key{Period: "Total", TimeZone: "Europe/Lisbon", ResetID: "x"}, Window{}.End, "b/1", spent(1, 2))
	lost := Entry{Totals: Totals{Spent: 1, Requests: 2, Overrun: 3}, Allowance: 9, Seq: 3, Answered: 4, Lost: true, Updated: noon(), Routes: Breakdown{"chat": 1}}
	record.Windows = append(record.Windows, Count{
		Key: day, Subject: "*others", End: end, Folded: Folded{Totals: Totals{Spent: 2}, Lost: 5, Callers: Breakdown{"": 2}}, Recall: 4, Over: []Owner{"c/0"},
		Owners: map[Owner]Entry{"c/1": lost},
	})
	record.Moved = "valkey"
	return record
}

func TestEncodeDecode(t *testing.T) {
	for name, want := range map[string]Record{"sample": sample(), "empty": {Windows: []Count{}}} {
		t.Run(name, func(t *testing.T) {
			text, err := Encode(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Decode(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	const day = `"period":"Day","timeZone":"UTC","start":"2026-11-22T00:00:00Z","end":"2026-11-23T00:00:00Z"`
	for name, text := range map[string]string{
		"nothing":            ``,
		"no JSON":            `<html>`,
		"cut off":            `{"format":1,"windows":[`,
		"text after it":      `{"format":1,"windows":[]} {}`,
		"no format":          `{"windows":[]}`,
		"other format":       `{"format":3,"windows":[]}`,
		"format before":      `{"format":0,"windows":[]}`,
		"unknown field":      `{"format":1,"windows":[],"reserved":{}}`,
		"window twice":       `{"format":1,"windows":[{` + day + `},{` + strings.ReplaceAll(day, "00:00:00Z", "02:00:00+02:00") + `}]}`,
		"start without end":  `{"format":1,"windows":[{"period":"Day","timeZone":"UTC","start":"2026-11-22T00:00:00Z"}]}`,
		"end before start":   `{"format":1,"windows":[{"period":"Day","timeZone":"UTC","start":"2026-11-22T00:00:00Z","end":"2026-11-21T00:00:00Z"}]}`,
		"negative amount":    `{"format":1,"windows":[{` + day + `,"owners":{"a/1":{"spent":-1,"requests":1,"seq":1,"updated":"2026-11-22T00:00:00Z"}}}]}`,
		"negative folded":    `{"format":1,"windows":[{` + day + `,"folded":{"spent":1,"requests":-1}}]}`,
		"zero seq":           `{"format":1,"windows":[{` + day + `,"owners":{"a/1":{"spent":1,"requests":1,"seq":0,"updated":"2026-11-22T00:00:00Z"}}}]}`,
		"fraction":           `{"format":1,"windows":[{` + day + `,"folded":{"spent":1.5,"requests":1}}]}`,
		"beyond 64 bits":     `{"format":1,"windows":[{` + day + `,"folded":{"spent":9223372036854775808,"requests":1}}]}`,
		"owner without name": `{"format":1,"windows":[{` + day + `,"owners":{"":{"spent":1,"requests":1,"seq":1,"updated":"2026-11-22T00:00:00Z"}}}]}`,
		"long reset":         `{"format":1,"windows":[{` + day + `,"resetID":"` + strings.Repeat("x", maxNameBytes+1) + `"}]}`,
		"negative allowance": `{"format":2,"windows":[{` + day + `,"owners":{"a/1":{"spent":1,"requests":1,"seq":1,"allowance":-1,"updated":"2026-11-22T00:00:00Z"}}}]}`,
		"negative overrun":   `{"format":2,"windows":[{` + day + `,"owners":{"a/1":{"spent":1,"requests":1,"overrun":-1,"seq":1,"updated":"2026-11-22T00:00:00Z"}}}]}`,
		"negative loss":      `{"format":2,"windows":[{` + day + `,"folded":{"spent":1,"requests":1,"lost":-1}}]}`,
		"negative recall":    `{"format":2,"windows":[{` + day + `,"recall":-1}]}`,
		"negative share":     `{"format":2,"windows":[{` + day + `,"folded":{"spent":1,"requests":1,"routes":{"chat":-1}}}]}`,
		"too many shares":    `{"format":2,"windows":[{` + day + `,"folded":{"spent":1,"requests":1,"routes":{` + manyShares(maxShares+1) + `}}}]}`,
		"nameless earlier":   `{"format":2,"windows":[{` + day + `,"over":[""]}]}`,
		"long subject":       `{"format":2,"windows":[{` + day + `,"subject":"` + strings.Repeat("x", maxNameBytes+1) + `"}]}`,
		"long move":          `{"format":2,"moved":"` + strings.Repeat("x", maxNameBytes+1) + `","windows":[]}`,
		"too long":           `{"format":1,"windows":[]}` + strings.Repeat(" ", MaxEncodedBytes),
	} {
		t.Run(name, func(t *testing.T) {
			if record, err := Decode([]byte(text)); err == nil {
				t.Errorf("Decode = %+v; want an error", record)
			}
		})
	}
}

func manyShares(n int) string {
	var shares []string
	for i := range n {
		shares = append(shares, fmt.Sprintf(`"%d":1`, i))
	}
	return strings.Join(shares, ",")
}

// TestDecodeReadsTheFirstFormat takes over a month that is half over from a program that knew no allowances.
func TestDecodeReadsTheFirstFormat(t *testing.T) {
	const text = `{"format":1,"windows":[{"period":"Month","timeZone":"UTC","start":"2026-11-01T00:00:00Z","end":"2026-12-01T00:00:00Z",` +
		`"folded":{"spent":7,"requests":2},"owners":{"a/1.1":{"spent":60,"requests":3,"unpriced":1,"seq":4,"updated":"2026-11-22T00:00:00Z"}}}]}`
	record, err := Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	count, found := record.Find(Key{Period: "Month", TimeZone: "UTC", Start: time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)})
	if want := (Totals{Spent: 67, Requests: 5, Unpriced: 1}); !found || count.Total() != want {
		t.Errorf("total %+v, found %t; want %+v", count.Total(), found, want)
	}
	again, err := Encode(record)
	if err != nil || !strings.Contains(string(again), `"format":2`) {
		t.Errorf("encoded as %s, %v; want the format of today", again, err)
	}
}

func TestEncodeRefusesWhatDoesNotFit(t *testing.T) {
	day, end := dayKey(22)
	owners := map[Owner]Entry{}
	for i := range MaxEncodedBytes / 100 {
		owners[Owner(fmt.Sprintf("%036d/1", i))] = spent(1, 1)
	}
	record := Record{Windows: []Count{{Key: day, End: end, Owners: owners}}}
	if text, err := Encode(record); err == nil {
		t.Errorf("Encode returned %d bytes; want an error", len(text))
	}
}

// TestRecordOfManyPodsFits holds what a record must hold: many replicas and as many that are gone as are kept, in every window.
func TestRecordOfManyPodsFits(t *testing.T) {
	var record Record
	for day := 22 - maxEndedWindows; day <= 22; day++ {
		key, end := dayKey(day)
		for i := range MaxGoneOwners + 500 {
			entry := spent(math.MaxInt64/1000, math.MaxInt32)
			record.Put(key, end, NewOwner(fmt.Sprintf("%036d", i), noon()), entry)
		}
	}
	text, err := Encode(record)
	if err != nil {
		t.Fatalf("%v; want it to fit", err)
	}
	t.Logf("%d bytes", len(text))
}

func FuzzDecode(f *testing.F) {
	text, err := Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format":1,"windows":[]}`))
	f.Add([]byte(`{"format":1,"windows":[{"period":"Day","timeZone":"UTC","start":"0001-01-01T00:00:00+05:00","end":"9999-12-31T23:59:59Z"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		record, err := Decode(text)
		if err != nil {
			return
		}
		for _, window := range record.Windows {
			if total := window.Total(); total.negative() {
				t.Errorf("total %+v is negative", total)
			}
		}
		again, err := Encode(record)
		if err != nil {
			return
		}
		if second, err := Decode(again); err != nil || len(second.Windows) != len(record.Windows) {
			t.Errorf("what was decoded is encoded to something else: %v", err)
		}
	})
}
