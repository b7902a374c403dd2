package openai_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
)

func textParts(texts ...string) []neutral.Part {
	var parts []neutral.Part
	for _, text := range texts {
		parts = append(parts, neutral.Part{Kind: neutral.TextPart, Text: text})
	}
	return parts
}

// TestAppendRequest writes requests of other APIs.
func TestAppendRequest(t *testing.T) {
	yes, no, budget, limit := true, false, int64(4096), int64(100)
	call := neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "toolu_1", Name: "look"}}
	thought := func(t neutral.Thought) neutral.Part { return neutral.Part{Kind: neutral.ReasoningPart, Thought: &t} }
	seal := thought(neutral.Thought{Encrypted: "seal", Origin: neutral.OriginGemini})
	png := neutral.Part{Kind: neutral.ImagePart, Media: &neutral.Media{MIME: "image/png", Data: "AAAA"}}
	result := func(parts ...neutral.Part) neutral.Message {
		return neutral.Message{Role: neutral.ToolRole, Parts: []neutral.Part{{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "toolu_1", Parts: parts}}}}
	}
	assistant := func(parts ...neutral.Part) []neutral.Message {
		return []neutral.Message{{Role: neutral.Assistant, Parts: parts}}
	}
	for name, tc := range map[string]struct {
		request neutral.Request
		to      dialect.Target
		want    string
		dropped []string
	}{
		"limits": {
			neutral.Request{MaxTokens: &limit, Stop: []string{"a\n"}, Temperature: "0.5", TopK: "40", Seed: "1"}, dialect.Target{Provider: "OpenAI"},
			`"messages":[],"max_completion_tokens":100,"stop":["a\n"],"temperature":0.5,"seed":1`, []string{"top_k"},
		},
		"limits elsewhere": {neutral.Request{MaxTokens: &limit, TopK: "40"}, dialect.Target{Provider: "OpenAICompatible"}, `"messages":[],"max_tokens":100,"top_k":40`, nil},
		"accepted":         {neutral.Request{TopK: "40", Seed: "1"}, dialect.Target{Provider: "Cerebras", Quirks: dialect.Quirks{Accepted: []string{"top_k"}}}, `"messages":[],"top_k":40`, []string{"seed"}},
		"stream":           {neutral.Request{Stream: true}, dialect.Target{}, `"messages":[],"stream":true,"stream_options":{"include_usage":true}`, nil},
		"stream, no usage": {neutral.Request{Stream: true}, dialect.Target{Quirks: dialect.Quirks{NoStreamUsage: true}}, `"messages":[],"stream":true`, nil},
		"options": {
			neutral.Request{User: "u", Verbosity: "low", PromptCacheKey: "k", ServiceTier: "standard_only", Metadata: map[string]string{"b": "2", "a": "1"}, Cache: &neutral.CacheMark{}}, dialect.Target{Provider: "Mistral"},
			`"messages":[],"user":"u"`, []string{"cache_control", "metadata", "prompt_cache_key", "service_tier", "verbosity"},
		},
		"options at OpenRouter": {
			neutral.Request{Verbosity: "low", PromptCacheKey: "k", Metadata: map[string]string{"b": "2", "a": "1"}, Cache: &neutral.CacheMark{TTL: "1h"}}, dialect.Target{Provider: "OpenRouter"},
			`"messages":[],"verbosity":"low","prompt_cache_key":"k","metadata":{"a":"1","b":"2"},"cache_control":{"type":"ephemeral","ttl":"1h"}`, nil,
		},
		"extra":         {neutral.Request{Extra: []neutral.Member{{Name: "mcp_servers", Value: json.RawMessage(`[{}]`)}, {Name: "nothing", Value: json.RawMessage(`[]`)}}}, dialect.Target{}, `"messages":[]`, []string{"mcp_servers"}},
		"budget":        {neutral.Request{Reasoning: &neutral.Reasoning{MaxTokens: &budget}}, dialect.Target{Provider: "Groq"}, `"messages":[],"reasoning_effort":"medium"`, nil},
		"max effort":    {neutral.Request{Reasoning: &neutral.Reasoning{Effort: "max"}}, dialect.Target{Provider: "OpenAI"}, `"messages":[],"reasoning_effort":"xhigh"`, nil},
		"OpenRouter's":  {neutral.Request{Reasoning: &neutral.Reasoning{MaxTokens: &budget, Enabled: &yes, Exclude: true}}, dialect.Target{Provider: "OpenRouter"}, `"messages":[],"reasoning":{"max_tokens":4096,"exclude":true}`, nil},
		"an odd effort": {neutral.Request{Reasoning: &neutral.Reasoning{Effort: "\x01é\""}}, dialect.Target{Provider: "OpenAI"}, `"messages":[],"reasoning_effort":"\u0001é\""`, nil},
		"adaptive":      {neutral.Request{Reasoning: &neutral.Reasoning{Enabled: &yes, Adaptive: true}}, dialect.Target{Provider: "OpenRouter"}, `"messages":[],"reasoning":{"enabled":true}`, nil},
		"off":           {neutral.Request{Reasoning: &neutral.Reasoning{Enabled: &no}}, dialect.Target{Provider: "OpenRouter"}, `"messages":[],"reasoning":{"effort":"none"}`, nil},
		"a schema":      {neutral.Request{Format: neutral.Format{Kind: neutral.FormatJSONSchema, Schema: json.RawMessage(`{}`)}}, dialect.Target{}, `"messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"json_output","schema":{}}}`, nil},
		"a schema in words": {
			neutral.Request{Format: neutral.Format{Kind: neutral.FormatJSONSchema, Schema: json.RawMessage(`{}`)}}, dialect.Target{Quirks: dialect.Quirks{NoJSONSchema: true}},
			`"messages":[{"role":"system","content":"Answer with nothing but one JSON object that follows this JSON schema:\n{}"}],"response_format":{"type":"json_object"}`, nil,
		},
		"JSON": {neutral.Request{Format: neutral.Format{Kind: neutral.FormatJSONObject}}, dialect.Target{}, `"messages":[{"role":"system","content":"Answer with nothing but one JSON object."}],"response_format":{"type":"json_object"}`, nil},
		"JSON asked for": {
			neutral.Request{Format: neutral.Format{Kind: neutral.FormatJSONObject}, Messages: []neutral.Message{{Role: neutral.User, Parts: textParts("as JSON")}}}, dialect.Target{},
			`"messages":[{"role":"user","content":"as JSON"}],"response_format":{"type":"json_object"}`, nil,
		},
		"tools": {
			neutral.Request{Tools: []neutral.Tool{{Name: "f", Description: "d", Strict: &no, Cache: &neutral.CacheMark{}}}, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolRequired}, ParallelToolCalls: &no}, dialect.Target{Quirks: dialect.Quirks{RequiredToolAny: true}},
			`"messages":[],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{}},"strict":false}}],"tool_choice":"any","parallel_tool_calls":false`, []string{"cache_control"},
		},
		"some tools": {
			neutral.Request{Tools: []neutral.Tool{{Name: "f"}, {Name: "g"}}, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: []string{"g"}}}, dialect.Target{Provider: "Groq"},
			`"messages":[],"tools":[{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}],"tool_choice":"auto"`, nil,
		},
		"some tools at OpenAI": {
			neutral.Request{Tools: []neutral.Tool{{Name: "f", Parameters: json.RawMessage(`{}`)}}, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: []string{"f"}, AllowedRequired: true}}, dialect.Target{Provider: "OpenAI"},
			`"messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}}`, nil,
		},
		"a choice without tools": {neutral.Request{ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAuto}}, dialect.Target{}, `"messages":[]`, nil},
		"roles": {
			neutral.Request{Messages: []neutral.Message{{Role: neutral.Developer, Name: "n", Parts: textParts("a", "b")}, {Role: neutral.User, Parts: textParts("c")}}},
			dialect.Target{Quirks: dialect.Quirks{NoDeveloper: true, TextOnly: []neutral.Role{neutral.Developer}, RefusedInMessages: []string{"name"}}}, `"messages":[{"role":"system","content":"a\nb"},{"role":"user","content":"c"}]`, []string{"name"},
		},
		"a call and its result": {
			neutral.Request{Messages: append(assistant(append(textParts("I look."), call)...), result(textParts("sun", "shine")...))}, dialect.Target{},
			`"messages":[{"role":"assistant","content":"I look.","tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"look","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"toolu_1","content":[{"type":"text","text":"sun"},{"type":"text","text":"shine"}]}]`, nil,
		},
		"a picture as result": {
			neutral.Request{Messages: append(assistant(call), result(png), result(textParts("x")...), neutral.Message{Role: neutral.User, Parts: textParts("so?")})}, dialect.Target{},
			`"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"look","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"toolu_1","content":"The result follows in the next message of the user."},{"role":"tool","tool_call_id":"toolu_1","content":"x"},` +
				`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},{"role":"user","content":"so?"}]`, nil,
		},
		"a failed result": {
			neutral.Request{Messages: []neutral.Message{{Role: neutral.ToolRole, Parts: []neutral.Part{{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "c", Failed: true, Parts: textParts("no network")}}}}}}, dialect.Target{},
			`"messages":[{"role":"tool","tool_call_id":"c","content":"Error: no network"}]`, nil,
		},
		"a refusal":           {neutral.Request{Messages: assistant(neutral.Part{Kind: neutral.RefusalPart, Text: "no"})}, dialect.Target{Provider: "OpenAI"}, `"messages":[{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}]`, nil},
		"a refusal and words": {neutral.Request{Messages: assistant(neutral.Part{Kind: neutral.TextPart, Text: "a"}, neutral.Part{Kind: neutral.RefusalPart, Text: "no"})}, dialect.Target{Provider: "AzureOpenAI"}, `"messages":[{"role":"assistant","content":"a","refusal":"no"}]`, nil},
		"refused elsewhere":   {neutral.Request{Messages: assistant(neutral.Part{Kind: neutral.RefusalPart, Text: "no"})}, dialect.Target{Provider: "Groq"}, `"messages":[{"role":"assistant","content":"no"}]`, nil},
		"nothing said":        {neutral.Request{Messages: assistant()}, dialect.Target{}, `"messages":[{"role":"assistant","content":""}]`, nil},
		"thoughts": {
			neutral.Request{Messages: assistant(thought(neutral.Thought{Text: "hm"}), thought(neutral.Thought{Text: "sealed", Signature: "s", Origin: neutral.OriginAnthropic}), textParts("x")[0])},
			dialect.Target{Provider: "DeepSeek", Quirks: dialect.Quirks{ReasoningMember: "reasoning_content"}}, `"messages":[{"role":"assistant","content":"x","reasoning_content":"hm"}]`, []string{"reasoning"},
		},
		"plain thoughts, no place": {neutral.Request{Messages: assistant(thought(neutral.Thought{Text: "hm"}), textParts("x")[0])}, dialect.Target{}, `"messages":[{"role":"assistant","content":"x"}]`, nil},
		"thoughts at OpenRouter": {
			neutral.Request{Messages: assistant(thought(neutral.Thought{Text: "hm", Signature: "s", Origin: neutral.OriginAnthropic}), seal, call)}, dialect.Target{Provider: "OpenRouter", Origin: neutral.OriginAnthropic},
			`"messages":[{"role":"assistant","content":null,"reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s","format":"anthropic-claude-v1","index":0}],` +
				`"tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"look","arguments":"{}"}}]}]`, []string{"reasoning"},
		},
		"Gemini's seal": {
			neutral.Request{Messages: assistant(seal, call)}, dialect.Target{Provider: "GoogleAI", Origin: neutral.OriginGemini},
			`"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"look","arguments":"{}"},"extra_content":{"google":{"thought_signature":"seal"}}}]}]`, nil,
		},
		"files": {
			neutral.Request{Messages: []neutral.Message{{Role: neutral.User, Parts: []neutral.Part{
				{Kind: neutral.FilePart, Media: &neutral.Media{MIME: "application/pdf", Data: "JVBERg=="}}, {Kind: neutral.FilePart, Media: &neutral.Media{Text: "body", Name: "title", Context: "ctx"}},
				{Kind: neutral.AudioPart, Media: &neutral.Media{MIME: "audio/x-wav", Data: "UklG"}, Cache: &neutral.CacheMark{}}, {Kind: neutral.ImagePart, Media: &neutral.Media{URL: "https://e.x", Detail: "low"}},
			}}}},
			dialect.Target{Provider: "OpenAI"},
			`"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERg==","filename":"document.pdf"}},{"type":"text","text":"title\nctx\n\nbody"},` +
				`{"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}},{"type":"image_url","image_url":{"url":"https://e.x","detail":"low"}}]}]`, []string{"cache_control"},
		},
		"a seed's name": {neutral.Request{Seed: "7"}, dialect.Target{Quirks: dialect.Quirks{Seed: "random_seed", Accepted: []string{"random_seed"}}}, `"messages":[],"random_seed":7`, nil},
		"in the path":   {neutral.Request{Stream: true}, dialect.Target{ModelInPath: true, StreamInPath: true, Set: []neutral.Member{{Name: "v", Value: json.RawMessage(`1`)}}, Quirks: dialect.Quirks{NoStreamUsage: true}}, `"messages":[],"v":1`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tc.request.Source, tc.request.N, tc.to.Model = neutral.Messages, 1, "up"
			want := `kept {"model":"up",` + tc.want + "}"
			if tc.to.ModelInPath {
				want = "kept {" + tc.want + "}"
			}
			got, report, err := openai.Chat{}.AppendRequest([]byte("kept "), &tc.request, tc.to)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppendRequestRefuses(t *testing.T) {
	user := func(part neutral.Part) neutral.Request {
		return neutral.Request{Messages: []neutral.Message{{Role: neutral.System}, {Role: neutral.User, Parts: append(textParts("x"), part)}}}
	}
	media := func(kind neutral.PartKind, m neutral.Media) neutral.Request {
		return user(neutral.Part{Kind: kind, Media: &m})
	}
	for name, tc := range map[string]struct {
		request neutral.Request
		to      dialect.Target
		field   string
	}{
		"n":                     {neutral.Request{N: 2}, dialect.Target{Quirks: dialect.Quirks{OneChoice: true}}, "n"},
		"logprobs":              {neutral.Request{LogProbs: true}, dialect.Target{Quirks: dialect.Quirks{NoLogProbs: true}}, "logprobs"},
		"sound":                 {neutral.Request{Modalities: []string{"text", "audio"}}, dialect.Target{}, "modalities"},
		"another format":        {neutral.Request{Format: neutral.Format{Kind: neutral.FormatOther}}, dialect.Target{}, "response_format"},
		"a hosted tool":         {neutral.Request{Tools: []neutral.Tool{{Name: "f"}, {Type: "web_search_20250305", Raw: json.RawMessage(`{}`)}}}, dialect.Target{}, "tools[1]"},
		"an unknown choice":     {neutral.Request{Tools: []neutral.Tool{{Name: "f"}}, ToolChoice: neutral.ToolChoice{Raw: json.RawMessage(`{}`)}}, dialect.Target{}, "tool_choice"},
		"a choice of nothing":   {neutral.Request{ToolChoice: neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "f"}}, dialect.Target{}, "tool_choice"},
		"no allowed tool":       {neutral.Request{Tools: []neutral.Tool{{Name: "f"}}, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: []string{"g"}}}, dialect.Target{}, "tool_choice"},
		"no tools":              {neutral.Request{Tools: []neutral.Tool{{Name: "f"}}}, dialect.Target{Quirks: dialect.Quirks{Refused: []string{"tools"}}}, "tools"},
		"image by URL":          {media(neutral.ImagePart, neutral.Media{URL: "https://e.x"}), dialect.Target{Quirks: dialect.Quirks{NoImageURLs: true}}, "messages[1].content[1].image_url"},
		"image by id":           {media(neutral.ImagePart, neutral.Media{FileID: "f"}), dialect.Target{}, "messages[1].content[1]"},
		"no images":             {media(neutral.ImagePart, neutral.Media{Data: "AA"}), dialect.Target{Quirks: dialect.Quirks{NoImages: true}}, "messages[1].content[1]"},
		"file by id":            {media(neutral.FilePart, neutral.Media{FileID: "f"}), dialect.Target{}, "messages[1].content[1]"},
		"file by URL":           {media(neutral.FilePart, neutral.Media{URL: "https://e.x"}), dialect.Target{}, "messages[1].content[1]"},
		"no files":              {media(neutral.FilePart, neutral.Media{Data: "AA"}), dialect.Target{Quirks: dialect.Quirks{NoFiles: true}}, "messages[1].content[1]"},
		"audio by URL":          {media(neutral.AudioPart, neutral.Media{URL: "https://e.x"}), dialect.Target{}, "messages[1].content[1]"},
		"no audio":              {media(neutral.AudioPart, neutral.Media{Data: "AA"}), dialect.Target{Quirks: dialect.Quirks{NoAudio: true}}, "messages[1].content[1]"},
		"video":                 {media(neutral.VideoPart, neutral.Media{URL: "https://e.x"}), dialect.Target{Provider: "OpenAI"}, "messages[1].content[1]"},
		"opaque":                {user(neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Messages}), dialect.Target{}, "messages[1].content[1]"},
		"opaque, assistant":     {neutral.Request{Messages: []neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{{Kind: neutral.OpaquePart}}}}}, dialect.Target{}, "messages[0]"},
		"picture in text":       {media(neutral.ImagePart, neutral.Media{Data: "AA"}), dialect.Target{Quirks: dialect.Quirks{TextOnly: []neutral.Role{neutral.User}}}, "messages[1].content"},
		"no result of any tool": {neutral.Request{Messages: []neutral.Message{{Role: neutral.ToolRole, Parts: textParts("x")}}}, dialect.Target{}, "messages[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.request.Source = neutral.Messages
			_, _, err := openai.Chat{}.AppendRequest(nil, &tc.request, tc.to)
			var unsupported *neutral.UnsupportedError
			if !errors.As(err, &unsupported) || unsupported.Field != tc.field || unsupported.Reason == "" {
				t.Errorf("error %+v, want field %s", err, tc.field)
			}
		})
	}
}
