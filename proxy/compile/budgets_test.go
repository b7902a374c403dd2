package compile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

func TestBudgetIsCompiledWhole(t *testing.T) {
	result := compile.Compile(input(withBudgets(budget("month", func(b *v1alpha1.SpendBudget) {
		b.Spec.Limit.Amount = "0.000000001"
		b.Spec.Window.ResetID = "ticket-7"
		b.Spec.AppliesTo = &v1alpha1.BudgetScope{
			Routes: []string{"b", "a"},
			Callers: []v1alpha1.BudgetCaller{
				{ServiceAccount: &v1alpha1.ServiceAccountReference{Namespace: "apps", Name: "bot"}}, {AccessKey: "ci"}, {Namespace: "web"},
				{User: &v1alpha1.BudgetUser{Issuer: "corp", Name: "a/b"}}, {User: &v1alpha1.BudgetUser{Issuer: "lab"}},
			},
		}
	}))))
	want := []table.Budget{{
		Object: table.Object{Name: "month", UID: "uid-month", Generation: 1, Since: 1},
		Limit:  1, Period: "Month", TimeZone: "Europe/Lisbon", ResetID: "ticket-7",
		Routes: []string{"a", "b"}, Callers: []table.CallerMatch{
			{ServiceAccount: "apps/bot"}, {AccessKey: "ci"}, {Namespace: "web"}, {User: "corp/a/b"}, {UserIssuer: "lab"},
		},
		Enforcement: table.Soft, AllowWithoutLedger: true, Ledger: "signalbox-ledger-month",
	}}
	if diff := cmp.Diff(want, result.Table.Budgets); diff != "" {
		t.Errorf("budgets (-want +got):\n%s", diff)
	}
}

func TestBudgetWithCountersIsCompiledWhole(t *testing.T) {
	result := compile.Compile(input(withRoutes(route("cheap")), withBudgets(budget("b", func(b *v1alpha1.SpendBudget) {
		b.Spec.Enforcement, b.Spec.OnTight = v1alpha1.EnforcementHard, v1alpha1.TightShrink
		b.Spec.Counter, b.Spec.TagKey, b.Spec.MaxCounters = v1alpha1.CounterPerTag, "customer", new(int32(20))
		b.Spec.Limits = []v1alpha1.CounterLimit{{TagValue: "acme", Amount: "0.5"}, {TagValue: "accesskey:ci", Amount: "3"}}
		b.Spec.TrustedCallers = []v1alpha1.BudgetCaller{{Namespace: "web"}, {AccessKey: "ci"}}
		b.Spec.AppliesTo = &v1alpha1.BudgetScope{
			Tags: []v1alpha1.BudgetTag{{Key: "env", Value: "prod"}, {Key: "area", Value: "eu"}}, EndUsers: []string{"bob", "alice"},
		}
		b.Spec.Actions = []v1alpha1.BudgetAction{
			{AtPercent: 90, Do: v1alpha1.ActionThrottle, RequestsPerMinute: new(int32(6))},
			{AtPercent: 90, Do: v1alpha1.ActionReroute, Route: "cheap"},
			{AtPercent: 80, Do: v1alpha1.ActionThrottle, RequestsPerMinute: new(int32(60))},
			{AtPercent: 90, Do: v1alpha1.ActionNotify},
		}
	}))))
	want := []table.Budget{{
		Object: table.Object{Name: "b", UID: "uid-b", Generation: 1, Since: 1},
		Limit:  250_000_000_000, Limits: map[string]int64{"acme": 500_000_000, "accesskey:ci": 3_000_000_000}, Period: "Month", TimeZone: "Europe/Lisbon",
		Tags: []table.Tag{{Key: "area", Value: "eu"}, {Key: "env", Value: "prod"}}, EndUsers: []string{"alice", "bob"},
		Counter: table.CountPerTag, TagKey: "customer", MaxCounters: 20,
		TrustedCallers: []table.CallerMatch{{Namespace: "web"}, {AccessKey: "ci"}},
		Enforcement:    table.Hard, Shrink: true,
		Actions: []table.BudgetAction{
			{AtPercent: 80, RequestsPerMinute: 60}, {AtPercent: 90, Notify: true}, {AtPercent: 90, Route: "cheap"}, {AtPercent: 90, RequestsPerMinute: 6},
		},
		Ledger: "signalbox-ledger-b",
	}}
	if diff := cmp.Diff(want, result.Table.Budgets); diff != "" {
		t.Errorf("budgets (-want +got):\n%s", diff)
	}
	if found := why(report(t, result, compile.KindSpendBudget, "b")); len(found) != 0 {
		t.Errorf("findings: %v", found)
	}
}

