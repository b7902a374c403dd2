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
			},
		}
	}))))
	want := []table.Budget{{
		Object: table.Object{Name: "month", UID: "uid-month", Generation: 1, Since: 1},
		Limit:  1, Period: "Month", TimeZone: "Europe/Lisbon", ResetID: "ticket-7",
		Routes: []string{"a", "b"}, Callers: []table.CallerMatch{{ServiceAccount: "apps/bot"}, {AccessKey: "ci"}, {Namespace: "web"}},
		Enforcement: table.Soft, Ledger: "signalbox-ledger-month",
	}}
	if diff := cmp.Diff(want, result.Table.Budgets); diff != "" {
		t.Errorf("budgets (-want +got):\n%s", diff)
	}
}

func TestBudgetPolicies(t *testing.T) {
	cases := map[string]struct {
		enforcement v1alpha1.Enforcement
		unpriced    v1alpha1.UnpricedPolicy
		want        table.Enforcement
		allow       bool
	}{
		"defaults":             {want: table.Soft},
		"unpriced let through": {v1alpha1.EnforcementSoft, v1alpha1.UnpricedAllow, table.Soft, true},
		"observing lets all":   {v1alpha1.EnforcementObserve, v1alpha1.UnpricedDeny, table.Observe, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withBudgets(budget("b", func(b *v1alpha1.SpendBudget) {
				b.Spec.Enforcement, b.Spec.Unpriced = tc.enforcement, tc.unpriced
			}))))
			got := result.Table.Budgets[0]
			if got.Enforcement != tc.want || got.AllowUnpriced != tc.allow {
				t.Errorf("got %s, unpriced allowed %t", got.Enforcement, got.AllowUnpriced)
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
		"later enforcement":    {func(b *v1alpha1.SpendBudget) { b.Spec.Enforcement = "Hard" }, "Enforced UnsupportedValue spec.enforcement"},
		"unknown policy":       {func(b *v1alpha1.SpendBudget) { b.Spec.Unpriced = "Maybe" }, "Enforced UnsupportedValue spec.unpriced"},
		"caller of two kinds": {
			func(b *v1alpha1.SpendBudget) {
				b.Spec.AppliesTo = &v1alpha1.BudgetScope{Callers: []v1alpha1.BudgetCaller{{AccessKey: "ci", Namespace: "web"}}}
			},
			"Enforced Invalid spec.appliesTo.callers[0]",
		},
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
