package manifest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"signalbox.dev/signalbox/manifest"
)

// wantMark begins the lines at the end of a case that say what is expected.
const wantMark = "# want: "

// update writes what is seen into the cases as what is wanted.
var update = flag.Bool("update", false, "write what is seen into the cases as what is wanted")

type refusal struct {
	name    string
	content string
	want    []string
}

func refusals(t *testing.T) []refusal {
	t.Helper()
	paths, err := filepath.Glob("testdata/refused/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var cases []refusal
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tc := refusal{name: strings.TrimSuffix(filepath.Base(path), ".yaml"), content: string(content)}
		for line := range strings.Lines(tc.content) {
			if want, found := strings.CutPrefix(line, wantMark); found {
				tc.want = append(tc.want, strings.TrimSpace(want))
			}
		}
		cases = append(cases, tc)
	}
	return cases
}

func TestRefused(t *testing.T) {
	reader := newReader(t)
	for _, tc := range refusals(t) {
		t.Run(tc.name, func(t *testing.T) {
			set, problems := reader.Read(context.Background(), []manifest.Source{{Name: "file", Content: []byte(tc.content)}}, "default")
			var got []string
			for _, problem := range problems {
				got = append(got, strings.TrimPrefix(problem.String(), "file:"))
			}
			if *update {
				text, _, _ := strings.Cut(tc.content, wantMark)
				for _, line := range got {
					text += wantMark + line + "\n"
				}
				if err := os.WriteFile("testdata/refused/"+tc.name+".yaml", []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || len(got) == 0 {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if len(set.Routes)+len(set.Credentials)+len(set.Budgets) != 0 {
				t.Error("the object is in the set")
			}
		})
	}
}

// TestSameAsTheAPIServer gives each case to a real API server and compares what it says, field by field.
func TestSameAsTheAPIServer(t *testing.T) {
	server := &envtest.Environment{CRDDirectoryPaths: []string{"../config/crd"}, ErrorIfCRDPathMissing: true}
	config, err := server.Start()
	if err != nil {
		t.Fatalf("starting an API server (KUBEBUILDER_ASSETS names the folder of its program): %v", err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	cluster, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reader := newReader(t)
	for _, tc := range refusals(t) {
		t.Run(tc.name, func(t *testing.T) {
			_, problems := reader.Read(context.Background(), []manifest.Source{{Name: "file", Content: []byte(tc.content)}}, "default")
			var got []string
			for _, problem := range problems {
				got = append(got, problem.Field+": "+problem.Message)
			}
			slices.Sort(got)
			if diff := cmp.Diff(serverSays(t, cluster, tc.content), got); diff != "" {
				t.Errorf("problems (-API server +manifest):\n%s", diff)
			}
		})
	}
}

// serverSays returns the causes that the API server gives for refusing an object, sorted.
func serverSays(t *testing.T, cluster client.Client, content string) []string {
	t.Helper()
	var object unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(content), &object.Object); err != nil {
		t.Fatal(err)
	}
	object.SetNamespace("default")
	err := cluster.Create(context.Background(), &object, client.FieldValidation(metav1.FieldValidationStrict))
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		t.Fatalf("the API server took it: %v", err)
	}
	var said []string
	if apierrors.IsBadRequest(err) {
		_, list, _ := strings.Cut(status.Status().Message, "strict decoding error: ")
		for _, unknown := range strings.Split(list, ", ") {
			said = append(said, fmt.Sprintf("%s: %s", strings.Trim(strings.TrimPrefix(unknown, "unknown field "), `"`), unknown))
		}
	} else {
		for _, cause := range status.Status().Details.Causes {
			said = append(said, strings.TrimPrefix(cause.Field, "<nil>")+": "+cause.Message)
		}
	}
	slices.Sort(said)
	return said
}

func newReader(t *testing.T) *manifest.Reader {
	t.Helper()
	reader, err := manifest.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	return reader
}
