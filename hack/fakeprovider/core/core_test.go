package core

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"
)

// TestMemoryIsBounded: many keys share one counter, many requests drop the oldest records, large bodies are kept in part.
func TestMemoryIsBounded(t *testing.T) {
	counters := newCounters()
	ring := recordRing{}
	for i := range keptCounters + 50 {
		record := newRecord(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), bytes.Repeat([]byte("x"), keptBody+i), time.Time{})
		record.Key = fmt.Sprint(i)
		counters.begin(record)
		ring.push(record)
	}
	if len(counters.ByKey) != keptCounters+1 || counters.ByKey[otherCounter].Requests != 50 {
		t.Errorf("got %d keys, %d in the rest", len(counters.ByKey), counters.ByKey[otherCounter].Requests)
	}
	records := ring.last(100_000)
	if len(records) != keptRecords || records[keptRecords-1].Key != fmt.Sprint(keptCounters+49) || len(records[0].Body) != keptBody || records[0].BodyBytes <= keptBody {
		t.Errorf("got %d records of %d bytes", len(records), len(records[0].Body))
	}
}

func TestCutTokens(t *testing.T) {
	for name, tc := range map[string]struct {
		stop       []string
		limit      int
		want       []string
		wantReason Finish
		wantMatch  string
	}{
		"all":                  {nil, 0, []string{"one", " two", " three"}, FinishStop, ""},
		"limit":                {nil, 2, []string{"one", " two"}, FinishLength, ""},
		"limit at the end":     {nil, 3, []string{"one", " two", " three"}, FinishStop, ""},
		"stop inside a token":  {[]string{"wo"}, 0, []string{"one", " t"}, FinishMatch, "wo"},
		"first stop wins":      {[]string{"three", " two"}, 0, []string{"one"}, FinishMatch, " two"},
		"stop before limit":    {[]string{" two"}, 1, []string{"one"}, FinishMatch, " two"},
		"limit before stop":    {[]string{"three"}, 1, []string{"one"}, FinishLength, ""},
		"stop at the start":    {[]string{"one"}, 0, []string{}, FinishMatch, "one"},
		"stop that never came": {[]string{"four", ""}, 0, []string{"one", " two", " three"}, FinishStop, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, reason, match := cutTokens(splitTokens("one two three"), tc.stop, tc.limit)
			if !reflect.DeepEqual(got, tc.want) || reason != tc.wantReason || match != tc.wantMatch {
				t.Errorf("got %q %s %q, want %q %s %q", got, reason, match, tc.want, tc.wantReason, tc.wantMatch)
			}
		})
	}
}

func TestFaultQueue(t *testing.T) {
	for name, tc := range map[string]struct {
		faults []Fault
		model  string
		want   []FaultKind // of four requests in a row
	}{
		"in order":      {[]Fault{{Kind: FaultClose, Times: 2}, {Kind: FaultHang}}, "m", []FaultKind{FaultClose, FaultClose, FaultHang, ""}},
		"for ever":      {[]Fault{{Kind: FaultClose, Times: -1}}, "m", []FaultKind{FaultClose, FaultClose, FaultClose, FaultClose}},
		"other model":   {[]Fault{{Kind: FaultClose, Match: Match{Model: "x"}}, {Kind: FaultHang}}, "m", []FaultKind{FaultHang, "", "", ""}},
		"this model":    {[]Fault{{Kind: FaultClose, Match: Match{Model: "m", Key: "k", Endpoint: "models"}}}, "m", []FaultKind{FaultClose, "", "", ""}},
		"other key":     {[]Fault{{Kind: FaultClose, Match: Match{Key: "z"}}}, "m", []FaultKind{"", "", "", ""}},
		"nothing added": {nil, "m", []FaultKind{"", "", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			var queue faultQueue
			queue.add(tc.faults)
			for i, want := range tc.want {
				if got := queue.take("models", tc.model, "k").Kind; got != want {
					t.Errorf("request %d: got %q, want %q", i, got, want)
				}
			}
		})
	}
}
