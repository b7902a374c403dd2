package openai_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
)

// fullRequest has everything that a request can have.
const fullRequest = `{"model":"chat","messages":[
 {"role":"developer","content":"Be short.","name":"dev"},
 {"role":"system","content":[{"type":"text","text":"one","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"two"}]},
 {"role":"user","name":"Ann","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},{"type":"image_url","image_url":{"url":"https://e.x/a.png"}},
  {"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}},{"type":"input_audio","input_audio":{"data":"SUQz","format":"mp3"}},
  {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERg=="}},{"type":"file","file":{"file_id":"file-1"}},{"type":"video_url","video_url":{"url":"https://e.x/a.mp4"}},
  {"type":"whatever","x":[1]}]},
 {"role":"assistant","content":null,"refusal":null,"reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"sig","format":"anthropic-claude-v1","index":0},
   {"type":"reasoning.encrypted","data":"seal","format":"google-gemini-v1","id":"call_1","index":1}],
  "tool_calls":[{"id":"call_1","type":"function","function":{"name":"look","arguments":""}},{"id":"call_2","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}},
   {"id":"call_3","type":"custom","custom":{"name":"sql","input":"select"}}]},
 {"role":"tool","tool_call_id":"call_1","content":"sunny"},
 {"role":"tool","tool_call_id":"call_2","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
 {"role":"assistant","content":"Hello","audio":{"id":"audio_1"}},
 {"role":"assistant","content":[{"type":"text","text":"x"},{"type":"refusal","refusal":"no"}]},
 {"role":"assistant","refusal":"never","content":null},
 {"role":"user","content":"go on"}],
 "tools":[{"type":"function","function":{"name":"look","description":"d","parameters":{"type":"object","properties":{}},"strict":true}},{"type":"function","function":{"name":"find"},"cache_control":{"type":"ephemeral"}},
  {"type":"custom","custom":{"name":"sql"}}],
 "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"look"}}]}},"parallel_tool_calls":false,
 "response_format":{"type":"json_schema","json_schema":{"name":"out","description":"d","strict":true,"schema":{"type":"object"}}},
 "max_completion_tokens":99,"stop":["a","b"],"n":2,"temperature":0.70,"top_p":1e-1,"top_k":40,"min_p":0.1,"top_a":0.2,"frequency_penalty":0.5,"presence_penalty":-0.5,"repetition_penalty":1.1,"seed":7,
 "logit_bias":{"50256":-100},"logprobs":true,"top_logprobs":3,"reasoning":{"effort":"high","exclude":true,"summary":"auto"},"verbosity":"low","modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"},
 "user":"u1","metadata":{"a":"b"},"service_tier":"flex","prompt_cache_key":"k","cache_control":{"type":"ephemeral"},"prediction":{"type":"content","content":"x"},"store":true,"provider":{"order":["x"]},
 "stream":true,"stream_options":{"include_usage":true}}`

