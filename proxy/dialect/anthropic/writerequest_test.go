package anthropic_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

func ptr[T any](value T) *T { return &value }

func text(s string) neutral.Part { return neutral.Part{Kind: neutral.TextPart, Text: s} }

func say(role neutral.Role, parts ...neutral.Part) neutral.Message {
	return neutral.Message{Role: role, Parts: parts}
}

func plain(role neutral.Role, s string) neutral.Message {
	return neutral.Message{Role: role, Parts: []neutral.Part{text(s)}, PlainText: true}
}

func call(id, arguments string) neutral.Part {
	return neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: id, Name: "look", Arguments: arguments}}
}

func result(id string, parts ...neutral.Part) neutral.Part {
	return neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: id, Parts: parts}}
}

func thought(t neutral.Thought) neutral.Part {
	return neutral.Part{Kind: neutral.ReasoningPart, Thought: &t}
}

func media(kind neutral.PartKind, m neutral.Media) neutral.Part {
	return neutral.Part{Kind: kind, Media: &m}
}

// ask is a request of another API: one word of the user, changed by modify.
func ask(modify ...func(*neutral.Request)) *neutral.Request {
	r := &neutral.Request{Source: neutral.ChatCompletions, N: 1, Messages: []neutral.Message{plain(neutral.User, "Hi")}, MaxTokens: ptr[int64](4000)}
	for _, m := range modify {
		m(r)
	}
	return r
}

func messages(m ...neutral.Message) func(*neutral.Request) {
	return func(r *neutral.Request) { r.Messages = m }
}

// members are the named members of a written request.
func members(t *testing.T, body []byte, names ...string) map[string]any {
	t.Helper()
	all, ok := parsed(t, body).(map[string]any)
	if !ok {
		t.Fatalf("no object: %s", body)
	}
	got := map[string]any{}
	for _, name := range names {
		if value, ok := all[name]; ok {
			got[name] = value
		}
	}
	return got
}

