// Package catalogue knows what providers charge for their models and what these can do, from public price facts that `make catalogue` wrote into data. It
// is read where tables are compiled and by commands for people; proxies get prices with their table and do not link it.
package catalogue

import (
	"archive/zip"
	"bytes"
	_ "embed" // the data is part of the program
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"signalbox.dev/signalbox/proxy/table"
)

// packed holds data/*.json, which are kept beside it for people to review.
//
//go:embed data/catalogue.zip
var packed []byte

// HeaderFile is the name of the header among the data files.
const HeaderFile = "header.json"

// Header says what the data was made from.
type Header struct {
	// Date on which the data was taken from the packages, YYYY-MM-DD.
	Date string `json:"date"`
	// Generator is the SHA-256 of the program, its overrides and its pins that made the data, in hexadecimal.
	Generator string `json:"generator"`
	// Packages that the data comes from.
	Packages []Package `json:"packages"`
	// Files are the SHA-256 of the data files by name, in hexadecimal.
	Files map[string]string `json:"files"`
}

// Package is a published package of price facts.
type Package struct {
	// Name and Version in the registry.
	Name    string `json:"name"`
	Version string `json:"version"`
	// SHA256 of the package's file, in hexadecimal.
	SHA256 string `json:"sha256"`
	// License of the data, as SPDX names it.
	License string `json:"license"`
}

// Entry is what is known of a model at a provider.
type Entry struct {
	// Key is the provider's id of the model; with prices that hold in one region only, the region and "/" come before it.
	Key string `json:"key"`
	// Prices of the model; their Source names the entry.
	Prices table.Prices `json:"prices"`
	// ContextTokens is the size of the context, prompt and answer together, and MaxOutputTokens that of the longest answer; 0 when not known.
	ContextTokens   int64 `json:"contextTokens,omitempty"`
	MaxOutputTokens int64 `json:"maxOutputTokens,omitempty"`
	// Capabilities that the model is known to have, by the names of the API. One that is missing may only not be known.
	Capabilities []string `json:"capabilities,omitempty"`
	// Deprecated is when the provider withdraws the model, YYYY-MM-DD; empty when no date is known.
	Deprecated string `json:"deprecated,omitempty"`
	// Uplifts are what the token prices are multiplied with where calls are kept in a place: by the place, in thousandths. The place "regional" is every
	// one but "global".
	Uplifts map[string]int64 `json:"uplifts,omitempty"`
	// Package that the entry comes from, name and version.
	Package string `json:"package"`
	// URL of the provider's page that the package names, or of the one that an override follows.
	URL string `json:"url,omitempty"`
	// Notes say where the data differs from the package, and why.
	Notes []string `json:"notes,omitempty"`
	// Date of the data, YYYY-MM-DD.
	Date string `json:"-"`
}

// Catalogue is the data, decoded for a provider when that is first asked for.
type Catalogue struct {
	header  Header
	archive *zip.Reader

	mu        sync.Mutex
	providers map[string]map[string]*Entry
}

// Standard is the catalogue of this program. It is the same at every call, so that each provider is decoded once.
func Standard() *Catalogue { return standard() }

var standard = sync.OnceValue(func() *Catalogue {
	c, err := Open(packed)
	if err != nil {
		// The data is part of the program and a test opens it.
		panic(err)
	}
	return c
})

// Open reads a catalogue: a zip file with the header and a file for each provider.
func Open(data []byte) (*Catalogue, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("opening the catalogue: %w", err)
	}
	c := &Catalogue{archive: archive, providers: map[string]map[string]*Entry{}}
	if err := c.decode(HeaderFile, &c.header); err != nil {
		return nil, err
	}
	return c, nil
}

// Header says what the data was made from.
func (c *Catalogue) Header() Header { return c.header }

// Providers are the names of the providers that have entries, in order.
func (c *Catalogue) Providers() []string {
	var names []string
	for name := range c.header.Files {
		names = append(names, strings.TrimSuffix(name, ".json"))
	}
	slices.Sort(names)
	return names
}

// Keys are the keys of a provider's entries, in order.
func (c *Catalogue) Keys(provider string) []string {
	entries := c.entries(provider)
	keys := make([]string, 0, len(entries))
	for key := range entries {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Models are the ids that calls kept in a place can name, as far as the catalogue has them, in order. There are none of providers whose ids do not tell the
// model.
func (c *Catalogue) Models(provider, place string) []string {
	var ids []string
	for key := range c.entries(provider) {
		id := key
		if provider == "AWSBedrock" {
			if region, rest, isRegional := strings.Cut(key, "/"); isRegional {
				if region != place {
					continue
				}
				id = rest
			}
		}
		if nameOf(provider, id).id != "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Entry returns the entry with exactly this key. Use Lookup for what a call names: it knows what else the id of a model can be.
func (c *Catalogue) Entry(provider, key string) (Entry, bool) {
	entry, known := c.entries(provider)[key]
	if !known {
		return Entry{}, false
	}
	return *entry, true
}

// entries of a provider by key; nil for a provider that has none.
func (c *Catalogue) entries(provider string) map[string]*Entry {
	if _, known := c.header.Files[provider+".json"]; !known {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if entries, decoded := c.providers[provider]; decoded {
		return entries
	}
	var list []Entry
	if err := c.decode(provider+".json", &list); err != nil {
		// A test decodes every file.
		panic(err)
	}
	entries := make(map[string]*Entry, len(list))
	for i := range list {
		entry := &list[i]
		entry.Date = c.header.Date
		entry.sign(provider)
		entries[entry.Key] = entry
	}
	c.providers[provider] = entries
	return entries
}

// CapabilitySet are the known capabilities as tables have them.
func (e *Entry) CapabilitySet() table.Capabilities {
	var set table.Capabilities
	for bit := table.Capabilities(1); bit <= table.LogProbs; bit <<= 1 {
		for _, name := range bit.Names() {
			if slices.Contains(e.Capabilities, name) {
				set |= bit
			}
		}
	}
	return set
}

// sign writes into the prices where they come from.
func (e *Entry) sign(provider string) {
	e.Prices.Source = fmt.Sprintf("catalogue %s, %s/%s", e.Date, provider, e.Key)
}

func (c *Catalogue) decode(name string, into any) error {
	file, err := c.archive.Open(name)
	if err != nil {
		return fmt.Errorf("opening the catalogue: %w", err)
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("reading %s of the catalogue: %w", name, err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("decoding %s of the catalogue: %w", name, err)
	}
	return file.Close()
}
