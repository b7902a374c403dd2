package cohere_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/cohere"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

var update = flag.Bool("update", false, "write the golden files anew")

func ptr[T any](v T) *T { return &v }

func text(s string) neutral.Part { return neutral.Part{Kind: neutral.TextPart, Text: s} }

func says(role neutral.Role, parts ...neutral.Part) neutral.Message {
	return neutral.Message{Role: role, Parts: parts}
}

func call(id, name, arguments string) neutral.Part {
	return neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: id, Name: name, Arguments: arguments}}
}

func result(id string, parts ...neutral.Part) neutral.Part {
	return neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: id, Parts: parts}}
}

func media(kind neutral.PartKind, m neutral.Media) neutral.Part {
	return neutral.Part{Kind: kind, Media: &m}
}

func thought(t neutral.Thought) neutral.Part {
	return neutral.Part{Kind: neutral.ReasoningPart, Thought: &t}
}

// asks is a request with one question of the user.
func asks(edit func(r *neutral.Request)) *neutral.Request {
	r := &neutral.Request{Model: "chat", N: 1, Messages: []neutral.Message{says(neutral.User, text("What is the weather?"))}}
	if edit != nil {
		edit(r)
	}
	return r
}

var weather = neutral.Tool{Name: "get_weather", Description: "Tells the weather.", Parameters: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}}}`)}

var schema = neutral.Format{Kind: neutral.FormatJSONSchema, Name: "forecast", Schema: json.RawMessage(`{"type":"object","properties":{"rain":{"type":"boolean"}}}`)}

// conversation has everything that a conversation may have.
func conversation(r *neutral.Request) {
	r.Messages = []neutral.Message{
		says(neutral.System, text("Be brief.")),
		says(neutral.User, text("Look"), media(neutral.ImagePart, neutral.Media{Data: "iVBORw==", MIME: "image/png", Detail: "low"}), media(neutral.ImagePart, neutral.Media{URL: "https://example.com/a.png"}), media(neutral.FilePart, neutral.Media{Text: "Q3 was good.", Name: "Report", Context: "for the board"})),
		says(neutral.User, media(neutral.FilePart, neutral.Media{Text: "More."})),
		says(neutral.Developer, text("Answer in German."), text("Always.")),
		says(neutral.Assistant, thought(neutral.Thought{Text: "I will look it up."}), thought(neutral.Thought{Encrypted: "x", Origin: neutral.OriginOpenAI}), text("Einen Moment."), call("call_1", "get_weather", `{"city":"Köln"}`), call("a/b:c", "ping", "")),
		says(neutral.ToolRole, result("call_1", text("18 °C")), result("a/b:c", text("a"), media(neutral.FilePart, neutral.Media{Text: "b"})), result("none")),
		says(neutral.Assistant, thought(neutral.Thought{Text: "Only a thought."})),
		says(neutral.Assistant, thought(neutral.Thought{Text: "It is warm."}), text("Warm."), neutral.Part{Kind: neutral.RefusalPart, Text: "No more."}),
		says(neutral.User, text("\"Danke\"\n")),
	}
	r.Tools = []neutral.Tool{weather, {Name: "ping"}}
	r.Stream = true
}

func TestAppendRequest(t *testing.T) {
	const commandA, reasons = "command-a-03-2025", "command-a-reasoning-08-2025"
	for name, tc := range map[string]struct {
		request *neutral.Request
		to      dialect.Target
		dropped []string
	}{
		"plain":                  {request: asks(nil), to: dialect.Target{Model: commandA}},
		"conversation":           {request: asks(conversation), to: dialect.Target{Model: commandA}, dropped: []string{"reasoning"}},
		"address and host":       {request: asks(func(r *neutral.Request) { r.Stream = true }), to: dialect.Target{Model: commandA, ModelInPath: true, StreamInPath: true, Set: []neutral.Member{{Name: "safety_mode", Value: json.RawMessage(`"STRICT"`)}}}},
		"stream without a model": {request: asks(func(r *neutral.Request) { r.Stream = true }), to: dialect.Target{ModelInPath: true}},
		"parameters": {
			request: asks(func(r *neutral.Request) {
				r.MaxTokens, r.Stop, r.Temperature, r.TopP, r.TopK, r.Seed = ptr(int64(9)), []string{"END", "\n"}, "0.3", "0.8", "40", "7"
				r.FrequencyPenalty, r.PresencePenalty, r.LogProbs = "0.5", "1", true
			}),
			to: dialect.Target{Model: commandA},
		},
		"parameters out of range": {request: asks(func(r *neutral.Request) { r.TopP, r.FrequencyPenalty, r.PresencePenalty = "1", "-1", "1.5" }), to: dialect.Target{Model: commandA}, dropped: []string{"frequency_penalty", "presence_penalty"}},
		"least top_p":             {request: asks(func(r *neutral.Request) { r.TopP = "0" }), to: dialect.Target{Model: commandA}},
		"dropped": {
			request: asks(func(r *neutral.Request) {
				r.MinP, r.TopA, r.RepetitionPenalty, r.LogitBias, r.User, r.Verbosity = "0.1", "0.1", "1", json.RawMessage(`{"1":2}`), "u", "low"
				r.Metadata, r.PromptCacheKey, r.ServiceTier, r.Tools, r.ParallelToolCalls = map[string]string{"a": "b"}, "k", "flex", []neutral.Tool{weather}, ptr(false)
				r.Extra = []neutral.Member{{Name: "prediction", Value: json.RawMessage(`{"type":"content"}`)}, {Name: "store", Value: json.RawMessage("false")}}
			}),
			to:      dialect.Target{Model: commandA},
			dropped: []string{"logit_bias", "metadata", "min_p", "parallel_tool_calls", "prediction", "prompt_cache_key", "repetition_penalty", "service_tier", "top_a", "user", "verbosity"},
		},
		"tool required": {request: asks(func(r *neutral.Request) { r.Tools, r.ToolChoice.Mode = []neutral.Tool{weather}, neutral.ToolRequired }), to: dialect.Target{Model: commandA}},
		"tool named": {request: asks(func(r *neutral.Request) {
			r.Tools, r.ToolChoice = []neutral.Tool{{Name: "ping"}, weather}, neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "get_weather"}
		}), to: dialect.Target{Model: commandA}},
		"tools allowed": {request: asks(func(r *neutral.Request) {
			r.Tools, r.ToolChoice = []neutral.Tool{{Name: "ping"}, weather}, neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: []string{"get_weather"}}
		}), to: dialect.Target{Model: commandA}},
		"tools forbidden": {request: asks(func(r *neutral.Request) { r.Tools, r.ToolChoice.Mode = []neutral.Tool{weather}, neutral.ToolNone }), to: dialect.Target{Model: commandA}},
		"tools forbidden, schema": {request: asks(func(r *neutral.Request) {
			r.Tools, r.ToolChoice.Mode, r.Format = []neutral.Tool{weather}, neutral.ToolNone, schema
		}), to: dialect.Target{Model: commandA}},
		"strict tools": {request: asks(func(r *neutral.Request) { tool := weather; tool.Strict = ptr(true); r.Tools = []neutral.Tool{tool} }), to: dialect.Target{Model: commandA}},
		"strict and other tools": {request: asks(func(r *neutral.Request) {
			tool := weather
			tool.Strict = ptr(true)
			r.Tools = []neutral.Tool{tool, {Name: "ping", Strict: ptr(false)}}
		}), to: dialect.Target{Model: commandA}, dropped: []string{"strict"}},
		"JSON":             {request: asks(func(r *neutral.Request) { r.Format.Kind = neutral.FormatJSONObject }), to: dialect.Target{Model: commandA}},
		"JSON and tools":   {request: asks(func(r *neutral.Request) { r.Format.Kind, r.Tools = neutral.FormatJSONObject, []neutral.Tool{weather} }), to: dialect.Target{Model: commandA}},
		"schema":           {request: asks(func(r *neutral.Request) { r.Format = schema }), to: dialect.Target{Model: commandA}},
		"schema and tools": {request: asks(func(r *neutral.Request) { r.Format, r.Tools = schema, []neutral.Tool{weather} }), to: dialect.Target{Model: commandA}},
		"schema and a tool to call": {request: asks(func(r *neutral.Request) {
			r.Format, r.Tools, r.ToolChoice.Mode = schema, []neutral.Tool{weather}, neutral.ToolRequired
		}), to: dialect.Target{Model: commandA}},
		"schema and documents": {request: asks(func(r *neutral.Request) {
			r.Format = schema
			r.Messages = append(r.Messages, says(neutral.User, media(neutral.FilePart, neutral.Media{Text: "Q3", Name: "Report"})))
		}), to: dialect.Target{Model: commandA}},
		"thinking":                  {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "high"} }), to: dialect.Target{Model: reasons}},
		"thinking, budget":          {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{MaxTokens: ptr(int64(300))} }), to: dialect.Target{Model: reasons}},
		"thinking, medium":          {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "medium"} }), to: dialect.Target{Model: reasons}},
		"thinking, low":             {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "low"} }), to: dialect.Target{Model: reasons}},
		"thinking, minimal":         {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "minimal"} }), to: dialect.Target{Model: reasons}},
		"thinking off":              {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Enabled: ptr(false)} }), to: dialect.Target{Model: reasons}},
		"thinking only hidden":      {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Exclude: true} }), to: dialect.Target{Model: reasons}},
		"thinking, older model":     {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "low"} }), to: dialect.Target{Model: "command-r-08-2024"}, dropped: []string{"reasoning_effort"}},
		"thinking off, older model": {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "none"} }), to: dialect.Target{Model: commandA}},
		"nothing said": {request: asks(func(r *neutral.Request) {
			r.Messages = []neutral.Message{
				says(neutral.System, text("")), says(neutral.User, text("")), says(neutral.Assistant, text(" ")), says(neutral.User),
				says(neutral.Assistant, text(""), call("1", "ping", "")), says(neutral.ToolRole, result("1", text(""), text("\n"))), says(neutral.User, text(""), text("Go on.")),
			}
		}), to: dialect.Target{Model: commandA}},
		"only an empty system prompt": {request: asks(func(r *neutral.Request) { r.Messages = append([]neutral.Message{says(neutral.System)}, r.Messages...) }), to: dialect.Target{Model: commandA}},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := json.Marshal(tc.request)
			if err != nil {
				t.Fatal(err)
			}
			got, report, err := cohere.Chat{}.AppendRequest([]byte("prefix"), tc.request, tc.to)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
			body, found := bytes.CutPrefix(got, []byte("prefix"))
			if !found {
				t.Fatalf("%s does not begin with what was there", got)
			}
			golden(t, name, body)
			if after, err := json.Marshal(tc.request); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the request was changed to %s, %v", after, err)
			}
		})
	}
}

// golden compares JSON with a file.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	file := filepath.Join("testdata", "requests", strings.ReplaceAll(strings.ReplaceAll(name, ",", ""), " ", "-")+".json")
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, body, "", "  "); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	pretty.WriteByte('\n')
	if *update {
		if err := os.WriteFile(file, pretty.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestAppendRequestRefuses(t *testing.T) {
	shows := func(role neutral.Role, part neutral.Part) *neutral.Request {
		return asks(func(r *neutral.Request) { r.Messages = append(r.Messages, says(role, text("x"), part)) })
	}
	for name, tc := range map[string]struct {
		request *neutral.Request
		want    string
	}{
		"several answers": {asks(func(r *neutral.Request) { r.N = 2 }), "n"},
		"alternatives":    {asks(func(r *neutral.Request) { r.LogProbs, r.TopLogProbs = true, ptr(int64(3)) }), "top_logprobs"},
		"sound out":       {asks(func(r *neutral.Request) { r.Modalities = []string{"audio"} }), "modalities"},
		"unknown choice":  {asks(func(r *neutral.Request) { r.ToolChoice.Raw = json.RawMessage(`{}`) }), "tool_choice"},
		"unknown format":  {asks(func(r *neutral.Request) { r.Format.Kind = neutral.FormatOther }), "response_format"},
		"many stop texts": {asks(func(r *neutral.Request) { r.Stop = make([]string, 6) }), "stop"},
		"hosted tool": {asks(func(r *neutral.Request) {
			r.Tools = []neutral.Tool{weather, {Raw: json.RawMessage(`{}`), Type: "web_search"}}
		}), "tools[1]"},
		"image of unknown type":  {shows(neutral.User, media(neutral.ImagePart, neutral.Media{Data: "AAAA"})), "messages[1].content[1].image_url"},
		"image by id":            {shows(neutral.User, media(neutral.ImagePart, neutral.Media{FileID: "file-1"})), "messages[1].content[1].image_url"},
		"image in a bucket":      {shows(neutral.User, media(neutral.ImagePart, neutral.Media{URL: "gs://a/b"})), "messages[1].content[1].image_url"},
		"PDF":                    {shows(neutral.User, media(neutral.FilePart, neutral.Media{Data: "AAAA", MIME: "application/pdf"})), "messages[1].content[1].file"},
		"sound":                  {shows(neutral.User, media(neutral.AudioPart, neutral.Media{Data: "AAAA"})), "messages[1].content[1]"},
		"nothing":                {shows(neutral.User, neutral.Part{Kind: neutral.ImagePart}), "messages[1].content[1]"},
		"image as instruction":   {shows(neutral.System, media(neutral.ImagePart, neutral.Media{Data: "AAAA"})), "messages[1].content[1]"},
		"image of the assistant": {shows(neutral.Assistant, media(neutral.ImagePart, neutral.Media{Data: "AAAA"})), "messages[1].content[1]"},
		"text as a result":       {shows(neutral.ToolRole, text("x")), "messages[1].content[0]"},
		"image as a result": {asks(func(r *neutral.Request) {
			r.Messages = append(r.Messages, says(neutral.ToolRole, result("1", text("a"), media(neutral.ImagePart, neutral.Media{Data: "AAAA"}))))
		}), "messages[1].content[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			got, report, err := cohere.Chat{}.AppendRequest([]byte("prefix"), tc.request, dialect.Target{Model: "command-a-03-2025"})
			var unsupported *neutral.UnsupportedError
			if !errors.As(err, &unsupported) || unsupported.Field != tc.want || unsupported.Reason == "" {
				t.Errorf("error %v, want one about %s", err, tc.want)
			}
			if string(got) != "prefix" || report.Dropped != nil {
				t.Errorf("%q was written and %q reported", got, report.Dropped)
			}
		})
	}
}