func TestConversationCrosses(t *testing.T) {
	for name, tc := range map[string]struct {
		messages []neutral.Message
		want     string
		dropped  []string
	}{
		"system wherever it stands": {
			messages: []neutral.Message{plain(neutral.System, "A"), plain(neutral.User, "Hi"), say(neutral.Developer, text("B"), text("C")), plain(neutral.User, "Go")},
			want:     `{"system":[{"type":"text","text":"A"},{"type":"text","text":"B"},{"type":"text","text":"C"}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"text","text":"Go"}]}]}`,
		},
		"one system prompt stays a string": {
			messages: []neutral.Message{plain(neutral.System, "A"), plain(neutral.User, "Hi")},
			want:     `{"system":"A","messages":[{"role":"user","content":"Hi"}]}`,
		},
		"the assistant cannot begin": {
			messages: []neutral.Message{plain(neutral.Assistant, "Hello"), plain(neutral.User, "Hi")},
			want:     `{"messages":[{"role":"user","content":"..."},{"role":"assistant","content":"Hello"},{"role":"user","content":"Hi"}]}`,
		},
		"nothing but a system prompt": {
			messages: []neutral.Message{plain(neutral.System, "A")},
			want:     `{"system":"A","messages":[{"role":"user","content":"..."}]}`,
		},
		"blank texts are left out": {
			messages: []neutral.Message{plain(neutral.User, "Hi"), say(neutral.Assistant, text(""), call("c1", `{"at":1}`)), say(neutral.ToolRole, result("c1", text(" "))), plain(neutral.User, "\n")},
			want:     `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"look","input":{"at":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1"}]}]}`,
		},
		"results of parallel calls are one message, before the text": {
			messages: []neutral.Message{plain(neutral.User, "Hi"), say(neutral.Assistant, call("c1", ""), call("c2", `{"cut":`)), plain(neutral.User, "Hurry"), say(neutral.ToolRole, result("c1", text("1"))), say(neutral.ToolRole, result("c2", text("2"), media(neutral.ImagePart, neutral.Media{Data: "/9j/4AA"})))},
			want: `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"look","input":{}},{"type":"tool_use","id":"c2","name":"look","input":{"arguments":"{\"cut\":"}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"1"}]},{"type":"tool_result","tool_use_id":"c2","content":[{"type":"text","text":"2"},{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"/9j/4AA"}}]},{"type":"text","text":"Hurry"}]}]}`,
		},
		"ids of calls in letters that are taken": {
			messages: []neutral.Message{plain(neutral.User, "Hi"), say(neutral.Assistant, call("functions.look:0", "{}")), say(neutral.ToolRole, result("functions.look:0", text("1")))},
			want:     `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"call_ec0002042636dd8aa1e59e55","name":"look","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_ec0002042636dd8aa1e59e55","content":[{"type":"text","text":"1"}]}]}]}`,
		},
		"own seals go back, others do not": {
			messages: []neutral.Message{plain(neutral.User, "Hi"), say(neutral.Assistant,
				thought(neutral.Thought{Text: "t", Signature: "s", Origin: neutral.OriginAnthropic}), thought(neutral.Thought{Encrypted: "e", Origin: neutral.OriginAnthropic}),
				thought(neutral.Thought{Encrypted: "e", Origin: neutral.OriginOpenAI}), thought(neutral.Thought{Text: "unsealed"}), text("Hello")), plain(neutral.User, "Go")},
			want:    `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"e"},{"type":"text","text":"Hello"}]},{"role":"user","content":"Go"}]}`,
			dropped: []string{"reasoning"},
		},
		"a refusal is a text, a name is dropped": {
			messages: []neutral.Message{plain(neutral.User, "Hi"), say(neutral.Assistant, neutral.Part{Kind: neutral.RefusalPart, Text: "No."}), {Role: neutral.User, Name: "bob", Parts: []neutral.Part{text("Why")}, PlainText: true}},
			want:     `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"No."}]},{"role":"user","content":"Why"}]}`,
			dropped:  []string{"name"},
		},
		"prefill without blanks at its end": {
			messages: []neutral.Message{plain(neutral.User, "Hi"), plain(neutral.Assistant, "The answer is: \n")},
			want:     `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"The answer is:"}]}`,
		},
		"images and documents": {
			messages: []neutral.Message{say(neutral.User, media(neutral.ImagePart, neutral.Media{URL: "https://a.example/x.png", Detail: "low"}), media(neutral.FilePart, neutral.Media{Data: "JVBERi0x", Name: "a.pdf"}), media(neutral.FilePart, neutral.Media{Data: "aGVsbG8=", MIME: "text/csv"}), media(neutral.FilePart, neutral.Media{URL: "https://a.example/x.pdf"}))},
			want:     `{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://a.example/x.png"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0x"},"title":"a.pdf"},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hello"}},{"type":"document","source":{"type":"url","url":"https://a.example/x.pdf"}}]}]}`,
		},
		"cache marks, and citations of others": {
			messages: []neutral.Message{say(neutral.System, neutral.Part{Kind: neutral.TextPart, Text: "S", Cache: &neutral.CacheMark{TTL: "1h"}}), say(neutral.User, neutral.Part{Kind: neutral.TextPart, Text: "Hi", Cache: &neutral.CacheMark{}, Citations: []neutral.Citation{{URL: "https://a.example"}}})},
			want:     `{"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]}`,
		},
		"citations of others that come back": {
			messages: readRequest(t, []byte(`{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b","citations":[{"type":"web_search_result_location","url":"https://a.example","cited_text":"c","title":"t","encrypted_index":""}]}]},{"role":"user","content":"c"}]}`)).Messages,
			want:     `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}`,
		},
		"a failed call": {
			messages: []neutral.Message{plain(neutral.User, "Hi"), say(neutral.Assistant, call("c", "{}")), say(neutral.ToolRole, neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "c", Failed: true, PlainText: true, Parts: []neutral.Part{text("no")}}})},
			want:     `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"look","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"no","is_error":true}]}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := ask(messages(tc.messages...))
			r := ask(messages(tc.messages...))
			body, report, err := anthropic.Messages{}.AppendRequest(nil, r, claude("claude-sonnet-4-5"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parsed(t, []byte(tc.want)), any(members(t, body, "system", "messages"))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(before, r); diff != "" {
				t.Errorf("the request was changed: %s", diff)
			}
		})
	}
}

func TestRequestIsRefused(t *testing.T) {
	user := func(part neutral.Part) func(*neutral.Request) { return messages(say(neutral.User, text("a"), part)) }
	for name, tc := range map[string]struct {
		request *neutral.Request
		to      dialect.Target
		field   string
	}{
		"choices":           {ask(func(r *neutral.Request) { r.N = 2 }), claude("claude-opus-5"), "n"},
		"log probabilities": {ask(func(r *neutral.Request) { r.LogProbs = true }), claude("claude-opus-5"), "logprobs"},
		"alternatives":      {ask(func(r *neutral.Request) { r.TopLogProbs = ptr[int64](3) }), claude("claude-opus-5"), "logprobs"},
		"spoken answer":     {ask(func(r *neutral.Request) { r.Modalities = []string{"text", "audio"} }), claude("claude-opus-5"), "modalities"},
		"hosted tool":       {ask(func(r *neutral.Request) { r.Tools = []neutral.Tool{{Name: "a"}, {Raw: json.RawMessage(`{}`)}} }), claude("claude-opus-5"), "tools[1]"},
		"odd choice":        {ask(func(r *neutral.Request) { r.ToolChoice.Raw = json.RawMessage(`{}`) }), claude("claude-opus-5"), "tool_choice"},
		"odd format":        {ask(func(r *neutral.Request) { r.Format.Kind = neutral.FormatOther }), claude("claude-opus-5"), "response_format"},
		"sound":             {ask(user(media(neutral.AudioPart, neutral.Media{Data: "x"}))), claude("claude-opus-5"), "messages[0].content[1].input_audio"},
		"film":              {ask(user(media(neutral.VideoPart, neutral.Media{URL: "https://a.example"}))), claude("claude-opus-5"), "messages[0].content[1]"},
		"bitmap":            {ask(user(media(neutral.ImagePart, neutral.Media{Data: "x", MIME: "image/bmp"}))), claude("claude-opus-5"), "messages[0].content[1].image_url"},
		"image of a cloud":  {ask(user(media(neutral.ImagePart, neutral.Media{URL: "gs://b/x.png"}))), claude("claude-opus-5"), "messages[0].content[1].image_url"},
		"foreign file":      {ask(user(media(neutral.FilePart, neutral.Media{FileID: "f"}))), claude("claude-opus-5"), "messages[0].content[1].file"},
		"office document":   {ask(user(media(neutral.FilePart, neutral.Media{Data: "UEsDBA==", MIME: "application/msword"}))), claude("claude-opus-5"), "messages[0].content[1].file"},
		"broken text":       {ask(user(media(neutral.FilePart, neutral.Media{Data: "!", MIME: "text/plain"}))), claude("claude-opus-5"), "messages[0].content[1].file"},
		"foreign part":      {ask(user(neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Responses})), claude("claude-opus-5"), "messages[0].content[1]"},
		"image in system":   {ask(messages(say(neutral.System, media(neutral.ImagePart, neutral.Media{Data: "/9j/"})))), claude("claude-opus-5"), "messages[0].content[0]"},
		"image in a result": {ask(messages(say(neutral.ToolRole, result("c", media(neutral.ImagePart, neutral.Media{URL: "http://a.example"}))))), claude("claude-opus-5"), "messages[0].content[0].image_url"},
		"prefill":           {ask(messages(plain(neutral.User, "a"), plain(neutral.Assistant, "b"))), claude("claude-opus-4-6"), "messages[1]"},
		"URL on Bedrock": {
			ask(user(media(neutral.ImagePart, neutral.Media{URL: "https://a.example"}))), dialect.Target{Model: "anthropic.claude-opus-5", Quirks: dialect.Quirks{NoImageURLs: true}}, "messages[0].content[1].image_url",
		},
		"no images at all": {
			ask(user(media(neutral.ImagePart, neutral.Media{Data: "/9j/"}))), dialect.Target{Model: "m", Quirks: dialect.Quirks{NoImages: true}}, "messages[0].content[1].image_url",
		},
		"no files at all": {
			ask(user(media(neutral.FilePart, neutral.Media{Data: "JVBERi0x"}))), dialect.Target{Model: "m", Quirks: dialect.Quirks{NoFiles: true}}, "messages[0].content[1].file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := anthropic.Messages{}.AppendRequest(nil, tc.request, tc.to)
			var unsupported *neutral.UnsupportedError
			if !errors.As(err, &unsupported) || unsupported.Field != tc.field || strings.TrimSpace(unsupported.Reason) == "" {
				t.Errorf("got %v, want an error about %s", err, tc.field)
			}
		})
	}
}

func TestParametersCross(t *testing.T) {
	effort := func(effort string) func(*neutral.Request) {
		return func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: effort} }
	}
	noLimit := func(r *neutral.Request) { r.MaxTokens = nil }
	hot := func(r *neutral.Request) { r.Temperature, r.TopP, r.TopK = "1.5", "0.9", "40" }
	looping := messages(plain(neutral.User, "Hi"), say(neutral.Assistant, call("c", "{}")), say(neutral.ToolRole, result("c", text("1"))))
	for name, tc := range map[string]struct {
		request *neutral.Request
		model   string
		want    string
		dropped []string
	}{
		"limit of the client":       {ask(), "claude-opus-5", `{"max_tokens":4000}`, nil},
		"limit beyond the model":    {ask(), "claude-3-haiku-20240307", `{"max_tokens":4000}`, nil},
		"limit cut to the model":    {ask(func(r *neutral.Request) { r.MaxTokens = ptr[int64](9000) }), "claude-3-haiku-20240307", `{"max_tokens":4096}`, []string{"max_tokens"}},
		"default of a new model":    {ask(noLimit), "claude-opus-5", `{"max_tokens":32000}`, nil},
		"default of an old model":   {ask(noLimit), "claude-3-5-sonnet-20240620", `{"max_tokens":8192}`, nil},
		"default of another vendor": {ask(noLimit), "kimi-k3", `{"max_tokens":8192}`, nil},

		"effort, adaptive":            {ask(effort("medium")), "claude-opus-5", `{"max_tokens":4000,"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"medium"}}`, nil},
		"effort, first adaptive":      {ask(effort("xhigh")), "claude-opus-4-6", `{"max_tokens":4000,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}`, nil},
		"least effort":                {ask(effort("minimal")), "claude-opus-5", `{"max_tokens":4000,"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}}`, nil},
		"effort, budget":              {ask(effort("high")), "claude-sonnet-4-5", `{"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":3200}}`, nil},
		"low effort, budget":          {ask(effort("low")), "claude-sonnet-4-5", `{"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":1024}}`, nil},
		"effort without a limit":      {ask(effort("xhigh"), noLimit), "claude-sonnet-4-5", `{"max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":30400}}`, nil},
		"no room to think":            {ask(effort("high"), func(r *neutral.Request) { r.MaxTokens = ptr[int64](1024) }), "claude-sonnet-4-5", `{"max_tokens":1024}`, []string{"reasoning"}},
		"a model that does not think": {ask(effort("high")), "claude-3-5-haiku-latest", `{"max_tokens":4000}`, []string{"reasoning"}},
		"budget":                      {ask(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{MaxTokens: ptr[int64](2000), Exclude: true} }), "claude-opus-4-6", `{"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000,"display":"omitted"}}`, nil},
		"budget above the limit":      {ask(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{MaxTokens: ptr[int64](9000)} }), "claude-opus-4", `{"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":3999}}`, nil},
		"budget makes room":           {ask(noLimit, func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{MaxTokens: ptr[int64](40000)} }), "claude-sonnet-4-5", `{"max_tokens":48192,"thinking":{"type":"enabled","budget_tokens":40000}}`, nil},
		"budget, adaptive":            {ask(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{MaxTokens: ptr[int64](2000), Exclude: true} }), "claude-opus-4-8", `{"max_tokens":4000,"thinking":{"type":"adaptive","display":"omitted"}}`, []string{"reasoning.max_tokens"}},
		"just think":                  {ask(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Enabled: ptr(true)} }), "claude-sonnet-4-5", `{"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000}}`, nil},
		"do not think":                {ask(effort("none")), "claude-opus-4-8", `{"max_tokens":4000}`, nil},
		"do not think, by itself":     {ask(effort("none")), "claude-opus-5", `{"max_tokens":4000,"thinking":{"type":"disabled"}}`, nil},
		"cannot but think":            {ask(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Enabled: ptr(false)} }), "claude-opus-5-5", `{"max_tokens":4000,"output_config":{"effort":"low"}}`, nil},
		"think between calls":         {ask(effort("none")), "claude-sonnet-5-5", `{"max_tokens":4000,"thinking":{"type":"between_tools"}}`, nil},
		"prefill or thinking":         {ask(effort("high"), messages(plain(neutral.User, "a"), plain(neutral.Assistant, "b"))), "claude-sonnet-4-5", `{"max_tokens":4000}`, []string{"reasoning"}},
		"unsealed loop":               {ask(effort("high"), looping), "claude-sonnet-4-5", `{"max_tokens":4000}`, []string{"reasoning"}},
		"unsealed loop, adaptive":     {ask(effort("high"), looping), "claude-opus-5", `{"max_tokens":4000,"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"high"}}`, nil},

		"sampling":                 {ask(hot), "claude-sonnet-4", `{"max_tokens":4000,"temperature":1,"top_p":0.9,"top_k":40}`, []string{"temperature"}},
		"one sampler":              {ask(hot), "claude-sonnet-4-5", `{"max_tokens":4000,"temperature":1,"top_k":40}`, []string{"temperature", "top_p"}},
		"no sampling":              {ask(hot), "claude-opus-4-7", `{"max_tokens":4000}`, []string{"temperature", "top_k", "top_p"}},
		"defaults of sampling":     {ask(func(r *neutral.Request) { r.Temperature, r.TopP, r.TopK = "1", "1.0", "0" }), "claude-opus-4-7", `{"max_tokens":4000}`, nil},
		"sampling with thinking":   {ask(hot, effort("high")), "claude-opus-4", `{"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":3200}}`, []string{"temperature", "top_k", "top_p"}},
		"high top_p with thinking": {ask(effort("high"), func(r *neutral.Request) { r.TopP = "0.98" }), "claude-opus-4", `{"max_tokens":4000,"top_p":0.98,"thinking":{"type":"enabled","budget_tokens":3200}}`, nil},
		"stops":                    {ask(func(r *neutral.Request) { r.Stop = []string{"END", " \n"} }), "claude-opus-5", `{"max_tokens":4000,"stop_sequences":["END"]}`, []string{"stop"}},
		"user and stream":          {ask(func(r *neutral.Request) { r.User, r.Stream = "u", true }), "claude-opus-5", `{"max_tokens":4000,"metadata":{"user_id":"u"},"stream":true}`, nil},
		"tiers":                    {ask(func(r *neutral.Request) { r.ServiceTier = "default" }), "claude-opus-5", `{"max_tokens":4000,"service_tier":"standard_only"}`, nil},
		"priority":                 {ask(func(r *neutral.Request) { r.ServiceTier = "priority" }), "claude-opus-5", `{"max_tokens":4000,"service_tier":"auto"}`, nil},
		"unknown tier":             {ask(func(r *neutral.Request) { r.ServiceTier = "flex" }), "claude-opus-5", `{"max_tokens":4000}`, []string{"service_tier"}},
		"cache":                    {ask(func(r *neutral.Request) { r.Cache = &neutral.CacheMark{TTL: "5m"} }), "claude-opus-5", `{"max_tokens":4000,"cache_control":{"type":"ephemeral","ttl":"5m"}}`, nil},
		"what the API does not have": {ask(func(r *neutral.Request) {
			r.FrequencyPenalty, r.PresencePenalty, r.RepetitionPenalty, r.Seed, r.MinP, r.TopA = "0.5", "0.0", "1.1", "7", "0.1", "0.2"
			r.LogitBias, r.Verbosity, r.PromptCacheKey, r.Metadata = json.RawMessage(`{"1":2}`), "low", "k", map[string]string{"a": "b"}
			r.Extra = []neutral.Member{{Name: "store", Value: json.RawMessage("false")}, {Name: "prediction", Value: json.RawMessage(`{"a":1}`)}, {Name: "stream_options", Value: json.RawMessage(`{"a":1}`)}}
		}), "claude-opus-5", `{"max_tokens":4000}`, []string{"frequency_penalty", "logit_bias", "metadata", "min_p", "prediction", "prompt_cache_key", "repetition_penalty", "seed", "top_a", "verbosity"}},
	} {
		t.Run(name, func(t *testing.T) {
			body, report, err := anthropic.Messages{}.AppendRequest(nil, tc.request, claude(tc.model))
			if err != nil {
				t.Fatal(err)
			}
			got := members(t, body, "max_tokens", "thinking", "output_config", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier", "cache_control", "stream", "store", "prediction")
			if diff := cmp.Diff(parsed(t, []byte(tc.want)), any(got)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHosts(t *testing.T) {
	set := func(version string) []neutral.Member {
		return []neutral.Member{{Name: "anthropic_version", Value: json.RawMessage(`"` + version + `"`)}}
	}
	vertex := dialect.Target{Model: "claude-opus-5", ModelInPath: true, Set: set("vertex-2023-10-16")}
	bedrock := dialect.Target{Model: "anthropic.claude-opus-5", ModelInPath: true, StreamInPath: true, Set: set("bedrock-2023-05-31"), Betas: []string{"a", "b"}}
	picky := dialect.Target{Model: "m", Quirks: dialect.Quirks{Refused: []string{"metadata"}}}
	strict := dialect.Target{Model: "m", Quirks: dialect.Quirks{Accepted: []string{"system", "stream", "metadata"}}}
	r := ask(func(r *neutral.Request) { r.Stream, r.ServiceTier, r.User, r.Stop = true, "flex", "u", []string{"END"} })
	for name, tc := range map[string]struct {
		to      dialect.Target
		want    string
		dropped []string
	}{
		"Vertex":  {vertex, `{"max_tokens":4000,"messages":[{"role":"user","content":"Hi"}],"stop_sequences":["END"],"metadata":{"user_id":"u"},"stream":true,"anthropic_version":"vertex-2023-10-16"}`, []string{"service_tier"}},
		"Bedrock": {bedrock, `{"max_tokens":4000,"messages":[{"role":"user","content":"Hi"}],"stop_sequences":["END"],"metadata":{"user_id":"u"},"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a","b"]}`, []string{"service_tier"}},
		"refused": {picky, `{"model":"m","max_tokens":4000,"messages":[{"role":"user","content":"Hi"}],"stop_sequences":["END"],"stream":true}`, []string{"metadata", "service_tier"}},
		"allowed": {strict, `{"model":"m","max_tokens":4000,"messages":[{"role":"user","content":"Hi"}],"metadata":{"user_id":"u"},"stream":true}`, []string{"service_tier", "stop_sequences"}},
	} {
		t.Run(name, func(t *testing.T) {
			body, report, err := anthropic.Messages{}.AppendRequest([]byte("before"), r, tc.to)
			if err != nil {
				t.Fatal(err)
			}
			if want := "before" + tc.want; string(body) != want {
				t.Error(cmp.Diff(want, string(body)))
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Error(diff)
			}
		})
	}
}
