package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"signalbox.dev/signalbox/controllers/platform"
)

// binary is a program that make built into bin.
func binary(name string) string { return filepath.Join("..", "..", "bin", name) }

// render is the chart's output with the values, by kind and name.
func render(t *testing.T, values string) map[string]*unstructured.Unstructured {
	t.Helper()
	text, err := template(t, values)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

func template(t *testing.T, values string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t, binary("helm"), "template", "signalbox", "../../charts/signalbox", "--namespace", "signalbox-system", "--values", file)
}

func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", errors.Join(err, errors.New(stderr.String()))
	}
	return stdout.String(), nil
}

func parse(t *testing.T, text string) map[string]*unstructured.Unstructured {
	t.Helper()
	objects := map[string]*unstructured.Unstructured{}
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) == 0 {
			continue
		}
		key := object.GetKind() + "/" + object.GetName()
		if object.GetNamespace() != "" && object.GetNamespace() != "signalbox-system" {
			key += "@" + object.GetNamespace()
		}
		if _, twice := objects[key]; twice {
			t.Fatalf("%s is rendered twice", key)
		}
		objects[key] = object
	}
}

func convert[T any](t *testing.T, objects map[string]*unstructured.Unstructured, key string) T {
	t.Helper()
	var out T
	object, ok := objects[key]
	if !ok {
		t.Fatalf("%s is not rendered", key)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func keys(objects map[string]*unstructured.Unstructured) []string {
	var names []string
	for name := range objects {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// TestPlatformConfig loads what the chart writes with the code that reads it.
func TestPlatformConfig(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	cases := map[string]struct {
		values string
		got    func(config *platform.Config) any
		want   any
	}{
		"default": {
			"", func(config *platform.Config) any { return config.ProxyFor("team-a").Image }, "ghcr.io/signalbox-dev/signalbox:0.1.0",
		},
		"digest": {
			"image: {digest: '" + digest + "'}",
			func(config *platform.Config) any { return config.ProxyFor("team-a").Image }, "ghcr.io/signalbox-dev/signalbox@" + digest,
		},
		"override": {
			"namespaces: {team-a: {replicas: 7}}",
			func(config *platform.Config) any {
				return []int32{config.ProxyFor("team-a").Replicas, config.ProxyFor("team-b").Replicas}
			}, []int32{7, 2},
		},
		"autoscaling": {
			"proxy: {autoscaling: {minReplicas: 3, maxReplicas: 9}}",
			func(config *platform.Config) any { return config.ProxyFor("team-a").Autoscaling },
			&platform.Autoscaling{MinReplicas: 3, MaxReplicas: 9, TargetCPUPercent: 70},
		},
		"endpoints": {
			"endpoints: {allowCIDRs: [127.0.0.0/8], probeAllowCIDRs: [10.0.0.0/8]}",
			func(config *platform.Config) any { return config.Endpoints },
			platform.Endpoints{AllowCIDRs: []string{"127.0.0.0/8"}, ProbeAllowCIDRs: []string{"10.0.0.0/8"}},
		},
		"TLS": {
			"proxy: {tls: {secretName: web, plaintext: Disabled}}", func(config *platform.Config) any { return config.ProxyFor("team-a").TLS },
			&platform.TLS{SecretName: "web", Plaintext: platform.Disabled},
		},
		"TLS of single namespaces": {
			"{proxy: {tls: {secretName: web}}, namespaces: {team-a: {tls: null}, team-b: {tls: {secretName: own}}}}",
			func(config *platform.Config) any {
				own, other := config.ProxyFor("team-b"), config.ProxyFor("team-c")
				return []string{fmt.Sprint(config.ProxyFor("team-a").TLS), own.TLS.SecretName, other.TLS.SecretName}
			}, []string{"<nil>", "own", "web"},
		},
		"watched namespaces": {
			"watchNamespaces: [team-a]", func(config *platform.Config) any { return config.WatchNamespaces }, []string{"team-a"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			data := convert[corev1.ConfigMap](t, render(t, tc.values), "ConfigMap/signalbox-manager").Data["config.yaml"]
			file := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			config, err := platform.Load(file)
			if err != nil {
				t.Fatalf("%v\n%s", err, data)
			}
			if diff := cmp.Diff(tc.want, tc.got(config)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestValuesAreChecked shows that a mistake in the values is refused, by name.
func TestValuesAreChecked(t *testing.T) {
	cases := map[string]struct{ values, want string }{
		"unknown value":      {"replicas: 3", "replicas"},
		"unknown proxy":      {"proxy: {replica: 3}", "replica"},
		"negative replicas":  {"proxy: {replicas: -1}", "/proxy/replicas"},
		"log level":          {"manager: {logLevel: loud}", "/manager/logLevel"},
		"malformed digest":   {"image: {digest: latest}", "/image/digest"},
		"TLS of no Secret":   {"proxy: {tls: {plaintext: Disabled}}", "secretName"},
		"TLS and a file":     {"proxy: {tls: {secretName: a, certFile: b}}", "certFile"},
		"plaintext":          {"proxy: {tls: {secretName: a, plaintext: Sometimes}}", "/proxy/tls/plaintext"},
		"webhook":            {"webhook: {enabled: sometimes}", "/webhook/enabled"},
		"unknown webhook":    {"webhook: {failurePolicy: Fail}", "failurePolicy"},
		"traces over gRPC":   {"tracing: {otlpEndpoint: 'grpc://c'}", "/tracing/otlpEndpoint"},
		"malformed duration": {"tokens: {maxLifetime: long}", "/tokens/maxLifetime"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := template(t, tc.values)
			if err == nil {
				t.Fatal("admitted")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("the message does not name %s: %v", tc.want, err)
			}
		})
	}
}

// TestWatchNamespaces shows that a restricted manager gets no ClusterRole.
func TestWatchNamespaces(t *testing.T) {
	objects := render(t, "watchNamespaces: [team-a, team-b]")
	for _, key := range keys(objects) {
		if key == "ClusterRole/signalbox-manager" || strings.HasPrefix(key, "ClusterRoleBinding/") {
			t.Errorf("%s is rendered", key)
		}
	}
	wide := convert[rbacv1.ClusterRole](t, render(t, ""), "ClusterRole/signalbox-manager").Rules
	for _, namespace := range []string{"team-a", "team-b"} {
		role := convert[rbacv1.Role](t, objects, "Role/signalbox-manager@"+namespace)
		if diff := cmp.Diff(wide, role.Rules); diff != "" {
			t.Errorf("the Role differs from the ClusterRole (-cluster +role):\n%s", diff)
		}
		convert[rbacv1.RoleBinding](t, objects, "RoleBinding/signalbox-manager@"+namespace)
	}
}

// TestEditCannotRaiseBudgets holds the line between who edits a namespace and who sets its budget.
func TestEditCannotRaiseBudgets(t *testing.T) {
	for key, object := range render(t, "") {
		if object.GetKind() != "ClusterRole" || object.GetLabels()["rbac.authorization.k8s.io/aggregate-to-edit"] != "true" {
			continue
		}
		for _, rule := range convert[rbacv1.ClusterRole](t, map[string]*unstructured.Unstructured{key: object}, key).Rules {
			if slices.Contains(rule.Resources, "spendbudgets") && !slices.Equal(rule.Verbs, []string{"get", "list", "watch"}) {
				t.Errorf("%s is aggregated to edit and may %v spendbudgets", key, rule.Verbs)
			}
		}
	}
}

// TestCRDsAreKept shows that uninstalling the chart leaves the users' objects.
func TestCRDsAreKept(t *testing.T) {
	found := 0
	for key, object := range render(t, "") {
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		found++
		if object.GetAnnotations()["helm.sh/resource-policy"] != "keep" {
			t.Errorf("%s is deleted with the release", key)
		}
	}
	if found != 3 {
		t.Errorf("%d CRDs are rendered, want 3", found)
	}
}

// TestKustomizeInstallsTheSame compares the kustomize bases with the chart.
func TestKustomizeInstallsTheSame(t *testing.T) {
	for base, values := range map[string]string{"default": "", "with-webhook": withWebhook} {
		t.Run(base, func(t *testing.T) {
			text, err := run(t, binary("kubectl"), "kustomize", "../../config/"+base)
			if err != nil {
				t.Fatal(err)
			}
			got, want := parse(t, text), render(t, values)
			delete(got, "Namespace/signalbox-system")
			if diff := cmp.Diff(keys(want), keys(got)); diff != "" {
				t.Fatalf("kustomize differs from the chart (-chart +kustomize):\n%s", diff)
			}
			for key := range want {
				if diff := cmp.Diff(withoutInstaller(want[key]), withoutInstaller(got[key])); diff != "" {
					t.Errorf("%s differs (-chart +kustomize):\n%s", key, diff)
				}
			}
		})
	}
}

// withoutInstaller is an object without what tells who installed it.
func withoutInstaller(object *unstructured.Unstructured) map[string]any {
	content := object.DeepCopy().Object
	for _, path := range [][]string{{"metadata", "labels"}, {"spec", "template", "metadata", "labels"}} {
		for _, label := range []string{"app.kubernetes.io/managed-by", "helm.sh/chart"} {
			unstructured.RemoveNestedField(content, append(slices.Clone(path), label)...)
		}
	}
	unstructured.RemoveNestedField(content, "metadata", "annotations", "helm.sh/resource-policy")
	if annotations, _, _ := unstructured.NestedMap(content, "metadata", "annotations"); len(annotations) == 0 {
		unstructured.RemoveNestedField(content, "metadata", "annotations")
	}
	return content
}

// TestSamplesRender keeps the samples in a form that kubectl takes.
func TestSamplesRender(t *testing.T) {
	text, err := run(t, binary("kubectl"), "kustomize", "../../config/samples")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ModelRoute/chat@team-a", "ProviderCredential/provider@team-a", "SpendBudget/team-a@team-a"} {
		if _, ok := parse(t, text)[want]; !ok {
			t.Errorf("%s is missing", want)
		}
	}
}
