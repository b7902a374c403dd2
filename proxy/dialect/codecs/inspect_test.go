package codecs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/codecs"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/table"
)

// inspected are the surfaces whose requests can be inspected.
var inspected = [...]neutral.API{
	neutral.ChatCompletions, neutral.Completions, neutral.Responses, neutral.Messages, neutral.GenerateContent, neutral.Embeddings,
}

func inspect(t *testing.T, surface neutral.API, body string) dialect.Traits {
	t.Helper()
	codec := codecs.Default().Surface(surface)
	head, err := codec.ReadHead([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return codec.(dialect.Inspector).Inspect([]byte(body), head)
}

// TestInspect is about everything but the prefix.
func TestInspect(t *testing.T) {
	const image, sound = `"data:image/png;base64,AAAAAAAA"`, `{"data":"AAAAAAAA","format":"wav"}`
	for name, tc := range map[string]struct {
		surface neutral.API
		members string
		want    dialect.Traits
	}{
		"text":           {neutral.ChatCompletions, `"messages":[{"role":"system","content":"ab"},{"role":"user","content":[{"type":"text","text":"cd"},"e"],"name":"f"}]`, dialect.Traits{PromptBytes: 6}},
		"nothing":        {neutral.ChatCompletions, `"messages":null,"tools":null,"response_format":null,"modalities":null,"reasoning":null,"logprobs":false,"top_logprobs":0`, dialect.Traits{}},
		"odd":            {neutral.ChatCompletions, `"messages":[1,[],{"role":1,"content":{}},{"content":[[["a"]]]}],"tools":[],"response_format":[],"modalities":"x"`, dialect.Traits{PromptBytes: 1}},
		"calls":          {neutral.ChatCompletions, `"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"f","function":{"name":"n","arguments":"{}"}}]},{"role":"tool","content":"abc"}]`, dialect.Traits{PromptBytes: 8}},
		"tools":          {neutral.ChatCompletions, `"tools":[ {"a":1}]`, dialect.Traits{Needs: table.Tools, PromptBytes: 10}},
		"functions":      {neutral.ChatCompletions, `"functions":[{}],"messages":[]`, dialect.Traits{Needs: table.Tools, PromptBytes: 4}},
		"images":         {neutral.ChatCompletions, `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":` + image + `}},{"image_url":"x","type":"image_url"}]}]`, dialect.Traits{Needs: table.Vision, Media: 2}},
		"sound":          {neutral.ChatCompletions, `"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":` + sound + `}]}]`, dialect.Traits{Needs: table.Audio, Media: 1}},
		"a file":         {neutral.ChatCompletions, `"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"AAAA"}},{"type":"video_url","video_url":{"url":"x"}}]}]`, dialect.Traits{Needs: table.Files, Media: 2}},
		"speaks":         {neutral.ChatCompletions, `"modalities":["text","audio"],"audio":{"voice":"v"}`, dialect.Traits{Needs: table.Audio}},
		"a schema":       {neutral.ChatCompletions, `"response_format":{"type":"json_schema","json_schema":{}}`, dialect.Traits{Needs: table.StructuredOutput}},
		"any JSON":       {neutral.ChatCompletions, `"response_format":{"type":"json_object"}`, dialect.Traits{}},
		"probabilities":  {neutral.ChatCompletions, `"logprobs":true`, dialect.Traits{Needs: table.LogProbs}},
		"top ones":       {neutral.ChatCompletions, `"top_logprobs":3`, dialect.Traits{Needs: table.LogProbs}},
		"effort":         {neutral.ChatCompletions, `"reasoning_effort":"high","reasoning":{"effort":"high","max_tokens":5}`, dialect.Traits{}},
		"thinking":       {neutral.ChatCompletions, `"reasoning":{"enabled":true}`, dialect.Traits{Needs: table.Reasoning}},
		"deep":           {neutral.ChatCompletions, `"messages":[{"role":"user","content":` + strings.Repeat("[", 30) + `{"type":"image_url"}` + strings.Repeat("]", 30) + `}]`, dialect.Traits{PromptBytes: 9}},
		"completions":    {neutral.Completions, `"prompt":["ab","c"],"logprobs":2,"suffix":"d"`, dialect.Traits{Needs: table.LogProbs, PromptBytes: 3}},
		"one completion": {neutral.Completions, `"prompt":"ab","logprobs":null`, dialect.Traits{PromptBytes: 2}},
		"vectors":        {neutral.Embeddings, `"input":["ab","c",[1,2]]`, dialect.Traits{PromptBytes: 3}},
		"a vector":       {neutral.Embeddings, `"input":"ab"`, dialect.Traits{PromptBytes: 2}},
		"responses": {
			neutral.Responses, `"instructions":"ab","input":[{"role":"user","content":[{"type":"input_text","text":"c"},{"type":"input_image","image_url":` + image + `},{"type":"input_file","file_data":"AAAA"}]},` +
				`{"type":"reasoning","summary":[{"type":"t","text":"d"}],"encrypted_content":"AAAA"},{"type":"function_call","name":"e","arguments":"f","call_id":"AAAA"},{"type":"function_call_output","output":"g"},` +
				`{"type":"computer_call_output","output":{"type":"computer_screenshot","image_url":` + image + `}}],"text":{"format":{"type":"json_schema"}},"include":["message.output_text.logprobs"]`,
			dialect.Traits{Needs: table.Vision | table.Files | table.StructuredOutput | table.LogProbs, PromptBytes: 8, Media: 3},
		},
		"a plain response":  {neutral.Responses, `"input":"ab","top_logprobs":1,"reasoning":{"enabled":true},"tools":[{}]`, dialect.Traits{Needs: table.LogProbs | table.Reasoning | table.Tools, PromptBytes: 6}},
		"modest response":   {neutral.Responses, `"input":"","reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"],"text":{"format":{"type":"text"}}`, dialect.Traits{}},
		"messages":          {neutral.Messages, `"system":[{"type":"text","text":"ab"}],"messages":[{"role":"user","content":"c"}],"tools":[{}],"thinking":{"type":"enabled","budget_tokens":5}`, dialect.Traits{Needs: table.Tools, PromptBytes: 7}},
		"blocks":            {neutral.Messages, `"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"ab","signature":"AAAA"},{"type":"redacted_thinking","data":"AAAA"},{"type":"tool_use","id":"1","name":"n","input":{"a":"b"}}]}]`, dialect.Traits{PromptBytes: 13}},
		"results":           {neutral.Messages, `"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"AAAA","content":[{"type":"text","text":"ab"},{"type":"image","source":{"type":"base64","data":"AAAA"}}]}]}]`, dialect.Traits{Needs: table.Vision, PromptBytes: 2, Media: 1}},
		"documents":         {neutral.Messages, `"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","data":"AAAA"}},{"type":"document","title":"AAAA","source":{"type":"content","content":[{"type":"text","text":"ab"}]}}]}]`, dialect.Traits{Needs: table.Files, PromptBytes: 2, Media: 1}},
		"a text document":   {neutral.Messages, `"messages":[{"role":"user","content":[{"source":{"type":"text","data":"ab"},"type":"document"}]}]`, dialect.Traits{PromptBytes: 6}},
		"an output format":  {neutral.Messages, `"output_config":{"format":{"type":"json_schema"}}`, dialect.Traits{Needs: table.StructuredOutput}},
		"the older format":  {neutral.Messages, `"output_format":{"type":"json_schema"}`, dialect.Traits{Needs: table.StructuredOutput}},
		"gemini":            {neutral.GenerateContent, `"system_instruction":{"parts":[{"text":"ab"}]},"contents":[{"role":"user","parts":[{"text":"c"},{"inline_data":{"mime_type":"image/png","data":"AAAA"}}]},{"role":"model","parts":{"functionCall":{"name":"d","args":{}}}}],"tools":[{}]`, dialect.Traits{Needs: table.Vision | table.Tools, PromptBytes: 8, Media: 1}},
		"gemini's media":    {neutral.GenerateContent, `"contents":{"parts":[{"fileData":{"mimeType":"AUDIO/wav"}},{"fileData":{"mimeType":"application/pdf"}},{"inlineData":{"mimeType":"video/mp4"}},{"inlineData":{}}]}`, dialect.Traits{Needs: table.Audio | table.Files, Media: 4}},
		"gemini's settings": {neutral.GenerateContent, `"contents":[],"generation_config":{"response_json_schema":{},"responseLogprobs":true,"responseModalities":["Audio"],"thinkingConfig":{"thinkingBudget":5}}`, dialect.Traits{Needs: table.StructuredOutput | table.LogProbs | table.Audio}},
		"gemini's text":     {neutral.GenerateContent, `"systemInstruction":"ab","contents":[1,{"role":"user"}],"generationConfig":{"responseSchema":null}`, dialect.Traits{PromptBytes: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			got := inspect(t, tc.surface, `{"model":"m",`+tc.members+`}`)
			got.Prefix = 0
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("traits (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPrefix says which changes of a request keep its prefix. Each list begins with one request; those behind it have the same prefix, unless they are other.
func TestPrefix(t *testing.T) {
	const marked = `,"cache_control":{"type":"ephemeral"}`
	for name, tc := range map[string]struct {
		surface     neutral.API
		same, other []string
	}{
		"turns of a chat": {
			neutral.ChatCompletions,
			[]string{
				`"tools":[{"a":1}],"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}]`,
				`"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"},{"role":"user","content":"v"}],"temperature":1,"tools":[{"a":1}]`,
				`"tools":[{"a":1}],"messages":[{"role":"system","content":[{"type":"text","text":"s"` + marked + `}]},{"role":"user","content":[{"type":"text","text":"u"}]}]`,
			},
			[]string{
				`"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}]`, `"tools":[{"a":2}],"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}]`,
				`"tools":[{"a":1}],"messages":[{"role":"system","content":"t"},{"role":"user","content":"u"}]`, `"tools":[{"a":1}],"messages":[{"role":"system","content":"s"},{"role":"user","content":"v"}]`,
				`"tools":[{"a":1}],"messages":[{"role":"user","content":"s"},{"role":"user","content":"u"}]`, `"tools":[{"a":1}],"messages":[{"role":"system","content":"su"},{"role":"user","content":""}]`,
			},
		},
		"marks of Claude": {
			neutral.Messages,
			[]string{
				`"system":[{"type":"text","text":"s"}],"tools":[{"name":"a","x":{}},{"name":"b"}],"messages":[{"role":"user","content":[{"type":"text","text":"u"},{"type":"image","source":{"data":"A"}}]}]`,
				`"tools":[{"name":"a","x":{}},{"name":"b"` + marked + `}],"system":[{"cache_control":{"type":"ephemeral","ttl":"1h"},"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"u"},{"type":"image","source":{"data":"A"}` + marked + `}]}]`,
				`"system":"s","tools":[{"name":"a","x":{}` + marked + `},{"name":"b"}],"messages":[{"role":"user","content":[{"type":"text","text":"u"},{"cache_control" : null, "type":"image","source":{"data":"A"}}]},{"role":"assistant","content":"a"},{"role":"user","content":[{"type":"text","text":"v"` + marked + `}]}]`,
			},
			[]string{
				`"system":"s","tools":[{"name":"a","x":{}},{"name":"c"}],"messages":[{"role":"user","content":[{"type":"text","text":"u"},{"type":"image","source":{"data":"A"}}]}]`,
				`"system":"s","tools":[{"name":"a","x":{}},{"name":"b"}],"messages":[{"role":"user","content":[{"type":"text","text":"u"},{"type":"image","source":{"data":"B"}}]}]`,
			},
		},
		"no marks": {
			neutral.Messages,
			[]string{`"tools":[{"a":"cache_control","b":"\"cache_control\":1","c":"x"}],"messages":[]`},
			[]string{
				`"tools":[{"a":"cache_control","b":"\"cache_control\":2","c":"x"}],"messages":[]`, `"tools":[{"b":"\"cache_control\":1","c":"x"}],"messages":[]`,
				`"tools":[{"a":"cache_control","b":"\"cache_control\":1","c":"y"}],"messages":[]`,
			},
		},
		"values like marks": {
			neutral.Messages,
			[]string{`"tools":[{"a": "cache_control", "x":1}],"messages":[]`},
			[]string{`"tools":[{"a": "cache_control", "y":1}],"messages":[]`},
		},
		"what Claude Code changes": {
			neutral.Messages,
			[]string{
				`"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":"u"}]`,
				`"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1; cch=36ee5;"},{"type":"text","text":"s"}],"messages":[{"role":"user","content":"u"}]`,
				`"system":"x-anthropic-billing-header: cch=0aaa9;\ns","messages":[{"role":"user","content":"u"}]`,
			},
			[]string{`"system":[{"type":"text","text":"x"},{"type":"text","text":"s"}],"messages":[{"role":"user","content":"u"}]`},
		},
		"responses": {
			neutral.Responses,
			[]string{
				`"instructions":"s","input":[{"type":"message","role":"user","content":"u"}]`,
				`"instructions":"s","input":[{"role":"user","content":[{"type":"input_text","text":"u"}]},{"type":"function_call","name":"f"},{"role":"user","content":"v"}]`,
			},
			[]string{`"instructions":"t","input":[{"role":"user","content":"u"}]`, `"instructions":"s","input":"v"`},
		},
		"gemini": {
			neutral.GenerateContent,
			[]string{
				`"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"u"}]}]`,
				`"contents":[{"role":"user","parts":{"text":"u"}},{"role":"model","parts":[{"text":"a"}]}],"system_instruction":"s"`,
			},
			[]string{`"contents":[{"role":"user","parts":{"text":"u"}}]`, `"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"v"}]}]`},
		},
		"completions": {
			neutral.Completions,
			[]string{`"prompt":"` + strings.Repeat("a", 600) + `"`, `"prompt":"` + strings.Repeat("a", 900) + `"`},
			[]string{`"prompt":"b` + strings.Repeat("a", 600) + `"`},
		},
		"nothing": {neutral.ChatCompletions, []string{`"messages":[]`, `"messages":null,"tools":[]`}, []string{`"messages":[{"role":"user","content":""}]`}},
	} {
		t.Run(name, func(t *testing.T) {
			want := inspect(t, tc.surface, `{"model":"m",`+tc.same[0]+`}`).Prefix
			if (want == 0) != (name == "nothing") {
				t.Errorf("prefix %x", want)
			}
			for _, members := range tc.same[1:] {
				if got := inspect(t, tc.surface, `{"model":"m",`+members+`}`).Prefix; got != want {
					t.Errorf("%s: %x, want %x", members, got, want)
				}
			}
			for _, members := range tc.other {
				if got := inspect(t, tc.surface, `{"model":"m",`+members+`}`).Prefix; got == want {
					t.Errorf("%s: the same prefix", members)
				}
			}
		})
	}
}

// TestPrefixStays: replicas of different versions must agree on the prefix while one replaces the other.
func TestPrefixStays(t *testing.T) {
	const body = `{"model":"m","tools":[{"type":"function"}],"messages":[{"role":"system","content":"Be short."},{"role":"user","content":"Where is the signal box?"}]}`
	if got := inspect(t, neutral.ChatCompletions, body).Prefix; got != 0x1ab9dfaab0b08b9e {
		t.Errorf("prefix %#x", got)
	}
}

// FuzzInspect inspects whatever is a request: it always ends, finds the same again, and no more text than there is.
func FuzzInspect(f *testing.F) {
	for surface, body := range steered() {
		for i, api := range inspected {
			if api == surface {
				f.Add([]byte(body), uint8(i))
			}
		}
	}
	f.Add([]byte(`{"contents":[{"parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png"}}]}],"system_instruction":"x"}`), uint8(4))
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":[[{"type":"tool_result","content":[{"cache_control":{},"type":"text"}]}]]}],"tools":{"cache_control":1}}`), uint8(3))
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":{"type":"document","source":{}}}}]}]}`), uint8(3))
	f.Fuzz(func(t *testing.T, body []byte, which uint8) {
		codec := codecs.Default().Surface(inspected[int(which)%len(inspected)])
		head, err := codec.ReadHead(body)
		if err != nil {
			return
		}
		inspector := codec.(dialect.Inspector)
		first, again := inspector.Inspect(body, head), inspector.Inspect(body, head)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatalf("%q (-first +second):\n%s", body, diff)
		}
		if first.PromptBytes < 0 || first.PromptBytes > 2*int64(len(body)) || first.Media < 0 || first.Media > len(body) {
			t.Fatalf("%q: %+v", body, first)
		}
	})
}

// BenchmarkInspect inspects a chat of 100 KB.
func BenchmarkInspect(b *testing.B) {
	turn := `{"role":"user","content":"` + strings.Repeat("Tell me about the signal box, please. ", 60) + `"},{"role":"assistant","content":[{"type":"text","text":"` + strings.Repeat("It is at the junction. ", 40) + `"}]}`
	body := []byte(`{"model":"m","messages":[` + turn + strings.Repeat(","+turn, 30) + `],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}`)
	codec := codecs.Default().Surface(neutral.ChatCompletions)
	head, err := codec.ReadHead(body)
	if err != nil {
		b.Fatal(err)
	}
	inspector := codec.(dialect.Inspector)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if inspector.Inspect(body, head).Media != 0 {
			b.Fatal("there are no media")
		}
	}
}
