package gemini_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

func ptr[T any](v T) *T { return &v }

func said(role neutral.Role, text string) neutral.Message {
	return neutral.Message{Role: role, Parts: []neutral.Part{{Kind: neutral.TextPart, Text: text}}}
}

// tagged is a "thoughtSignature" with a seal of another vendor.
func tagged(origin neutral.Origin, kind, id, seal string) string {
	return base64.StdEncoding.EncodeToString([]byte(neutral.TagSeal(origin, kind+":"+id+":"+seal)))
}

// signature is text as a "thoughtSignature" holds it.
func signature(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// contents wraps the contents of a request.
func contents(list string) string { return `{"contents":[` + list + `]}` }

func TestReadMessages(t *testing.T) {
	thought := func(thought neutral.Thought) neutral.Part {
		return neutral.Part{Kind: neutral.ReasoningPart, Thought: &thought}
	}
	call := func(id, name, arguments string) neutral.Part {
		return neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: id, Name: name, Arguments: arguments}}
	}
	result := func(id, name, text string, failed bool) neutral.Part {
		return neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{
			CallID: id, Name: name, Parts: []neutral.Part{{Kind: neutral.TextPart, Text: text}}, PlainText: true, Failed: failed,
		}}
	}
	const first, second = "call_000000000000000000000001", "call_000000000000000000000002"
	for name, tc := range map[string]struct {
		body string
		want []neutral.Message
	}{
		"single objects for lists": {
			`{"contents":{"role":"user","parts":{"text":"Hi"}},"system_instruction":{"parts":{"text":"Be brief."}}}`,
			[]neutral.Message{said(neutral.System, "Be brief."), said(neutral.User, "Hi")},
		},
		"instructions as a text": {`{"contents":[],"systemInstruction":"Be brief."}`, []neutral.Message{said(neutral.System, "Be brief.")}},
		"null and empty":         {`{"contents":[{"role":"user","parts":[{"text":""}]},{"role":"model","parts":null}],"tools":null,"generationConfig":null}`, nil},
		"calls without ids": {
			contents(`{"role":"model","parts":[{"functionCall":{"name":"a"}},{"function_call":{"name":"a","args":{"x":1}}},{"functionCall":{"id":"own","name":"b"}}]},
				{"role":"function","parts":[{"functionResponse":{"name":"a","response":{"result":"one"}}},{"functionResponse":{"name":"b","response":{"n":2}}},
				{"function_response":{"name":"a","response":{"error":{"code":3}}}},{"functionResponse":{"name":"a","response":{"result":"lost"}}}]}`),
			[]neutral.Message{
				{Role: neutral.Assistant, Parts: []neutral.Part{call(first, "a", "{}"), call(second, "a", `{"x":1}`), call("own", "b", "{}")}},
				{Role: neutral.ToolRole, Parts: []neutral.Part{
					result(first, "a", "one", false), result("own", "b", `{"n":2}`, false), result(second, "a", `{"code":3}`, true),
					result("call_000000000000000000000004", "a", "lost", false),
				}},
			},
		},
		"results before the rest of the turn": {
			contents(`{"role":"model","parts":[{"functionCall":{"id":"i","name":"a"}}]},
				{"role":"user","parts":[{"text":"and"},{"functionResponse":{"id":"i","response":{"output":"ö","more":true}}}]}`),
			[]neutral.Message{
				{Role: neutral.Assistant, Parts: []neutral.Part{call("i", "a", "{}")}},
				{Role: neutral.ToolRole, Parts: []neutral.Part{result("i", "a", `{"output":"ö","more":true}`, false)}},
				said(neutral.User, "and"),
			},
		},
		"a call in pieces": {
			contents(`{"role":"model","parts":[{"functionCall":{"name":"a","partialArgs":[{"jsonPath":"$.x[0].y","stringValue":"1"}]}}]}`),
			[]neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{call(first, "a", `{"x":[{"y":"1"}]}`)}}},
		},
		"thinking in pieces, with its seal": {
			contents(`{"role":"model","parts":[{"text":"a","thought":true},{"text":"b","thought":true},{"text":"","thought":true,"thoughtSignature":"c2VhbA=="},
				{"text":"c","thought":true},{"text":"d"}]}`),
			[]neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{
				thought(neutral.Thought{Text: "ab", Signature: "c2VhbA==", Origin: neutral.OriginGemini}), thought(neutral.Thought{Text: "c"}),
				{Kind: neutral.TextPart, Text: "d"},
			}}},
		},
		"seals of other vendors": {
			contents(`{"role":"model","parts":[{"text":"a","thought":true},{"text":"","thought":true,"thoughtSignature":"` + tagged(neutral.OriginAnthropic, "s", "", "s:1") + `"},
				{"text":"","thought":true,"thought_signature":"` + strings.TrimRight(tagged(neutral.OriginAnthropic, "e", "", "??>>"), "=") + `"},
				{"text":"sum","thought":true},
				{"text":"","thought":true,"thought_signature":"` + strings.NewReplacer("+", "-", "/", "_").Replace(tagged(neutral.OriginOpenAI, "e", "rs_1", "\xff\xfe??>>")) + `"},
				{"text":"","thought":true,"thought_signature":"` + base64.StdEncoding.EncodeToString([]byte("sb1:odd")) + `"},
				{"functionCall":{"id":"i","name":"n"},"thoughtSignature":"` + tagged(neutral.OriginXAI, "e", "i", "x") + `"}]}`),
			[]neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{
				thought(neutral.Thought{Text: "a", Signature: "s:1", Origin: neutral.OriginAnthropic}),
				thought(neutral.Thought{Encrypted: "??>>", Origin: neutral.OriginAnthropic}),
				thought(neutral.Thought{ID: "rs_1", Summary: []string{"sum"}, Encrypted: "\xff\xfe??>>", Origin: neutral.OriginOpenAI}),
				thought(neutral.Thought{Signature: "sb1:odd", Origin: neutral.OriginUnknown}),
				thought(neutral.Thought{ID: "i", Encrypted: "x", Origin: neutral.OriginXAI}), call("i", "n", "{}"),
			}}},
		},
		"several seals of other vendors in one": {
			contents(`{"role":"model","parts":[{"text":"plain","thought":true},{"text":"b","thought":true,"thoughtSignature":"` + signature("sb1:anthropic-claude-v1:e::one\nsb1:anthropic-claude-v1:s::two\nlines") + `"},
				{"text":"t","thoughtSignature":"` + signature("sb1:google-gemini-v1:e:i:x\nsb1:new:q::z") + `"},{"inlineData":{"mimeType":"image/png","data":"aQ=="},"thoughtSignature":"` + signature("sb1:xai-responses-v1:e::y") + `"}]}`),
			[]neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{
				thought(neutral.Thought{Text: "plain"}), thought(neutral.Thought{Encrypted: "one", Origin: neutral.OriginAnthropic}),
				thought(neutral.Thought{Text: "b", Signature: "two\nlines", Origin: neutral.OriginAnthropic}),
				thought(neutral.Thought{ID: "i", Encrypted: "x", Origin: neutral.OriginGemini}), thought(neutral.Thought{Signature: "sb1:new:q::z", Origin: neutral.OriginUnknown}),
				{Kind: neutral.TextPart, Text: "t"}, thought(neutral.Thought{Encrypted: "y", Origin: neutral.OriginXAI}),
				{Kind: neutral.ImagePart, Media: &neutral.Media{MIME: "image/png", Data: "aQ=="}},
			}}},
		},
		"the chunks of a stream as turns": {
			contents(`{"role":"user","parts":[{"text":"u"}]},{"role":"model","parts":[{"text":"th","thought":true}]},{"role":"model","parts":[{"text":"ink","thought":true,"thoughtSignature":"` + tagged(neutral.OriginAnthropic, "s", "", "s") + `"}]},
				{"role":"model","parts":[{"text":"Gr"}]},{"role":"model","parts":[{"text":"üß"},{"text":"!"}]},{"role":"model","parts":[{"functionCall":{"id":"i","name":"f"},"thoughtSignature":"czE="}]},{"role":"model","parts":[{"text":""}]}`),
			[]neutral.Message{said(neutral.User, "u"), {Role: neutral.Assistant, Parts: []neutral.Part{
				thought(neutral.Thought{Text: "think", Signature: "s", Origin: neutral.OriginAnthropic}), {Kind: neutral.TextPart, Text: "Grüß"}, {Kind: neutral.TextPart, Text: "!"},
				thought(neutral.Thought{ID: "i", Encrypted: "czE=", Origin: neutral.OriginGemini}), call("i", "f", "{}"),
			}}},
		},
		"the seal of a call has its id": {
			contents(`{"role":"model","parts":[{"functionCall":{"name":"n"},"thought_signature":"c2VhbA=="},{"text":"t","thought_signature":"c2VhbDI="}]}`),
			[]neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{
				thought(neutral.Thought{ID: first, Encrypted: "c2VhbA==", Origin: neutral.OriginGemini}), call(first, "n", "{}"),
				thought(neutral.Thought{Encrypted: "c2VhbDI=", Origin: neutral.OriginGemini}), {Kind: neutral.TextPart, Text: "t"},
			}}},
		},
		"media": {
			contents(`{"parts":[{"inline_data":{"mime_type":"image/png","data":"_-8"}},{"file_data":{"mime_type":"audio/mp3","file_uri":"gs://b/a"}},
				{"inlineData":{"mimeType":"application/pdf","data":"YQ==","displayName":"a.pdf"},"media_resolution":{"level":"x"}}]}`),
			[]neutral.Message{{Role: neutral.User, Parts: []neutral.Part{
				{Kind: neutral.ImagePart, Media: &neutral.Media{MIME: "image/png", Data: "/+8="}},
				{Kind: neutral.AudioPart, Media: &neutral.Media{MIME: "audio/mp3", URL: "gs://b/a"}},
				{
					Kind: neutral.FilePart, Media: &neutral.Media{MIME: "application/pdf", Data: "YQ==", Name: "a.pdf"},
					Extra: []neutral.Member{{Name: "mediaResolution", Value: json.RawMessage(`{"level":"x"}`)}},
				},
			}}},
		},
		"stored content": {
			`{"contents":[{"parts":[{"text":"Hi"}]}],"systemInstruction":{"parts":[{"text":"s"}]},"cachedContent":"cachedContents/a"}`,
			[]neutral.Message{
				{Role: neutral.User, Parts: []neutral.Part{{Kind: neutral.OpaquePart, Source: neutral.GenerateContent, Type: "cachedContent", Raw: json.RawMessage(`"cachedContents/a"`)}}},
				said(neutral.System, "s"), said(neutral.User, "Hi"),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, readRequest(t, tc.body).Messages); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadParameters(t *testing.T) {
	for name, tc := range map[string]struct {
		config, rest string
		want         neutral.Request
	}{
		"none": {},
		"snake case and quoted numbers": {
			config: `"max_output_tokens":"100","top_p":"0.5","candidate_count":3,"stop_sequences":["a"],"response_logprobs":true,"logprobs":2,"top_k":4,"seed":-1`,
			want: neutral.Request{
				MaxTokens: ptr(int64(100)), TopP: "0.5", N: 3, Stop: []string{"a"}, LogProbs: true, TopLogProbs: ptr(int64(2)), TopK: "4", Seed: "-1",
			},
		},
		"JSON":             {config: `"response_mime_type":"application/json"`, want: neutral.Request{Format: neutral.Format{Kind: neutral.FormatJSONObject}}},
		"plain text":       {config: `"responseMimeType":"text/plain"`},
		"JSON schema":      {config: `"_responseJsonSchema":{"type":"object"}`, want: neutral.Request{Format: neutral.Format{Kind: neutral.FormatJSONSchema, Schema: json.RawMessage(`{"type":"object"}`)}}},
		"format":           {config: `"responseFormat":[{"text":{}}]`, want: neutral.Request{Format: neutral.Format{Kind: neutral.FormatOther, Raw: json.RawMessage(`{"responseFormat":[{"text":{}}]}`)}}},
		"modalities":       {config: `"response_modalities":["TEXT","IMAGE"]`, want: neutral.Request{Modalities: []string{"text", "image"}}},
		"budget":           {config: `"thinking_config":{"thinking_budget":10,"include_thoughts":true}`, want: neutral.Request{Reasoning: &neutral.Reasoning{MaxTokens: ptr(int64(10))}}},
		"no thinking":      {config: `"thinkingConfig":{"thinkingBudget":0}`, want: neutral.Request{Reasoning: &neutral.Reasoning{Enabled: ptr(false), Exclude: true}}},
		"dynamic thinking": {config: `"thinkingConfig":{"thinkingBudget":-1}`, want: neutral.Request{Reasoning: &neutral.Reasoning{Enabled: ptr(true), Exclude: true}}},
		"level":            {config: `"thinkingConfig":{"thinkingLevel":"HIGH"}`, want: neutral.Request{Reasoning: &neutral.Reasoning{Effort: "high", Exclude: true}}},
		"unspecified":      {config: `"thinkingConfig":{"thinkingLevel":"THINKING_LEVEL_UNSPECIFIED"}`, want: neutral.Request{Reasoning: &neutral.Reasoning{Exclude: true}}},
		"inner extras": {
			config: `"speech_config":{"a_b":1},"thinkingConfig":{"new":2}`,
			want: neutral.Request{
				Reasoning: &neutral.Reasoning{Exclude: true},
				Extra:     []neutral.Member{{Name: "generationConfig.speechConfig", Value: json.RawMessage(`{"a_b":1}`)}, {Name: "generationConfig.thinkingConfig.new", Value: json.RawMessage(`2`)}},
			},
		},
		"extras": {
			rest: `,"safety_settings":[],"labels":null,"model":"models/other","service_tier":"flex"`,
			want: neutral.Request{ServiceTier: "flex", Extra: []neutral.Member{{Name: "safetySettings", Value: json.RawMessage(`[]`)}}},
		},
		"auto":        {rest: `,"toolConfig":{"functionCallingConfig":{"mode":"auto"}}`, want: neutral.Request{ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAuto}}},
		"none choice": {rest: `,"tool_config":{"function_calling_config":{"mode":"NONE"}}`, want: neutral.Request{ToolChoice: neutral.ToolChoice{Mode: neutral.ToolNone}}},
		"any":         {rest: `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`, want: neutral.Request{ToolChoice: neutral.ToolChoice{Mode: neutral.ToolRequired}}},
		"named": {
			rest: `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowed_function_names":["f"]}}`,
			want: neutral.Request{ToolChoice: neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "f"}},
		},
		"validated": {
			rest: `,"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"]}}`,
			want: neutral.Request{ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: []string{"f"}}},
		},
		"validated without names": {rest: `,"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}`, want: neutral.Request{ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAuto}}},
		"unspecified choice":      {rest: `,"toolConfig":{"functionCallingConfig":{"mode":"MODE_UNSPECIFIED"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"contents":[],"generation_config":{` + tc.config + `}` + tc.rest + `}`
			tc.want.N, tc.want.Source = max(tc.want.N, 1), neutral.GenerateContent
			if diff := cmp.Diff(&tc.want, readRequest(t, body)); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadRequestTakesModelAndStreamFromTheHead(t *testing.T) {
	head := dialect.Head{Model: "m", Stream: true, N: 2}
	request, err := gemini.Generate{}.ReadRequest([]byte(` {"contents":[]} `), head)
	want := &neutral.Request{Model: "m", Stream: true, IncludeUsage: true, N: 2, Source: neutral.GenerateContent}
	if diff := cmp.Diff(want, request); diff != "" || err != nil {
		t.Errorf("ReadRequest: %v (-want +got):\n%s", err, diff)
	}
}

func TestReadRequestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		body, param string
		code        dialect.RequestCode
	}{
		"not JSON":           {`{`, "", dialect.CodeInvalidJSON},
		"contents":           {`{"contents":"x"}`, "contents", dialect.CodeInvalidType},
		"content":            {`{"contents":[1]}`, "contents[0]", dialect.CodeInvalidType},
		"role":               {contents(`{"role":"bot"}`), "contents[0].role", dialect.CodeInvalidValue},
		"role's type":        {contents(`{"role":1}`), "contents[0].role", dialect.CodeInvalidType},
		"parts":              {contents(`{"parts":"x"}`), "contents[0].parts", dialect.CodeInvalidType},
		"part":               {contents(`{"parts":["x"]}`), "contents[0].parts[0]", dialect.CodeInvalidType},
		"text":               {contents(`{"parts":[{"text":"a"},{"text":1}]}`), "contents[0].parts[1].text", dialect.CodeInvalidType},
		"unknown part":       {contents(`{"parts":[{"hologram":{}}]}`), "contents[0].parts[0]", dialect.CodeInvalidValue},
		"inline data":        {contents(`{"parts":[{"inlineData":"x"}]}`), "contents[0].parts[0].inlineData", dialect.CodeInvalidType},
		"nameless call":      {contents(`{"parts":[{"functionCall":{}}]}`), "contents[0].parts[0].functionCall.name", dialect.CodeInvalidValue},
		"pieces of a call":   {contents(`{"parts":[{"functionCall":{"name":"n","partialArgs":[1]}}]}`), "contents[0].parts[0].functionCall.partialArgs", dialect.CodeInvalidValue},
		"result":             {contents(`{"parts":[{"functionResponse":{"response":"x"}}]}`), "contents[0].parts[0].functionResponse.response", dialect.CodeInvalidType},
		"result's name":      {contents(`{"parts":[{"functionResponse":{"name":1}}]}`), "contents[0].parts[0].functionResponse.name", dialect.CodeInvalidType},
		"system":             {`{"contents":[],"systemInstruction":[]}`, "systemInstruction", dialect.CodeInvalidType},
		"system part":        {`{"contents":[],"systemInstruction":{"parts":[1]}}`, "systemInstruction.parts[0]", dialect.CodeInvalidType},
		"temperature":        {`{"contents":[],"generationConfig":{"temperature":"hot"}}`, "generationConfig.temperature", dialect.CodeInvalidType},
		"stop":               {`{"contents":[],"generationConfig":{"stopSequences":"a"}}`, "generationConfig.stopSequences", dialect.CodeInvalidType},
		"limit":              {`{"contents":[],"generationConfig":{"maxOutputTokens":true}}`, "generationConfig.maxOutputTokens", dialect.CodeInvalidType},
		"budget":             {`{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":[]}}}`, "generationConfig.thinkingConfig.thinkingBudget", dialect.CodeInvalidType},
		"thinking":           {`{"contents":[],"generationConfig":{"thinkingConfig":1}}`, "generationConfig.thinkingConfig", dialect.CodeInvalidType},
		"type of the answer": {`{"contents":[],"generationConfig":{"responseMimeType":1}}`, "generationConfig.responseMimeType", dialect.CodeInvalidType},
		"tools":              {`{"contents":[],"tools":1}`, "tools", dialect.CodeInvalidType},
		"function":           {`{"contents":[],"tools":[{"functionDeclarations":[{}]}]}`, "tools[0].functionDeclarations[0].name", dialect.CodeInvalidValue},
		"mode":               {`{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"MAYBE"}}}`, "toolConfig.functionCallingConfig.mode", dialect.CodeInvalidValue},
		"allowed":            {`{"contents":[],"toolConfig":{"functionCallingConfig":{"allowedFunctionNames":{}}}}`, "toolConfig.functionCallingConfig.allowedFunctionNames", dialect.CodeInvalidType},
		"path as a name":     {`{"contents":[],"generationConfig.candidateCount":8}`, "generationConfig.candidateCount", dialect.CodeInvalidValue},
		"tier":               {`{"contents":[],"serviceTier":1}`, "serviceTier", dialect.CodeInvalidType},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gemini.Generate{}.ReadRequest([]byte(tc.body), dialect.Head{N: 1})
			var problem *dialect.RequestError
			if !errors.As(err, &problem) || problem.Code != tc.code || problem.Param != tc.param {
				t.Errorf("ReadRequest: %v (%+v), want %s of %s", err, problem, tc.code, tc.param)
			}
		})
	}
}
