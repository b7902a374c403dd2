package cmd

import (
	"encoding/json"
	"strings"
	"testing"
)

const pricedManifests = `apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: openai}
spec:
  provider: OpenAI
  auth: {none: {}}
  prices:
  - {model: gpt-4o-mini, input: "7", cachedInput: "0.7", output: "8", searches: "11"}
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat}
spec:
  models: [chat, fast]
  targets:
  - {name: listed, credentialRef: {name: openai}, model: gpt-4o}
  - {name: agreed, credentialRef: {name: openai}, model: gpt-4o-mini}
  - {name: special, credentialRef: {name: openai}, model: gpt-4o, prices: {input: "1", output: "2"}}
  - {name: unknown, credentialRef: {name: openai}, model: gpt-unheard-of}
  - {name: passing, credentialRef: {name: openai}, model: "*"}
`

// TestPrices compares lines without their blanks.
func TestPrices(t *testing.T) {
	cases := map[string]struct {
		stdin string
		args  []string
		want  []string
		not   string
		fails string
	}{
		"a model": {
			args: []string{"gpt-4o"},
			want: []string{"OpenAI gpt-4o 2.5 1.25 10", "batch 1.25", "priority 4.25 2.125 17", ", OpenAI/gpt-4o"}, not: "AzureOpenAI gpt-4o-mini",
		},
		"a date that is not listed":      {args: []string{"gpt-4o-2031-01-02"}, want: []string{"OpenAI gpt-4o-2031-01-02 2.5 1.25 10", ", OpenAI/gpt-4o"}},
		"a deployment tells no model":    {args: []string{"gpt-4o", "-p", "AzureOpenAI"}, want: []string{"not applied, because the id in a call does not tell the model"}},
		"long prompts":                   {args: []string{"gpt-6-luna"}, want: []string{"prompts above 272000 0.2 0.02 0.75", "flex, prompts above 272000 0.1 0.01 0.375", "searches 10 per thousand"}},
		"kept in a place":                {args: []string{"gpt-6-luna", "--place", "eu"}, want: []string{"OpenAI gpt-6-luna 0.11 0.011 0.55", "times 1.100 in eu"}},
		"all of a provider":              {args: []string{"--provider", "Cerebras"}, want: []string{"Cerebras gpt-oss-120b 0.35"}},
		"withdrawn":                      {args: []string{"whisper-1"}, want: []string{"audioHour 0.36", "withdrawn on 2027-02-26"}},
		"nobody knows":                   {args: []string{"gpt-unheard-of"}, fails: `nothing is known of model "gpt-unheard-of"`},
		"neither model nor provider":     {fails: "name a model, or one of the providers AWSBedrock, "},
		"a provider that does not exist": {args: []string{"-p", "Nope"}, fails: `the catalogue has no provider "Nope"`},
		"an output that does not exist":  {args: []string{"gpt-4o", "-o", "xml"}, fails: `the output "xml" is neither table nor json`},
		"targets": {
			stdin: pricedManifests, args: []string{"-f", "-"},
			want: []string{
				"OpenAI gpt-4o 2.5 1.25 10", "default/chat target listed; catalogue ", "OpenAI gpt-4o-mini 7 0.7 8 searches 11 per thousand default/chat target agreed; ProviderCredential openai",
				"OpenAI gpt-4o 1 1 2 default/chat target special; ModelRoute chat", "OpenAI gpt-unheard-of unpriced default/chat target unknown",
				"OpenAI chat unpriced default/chat target passing", "OpenAI fast unpriced default/chat target passing",
			},
		},
		"targets of an upstream id": {stdin: pricedManifests, args: []string{"-f", "-", "gpt-4o-mini"}, want: []string{"target agreed"}, not: "target listed"},
		"targets of a route's model": {
			stdin: pricedManifests, args: []string{"-f", "-", "fast"}, want: []string{"target listed", "OpenAI fast unpriced default/chat target passing"}, not: "OpenAI chat",
		},
		"targets of another provider": {stdin: pricedManifests, args: []string{"-f", "-", "-p", "Groq", "chat"}, fails: `nothing is known of model "chat"`},
		"manifests in error":          {stdin: "kind: ModelRoute\napiVersion: signalbox.dev/v1alpha1\nmetadata: {name: x}\nspec: {}", args: []string{"-f", "-"}, fails: "signalbox check lists them"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := execute(NewPrices(), tc.stdin, tc.args...)
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("error %v, want %q", err, tc.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var plain strings.Builder
			for line := range strings.Lines(out) {
				plain.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
			}
			for _, want := range tc.want {
				if !strings.Contains(plain.String(), want) {
					t.Errorf("the output lacks %q:\n%s", want, plain.String())
				}
			}
			if tc.not != "" && strings.Contains(plain.String(), tc.not) {
				t.Errorf("the output has %q:\n%s", tc.not, plain.String())
			}
		})
	}
}

// TestPricesAsJSON: programs get exact decimals and what else is known.
func TestPricesAsJSON(t *testing.T) {
	out, err := execute(NewPrices(), "", "gpt-4o", "-p", "OpenAI", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var lines []struct {
		Provider, Model, Source string
		Prices                  struct {
			Rates []struct {
				Name string
				USD  json.Number
				Per  string
			}
			Services []struct{ Service string }
		}
		Catalogue struct {
			Key           string
			ContextTokens int64
			Capabilities  []string
		}
	}
	if err := json.Unmarshal([]byte(out), &lines); err != nil || len(lines) != 1 {
		t.Fatalf("%d lines, %v:\n%s", len(lines), err, out)
	}
	line := lines[0]
	if line.Prices.Rates[0].Name != "input" || line.Prices.Rates[0].USD != "2.5" || line.Prices.Rates[0].Per != "million tokens" {
		t.Errorf("the first rate is %+v", line.Prices.Rates[0])
	}
	if line.Catalogue.Key != "gpt-4o" || line.Catalogue.ContextTokens != 128000 || len(line.Catalogue.Capabilities) == 0 || len(line.Prices.Services) != 3 {
		t.Errorf("line %+v", line)
	}
}
