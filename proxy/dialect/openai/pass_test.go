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

// passCase is what becomes of a request on its way to a provider of the same API. The model is left out of body and want.
type passCase struct {
	to      dialect.Target
	body    string
	want    string
	dropped []string
}

func (tc passCase) check(t *testing.T) {
	t.Helper()
	body := `{"model":"chat"` + tc.body + `}`
	head, err := openai.Chat{}.ReadHead([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	tc.to.Model = "up"
	got, report, err := openai.Chat{}.AppendPassed([]byte("kept "), []byte(body), head, tc.to)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`kept {"model":"up"`+tc.want+`}`, string(got)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
}

// TestAppendPassedMembers edits members of the request.
func TestAppendPassedMembers(t *testing.T) {
	on := func(provider string) dialect.Target { return dialect.Target{Provider: provider} }
	with := func(q dialect.Quirks) dialect.Target { return dialect.Target{Provider: "Cerebras", Quirks: q} }
	for name, tc := range map[string]passCase{
		"langchain_groq elsewhere": {
			on("Mistral"), `,"n":1,"temperature":0.7,"service_tier":"on_demand","stop":null,"reasoning_format":null,"reasoning_effort":null`, `,"n":1,"temperature":0.7,"stop":null`, nil,
		},
		"Groq's own":            {on("OpenAI"), `,"reasoning_format":"parsed","search_settings":{"country":"pt"},"x":1,"include_reasoning":true,"documents":[{}]`, `,"x":1`, []string{"documents", "reasoning_format", "search_settings"}},
		"Groq's own at Groq":    {on("Groq"), `,"reasoning_format":"parsed","service_tier":"flex"`, `,"reasoning_format":"parsed","service_tier":"flex"`, nil},
		"OpenRouter's own":      {on("OpenAI"), `,"provider":{"order":["x"]},"a":1,"plugins":[{"id":"web"}],"route":"fallback","transforms":[],"usage":{"include":true}`, `,"a":1`, []string{"plugins"}},
		"at OpenRouter":         {on("OpenRouter"), `,"provider":{"order":["x"]},"reasoning":{"effort":"low"},"models":["a"],"session_id":"s","route":"fallback"`, `,"reasoning":{"effort":"low"},"session_id":"s"`, nil},
		"steering elsewhere":    {on("OpenAICompatible"), `,"provider":{"order":["x"]},"models":["a"],"a":1,"session_id":"s","prompt_cache_key":"k","user":"u","route":"fallback"`, `,"a":1,"prompt_cache_key":"k","user":"u"`, nil},
		"reasoning to effort":   {on("Groq"), `,"reasoning":{"effort":"minimal","exclude":true}`, `,"reasoning_effort":"low","include_reasoning":false`, nil},
		"effort beats it":       {on("OpenAI"), `,"reasoning":{"effort":"low"},"reasoning_effort":"high"`, `,"reasoning_effort":"high"`, nil},
		"budget to effort":      {on("OpenAI"), `,"reasoning":{"max_tokens":5000}`, `,"reasoning_effort":"medium"`, nil},
		"a switch":              {with(dialect.Quirks{ReasoningRequest: "thinking"}), `,"reasoning":{"effort":"low"},"x":1`, `,"x":1,"thinking":{"type":"enabled"}`, nil},
		"switched off":          {with(dialect.Quirks{ReasoningRequest: "thinking"}), `,"reasoning_effort":"none"`, `,"thinking":{"type":"disabled"}`, nil},
		"thinks not":            {with(dialect.Quirks{ReasoningRequest: "none"}), `,"reasoning_effort":"low"`, ``, []string{"reasoning_effort"}},
		"no thinking, refused":  {with(dialect.Quirks{ReasoningRequest: "none"}), `,"reasoning_effort":"none"`, ``, nil},
		"thinking elsewhere":    {on("OpenAI"), `,"thinking":{"type":"enabled","budget_tokens":100}`, `,"reasoning_effort":"low"`, nil},
		"a tier of another":     {on("Groq"), `,"service_tier":"priority"`, ``, []string{"service_tier"}},
		"an empty search":       {with(dialect.Quirks{Refused: []string{"web_search_options"}}), `,"web_search_options":null,"top_p":1`, `,"top_p":1`, nil},
		"refused":               {with(dialect.Quirks{Refused: []string{"seed", "user", "store"}}), `,"seed":1,"store":false,"user":"u","top_p":1`, `,"top_p":1`, []string{"seed", "user"}},
		"accepted":              {with(dialect.Quirks{Accepted: []string{"top_p"}}), `,"seed":1,"top_p":1,"logprobs":false,"n":1`, `,"top_p":1`, []string{"seed"}},
		"limit renamed":         {with(dialect.Quirks{MaxTokens: "max_tokens"}), `,"max_completion_tokens":5`, `,"max_tokens":5`, nil},
		"limit renamed back":    {with(dialect.Quirks{MaxTokens: "max_completion_tokens"}), `,"max_tokens":5`, `,"max_completion_tokens":5`, nil},
		"the newer limit":       {with(dialect.Quirks{MaxTokens: "max_tokens"}), `,"max_tokens":5,"max_completion_tokens":7`, `,"max_tokens":7`, nil},
		"one limit of the same": {with(dialect.Quirks{MaxTokens: "max_tokens"}), `,"max_completion_tokens":7,"max_tokens":7`, `,"max_tokens":7`, nil},
		"null limits":           {with(dialect.Quirks{MaxTokens: "max_tokens"}), `,"max_completion_tokens":null,"max_tokens":null`, ``, nil},
		"any tool":              {with(dialect.Quirks{RequiredToolAny: true}), `,"tool_choice":"required"`, `,"tool_choice":"any"`, nil},
		"a seed's name":         {with(dialect.Quirks{Seed: "random_seed", Accepted: []string{"random_seed"}}), `,"seed":7`, `,"random_seed":7`, nil},
		"sampling at OpenAI":    {on("OpenAI"), `,"top_k":40,"min_p":0.1,"repetition_penalty":1.1,"top_p":1`, `,"top_p":1`, []string{"min_p", "repetition_penalty", "top_k"}},
		"sampling elsewhere":    {on("OpenAICompatible"), `,"top_k":40,"min_p":0.1`, `,"top_k":40,"min_p":0.1`, nil},
		"effort refused":        {with(dialect.Quirks{Refused: []string{"reasoning_effort"}}), `,"reasoning":{"effort":"low"}`, ``, []string{"reasoning_effort"}},
		"no log probabilities":  {with(dialect.Quirks{NoLogProbs: true}), `,"logprobs":false,"top_logprobs":0,"x":1`, `,"x":1`, nil},
		"stream, quirky":        {with(dialect.Quirks{MaxTokens: "max_tokens"}), `,"stream":true`, `,"stream":true,"stream_options":{"include_usage":true}`, nil},
		"usage asked, quirky":   {with(dialect.Quirks{MaxTokens: "max_tokens"}), `,"stream_options":{"x":1},"stream":true`, `,"stream_options":{"include_usage":true,"x":1},"stream":true`, nil},
		"no usage, quirky":      {with(dialect.Quirks{NoStreamUsage: true, MaxTokens: "max_tokens"}), `,"stream_options":{"x":1},"stream":true`, `,"stream":true`, nil},
		"set":                   {dialect.Target{Set: []neutral.Member{{Name: "a", Value: json.RawMessage(`"x"`)}}}, `,"a":1,"b":2`, `,"b":2,"a":"x"`, nil},
		"stream in the path":    {dialect.Target{StreamInPath: true, Quirks: dialect.Quirks{NoStreamUsage: true}}, `,"stream":true`, ``, nil},
		"a schema in words": {
			with(dialect.Quirks{NoJSONSchema: true}), `,"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","schema":{"type":"object"}}}`,
			`,"messages":[{"role":"system","content":"Answer with nothing but one JSON object that follows this JSON schema (d):\n{\"type\":\"object\"}"},{"role":"user","content":"x"}],"response_format":{"type":"json_object"}`, nil,
		},
		"cache marks": {
			on("OpenAI"), `,"tools":[{"cache_control":{"type":"ephemeral"},"type":"function"}],"messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}],"cache_control":{}}],"cache_control":{"type":"ephemeral"}`,
			`,"tools":[{"type":"function"}],"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]`, []string{"cache_control"},
		},
		"cache marks at home": {on("OpenRouter"), `,"tools":[{"cache_control":{"type":"ephemeral"}}]`, `,"tools":[{"cache_control":{"type":"ephemeral"}}]`, nil},
		"a text about marks":  {on("OpenAI"), `,"messages":[{"role":"user","content":"say \"cache_control\" \"reasoning_details\" \"extra_content\" \"openrouter:\""}]`, `,"messages":[{"role":"user","content":"say \"cache_control\" \"reasoning_details\" \"extra_content\" \"openrouter:\""}]`, nil},
	} {
		t.Run(name, tc.check)
	}
}

// TestAppendPassedMessages edits messages.
func TestAppendPassedMessages(t *testing.T) {
	with := func(q dialect.Quirks) dialect.Target { return dialect.Target{Provider: "Cerebras", Quirks: q} }
	on := func(provider, model string) dialect.Target { return dialect.Target{Provider: provider, Model: model} }
	const details = `"reasoning_details":[{"type":"reasoning.text","text":"a","signature":"s","format":"anthropic-claude-v1"},{"type":"reasoning.text","text":"b"},{"type":"reasoning.encrypted","data":"k","format":"google-gemini-v1"},{"type":"reasoning.encrypted","data":"u","format":"unknown"}]`
	const call = `"tool_calls":[{"id":"call_1","extra_content":{"google":{"thought_signature":"s"}},"type":"function"}]`
	for name, tc := range map[string]passCase{
		"developer": {with(dialect.Quirks{NoDeveloper: true}), `{"role":"developer","content":"x"},{"role":"user","content":"developer"}`, `{"role":"system","content":"x"},{"role":"user","content":"developer"}`, nil},
		"members":   {with(dialect.Quirks{RefusedInMessages: []string{"name", "audio"}}), `{"name":"n","role":"user","audio":null,"content":"x"}`, `{"role":"user","content":"x"}`, []string{"name"}},
		"flattened": {
			with(dialect.Quirks{TextOnly: []neutral.Role{neutral.System, neutral.ToolRole}}),
			`{"role":"system","content":[{"type":"text","text":"a\n"},{"type":"text","text":"\u00e9"}]},{"content":[],"role":"tool","tool_call_id":"c"},{"role":"user","content":[{"type":"text","text":"u"}]}`,
			`{"role":"system","content":"a\n\né"},{"content":"","role":"tool","tool_call_id":"c"},{"role":"user","content":[{"type":"text","text":"u"}]}`, nil,
		},
		"thoughts refused":     {with(dialect.Quirks{RefusedInMessages: []string{"reasoning", "reasoning_content"}}), `{"role":"assistant","reasoning":"hm","content":"x","reasoning_content":"hm"}`, `{"role":"assistant","content":"x"}`, nil},
		"thoughts renamed":     {with(dialect.Quirks{RefusedInMessages: []string{"reasoning"}, ReasoningMember: "reasoning_content"}), `{"role":"assistant","reasoning":"hm","content":"x"}`, `{"role":"assistant","reasoning_content":"hm","content":"x"}`, nil},
		"escaped names":        {with(dialect.Quirks{RefusedInMessages: []string{"reasoning"}, ReasoningMember: "reasoning_content"}), `{"r\u006fle":"assistant","reasonin\u0067":"hm","content":"x"}`, `{"r\u006fle":"assistant","reasoning_content":"hm","content":"x"}`, nil},
		"thoughts there twice": {with(dialect.Quirks{RefusedInMessages: []string{"reasoning"}, ReasoningMember: "reasoning_content"}), `{"role":"assistant","reasoning":"hm","reasoning_content":"hm","content":"x"}`, `{"role":"assistant","reasoning_content":"hm","content":"x"}`, nil},
		"ids": {
			with(dialect.Quirks{ToolIDs: "mistral9"}), `{"role":"assistant","tool_calls":[{"id":"call_1"},{"id":"abcDEF012"}]},{"role":"tool","tool_call_id":"call_1"}`,
			`{"role":"assistant","tool_calls":[{"id":"jQncnSWM3"},{"id":"abcDEF012"}]},{"role":"tool","tool_call_id":"jQncnSWM3"}`, nil,
		},
		"seals nowhere":           {on("Groq", "m"), `{"role":"assistant",` + details + `,"content":"x"}`, `{"role":"assistant","content":"x"}`, []string{"reasoning"}},
		"no plain copy of a seal": {on("OpenAICompatible", "m"), `{"role":"assistant","reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","signature":"s","format":"anthropic-claude-v1"}],"content":"x"}`, `{"role":"assistant","content":"x"}`, []string{"reasoning"}},
		"nothing sealed":          {on("Groq", "m"), `{"role":"assistant","reasoning_details":[{"type":"reasoning.text","text":"b"}]}`, `{"role":"assistant"}`, nil},
		"a server of one's own":   {on("OpenAICompatible", "m"), `{"role":"assistant",` + details + `}`, `{"role":"assistant","reasoning_details":[{"type":"reasoning.text","text":"b"}]}`, []string{"reasoning"}},
		"OpenRouter, unknown":     {on("OpenRouter", "m"), `{"role":"assistant",` + details + `}`, `{"role":"assistant","reasoning_details":[{"type":"reasoning.text","text":"b"},{"type":"reasoning.encrypted","data":"u","format":"unknown"}]}`, []string{"reasoning"}},
		"Google's seal":           {on("Groq", "m"), `{"role":"assistant",` + call + `}`, `{"role":"assistant","tool_calls":[{"id":"call_1","type":"function"}]}`, []string{"reasoning"}},
		"Google's at Google":      {dialect.Target{Provider: "GoogleAI", Origin: neutral.OriginGemini}, `{"role":"assistant",` + call + `}`, `{"role":"assistant",` + call + `}`, nil},
		"no messages at all":      {with(dialect.Quirks{NoDeveloper: true}), `1,null,[],"x"`, `1,null,[],"x"`, nil},
	} {
		tc.body, tc.want = `,"messages":[`+tc.body+`]`, `,"messages":[`+tc.want+`]`
		t.Run(name, tc.check)
	}
}

// TestSealsAtOpenRouter sends back what the model behind OpenRouter can read and nothing else.
func TestSealsAtOpenRouter(t *testing.T) {
	body := []byte(`{"model":"chat","messages":[{"role":"assistant","reasoning_details":[{"data":"1","format":"anthropic-claude-v1"},{"data":"2","format":"google-gemini-v1"},{"data":"3","format":"openai-responses-v1"},{"data":"4","format":"xai-responses-v1"}]}]}`)
	head, err := openai.Chat{}.ReadHead(body)
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string][]string{
		"anthropic/claude-sonnet-4": {"1"}, "~google/gemini-flash-latest": {"2"}, "openai/gpt-5": {"3"}, "x-ai/grok-4": {"4"}, "meta-llama/llama": nil, "openrouter/auto": {"1", "2", "3", "4"},
	} {
		passed, report, err := openai.Chat{}.AppendPassed(nil, body, head, dialect.Target{Model: model, Provider: "OpenRouter"})
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Messages []struct {
				Details []struct{ Data string } `json:"reasoning_details"`
			}
		}
		if err := json.Unmarshal(passed, &got); err != nil {
			t.Fatal(err)
		}
		var sealed []string
		for _, d := range got.Messages[0].Details {
			sealed = append(sealed, d.Data)
		}
		if diff := cmp.Diff(want, sealed); diff != "" || (len(report.Dropped) > 0) != (len(want) < 4) {
			t.Errorf("%s: reported %v (-want +got):\n%s", model, report.Dropped, diff)
		}
	}
}

