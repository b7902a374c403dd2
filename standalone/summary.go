package standalone

import (
	"fmt"
	"strings"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// Addresses are where the proxy listens, as host:port.
type Addresses struct {
	// Requests is where clients call.
	Requests string
	// Metrics is where metrics are served; empty if nowhere.
	Metrics string
}

// Summary says what is served and how to call it. It names the Secret of an access key and never shows the key.
func (l *Loader) Summary(at Addresses) string {
	var out strings.Builder
	fmt.Fprintf(&out, "Signalbox serves namespace %s on http://%s/v1\n", l.current.Namespace, at.Requests)
	if at.Metrics != "" {
		fmt.Fprintf(&out, "Metrics are on http://%s/metrics\n", at.Metrics)
	}
	models := route.NewIndex(l.current).Models(func(*table.Route) bool { return true })
	names := make([]string, 0, len(models))
	for _, model := range models {
		names = append(names, model.Name)
	}
	if len(names) == 0 {
		out.WriteString("No model is served: the manifests have no ModelRoute that can be.\n")
		return out.String()
	}
	fmt.Fprintf(&out, "Models: %s\n", strings.Join(names, ", "))
	l.writeCall(&out, at.Requests, models)
	return out.String()
}

// mayUse tells whether an access key admits to a route.
func mayUse(key *table.AccessKey, r *table.Route) bool {
	grant := identity.Grant{Caller: identity.Caller{Kind: identity.AccessKey, Name: key.Name}, Routes: key.Routes}
	return grant.Allows(r)
}

// writeCall writes a command that works: with the first access key that may call a model.
func (l *Loader) writeCall(out *strings.Builder, address string, models []route.Model) {
	for _, model := range models {
		for _, key := range l.current.AccessKeys {
			if !mayUse(&key, model.Route) {
				continue
			}
			position := l.set.Position(compile.KindSecret, l.current.Namespace, key.Name, "")
			name := strings.ReplaceAll(model.Name, "*", "NAME")
			fmt.Fprintf(out, "Call it so, with KEY set to the value of %q in Secret %s (%s):\n", v1alpha1.AccessKeySecretKey, key.Name, position)
			fmt.Fprintf(out, "  curl http://%s/v1/chat/completions -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\\n", address)
			fmt.Fprintf(out, "    -d '{\"model\": %q, \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}'\n", name)
			return
		}
	}
	fmt.Fprintf(out, "Nobody can call yet: declare a Secret with the label %s: \"true\" and a key under %q, and let a route's access admit it.\n",
		v1alpha1.LabelAccessKey, v1alpha1.AccessKeySecretKey)
}
