package cmd

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

const goodManifests = `apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: local}
spec:
  provider: OpenAICompatible
  endpoint: http://vllm.models:8000/v1
  auth: {none: {}}
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat}
spec:
  models: [chat]
  targets:
  - name: first
    credentialRef: {name: local}
    model: llama
`

// execute runs a command and returns what it printed and its error.
func execute(command *cobra.Command, stdin string, args ...string) (string, error) {
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetErr(&out)
	command.SetIn(strings.NewReader(stdin))
	command.SetArgs(args)
	command.SilenceUsage, command.SilenceErrors = true, true
	err := command.ExecuteContext(context.Background())
	return out.String(), err
}

func TestCheck(t *testing.T) {
	cases := map[string]struct {
		stdin string
		args  []string
		want  string
		fails string
	}{
		"good": {stdin: goodManifests, args: []string{"-"}, want: "0 errors, 0 warnings\n"},
		"explained": {
			stdin: goodManifests, args: []string{"-", "--namespace", "team-a", "--explain", "chat"},
			want: `model "chat" in namespace team-a: ModelRoute/chat (stdin:9), by its exact name
  callers: ServiceAccounts of team-a; all access keys of the namespace
  timeouts: first token 30s, idle 1m0s, total 10m0s
  budgets: none
  targets, in the order in which they are tried:
    priority 0, 1/1 of its calls: first -> ProviderCredential/local (http://vllm.models:8000/v1), model llama, price not known
0 errors, 0 warnings
`,
		},
		"explained, not served": {
			stdin: goodManifests, args: []string{"-", "--explain", "gpt"},
			want: "model \"gpt\": no ModelRoute serves it\n0 errors, 0 warnings\n", fails: `model "gpt" is not served`,
		},
		"with errors": {
			stdin: strings.ReplaceAll(goodManifests, "model: llama", "model: llama\n    weight: -1"), args: []string{"-"},
			want:  "stdin:18: ModelRoute/chat: spec.targets[0].weight: Invalid value: -1: spec.targets[0].weight in body should be greater than or equal to 0\n1 errors, 0 warnings\n",
			fails: "the manifests have errors",
		},
		"loopback in a cluster": {
			stdin: strings.ReplaceAll(goodManifests, "vllm.models", "localhost"), args: []string{"-"},
			want: `stdin:6: ProviderCredential/local: spec.endpoint: localhost is a loopback address; an endpoint may lead there only if the platform's configuration allows it
stdin:14: warning: ModelRoute/chat: spec.targets: no target can be used, so every call fails
stdin:16: warning: ModelRoute/chat: spec.targets[0].credentialRef.name: target "first": ProviderCredential "local" is not valid
1 errors, 2 warnings
`,
			fails: "the manifests have errors",
		},
		"loopback on a laptop": {
			stdin: strings.ReplaceAll(goodManifests, "vllm.models", "127.0.0.1"), args: []string{"-", "--local"},
			want: "0 errors, 0 warnings\n",
		},
		"no such file": {args: []string{"/absent/file.yaml"}, fails: "no such file"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := execute(NewCheck(), tc.stdin, tc.args...)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("error %v, want %q", err, tc.fails)
			}
		})
	}
}

func TestCheckReadsFilesAndDirectories(t *testing.T) {
	dir := t.TempDir()
	credential, route, _ := strings.Cut(goodManifests, "---\n")
	for name, content := range map[string]string{"credential.yaml": credential, "route.yml": route} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := execute(NewCheck(), "", dir); err != nil {
		t.Errorf("the directory has errors: %v\n%s", err, got)
	}
	got, err := execute(NewCheck(), "", filepath.Join(dir, "route.yml"))
	if err == nil || !strings.Contains(got, filepath.Join(dir, "route.yml")+":8: ModelRoute/chat: spec.targets[0].credentialRef.name") {
		t.Errorf("the route alone: %v\n%s", err, got)
	}
}

func TestCheckExplainsARequest(t *testing.T) {
	manifests := goodManifests + `  - name: second
    credentialRef: {name: local}
    model: llava
    priority: 1
  - name: blind
    credentialRef: {name: local}
    model: llama
    priority: 2
    declares: {capabilities: []}
`
	const withTools = `{"model":"chat","messages":[{"role":"user","content":"Hello"}],"tools":[{"type":"function","function":{"name":"f"}}]}`
	cases := map[string]struct {
		request, path string
		want          []string
		fails         string
	}{
		"tools": {request: withTools, want: []string{
			`request for "chat" in namespace default`, "needs Tools", "1. chat/first: OpenAICompatible llama", "2. chat/second: ", "left out: chat/blind: ",
		}},
		"only one":      {request: `{"model":"chat","messages":[],"provider":{"only":["second"]}}`, want: []string{"1. chat/second: ", "left out: chat/first: "}},
		"a message":     {request: `{"model":"chat","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`, path: "/v1/messages", want: []string{"1. chat/first"}},
		"no such model": {request: `{"model":"other","messages":[]}`, want: []string{"not served"}, fails: "is not served"},
		"no request":    {request: `[]`, fails: "must be one JSON object"},
		"no such path":  {request: withTools, path: "/v2/elsewhere", fails: "no request to explain"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "request.json")
			if err := os.WriteFile(file, []byte(tc.request), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"-", "--explain", file}
			if tc.path != "" {
				args = append(args, "--path", tc.path)
			}
			out, err := execute(NewCheck(), manifests, args...)
			for _, part := range tc.want {
				if !strings.Contains(out, part) {
					t.Errorf("does not say %q:\n%s", part, out)
				}
			}
			switch {
			case tc.fails == "" && err != nil:
				t.Errorf("failed: %v\n%s", err, out)
			case tc.fails != "" && (err == nil || !strings.Contains(err.Error(), tc.fails)):
				t.Errorf("error %v, want %q", err, tc.fails)
			}
		})
	}
}
