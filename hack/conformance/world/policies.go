package world

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

// policy is a route with more than one target, or with a policy.
type policy struct {
	// purpose of the route.
	purpose string
	// targets and the other members of its spec, as YAML.
	targets []string
	members string
}

// pastPicky moves on from what plan.Picky answers.
const pastPicky = "fallback: {failures: [BadRequest]}"

// policies are those in front of an upstream.
func policies(u catalogue.Upstream) []policy {
	return slices.Concat(budgeted(u), renewed(u), []policy{
		{
			purpose: plan.Fallback, members: pastPicky,
			targets: []string{target(u, "first", plan.Picky, ""), target(u, "spare", plan.Chat, ", priority: 1")},
		},
		{
			purpose: plan.Priced,
			targets: []string{target(u, "dear", plan.Chat, ", weight: 1000"), target(u, "cheap", plan.Chat, `, prices: {input: "1", output: "1"}`)},
		},
		{
			purpose: plan.Session, members: "affinity: {by: Session}",
			targets: []string{target(u, "left", plan.Chat, ""), target(u, "right", plan.Chat, "")},
		},
		{
			purpose: plan.Limited,
			members: fmt.Sprintf("limits: [{per: Caller, requestsPerMinute: %d, tokensPerMinute: %d, concurrency: 1}]", plan.LimitedRequests, plan.LimitedTokens),
			targets: []string{target(u, "answers", plan.Chat, ""), target(u, "stalls", plan.Stall, ", priority: 1")},
		},
		{purpose: plan.Closed, targets: []string{target(u, "open", plan.Chat, "")}, members: "require: {dataPolicy: {retention: Zero}}"},
	})
}

func writePolicies(out *strings.Builder, u catalogue.Upstream) {
	for _, p := range policies(u) {
		fmt.Fprintf(out, "---\napiVersion: signalbox.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: %s-%s}\nspec:\n  models: [%s]\n  targets: [%s]\n",
			u.Name, p.purpose, Alias(u.Name, p.purpose), strings.Join(p.targets, ", "))
		if p.members != "" {
			fmt.Fprintf(out, "  %s\n", p.members)
		}
	}
}

// routePurposes are those of the routes in front of an upstream: of its models, and of the policies.
func routePurposes(u catalogue.Upstream) []string {
	all := purposes(u)
	for _, p := range policies(u) {
		all = append(all, p.purpose)
	}
	return all
}
