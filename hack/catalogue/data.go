package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/catalogue"
)

// made is what is written.
type made struct {
	providers listing
	packages  []catalogue.Package
	generator string
	// review is for people: where the packages disagree, and what was left out.
	review []string
}

// load reads the packages and joins them.
func load(o options) (*made, error) {
	day, err := time.Parse(time.DateOnly, o.date)
	if err != nil {
		return nil, fmt.Errorf("reading the date: %w", err)
	}
	requirements, err := os.ReadFile(filepath.Join(o.sources, "requirements.txt"))
	if err != nil {
		return nil, fmt.Errorf("reading the pins: %w", err)
	}
	pinned, err := pins(requirements)
	if err != nil {
		return nil, err
	}
	litellm, genai := pinned["litellm"], pinned["genai-prices"]
	content, err := litellm.member(o.wheels, litellmFile)
	if err != nil {
		return nil, err
	}
	first, left, err := readLitellm(content, litellm)
	if err != nil {
		return nil, err
	}
	content, err = genai.member(o.wheels, genaiFile)
	if err != nil {
		return nil, err
	}
	second, err := readGenai(content, genai, day)
	if err != nil {
		return nil, err
	}
	joined, review := merge(first, second)
	overrides, err := os.ReadFile(filepath.Join(o.sources, "overrides.json"))
	if err != nil {
		return nil, fmt.Errorf("reading the overrides: %w", err)
	}
	if err := overridden(joined, overrides); err != nil {
		return nil, err
	}
	hash, err := generatorHash(o.sources)
	if err != nil {
		return nil, err
	}
	return &made{
		providers: joined, packages: []catalogue.Package{genai.source(), litellm.source()}, generator: hash, review: append(review, left...),
	}, nil
}

// generatorHash is the SHA-256 of all that the data depends on but the packages themselves, which are pinned: program, pins and overrides.
func generatorHash(dir string) (string, error) {
	sum := sha256.New()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return "", fmt.Errorf("listing the program: %w", err)
	}
	slices.Sort(files)
	for _, file := range files {
		name := filepath.Base(file)
		isPart := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") || name == "requirements.txt" || name == "overrides.json"
		if !isPart {
			continue
		}
		content, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			return "", fmt.Errorf("reading the program: %w", err)
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// encode writes a provider's entries, one to a line, in the order of their keys.
func encode(entries map[string]*catalogue.Entry) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("[")
	for i, key := range slices.Sorted(maps.Keys(entries)) {
		line, err := json.Marshal(entries[key])
		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", key, err)
		}
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteString("\n")
		out.Write(line)
	}
	out.WriteString("\n]\n")
	return out.Bytes(), nil
}

// write writes the data files and the archive of them that the program embeds.
func write(o options, m *made) error {
	files := map[string][]byte{}
	header := catalogue.Header{Date: o.date, Generator: m.generator, Packages: m.packages, Files: map[string]string{}}
	for provider, entries := range m.providers {
		content, err := encode(entries)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		files[provider+".json"], header.Files[provider+".json"] = content, hex.EncodeToString(sum[:])
	}
	content, err := json.MarshalIndent(header, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the header: %w", err)
	}
	files[catalogue.HeaderFile] = append(content, '\n')
	archive, err := pack(files)
	if err != nil {
		return err
	}
	files["catalogue.zip"] = archive
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(o.out, name), content, 0o644); err != nil {
			return fmt.Errorf("writing the data: %w", err)
		}
	}
	return nil
}

func pack(files map[string][]byte) ([]byte, error) {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, name := range slices.Sorted(maps.Keys(files)) {
		member, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
		if _, err := member.Write(files[name]); err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("packing the data: %w", err)
	}
	return out.Bytes(), nil
}

// readData reads the data that is there; nothing when there is none.
func readData(dir string) (listing, error) {
	read := listing{}
	archive, err := os.ReadFile(filepath.Join(dir, "catalogue.zip"))
	if errors.Is(err, fs.ErrNotExist) {
		return read, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the data before: %w", err)
	}
	before, err := catalogue.Open(archive)
	if err != nil {
		return nil, err
	}
	for _, provider := range before.Providers() {
		for _, key := range before.Keys(provider) {
			if entry, known := before.Entry(provider, key); known {
				read.of(provider)[key] = &entry
			}
		}
	}
	return read, nil
}
