package usage_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
)

func numbered(i int) *usage.Record {
	return &usage.Record{ID: fmt.Sprint(i), Time: start.Add(time.Duration(i) * time.Second), Caller: []string{"even", "odd"}[i%2], Cost: int64(i)}
}

func ids(records []*usage.Record) []string {
	list := []string{}
	for _, r := range records {
		list = append(list, r.ID)
	}
	return list
}

func TestRecent(t *testing.T) {
	c := usage.NewRecent(usage.RecentOptions{Records: 4, Started: start})
	if got := c.Select(usage.Filter{}); len(got) != 0 || !c.From().Equal(start) {
		t.Errorf("an empty one has %q since %s", ids(got), c.From())
	}
	for i := range 4 {
		c.Put(numbered(i))
	}
	if !c.From().Equal(start) {
		t.Errorf("all are there since %s", c.From())
	}
	for i := 4; i < 7; i++ {
		c.Put(numbered(i))
	}
	changed := numbered(5)
	changed.Cost = 500
	c.Put(changed)
	for name, tc := range map[string]struct {
		filter usage.Filter
		want   []string
	}{
		"all":    {want: []string{"6", "5", "4", "3"}},
		"caller": {filter: usage.Filter{Caller: "odd"}, want: []string{"5", "3"}},
		"since":  {filter: usage.Filter{Since: start.Add(5 * time.Second)}, want: []string{"6", "5"}},
		"until":  {filter: usage.Filter{Until: start.Add(5 * time.Second)}, want: []string{"4", "3"}},
		"none":   {filter: usage.Filter{Caller: "other"}, want: []string{}},
	} {
		if diff := cmp.Diff(tc.want, ids(c.Select(tc.filter))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if r, known := c.ByID("5"); !known || r.Cost != 500 {
		t.Errorf("ByID = %+v, %v", r, known)
	}
	if _, known := c.ByID("2"); known {
		t.Error("the oldest is there still")
	}
	if want := start.Add(2*time.Second + 1); !c.From().Equal(want) {
		t.Errorf("From = %s, want %s", c.From(), want)
	}
}

// TestRecentBytes: large records take the place of more than one small one.
func TestRecentBytes(t *testing.T) {
	c := usage.NewRecent(usage.RecentOptions{Records: 100, Bytes: 20_000})
	for i := range 100 {
		r := numbered(i)
		r.Tags = make([]table.Tag, usage.MaxTags)
		for n := range r.Tags {
			r.Tags[n] = table.Tag{Key: "k", Value: string(make([]byte, 1000))}
		}
		c.Put(r)
	}
	if got := ids(c.Select(usage.Filter{})); len(got) < 2 || len(got) > 4 || got[0] != "99" {
		t.Errorf("it holds %q", got)
	}
}

func TestRecentAtOnce(t *testing.T) {
	c := usage.NewRecent(usage.RecentOptions{Records: 16})
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 200 {
				c.Put(numbered(g*1000 + i))
				if r, known := c.ByID(fmt.Sprint(g*1000 + i)); known && r.Cost != int64(g*1000+i) {
					t.Errorf("record %d is %+v", g*1000+i, r)
				}
				c.Select(usage.Filter{Caller: "odd"})
			}
		})
	}
	group.Wait()
	if got := c.Select(usage.Filter{}); len(got) != 16 {
		t.Errorf("it holds %d", len(got))
	}
}

func TestSummarize(t *testing.T) {
	records := []*usage.Record{
		{Time: start, Caller: "a", Model: "m", Cost: 5, Usage: meter.Usage{Prompt: 10, Cached: 4, Completion: 3, Reasoning: 1}, Outcome: usage.Completed, Tags: []table.Tag{{Key: "team", Value: "red"}}},
		{Time: start.Add(24 * time.Hour), Caller: "a", Model: "m", Cost: 7, Outcome: usage.Failed, Estimated: true},
		{Time: start, Caller: "b", Model: "m", Cost: 1 << 62, Unpriced: true, Outcome: usage.Lost},
		{Time: start, Caller: "b", Model: "n", Cost: 1 << 62, Outcome: usage.Completed},
	}
	a := usage.Sums{Requests: 2, Failed: 1, Estimated: 1, Prompt: 10, Cached: 4, Completion: 3, Reasoning: 1, Cost: 12}
	for by, want := range map[string][]usage.Row{
		"caller": {
			{Values: []string{"b"}, Sums: usage.Sums{Requests: 2, Failed: 1, Unpriced: 1, Cost: 1<<63 - 1}},
			{Values: []string{"a"}, Sums: a},
		},
		"day,caller": {
			{Values: []string{"2026-11-23", "b"}, Sums: usage.Sums{Requests: 2, Failed: 1, Unpriced: 1, Cost: 1<<63 - 1}},
			{Values: []string{"2026-11-24", "a"}, Sums: usage.Sums{Requests: 1, Failed: 1, Estimated: 1, Cost: 7}},
			{Values: []string{"2026-11-23", "a"}, Sums: usage.Sums{Requests: 1, Prompt: 10, Cached: 4, Completion: 3, Reasoning: 1, Cost: 5}},
		},
		"tag:team,hour": {
			{Values: []string{"", "2026-11-23T01:00:00Z"}, Sums: usage.Sums{Requests: 2, Failed: 1, Unpriced: 1, Cost: 1<<63 - 1}},
			{Values: []string{"", "2026-11-24T01:00:00Z"}, Sums: usage.Sums{Requests: 1, Failed: 1, Estimated: 1, Cost: 7}},
			{Values: []string{"red", "2026-11-23T01:00:00Z"}, Sums: usage.Sums{Requests: 1, Prompt: 10, Cached: 4, Completion: 3, Reasoning: 1, Cost: 5}},
		},
	} {
		dimensions, err := usage.ParseDimensions(by)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, usage.Summarize(records, dimensions)); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", by, diff)
		}
	}
	if rows := usage.Summarize(records, nil); len(rows) != 1 || rows[0].Requests != 4 {
		t.Errorf("all together are %+v", rows)
	}
}

func TestParseDimensions(t *testing.T) {
	for _, bad := range []string{"", "model,", "colour", "tag:", "tag:a\x00", "model,model", "day,hour,code,pod,route,target,model"} {
		if got, err := usage.ParseDimensions(bad); err == nil {
			t.Errorf("ParseDimensions(%q) = %q", bad, got)
		}
	}
	// Every dimension reads its own field.
	r := whole()
	seen := map[string]usage.Dimension{}
	r.Model, r.Served, r.Route, r.Target, r.Pod, r.Operation = "m", "s", "r", "t", "p", "o"
	for _, d := range append(usage.Dimensions(), "tag:team") {
		value := d.Of(r)
		if other := seen[value]; value == "" || other != "" {
			t.Errorf("%s is %q, as %s", d, value, other)
		}
		seen[value] = d
	}
}
