package world

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

const (
	// roomy is a limit that no run reaches, and tiny one that no call fits into, in US dollars.
	roomy, tiny = "1000", "0.000000001"
	// allowanceBudget is the name of the one budget that is not about a route.
	allowanceBudget = "allowance"
)

// budget is a Hard one.
type budget struct {
	// name behind the upstream's, purpose of the route that it counts, and limit.
	name, purpose, limit string
	// members are others of its spec, as YAML.
	members string
}

// budgeted are the routes whose calls Hard budgets count.
func budgeted(u catalogue.Upstream) []policy {
	if !slices.Contains(catalogue.MoneyUpstreams(), u.Name) {
		return nil
	}
	bounded := []string{target(u, "only", plan.Chat, fmt.Sprintf(", declares: {maxOutputTokens: %d}", plan.OutputLimit))}
	return []policy{
		{purpose: plan.Budgeted, targets: bounded}, {purpose: plan.Spent, targets: bounded}, {purpose: plan.Unbounded, targets: []string{target(u, "only", plan.Chat, "")}},
	}
}

// writeBudgets writes the Hard budgets of an upstream's routes. All clients are believed when they name an end user or a tag.
func writeBudgets(out *strings.Builder, u catalogue.Upstream, clients []string) {
	if len(budgeted(u)) == 0 {
		return
	}
	trusted := "trustedCallers: [" + strings.Join(callers(clients), ", ") + "]"
	for _, b := range []budget{
		{"room", plan.Budgeted, roomy, ""},
		{"users", plan.Budgeted, roomy, fmt.Sprintf("counter: PerEndUser, limits: [{endUser: %s, amount: %q}], %s", plan.Broke, tiny, trusted)},
		{"teams", plan.Budgeted, roomy, fmt.Sprintf("counter: PerTag, tagKey: team, limits: [{tagValue: %s, amount: %q}], %s", plan.Broke, tiny, trusted)},
		{plan.Spent, plan.Spent, tiny, ""},
		{plan.Unbounded, plan.Unbounded, roomy, ""},
	} {
		fmt.Fprintf(out, "---\napiVersion: signalbox.dev/v1alpha1\nkind: SpendBudget\nmetadata: {name: %[1]s-%[2]s}\nspec: {limit: {amount: %[3]q}, "+
			"window: {period: Total}, enforcement: Hard, appliesTo: {routes: [%[1]s-%[4]s]}, %[5]s}\n", u.Name, b.name, b.limit, b.purpose, b.members)
	}
}

// writeAllowance gives the client that reads its account a budget of its own, over all routes.
func writeAllowance(out *strings.Builder, clients []string) {
	if !slices.Contains(clients, plan.Accountant) {
		return
	}
	fmt.Fprintf(out, "---\napiVersion: signalbox.dev/v1alpha1\nkind: SpendBudget\nmetadata: {name: %s}\nspec: {limit: {amount: \"%d\"}, "+
		"window: {period: Total}, unpriced: Allow, appliesTo: {callers: [%s]}}\n", allowanceBudget, plan.Allowance, callers([]string{plan.Accountant})[0])
}

// callers are the clients as budgets name them.
func callers(clients []string) []string {
	all := make([]string, 0, len(clients))
	for _, name := range clients {
		all = append(all, fmt.Sprintf("{accessKey: client-%s}", name))
	}
	return all
}
