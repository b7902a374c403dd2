package crd

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const wantPrefix = "# want: "

// TestCases applies every file under testdata to a real API server. A file with two documents applies the second one over the first, and only the last
// document may be refused. "# want: ok" means that nothing is refused.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases found: %v", err)
	}
	api := startAPIServer(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			want, documents := readCase(t, file)
			got := applyAll(t, api, documents)
			if want == "ok" && got != nil {
				t.Fatalf("refused: %v", got)
			}
			if want == "ok" {
				return
			}
			if got == nil {
				t.Fatalf("admitted; want a refusal with %q", want)
			}
			if !strings.Contains(got.Error(), want) {
				t.Fatalf("refused with\n  %v\nwant\n  %s", got, want)
			}
		})
	}
}

func startAPIServer(t *testing.T) client.Client {
	t.Helper()
	api, err := client.New(startEnvironment(t), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(api, metav1.FieldValidationStrict)
}

// startEnvironment runs an API server with the kinds until the test ends.
func startEnvironment(t *testing.T) *rest.Config {
	t.Helper()
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd")},
		ErrorIfCRDPathMissing: true,
	}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("starting the API server (make envtest-binaries builds it; KUBEBUILDER_ASSETS names the folder): %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	return config
}

func readCase(t *testing.T, file string) (want string, documents []*unstructured.Unstructured) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	want, found := strings.CutPrefix(first, wantPrefix)
	if !found {
		t.Fatalf("the first line must start with %q", wantPrefix)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return want, documents
		}
		if err != nil {
			t.Fatal(err)
		}
		object.SetNamespace("default")
		documents = append(documents, object)
	}
}

// applyAll creates the first document and updates it with the second; only the answer to the last one is returned.
func applyAll(t *testing.T, api client.Client, documents []*unstructured.Unstructured) error {
	t.Helper()
	first := documents[0]
	err := api.Create(t.Context(), first)
	if len(documents) == 1 {
		if err == nil {
			remove(t, api, first)
		}
		return err
	}
	if err != nil {
		t.Fatalf("the first of two documents must be admitted: %v", err)
	}
	defer remove(t, api, first)
	second := documents[1]
	second.SetResourceVersion(first.GetResourceVersion())
	return api.Update(t.Context(), second)
}

func remove(t *testing.T, api client.Client, object *unstructured.Unstructured) {
	t.Helper()
	if err := api.Delete(t.Context(), object); err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("deleting %s: %v", object.GetName(), err)
	}
}
