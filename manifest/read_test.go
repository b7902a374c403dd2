package manifest_test

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/manifest"
	"signalbox.dev/signalbox/proxy/compile"
)

const whole = `# A comment comes first.
apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: groq, namespace: team-a}
spec:
  provider: Groq
  auth: {keys: [{name: primary, secretKeyRef: {name: groq, key: api-key}}]}
status: {observedGeneration: 7}
---
apiVersion: v1
kind: List
items:
- apiVersion: signalbox.dev/v1alpha1
  kind: ModelRoute
  metadata: {name: chat, namespace: team-a, resourceVersion: "12"}
  spec:
    models: [chat]
    targets:
    - name: fast
      credentialRef: {name: groq}
      model: llama
- apiVersion: v1
  kind: Secret
  metadata: {name: groq, namespace: team-a, labels: {signalbox.dev/provider-key: "true"}}
  data: {api-key: c2stMQ==, other: bm8=}
  stringData: {other: text}
--- # a document of another kind
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
---
---
{
	"apiVersion": "signalbox.dev/v1alpha1", "kind": "SpendBudget",
	"metadata": {"name": "month"},
	"spec": {"limit": {"amount": "250.00"}, "window": {"period": "Month"}}
}
`

func read(t *testing.T, content string) (*manifest.Set, []string) {
	t.Helper()
	set, problems := newReader(t).Read(context.Background(), []manifest.Source{{Name: "file", Content: []byte(content)}}, "default")
	var lines []string
	for _, problem := range problems {
		lines = append(lines, problem.String())
	}
	return set, lines
}