func TestBudgetCounters(t *testing.T) {
	account := &v1alpha1.ServiceAccountReference{Namespace: "apps", Name: "bot"}
	cases := map[string]struct {
		edit   func(*v1alpha1.SpendBudget)
		want   table.Counter
		most   int32
		limits map[string]int64
	}{
		"left out": {edit: func(*v1alpha1.SpendBudget) {}},
		"shared":   {edit: func(b *v1alpha1.SpendBudget) { b.Spec.Counter = v1alpha1.CounterShared }},
		"by caller": {
			func(b *v1alpha1.SpendBudget) {
				b.Spec.Counter = v1alpha1.CounterPerCaller
				b.Spec.Limits = []v1alpha1.CounterLimit{{ServiceAccount: account, Amount: "1"}, {AccessKey: "apps/bot", Amount: "2"}, {User: &v1alpha1.UserReference{Issuer: "apps", Name: "bot"}, Amount: "3"}}
			},
			table.CountPerCaller, 1000, map[string]int64{"serviceaccount:apps/bot": 1_000_000_000, "accesskey:apps/bot": 2_000_000_000, "user:apps/bot": 3_000_000_000},
		},
		"by end user": {
			func(b *v1alpha1.SpendBudget) {
				b.Spec.Counter, b.Spec.TrustedCallers = v1alpha1.CounterPerEndUser, []v1alpha1.BudgetCaller{{AccessKey: "web"}}
				b.Spec.Limits = []v1alpha1.CounterLimit{{EndUser: "alice", Amount: "0.000000001"}}
			},
			table.CountPerEndUser, 1000, map[string]int64{"alice": 1},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := compile.Compile(input(withBudgets(budget("b", tc.edit)))).Table.Budgets[0]
			if got.Counter != tc.want || got.MaxCounters != tc.most {
				t.Errorf("counts %q, at most %d", got.Counter, got.MaxCounters)
			}
			if diff := cmp.Diff(tc.limits, got.Limits); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBudgetPolicies(t *testing.T) {
	type policies struct {
		Enforcement                     table.Enforcement
		Unpriced, WithoutLedger, Shrink bool
	}
	cases := map[string]struct {
		edit func(*v1alpha1.SpendBudgetSpec)
		want policies
	}{
		"defaults":             {func(*v1alpha1.SpendBudgetSpec) {}, policies{Enforcement: table.Soft, WithoutLedger: true}},
		"unpriced let through": {func(s *v1alpha1.SpendBudgetSpec) { s.Unpriced = v1alpha1.UnpricedAllow }, policies{Enforcement: table.Soft, Unpriced: true, WithoutLedger: true}},
		"soft, nothing without ledger": {
			func(s *v1alpha1.SpendBudgetSpec) { s.OnLedgerUnavailable = v1alpha1.LedgerUnavailableDeny }, policies{Enforcement: table.Soft},
		},
		"observing lets all": {
			func(s *v1alpha1.SpendBudgetSpec) {
				s.Enforcement, s.Unpriced, s.OnLedgerUnavailable = v1alpha1.EnforcementObserve, v1alpha1.UnpricedDeny, v1alpha1.LedgerUnavailableDeny
			},
			policies{Enforcement: table.Observe, Unpriced: true, WithoutLedger: true},
		},
		"hard": {func(s *v1alpha1.SpendBudgetSpec) { s.Enforcement = v1alpha1.EnforcementHard }, policies{Enforcement: table.Hard}},
		"hard, spelled out": {
			func(s *v1alpha1.SpendBudgetSpec) {
				s.Enforcement, s.Unpriced, s.OnLedgerUnavailable = v1alpha1.EnforcementHard, v1alpha1.UnpricedDeny, v1alpha1.LedgerUnavailableDeny
				s.OnTight = v1alpha1.TightDeny
			},
			policies{Enforcement: table.Hard},
		},
		"hard, shrinking": {
			func(s *v1alpha1.SpendBudgetSpec) {
				s.Enforcement, s.OnTight = v1alpha1.EnforcementHard, v1alpha1.TightShrink
			},
			policies{Enforcement: table.Hard, Shrink: true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := compile.Compile(input(withBudgets(budget("b", func(b *v1alpha1.SpendBudget) { tc.edit(&b.Spec) })))).Table.Budgets[0]
			if diff := cmp.Diff(tc.want, policies{got.Enforcement, got.AllowUnpriced, got.AllowWithoutLedger, got.Shrink}); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
		})
	}
}

// A limit is not lifted because a route that the budget names is not there.
func TestBudgetThatNamesMissingRoutesIsServed(t *testing.T) {
	result := compile.Compile(input(withRoutes(route("chat")), withBudgets(budget("b", func(b *v1alpha1.SpendBudget) {
		b.Spec.AppliesTo = &v1alpha1.BudgetScope{Routes: []string{"chat", "chta"}}
		b.Spec.Actions = []v1alpha1.BudgetAction{
			{AtPercent: 50, Do: v1alpha1.ActionReroute, Route: "chat"}, {AtPercent: 90, Do: v1alpha1.ActionReroute, Route: "free"},
		}
	}))))
	want := []string{"ResolvedRefs RouteNotFound spec.appliesTo.routes[1]", "ResolvedRefs RouteNotFound spec.actions[1].route"}
	if diff := cmp.Diff(want, why(report(t, result, compile.KindSpendBudget, "b"))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if len(result.Table.Budgets) != 1 || len(result.Table.Budgets[0].Routes) != 2 {
		t.Errorf("served: %+v", result.Table.Budgets)
	}
}

// Nor because an issuer is gone, or is called something else by now. Each is told once for each field that names it.
func TestBudgetThatNamesMissingIssuersIsServed(t *testing.T) {
	edit := withBudgets(budget("b", func(b *v1alpha1.SpendBudget) {
		user := func(issuer, name string) v1alpha1.BudgetCaller {
			return v1alpha1.BudgetCaller{User: &v1alpha1.BudgetUser{Issuer: issuer, Name: name}}
		}
		limit := func(issuer, name string) v1alpha1.CounterLimit {
			return v1alpha1.CounterLimit{User: &v1alpha1.UserReference{Issuer: issuer, Name: name}, Amount: "1"}
		}
		b.Spec.Counter = v1alpha1.CounterPerCaller
		b.Spec.AppliesTo = &v1alpha1.BudgetScope{Callers: []v1alpha1.BudgetCaller{user("corp", ""), user("lab", ""), user("attic", "a")}}
		b.Spec.TrustedCallers = []v1alpha1.BudgetCaller{{AccessKey: "ci"}, user("lab", "b")}
		b.Spec.Limits = []v1alpha1.CounterLimit{limit("lab", "a"), limit("corp", "a"), limit("lab", "b")}
	}))
	missing := []string{
		"ResolvedRefs IssuerNotFound spec.appliesTo.callers", "ResolvedRefs IssuerNotFound spec.appliesTo.callers",
		"ResolvedRefs IssuerNotFound spec.trustedCallers", "ResolvedRefs IssuerNotFound spec.limits",
	}
	for name, tc := range map[string]struct {
		issuers []table.Issuer
		want    []string
	}{
		"some are there":         {[]table.Issuer{{URL: "https://cluster"}, {Name: "corp", URL: "https://corp"}}, missing},
		"all are there":          {[]table.Issuer{{Name: "corp", URL: "https://corp"}, {Name: "lab", URL: "https://lab"}, {Name: "attic", URL: "https://attic"}}, nil},
		"none is, on a computer": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(edit)
			in.Issuers = tc.issuers
			result := compile.Compile(in)
			if diff := cmp.Diff(tc.want, why(report(t, result, compile.KindSpendBudget, "b"))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(result.Table.Budgets) != 1 || len(result.Table.Budgets[0].Callers) != 3 || len(result.Table.Budgets[0].Limits) != 3 {
				t.Errorf("served: %+v", result.Table.Budgets)
			}
		})
	}
}

func TestBudgetInErrorIsNotServed(t *testing.T) {
	cases := map[string]struct {
		edit func(*v1alpha1.SpendBudget)
		want string
	}{
		"impossible zone":      {func(b *v1alpha1.SpendBudget) { b.Spec.Window.TimeZone = "Mars/Olympus" }, "Enforced InvalidTimeZone spec.window.timeZone"},
		"zone outside":         {func(b *v1alpha1.SpendBudget) { b.Spec.Window.TimeZone = "../etc/passwd" }, "Enforced InvalidTimeZone spec.window.timeZone"},
		"the machine's zone":   {func(b *v1alpha1.SpendBudget) { b.Spec.Window.TimeZone = "Local" }, "Enforced InvalidTimeZone spec.window.timeZone"},
		"unknown period":       {func(b *v1alpha1.SpendBudget) { b.Spec.Window.Period = "Year" }, "Enforced Invalid spec.window.period"},
		"amount not a decimal": {func(b *v1alpha1.SpendBudget) { b.Spec.Limit.Amount = "lots" }, "Enforced Invalid spec.limit.amount"},
		"amount zero":          {func(b *v1alpha1.SpendBudget) { b.Spec.Limit.Amount = "0.00" }, "Enforced Invalid spec.limit.amount"},
		"other currency":       {func(b *v1alpha1.SpendBudget) { b.Spec.Limit.Currency = "EUR" }, "Enforced Invalid spec.limit.currency"},
		"unknown enforcement":  {func(b *v1alpha1.SpendBudget) { b.Spec.Enforcement = "Firm" }, "Enforced UnsupportedValue spec.enforcement"},
		"unknown policy":       {func(b *v1alpha1.SpendBudget) { b.Spec.Unpriced = "Maybe" }, "Enforced UnsupportedValue spec.unpriced"},
		"caller of two kinds": {
			func(b *v1alpha1.SpendBudget) {
				b.Spec.AppliesTo = &v1alpha1.BudgetScope{Callers: []v1alpha1.BudgetCaller{{AccessKey: "ci", Namespace: "web"}}}
			},
			"Enforced Invalid spec.appliesTo.callers[0]",
		},
	}
	for name, tc := range budgetSpecsInError() {
		cases[name] = struct {
			edit func(*v1alpha1.SpendBudget)
			want string
		}{func(b *v1alpha1.SpendBudget) { tc.edit(&b.Spec) }, tc.want}
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withBudgets(budget("b", tc.edit))))
			if diff := cmp.Diff([]string{tc.want}, why(report(t, result, compile.KindSpendBudget, "b"))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(result.Table.Budgets) != 0 {
				t.Errorf("a budget in error is served")
			}
		})
	}
}

