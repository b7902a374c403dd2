package lint_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/manifest"
	"signalbox.dev/signalbox/manifest/lint"
	"signalbox.dev/signalbox/proxy/table"
)

// update writes what is seen into the golden files.
var update = flag.Bool("update", false, "write what is seen into the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("output (-%s +got):\n%s", name, diff)
	}
	if strings.Contains(got, "sk-very-secret") {
		t.Error("the output shows a key")
	}
}

func linter(t *testing.T, content, name string) (lint.Linter, []manifest.Problem) {
	t.Helper()
	reader, err := manifest.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	set, problems := reader.Read(context.Background(), []manifest.Source{{Name: name, Content: []byte(content)}}, "team-a")
	return lint.Linter{Set: set}, problems
}

func lines(problems []manifest.Problem) string {
	var out strings.Builder
	for _, problem := range problems {
		out.WriteString(problem.String() + "\n")
	}
	return out.String()
}

func mixed(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("testdata/mixed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestProblems(t *testing.T) {
	l, problems := linter(t, mixed(t), "mixed.yaml")
	problems = append(problems, l.Problems()...)
	manifest.Sort(problems)
	golden(t, "mixed.problems", lines(problems))
}

func TestExplain(t *testing.T) {
	l, _ := linter(t, mixed(t), "mixed.yaml")
	var out strings.Builder
	for _, model := range []string{"chat", "groq/llama-3.3-70b-versatile", "closed"} {
		text, known := l.Explain(model)
		if !known {
			t.Errorf("model %q is not known", model)
		}
		out.WriteString(text)
	}
	text, known := l.Explain("gpt-5")
	if known {
		t.Error("a model that no route serves is known")
	}
	golden(t, "mixed.explained", out.String()+text)
}

func TestLoopbackMayBeAllowed(t *testing.T) {
	l, _ := linter(t, mixed(t), "mixed.yaml")
	l.Endpoints = table.EndpointRules{AllowCIDRs: []string{"127.0.0.0/8"}}
	if got := lines(l.Problems()); strings.Contains(got, "ProviderCredential/laptop") {
		t.Errorf("the loopback endpoint is refused:\n%s", got)
	}
}

func TestEachNamespaceIsCheckedForItself(t *testing.T) {
	const route = `apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat, namespace: NAMESPACE}
spec:
  models: [chat]
  targets: [{name: t, credentialRef: {name: local}, model: m}]
---
`
	const credential = `apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: local, namespace: a}
spec: {provider: Groq, auth: {none: {}}}
`
	l, problems := linter(t, strings.ReplaceAll(route, "NAMESPACE", "a")+strings.ReplaceAll(route, "NAMESPACE", "b")+credential, "file")
	if len(problems) != 0 {
		t.Fatal(lines(problems))
	}
	want := "file:13: warning: ModelRoute/chat: spec.targets: no target can be used, so every call fails\n" +
		"file:13: ModelRoute/chat: spec.targets[0].credentialRef.name: target \"t\": ProviderCredential \"local\" does not exist\n"
	if diff := cmp.Diff(want, lines(l.Problems())); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	text, _ := l.Explain("chat")
	if strings.Count(text, "in namespace") != 2 {
		t.Errorf("explained:\n%s", text)
	}
}
