//go:build linux

package boot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/hack/cluster/component"
	"signalbox.dev/signalbox/hack/cluster/process"
)

func TestOptionsComplete(t *testing.T) {
	for name, tc := range map[string]struct {
		options Options
		want    string
		fails   bool
	}{
		"default":            {options: Options{Name: "signalbox", Nodes: 1, Bin: "/b"}, want: "/b/kubeconfig"},
		"another name":       {options: Options{Name: "other", Nodes: 2, Bin: "/b"}, want: "/b/kubeconfig-other"},
		"kubeconfig given":   {options: Options{Name: "other", Nodes: 1, Bin: "/b", Kubeconfig: "/k"}, want: "/k"},
		"no nodes":           {options: Options{Name: "signalbox", Bin: "/b"}, fails: true},
		"three nodes":        {options: Options{Name: "signalbox", Nodes: 3, Bin: "/b"}, fails: true},
		"a path as name":     {options: Options{Name: "../etc", Nodes: 1, Bin: "/b"}, fails: true},
		"no name":            {options: Options{Nodes: 1, Bin: "/b"}, fails: true},
		"a name of 21 bytes": {options: Options{Name: "abcdefghijklmnopqrstu", Nodes: 1, Bin: "/b"}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.options.complete()
			if (err != nil) != tc.fails {
				t.Fatalf("error %v, want one: %v", err, tc.fails)
			}
			if err == nil && got.Kubeconfig != tc.want {
				t.Errorf("kubeconfig is %s, want %s", got.Kubeconfig, tc.want)
			}
		})
	}
}

func TestStateSurvivesItsFile(t *testing.T) {
	folder := t.TempDir()
	if s, err := load(folder); s != nil || err != nil {
		t.Fatalf("an empty folder holds %v, %v", s, err)
	}
	want := &state{
		Name: "test", Slot: 4, Kubeconfig: "/k", Bin: "/b", Containerd: "/c", Plugins: "/p", folder: folder,
		Nodes: []nodeRecord{{Name: "test-1", Holder: process.Identity{PID: 7, Start: 8, Boot: "boot"}}},
	}
	if err := want.save(); err != nil {
		t.Fatal(err)
	}
	got, err := load(folder)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(state{})); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(folder, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v", info.Mode())
	}
	if _, err := os.Stat(filepath.Join(folder, "state.json.new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the new file stayed: %v", err)
	}
}

func TestLoadRefusesDamagedState(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "state.json"), []byte(`{"name":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := load(folder); err == nil {
		t.Errorf("half a file was read as %v", s)
	}
}

func TestOnlyOwnKubeconfigIsRemoved(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		kept bool
	}{
		"made here":      {text: component.KubeconfigMark + "apiVersion: v1\n"},
		"somebody's own": {text: "apiVersion: v1\n", kept: true},
		"empty":          {text: "", kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "kubeconfig")
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := removeKubeconfig(file); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file); (err == nil) != tc.kept {
				t.Errorf("afterwards: %v, want it kept: %v", err, tc.kept)
			}
		})
	}
	if err := removeKubeconfig(filepath.Join(t.TempDir(), "missing")); err != nil {
		t.Errorf("removing nothing: %v", err)
	}
}

func TestWritePrivateReplacesAnOpenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := writePrivate(file, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", info.Mode())
	}
}

func TestTail(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		lines int
		want  string
	}{
		"fewer lines":   {"a\nb\n", 5, "a\nb"},
		"more lines":    {"a\nb\nc\n", 2, "b\nc"},
		"no last break": {"a\nb", 1, "b"},
		"nothing":       {"", 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tail(tc.text, tc.lines); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestComponentsOfNodes(t *testing.T) {
	s := &state{Name: "test"}
	for name, tc := range map[string]struct {
		number int
		want   []string
	}{
		"node 1": {1, []string{
			component.Etcd, component.APIServer, component.ControllerManager, component.Scheduler,
			component.Containerd, component.Kubelet, component.KubeProxy,
		}},
		"node 2": {2, []string{component.Containerd, component.Kubelet, component.KubeProxy}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range s.components(tc.number) {
				got = append(got, c.Name)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("components (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemoveTree(t *testing.T) {
	root := filepath.Join(t.TempDir(), "group")
	if err := os.MkdirAll(filepath.Join(root, "pods", "pod"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []string{"with groups below", "when it is gone"} {
		if err := removeTree(root); err != nil {
			t.Errorf("removing the tree %s: %v", attempt, err)
		}
	}
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("afterwards: %v", err)
	}
}
