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
	hard(out, u, "room", plan.Budgeted, roomy, "")
	hard(out, u, "users", plan.Budgeted, roomy, fmt.Sprintf("counter: PerEndUser, limits: [{endUser: %s, amount: %q}], %s", plan.Broke, tiny, trusted))
	hard(out, u, "teams", plan.Budgeted, roomy, fmt.Sprintf("counter: PerTag, tagKey: team, limits: [{tagValue: %s, amount: %q}], %s", plan.Broke, tiny, trusted))
	hard(out, u, plan.Spent, plan.Spent, tiny, "")
	hard(out, u, plan.Unbounded, plan.Unbounded, roomy, "")
}

// hard writes a budget of a route, with more members.
func hard(out *strings.Builder, u catalogue.Upstream, name, purpose, limit, more string) {
	fmt.Fprintf(out, "---\napiVersion: signalbox.dev/v1alpha1\nkind: SpendBudget\nmetadata: {name: %[1]s-%[2]s}\nspec: {limit: {amount: %[3]q}, "+
		"window: {period: Total}, enforcement: Hard, appliesTo: {routes: [%[1]s-%[4]s]}, %[5]s}\n", u.Name, name, limit, purpose, more)
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
