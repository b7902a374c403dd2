package world

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

// keyMark is a label of the Secrets of renewed keys.
const keyMark = "conformance: renewed"

// Keys are those of a client. Each has its own, for limits count by caller and clients run together.
func Keys(client string) plan.Keys {
	return plan.Keys{Key: AccessKey(client), Renewed: "sk-conformance-renewed-" + client, Revoked: "sk-conformance-revoked-" + client}
}

// AccessKey is the key that a client calls with where it does not matter.
func AccessKey(client string) string { return "sk-conformance-access-" + client }

// writeKeys writes the Secrets of a client's keys. The revoked one has none.
func writeKeys(out *strings.Builder, client string) {
	keys := Keys(client)
	for _, secret := range []struct{ name, key, labels string }{{"client", keys.Key, ""}, {"renewed", keys.Renewed, ", " + keyMark}} {
		fmt.Fprintf(out, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: %s-%s, labels: {signalbox.dev/access-key: \"true\"%s}}\nstringData: {key: %s}\n",
			secret.name, client, secret.labels, secret.key)
	}
}

// renewed is the route that admits renewed keys alone.
func renewed(u catalogue.Upstream) []policy {
	if !slices.Contains(catalogue.CallersUpstreams(), u.Name) {
		return nil
	}
	return []policy{{
		purpose: plan.Renewed, targets: []string{target(u, "only", plan.Chat, "")},
		members: "access: {allow: [{accessKeySelector: {matchLabels: {" + keyMark + "}}}]}",
	}}
}
