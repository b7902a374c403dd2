package world

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

// ProviderKey opens the fake providers.
const ProviderKey = "sk-conformance-provider"

// Alias is the name that clients ask for.
func Alias(upstream, purpose string) string { return upstream + "/" + purpose }

// Manifests are what the proxy serves: the keys of each client, a credential for each upstream, a route for each of its models, and routes with policies.
// googleKey is the key file of a service account.
func Manifests(upstreams []catalogue.Upstream, clients []string, endpoint, googleKey string) string {
	var out strings.Builder
	for _, name := range clients {
		writeKeys(&out, name)
	}
	fmt.Fprintf(&out, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: provider, labels: {signalbox.dev/provider-key: \"true\"}}\nstringData: {api-key: %s}\n", ProviderKey)
	fmt.Fprintf(&out, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: aws, labels: {signalbox.dev/provider-key: \"true\"}}\nstringData: {id: %s, secret: secret-of-%s}\n", ProviderKey, ProviderKey)
	fmt.Fprintf(&out, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: google, labels: {signalbox.dev/provider-key: \"true\"}}\nstringData: {key.json: %q}\n", googleKey)
	for _, u := range upstreams {
		for i := range brokenTargets {
			writeCredential(&out, u, credentialName(u, i), endpoint)
		}
		for _, purpose := range purposes(u) {
			writeRoute(&out, u, purpose)
		}
		writePolicies(&out, u)
		writeBudgets(&out, u, clients)
	}
	writeAllowance(&out, clients)
	return out.String()
}

// brokenTargets is how many targets the route of a broken model has, each of a credential of its own, as health is kept by credential and model. After a
// few failures in a row a target is left alone, and another one shows clients how a stream breaks.
const brokenTargets = 4

// credentialName is the upstream's name; all but the first have a number.
func credentialName(u catalogue.Upstream, i int) string {
	if i == 0 {
		return u.Name
	}
	return fmt.Sprintf("%s-%d", u.Name, i)
}

func writeCredential(out *strings.Builder, u catalogue.Upstream, name, endpoint string) {
	auth := u.Auth
	if auth == "" {
		auth = "{keys: [{name: main, secretKeyRef: {name: provider, key: api-key}}]}"
	}
	fmt.Fprintf(out, "---\napiVersion: signalbox.dev/v1alpha1\nkind: ProviderCredential\nmetadata: {name: %s}\nspec:\n  provider: %s\n  endpoint: %s\n  auth: %s\n",
		name, u.Provider, endpoint+u.Path, auth)
	if u.Block != "" {
		fmt.Fprintf(out, "  %s\n", u.Block)
	}
	out.WriteString("  prices:\n")
	for _, purpose := range purposes(u) {
		fmt.Fprintf(out, "  - {model: %q, input: \"2\", output: \"10\"}\n", u.Models[purpose])
	}
}

func writeRoute(out *strings.Builder, u catalogue.Upstream, purpose string) {
	targets := []string{target(u, "only", purpose, "")}
	for i := 1; purpose == plan.Broken && i < brokenTargets; i++ {
		other := u
		other.Name = credentialName(u, i)
		targets = append(targets, target(other, other.Name, purpose, ""))
	}
	fmt.Fprintf(out, "---\napiVersion: signalbox.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: %[1]s-%[2]s}\nspec:\n  models: [%[3]s]\n  targets: [%[4]s]\n%[5]s",
		u.Name, purpose, Alias(u.Name, purpose), strings.Join(targets, ", "), policyOf(purpose))
}

// policyOf is what a route of one target has besides. What is always busy is not tried again, which would take time and tell nothing.
func policyOf(purpose string) string {
	switch purpose {
	case plan.Busy:
		return "  fallback: {retry: {failures: []}}\n"
	case plan.Picky:
		return "  " + pastPicky + "\n"
	default:
		return ""
	}
}

// target is a target that stands for a purpose, with more members.
func target(u catalogue.Upstream, name, purpose, more string) string {
	api := ""
	if u.API != "" && generates(purpose) {
		api = ", api: " + u.API
	}
	return fmt.Sprintf("{name: %s, credentialRef: {name: %s}, model: %q%s%s}", name, u.Name, u.Models[purpose], api, more)
}

// generates tells whether a model makes text, for which alone a target can name an API.
func generates(purpose string) bool {
	return slices.Contains([]string{plan.Chat, plan.Busy, plan.Stall, plan.Broken, plan.Picky, plan.Reason}, purpose)
}

// purposes of an upstream's models, sorted.
func purposes(u catalogue.Upstream) []string {
	var all []string
	for purpose := range u.Models {
		all = append(all, purpose)
	}
	slices.Sort(all)
	return all
}
