package server

import (
	"net/http"
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/table"
)

// near is a Soft budget of which one good call spends half.
func near(actions ...table.BudgetAction) setup {
	return withTable(func(t *table.Table) {
		budgeted(t)
		t.Budgets[0].Limit, t.Budgets[0].Actions = 2*goodCost, actions
		t.Budgets[0].Routes = []string{"chat-route"}
	})
}

func TestNotify(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, near(table.BudgetAction{AtPercent: 50, Notify: true}))
	if told := h.send(ask{}).header.Get("X-Signalbox-Budget"); told != "" {
		t.Errorf("the first call is told %q", told)
	}
	if told := h.send(ask{}).header.Get("X-Signalbox-Budget"); told != "monthly 50%" {
		t.Errorf("the second call is told %q", told)
	}
}

// TestReroute: from its share on, calls go to the other route, which has no budget to be refused by.
func TestReroute(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good, good}, withTable(second), near(
		table.BudgetAction{AtPercent: 40, Route: "missing"}, table.BudgetAction{AtPercent: 50, Route: "second-route"}))
	for i, want := range []string{"t0", "t1", "t1", "t1"} {
		got := h.send(ask{})
		from := ""
		if i > 0 {
			from = "chat-route"
		}
		if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != want || got.header.Get("X-Signalbox-Rerouted-From") != from {
			t.Errorf("call %d: status %d by %q, moved from %q", i, got.status, got.header.Get("X-Signalbox-Target"), got.header.Get("X-Signalbox-Rerouted-From"))
		}
	}
}

func TestThrottle(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, near(table.BudgetAction{AtPercent: 50, RequestsPerMinute: 1}), withTable(func(tb *table.Table) { tb.Budgets[0].Limit = 100 * goodCost }),
		withTable(func(tb *table.Table) { tb.Budgets[0].Actions[0].AtPercent = 1 }))
	for i, want := range []int{200, 200, 429} {
		got := h.send(ask{})
		if got.status != want {
			t.Fatalf("call %d: status %d, want %d\n%s", i, got.status, want, got.body)
		}
		if want == http.StatusTooManyRequests && (got.header.Get("Retry-After") == "" || !strings.Contains(got.body, `SpendBudget \"monthly\" has reached 1 percent`)) {
			t.Errorf("the refusal is %v\n%s", got.header, got.body)
		}
	}
}

// TestTagsAndEndUsersAreBelievedFromSome: only trusted callers choose whose counter they spend from.
func TestTagsAndEndUsersAreBelievedFromSome(t *testing.T) {
	perUser := withTable(func(t *table.Table) {
		t.Routes[0].Access.AccessKeys = []string{"app", "stranger"}
		budgeted(t)
		t.Budgets[0].Limit, t.Budgets[0].Counter, t.Budgets[0].MaxCounters = goodCost, table.CountPerEndUser, 10
		t.Budgets[0].TrustedCallers = []table.CallerMatch{{AccessKey: "app"}}
	})
	h := newHarness(t, []http.HandlerFunc{good}, perUser)
	for _, tc := range []struct {
		key, user string
		status    int
	}{
		{appKey, "u1", 200},
		{appKey, "u1", 402},
		{appKey, "u2", 200},
		{strangerKey, "u3", 200},
		{strangerKey, "u4", 402},
		{appKey, "u4", 200},
	} {
		if got := h.send(ask{key: tc.key, body: body(`"model":"chat","user":"` + tc.user + `"`)}); got.status != tc.status {
			t.Errorf("%s for %s: status %d, want %d", tc.key, tc.user, got.status, tc.status)
		}
	}
}
