// Package archive writes container images as docker-archive files: one layer of given files, no base image, no registry.
// The same input always gives the same bytes.
package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Image says what to write.
type Image struct {
	// Name is the full reference, registry and tag included, such as "signalbox.local/pause:1".
	Name string
	// Entrypoint is the command that containers start with.
	Entrypoint []string
	// User is the numeric user that containers run as. Empty is root.
	User string
	// Architecture in Go's words, such as amd64.
	Architecture string
	// Files are copied into the image.
	Files []File
}

// File is one file of an image.
type File struct {
	// Source is the file to copy. Its execute permission is kept.
	Source string
	// Target is its absolute path in the image.
	Target string
}

// ParseFile reads "SOURCE" or "SOURCE:/TARGET". Without a target the file goes to the root of the image under its own name.
func ParseFile(argument string) (File, error) {
	source, target, found := strings.Cut(argument, ":")
	if !found {
		target = "/" + filepath.Base(source)
	}
	if source == "" || !path.IsAbs(target) || path.Clean(target) != target || target == "/" {
		return File{}, fmt.Errorf("file %q is neither SOURCE nor SOURCE:/TARGET", argument)
	}
	return File{Source: source, Target: target}, nil
}

type manifestEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

type imageConfig struct {
	Architecture string          `json:"architecture"`
	OS           string          `json:"os"`
	Created      string          `json:"created"`
	Config       containerConfig `json:"config"`
	RootFS       rootFS          `json:"rootfs"`
}

type containerConfig struct {
	Entrypoint []string `json:"Entrypoint"`
	User       string   `json:"User,omitempty"`
	Env        []string `json:"Env"`
	WorkingDir string   `json:"WorkingDir"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

// Write writes the image as a docker-archive.
func Write(w io.Writer, image Image) error {
	if err := image.validate(); err != nil {
		return err
	}
	layer, err := layerOf(image.Files)
	if err != nil {
		return err
	}
	layerSum := sum(layer)
	config, err := json.Marshal(imageConfig{
		Architecture: image.Architecture, OS: "linux", Created: "1970-01-01T00:00:00Z",
		Config: containerConfig{Entrypoint: image.Entrypoint, User: image.User, Env: []string{"PATH=/"}, WorkingDir: "/"},
		RootFS: rootFS{Type: "layers", DiffIDs: []string{"sha256:" + layerSum}},
	})
	if err != nil {
		return fmt.Errorf("encoding the image's config: %w", err)
	}
	configName, layerName := sum(config)+".json", layerSum+".tar"
	manifest, err := json.Marshal([]manifestEntry{{Config: configName, RepoTags: []string{image.Name}, Layers: []string{layerName}}})
	if err != nil {
		return fmt.Errorf("encoding the image's manifest: %w", err)
	}
	archive := tar.NewWriter(w)
	for _, member := range []struct {
		name    string
		content []byte
	}{{configName, config}, {layerName, layer}, {"manifest.json", manifest}} {
		if err := add(archive, &tar.Header{Name: member.name, Mode: 0o644, Typeflag: tar.TypeReg}, member.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// WriteFile writes the image as a docker-archive to a file, which only its owner may read.
func WriteFile(name string, image Image) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("creating an image's archive: %w", err)
	}
	if err := errors.Join(Write(file, image), file.Close()); err != nil {
		return fmt.Errorf("writing the archive of %s: %w", image.Name, err)
	}
	return nil
}

func (i Image) validate() error {
	name, tag, tagged := strings.Cut(i.Name[strings.LastIndexByte(i.Name, '/')+1:], ":")
	registry, _, placed := strings.Cut(i.Name, "/")
	if !tagged || !placed || name == "" || tag == "" || !strings.ContainsAny(registry, ".:") {
		return fmt.Errorf("image name %q is not REGISTRY/NAME:TAG", i.Name)
	}
	if len(i.Entrypoint) == 0 || len(i.Files) == 0 {
		return fmt.Errorf("image %s has no entrypoint or no files", i.Name)
	}
	return nil
}

func layerOf(files []File) ([]byte, error) {
	var layer bytes.Buffer
	writer := tar.NewWriter(&layer)
	for _, folder := range foldersOf(files) {
		mode := int64(0o755)
		if folder == "tmp/" {
			mode = 0o1777
		}
		if err := add(writer, &tar.Header{Name: folder, Mode: mode, Typeflag: tar.TypeDir}, nil); err != nil {
			return nil, err
		}
	}
	ordered := slices.SortedFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Target, b.Target) })
	for _, file := range ordered {
		content, err := os.ReadFile(file.Source)
		if err != nil {
			return nil, fmt.Errorf("reading a file for the image: %w", err)
		}
		info, err := os.Stat(file.Source)
		if err != nil {
			return nil, fmt.Errorf("reading a file's mode for the image: %w", err)
		}
		mode := int64(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		header := &tar.Header{Name: strings.TrimPrefix(file.Target, "/"), Mode: mode, Typeflag: tar.TypeReg}
		if err := add(writer, header, content); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("ending the image's layer: %w", err)
	}
	return layer.Bytes(), nil
}

// foldersOf lists every folder of the image, parents first. An image without /tmp breaks programs in surprising places.
func foldersOf(files []File) []string {
	seen := map[string]bool{"tmp/": true}
	for _, file := range files {
		for folder := path.Dir(file.Target); folder != "/"; folder = path.Dir(folder) {
			seen[strings.TrimPrefix(folder, "/")+"/"] = true
		}
	}
	var folders []string
	for folder := range seen {
		folders = append(folders, folder)
	}
	slices.Sort(folders)
	return folders
}

func add(writer *tar.Writer, header *tar.Header, content []byte) error {
	header.Size = int64(len(content))
	if err := writer.WriteHeader(header); err != nil {
		return fmt.Errorf("writing %s: %w", header.Name, err)
	}
	if _, err := writer.Write(content); err != nil {
		return fmt.Errorf("writing %s: %w", header.Name, err)
	}
	return nil
}

func sum(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}
