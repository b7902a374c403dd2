package lint_test

import (
	"strings"
	"testing"
)

const (
	callingRoute = `
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat, namespace: team-a}
spec:
  models: [chat]
  targets: [{name: platform, routeRef: {namespace: ai, name: llama}, model: llama}]
`
	calledRoute = `---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: llama, namespace: ai}
spec:
  models: [llama]
  targets: [{name: own, credentialRef: {name: groq}, model: llama-3.3-70b-versatile}]
`
	admission = `  access: {allow: [{serviceAccount: {namespace: team-a, name: signalbox}}]}
`
)

// A reference is checked against the files; a route that they do not have may well be in the cluster.
func TestRoutesOfOtherNamespaces(t *testing.T) {
	cases := map[string]struct{ content, want, not string }{
		"in the files":  {callingRoute + calledRoute + admission, "", "ModelRoute/chat"},
		"not admitted":  {callingRoute + calledRoute, "does not admit the proxy of this namespace", ""},
		"not in there":  {callingRoute, `warning: ModelRoute/chat: spec.targets[0].routeRef.name: target "platform": ModelRoute "llama" of namespace "ai" does not exist in these files`, ""},
		"another model": {strings.Replace(callingRoute, "model: llama}", "model: gpt}", 1) + calledRoute + admission, `does not serve model "gpt"; it serves llama`, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l, problems := linter(t, tc.content, "file.yaml")
			if len(problems) > 0 {
				t.Fatal(lines(problems))
			}
			got := lines(l.Problems())
			if !strings.Contains(got, tc.want) || tc.not != "" && strings.Contains(got, tc.not) {
				t.Errorf("got\n%s\nwant %q in it, not %q", got, tc.want, tc.not)
			}
		})
	}
}
