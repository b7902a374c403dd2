package manifest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// MaxFileBytes is the largest file that is read.
const MaxFileBytes = 32 << 20

// Stdin is the path that stands for the standard input.
const Stdin = "-"

// Source is the content of a file.
type Source struct {
	// Name of the file for messages.
	Name string
	// Content of the file.
	Content []byte
}

// Open reads files. Of a directory it reads the .yaml, .yml and .json files that lie in it directly, hidden ones excepted; the path "-" is stdin. A file
// that is named twice is read once.
func Open(paths []string, stdin io.Reader) ([]Source, error) {
	var sources []Source
	seen := map[string]struct{}{}
	for _, path := range paths {
		files, err := expand(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if _, twice := seen[file]; twice {
				continue
			}
			seen[file] = struct{}{}
			source, err := open(file, stdin)
			if err != nil {
				return nil, err
			}
			sources = append(sources, source)
		}
	}
	return sources, nil
}

func expand(path string) ([]string, error) {
	if path == Stdin {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening manifest: %w", err)
	}
	if !info.IsDir() {
		return []string{filepath.Clean(path)}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("opening directory of manifests: %w", err)
	}
	var files []string
	for _, entry := range entries {
		// The entries of a mounted ConfigMap or Secret are links, so the type that counts is that of what they lead to.
		file := filepath.Join(path, entry.Name())
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && IsManifest(entry.Name()) {
			files = append(files, file)
		}
	}
	return files, nil
}

// IsManifest tells whether a file in a directory is read, by its name.
func IsManifest(name string) bool {
	return !strings.HasPrefix(name, ".") && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name))
}

func open(path string, stdin io.Reader) (Source, error) {
	if path == Stdin {
		content, err := readBounded(stdin)
		if err != nil {
			return Source{}, fmt.Errorf("reading standard input: %w", err)
		}
		return Source{Name: "stdin", Content: content}, nil
	}
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return Source{}, fmt.Errorf("opening manifest: %w", err)
	}
	defer func() { _ = file.Close() }()
	content, err := readBounded(file)
	if err != nil {
		return Source{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return Source{Name: path, Content: content}, nil
}

func readBounded(reader io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(reader, MaxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(content) > MaxFileBytes {
		return nil, fmt.Errorf("it is larger than %d MiB", MaxFileBytes>>20)
	}
	return content, nil
}