type specInError struct {
	edit func(*v1alpha1.SpendBudgetSpec)
	want string
}

// budgetSpecsInError are specs of which the API server's schema should see what is wrong; a file that is served without one is checked here alone.
func budgetSpecsInError() map[string]specInError {
	perCaller := func(limits ...v1alpha1.CounterLimit) func(*v1alpha1.SpendBudgetSpec) {
		return func(s *v1alpha1.SpendBudgetSpec) { s.Counter, s.Limits = v1alpha1.CounterPerCaller, limits }
	}
	trusted := func(counter v1alpha1.BudgetCounter, limits ...v1alpha1.CounterLimit) func(*v1alpha1.SpendBudgetSpec) {
		return func(s *v1alpha1.SpendBudgetSpec) {
			s.Counter, s.Limits, s.TrustedCallers = counter, limits, []v1alpha1.BudgetCaller{{AccessKey: "web"}}
			if counter == v1alpha1.CounterPerTag {
				s.TagKey = "customer"
			}
		}
	}
	hard := func(edit func(*v1alpha1.SpendBudgetSpec)) func(*v1alpha1.SpendBudgetSpec) {
		return func(s *v1alpha1.SpendBudgetSpec) { s.Enforcement = v1alpha1.EnforcementHard; edit(s) }
	}
	acting := func(actions ...v1alpha1.BudgetAction) func(*v1alpha1.SpendBudgetSpec) {
		return func(s *v1alpha1.SpendBudgetSpec) { s.Actions = actions }
	}
	ci := v1alpha1.CounterLimit{AccessKey: "ci", Amount: "1"}
	user := func(issuer, name string) v1alpha1.CounterLimit {
		return v1alpha1.CounterLimit{User: &v1alpha1.UserReference{Issuer: issuer, Name: name}, Amount: "1"}
	}
	alice, acme := v1alpha1.CounterLimit{EndUser: "alice", Amount: "1"}, v1alpha1.CounterLimit{TagValue: "acme", Amount: "1"}
	notify := v1alpha1.BudgetAction{AtPercent: 80, Do: v1alpha1.ActionNotify}
	return map[string]specInError{
		"hard, unpriced": {hard(func(s *v1alpha1.SpendBudgetSpec) { s.Unpriced = v1alpha1.UnpricedAllow }), "Enforced Invalid spec.unpriced"},
		"hard, without ledger": {
			hard(func(s *v1alpha1.SpendBudgetSpec) { s.OnLedgerUnavailable = v1alpha1.LedgerUnavailableAllow }), "Enforced Invalid spec.onLedgerUnavailable",
		},
		"unknown ledger policy": {func(s *v1alpha1.SpendBudgetSpec) { s.OnLedgerUnavailable = "Wait" }, "Enforced UnsupportedValue spec.onLedgerUnavailable"},
		"shrinking, soft":       {func(s *v1alpha1.SpendBudgetSpec) { s.OnTight = v1alpha1.TightShrink }, "Enforced Invalid spec.onTight"},
		"unknown tight policy":  {func(s *v1alpha1.SpendBudgetSpec) { s.OnTight = "Cut" }, "Enforced UnsupportedValue spec.onTight"},
		"unknown counter":       {func(s *v1alpha1.SpendBudgetSpec) { s.Counter = "PerRoute" }, "Enforced UnsupportedValue spec.counter"},
		"limits, shared":        {func(s *v1alpha1.SpendBudgetSpec) { s.Limits = []v1alpha1.CounterLimit{ci} }, "Enforced Invalid spec.limits"},
		"counters, shared":      {func(s *v1alpha1.SpendBudgetSpec) { s.MaxCounters = new(int32(5)) }, "Enforced Invalid spec.maxCounters"},
		"tag key, shared":       {func(s *v1alpha1.SpendBudgetSpec) { s.TagKey = "customer" }, "Enforced Invalid spec.tagKey"},
		"tag key, by caller": {
			func(s *v1alpha1.SpendBudgetSpec) { s.Counter, s.TagKey = v1alpha1.CounterPerCaller, "customer" }, "Enforced Invalid spec.tagKey",
		},
		"no tag key": {func(s *v1alpha1.SpendBudgetSpec) { trusted(v1alpha1.CounterPerTag)(s); s.TagKey = "" }, "Enforced Invalid spec.tagKey"},
		"too many counters": {
			func(s *v1alpha1.SpendBudgetSpec) {
				s.Counter, s.MaxCounters = v1alpha1.CounterPerCaller, new(int32(10001))
			}, "Enforced Invalid spec.maxCounters",
		},
		"no counters":              {func(s *v1alpha1.SpendBudgetSpec) { s.Counter, s.MaxCounters = v1alpha1.CounterPerCaller, new(int32) }, "Enforced Invalid spec.maxCounters"},
		"nobody trusted, end user": {func(s *v1alpha1.SpendBudgetSpec) { s.Counter = v1alpha1.CounterPerEndUser }, "Enforced Invalid spec.trustedCallers"},
		"nobody trusted, tags": {
			func(s *v1alpha1.SpendBudgetSpec) {
				s.AppliesTo = &v1alpha1.BudgetScope{Tags: []v1alpha1.BudgetTag{{Key: "a", Value: "b"}}}
			},
			"Enforced Invalid spec.trustedCallers",
		},
		"trusted nobody": {func(s *v1alpha1.SpendBudgetSpec) { s.TrustedCallers = []v1alpha1.BudgetCaller{{}} }, "Enforced Invalid spec.trustedCallers[0]"},
		"tag twice": {
			func(s *v1alpha1.SpendBudgetSpec) {
				trusted(v1alpha1.CounterPerEndUser)(s)
				s.AppliesTo = &v1alpha1.BudgetScope{Tags: []v1alpha1.BudgetTag{{Key: "a", Value: "b"}, {Key: "a", Value: "c"}}}
			},
			"Enforced Invalid spec.appliesTo.tags[1]",
		},
		"user without issuer": {func(s *v1alpha1.SpendBudgetSpec) {
			s.AppliesTo = &v1alpha1.BudgetScope{Callers: []v1alpha1.BudgetCaller{{User: &v1alpha1.BudgetUser{Name: "a"}}}}
		}, "Enforced Invalid spec.appliesTo.callers[0].user.issuer"},
		"trusted issuer with a slash": {func(s *v1alpha1.SpendBudgetSpec) {
			s.TrustedCallers = []v1alpha1.BudgetCaller{{User: &v1alpha1.BudgetUser{Issuer: "corp/a", Name: "b"}}}
		}, "Enforced Invalid spec.trustedCallers[0].user.issuer"},
		"user and access key": {func(s *v1alpha1.SpendBudgetSpec) {
			s.TrustedCallers = []v1alpha1.BudgetCaller{{AccessKey: "ci", User: &v1alpha1.BudgetUser{Issuer: "corp"}}}
		}, "Enforced Invalid spec.trustedCallers[0]"},
		"limit of a user without issuer": {perCaller(user("", "a")), "Enforced Invalid spec.limits[0]"},
		"limit of a slash":               {perCaller(user("corp/a", "b")), "Enforced Invalid spec.limits[0]"},
		"limit of all users":             {perCaller(user("corp", "")), "Enforced Invalid spec.limits[0]"},
		"limit of a user twice":          {perCaller(user("corp", "a"), user("corp", "b"), user("corp", "a")), "Enforced Invalid spec.limits[2]"},
		"limit of a user and a key": {
			perCaller(v1alpha1.CounterLimit{AccessKey: "ci", User: &v1alpha1.UserReference{Issuer: "corp", Name: "a"}, Amount: "1"}), "Enforced Invalid spec.limits[0]",
		},
		"user's, by end user":   {trusted(v1alpha1.CounterPerEndUser, user("corp", "a")), "Enforced Invalid spec.limits[0]"},
		"user's, by tag":        {trusted(v1alpha1.CounterPerTag, user("corp", "a")), "Enforced Invalid spec.limits[0]"},
		"limit of nobody":       {perCaller(v1alpha1.CounterLimit{Amount: "1"}), "Enforced Invalid spec.limits[0]"},
		"limit of two":          {perCaller(v1alpha1.CounterLimit{AccessKey: "ci", EndUser: "alice", Amount: "1"}), "Enforced Invalid spec.limits[0]"},
		"limit twice":           {perCaller(ci, ci), "Enforced Invalid spec.limits[1]"},
		"limit of zero":         {perCaller(v1alpha1.CounterLimit{AccessKey: "ci", Amount: "0"}), "Enforced Invalid spec.limits[0].amount"},
		"end user's, by caller": {perCaller(alice), "Enforced Invalid spec.limits[0]"},
		"caller's, by end user": {trusted(v1alpha1.CounterPerEndUser, ci), "Enforced Invalid spec.limits[0]"},
		"end user's, by tag":    {trusted(v1alpha1.CounterPerTag, acme, alice), "Enforced Invalid spec.limits[1]"},
		"action at nothing":     {acting(v1alpha1.BudgetAction{Do: v1alpha1.ActionNotify}), "Enforced Invalid spec.actions[0].atPercent"},
		"action at 101":         {acting(v1alpha1.BudgetAction{AtPercent: 101, Do: v1alpha1.ActionNotify}), "Enforced Invalid spec.actions[0].atPercent"},
		"unknown action":        {acting(v1alpha1.BudgetAction{AtPercent: 1, Do: "Stop"}), "Enforced UnsupportedValue spec.actions[0].do"},
		"action twice":          {acting(notify, notify), "Enforced Invalid spec.actions[1]"},
		"reroute to nowhere":    {acting(v1alpha1.BudgetAction{AtPercent: 1, Do: v1alpha1.ActionReroute}), "Enforced Invalid spec.actions[0].route"},
		"throttle without rate": {acting(v1alpha1.BudgetAction{AtPercent: 1, Do: v1alpha1.ActionThrottle}), "Enforced Invalid spec.actions[0].requestsPerMinute"},
		"notify with rate":      {acting(v1alpha1.BudgetAction{AtPercent: 1, Do: v1alpha1.ActionNotify, RequestsPerMinute: new(int32(1))}), "Enforced Invalid spec.actions[0].requestsPerMinute"},
		"throttle to nothing":   {acting(v1alpha1.BudgetAction{AtPercent: 1, Do: v1alpha1.ActionThrottle, RequestsPerMinute: new(int32)}), "Enforced Invalid spec.actions[0].requestsPerMinute"},
		"throttle while observing": {func(s *v1alpha1.SpendBudgetSpec) {
			s.Enforcement = v1alpha1.EnforcementObserve
			acting(v1alpha1.BudgetAction{AtPercent: 1, Do: v1alpha1.ActionThrottle, RequestsPerMinute: new(int32(1))})(s)
		}, "Enforced Invalid spec.actions[0].do"},
	}
}
