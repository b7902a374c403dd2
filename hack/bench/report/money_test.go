package report

import (
	"strings"
	"testing"
)

func TestMoney(t *testing.T) {
	for name, tc := range map[string]struct {
		step Choice
		want string
	}{
		"met":             {Choice{Strategy: "1budget", Nanos: 999}, ""},
		"slow":            {Choice{Strategy: "1budget", Nanos: 1001}, "reserving and settling with 1budget, ns"},
		"four are dearer": {Choice{Strategy: "4budgets", Nanos: 2999}, ""},
		"allocates":       {Choice{Strategy: "4budgets", Allocs: 1}, "allocations of that"},
		"not held to one": {Choice{Strategy: "Tiers", Nanos: 1e9, Allocs: 9}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := Report{Money: Money{Steps: []Choice{tc.step}}, Memory: map[string]Memory{}, Forwarding: map[string]Delay{}}
			r.Judge()
			missed := ""
			for _, goal := range r.Goals {
				if !goal.Met {
					missed += goal.Name
				}
			}
			if missed != tc.want {
				t.Errorf("missed %q, want %q", missed, tc.want)
			}
			var out strings.Builder
			if err := r.Print(&out); err != nil || !strings.Contains(out.String(), tc.step.Strategy) || !strings.Contains(out.String(), "one Soft budget") {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	}
}
