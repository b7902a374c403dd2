package catalogue_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/table"
)

// TestPackedAsReviewed: what the program embeds is what people review, and what the header says.
func TestPackedAsReviewed(t *testing.T) {
	packed, err := os.ReadFile("data/catalogue.zip")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, member := range archive.File {
		names = append(names, member.Name)
		file, err := member.Open()
		if err != nil {
			t.Fatal(err)
		}
		inside, err := io.ReadAll(file)
		if err != nil {
			t.Fatal(err)
		}
		beside, err := os.ReadFile(filepath.Join("data", filepath.Base(member.Name)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(inside, beside) {
			t.Errorf("%s in the archive is not the one beside it; run make catalogue", member.Name)
		}
		sum := sha256.Sum256(beside)
		if said := catalogue.Standard().Header().Files[member.Name]; member.Name != catalogue.HeaderFile && said != hex.EncodeToString(sum[:]) {
			t.Errorf("the header has another hash for %s; run make catalogue", member.Name)
		}
	}
	reviewed, err := filepath.Glob("data/*.json")
	if err != nil || len(reviewed) != len(names) {
		t.Errorf("%d files are reviewed and %d embedded: %v", len(reviewed), len(names), err)
	}
}

// TestProviders: every provider of the API whose models are known has entries, and no other.
func TestProviders(t *testing.T) {
	want := []string{
		"Anthropic", "AWSBedrock", "AzureOpenAI", "Cerebras", "Cohere", "DeepSeek", "Fireworks", "GoogleAI", "Groq", "Mistral", "OpenAI", "OpenRouter",
		"Together", "VertexAI", "XAI",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, catalogue.Standard().Providers()); diff != "" {
		t.Errorf("providers (-want +got):\n%s", diff)
	}
}

// TestEntries checks all that the meter relies on in every entry.
func TestEntries(t *testing.T) {
	for _, provider := range catalogue.Standard().Providers() {
		keys := catalogue.Standard().Keys(provider)
		if len(keys) < 5 {
			t.Errorf("%s has %d entries", provider, len(keys))
		}
		for _, key := range keys {
			entry, _ := catalogue.Standard().Entry(provider, key)
			if entry.Package == "" || entry.Date == "" || entry.Prices.Source == "" {
				t.Errorf("%s/%s does not say where it comes from", provider, key)
			}
			if _, err := time.Parse(time.DateOnly, entry.Deprecated); entry.Deprecated != "" && err != nil {
				t.Errorf("%s/%s: %v", provider, key, err)
			}
			if len(entry.CapabilitySet().Names()) != len(entry.Capabilities) {
				t.Errorf("%s/%s has capabilities that the API does not: %v", provider, key, entry.Capabilities)
			}
			checkPrices(t, provider+"/"+key, &entry.Prices)
		}
	}
}

func checkPrices(t *testing.T, name string, p *table.Prices) {
	t.Helper()
	prices := []*int64{
		&p.Input, &p.CachedInput, &p.Output, &p.Request, p.CacheWrite, p.CacheWrite1h, p.InputAudio, p.CachedInputAudio, p.InputImage, p.Reasoning,
		p.OutputAudio, p.OutputImage, p.Image, p.AudioHour, p.SpeechHour, p.Characters, p.Search, p.SearchUnits,
	}
	for i, price := range prices {
		if price != nil && (*price < 0 || *price > 5_000_000_000_000) {
			t.Errorf("%s: price %d is %d", name, i, *price)
		}
	}
	if p.CachedInput > p.Input {
		t.Errorf("%s: cached tokens cost %d, others %d", name, p.CachedInput, p.Input)
	}
	var above int64
	for i := range p.Tiers {
		if p.Tiers[i].Above <= above || len(p.Tiers[i].Prices.Tiers)+len(p.Tiers[i].Prices.Services) > 0 {
			t.Errorf("%s: tier %d is out of place", name, i)
		}
		above = p.Tiers[i].Above
		checkPrices(t, name+" long", &p.Tiers[i].Prices)
	}
	for i := range p.Services {
		if p.Services[i].Service == "" || len(p.Services[i].Prices.Services) > 0 {
			t.Errorf("%s: service %q has services", name, p.Services[i].Service)
		}
		checkPrices(t, name+" "+p.Services[i].Service, &p.Services[i].Prices)
	}
}

// TestModels: the ids that calls can name are found as they are; deployments have none.
func TestModels(t *testing.T) {
	for _, provider := range catalogue.Standard().Providers() {
		models := catalogue.Standard().Models(provider, "eu-north-1")
		if (len(models) == 0) != (provider == "AzureOpenAI") {
			t.Errorf("%s has %d models", provider, len(models))
		}
		for _, model := range models {
			if _, known := catalogue.Standard().LookupAt(provider, "eu-north-1", model); !known {
				t.Errorf("%s/%s is not found", provider, model)
			}
		}
	}
	regional := catalogue.Standard().Models("AWSBedrock", "eu-north-1")
	if !slices.Contains(regional, "deepseek.v3.2") || slices.Contains(regional, "eu-north-1/deepseek.v3.2") {
		t.Error("the region is part of the ids of Bedrock")
	}
}

// TestOpenRefuses reads archives that are none.
func TestOpenRefuses(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing":       nil,
		"no archive":    []byte("catalogue"),
		"no header":     archive(t, map[string]string{"OpenAI.json": "[]"}),
		"broken header": archive(t, map[string]string{catalogue.HeaderFile: "{"}),
	} {
		if _, err := catalogue.Open(data); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
	header, err := json.Marshal(catalogue.Header{Files: map[string]string{"OpenAI.json": ""}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalogue.Open(archive(t, map[string]string{catalogue.HeaderFile: string(header), "OpenAI.json": `[{"key":"m","prices":{"input":3}}]`}))
	if err != nil {
		t.Fatal(err)
	}
	if entry, known := c.Lookup("OpenAI", "m"); !known || entry.Prices.Input != 3 {
		t.Errorf("Lookup = %+v, %t", entry, known)
	}
}

func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := zip.NewWriter(&out)
	for name, content := range files {
		member, err := writer.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(member, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
