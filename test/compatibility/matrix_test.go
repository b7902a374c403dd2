// Package compatibility writes docs/compatibility.md: what reaches which provider, from which client. The page is made of what the code does with the
// requests under testdata, so it cannot say anything else.
package compatibility

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/codecs"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

const page = "../../docs/compatibility.md"

// column is a provider with a model of its kind.
type column struct {
	title, provider, model string
	api                    neutral.API
}

func columns() []column {
	return []column{
		{title: "OpenAI", provider: "OpenAI", model: "gpt-4.1"},
		{title: "OpenAI, `api: Responses`", provider: "OpenAI", model: "gpt-4.1", api: neutral.Responses},
		{title: "AzureOpenAI", provider: "AzureOpenAI", model: "gpt-4.1"},
		{title: "Anthropic", provider: "Anthropic", model: "claude-sonnet-4-5"},
		{title: "GoogleAI", provider: "GoogleAI", model: "gemini-2.5-flash"},
		{title: "VertexAI, Gemini", provider: "VertexAI", model: "gemini-2.5-flash"},
		{title: "VertexAI, Claude", provider: "VertexAI", model: "claude-sonnet-4-5"},
		{title: "AWSBedrock, Claude", provider: "AWSBedrock", model: "anthropic.claude-sonnet-4-5-20250929-v1:0"},
		{title: "AWSBedrock, others", provider: "AWSBedrock", model: "amazon.nova-pro-v1:0"},
		{title: "Cohere", provider: "Cohere", model: "command-a-03-2025"},
		{title: "Groq", provider: "Groq", model: "openai/gpt-oss-120b"},
		{title: "OpenRouter", provider: "OpenRouter", model: "anthropic/claude-sonnet-4.5"},
		{title: "Mistral", provider: "Mistral", model: "mistral-large-latest"},
		{title: "DeepSeek", provider: "DeepSeek", model: "deepseek-chat"},
		{title: "XAI", provider: "XAI", model: "grok-4"},
		{title: "Together", provider: "Together", model: "meta-llama/Llama-3.3-70B-Instruct-Turbo"},
		{title: "Fireworks", provider: "Fireworks", model: "accounts/fireworks/models/llama-v3p3-70b-instruct"},
		{title: "Cerebras", provider: "Cerebras", model: "gpt-oss-120b"},
		{title: "OpenAICompatible", provider: "OpenAICompatible", model: "llama"},
	}
}

// verdict is what becomes of a request on its way to a provider.
type verdict struct {
	mark string
	note string
}

// try writes a request for a column's provider.
func try(t *testing.T, surface neutral.API, c column, body []byte) verdict {
	t.Helper()
	vendor, known := registry.Default().Lookup(c.provider)
	if !known {
		t.Fatalf("there is no provider %s", c.provider)
	}
	offer, offered := vendor.Choose(surface, c.model, c.api)
	all := codecs.Default()
	joint, joined := all.Join(surface, offer.API)
	if !offered || !joined {
		return verdict{mark: "–", note: "no API for it"}
	}
	head, err := all.Surface(surface).ReadHead(body)
	if err != nil {
		t.Fatalf("%s: the sample cannot be read: %v", surface, err)
	}
	if head.Model == "" {
		head.Model = "m"
	}
	_, report, err := joint.AppendRequest(nil, &dialect.Inbound{Body: body, Head: head}, targetOf(vendor, offer, c.model))
	var cannot *neutral.UnsupportedError
	switch {
	case errors.As(err, &cannot):
		return verdict{mark: "no", note: cannot.Error()}
	case err != nil:
		t.Fatalf("%s to %s: %v", surface, c.title, err)
	case len(report.Dropped) > 0:
		return verdict{mark: "dropped", note: strings.Join(report.Dropped, ", ")}
	}
	return verdict{mark: "yes"}
}

func targetOf(vendor provider.Provider, offer provider.Offer, model string) dialect.Target {
	return dialect.Target{
		Model: model, Provider: vendor.Name, ModelInPath: offer.ModelInPath, StreamInPath: offer.StreamInPath,
		Set: offer.Set, Origin: offer.Origin, Quirks: *offer.Quirks,
	}
}

// samples are the names of a surface's requests, in the order of the alphabet.
func samples(t *testing.T, surface neutral.API) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", string(surface), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no samples of %s: %v", surface, err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	slices.Sort(files)
	return files
}

const introduction = `# What reaches which provider

This page is written by a test from what the proxy does with one sample request for each feature; ` + "`make generate`" + ` writes it anew. Nothing here was
tried against the providers' own services.

- **yes**: the request reaches the provider with all that it asks for, as it is or translated.
- **dropped**: it reaches the provider without the parameter, and the answer says so in ` + "`X-Signalbox-Dropped`" + `.
- **no**: a target of this provider is not used for the request. If no target of the route can be used, the reply is ` + "`unsupported_by_targets`" + `
  with the field and the reason.

What a request asks of the choice of a target (further models, preferences of providers, a session) the proxy does itself: a provider gets none of it, but for
OpenRouter, which gets the session and the preferences that are about its own providers.

`

func render(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	out.WriteString(introduction)
	for _, surface := range []struct {
		api   neutral.API
		title string
	}{
		{neutral.ChatCompletions, "OpenAI's chat completions (and those of OpenRouter and Groq)"}, {neutral.Responses, "OpenAI's Responses"},
		{neutral.Messages, "Anthropic's Messages"}, {neutral.GenerateContent, "Gemini's generateContent"},
	} {
		fmt.Fprintf(&out, "## Clients of %s\n\n", surface.title)
		renderTable(t, &out, surface.api)
	}
	return out.String()
}

func renderTable(t *testing.T, out *strings.Builder, surface neutral.API) {
	t.Helper()
	var notes []string
	out.WriteString("| |")
	for _, c := range columns() {
		out.WriteString(" " + c.title + " |")
	}
	out.WriteString("\n|" + strings.Repeat(" --- |", len(columns())+1) + "\n")
	for _, name := range samples(t, surface) {
		body, err := os.ReadFile(filepath.Join("testdata", string(surface), name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("| " + name + " |")
		for _, c := range columns() {
			v := try(t, surface, c, body)
			if v.note != "" {
				at := slices.Index(notes, v.note)
				if at < 0 {
					at = len(notes)
					notes = append(notes, v.note)
				}
				v.mark = fmt.Sprintf("%s (%d)", v.mark, at+1)
			}
			out.WriteString(" " + v.mark + " |")
		}
		out.WriteString("\n")
	}
	out.WriteString("\n")
	for i, note := range notes {
		fmt.Fprintf(out, "%d. %s\n", i+1, note)
	}
	out.WriteString("\n")
}

// TestPage fails when the page does not say what the code does. With UPDATE_DOCS=1 it writes the page.
func TestPage(t *testing.T) {
	got := strings.TrimRight(render(t), "\n") + "\n"
	if os.Getenv("UPDATE_DOCS") == "1" {
		if err := os.WriteFile(page, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what the code does; run make generate (-page +code):\n%s", page, diff)
	}
}
