package standalone_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/standalone"
)

// patience bounds how long a test waits for what must come.
const patience = 20 * time.Second

const manifests = `apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: local}
spec:
  provider: OpenAICompatible
  endpoint: http://127.0.0.1:9/v1
  auth: {none: {}}
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat}
spec:
  models: [MODEL]
  targets: [{name: t, credentialRef: {name: local}, model: m}]
---
apiVersion: v1
kind: Secret
metadata: {name: laptop, labels: {signalbox.dev/access-key: "true"}}
stringData: {key: sk-very-secret}
`

func serving(model string) string { return strings.ReplaceAll(manifests, "MODEL", model) }

// safeBuffer can be written and read at the same time.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// running is a Loader that follows files until the test ends.
type running struct {
	tables   chan *table.Table
	findings *safeBuffer
}

func follow(t *testing.T, paths ...string) running {
	t.Helper()
	r := running{tables: make(chan *table.Table, 100), findings: &safeBuffer{}}
	loader, err := standalone.New(context.Background(), standalone.Options{Paths: paths, Findings: r.findings, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- loader.Run(ctx, func(t *table.Table) { r.tables <- t }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if strings.Contains(r.findings.String(), "sk-very-secret") {
			t.Errorf("the findings show a key:\n%s", r.findings)
		}
	})
	return r
}

func (r running) expect(t *testing.T, model string) {
	t.Helper()
	select {
	case got := <-r.tables:
		if len(got.Routes) != 1 || got.Routes[0].Models[0] != model {
			t.Fatalf("got routes %+v, want one for %s", got.Routes, model)
		}
	case <-time.After(patience):
		t.Fatalf("no table for %s; findings:\n%s", model, r.findings)
	}
}

func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-deadline:
			t.Fatalf("not seen: %s", what)
		case <-tick.C:
		}
	}
}

func TestReloadOnChange(t *testing.T) {
	cases := map[string]func(t *testing.T, path, content string){
		"written in place": write,
		"replaced": func(t *testing.T, path, content string) {
			write(t, path+"~", content)
			if err := os.Rename(path+"~", path); err != nil {
				t.Fatal(err)
			}
		},
		"removed and made anew": func(t *testing.T, path, content string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, content)
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "all.yaml")
			write(t, path, serving("first"))
			r := follow(t, path)
			r.expect(t, "first")
			change(t, path, serving("second"))
			r.expect(t, "second")
			change(t, path, serving("third"))
			r.expect(t, "third")
		})
	}
}

func TestReloadOfAMountedConfigMap(t *testing.T) {
	dir := t.TempDir()
	publish := func(version, model string) {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version, "all.yaml"), serving(model))
		if err := os.Symlink(version, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	publish("..v1", "first")
	if err := os.Symlink(filepath.Join("..data", "all.yaml"), filepath.Join(dir, "all.yaml")); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"directory": dir, "file": filepath.Join(dir, "all.yaml")} {
		t.Run(name, func(t *testing.T) {
			r := follow(t, path)
			first := <-r.tables
			publish("..v-"+name, name)
			r.expect(t, name)
			if first.Routes[0].Models[0] == name {
				t.Error("the first table is the second")
			}
		})
	}
}

func TestFilesAddedToADirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "all.yaml"), serving("first"))
	r := follow(t, dir)
	r.expect(t, "first")
	write(t, filepath.Join(dir, "budget.yaml"), "apiVersion: signalbox.dev/v1alpha1\nkind: SpendBudget\nmetadata: {name: b}\nspec: {limit: {amount: \"1\"}, window: {period: Day}}\n")
	got := <-r.tables
	if len(got.Budgets) != 1 {
		t.Errorf("%d budgets, want the new one", len(got.Budgets))
	}
}

func TestBrokenFilesKeepTheTable(t *testing.T) {
	cases := map[string]struct {
		content string
		want    string
	}{
		"not YAML":        {"a: b\n c: d\n", "all.yaml:2: it is not YAML"},
		"refused by CRD":  {strings.ReplaceAll(serving("second"), "[{name: t,", "[{name: t, weight: -1,"), "all.yaml:14: ModelRoute/chat: spec.targets[0].weight: Invalid value: -1"},
		"nothing left":    {"# empty\n", "the files declare no object"},
		"other namespace": {strings.ReplaceAll(serving("second"), "metadata: {", "metadata: {namespace: other, "), "the files declare nothing in namespace default, only in other"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "all.yaml")
			write(t, path, serving("first"))
			r := follow(t, path)
			r.expect(t, "first")
			write(t, path+"~", tc.content)
			if err := os.Rename(path+"~", path); err != nil {
				t.Fatal(err)
			}
			eventually(t, tc.want, func() bool {
				said := r.findings.String()
				return strings.Contains(said, tc.want) && strings.Contains(said, "the manifests in use stay")
			})
			write(t, path, serving("third"))
			r.expect(t, "third")
		})
	}
}

