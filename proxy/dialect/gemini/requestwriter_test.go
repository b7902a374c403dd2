package gemini_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// Parts of the requests below.
func textPart(text string) neutral.Part { return neutral.Part{Kind: neutral.TextPart, Text: text} }

func thoughtPart(t neutral.Thought) neutral.Part {
	return neutral.Part{Kind: neutral.ReasoningPart, Thought: &t}
}

func callPart(id, name, arguments string) neutral.Part {
	return neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: id, Name: name, Arguments: arguments}}
}

func resultPart(id string, parts ...neutral.Part) neutral.Part {
	return neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: id, Parts: parts}}
}

func mediaPart(kind neutral.PartKind, media neutral.Media) neutral.Part {
	return neutral.Part{Kind: kind, Media: &media}
}

func message(role neutral.Role, parts ...neutral.Part) neutral.Message {
	return neutral.Message{Role: role, Parts: parts}
}

// hello is the least conversation.
var hello = []neutral.Message{said(neutral.User, "Hi")}

func TestWriteMessages(t *testing.T) {
	image := mediaPart(neutral.ImagePart, neutral.Media{Data: "aQ==", MIME: "image/png"})
	linked := mediaPart(neutral.ImagePart, neutral.Media{URL: "https://example.com/a.JPG?x=1"})
	for name, tc := range map[string]struct {
		model    string
		messages []neutral.Message
		want     string
		dropped  []string
	}{
		"instructions from everywhere, in their order": {
			messages: []neutral.Message{said(neutral.System, "a"), said(neutral.User, "Hi"), said(neutral.Developer, "b"), message(neutral.System, textPart("c"), textPart("d"))},
			want:     `"systemInstruction":{"parts":[{"text":"a"},{"text":"b"},{"text":"c"},{"text":"d"}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]}]`,
		},
		"neighbours are joined, results stand alone": {
			messages: []neutral.Message{
				said(neutral.User, "a"), said(neutral.User, "b"), message(neutral.Assistant, textPart("c")), message(neutral.Assistant, callPart("i", "f", "")),
				message(neutral.ToolRole, resultPart("i", textPart("r"))), said(neutral.User, "d"), message(neutral.User, textPart("")),
			},
			want: `"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]},{"role":"model","parts":[{"text":"c"},{"functionCall":{"id":"i","name":"f","args":{}}}]},
				{"role":"user","parts":[{"functionResponse":{"id":"i","name":"f","response":{"result":"r"}}}]},{"role":"user","parts":[{"text":"d"}]}]`,
		},
		"outcomes": {
			messages: []neutral.Message{
				message(neutral.Assistant, callPart("a", "f", `{"x": 1}`), callPart("b", "g", "[1]"), callPart("c", "h", `{"`)),
				message(neutral.ToolRole, resultPart("a", textPart(` {"y":2} `)), resultPart("b", textPart("[1]")), resultPart("c", textPart("x"), textPart("y"))),
				message(neutral.ToolRole,
					neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "d", Name: "own", Failed: true, Parts: []neutral.Part{textPart("no")}}},
					neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "e", Name: "own", Failed: true, Parts: []neutral.Part{textPart(`{"z":1}`)}}},
					neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{Name: "none"}}),
			},
			want: `"contents":[{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{"x": 1}}},{"functionCall":{"id":"b","name":"g","args":{"arguments":"[1]"}}},
				{"functionCall":{"id":"c","name":"h","args":{"arguments":"{\""}}}]},
				{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"y":2}}},{"functionResponse":{"id":"b","name":"g","response":{"result":"[1]"}}},
				{"functionResponse":{"id":"c","name":"h","response":{"result":"x\ny"}}},{"functionResponse":{"id":"d","name":"own","response":{"error":"no"}}},
				{"functionResponse":{"id":"e","name":"own","response":{"error":{"z":1}}}},{"functionResponse":{"name":"none","response":{"result":""}}}]}]`,
		},
		"the system alone": {
			messages: []neutral.Message{said(neutral.System, "a"), said(neutral.User, "")},
			want:     `"systemInstruction":{"parts":[{"text":"a"}]},"contents":[{"role":"user","parts":[{"text":"..."}]}]`,
		},
		"images in results, inside": {
			model:    "gemini-3-pro-preview",
			messages: []neutral.Message{message(neutral.Assistant, callPart("i", "f", "")), message(neutral.ToolRole, resultPart("i", image, linked))},
			want: `"contents":[{"role":"model","parts":[{"functionCall":{"id":"i","name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"}]},
				{"role":"user","parts":[{"functionResponse":{"id":"i","name":"f","response":{},"parts":[{"inlineData":{"mimeType":"image/png","data":"aQ=="}}]}},
				{"fileData":{"mimeType":"image/jpeg","fileUri":"https://example.com/a.JPG?x=1"}}]}]`,
		},
		"images in results, behind": {
			messages: []neutral.Message{
				message(neutral.Assistant, callPart("i", "f", ""), callPart("j", "f", "")),
				message(neutral.ToolRole, resultPart("i", textPart("see"), image)), message(neutral.ToolRole, resultPart("j", textPart("r"))),
			},
			want: `"contents":[{"role":"model","parts":[{"functionCall":{"id":"i","name":"f","args":{}}},{"functionCall":{"id":"j","name":"f","args":{}}}]},
				{"role":"user","parts":[{"functionResponse":{"id":"i","name":"f","response":{"result":"see"}}},{"functionResponse":{"id":"j","name":"f","response":{"result":"r"}}},
				{"inlineData":{"mimeType":"image/png","data":"aQ=="}}]}]`,
		},
		"media": {
			messages: []neutral.Message{message(neutral.User,
				mediaPart(neutral.FilePart, neutral.Media{Text: "plain", Name: "a.txt", Context: "about"}), mediaPart(neutral.FilePart, neutral.Media{Data: "cA==", Name: "b.pdf"}),
				mediaPart(neutral.AudioPart, neutral.Media{Data: "cw==", MIME: "audio/wav"}), mediaPart(neutral.VideoPart, neutral.Media{URL: "https://youtu.be/x"}),
				mediaPart(neutral.FilePart, neutral.Media{FileID: "files/abc", MIME: "text/csv"}), mediaPart(neutral.ImagePart, neutral.Media{URL: "gs://b/c.webp"}))},
			want: `"contents":[{"role":"user","parts":[{"text":"about"},{"inlineData":{"mimeType":"text/plain","data":"cGxhaW4="}},{"inlineData":{"mimeType":"application/pdf","data":"cA=="}},
				{"inlineData":{"mimeType":"audio/wav","data":"cw=="}},{"fileData":{"fileUri":"https://youtu.be/x"}},
				{"fileData":{"mimeType":"text/csv","fileUri":"files/abc"}},{"fileData":{"mimeType":"image/webp","fileUri":"gs://b/c.webp"}}]}]`,
		},
		"seals by the ids of their calls": {
			model: "gemini-3-flash-preview",
			messages: []neutral.Message{message(neutral.Assistant,
				thoughtPart(neutral.Thought{ID: "j", Encrypted: "s2", Origin: neutral.OriginGemini}), thoughtPart(neutral.Thought{ID: "i", Encrypted: "s1", Origin: neutral.OriginGemini}),
				textPart("t"), callPart("i", "f", ""), callPart("j", "f", ""), callPart("k", "f", ""))},
			want: `"contents":[{"role":"model","parts":[{"text":"t"},{"functionCall":{"id":"i","name":"f","args":{}},"thoughtSignature":"s1"},
				{"functionCall":{"id":"j","name":"f","args":{}},"thoughtSignature":"s2"},{"functionCall":{"id":"k","name":"f","args":{}}}]}]`,
		},
		"seals by their place": {
			messages: []neutral.Message{message(neutral.Assistant,
				thoughtPart(neutral.Thought{ID: "rs_1", Encrypted: "s1", Origin: neutral.OriginGemini}), textPart("t"),
				thoughtPart(neutral.Thought{Encrypted: "s2", Origin: neutral.OriginGemini}), callPart("i", "f", ""),
				thoughtPart(neutral.Thought{Text: "hm", Signature: "s3", Origin: neutral.OriginGemini}), thoughtPart(neutral.Thought{Encrypted: "s4", Origin: neutral.OriginGemini}),
				thoughtPart(neutral.Thought{Encrypted: "s5", Origin: neutral.OriginGemini}), image, thoughtPart(neutral.Thought{Encrypted: "s6", Origin: neutral.OriginGemini}))},
			want: `"contents":[{"role":"model","parts":[{"text":"t","thoughtSignature":"s1"},{"functionCall":{"id":"i","name":"f","args":{}},"thoughtSignature":"s2"},
				{"text":"hm","thought":true,"thoughtSignature":"s3"},{"text":"","thoughtSignature":"s4"},
				{"inlineData":{"mimeType":"image/png","data":"aQ=="},"thoughtSignature":"s5"},{"text":"","thoughtSignature":"s6"}]}]`,
		},
		"seals of other vendors, and thinking without": {
			model: "models/gemini-flash-latest",
			messages: []neutral.Message{message(neutral.Assistant,
				thoughtPart(neutral.Thought{Text: "a", Signature: "s", Origin: neutral.OriginAnthropic}), thoughtPart(neutral.Thought{Encrypted: "e", Origin: neutral.OriginUnknown}),
				thoughtPart(neutral.Thought{Text: "plain"}), callPart("i", "f", ""))},
			want:    `"contents":[{"role":"model","parts":[{"functionCall":{"id":"i","name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"}]}]`,
			dropped: []string{"reasoning"},
		},
		"cache marks and names": {
			messages: []neutral.Message{{Role: neutral.User, Name: "Ada", Parts: []neutral.Part{{Kind: neutral.TextPart, Text: "Hi", Cache: &neutral.CacheMark{}}}}, {Role: neutral.ToolRole, Name: "f"}},
			want:     `"contents":[{"role":"user","parts":[{"text":"Hi"}]}]`,
			dropped:  []string{"cache_control", "name"},
		},
		"refusal": {
			messages: []neutral.Message{hello[0], message(neutral.Assistant, neutral.Part{Kind: neutral.RefusalPart, Text: "No."})},
			want:     `"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"No."}]}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			model := tc.model
			if model == "" {
				model = "gemini-2.5-flash"
			}
			written, report, err := gemini.Generate{}.AppendRequest(nil, &neutral.Request{Messages: tc.messages, Source: neutral.ChatCompletions}, googleAI(model))
			if err != nil {
				t.Fatalf("AppendRequest: %v", err)
			}
			if diff := cmp.Diff(compact(t, "{"+tc.want+"}"), compact(t, string(written))); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteParameters(t *testing.T) {
	function := []neutral.Tool{{Name: "f", Parameters: json.RawMessage(`{"type":"object"}`)}}
	schema := neutral.Format{Kind: neutral.FormatJSONSchema, Name: "n", Schema: json.RawMessage(`{"type":"object"}`), Strict: ptr(true)}
	thinking := func(r neutral.Reasoning) neutral.Request { return neutral.Request{Reasoning: &r} }
	config := func(members string) string { return `"generationConfig":{` + members + `}` }
	const declared = `"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}]`
	for name, tc := range map[string]struct {
		model   string
		request neutral.Request
		want    string
		dropped []string
	}{
		"sampling": {
			request: neutral.Request{Temperature: "0.70", TopP: "1", TopK: "5", Seed: "12", FrequencyPenalty: "0.5", PresencePenalty: "-1", MaxTokens: ptr(int64(9)), Stop: []string{"\n"}, N: 3},
			want:    config(`"maxOutputTokens":9,"candidateCount":3,"stopSequences":["\n"],"temperature":0.70,"topP":1,"topK":5,"seed":12,"frequencyPenalty":0.5,"presencePenalty":-1`),
		},
		"what Google does not have": {
			request: neutral.Request{
				MinP: "0.1", TopA: "0.1", RepetitionPenalty: "1.1", LogitBias: json.RawMessage(`{"1":1}`), Seed: "99999999999", Verbosity: "low", User: "u",
				Metadata: map[string]string{"a": "b"}, ServiceTier: "flex", PromptCacheKey: "k", Cache: &neutral.CacheMark{}, ParallelToolCalls: ptr(false), Tools: function,
				Extra: []neutral.Member{{Name: "store", Value: json.RawMessage("true")}, {Name: "plugins", Value: json.RawMessage("[1]")}, {Name: "background", Value: json.RawMessage("false")}},
			},
			want: declared,
			dropped: []string{
				"cache_control", "logit_bias", "metadata", "min_p", "parallel_tool_calls", "plugins", "prompt_cache_key", "repetition_penalty", "seed", "service_tier", "store", "top_a", "user", "verbosity",
			},
		},
		"what asks for nothing": {
			request: neutral.Request{
				ServiceTier: "auto", ParallelToolCalls: ptr(true), Modalities: []string{"text"},
				Extra: []neutral.Member{{Name: "store", Value: json.RawMessage("false")}, {Name: "stream_options", Value: json.RawMessage("{}")}, {Name: "parallel_tool_calls", Value: json.RawMessage("true")}},
			},
		},
		"log probabilities":            {request: neutral.Request{LogProbs: true, TopLogProbs: ptr(int64(2))}, want: config(`"responseLogprobs":true,"logprobs":2`)},
		"alternatives without":         {request: neutral.Request{TopLogProbs: ptr(int64(2))}},
		"image output":                 {request: neutral.Request{Modalities: []string{"text", "image"}}, want: config(`"responseModalities":["TEXT","IMAGE"]`)},
		"JSON":                         {request: neutral.Request{Format: neutral.Format{Kind: neutral.FormatJSONObject}}, want: config(`"responseMimeType":"application/json"`)},
		"JSON schema":                  {request: neutral.Request{Format: schema}, want: config(`"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}`)},
		"JSON schema without a schema": {request: neutral.Request{Format: neutral.Format{Kind: neutral.FormatJSONSchema}}, want: config(`"responseMimeType":"application/json"`)},
		"JSON schema with tools": {
			model: "gemini-3-pro-preview", request: neutral.Request{Format: schema, Tools: function},
			want: declared + `,` + config(`"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}`),
		},
		"functions": {
			request: neutral.Request{Tools: []neutral.Tool{{Name: "f", Description: "d\"", Strict: ptr(true), Cache: &neutral.CacheMark{}}, {Name: "g", Strict: ptr(false)}}},
			want:    `"tools":[{"functionDeclarations":[{"name":"f","description":"d\""},{"name":"g"}]}]`,
			dropped: []string{"cache_control", "strict"},
		},
		"choice without tools": {request: neutral.Request{ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAuto}}},
		"auto":                 {request: neutral.Request{Tools: function, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAuto}}, want: declared + `,"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}`},
		"none":                 {request: neutral.Request{Tools: function, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolNone}}, want: declared + `,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}`},
		"required":             {request: neutral.Request{Tools: function, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolRequired}}, want: declared + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`},
		"named":                {request: neutral.Request{Tools: function, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "f"}}, want: declared + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}`},
		"allowed":              {request: neutral.Request{Tools: function, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: []string{"f"}}}, want: declared + `,"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"]}}`},
		"allowed and required": {request: neutral.Request{Tools: function, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: []string{"f"}, AllowedRequired: true}}, want: declared + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}`},

		"no thinking":                {request: thinking(neutral.Reasoning{Effort: "none"}), want: config(`"thinkingConfig":{"thinkingBudget":0}`)},
		"no thinking, pro":           {model: "gemini-2.5-pro", request: thinking(neutral.Reasoning{Enabled: ptr(false)}), want: config(`"thinkingConfig":{"thinkingBudget":128}`)},
		"minimal":                    {request: thinking(neutral.Reasoning{Effort: "minimal"}), want: config(`"thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}`)},
		"medium, hidden":             {request: thinking(neutral.Reasoning{Effort: "medium", Exclude: true}), want: config(`"thinkingConfig":{"thinkingBudget":8192}`)},
		"high":                       {request: thinking(neutral.Reasoning{Effort: "high"}), want: config(`"thinkingConfig":{"thinkingBudget":24576,"includeThoughts":true}`)},
		"max, pro":                   {model: "gemini-2.5-pro", request: thinking(neutral.Reasoning{Effort: "max"}), want: config(`"thinkingConfig":{"thinkingBudget":32768,"includeThoughts":true}`)},
		"a budget above the most":    {request: thinking(neutral.Reasoning{MaxTokens: ptr(int64(90000))}), want: config(`"thinkingConfig":{"thinkingBudget":24576,"includeThoughts":true}`)},
		"a budget":                   {model: "tunedModels/x", request: thinking(neutral.Reasoning{MaxTokens: ptr(int64(2000))}), want: config(`"thinkingConfig":{"thinkingBudget":2000,"includeThoughts":true}`)},
		"as much as it likes":        {request: thinking(neutral.Reasoning{Enabled: ptr(true)}), want: config(`"thinkingConfig":{"thinkingBudget":-1,"includeThoughts":true}`)},
		"shown only":                 {request: thinking(neutral.Reasoning{Summary: "auto"}), want: config(`"thinkingConfig":{"includeThoughts":true}`)},
		"hidden only":                {request: thinking(neutral.Reasoning{Exclude: true})},
		"before thinking":            {model: "gemini-2.0-flash", request: thinking(neutral.Reasoning{Effort: "high"}), dropped: []string{"reasoning"}},
		"before thinking, none":      {model: "gemini-1.5-pro", request: thinking(neutral.Reasoning{Effort: "none"})},
		"level minimal":              {model: "gemini-3-flash-preview", request: thinking(neutral.Reasoning{Effort: "minimal"}), want: config(`"thinkingConfig":{"thinkingLevel":"MINIMAL","includeThoughts":true}`)},
		"level minimal, pro":         {model: "gemini-3.1-pro-preview", request: thinking(neutral.Reasoning{Effort: "minimal"}), want: config(`"thinkingConfig":{"thinkingLevel":"LOW","includeThoughts":true}`)},
		"level none":                 {model: "gemini-3.8-flash", request: thinking(neutral.Reasoning{Effort: "none"}), want: config(`"thinkingConfig":{"thinkingLevel":"LOW"}`)},
		"level medium":               {model: "gemini-3.1-pro-preview", request: thinking(neutral.Reasoning{Effort: "medium"}), want: config(`"thinkingConfig":{"thinkingLevel":"MEDIUM","includeThoughts":true}`)},
		"level medium, first pro":    {model: "gemini-3-pro-preview", request: thinking(neutral.Reasoning{Effort: "medium"}), want: config(`"thinkingConfig":{"thinkingLevel":"HIGH","includeThoughts":true}`)},
		"level max":                  {model: "gemini-4-pro", request: thinking(neutral.Reasoning{Effort: "max"}), want: config(`"thinkingConfig":{"thinkingLevel":"HIGH","includeThoughts":true}`)},
		"level of a small budget":    {model: "gemini-3-flash", request: thinking(neutral.Reasoning{MaxTokens: ptr(int64(2048))}), want: config(`"thinkingConfig":{"thinkingLevel":"LOW","includeThoughts":true}`)},
		"level of a budget":          {model: "gemini-3-flash", request: thinking(neutral.Reasoning{MaxTokens: ptr(int64(9000))}), want: config(`"thinkingConfig":{"thinkingLevel":"MEDIUM","includeThoughts":true}`)},
		"level of a large budget":    {model: "gemini-3-flash", request: thinking(neutral.Reasoning{MaxTokens: ptr(int64(90000))}), want: config(`"thinkingConfig":{"thinkingLevel":"HIGH","includeThoughts":true}`)},
		"level left to the model":    {model: "gemini-3-flash", request: thinking(neutral.Reasoning{Enabled: ptr(true)}), want: config(`"thinkingConfig":{"includeThoughts":true}`)},
		"level of the latest models": {model: "gemini-pro-latest", request: thinking(neutral.Reasoning{Effort: "low", Exclude: true}), want: config(`"thinkingConfig":{"thinkingLevel":"LOW"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			model := tc.model
			if model == "" {
				model = "publishers/google/models/gemini-2.5-flash"
			}
			tc.request.Messages, tc.request.Source, tc.request.Stream = hello, neutral.ChatCompletions, true
			want := `{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]`
			if tc.want != "" {
				want += ","
			}
			written, report, err := gemini.Generate{}.AppendRequest(nil, &tc.request, googleAI(model))
			if err != nil {
				t.Fatalf("AppendRequest: %v", err)
			}
			if diff := cmp.Diff(want+tc.want+"}", string(written)); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWriteAsksForJSONInThePrompt is about models before Gemini 3, which do not take a type of the answer together with tools.
func TestWriteAsksForJSONInThePrompt(t *testing.T) {
	request := &neutral.Request{
		Messages: []neutral.Message{said(neutral.System, "Be brief."), hello[0]}, Tools: []neutral.Tool{{Name: "f"}}, Format: neutral.Format{Kind: neutral.FormatJSONObject},
	}
	const want = `{"systemInstruction":{"parts":[{"text":"Be brief."},{"text":"Answer with one valid JSON object and nothing else, unless you call a tool."}]},` +
		`"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]}`
	written, _, err := gemini.Generate{}.AppendRequest(nil, request, googleAI("gemini-2.5-pro"))
	if diff := cmp.Diff(want, string(written)); diff != "" || err != nil {
		t.Errorf("AppendRequest: %v (-want +got):\n%s", err, diff)
	}
}

func TestWriteSetsMembersOfTheHost(t *testing.T) {
	to := googleAI("gemini-2.5-flash")
	to.Set = []neutral.Member{{Name: "labels", Value: json.RawMessage(`{"a":"b"}`)}}
	to.Quirks.Refused = []string{"safetySettings"}
	request := readRequest(t, `{"contents":[{"parts":[{"text":"Hi"}]}],"safetySettings":[],"store":false}`)
	written, report, err := gemini.Generate{}.AppendRequest(nil, request, to)
	if want := `{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"store":false,"labels":{"a":"b"}}`; string(written) != want || err != nil {
		t.Errorf("AppendRequest = %s, %v, want %s", written, err, want)
	}
	if diff := cmp.Diff([]string{"safetySettings"}, report.Dropped); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
}

func TestMediaTypes(t *testing.T) {
	for name, want := range map[string]string{
		"a.png": "image/png", "a.JPG": "image/jpeg", "a.webp": "image/webp", "a.heic": "image/heic", "a.wav": "audio/wav", "a.mp3": "audio/mp3", "a.m4a": "audio/mp4",
		"a.flac": "audio/flac", "a.mp4": "video/mp4", "a.mov": "video/quicktime", "a.tar.pdf": "application/pdf", "a.json": "application/json", "a.csv": "text/csv",
		"a.md": "text/plain", "a.txt": "text/plain",
	} {
		for _, media := range []neutral.Media{{Data: "aQ==", Name: name}, {Data: "aQ==", MIME: want, Name: "b.exe"}} {
			request := &neutral.Request{Messages: []neutral.Message{message(neutral.User, mediaPart(neutral.FilePart, media))}}
			written, _, err := gemini.Generate{}.AppendRequest(nil, request, googleAI("gemini-2.5-flash"))
			if want := `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"` + want + `","data":"aQ=="}}]}]}`; string(written) != want || err != nil {
				t.Errorf("%+v is written as %s, %v", media, written, err)
			}
		}
	}
	request := &neutral.Request{Messages: []neutral.Message{message(neutral.User, mediaPart(neutral.ImagePart, neutral.Media{URL: "https://example.com/a.gif#x", MIME: "image/jpg"}))}}
	written, _, err := gemini.Generate{}.AppendRequest(nil, request, googleAI("gemini-2.5-flash"))
	if !strings.Contains(string(written), `"mimeType":"image/jpeg"`) || err != nil {
		t.Errorf("image/jpg is written as %s, %v", written, err)
	}
}

// TestNamesOfClientsAreQuoted is about a name that ends its own string and goes on with members of its own.
func TestNamesOfClientsAreQuoted(t *testing.T) {
	const body = `{"contents":[{"parts":[{"text":"Hi","a\":1,\"b":2}]}],"x\":1,\"y":3,"tools":[{"c\":1,\"d":4}],"generationConfig":{"e\":1,\"f":5}}`
	const want = `{"contents":[{"role":"user","parts":[{"text":"Hi","a\":1,\"b":2}]}],"tools":[{"c\":1,\"d":4}],"generationConfig":{"e\":1,\"f":5},"x\":1,\"y":3}`
	written, _, err := gemini.Generate{}.AppendRequest(nil, readRequest(t, body), googleAI("gemini-2.5-flash"))
	if diff := cmp.Diff(want, string(written)); diff != "" || err != nil {
		t.Errorf("AppendRequest: %v (-want +got):\n%s", err, diff)
	}
}

func TestWriteRefuses(t *testing.T) {
	user := func(parts ...neutral.Part) neutral.Request {
		return neutral.Request{Messages: []neutral.Message{message(neutral.User, parts...)}}
	}
	function := []neutral.Tool{{Name: "f"}}
	opaque := neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Messages, Type: "server_tool_use", Raw: json.RawMessage(`{}`)}
	for name, tc := range map[string]struct {
		request neutral.Request
		quirks  dialect.Quirks
		field   string
	}{
		"no messages":              {field: "messages"},
		"choice of another kind":   {request: neutral.Request{ToolChoice: neutral.ToolChoice{Raw: json.RawMessage(`{}`)}}, field: "tool_choice"},
		"format of another kind":   {request: neutral.Request{Format: neutral.Format{Kind: neutral.FormatOther}}, field: "response_format"},
		"schema with tools":        {request: neutral.Request{Format: neutral.Format{Kind: neutral.FormatJSONSchema}, Tools: function}, field: "response_format"},
		"choices":                  {request: neutral.Request{N: 2}, quirks: dialect.Quirks{OneChoice: true}, field: "n"},
		"log probabilities":        {request: neutral.Request{LogProbs: true}, quirks: dialect.Quirks{NoLogProbs: true}, field: "logprobs"},
		"audio output":             {request: neutral.Request{Modalities: []string{"text", "audio"}}, field: "modalities"},
		"hosted tool":              {request: neutral.Request{Messages: hello, Tools: []neutral.Tool{{Name: "f"}, {Type: "web_search", Raw: json.RawMessage(`{}`)}}}, field: "tools[1]"},
		"image in a system part":   {request: neutral.Request{Messages: []neutral.Message{message(neutral.System, textPart("a"), mediaPart(neutral.ImagePart, neutral.Media{Data: "a"}))}}, field: "messages[0].content[1]"},
		"opaque part":              {request: user(opaque), field: "messages[0].content[0]"},
		"opaque part, assistant":   {request: neutral.Request{Messages: []neutral.Message{hello[0], message(neutral.Assistant, opaque)}}, field: "messages[1].content[0]"},
		"call by the user":         {request: user(callPart("i", "f", "")), field: "messages[0].content[0]"},
		"result by the assistant":  {request: neutral.Request{Messages: []neutral.Message{message(neutral.Assistant, resultPart("i"))}}, field: "messages[0].content[0]"},
		"text in a tool message":   {request: neutral.Request{Messages: []neutral.Message{message(neutral.ToolRole, textPart("a"))}}, field: "messages[0].content[0]"},
		"result without a call":    {request: neutral.Request{Messages: []neutral.Message{message(neutral.ToolRole, resultPart("i"))}}, field: "messages[0].content[0].tool_call_id"},
		"opaque result":            {request: neutral.Request{Messages: []neutral.Message{message(neutral.Assistant, callPart("i", "f", "")), message(neutral.ToolRole, resultPart("i", opaque))}}, field: "messages[1].content[0]"},
		"image address, refused":   {request: user(textPart("a"), mediaPart(neutral.ImagePart, neutral.Media{URL: "https://a/b.png"})), quirks: dialect.Quirks{NoImageURLs: true}, field: "messages[0].content[1].image_url"},
		"image address in S3":      {request: user(mediaPart(neutral.ImagePart, neutral.Media{URL: "s3://a/b.png"})), field: "messages[0].content[0].image_url"},
		"image of an unknown type": {request: user(mediaPart(neutral.ImagePart, neutral.Media{URL: "https://a/b"})), field: "messages[0].content[0].image_url"},
		"file of another vendor":   {request: user(mediaPart(neutral.FilePart, neutral.Media{FileID: "file-abc", MIME: "application/pdf"})), field: "messages[0].content[0].file"},
		"no images":                {request: user(mediaPart(neutral.ImagePart, neutral.Media{Data: "a", MIME: "image/png"})), quirks: dialect.Quirks{NoImages: true}, field: "messages[0].content[0].image_url"},
		"no audio":                 {request: user(mediaPart(neutral.AudioPart, neutral.Media{Data: "a", MIME: "audio/wav"})), quirks: dialect.Quirks{NoAudio: true}, field: "messages[0].content[0].input_audio"},
		"no files":                 {request: user(mediaPart(neutral.FilePart, neutral.Media{Data: "a", MIME: "application/pdf"})), quirks: dialect.Quirks{NoFiles: true}, field: "messages[0].content[0].file"},
		"empty media":              {request: user(neutral.Part{Kind: neutral.VideoPart}), field: "messages[0].content[0].video_url"},
		"image in a result": {
			request: neutral.Request{Messages: []neutral.Message{message(neutral.Assistant, callPart("i", "f", "")), message(neutral.ToolRole, resultPart("i", mediaPart(neutral.ImagePart, neutral.Media{Data: "a"})))}},
			field:   "messages[1].content[0].image_url",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.request.Source = neutral.ChatCompletions
			to := googleAI("gemini-2.5-flash")
			to.Quirks = tc.quirks
			written, _, err := gemini.Generate{}.AppendRequest([]byte("kept"), &tc.request, to)
			var unsupported *neutral.UnsupportedError
			if !errors.As(err, &unsupported) || unsupported.Field != tc.field || unsupported.Reason == "" {
				t.Errorf("AppendRequest: %v, want one of %s", err, tc.field)
			}
			if string(written) != "kept" {
				t.Errorf("AppendRequest returned %q with an error", written)
			}
		})
	}
}