func TestAppendPassedRefuses(t *testing.T) {
	user := func(part string) string { return `,"messages":[{"role":"user","content":[` + part + `]}]` }
	for name, tc := range map[string]struct {
		to    dialect.Target
		body  string
		field string
	}{
		"n":                {dialect.Target{Quirks: dialect.Quirks{OneChoice: true}}, `,"n":2`, "n"},
		"n refused":        {dialect.Target{Quirks: dialect.Quirks{Refused: []string{"n"}}}, `,"n":2`, "n"},
		"logprobs":         {dialect.Target{Quirks: dialect.Quirks{NoLogProbs: true}}, `,"logprobs":true`, "logprobs"},
		"tools":            {dialect.Target{Quirks: dialect.Quirks{Refused: []string{"tools"}}}, `,"tools":[{}]`, "tools"},
		"sound":            {dialect.Target{Quirks: dialect.Quirks{Refused: []string{"modalities"}}}, `,"modalities":["text","audio"]`, "modalities"},
		"image by URL":     {dialect.Target{Quirks: dialect.Quirks{NoImageURLs: true}}, user(`{"type":"text"},{"type":"image_url","image_url":{"url":"https://e.x"}}`), "messages[0].content[1].image_url"},
		"image as string":  {dialect.Target{Quirks: dialect.Quirks{NoImageURLs: true}}, user(`{"type":"image_url","image_url":"https://e.x"}`), "messages[0].content[0].image_url"},
		"image":            {dialect.Target{Quirks: dialect.Quirks{NoImages: true}}, user(`{"type":"image_url"}`), "messages[0].content[0]"},
		"file":             {dialect.Target{Quirks: dialect.Quirks{NoFiles: true}}, user(`{"type":"file"}`), "messages[0].content[0]"},
		"audio":            {dialect.Target{Quirks: dialect.Quirks{NoAudio: true}}, user(`{"type":"input_audio"}`), "messages[0].content[0]"},
		"image in text":    {dialect.Target{Quirks: dialect.Quirks{TextOnly: []neutral.Role{neutral.User}}}, user(`{"type":"image_url"}`), "messages[0].content[0]"},
		"hosted tool":      {dialect.Target{Provider: "OpenAI"}, `,"tools":[{"type":"function"},{"type":"openrouter:web_search"}]`, "tools[1]"},
		"schema, no place": {dialect.Target{Quirks: dialect.Quirks{NoJSONSchema: true}}, `,"response_format":{"type":"json_schema","json_schema":{}}`, "response_format"},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(`{"model":"chat"` + tc.body + `}`)
			head, err := openai.Chat{}.ReadHead(body)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = openai.Chat{}.AppendPassed(nil, body, head, tc.to)
			var unsupported *neutral.UnsupportedError
			if !errors.As(err, &unsupported) || unsupported.Field != tc.field || unsupported.Reason == "" {
				t.Errorf("error %+v, want field %s", err, tc.field)
			}
		})
	}
	// What is sent as bytes passes where URLs do not.
	passCase{
		dialect.Target{Quirks: dialect.Quirks{NoImageURLs: true}}, user(`{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}`), user(`{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}`), nil,
	}.check(t)
}

// TestPlainPassed changes the model of requests that have little else.
func TestPlainPassed(t *testing.T) {
	for name, tc := range map[string]struct {
		api        neutral.API
		body, want string
	}{
		"images":             {neutral.ImageGenerations, `{"n":2,"model":"draw","stream":true}`, `{"n":2,"model":"up","stream":true}`},
		"speech":             {neutral.Speech, `{"model":"say","input":"x","stream_format":"sse"}`, `{"model":"up","input":"x","stream_format":"sse"}`},
		"moderation":         {neutral.Moderations, `{"model":"m","input":["x"]}`, `{"model":"up","input":["x"]}`},
		"no model":           {neutral.Moderations, ` { "input":"x"}`, `{"model":"up", "input":"x"}`},
		"no model, no input": {neutral.Moderations, `{ }`, `{"model":"up" }`},
	} {
		t.Run(name, func(t *testing.T) {
			codec := openai.Plain{API: tc.api}
			head, err := codec.ReadHead([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := codec.AppendPassed(nil, []byte(tc.body), head, dialect.Target{Model: "up"})
			if err != nil || string(got) != tc.want {
				t.Errorf("passed as %s, %v, want %s", got, err, tc.want)
			}
		})
	}
}
