package responses_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

func text(s string) neutral.Part { return neutral.Part{Kind: neutral.TextPart, Text: s} }

func number(n int64) *int64 { return &n }

func truth(b bool) *bool { return &b }

func TestReadRequestMessages(t *testing.T) {
	for name, tc := range map[string]struct {
		input string
		want  []neutral.Message
	}{
		"string": {`"hi"`, []neutral.Message{{Role: neutral.User, PlainText: true, Parts: []neutral.Part{text("hi")}}}},
		"roles": {`[{"role":"system","content":"s"},{"role":"developer","content":[{"type":"input_text","text":"d"}]},{"type":"message","role":"user","content":"u"},{"role":"assistant","content":"a"}]`,
			[]neutral.Message{{Role: neutral.System, PlainText: true, Parts: []neutral.Part{text("s")}}, {Role: neutral.Developer, Parts: []neutral.Part{text("d")}},
				{Role: neutral.User, PlainText: true, Parts: []neutral.Part{text("u")}}, {Role: neutral.Assistant, PlainText: true, Parts: []neutral.Part{text("a")}}}},
		"media": {`[{"role":"user","content":[{"type":"input_image","image_url":"https://a/b.png","detail":"low"},{"type":"input_image","image_url":"data:image/PNG;base64,aGk="},{"type":"input_image","file_id":"f1"},
			{"type":"input_file","file_data":"data:application/pdf;base64,aGk=","filename":"a.pdf"},{"type":"input_file","file_data":"aGk=","filename":"A.PDF"},{"type":"input_file","file_url":"https://a/b.pdf"},{"type":"input_file","file_id":"f2"},
			{"type":"input_audio","input_audio":{"data":"aGk=","format":"mp3"}},{"type":"input_text","text":"t","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}},{"type":"new","x":1}]}]`,
			[]neutral.Message{{Role: neutral.User, Parts: []neutral.Part{
				{Kind: neutral.ImagePart, Media: &neutral.Media{URL: "https://a/b.png", Detail: "low"}}, {Kind: neutral.ImagePart, Media: &neutral.Media{Data: "aGk=", MIME: "image/png"}}, {Kind: neutral.ImagePart, Media: &neutral.Media{FileID: "f1"}},
				{Kind: neutral.FilePart, Media: &neutral.Media{Data: "aGk=", MIME: "application/pdf", Name: "a.pdf"}}, {Kind: neutral.FilePart, Media: &neutral.Media{Data: "aGk=", MIME: "application/pdf", Name: "A.PDF"}},
				{Kind: neutral.FilePart, Media: &neutral.Media{URL: "https://a/b.pdf"}}, {Kind: neutral.FilePart, Media: &neutral.Media{FileID: "f2"}},
				{Kind: neutral.AudioPart, Media: &neutral.Media{Data: "aGk=", MIME: "audio/mpeg"}}, {Kind: neutral.TextPart, Text: "t", Cache: &neutral.CacheMark{TTL: "1h"}},
				{Kind: neutral.OpaquePart, Source: neutral.Responses, Type: "new", Raw: json.RawMessage(`{"type":"new","x":1}`)}}}}},
		"a turn with tools": {`[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"S"}],"encrypted_content":"e"},{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"r"}]},
			{"type":"function_call","call_id":"c1","name":"f","arguments":""},{"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
			{"type":"function_call_output","call_id":"c1","output":"one"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"},{"type":"input_image","image_url":"data:image/png;base64,aGk="}]},{"role":"user","content":"go on"}]`,
			[]neutral.Message{
				{Role: neutral.Assistant, Parts: []neutral.Part{{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: "rs_1", Summary: []string{"S"}, Encrypted: "e", Origin: neutral.OriginOpenAI}}, text("a"), {Kind: neutral.RefusalPart, Text: "r"},
					{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c1", Name: "f"}}, {Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c2", Name: "g", Arguments: "{}"}}}},
				{Role: neutral.ToolRole, Parts: []neutral.Part{
					{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "c1", Name: "f", PlainText: true, Parts: []neutral.Part{text("one")}}},
					{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "c2", Name: "g", Parts: []neutral.Part{text("two"), {Kind: neutral.ImagePart, Media: &neutral.Media{Data: "aGk=", MIME: "image/png"}}}}}}},
				{Role: neutral.User, PlainText: true, Parts: []neutral.Part{text("go on")}}}},
		"seals": {`[{"type":"reasoning","summary":[],"encrypted_content":"sb1:google-gemini-v1:g"},{"type":"reasoning","summary":[],"encrypted_content":"sb1:anthropic-claude-v1:signed:SG1tLg==:sig=="},
			{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"T"}],"signature":"s","format":"anthropic-claude-v1"},{"type":"reasoning","summary":[],"encrypted_content":"x","format":"xai-responses-v1"},{"type":"reasoning","summary":[],"encrypted_content":"sb1:anthropic-claude-v1:signed:!:sig=="},{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"open"}]}]`,
			[]neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{
				{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Encrypted: "g", Origin: neutral.OriginGemini}}, {Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "Hmm.", Signature: "sig==", Origin: neutral.OriginAnthropic}},
				{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "T", Signature: "s", Origin: neutral.OriginAnthropic}}, {Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Encrypted: "x", Origin: neutral.OriginXAI}},
				{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Encrypted: "signed:!:sig==", Origin: neutral.OriginUnknown}}, {Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "open"}}}}}},
		"hosted and custom tools": {`[{"type":"web_search_call","id":"w"},{"type":"custom_tool_call","call_id":"c","name":"n","input":"i"},{"type":"custom_tool_call_output","call_id":"c","output":"o"},{"type":"mcp_approval_response","approve":true}]`,
			[]neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{
				{Kind: neutral.OpaquePart, Source: neutral.Responses, Type: "web_search_call", Raw: json.RawMessage(`{"type":"web_search_call","id":"w"}`)},
				{Kind: neutral.OpaquePart, Source: neutral.Responses, Type: "custom_tool_call", Raw: json.RawMessage(`{"type":"custom_tool_call","call_id":"c","name":"n","input":"i"}`)}}},
				{Role: neutral.User, Parts: []neutral.Part{{Kind: neutral.OpaquePart, Source: neutral.Responses, Type: "custom_tool_call_output", Raw: json.RawMessage(`{"type":"custom_tool_call_output","call_id":"c","output":"o"}`)}}},
				{Role: neutral.User, Parts: []neutral.Part{{Kind: neutral.OpaquePart, Source: neutral.Responses, Type: "mcp_approval_response", Raw: json.RawMessage(`{"type":"mcp_approval_response","approve":true}`)}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := request(t, `{"model":"m","input":`+tc.input+`}`)
			if diff := cmp.Diff(tc.want, got.Messages, cmpopts.IgnoreFields(neutral.Message{}, "Extra")); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadRequestParameters(t *testing.T) {
	got := request(t, `{"model":"m","input":"hi","instructions":"Be brief.","stream":true,"store":false,"background":false,"previous_response_id":null,"max_output_tokens":50,"temperature":1.50,"top_p":0.9,"top_k":40,
		"frequency_penalty":0.1,"presence_penalty":0.2,"top_logprobs":3,"include":["reasoning.encrypted_content","message.output_text.logprobs","file_search_call.results"],"parallel_tool_calls":false,
		"reasoning":{"effort":"low","summary":null,"generate_summary":"concise","context":"auto"},"text":{"format":{"type":"json_schema","name":"n","description":"d","strict":true,"schema":{"type":"object"}},"verbosity":"high","new":1},
		"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":false,"defer_loading":true},{"type":"function","name":"g","parameters":null},{"type":"web_search"}],
		"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]},"user":"u","metadata":{"a":"b"},"service_tier":"flex","prompt_cache_key":"k","truncation":"disabled","max_tool_calls":2,"stream_options":{"include_obfuscation":false}}`)
	want := &neutral.Request{
		Model: "m", N: 1, Source: neutral.Responses, Stream: true, IncludeUsage: true, MaxTokens: number(50), Temperature: "1.50", TopP: "0.9", TopK: "40", FrequencyPenalty: "0.1", PresencePenalty: "0.2",
		LogProbs: true, TopLogProbs: number(3), ParallelToolCalls: truth(false), Verbosity: "high", User: "u", Metadata: map[string]string{"a": "b"}, ServiceTier: "flex", PromptCacheKey: "k",
		Reasoning: &neutral.Reasoning{Effort: "low", Summary: "concise", Encrypted: true},
		Format:    neutral.Format{Kind: neutral.FormatJSONSchema, Name: "n", Description: "d", Strict: truth(true), Schema: json.RawMessage(`{"type":"object"}`)},
		Tools: []neutral.Tool{{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`), Strict: truth(false)}, {Name: "g"},
			{Type: "web_search", Raw: json.RawMessage(`{"type":"web_search"}`)}},
		ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: []string{"f"}, AllowedRequired: true},
		Messages: []neutral.Message{{Role: neutral.System, PlainText: true, Parts: []neutral.Part{text("Be brief.")}, Extra: []neutral.Member{{Name: "instructions", Value: json.RawMessage("true")}}},
			{Role: neutral.User, PlainText: true, Parts: []neutral.Part{text("hi")}}},
		Extra: []neutral.Member{{Name: "max_tool_calls", Value: json.RawMessage("2")}, {Name: "stream_options", Value: json.RawMessage(`{"include_obfuscation":false}`)}, {Name: "tools.defer_loading", Value: json.RawMessage(`{"0":true}`)},
			{Name: "text.new", Value: json.RawMessage("1")}, {Name: "reasoning.context", Value: json.RawMessage(`"auto"`)}, {Name: "include", Value: json.RawMessage(`["file_search_call.results"]`)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadToolChoice(t *testing.T) {
	for choice, want := range map[string]neutral.ToolChoice{
		`null`: {}, `"auto"`: {Mode: neutral.ToolAuto}, `"none"`: {Mode: neutral.ToolNone}, `"required"`: {Mode: neutral.ToolRequired},
		`{"type":"function","name":"f"}`: {Mode: neutral.ToolNamed, Name: "f"},
		`{"type":"web_search_preview"}`:  {Raw: json.RawMessage(`{"type":"web_search_preview"}`)},
		`{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}`:  {Mode: neutral.ToolAllowed, Allowed: []string{"f"}},
		`{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":1}]}`: {Raw: json.RawMessage(`{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":1}]}`)},
	} {
		if diff := cmp.Diff(want, request(t, `{"model":"m","input":"hi","tool_choice":`+choice+`}`).ToolChoice); diff != "" {
			t.Errorf("%s (-want +got):\n%s", choice, diff)
		}
	}
}

func TestReadRequestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		members string
		want    refusal
	}{
		"no input":           {`"x":1`, refusal{dialect.CodeMissingParameter, "input"}},
		"input":              {`"input":5`, refusal{dialect.CodeInvalidType, "input"}},
		"item":               {`"input":["secret"]`, refusal{dialect.CodeInvalidType, "input[0]"}},
		"item's type":        {`"input":[{"type":5}]`, refusal{dialect.CodeInvalidType, "input[0].type"}},
		"role":               {`"input":[{"role":"secret","content":"x"}]`, refusal{dialect.CodeInvalidValue, "input[0].role"}},
		"no content":         {`"input":[{"role":"user"}]`, refusal{dialect.CodeMissingParameter, "input[0].content"}},
		"content":            {`"input":[{"role":"user","content":{}}]`, refusal{dialect.CodeInvalidType, "input[0].content"}},
		"part":               {`"input":[{"role":"user","content":["secret"]}]`, refusal{dialect.CodeInvalidType, "input[0].content[0]"}},
		"part's type":        {`"input":[{"role":"user","content":[{"text":"secret"}]}]`, refusal{dialect.CodeInvalidValue, "input[0].content[0].type"}},
		"image":              {`"input":[{"role":"user","content":[{"type":"input_image"}]}]`, refusal{dialect.CodeInvalidValue, "input[0].content[0]"}},
		"image's data":       {`"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:secret"}]}]`, refusal{dialect.CodeInvalidValue, "input[0].content[0].image_url"}},
		"file":               {`"input":[{"role":"user","content":[{"type":"input_file"}]}]`, refusal{dialect.CodeInvalidValue, "input[0].content[0]"}},
		"audio":              {`"input":[{"role":"user","content":[{"type":"input_audio"}]}]`, refusal{dialect.CodeInvalidValue, "input[0].content[0].input_audio"}},
		"audio's format":     {`"input":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"x","format":"ogg"}}]}]`, refusal{dialect.CodeInvalidValue, "input[0].content[0].input_audio.format"}},
		"call without id":    {`"input":[{"type":"function_call","name":"f","arguments":"{}"}]`, refusal{dialect.CodeInvalidValue, "input[0].call_id"}},
		"call without name":  {`"input":[{"type":"function_call","call_id":"c","arguments":"{}"}]`, refusal{dialect.CodeInvalidValue, "input[0].name"}},
		"result without id":  {`"input":[{"type":"function_call_output","output":"x"}]`, refusal{dialect.CodeInvalidValue, "input[0].call_id"}},
		"result":             {`"input":[{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":5}]}]`, refusal{dialect.CodeInvalidType, "input[0].output[0].text"}},
		"reasoning":          {`"input":[{"type":"reasoning","content":"secret"}]`, refusal{dialect.CodeInvalidType, "input[0].content"}},
		"reference":          {`"input":[{"type":"item_reference","id":"msg_1"}]`, refusal{dialect.CodeUnsupportedParameter, "input[0]"}},
		"nameless reference": {`"input":[{"id":"msg_1"}]`, refusal{dialect.CodeUnsupportedParameter, "input[0]"}},
		"instructions":       {`"input":"x","instructions":["secret"]`, refusal{dialect.CodeInvalidType, "instructions"}},
		"temperature":        {`"input":"x","temperature":"secret"`, refusal{dialect.CodeInvalidValue, ""}},
		"tool":               {`"input":"x","tools":["secret"]`, refusal{dialect.CodeInvalidType, "tools[0]"}},
		"tool's type":        {`"input":"x","tools":[{"name":"f"}]`, refusal{dialect.CodeInvalidValue, "tools[0].type"}},
		"tool's name":        {`"input":"x","tools":[{"type":"function"}]`, refusal{dialect.CodeInvalidValue, "tools[0].name"}},
		"tool choice":        {`"input":"x","tool_choice":"secret"`, refusal{dialect.CodeInvalidValue, "tool_choice"}},
		"tool choice's type": {`"input":"x","tool_choice":5`, refusal{dialect.CodeInvalidType, "tool_choice"}},
		"text":               {`"input":"x","text":5`, refusal{dialect.CodeInvalidType, "text"}},
		"format":             {`"input":"x","text":{"format":5}`, refusal{dialect.CodeInvalidType, "text.format"}},
		"format's type":      {`"input":"x","text":{"format":{}}`, refusal{dialect.CodeInvalidValue, "text.format.type"}},
		"no schema":          {`"input":"x","text":{"format":{"type":"json_schema","name":"n"}}`, refusal{dialect.CodeInvalidValue, "text.format.schema"}},
		"reasoning effort":   {`"input":"x","reasoning":{"effort":5}`, refusal{dialect.CodeInvalidType, "reasoning.effort"}},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(`{"model":"m",` + tc.members + `}`)
			head, err := codec.ReadHead(body)
			if err != nil {
				t.Fatal(err)
			}
			_, err = codec.ReadRequest(body, head)
			if diff := cmp.Diff(tc.want, refusalOf(t, err)); diff != "" || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// roundTrips are requests in the form that this package writes: read and written again, they must stay the same.
var roundTrips = map[string]string{
	"plain": `{"model":"m","stream":true,"instructions":"Be brief.","input":"hi","store":false}`,
	"everything": `{"model":"m","instructions":"i","input":[{"type":"message","role":"system","content":"s"},{"type":"message","role":"developer","content":[{"type":"input_text","text":"d"}]},
		{"type":"message","role":"user","content":[{"type":"input_text","text":"t","prompt_cache_breakpoint":{"mode":"explicit"}},{"type":"input_image","image_url":"https://a/b.png","detail":"low"},{"type":"input_image","file_id":"f"},{"type":"input_image","image_url":"data:image/png;base64,aGk="},
		{"type":"input_file","file_data":"data:application/pdf;base64,aGk=","filename":"a.pdf","detail":"high"},{"type":"input_file","file_data":"aGk=","filename":"x"},{"type":"input_file","file_url":"https://a/b.pdf"},{"type":"input_file","file_id":"f"},{"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}},{"type":"new","x":1}]},
		{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"S"},{"type":"summary_text","text":"T"}],"encrypted_content":"e","status":"completed"},
		{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[{"type":"url_citation","url":"u","title":"t","start_index":0,"end_index":1}]},{"type":"refusal","refusal":"r"}],"id":"msg_1","status":"completed","phase":"commentary"},
		{"type":"message","role":"assistant","content":"b"},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}","id":"fc_1","status":"completed"},{"type":"function_call","call_id":"c2","name":"g","arguments":"{\"a\":1}"},{"type":"web_search_call","id":"w"},
		{"type":"function_call_output","call_id":"c1","output":"one","id":"fco","name":"f"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"}]},{"type":"custom_tool_call_output","call_id":"x","output":"y"},{"type":"reasoning","id":"rs_2","summary":[],"content":[{"type":"reasoning_text","text":"open"}]}],
		"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":false,"defer_loading":true},{"type":"function","name":"g","parameters":null,"strict":null,"async":true,"defer_loading":false},{"type":"web_search","x":[1]}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},
		"parallel_tool_calls":true,"text":{"format":{"type":"json_schema","name":"n","description":"d","schema":{"type":"object"},"strict":true},"verbosity":"low","new":1},"max_output_tokens":5,"temperature":0.70,"top_p":1,"top_logprobs":2,"top_k":5,"frequency_penalty":0,"presence_penalty":1e-1,
		"reasoning":{"effort":"high","summary":"auto","max_tokens":5,"enabled":true,"exclude":true,"context":"auto"},"include":["reasoning.encrypted_content","message.output_text.logprobs","file_search_call.results"],"user":"u","metadata":{"a":"b"},"prompt_cache_key":"k","service_tier":"flex",
		"max_tool_calls":3,"stream_options":{"include_obfuscation":false},"truncation":"auto","plugins":[{"id":"x"}],"store":false}`,
	"choices":     `{"model":"m","input":[],"tool_choice":{"type":"mcp","server_label":"x"},"text":{"format":{"type":"json_object"}},"store":false}`,
	"other":       `{"model":"m","input":[{"type":"message","role":"user","content":"x"}],"tool_choice":"required","text":{"format":{"type":"grammar","x":1}},"reasoning":{"effort":"none"},"store":false}`,
	"a lone part": `{"model":"m","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"x"}]},{"type":"message","role":"assistant","content":[]}],"tool_choice":{"type":"function","name":"f"},"store":false}`,
}

func TestRequestRoundTrip(t *testing.T) {
	for name, body := range roundTrips {
		t.Run(name, func(t *testing.T) {
			read := request(t, body)
			written, report, err := codec.AppendRequest(nil, read, dialect.Target{Model: "m", Origin: neutral.OriginOpenAI})
			if err != nil || len(report.Dropped) > 0 {
				t.Fatalf("error %v, dropped %v", err, report.Dropped)
			}
			if diff := cmp.Diff(canonical(t, []byte(body)), canonical(t, written)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(read, request(t, string(written))); diff != "" {
				t.Errorf("neutral (-first +second):\n%s", diff)
			}
		})
	}
}

func FuzzReadRequest(f *testing.F) {
	for _, body := range roundTrips {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		head, err := codec.ReadHead(body)
		if err != nil {
			refusalOf(t, err)
			return
		}
		to := dialect.Target{Model: "m", Origin: neutral.OriginOpenAI}
		read, err := codec.ReadRequest(body, head)
		if err != nil {
			refusalOf(t, err)
			return
		}
		written, _, err := codec.AppendRequest(nil, read, to)
		if err != nil {
			var problem *neutral.UnsupportedError
			if !errors.As(err, &problem) {
				t.Fatalf("error %#v", err)
			}
			return
		}
		request(t, string(written))
		read.Source = neutral.ChatCompletions
		if written, _, err = codec.AppendRequest(nil, read, dialect.Target{Model: "m"}); err == nil && !json.Valid(written) {
			t.Fatalf("%q is written as %q", body, written)
		}
	})
}
