package world

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

// AccessKey opens the proxy, and ProviderKey the fake providers.
const (
	AccessKey   = "sk-conformance-access"
	ProviderKey = "sk-conformance-provider"
)

// Alias is the name that clients ask for.
func Alias(upstream, purpose string) string { return upstream + "/" + purpose }

// Manifests are what the proxy serves: a credential for each upstream, and a route for each of its models.
// googleKey is the key file of a service account.
func Manifests(upstreams []catalogue.Upstream, endpoint, googleKey string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "apiVersion: v1\nkind: Secret\nmetadata: {name: client, labels: {signalbox.dev/access-key: \"true\"}}\nstringData: {key: %s}\n", AccessKey)
	fmt.Fprintf(&out, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: provider, labels: {signalbox.dev/provider-key: \"true\"}}\nstringData: {api-key: %s}\n", ProviderKey)
	fmt.Fprintf(&out, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: aws, labels: {signalbox.dev/provider-key: \"true\"}}\nstringData: {id: %s, secret: secret-of-%s}\n", ProviderKey, ProviderKey)
	fmt.Fprintf(&out, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: google, labels: {signalbox.dev/provider-key: \"true\"}}\nstringData: {key.json: %q}\n", googleKey)
	for _, u := range upstreams {
		writeCredential(&out, u, endpoint)
		for _, purpose := range purposes(u) {
			writeRoute(&out, u, purpose)
		}
	}
	return out.String()
}

func writeCredential(out *strings.Builder, u catalogue.Upstream, endpoint string) {
	auth := u.Auth
	if auth == "" {
		auth = "{keys: [{name: main, secretKeyRef: {name: provider, key: api-key}}]}"
	}
	fmt.Fprintf(out, "---\napiVersion: signalbox.dev/v1alpha1\nkind: ProviderCredential\nmetadata: {name: %s}\nspec:\n  provider: %s\n  endpoint: %s\n  auth: %s\n",
		u.Name, u.Provider, endpoint+u.Path, auth)
	if u.Block != "" {
		fmt.Fprintf(out, "  %s\n", u.Block)
	}
	out.WriteString("  prices:\n")
	for _, purpose := range purposes(u) {
		fmt.Fprintf(out, "  - {model: %q, input: \"2\", output: \"10\"}\n", u.Models[purpose])
	}
}

func writeRoute(out *strings.Builder, u catalogue.Upstream, purpose string) {
	api := ""
	if u.API != "" && generates(purpose) {
		api = ", api: " + u.API
	}
	fmt.Fprintf(out, "---\napiVersion: signalbox.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: %s-%s}\nspec:\n  models: [%s]\n  targets: [{name: only, credentialRef: {name: %s}, model: %q%s}]\n",
		u.Name, purpose, Alias(u.Name, purpose), u.Name, u.Models[purpose], api)
}

// generates tells whether a model makes text, for which alone a target can name an API.
func generates(purpose string) bool {
	return slices.Contains([]string{plan.Chat, plan.Busy, plan.Stall, plan.Broken, plan.Reason}, purpose)
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
