package tier

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/hack/demo/shell"
)

func TestReason(t *testing.T) {
	tests := map[string]struct{ err, want string }{
		"with advice": {
			err:  "running cluster check: exit status 1\ncluster: a local cluster needs root, for containers; use `make run` (no cluster), or any cluster",
			want: "a local cluster needs root, for containers",
		},
		"of another kind": {err: "cluster is not installed", want: "cluster is not installed"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Reason(errors.New(tc.err)); got != tc.want {
				t.Errorf("Reason() = %q", got)
			}
		})
	}
}

func TestLoadCommand(t *testing.T) {
	tests := map[string]struct {
		at, minikube string
		want         []string
	}{
		"kind":     {at: "kind-dev", want: []string{"kind", "load", "image-archive", "a.tar", "--name", "dev"}},
		"k3d":      {at: "k3d-dev", want: []string{"k3d", "image", "import", "a.tar", "-c", "dev"}},
		"minikube": {at: "mine", minikube: "mine", want: []string{"minikube", "--profile", "mine", "image", "load", "a.tar"}},
		"another":  {at: "production"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			if command := loadCommand(tc.at, tc.minikube); command != nil {
				got = command("a.tar")
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Choose with a program `cluster` of its own, which can or cannot.
func TestChoose(t *testing.T) {
	tests := map[string]struct {
		cluster string
		wishes  Wishes
		want    string
	}{
		"a machine that can":    {cluster: "exit 0", want: "(a)"},
		"one that cannot":       {cluster: "echo 'cluster: no namespaces; use `make run`' >&2; exit 1", want: "because no namespaces"},
		"one that should not":   {cluster: "exit 0", wishes: Wishes{Processes: "I say so"}, want: "because I say so"},
		"a cluster that is had": {cluster: "exit 0", wishes: Wishes{Kubeconfig: "/dev/null"}, want: "(c)"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.Mkdir(filepath.Join(root, "bin"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, "bin", "cluster"), []byte("#!/bin/sh\n"+tc.cluster+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			ground, err := Choose(context.Background(), shell.Shell{Root: root, Out: io.Discard}, tc.wishes)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(ground.Title(), tc.want) {
				t.Errorf("Title() = %q, want %q in it", ground.Title(), tc.want)
			}
		})
	}
}

func TestNewGivenRefuses(t *testing.T) {
	if _, err := NewGiven(shell.Shell{}, "/nowhere", Loading{}); err == nil {
		t.Error("a kubeconfig that does not exist")
	}
	if _, err := NewGiven(shell.Shell{}, "/dev/null", Loading{Command: "a", Registry: "b"}); err == nil {
		t.Error("two ways to load images")
	}
}
