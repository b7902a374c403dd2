package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFile(t *testing.T) {
	for name, tc := range map[string]struct {
		argument string
		want     File
		fails    bool
	}{
		"to the root":         {argument: "bin/pause", want: File{Source: "bin/pause", Target: "/pause"}},
		"to a place":          {argument: "a.pem:/etc/ssl/a.pem", want: File{Source: "a.pem", Target: "/etc/ssl/a.pem"}},
		"relative target":     {argument: "a:b", fails: true},
		"climbing target":     {argument: "a:/../b", fails: true},
		"folder as target":    {argument: "a:/etc/", fails: true},
		"root as target":      {argument: "a:/", fails: true},
		"nothing at all":      {argument: "", fails: true},
		"target without file": {argument: ":/b", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseFile(tc.argument)
			if (err != nil) != tc.fails {
				t.Fatalf("error %v, want one: %v", err, tc.fails)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteIsADockerArchive(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("code"), 0o700); err != nil {
		t.Fatal(err)
	}
	image := Image{
		Name: "signalbox.local/program:1", Entrypoint: []string{"/bin/program", "--quiet"}, User: "65532", Architecture: "amd64",
		Files: []File{{Source: program, Target: "/bin/program"}},
	}
	var first, second bytes.Buffer
	if err := errors.Join(Write(&first, image), Write(&second, image)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two archives of one image differ")
	}

	members := unpack(t, first.Bytes())
	var manifest []manifestEntry
	decode(t, members["manifest.json"], &manifest)
	if len(manifest) != 1 || len(manifest[0].Layers) != 1 {
		t.Fatalf("manifest %v, want one image of one layer", manifest)
	}
	if diff := cmp.Diff([]string{"signalbox.local/program:1"}, manifest[0].RepoTags); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	layer := members[manifest[0].Layers[0]]
	var config imageConfig
	decode(t, members[manifest[0].Config], &config)
	want := imageConfig{
		Architecture: "amd64", OS: "linux", Created: "1970-01-01T00:00:00Z",
		Config: containerConfig{Entrypoint: image.Entrypoint, User: "65532", Env: []string{"PATH=/"}, WorkingDir: "/"},
		RootFS: rootFS{Type: "layers", DiffIDs: []string{"sha256:" + sum(layer)}},
	}
	if diff := cmp.Diff(want, config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	wantFiles := map[string][]byte{"bin/": {}, "tmp/": {}, "bin/program": []byte("code")}
	if diff := cmp.Diff(wantFiles, unpack(t, layer)); diff != "" {
		t.Errorf("files of the layer (-want +got):\n%s", diff)
	}
}

func TestWriteRefuses(t *testing.T) {
	files := []File{{Source: os.DevNull, Target: "/program"}}
	for name, image := range map[string]Image{
		"a name without registry": {Name: "program:1", Entrypoint: []string{"/program"}, Files: files},
		"a name without tag":      {Name: "signalbox.local/program", Entrypoint: []string{"/program"}, Files: files},
		"no entrypoint":           {Name: "signalbox.local/program:1", Files: files},
		"no files":                {Name: "signalbox.local/program:1", Entrypoint: []string{"/program"}},
		"a file that is missing": {
			Name: "signalbox.local/program:1", Entrypoint: []string{"/program"}, Files: []File{{Source: "missing", Target: "/program"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Write(io.Discard, image); err == nil {
				t.Error("no error")
			}
		})
	}
}

func unpack(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	members := map[string][]byte{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return members
		}
		if err != nil {
			t.Fatal(err)
		}
		if members[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}
