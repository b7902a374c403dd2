package report

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

func client() catalogue.Client {
	return catalogue.Client{Name: "c", Surfaces: []catalogue.Surface{
		{Name: "chat", Checks: []string{"plain", "stop"}}, {Name: "vectors", Checks: []string{"plain"}, Upstreams: []string{"b"}},
	}}
}

// TestNothingIsSilentlyMissing: what a program does not report is a failure, and what nobody expects too.
func TestNothingIsSilentlyMissing(t *testing.T) {
	expected := Expect(client(), []string{"a", "b"}, nil)
	got := Merge(expected, []plan.Result{
		{Client: "c", Surface: "chat", Check: "plain", Upstream: "a", OK: true, Milliseconds: 3},
		{Client: "c", Surface: "vectors", Check: "plain", Upstream: "a", OK: true},
	})
	var lines []string
	for _, r := range got {
		state := "failed"
		if r.OK {
			state = "ok"
		}
		lines = append(lines, strings.Join([]string{r.Surface, r.Check, r.Upstream, state}, " "))
	}
	want := []string{
		"chat plain a ok", "chat stop a failed", "chat plain b failed", "chat stop b failed", "vectors plain b failed", "vectors plain a failed",
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("got %q, want %q", lines, want)
	}
	if only := Expect(client(), []string{"a"}, []string{"stop"}); len(only) != 1 || only[0].Check != "stop" {
		t.Errorf("with one check: %+v", only)
	}
}

func TestTable(t *testing.T) {
	r := New(time.Now(), []plan.Result{
		{Client: "c", Surface: "chat", Check: "plain", Upstream: "a", OK: true},
		{Client: "c", Surface: "chat", Check: "plain", Upstream: "b", Problem: "text: got nothing\nand more"},
		{Client: "c", Surface: "chat", Check: "stop", Upstream: "b", OK: true, Expected: "it cannot stop"},
	})
	table := r.Table()
	for _, want := range []string{
		"client  surface  check  a   b        \n", "c       chat     plain  ok  FAILED   \n", "c       chat     stop   -   refused  \n",
		"refused: it cannot stop (chat/stop on b)\n", "FAILED: c chat/plain on b: text: got nothing\n", "3 checks, 1 failed, ",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in:\n%s", want, table)
		}
	}
	if r.Failed != 1 {
		t.Errorf("%d failed", r.Failed)
	}
}