func TestFilesThatAreMendedAreSaidToBeReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "all.yaml")
	write(t, path, serving("first"))
	r := follow(t, path)
	r.expect(t, "first")
	replace := func(content string) {
		write(t, path+"~", content)
		if err := os.Rename(path+"~", path); err != nil {
			t.Fatal(err)
		}
	}
	for round := 1; round <= 2; round++ {
		replace("a: b\n c: d\n")
		eventually(t, "a complaint", func() bool { return strings.Count(r.findings.String(), "the manifests in use stay") == round })
		replace(serving("first"))
		eventually(t, "an all-clear", func() bool { return strings.Count(r.findings.String(), "the manifests were read again") == round })
	}
}

func TestObjectInErrorKeepsItsLastGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "all.yaml")
	write(t, path, serving("first"))
	r := follow(t, path)
	r.expect(t, "first")
	denied := strings.ReplaceAll(serving("second"), "http://127.0.0.1:9/v1", "http://169.254.169.254/v1")
	write(t, path+"~", denied)
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
	got := <-r.tables
	if got.Routes[0].Models[0] != "second" || got.Credentials[0].Endpoint != "http://127.0.0.1:9/v1" {
		t.Errorf("serving %v at %s, want the edited route at the last good endpoint", got.Routes[0].Models, got.Credentials[0].Endpoint)
	}
	if !strings.Contains(r.findings.String(), "all.yaml:6: ProviderCredential/local: spec.endpoint: 169.254.169.254") {
		t.Errorf("findings:\n%s", r.findings)
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	two := strings.ReplaceAll(serving("a"), "metadata: {", "metadata: {namespace: default, ") + "---\n" + strings.ReplaceAll(serving("b"), "metadata: {", "metadata: {namespace: other, ")
	cases := map[string]struct {
		content   string
		namespace string
		want      string
	}{
		"two namespaces":      {content: two, want: "the files declare objects in the namespaces default, other; choose one with --namespace"},
		"nothing to read":     {content: "kind: Deployment\napiVersion: apps/v1\n", want: "the files declare no object that Signalbox reads"},
		"errors":              {content: "apiVersion: signalbox.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: x}\n", want: "the manifests have errors"},
		"absent namespace":    {content: serving("a"), namespace: "team-a"},
		"one of two, by name": {content: two, namespace: "other"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "all.yaml")
			write(t, path, tc.content)
			loader, err := standalone.New(context.Background(), standalone.Options{Paths: []string{path}, Namespace: tc.namespace, Findings: &safeBuffer{}, Now: time.Now})
			if tc.want == "" {
				if err != nil || loader.Table().Namespace != tc.namespace || len(loader.Table().Routes) != 1 {
					t.Errorf("error %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if name == "errors" && !errors.Is(err, standalone.ErrRefused) {
				t.Errorf("error %v is not ErrRefused", err)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	at := standalone.Addresses{Requests: "127.0.0.1:8080", Metrics: "127.0.0.1:9090"}
	summary := func(content string) string {
		loader, err := standalone.New(context.Background(), standalone.Options{
			Paths: []string{"-"}, Stdin: strings.NewReader(content), Findings: &safeBuffer{}, Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		return loader.Summary(at)
	}
	want := `Signalbox serves namespace default on http://127.0.0.1:8080/v1
Metrics are on http://127.0.0.1:9090/metrics
Models: groq/*
Call it so, with KEY set to the value of "key" in Secret laptop (stdin:16):
  curl http://127.0.0.1:8080/v1/chat/completions -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
    -d '{"model": "groq/NAME", "messages": [{"role": "user", "content": "Hello"}]}'
`
	if diff := cmp.Diff(want, summary(serving(`"groq/*"`))); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	closed := strings.ReplaceAll(serving("chat"), "models: [chat]", "models: [chat]\n  access: {allow: []}")
	if got := summary(closed); !strings.Contains(got, "Nobody can call yet") {
		t.Errorf("summary without a caller:\n%s", got)
	}
	if got := summary("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n"); !strings.Contains(got, "No model is served") {
		t.Errorf("summary without a route:\n%s", got)
	}
}
