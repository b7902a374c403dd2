package bedrock_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/bedrock"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	sonnet37 = "anthropic.claude-3-7-sonnet-20250219-v1:0"
	sonnet45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
	opus46   = "anthropic.claude-opus-4-6-v1"
	opus47   = "us.anthropic.claude-opus-4-7"
	novaPro  = "us.amazon.nova-pro-v1:0"
	nova2    = "us.amazon.nova-2-lite-v1:0"
	llama    = "us.meta.llama3-3-70b-instruct-v1:0"
	qwen     = "qwen.qwen3-235b-a22b-2507-v1:0"
	pixel    = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

func target(model string) dialect.Target {
	return dialect.Target{Model: model, Provider: "AWSBedrock", ModelInPath: true, StreamInPath: true, Origin: neutral.OriginAnthropic}
}

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

func cached(p neutral.Part, ttl string) neutral.Part {
	p.Cache = &neutral.CacheMark{TTL: ttl}
	return p
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

var schema = neutral.Format{Kind: neutral.FormatJSONSchema, Name: "forecast", Schema: json.RawMessage(`{"type":"object","properties":{"rain":{"type":"boolean"}},"additionalProperties":false}`)}

// conversation has everything that a conversation may have.
func conversation(r *neutral.Request) {
	r.Messages = []neutral.Message{
		says(neutral.System, cached(text("Be brief."), "1h"), text(" ")),
		says(neutral.User, text("Look at these"), media(neutral.ImagePart, neutral.Media{Data: pixel, MIME: "image/png"})),
		says(neutral.User, media(neutral.ImagePart, neutral.Media{URL: "s3://bucket/photo.jpg"}), cached(media(neutral.FilePart, neutral.Media{Data: "JVBERi0=", MIME: "application/pdf", Name: "Q3 report_final (2).pdf", Citations: true, Context: "for the board"}), "5m")),
		says(neutral.Developer, text("Answer in German.")),
		says(neutral.Assistant,
			thought(neutral.Thought{Text: "I need the weather.", Signature: "c2ln", Origin: neutral.OriginAnthropic}), thought(neutral.Thought{Encrypted: "c2VjcmV0", Origin: neutral.OriginAnthropic}),
			thought(neutral.Thought{Text: "unsigned"}), thought(neutral.Thought{Encrypted: "x", Origin: neutral.OriginOpenAI}), text("Einen Moment."),
			call("call_1", "get_weather", `{"city":"Köln"}`), call("a/b:c", "get_weather", "")),
		says(neutral.ToolRole, result("call_1", text("18 °C"), media(neutral.ImagePart, neutral.Media{Data: pixel})), neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "a/b:c", Failed: true}}),
		says(neutral.User, text("And \"tomorrow\"?\n"), media(neutral.FilePart, neutral.Media{Text: "some notes", Name: "Q3 report_final (2).pdf"}), media(neutral.VideoPart, neutral.Media{Data: "AAAA", MIME: "video/mp4"}), media(neutral.AudioPart, neutral.Media{Data: "AAAA", MIME: "audio/mpeg"})),
		says(neutral.Assistant, neutral.Part{Kind: neutral.RefusalPart, Text: "I cannot tell."}),
	}
	tool := weather
	tool.Cache, tool.Strict = &neutral.CacheMark{}, ptr(true)
	r.Tools = []neutral.Tool{tool, {Name: "ping"}, {Name: "any", Parameters: json.RawMessage(`{ "properties" : {} }`)}}
	r.ParallelToolCalls = ptr(true)
	r.MaxTokens = ptr(int64(1000))
	r.Stop = []string{"END"}
	r.Temperature, r.TopK = "0.5", "40"
}

func TestAppendRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		request *neutral.Request
		model   string
		dropped []string
	}{
		"plain":                           {request: asks(nil), model: sonnet45},
		"conversation":                    {request: asks(conversation), model: sonnet45, dropped: []string{"reasoning"}},
		"conversation, older Claude":      {request: asks(conversation), model: sonnet37, dropped: []string{"cache_control", "reasoning", "strict"}},
		"conversation, Nova":              {request: asks(conversation), model: novaPro, dropped: []string{"cache_control", "reasoning", "strict"}},
		"conversation, other":             {request: asks(conversation), model: qwen, dropped: []string{"cache_control", "reasoning", "top_k"}},
		"conversation, inference profile": {request: asks(conversation), model: "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", dropped: []string{"cache_control", "reasoning", "top_k"}},
		"no messages":                     {request: asks(func(r *neutral.Request) { r.Messages = nil }), model: opus46},
		"instructions only":               {request: asks(func(r *neutral.Request) { r.Messages = []neutral.Message{says(neutral.System, text("Be brief."))} }), model: opus46},
		"begins with the assistant": {request: asks(func(r *neutral.Request) {
			r.Messages = []neutral.Message{says(neutral.Assistant, text("Hello!")), says(neutral.User, text("Hi"))}
		}), model: opus46},
		"blank texts": {request: asks(func(r *neutral.Request) {
			r.Messages = []neutral.Message{says(neutral.User, text("a")), says(neutral.Assistant, text(" \n")), says(neutral.User, text(""), text("b"))}
		}), model: opus46},
		"a document alone": {request: asks(func(r *neutral.Request) {
			r.Messages = []neutral.Message{says(neutral.User, media(neutral.FilePart, neutral.Media{Data: "AA==", Name: "data.csv"}))}
		}), model: opus46},
		"marked as a whole": {request: asks(func(r *neutral.Request) { r.Cache = &neutral.CacheMark{TTL: "1h"} }), model: opus46},
		"dropped": {
			request: asks(func(r *neutral.Request) {
				r.MinP, r.TopA, r.FrequencyPenalty, r.PresencePenalty, r.RepetitionPenalty, r.Seed = "0.1", "0.1", "1", "1", "1", "7"
				r.LogitBias, r.User, r.Verbosity, r.PromptCacheKey, r.ServiceTier = json.RawMessage(`{"1":2}`), "u", "low", "k", "scale"
				r.Metadata, r.Tools, r.ParallelToolCalls = map[string]string{"a": "b"}, []neutral.Tool{weather}, ptr(false)
				r.Extra = []neutral.Member{{Name: "prediction", Value: json.RawMessage(`{"type":"content"}`)}, {Name: "store", Value: json.RawMessage("false")}, {Name: "stream_options", Value: json.RawMessage(`{"include_usage":true}`)}, {Name: "plugins", Value: json.RawMessage("[ ]")}}
			}),
			model:   sonnet45,
			dropped: []string{"frequency_penalty", "logit_bias", "metadata", "min_p", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "repetition_penalty", "seed", "service_tier", "top_a", "user", "verbosity"},
		},
		"tier":              {request: asks(func(r *neutral.Request) { r.ServiceTier = "flex" }), model: novaPro},
		"tier of Anthropic": {request: asks(func(r *neutral.Request) { r.ServiceTier = "standard_only" }), model: sonnet45},
		"tool required":     {request: asks(func(r *neutral.Request) { r.Tools, r.ToolChoice.Mode = []neutral.Tool{weather}, neutral.ToolRequired }), model: sonnet45},
		"tool named": {request: asks(func(r *neutral.Request) {
			r.Tools, r.ToolChoice = []neutral.Tool{weather}, neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "get_weather"}
		}), model: sonnet45},
		"tool named, Mistral": {request: asks(func(r *neutral.Request) {
			r.Tools, r.ToolChoice = []neutral.Tool{{Name: "ping"}, weather}, neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "get_weather"}
		}), model: "mistral.mistral-large-2407-v1:0"},
		"schema, Mistral": {request: asks(func(r *neutral.Request) { r.Format = schema }), model: "mistral.mistral-large-2407-v1:0"},
		"tools allowed": {request: asks(func(r *neutral.Request) {
			r.Tools, r.ToolChoice = []neutral.Tool{{Name: "ping"}, weather}, neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: []string{"get_weather"}, AllowedRequired: true}
		}), model: sonnet45},
		"no tools":          {request: asks(func(r *neutral.Request) { conversation(r); r.ToolChoice.Mode = neutral.ToolNone }), model: sonnet45, dropped: []string{"reasoning"}},
		"no tools any more": {request: asks(func(r *neutral.Request) { conversation(r); r.Tools = nil }), model: llama, dropped: []string{"cache_control", "reasoning", "top_k"}},
		"odd arguments": {request: asks(func(r *neutral.Request) {
			r.Tools = []neutral.Tool{weather}
			r.Messages = append(r.Messages, says(neutral.Assistant, call("1", "f", "[1]"), call("2", "f", `{"a":`), call("3", "f", " "), call("4", "f", `{"a":1} x`)))
		}), model: sonnet45},
		"JSON":   {request: asks(func(r *neutral.Request) { r.Format.Kind = neutral.FormatJSONObject }), model: sonnet45},
		"schema": {request: asks(func(r *neutral.Request) { r.Format = schema }), model: sonnet45},
		"schema, strict": {request: asks(func(r *neutral.Request) {
			r.Format = schema
			r.Format.Strict, r.Format.Description = ptr(true), "The forecast."
		}), model: sonnet45},
		"schema of Anthropic":    {request: asks(func(r *neutral.Request) { r.Format, r.Source = schema, neutral.Messages }), model: sonnet45},
		"schema and tools":       {request: asks(func(r *neutral.Request) { r.Format, r.Tools = schema, []neutral.Tool{weather} }), model: sonnet45},
		"schema and tools, Nova": {request: asks(func(r *neutral.Request) { r.Format, r.Tools = schema, []neutral.Tool{weather} }), model: novaPro},
		"schema and a tool to call": {request: asks(func(r *neutral.Request) {
			r.Format, r.Tools, r.ToolChoice.Mode = schema, []neutral.Tool{weather}, neutral.ToolRequired
		}), model: novaPro},
		"schema, Nova": {request: asks(func(r *neutral.Request) { r.Format = schema }), model: novaPro},
		"schema of a list, Nova": {request: asks(func(r *neutral.Request) {
			r.Format = neutral.Format{Kind: neutral.FormatJSONSchema, Schema: json.RawMessage(`{"type":"array","items":{"type":"string"}}`)}
		}), model: novaPro},
		"schema, Llama": {request: asks(func(r *neutral.Request) { r.Format = schema }), model: llama},
		"schema, other": {request: asks(func(r *neutral.Request) { r.Format = schema }), model: qwen},
		"thinking, budget": {request: asks(func(r *neutral.Request) {
			r.Reasoning, r.MaxTokens, r.Temperature, r.TopP, r.TopK = &neutral.Reasoning{Effort: "high"}, ptr(int64(10000)), "0.5", "0.9", "5"
		}), model: sonnet37, dropped: []string{"temperature", "top_k", "top_p"}},
		"thinking, own budget": {request: asks(func(r *neutral.Request) {
			r.Reasoning, r.MaxTokens = &neutral.Reasoning{MaxTokens: ptr(int64(5000))}, ptr(int64(4000))
		}), model: sonnet37},
		"thinking, no limit": {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Enabled: ptr(true)} }), model: sonnet45},
		"thinking, no room": {request: asks(func(r *neutral.Request) {
			r.Reasoning, r.MaxTokens = &neutral.Reasoning{Effort: "low"}, ptr(int64(1000))
		}), model: sonnet45, dropped: []string{"reasoning_effort"}},
		"thinking, adaptive": {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "xhigh"} }), model: opus46},
		"thinking, newest": {request: asks(func(r *neutral.Request) {
			r.Reasoning, r.Temperature, r.TopK = &neutral.Reasoning{Effort: "minimal"}, "1", "5"
		}), model: opus47, dropped: []string{"temperature", "top_k"}},
		"thinking, newest, hidden": {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Adaptive: true, Exclude: true} }), model: "anthropic.claude-mythos-preview"},
		"thinking and schema": {request: asks(func(r *neutral.Request) {
			r.Reasoning, r.Format = &neutral.Reasoning{MaxTokens: ptr(int64(3000))}, schema
		}), model: opus46},
		"thinking and a tool to call": {request: asks(func(r *neutral.Request) {
			r.Reasoning, r.Tools, r.ToolChoice.Mode = &neutral.Reasoning{Effort: "low"}, []neutral.Tool{weather}, neutral.ToolRequired
		}), model: opus46, dropped: []string{"reasoning_effort"}},
		"thinking within a turn": {request: asks(func(r *neutral.Request) {
			r.Reasoning, r.Tools = &neutral.Reasoning{Effort: "low"}, []neutral.Tool{weather}
			r.Messages = append(r.Messages, says(neutral.Assistant, call("1", "get_weather", "{}")), says(neutral.ToolRole, result("1", text("rain"))))
		}), model: sonnet45, dropped: []string{"reasoning_effort"}},
		"thinking goes on in a turn": {request: asks(func(r *neutral.Request) {
			r.Reasoning, r.Tools = &neutral.Reasoning{Effort: "low"}, []neutral.Tool{weather}
			r.Messages = append(r.Messages, says(neutral.Assistant, thought(neutral.Thought{Text: "t", Signature: "s", Origin: neutral.OriginAnthropic}), call("1", "get_weather", "{}")), says(neutral.ToolRole, result("1", text("rain"))))
		}), model: sonnet45},
		"effort of Anthropic": {request: asks(func(r *neutral.Request) {
			r.Reasoning, r.Source, r.Temperature, r.Tools, r.ToolChoice.Mode = &neutral.Reasoning{Effort: "high"}, neutral.Messages, "0.5", []neutral.Tool{weather}, neutral.ToolRequired
		}), model: opus46},
		"thinking off": {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "none"} }), model: opus46},
		"thinking, Nova 2": {request: asks(func(r *neutral.Request) {
			r.Reasoning, r.MaxTokens, r.TopK = &neutral.Reasoning{Effort: "high"}, ptr(int64(500)), "9"
		}), model: nova2, dropped: []string{"reasoning_effort"}},
		"thinking, Nova 2, no limit": {request: asks(func(r *neutral.Request) { r.Reasoning, r.Temperature = &neutral.Reasoning{Effort: "max"}, "0.5" }), model: nova2, dropped: []string{"temperature"}},
		"thinking, Nova":             {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "low"} }), model: novaPro, dropped: []string{"reasoning_effort"}},
		"thinking, gpt-oss":          {request: asks(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{MaxTokens: ptr(int64(100))} }), model: "openai.gpt-oss-120b-1:0"},
		"sampling, older Claude":     {request: asks(func(r *neutral.Request) { r.Temperature, r.TopP, r.TopK = "1.5", "0.9", "5" }), model: sonnet37, dropped: []string{"temperature"}},
		"sampling, Claude":           {request: asks(func(r *neutral.Request) { r.Temperature, r.TopP = "0", "0.9" }), model: sonnet45, dropped: []string{"top_p"}},
		"sampling, newest Claude":    {request: asks(func(r *neutral.Request) { r.Temperature, r.TopP = "0", "0.9" }), model: opus47, dropped: []string{"temperature", "top_p"}},
		"sampling, Nova":             {request: asks(func(r *neutral.Request) { r.Temperature, r.TopP, r.TopK = "2", "0.9", "5" }), model: novaPro, dropped: []string{"temperature"}},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := json.Marshal(tc.request)
			if err != nil {
				t.Fatal(err)
			}
			got, report, err := bedrock.Converse{}.AppendRequest([]byte("prefix"), tc.request, target(tc.model))
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
	shows := func(part neutral.Part) *neutral.Request {
		return asks(func(r *neutral.Request) { r.Messages = append(r.Messages, says(neutral.User, text("x"), part)) })
	}
	for name, tc := range map[string]struct {
		request *neutral.Request
		want    string
	}{
		"several answers":   {asks(func(r *neutral.Request) { r.N = 2 }), "n"},
		"log probabilities": {asks(func(r *neutral.Request) { r.LogProbs = true }), "logprobs"},
		"sound out":         {asks(func(r *neutral.Request) { r.Modalities = []string{"text", "audio"} }), "modalities"},
		"unknown choice":    {asks(func(r *neutral.Request) { r.ToolChoice.Raw = json.RawMessage(`{}`) }), "tool_choice"},
		"unknown format":    {asks(func(r *neutral.Request) { r.Format.Kind = neutral.FormatOther }), "response_format"},
		"hosted tool": {asks(func(r *neutral.Request) {
			r.Tools = []neutral.Tool{weather, {Raw: json.RawMessage(`{}`), Type: "web_search"}}
		}), "tools[1]"},
		"name of a tool":        {asks(func(r *neutral.Request) { r.Tools = []neutral.Tool{{Name: "a.b"}} }), "tools[0].function.name"},
		"image by URL":          {shows(media(neutral.ImagePart, neutral.Media{URL: "https://example.com/a.png"})), "messages[1].content[1].image_url"},
		"image by id":           {shows(media(neutral.ImagePart, neutral.Media{FileID: "file-1"})), "messages[1].content[1].image_url"},
		"image of unknown type": {shows(media(neutral.ImagePart, neutral.Media{Data: "AAAA", MIME: "image/tiff"})), "messages[1].content[1].image_url"},
		"image that is none":    {shows(media(neutral.ImagePart, neutral.Media{Data: "!"})), "messages[1].content[1].image_url"},
		"image as text":         {shows(media(neutral.ImagePart, neutral.Media{Text: "x"})), "messages[1].content[1].image_url"},
		"image without content": {shows(neutral.Part{Kind: neutral.ImagePart}), "messages[1].content[1].image_url"},
		"document by URL":       {shows(media(neutral.FilePart, neutral.Media{URL: "https://example.com/a.pdf"})), "messages[1].content[1].file"},
		"document of no type":   {shows(media(neutral.FilePart, neutral.Media{Data: "AAAA", MIME: "application/zip"})), "messages[1].content[1].file"},
		"video by URL":          {shows(media(neutral.VideoPart, neutral.Media{URL: "https://example.com/a.mp4"})), "messages[1].content[1].video_url"},
		"sound of no type":      {shows(media(neutral.AudioPart, neutral.Media{Data: "AAAA"})), "messages[1].content[1].input_audio"},
		"opaque part":           {shows(neutral.Part{Kind: neutral.OpaquePart, Type: "server_tool_use"}), "messages[1].content[1]"},
		"image of the model": {asks(func(r *neutral.Request) {
			r.Messages = append(r.Messages, says(neutral.Assistant, media(neutral.ImagePart, neutral.Media{Data: pixel})))
		}), "messages[1].content[0]"},
		"image as instruction": {asks(func(r *neutral.Request) {
			r.Messages = append(r.Messages, says(neutral.System, media(neutral.ImagePart, neutral.Media{Data: pixel})))
		}), "messages[1].content[0]"},
		"sound as result": {asks(func(r *neutral.Request) {
			r.Tools = []neutral.Tool{weather}
			r.Messages = append(r.Messages, says(neutral.ToolRole, result("1", media(neutral.AudioPart, neutral.Media{Data: "AAAA"}))))
		}), "messages[1].content[0]"},
		"image URL as result": {asks(func(r *neutral.Request) {
			r.Tools = []neutral.Tool{weather}
			r.Messages = append(r.Messages, says(neutral.ToolRole, result("1", media(neutral.ImagePart, neutral.Media{URL: "https://x/y.png"}))))
		}), "messages[1].content[0].image_url"},
		"result without tools": {asks(func(r *neutral.Request) {
			r.Messages = append(r.Messages, says(neutral.ToolRole, result("1", media(neutral.ImagePart, neutral.Media{URL: "https://x/y.png"}))))
		}), "messages[1].content[0].image_url"},
	} {
		t.Run(name, func(t *testing.T) {
			got, report, err := bedrock.Converse{}.AppendRequest([]byte("prefix"), tc.request, target(sonnet45))
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

// TestForcedCallOfPlainModel refuses what Llama cannot do.
func TestForcedCallOfPlainModel(t *testing.T) {
	r := asks(func(r *neutral.Request) { r.Tools, r.ToolChoice.Mode = []neutral.Tool{weather}, neutral.ToolRequired })
	_, _, err := bedrock.Converse{}.AppendRequest(nil, r, target(llama))
	var unsupported *neutral.UnsupportedError
	if !errors.As(err, &unsupported) || unsupported.Field != "tool_choice" {
		t.Errorf("error %v, want one about tool_choice", err)
	}
}

// TestHostMembers puts in what the host of the API wants.
func TestHostMembers(t *testing.T) {
	to := target(sonnet45)
	to.Set = []neutral.Member{{Name: "performanceConfig", Value: json.RawMessage(`{"latency":"optimized"}`)}}
	got, _, err := bedrock.Converse{}.AppendRequest(nil, asks(nil), to)
	if err != nil || !bytes.HasSuffix(got, []byte(`,"performanceConfig":{"latency":"optimized"}}`)) || !json.Valid(got) {
		t.Errorf("%s, %v", got, err)
	}
}

// TestCallIDs keeps apart what was apart, in the form that Bedrock demands.
func TestCallIDs(t *testing.T) {
	ids := []string{"", "a", "a/b", "a:b", strings.Repeat("x", 64), strings.Repeat("x", 65), "ü", "tooluse_kZJMlvQmRJ6eAyJE5GIl7Q"}
	var written []string
	for _, id := range ids {
		r := asks(func(r *neutral.Request) {
			r.Tools = []neutral.Tool{weather}
			r.Messages = append(r.Messages, says(neutral.Assistant, call(id, "f", "{}")), says(neutral.ToolRole, result(id, text("x"))))
		})
		body, _, err := bedrock.Converse{}.AppendRequest(nil, r, target(sonnet45))
		if err != nil {
			t.Fatal(err)
		}
		var wire struct {
			Messages []struct {
				Content []struct {
					ToolUse, ToolResult struct{ ToolUseID string }
				}
			}
		}
		if err := json.Unmarshal(body, &wire); err != nil {
			t.Fatal(err)
		}
		use, back := wire.Messages[1].Content[0].ToolUse.ToolUseID, wire.Messages[2].Content[0].ToolResult.ToolUseID
		if use != back || use == "" || len(use) > 64 || strings.ContainsFunc(use, func(c rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", c)
		}) {
			t.Errorf("%q became %q and %q", id, use, back)
		}
		written = append(written, use)
	}
	slices.Sort(written)
	if len(slices.Compact(written)) != len(ids) {
		t.Errorf("two of %q became one of %q", ids, written)
	}
}