func TestReadTakesEveryForm(t *testing.T) {
	set, problems := read(t, whole)
	if diff := cmp.Diff([]string{"file:28: note: Deployment/app: ignored: Signalbox does not read this kind"}, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	counts := []int{len(set.Routes), len(set.Credentials), len(set.Budgets), len(set.Secrets)}
	if diff := cmp.Diff([]int{1, 1, 1, 1}, counts); diff != "" {
		t.Fatalf("routes, credentials, budgets, Secrets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"default", "team-a"}, set.Names()); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	wantData := map[string][]byte{"api-key": []byte("sk-1"), "other": []byte("text")}
	if diff := cmp.Diff(wantData, set.Secrets[0].Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	route := set.Routes[0]
	if route.ResourceVersion != "" || route.Generation <= 0 || route.UID == "" {
		t.Errorf("metadata %+v", route.ObjectMeta)
	}
}

func TestReadFillsInDefaults(t *testing.T) {
	set, _ := read(t, whole)
	route := set.Routes[0]
	if *route.Spec.Targets[0].Weight != 1 || route.Spec.Timeouts.Total.Duration != 10*time.Minute {
		t.Errorf("defaults are missing: weight %d, total %s", *route.Spec.Targets[0].Weight, route.Spec.Timeouts.Total.Duration)
	}
	if set.Budgets[0].Spec.Enforcement != v1alpha1.EnforcementSoft {
		t.Errorf("enforcement is %q", set.Budgets[0].Spec.Enforcement)
	}
}

func TestPositions(t *testing.T) {
	set, _ := read(t, whole)
	cases := map[string]struct {
		kind, namespace, name, field string
		want                         string
	}{
		"object":            {compile.KindProviderCredential, "team-a", "groq", "", "file:2"},
		"field":             {compile.KindProviderCredential, "team-a", "groq", "spec.provider", "file:6"},
		"flow style":        {compile.KindProviderCredential, "team-a", "groq", "spec.auth.keys[0].secretKeyRef", "file:7"},
		"absent field":      {compile.KindProviderCredential, "team-a", "groq", "spec.probe.interval", "file:5"},
		"list item":         {compile.KindModelRoute, "team-a", "chat", "", "file:13"},
		"element":           {compile.KindModelRoute, "team-a", "chat", "spec.targets[0]", "file:19"},
		"field of element":  {compile.KindModelRoute, "team-a", "chat", "spec.targets[0].credentialRef.name", "file:20"},
		"element too many":  {compile.KindModelRoute, "team-a", "chat", "spec.targets[9].model", "file:18"},
		"JSON":              {compile.KindSpendBudget, "default", "month", "spec.window", "file:36"},
		"data":              {compile.KindSecret, "team-a", "groq", "data[api-key]", "file:25"},
		"undeclared object": {compile.KindModelRoute, "default", "chat", "spec", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := set.Position(tc.kind, tc.namespace, tc.name, tc.field).String(); got != tc.want {
				t.Errorf("position %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPositionThroughAnAlias(t *testing.T) {
	set, problems := read(t, `apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat}
spec:
  models: [chat]
  targets:
  - &base
    name: fast
    credentialRef: {name: groq}
    model: llama
  - <<: *base
    name: second
`)
	if len(problems) != 0 {
		t.Fatalf("problems %v", problems)
	}
	if got := set.Routes[0].Spec.Targets[1]; got.Name != "second" || got.Model != "llama" {
		t.Errorf("target %+v", got)
	}
	if got := set.Position(compile.KindModelRoute, "default", "chat", "spec.targets[1].model").Line; got != 11 {
		t.Errorf("line %d, want 11", got)
	}
}

func TestWrongDocuments(t *testing.T) {
	cases := map[string]struct {
		content string
		want    []string
	}{
		"empty":          {"", nil},
		"comments alone": {"# nothing\n---\n# here\n", nil},
		"not YAML":       {"---\na: b\n c: d\n", []string{"file:3: it is not YAML: mapping values are not allowed in this context"}},
		"text after a separator": {
			"apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n--- {apiVersion: v1, kind: Secret, metadata: {name: y}}\n",
			[]string{"file:4: a document begins here that would not be read; put --- on a line of its own"},
		},
		"document after an end mark": {
			"apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n...\napiVersion: v1\nkind: Secret\nmetadata: {name: y}\n",
			[]string{"file:4: it is not YAML: did not find expected <document start>"},
		},
		"text":             {"just text", []string{"file:1: it is not an object with apiVersion and kind"}},
		"list":             {"- a\n- b\n", []string{"file:1: it is not an object with apiVersion and kind"}},
		"no kind":          {"apiVersion: v1\n", []string{"file:1: it is not an object with apiVersion and kind"}},
		"key twice":        {"---\nkind: Secret\napiVersion: v1\nmetadata: {name: x}\nkind: Secret\n", []string{`file:5: key "kind" is there twice`}},
		"other version":    {"apiVersion: signalbox.dev/v2\nkind: ModelRoute\nmetadata: {name: x}\n", []string{`file:1: ModelRoute: apiVersion: version "v2" is not one that this program reads, which is v1alpha1`}},
		"unknown kind":     {"apiVersion: signalbox.dev/v1alpha1\nkind: ModelRoot\n", []string{`file:2: ModelRoot: kind: there is no kind "ModelRoot" in group signalbox.dev`}},
		"no name":          {"apiVersion: v1\nkind: Secret\nmetadata:\n  labels: {}\n", []string{"file:3: Secret: metadata.name: Required value: name or generateName is required"}},
		"unknown metadata": {"apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\n  lables: {}\n", []string{`file:3: Secret/x: metadata: unknown field "lables"`}},
		"bad Secret name":  {"apiVersion: v1\nkind: Namespace\nmetadata: {name: Nope}\n", []string{"file:3: Namespace/Nope: metadata.name: Invalid value"}},
		"unknown field of a Secret": {
			"apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringdata: {key: sk-very-secret}\n",
			[]string{`file:4: Secret/x: stringdata: unknown field "stringdata"`},
		},
		"Secret with a number": {
			"apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData:\n  key: 123456\n",
			[]string{"file:5: Secret/x: stringData[key]: it must be a text; put it in quotes"},
		},
		"Secret that is not base64": {
			"apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata:\n  key: sk-very-secret\n",
			[]string{"file:5: Secret/x: data[key]: it is not base64; write plain text under stringData instead"},
		},
		"Secret with a bad key": {
			"apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {\"a key\": x}\n",
			[]string{"file:4: Secret/x: stringData[a key]: a valid config key"},
		},
		"Secret whose data is a list": {
			"apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: [a]\n",
			[]string{"file:4: Secret/x: data: it must be a map of keys to texts"},
		},
		"declared twice": {
			"apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n",
			[]string{"file:7: Namespace/x: metadata.name: this object is declared already, at file:1"},
		},
		"billion laughs": {
			"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n" +
				"e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n",
			[]string{"file:1: it is not YAML: document contains excessive aliasing"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, got := read(t, tc.content)
			begins := cmp.Comparer(func(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) })
			if diff := cmp.Diff(tc.want, got, begins); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if strings.Contains(strings.Join(got, ""), "sk-very-secret") {
				t.Error("a problem shows a key")
			}
		})
	}
}

func TestInputOfANamespace(t *testing.T) {
	set, problems := read(t, whole+`---
apiVersion: v1
kind: Secret
metadata: {name: plain, namespace: team-a}
---
apiVersion: v1
kind: Secret
metadata: {name: ci, namespace: team-a, labels: {signalbox.dev/access-key: "true"}}
stringData: {key: access-1}
---
apiVersion: v1
kind: Namespace
metadata: {name: apps, labels: {tier: prod}}
`)
	if len(problems) != 1 {
		t.Fatalf("problems %v", problems)
	}
	in := set.Input("team-a")
	names := func(secrets []corev1.Secret) []string {
		var list []string
		for _, s := range secrets {
			list = append(list, s.Name)
		}
		return list
	}
	if diff := cmp.Diff([][]string{{"groq"}, {"ci"}, {"plain", "ci"}}, [][]string{names(in.ProviderKeys), names(in.AccessKeys), in.UnlabelledSecrets}); diff != "" {
		t.Errorf("Secrets (-want +got):\n%s", diff)
	}
	labels := map[string]map[string]string{}
	for _, namespace := range in.Namespaces {
		labels[namespace.Name] = namespace.Labels
	}
	want := map[string]map[string]string{
		"apps": {"tier": "prod", corev1.LabelMetadataName: "apps"}, "team-a": {corev1.LabelMetadataName: "team-a"}, "default": {corev1.LabelMetadataName: "default"},
	}
	if diff := cmp.Diff(want, labels); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	if len(in.Routes) != 1 || len(in.Budgets) != 0 {
		t.Errorf("%d routes and %d budgets of team-a", len(in.Routes), len(in.Budgets))
	}
}

func TestGenerationFollowsTheContent(t *testing.T) {
	generation := func(amount string) int64 {
		set, _ := read(t, "apiVersion: signalbox.dev/v1alpha1\nkind: SpendBudget\nmetadata: {name: b}\nspec: {limit: {amount: \""+amount+"\"}, window: {period: Day}}\n")
		return set.Budgets[0].Generation
	}
	first, same, other := generation("1.00"), generation("1.00"), generation("2.00")
	if first != same || first == other {
		t.Errorf("generations %d and %d for one content, %d for another", first, same, other)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"b.yaml": "b", "a.yml": "a", "c.json": "c", "notes.txt": "x", ".hidden.yaml": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("b.yaml", filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	got, err := manifest.Open([]string{filepath.Join(dir, "b.yaml"), dir, "-"}, strings.NewReader("from stdin"))
	if err != nil {
		t.Fatal(err)
	}
	want := []manifest.Source{
		{Name: filepath.Join(dir, "b.yaml"), Content: []byte("b")}, {Name: filepath.Join(dir, "a.yml"), Content: []byte("a")},
		{Name: filepath.Join(dir, "c.json"), Content: []byte("c")}, {Name: filepath.Join(dir, "link.yaml"), Content: []byte("b")},
		{Name: "stdin", Content: []byte("from stdin")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if _, err := manifest.Open([]string{filepath.Join(dir, "absent.yaml")}, nil); err == nil {
		t.Error("a missing file is no error")
	}
	if _, err := manifest.Open([]string{"-"}, &endless{}); err == nil {
		t.Error("endless input is no error")
	}
}

// endless never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func FuzzRead(f *testing.F) {
	f.Add(whole)
	f.Add("---\n--- #\n---x\na: &a [*a]\n")
	f.Add("{\"apiVersion\":\"v1\",\"kind\":\"SecretList\",\"items\":[{\"metadata\":{\"name\":\"x\"},\"data\":{\"a\":\"" + base64.StdEncoding.EncodeToString([]byte("x")) + "\"}}]}")
	f.Add("apiVersion: signalbox.dev/v1alpha1\nkind: ModelRouteList\nitems: [null, 1, {kind: ModelRoute, spec: {targets: [{}]}}]\n")
	reader, err := manifest.NewReader()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content string) {
		set, problems := reader.Read(context.Background(), []manifest.Source{{Name: "file", Content: []byte(content)}}, "default")
		// YAML knows more line breaks than editors, and a parser may name the line after the last one.
		last := 2
		for _, r := range content {
			if strings.ContainsRune("\n\r\u0085\u2028\u2029", r) {
				last++
			}
		}
		for _, problem := range problems {
			if problem.Line < 1 || problem.Line > last {
				t.Errorf("%s: the file has at most %d lines", problem, last-1)
			}
		}
		for _, namespace := range set.Names() {
			compile.Compile(set.Input(namespace))
		}
		again, _ := reader.Read(context.Background(), []manifest.Source{{Name: "file", Content: []byte(content)}}, "default")
		if diff := cmp.Diff(set, again, cmpopts.IgnoreUnexported(manifest.Set{})); diff != "" {
			t.Errorf("read twice it differs:\n%s", diff)
		}
	})
}