// readRequest reads a request that must be one.
func readRequest(t *testing.T, surface dialect.GenerationSurface, body string) *neutral.Request {
	t.Helper()
	head, err := surface.ReadHead([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	request, err := surface.ReadRequest([]byte(body), head)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// TestRequestRoundTrip reads a request with everything in it and writes it for a provider that takes everything: it must say the same.
func TestRequestRoundTrip(t *testing.T) {
	want := readRequest(t, openai.Chat{}, fullRequest)
	written, report, err := openai.Chat{}.AppendRequest(nil, want, dialect.Target{Model: "chat", Provider: "OpenRouter", Origin: neutral.OriginAnthropic})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"reasoning"}, report.Dropped); diff != "" {
		t.Errorf("Gemini's seal at Anthropic's model is not reported (-want +got):\n%s", diff)
	}
	for _, to := range []dialect.Target{{Model: "chat", Provider: "OpenRouter"}, {Model: "openrouter/auto", Provider: "OpenRouter"}} {
		if written, _, err = (openai.Chat{}).AppendRequest(nil, want, to); err != nil {
			t.Fatal(err)
		}
	}
	got := readRequest(t, openai.Chat{}, strings.Replace(string(written), `"openrouter/auto"`, `"chat"`, 1))
	// OpenRouter knows no choice among some tools: the others are left out.
	want.ToolChoice = neutral.ToolChoice{Mode: neutral.ToolRequired}
	want.Tools = append(want.Tools[:1:1], want.Tools[2])
	if diff := sameRequest(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

// TestReadRequest reads what requests can have, one thing at a time.
func TestReadRequest(t *testing.T) {
	text := func(text string) []neutral.Part { return []neutral.Part{{Kind: neutral.TextPart, Text: text}} }
	hi := []neutral.Message{{Role: neutral.User, PlainText: true, Parts: text("hi")}}
	yes, no, count := true, false, int64(100)
	for name, tc := range map[string]struct {
		members  string
		messages string
		want     neutral.Request
	}{
		"plain":               {want: neutral.Request{Messages: hi}},
		"nulls":               {members: `,"stop":null,"reasoning_format":null,"reasoning_effort":null,"tools":null,"service_tier":null,"response_format":null`, want: neutral.Request{Messages: hi}},
		"both limits":         {members: `,"max_tokens":5,"max_completion_tokens":100`, want: neutral.Request{Messages: hi, MaxTokens: &count}},
		"old limit":           {members: `,"max_tokens":1e2`, want: neutral.Request{Messages: hi, MaxTokens: &count}},
		"one stop":            {members: `,"stop":"x"`, want: neutral.Request{Messages: hi, Stop: []string{"x"}}},
		"effort":              {members: `,"reasoning_effort":"low"`, want: neutral.Request{Messages: hi, Reasoning: &neutral.Reasoning{Effort: "low"}}},
		"Groq's default":      {members: `,"reasoning_effort":"default","reasoning_format":"hidden"`, want: neutral.Request{Messages: hi, Reasoning: &neutral.Reasoning{Exclude: true}}},
		"Groq's raw thinking": {members: `,"reasoning_format":"raw"`, want: neutral.Request{Messages: hi, Extra: []neutral.Member{{Name: "reasoning_format", Value: json.RawMessage(`"raw"`)}}}},
		"budget":              {members: `,"reasoning":{"max_tokens":100,"enabled":true}`, want: neutral.Request{Messages: hi, Reasoning: &neutral.Reasoning{MaxTokens: &count, Enabled: &yes}}},
		"thinking":            {members: `,"thinking":{"type":"disabled"},"include_reasoning":false`, want: neutral.Request{Messages: hi, Reasoning: &neutral.Reasoning{Enabled: &no, Exclude: true}}},
		"adaptive":            {members: `,"thinking":{"type":"adaptive"}`, want: neutral.Request{Messages: hi, Reasoning: &neutral.Reasoning{Enabled: &yes, Adaptive: true}}},
		"no tools":            {members: `,"tool_choice":"none"`, want: neutral.Request{Messages: hi, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolNone}}},
		"any tool":            {members: `,"tool_choice":"any"`, want: neutral.Request{Messages: hi, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolRequired}}},
		"a named tool":        {members: `,"tool_choice":{"type":"function","function":{"name":"f"}}`, want: neutral.Request{Messages: hi, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "f"}}},
		"a custom tool":       {members: `,"tool_choice":{"type":"custom","custom":{"name":"f"}}`, want: neutral.Request{Messages: hi, ToolChoice: neutral.ToolChoice{Raw: json.RawMessage(`{"type":"custom","custom":{"name":"f"}}`)}}},
		"grammar":             {members: `,"response_format":{"type":"grammar","grammar":"x"}`, want: neutral.Request{Messages: hi, Format: neutral.Format{Kind: neutral.FormatOther, Raw: json.RawMessage(`{"type":"grammar","grammar":"x"}`)}}},
		"JSON":                {members: `,"response_format":{"type":"json_object"}`, want: neutral.Request{Messages: hi, Format: neutral.Format{Kind: neutral.FormatJSONObject}}},
		"usage is no extra":   {members: `,"usage":{"include":true}`, want: neutral.Request{Messages: hi}},
		"older functions": {
			messages: `{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"1"}`,
			members:  `,"functions":[{"name":"f","parameters":{}}],"function_call":{"name":"f"}`,
			want: neutral.Request{
				LegacyFunctions: true, Tools: []neutral.Tool{{Name: "f", Parameters: json.RawMessage(`{}`)}}, ToolChoice: neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "f"},
				Messages: []neutral.Message{
					{Role: neutral.Assistant, Parts: []neutral.Part{{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "call_function_0", Name: "f", Arguments: "{}"}}}},
					{Role: neutral.ToolRole, Parts: []neutral.Part{{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "call_function_0", Name: "f", PlainText: true, Parts: text("1")}}}},
				},
			},
		},
		"plain thinking": {
			messages: `{"role":"assistant","content":"x","reasoning_content":"hm"}`,
			want:     neutral.Request{Messages: []neutral.Message{{Role: neutral.Assistant, PlainText: true, Parts: []neutral.Part{{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "hm"}}, text("x")[0]}}}},
		},
		"the pieces of a stream sent back": {
			messages: `{"role":"assistant","content":"x","reasoning":"hm!","reasoning_details":[{"type":"reasoning.text","text":"hm","format":"anthropic-claude-v1","index":0},{"type":"reasoning.text","text":"!","format":"anthropic-claude-v1","index":0},
				{"type":"reasoning.text","signature":"s","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"d","format":"anthropic-claude-v1","index":1}]}`,
			want: neutral.Request{Messages: []neutral.Message{{Role: neutral.Assistant, PlainText: true, Parts: []neutral.Part{
				{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "hm!", Signature: "s", Origin: neutral.OriginAnthropic}},
				{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Encrypted: "d", Origin: neutral.OriginAnthropic}}, text("x")[0],
			}}}},
		},
		"an item of the Responses API": {
			messages: `{"role":"assistant","content":"x","reasoning_details":[{"type":"reasoning.summary","summary":"a","id":"rs","index":0},{"type":"reasoning.summary","summary":"b","id":"rs","index":1},
				{"type":"reasoning.encrypted","data":"d","format":"openai-responses-v1","id":"rs","index":2}]}`,
			want: neutral.Request{Messages: []neutral.Message{{Role: neutral.Assistant, PlainText: true, Parts: []neutral.Part{
				{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: "rs", Summary: []string{"a", "b"}, Encrypted: "d", Origin: neutral.OriginOpenAI}}, text("x")[0],
			}}}},
		},
		"Gemini's seal, told twice": {
			messages: `{"role":"assistant","reasoning_details":[{"type":"reasoning.encrypted","data":"s","format":"google-gemini-v1","id":"c"}],"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s"}}}]}`,
			want: neutral.Request{Messages: []neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{
				{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Encrypted: "s", Origin: neutral.OriginGemini}}, {Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c", Name: "f", Arguments: "{}"}},
			}}}},
		},
		"a seal of nobody": {
			messages: `{"role":"assistant","content":"x","reasoning_details":[{"type":"reasoning.text","text":"a","signature":"s"}]}`,
			want: neutral.Request{Messages: []neutral.Message{{Role: neutral.Assistant, PlainText: true, Parts: []neutral.Part{
				{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "a", Signature: "s", Origin: neutral.OriginUnknown}}, text("x")[0],
			}}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			messages := tc.messages
			if messages == "" {
				messages = `{"role":"user","content":"hi"}`
			}
			tc.want.Model, tc.want.N, tc.want.Source = "chat", 1, neutral.ChatCompletions
			if diff := sameRequest(&tc.want, readRequest(t, openai.Chat{}, `{"model":"chat","messages":[`+messages+`]`+tc.members+`}`)); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadRequestRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		surface dialect.GenerationSurface
		body    string
		code    dialect.RequestCode
		param   string
	}{
		"no messages":         {openai.Chat{}, `{"model":"m"}`, dialect.CodeMissingParameter, "messages"},
		"messages null":       {openai.Chat{}, `{"model":"m","messages":null}`, dialect.CodeMissingParameter, "messages"},
		"messages empty":      {openai.Chat{}, `{"model":"m","messages":[]}`, dialect.CodeMissingParameter, "messages"},
		"choices as text":     {openai.Chat{}, `{"model":"m","messages":[{"role":"user","content":"secret"}],"n":"secret"}`, dialect.CodeInvalidType, "n"},
		"no choices":          {openai.Chat{}, `{"model":"m","messages":[{"role":"user","content":"secret"}],"n":0}`, dialect.CodeInvalidValue, "n"},
		"messages a string":   {openai.Chat{}, `{"model":"m","messages":"secret"}`, dialect.CodeInvalidType, "messages"},
		"a message a string":  {openai.Chat{}, `{"model":"m","messages":["secret"]}`, dialect.CodeInvalidType, "messages[0]"},
		"no role":             {openai.Chat{}, `{"model":"m","messages":[{"content":"secret"}]}`, dialect.CodeInvalidValue, "messages[0].role"},
		"another role":        {openai.Chat{}, `{"model":"m","messages":[{"role":"secret"}]}`, dialect.CodeInvalidValue, "messages[0].role"},
		"content a number":    {openai.Chat{}, `{"model":"m","messages":[{"role":"user","content":5}]}`, dialect.CodeInvalidType, "messages[0].content"},
		"a part without type": {openai.Chat{}, `{"model":"m","messages":[{"role":"user","content":[{"text":"secret"}]}]}`, dialect.CodeInvalidValue, "messages[0].content[0].type"},
		"no image":            {openai.Chat{}, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, dialect.CodeInvalidValue, "messages[0].content[0].image_url"},
		"a data URL as text":  {openai.Chat{}, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/svg+xml,secret"}}]}]}`, dialect.CodeInvalidValue, "messages[0].content[0].image_url.url"},
		"no audio":            {openai.Chat{}, `{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]}`, dialect.CodeInvalidValue, "messages[0].content[0].input_audio.data"},
		"no file":             {openai.Chat{}, `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{}}]}]}`, dialect.CodeInvalidValue, "messages[0].content[0].file.file_data"},
		"no call id":          {openai.Chat{}, `{"model":"m","messages":[{"role":"tool","content":"secret"}]}`, dialect.CodeInvalidValue, "messages[0].tool_call_id"},
		"a call's arguments":  {openai.Chat{}, `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a"}]}]}`, dialect.CodeInvalidValue, "messages[0].tool_calls[0].function"},
		"a call's name":       {openai.Chat{}, `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":5}}]}]}`, dialect.CodeInvalidType, "messages[0].tool_calls[0].function.name"},
		"tools an object":     {openai.Chat{}, `{"model":"m","messages":[],"tools":{}}`, dialect.CodeInvalidType, "tools"},
		"a nameless tool":     {openai.Chat{}, `{"model":"m","messages":[],"tools":[{"type":"function","function":{}}]}`, dialect.CodeInvalidValue, "tools[0].function.name"},
		"parameters":          {openai.Chat{}, `{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":"secret"}}]}`, dialect.CodeInvalidType, "tools[0].function.parameters"},
		"tool_choice":         {openai.Chat{}, `{"model":"m","messages":[],"tool_choice":"secret"}`, dialect.CodeInvalidValue, "tool_choice"},
		"tool_choice's name":  {openai.Chat{}, `{"model":"m","messages":[],"tool_choice":{"type":"function","function":{}}}`, dialect.CodeInvalidValue, "tool_choice.function.name"},
		"a schema":            {openai.Chat{}, `{"model":"m","messages":[],"response_format":{"type":"json_schema","json_schema":{"schema":"secret"}}}`, dialect.CodeInvalidType, "response_format.json_schema.schema"},
		"no schema":           {openai.Chat{}, `{"model":"m","messages":[],"response_format":{"type":"json_schema"}}`, dialect.CodeInvalidValue, "response_format.json_schema"},
		"temperature":         {openai.Chat{}, `{"model":"m","messages":[],"temperature":"secret"}`, dialect.CodeInvalidType, "temperature"},
		"a fraction":          {openai.Chat{}, `{"model":"m","messages":[],"max_tokens":1.5}`, dialect.CodeInvalidValue, "max_tokens"},
		"too large":           {openai.Chat{}, `{"model":"m","messages":[],"max_tokens":1e300}`, dialect.CodeInvalidValue, "max_tokens"},
		"stop":                {openai.Chat{}, `{"model":"m","messages":[],"stop":["a",1]}`, dialect.CodeInvalidType, "stop[1]"},
		"metadata":            {openai.Chat{}, `{"model":"m","messages":[],"metadata":{"a":["secret"]}}`, dialect.CodeInvalidType, "metadata"},
		"effort":              {openai.Chat{}, `{"model":"m","messages":[],"reasoning":{"effort":1}}`, dialect.CodeInvalidType, "reasoning.effort"},
		"reasoning":           {openai.Chat{}, `{"model":"m","messages":[],"reasoning":"secret"}`, dialect.CodeInvalidType, "reasoning"},
		"no prompt":           {openai.Text{}, `{"model":"m"}`, dialect.CodeMissingParameter, "prompt"},
		"several prompts":     {openai.Text{}, `{"model":"m","prompt":["secret","b"]}`, dialect.CodeUnsupportedParameter, "prompt"},
		"tokens":              {openai.Text{}, `{"model":"m","prompt":[1,2]}`, dialect.CodeUnsupportedParameter, "prompt"},
		"echo":                {openai.Text{}, `{"model":"m","prompt":"x","echo":true}`, dialect.CodeUnsupportedParameter, "echo"},
		"logprobs of text":    {openai.Text{}, `{"model":"m","prompt":"x","logprobs":3}`, dialect.CodeUnsupportedParameter, "logprobs"},
		"suffix":              {openai.Text{}, `{"model":"m","prompt":"x","suffix":"secret"}`, dialect.CodeUnsupportedParameter, "suffix"},
		"best_of":             {openai.Text{}, `{"model":"m","prompt":"x","best_of":3}`, dialect.CodeUnsupportedParameter, "best_of"},
		"messages of text":    {openai.Text{}, `{"model":"m","prompt":"x","messages":[]}`, dialect.CodeInvalidValue, "messages"},
	} {
		t.Run(name, func(t *testing.T) {
			head, err := tc.surface.ReadHead([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			_, err = tc.surface.ReadRequest([]byte(tc.body), head)
			var problem *dialect.RequestError
			if !errors.As(err, &problem) {
				t.Fatalf("error %v, want a RequestError", err)
			}
			if problem.Code != tc.code || problem.Param != tc.param || strings.Contains(problem.Message, "secret") || problem.Message == "" {
				t.Errorf("error %+v, want code %s, param %q", problem, tc.code, tc.param)
			}
		})
	}
}

// TestReadPrompt makes a message of a prompt.
func TestReadPrompt(t *testing.T) {
	limit := int64(5)
	want := &neutral.Request{
		Model: "m", N: 1, Source: neutral.Completions, MaxTokens: &limit, Stop: []string{"x"},
		Messages: []neutral.Message{{Role: neutral.User, PlainText: true, Parts: textParts("Once")}},
	}
	for _, prompt := range []string{`"Once"`, `["Once"]`} {
		got := readRequest(t, openai.Text{}, `{"model":"m","prompt":`+prompt+`,"max_tokens":5,"stop":"x","echo":false,"best_of":1,"logprobs":0,"suffix":null}`)
		if diff := sameRequest(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", prompt, diff)
		}
	}
}

func BenchmarkTranslatedRequest(b *testing.B) {
	body := bodyOf(2 << 10)
	head, err := openai.Chat{}.ReadHead(body)
	if err != nil {
		b.Fatal(err)
	}
	var request *neutral.Request
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if request, err = (openai.Chat{}).ReadRequest(body, head); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		var out []byte
		b.ReportAllocs()
		for b.Loop() {
			if out, _, err = (openai.Chat{}).AppendRequest(out[:0], request, dialect.Target{Model: "up", Provider: "OpenAI"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
