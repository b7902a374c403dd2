package lint_test

import (
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/manifest"
)

// good is a namespace in which everything is in order. Lines that a case changes stand alone.
const good = `apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: steady}
spec: {provider: Groq, auth: {none: {}}}
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: a-steady}
spec:
  models: [steady]
  targets: [{name: t, credentialRef: {name: steady}, model: m, prices: {input: "1"}}]
---
apiVersion: v1
kind: Secret
metadata: {name: key, labels: {signalbox.dev/provider-key: "true"}}
data:
  api-key: c2stdmVyeS1zZWNyZXQ=
---
apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: tried}
spec:
  provider: OpenAICompatible
  endpoint: https://api.example.com/v1
  auth: {keys: [{name: primary, secretKeyRef: {name: key, key: api-key}}]}
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: tried}
spec:
  models: [tried]
  targets:
  - name: t
    credentialRef: {name: tried}
    model: m
    weight: 1
    prices: {input: "0.5"}
---
apiVersion: signalbox.dev/v1alpha1
kind: SpendBudget
metadata: {name: tried}
spec:
  limit: {amount: "250.00"}
  window: {period: Month, timeZone: Europe/Lisbon}
`

// TestBadInput makes one mistake at a time: it is told as an error of that object, at its line, and the route beside it is served as before.
func TestBadInput(t *testing.T) {
	const endpoint, stored = "https://api.example.com/v1", "c2stdmVyeS1zZWNyZXQ="
	cases := map[string]struct{ old, bad, want string }{
		"nothing wrong":            {"", "", ""},
		"unknown provider":         {"provider: OpenAICompatible", "provider: GrokX", `file:23: ProviderCredential/tried: spec.provider: Unsupported value: "GrokX"`},
		"malformed endpoint":       {endpoint, "https//api", `file:24: ProviderCredential/tried: spec.endpoint: Invalid value`},
		"endpoint, metadata":       {endpoint, "http://169.254.169.254/v1", "file:24: ProviderCredential/tried: spec.endpoint: 169.254.169.254 is a cloud metadata"},
		"endpoint, link-local":     {endpoint, "http://169.254.7.7/v1", "file:24: ProviderCredential/tried: spec.endpoint: 169.254.7.7 is a link-local"},
		"endpoint, loopback":       {endpoint, "http://127.0.0.1/v1", "file:24: ProviderCredential/tried: spec.endpoint: 127.0.0.1 is a loopback"},
		"endpoint, IPv6 loopback":  {endpoint, "http://[::1]/v1", "file:24: ProviderCredential/tried: spec.endpoint: ::1 is a loopback"},
		"endpoint, loopback name":  {endpoint, "http://localhost/v1", "file:24: ProviderCredential/tried: spec.endpoint: localhost is a loopback"},
		"endpoint, metadata name":  {endpoint, "http://metadata.google.internal/v1", "file:24: ProviderCredential/tried: spec.endpoint: metadata.google.internal is a cloud metadata"},
		"negative weight":          {"weight: 1", "weight: -1", "file:36: ModelRoute/tried: spec.targets[0].weight: Invalid value: -1"},
		"duplicate model":          {"models: [tried]", "models: [steady]", `file:31: ModelRoute/tried: spec.models[0]: model "steady" belongs to ModelRoute "a-steady"`},
		"Secret without the key":   {"  api-key:", "  apikey:", `file:25: ProviderCredential/tried: spec.auth.keys[0].secretKeyRef: Secret "key" has no key "api-key"`},
		"key that is not UTF-8":    {stored, "c2v/LTE=", `file:25: ProviderCredential/tried: spec.auth.keys[0].secretKeyRef: the value of key "api-key" in Secret "key" has a byte`},
		"key with space around it": {stored, "IHNrLTEg", `file:25: ProviderCredential/tried: spec.auth.keys[0].secretKeyRef: the value of key "api-key" in Secret "key" has white space`},
		"price not a decimal":      {`input: "0.5"`, `input: "cheap"`, `file:37: ModelRoute/tried: spec.targets[0].prices.input: Invalid value: "cheap"`},
		"impossible time zone":     {"Europe/Lisbon", "Mars/Olympus", `file:44: SpendBudget/tried: spec.window.timeZone: "Mars/Olympus" is not in the IANA`},
		"empty targets": {
			"targets:\n  - name: t\n    credentialRef: {name: tried}\n    model: m\n    weight: 1\n    prices: {input: \"0.5\"}", "targets: []",
			"file:32: ModelRoute/tried: spec.targets: Invalid value",
		},
	}
	want, _ := explained(t, good)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.old != "" && strings.Count(good, tc.old) != 1 {
				t.Fatalf("%q is there %d times", tc.old, strings.Count(good, tc.old))
			}
			text, faults := explained(t, strings.Replace(good, tc.old, tc.bad, 1))
			told := slices.ContainsFunc(faults, func(fault string) bool { return tc.want != "" && strings.HasPrefix(fault, tc.want) })
			others := slices.ContainsFunc(faults, func(fault string) bool { return !strings.Contains(fault, "/tried: ") })
			if told != (tc.want != "") || told != (len(faults) > 0) || others {
				t.Errorf("errors %q, want %q", faults, tc.want)
			}
			if strings.Contains(strings.Join(faults, ""), "sk-") {
				t.Error("an error shows a key")
			}
			if beside := strings.ReplaceAll(text, "tried (250 USD a month, Soft)", "none"); beside != strings.ReplaceAll(want, "tried (250 USD a month, Soft)", "none") {
				t.Errorf("the route beside it is served as\n%s\nbefore it was\n%s", text, want)
			}
		})
	}
}

// explained says how the steady route is served, and which errors there are.
func explained(t *testing.T, content string) (text string, faults []string) {
	t.Helper()
	l, problems := linter(t, content, "file")
	for _, problem := range append(problems, l.Problems()...) {
		if problem.Severity == manifest.Error {
			faults = append(faults, problem.String())
		}
	}
	text, known := l.Explain("steady")
	if !known {
		t.Errorf("the steady route is not served: %s", text)
	}
	return text, faults
}
