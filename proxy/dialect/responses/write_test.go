package responses_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// user is a conversation of one question.
var user = []neutral.Message{{Role: neutral.User, PlainText: true, Parts: []neutral.Part{text("hi")}}}

func userWith(parts ...neutral.Part) []neutral.Message {
	return []neutral.Message{{Role: neutral.User, Parts: parts}}
}

func TestAppendRequestFromOtherAPIs(t *testing.T) {
	openAI := dialect.Target{Model: "up", Provider: "OpenAI", Origin: neutral.OriginOpenAI}
	for name, tc := range map[string]struct {
		request neutral.Request
		to      dialect.Target
		want    string
		dropped []string
	}{
		"plain": {neutral.Request{Messages: user}, openAI, `{"model":"up","input":"hi","store":false}`, nil},
		"system messages": {neutral.Request{Messages: []neutral.Message{{Role: neutral.System, Parts: []neutral.Part{text("a")}}, {Role: neutral.Developer, PlainText: true, Parts: []neutral.Part{text("b")}}, user[0],
			{Role: neutral.System, Parts: []neutral.Part{text("c"), text("d")}}}}, dialect.Target{Model: "up", Quirks: dialect.Quirks{NoDeveloper: true}},
			`{"model":"up","instructions":"a","input":[{"type":"message","role":"system","content":"b"},{"type":"message","role":"user","content":"hi"},{"type":"message","role":"system","content":[{"type":"input_text","text":"c"},{"type":"input_text","text":"d"}]}],"store":false}`, nil},
		"a turn with tools": {neutral.Request{Messages: []neutral.Message{
			{Role: neutral.Assistant, Parts: []neutral.Part{text("a"), {Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c1", Name: "f"}}, {Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c2", Name: "g", Arguments: `{"x":1}`}}}},
			{Role: neutral.ToolRole, Parts: []neutral.Part{{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "c1", Failed: true, Parts: []neutral.Part{text("one"), text("two")}}},
				{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "c2", Parts: []neutral.Part{text("see"), {Kind: neutral.ImagePart, Media: &neutral.Media{Data: "aGk=", MIME: "image/png"}}}}}}}}}, openAI,
			`{"model":"up","input":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call","call_id":"c2","name":"g","arguments":"{\"x\":1}"},
				{"type":"function_call_output","call_id":"c1","output":"one\ntwo"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,aGk=","detail":"auto"}]}],"store":false}`, []string{"is_error"}},
		"media": {neutral.Request{Messages: userWith(neutral.Part{Kind: neutral.ImagePart, Media: &neutral.Media{URL: "https://a/b"}, Cache: &neutral.CacheMark{}}, neutral.Part{Kind: neutral.FilePart, Media: &neutral.Media{Data: "aGk=", MIME: "application/pdf"}},
			neutral.Part{Kind: neutral.FilePart, Media: &neutral.Media{Text: "body", Name: "title", Context: "about"}}, neutral.Part{Kind: neutral.AudioPart, Media: &neutral.Media{Data: "aGk=", MIME: "audio/mpeg"}},
			neutral.Part{Kind: neutral.FilePart, Media: &neutral.Media{Data: "aGk=", MIME: "x/y"}}, neutral.Part{Kind: neutral.RefusalPart, Text: "r"})}, openAI,
			`{"model":"up","input":[{"type":"message","role":"user","content":[{"type":"input_image","image_url":"https://a/b","detail":"auto"},{"type":"input_file","file_data":"data:application/pdf;base64,aGk=","filename":"file.pdf"},
				{"type":"input_text","text":"title\n\nabout\n\nbody"},{"type":"input_audio","input_audio":{"data":"aGk=","format":"mp3"}},{"type":"input_file","file_data":"data:x/y;base64,aGk=","filename":"file"},{"type":"input_text","text":"r"}]}],"store":false}`, []string{"cache_control"}},
		"thoughts": {neutral.Request{Messages: []neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{
			{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Encrypted: "mine", Summary: []string{"S"}, Origin: neutral.OriginOpenAI}}, {Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: "rs_x", Encrypted: "mine too", Origin: neutral.OriginOpenAI}},
			{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "t", Signature: "s", Origin: neutral.OriginAnthropic}}, {Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "open"}},
			{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c1", Name: "f"}}}}}}, openAI,
			`{"model":"up","input":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"S"}],"encrypted_content":"mine"},{"type":"reasoning","id":"rs_x","summary":[],"encrypted_content":"mine too"},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}],"store":false}`, []string{"reasoning"}},
		"signed thoughts": {neutral.Request{Messages: []neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "t", Signature: "s", Origin: neutral.OriginAnthropic}}, text("a")}}}},
			dialect.Target{Model: "up", Origin: neutral.OriginAnthropic},
			`{"model":"up","input":[{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"t"}],"signature":"s","format":"anthropic-claude-v1"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]}],"store":false}`, nil},
		"open thoughts": {neutral.Request{Messages: []neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "open"}}, text("a")}}}}, dialect.Target{Model: "up"},
			`{"model":"up","input":[{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"open"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]}],"store":false}`, nil},
		"tools": {neutral.Request{Messages: user, Tools: []neutral.Tool{{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`), Strict: truth(true), Cache: &neutral.CacheMark{}}, {Name: "g"}},
			ToolChoice: neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "f"}, ParallelToolCalls: truth(false)}, openAI,
			`{"model":"up","input":"hi","tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},{"type":"function","name":"g","parameters":{"type":"object","properties":{}},"strict":false}],
				"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,"store":false}`, []string{"cache_control"}},
		"parameters": {neutral.Request{Messages: user, Source: neutral.ChatCompletions, Stream: true, MaxTokens: number(16), Temperature: "0.5", TopP: "1", TopK: "3", MinP: "0.1", FrequencyPenalty: "0", PresencePenalty: "1", Seed: "7", LogitBias: json.RawMessage(`{"1":2}`),
			LogProbs: true, TopLogProbs: number(2), Verbosity: "low", User: "u", Metadata: map[string]string{"a": "b"}, ServiceTier: "flex", PromptCacheKey: "k", Cache: &neutral.CacheMark{}, Format: neutral.Format{Kind: neutral.FormatJSONSchema, Schema: json.RawMessage(`{}`)},
			Extra: []neutral.Member{{Name: "safety_identifier", Value: json.RawMessage(`"s"`)}, {Name: "store", Value: json.RawMessage("true")}, {Name: "prediction", Value: json.RawMessage(`{"a":1}`)}, {Name: "stream_options", Value: json.RawMessage(`{"a":1}`)}}}, openAI,
			`{"model":"up","stream":true,"input":"hi","text":{"format":{"type":"json_schema","name":"json_output","schema":{},"strict":false},"verbosity":"low"},"max_output_tokens":16,"temperature":0.5,"top_p":1,"top_logprobs":2,"include":["message.output_text.logprobs"],
				"user":"u","metadata":{"a":"b"},"prompt_cache_key":"k","service_tier":"flex","safety_identifier":"s","store":false}`, []string{"cache_control", "logit_bias", "min_p", "prediction", "presence_penalty", "seed", "store", "top_k"}},
		"reasoning in tokens": {neutral.Request{Messages: user, Source: neutral.Messages, ServiceTier: "standard_only", Reasoning: &neutral.Reasoning{MaxTokens: number(8000), Enabled: truth(true)}}, openAI,
			`{"model":"up","input":"hi","reasoning":{"effort":"medium"},"include":["reasoning.encrypted_content"],"store":false}`, []string{"service_tier"}},
		"reasoning off":      {neutral.Request{Messages: user, ServiceTier: "auto", Reasoning: &neutral.Reasoning{Enabled: truth(false)}}, openAI, `{"model":"up","input":"hi","store":false}`, []string{"reasoning"}},
		"reasoning none":     {neutral.Request{Messages: user, Reasoning: &neutral.Reasoning{Effort: "none"}}, openAI, `{"model":"up","input":"hi","reasoning":{"effort":"none"},"store":false}`, nil},
		"reasoning adaptive": {neutral.Request{Messages: user, Reasoning: &neutral.Reasoning{Adaptive: true}}, openAI, `{"model":"up","input":"hi","include":["reasoning.encrypted_content"],"store":false}`, nil},
		"refused members": {neutral.Request{Messages: user, Temperature: "1", Reasoning: &neutral.Reasoning{Effort: "low"}, PromptCacheKey: "k", MaxTokens: number(5)},
			dialect.Target{Model: "up", Quirks: dialect.Quirks{Refused: []string{"store", "include", "prompt_cache_key", "max_output_tokens"}}},
			`{"model":"up","input":"hi","temperature":1,"reasoning":{"effort":"low"}}`, []string{"max_tokens", "prompt_cache_key"}},
		"accepted members": {neutral.Request{Messages: user, Stream: true, Temperature: "1", TopP: "1"}, dialect.Target{Model: "up", Quirks: dialect.Quirks{Accepted: []string{"temperature"}}}, `{"model":"up","stream":true,"input":"hi","temperature":1}`, []string{"top_p"}},
		"in the address": {neutral.Request{Messages: user, Stream: true, User: "u"}, dialect.Target{Model: "up", ModelInPath: true, StreamInPath: true, Set: []neutral.Member{{Name: "user", Value: json.RawMessage(`"p"`)}, {Name: "x", Value: json.RawMessage("1")}}},
			`{"input":"hi","store":false,"user":"p","x":1}`, nil},
		"schema in the prompt": {neutral.Request{Messages: user, Format: neutral.Format{Kind: neutral.FormatJSONSchema, Schema: json.RawMessage(`{"a":1}`)}}, dialect.Target{Model: "up", Quirks: dialect.Quirks{NoJSONSchema: true}},
			`{"model":"up","input":[{"type":"message","role":"user","content":"hi"},{"type":"message","role":"system","content":"Answer with one JSON object that follows this JSON schema, and with nothing else:\n{\"a\":1}"}],"text":{"format":{"type":"json_object"}},"store":false}`, nil},
		"JSON in the prompt": {neutral.Request{Messages: user, Format: neutral.Format{Kind: neutral.FormatJSONObject}}, openAI,
			`{"model":"up","input":[{"type":"message","role":"user","content":"hi"},{"type":"message","role":"system","content":"Answer with one JSON object, and with nothing else."}],"text":{"format":{"type":"json_object"}},"store":false}`, nil},
		"reasoning unknown": {neutral.Request{Messages: user, Reasoning: &neutral.Reasoning{Effort: "low"}}, dialect.Target{Model: "up", Quirks: dialect.Quirks{ReasoningRequest: "none"}}, `{"model":"up","input":"hi","store":false}`, []string{"reasoning"}},
		"names":             {neutral.Request{Messages: []neutral.Message{{Role: neutral.User, Name: "ann", PlainText: true, Parts: []neutral.Part{text("hi")}}}}, openAI, `{"model":"up","input":[{"type":"message","role":"user","content":"hi"}],"store":false}`, []string{"name"}},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.request.Source == "" {
				tc.request.Source = neutral.GenerateContent
			}
			got, report, err := codec.AppendRequest([]byte("kept "), &tc.request, tc.to)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("kept "+canonical(t, []byte(tc.want)), "kept "+canonical(t, got[len("kept "):])); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppendRequestUnsupported(t *testing.T) {
	image := func(m neutral.Media) []neutral.Message {
		return userWith(neutral.Part{Kind: neutral.ImagePart, Media: &m})
	}
	file := func(m neutral.Media) []neutral.Message {
		return userWith(neutral.Part{Kind: neutral.FilePart, Media: &m})
	}
	for name, tc := range map[string]struct {
		request neutral.Request
		quirks  dialect.Quirks
		want    string
	}{
		"n":                     {neutral.Request{N: 2}, dialect.Quirks{}, "n"},
		"stop":                  {neutral.Request{Stop: []string{"x"}}, dialect.Quirks{}, "stop"},
		"modalities":            {neutral.Request{Modalities: []string{"text", "audio"}}, dialect.Quirks{}, "modalities"},
		"logprobs":              {neutral.Request{LogProbs: true}, dialect.Quirks{NoLogProbs: true}, "logprobs"},
		"few tokens":            {neutral.Request{MaxTokens: number(15)}, dialect.Quirks{}, "max_tokens"},
		"format":                {neutral.Request{Format: neutral.Format{Kind: neutral.FormatOther}}, dialect.Quirks{}, "response_format"},
		"tool choice":           {neutral.Request{ToolChoice: neutral.ToolChoice{Raw: json.RawMessage("{}")}}, dialect.Quirks{}, "tool_choice"},
		"tool":                  {neutral.Request{Messages: user, Tools: []neutral.Tool{{Name: "f"}, {Type: "bash", Raw: json.RawMessage("{}")}}}, dialect.Quirks{}, "tools[1]"},
		"opaque item":           {neutral.Request{Messages: []neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{text("a"), {Kind: neutral.OpaquePart, Type: "x", Source: neutral.Messages}}}}}, dialect.Quirks{}, "messages[0].content[1]"},
		"image of assistant":    {neutral.Request{Messages: []neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{{Kind: neutral.ImagePart, Media: &neutral.Media{Data: "x"}}}}}}, dialect.Quirks{}, "messages[0].content[0]"},
		"image's URL":           {neutral.Request{Messages: image(neutral.Media{URL: "gs://a/b"})}, dialect.Quirks{}, "messages[0].content[0].image_url"},
		"no image URLs":         {neutral.Request{Messages: image(neutral.Media{URL: "https://a/b"})}, dialect.Quirks{NoImageURLs: true}, "messages[0].content[0].image_url"},
		"uploaded image":        {neutral.Request{Messages: image(neutral.Media{FileID: "f"})}, dialect.Quirks{}, "messages[0].content[0].image_url"},
		"no images":             {neutral.Request{Messages: image(neutral.Media{Data: "x"})}, dialect.Quirks{NoImages: true}, "messages[0].content[0].image_url"},
		"file's URL":            {neutral.Request{Messages: file(neutral.Media{URL: "s3://a/b"})}, dialect.Quirks{}, "messages[0].content[0].file"},
		"uploaded file":         {neutral.Request{Messages: file(neutral.Media{FileID: "f"})}, dialect.Quirks{}, "messages[0].content[0].file"},
		"no files":              {neutral.Request{Messages: file(neutral.Media{Data: "x"})}, dialect.Quirks{NoFiles: true}, "messages[0].content[0].file"},
		"audio's format":        {neutral.Request{Messages: userWith(neutral.Part{Kind: neutral.AudioPart, Media: &neutral.Media{Data: "x", MIME: "audio/ogg"}})}, dialect.Quirks{}, "messages[0].content[0].input_audio"},
		"no audio":              {neutral.Request{Messages: userWith(neutral.Part{Kind: neutral.AudioPart, Media: &neutral.Media{Data: "x", MIME: "audio/wav"}})}, dialect.Quirks{NoAudio: true}, "messages[0].content[0].input_audio"},
		"video":                 {neutral.Request{Messages: userWith(neutral.Part{Kind: neutral.VideoPart, Media: &neutral.Media{Data: "x"}})}, dialect.Quirks{}, "messages[0].content[0]"},
		"opaque part of result": {neutral.Request{Messages: []neutral.Message{{Role: neutral.ToolRole, Parts: []neutral.Part{{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{Parts: []neutral.Part{{Kind: neutral.OpaquePart, Source: neutral.Messages, Type: "x"}}}}}}}}, dialect.Quirks{}, "messages[0].content[0].content[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.request.Source = neutral.Messages
			got, _, err := codec.AppendRequest([]byte("kept"), &tc.request, dialect.Target{Model: "up", Origin: neutral.OriginOpenAI, Quirks: tc.quirks})
			var problem *neutral.UnsupportedError
			if !errors.As(err, &problem) || problem.Reason == "" {
				t.Fatalf("error %v, want an UnsupportedError", err)
			}
			if problem.Field != tc.want || string(got) != "kept" {
				t.Errorf("field %s, want %s; wrote %s", problem.Field, tc.want, got)
			}
		})
	}
}
