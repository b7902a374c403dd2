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

func TestReadHead(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want dialect.Head
		code dialect.RequestCode
	}{
		"all":              {`{"model":"m","max_tokens":7,"stream":true}`, dialect.Head{Model: "m", Stream: true, IncludeUsage: true, MaxTokens: 7, N: 1, ModelAt: dialect.Patch{At: 9, End: 12}}, ""},
		"least":            {`{"model":"m"}`, dialect.Head{Model: "m", N: 1, ModelAt: dialect.Patch{At: 9, End: 12}}, ""},
		"nulls":            {`{"model":"m","stream":null,"max_tokens":null,"fallbacks":null}`, dialect.Head{Model: "m", N: 1, ModelAt: dialect.Patch{At: 9, End: 12}}, ""},
		"no fallbacks":     {`{"model":"m","fallbacks":[ ]}`, dialect.Head{Model: "m", N: 1, ModelAt: dialect.Patch{At: 9, End: 12}}, ""},
		"no model":         {`{}`, dialect.Head{}, dialect.CodeMissingParameter},
		"number as model":  {`{"model":1}`, dialect.Head{}, dialect.CodeInvalidType},
		"two models":       {`{"model":"a","model":"b"}`, dialect.Head{}, dialect.CodeDuplicateParameter},
		"capital model":    {`{"Model":"a"}`, dialect.Head{}, dialect.CodeInvalidValue},
		"stream as text":   {`{"model":"a","stream":"true"}`, dialect.Head{}, dialect.CodeInvalidType},
		"fallbacks":        {`{"fallbacks":[{"model":"b"},{"model":"a","x":null}],"model":"a"}`, dialect.Head{Model: "a", Alternatives: []string{"b"}, N: 1, ModelAt: dialect.Patch{At: 60, End: 63}}, ""},
		"steering":         {`{"model":"a","models":["c"],"fallbacks":[{"model":"b"}],"metadata":{"user_id":"u"},"session_id":"s","provider":{}}`, dialect.Head{Model: "a", Alternatives: []string{"c", "b"}, Preferences: []byte("{}"), Session: "s", User: "u", N: 1, ModelAt: dialect.Patch{At: 9, End: 12}}, ""},
		"odd metadata":     {`{"model":"a","metadata":[1]}`, dialect.Head{Model: "a", N: 1, ModelAt: dialect.Patch{At: 9, End: 12}}, ""},
		"fallback limits":  {`{"model":"a","fallbacks":[{"model":"b","max_tokens":5}]}`, dialect.Head{}, dialect.CodeUnsupportedParameter},
		"nameless":         {`{"model":"a","fallbacks":[{}]}`, dialect.Head{}, dialect.CodeMissingParameter},
		"plain fallbacks":  {`{"model":"a","fallbacks":["b"]}`, dialect.Head{}, dialect.CodeInvalidType},
		"one fallback":     {`{"model":"a","fallbacks":{"model":"b"}}`, dialect.Head{}, dialect.CodeInvalidType},
		"default fallback": {`{"model":"a","fallbacks":"default"}`, dialect.Head{}, dialect.CodeUnsupportedParameter},
		"no JSON":          {`{"model":"a"`, dialect.Head{}, dialect.CodeInvalidJSON},
		"a list":           {`[]`, dialect.Head{}, dialect.CodeInvalidJSON},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := anthropic.Messages{}.ReadHead([]byte(tc.body))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			var request *dialect.RequestError
			if errors.As(err, &request) != (tc.code != "") || request != nil && request.Code != tc.code {
				t.Errorf("got %v, want %q", err, tc.code)
			}
		})
	}
}

func TestReadRequestParameters(t *testing.T) {
	base := neutral.Request{Model: "m", N: 1, Source: neutral.Messages, Messages: []neutral.Message{plain(neutral.User, "a")}}
	with := func(modify func(*neutral.Request)) *neutral.Request {
		r := base
		modify(&r)
		return &r
	}
	for name, tc := range map[string]struct {
		members string
		want    *neutral.Request
	}{
		"nothing":          {``, &base},
		"nulls":            {`,"system":null,"tools":null,"thinking":null,"metadata":null,"output_config":null,"tool_choice":null,"temperature":null,"container":null`, &base},
		"sampling":         {`,"temperature":0.70,"top_p":1e-1,"top_k":40,"stop_sequences":["x"]`, with(func(r *neutral.Request) { r.Temperature, r.TopP, r.TopK, r.Stop = "0.70", "1e-1", "40", []string{"x"} })},
		"limit and stream": {`,"max_tokens":0,"stream":true`, with(func(r *neutral.Request) { r.MaxTokens, r.Stream, r.IncludeUsage = ptr[int64](0), true, true })},
		"budget": {`,"thinking":{"type":"enabled","budget_tokens":2048}`, with(func(r *neutral.Request) {
			r.Reasoning = &neutral.Reasoning{Enabled: ptr(true), MaxTokens: ptr[int64](2048)}
		})},
		"adaptive": {`,"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"low"}`, with(func(r *neutral.Request) {
			r.Reasoning = &neutral.Reasoning{Enabled: ptr(true), Adaptive: true, Exclude: true, Effort: "low"}
		})},
		"shown": {`,"thinking":{"type":"adaptive","display":"summarized"}`, with(func(r *neutral.Request) {
			r.Reasoning = &neutral.Reasoning{Enabled: ptr(true), Adaptive: true, Summary: "auto"}
		})},
		"disabled":     {`,"thinking":{"type":"disabled"}`, with(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Enabled: ptr(false)} })},
		"effort alone": {`,"output_config":{"effort":"max"}`, with(func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "max"} })},
		"format": {`,"output_config":{"format":{"type":"json_schema","schema":{"a":1}}}`, with(func(r *neutral.Request) {
			r.Format = neutral.Format{Kind: neutral.FormatJSONSchema, Schema: json.RawMessage(`{"a":1}`)}
		})},
		"format, older": {`,"output_format":{"type":"json_schema","schema":{"a":1}}`, with(func(r *neutral.Request) {
			r.Format = neutral.Format{Kind: neutral.FormatJSONSchema, Schema: json.RawMessage(`{"a":1}`)}
		})},
		"any":               {`,"tool_choice":{"type":"any","disable_parallel_tool_use":true}`, with(func(r *neutral.Request) { r.ToolChoice.Mode, r.ParallelToolCalls = neutral.ToolRequired, ptr(false) })},
		"one tool":          {`,"tool_choice":{"type":"tool","name":"f"}`, with(func(r *neutral.Request) { r.ToolChoice = neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "f"} })},
		"no tool":           {`,"tool_choice":{"type":"none"}`, with(func(r *neutral.Request) { r.ToolChoice.Mode = neutral.ToolNone })},
		"user, tier, cache": {`,"metadata":{"user_id":"u"},"service_tier":"auto","cache_control":{"type":"ephemeral","ttl":"1h"}`, with(func(r *neutral.Request) { r.User, r.ServiceTier, r.Cache = "u", "auto", &neutral.CacheMark{TTL: "1h"} })},
		"tools": {`,"tools":[{"type":"custom","name":"f","description":"d","input_schema":{"type":"object"},"strict":true,"defer_loading":true},{"type":"bash_20250124","name":"bash"}]`, with(func(r *neutral.Request) {
			r.Tools = []neutral.Tool{
				{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`), Strict: ptr(true), Extra: []neutral.Member{{Name: "defer_loading", Value: json.RawMessage("true")}}},
				{Name: "bash", Type: "bash_20250124", Raw: json.RawMessage(`{"type":"bash_20250124","name":"bash"}`)},
			}
		})},
		"the rest": {`,"thinking":{"type":"between_tools"},"output_config":{"task_budget":{"total":1}},"speed":"fast"`, with(func(r *neutral.Request) {
			r.Reasoning = &neutral.Reasoning{Enabled: ptr(false)}
			r.Extra = []neutral.Member{{Name: "thinking", Value: json.RawMessage(`{"type":"between_tools"}`)}, {Name: "output_config", Value: json.RawMessage(`{"task_budget":{"total":1}}`)}, {Name: "speed", Value: json.RawMessage(`"fast"`)}}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			got := readRequest(t, []byte(`{"model":"m","messages":[{"role":"user","content":"a"}]`+tc.members+`}`))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadConversation(t *testing.T) {
	tagged := neutral.TagSeal(neutral.OriginOpenAI, "#rs_1#enc")
	for name, tc := range map[string]struct {
		messages string
		want     []neutral.Message
	}{
		"results become messages of their own": {
			`{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"look","input":{"x": 1}}]},{"role":"user","content":[{"type":"text","text":"t"},{"type":"tool_result","tool_use_id":"a","content":"r","cache_control":{"type":"ephemeral"}},{"type":"tool_result","tool_use_id":"b","is_error":true}]}`,
			[]neutral.Message{
				say(neutral.Assistant, call("a", `{"x": 1}`)),
				say(neutral.ToolRole,
					neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "a", Name: "look", PlainText: true, Parts: []neutral.Part{text("r")}}, Cache: &neutral.CacheMark{}},
					neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: "b", Failed: true}}),
				say(neutral.User, text("t")),
			},
		},
		"nothing but results": {
			`{"role":"user","content":[{"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"r"}]}]}`,
			[]neutral.Message{say(neutral.ToolRole, result("b", text("r")))},
		},
		"thinking and its seals": {
			`{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"thinking","thinking":"u","signature":""},{"type":"redacted_thinking","data":"d"},` +
				`{"type":"thinking","thinking":"v","signature":"` + tagged + `"},{"type":"thinking","thinking":"w","signature":"` + neutral.TagSeal(neutral.OriginGemini, "g") + `"},` +
				`{"type":"redacted_thinking","data":"` + neutral.TagSeal(neutral.OriginGemini, "g") + `"},{"type":"redacted_thinking","data":"` + tagged + `"}]}`,
			[]neutral.Message{say(neutral.Assistant,
				thought(neutral.Thought{Text: "t", Signature: "s", Origin: neutral.OriginAnthropic}), thought(neutral.Thought{Text: "u"}),
				thought(neutral.Thought{Encrypted: "d", Origin: neutral.OriginAnthropic}), thought(neutral.Thought{ID: "rs_1", Text: "v", Encrypted: "enc", Origin: neutral.OriginOpenAI}),
				thought(neutral.Thought{Text: "w", Signature: "g", Origin: neutral.OriginGemini}), thought(neutral.Thought{Encrypted: "g", Origin: neutral.OriginGemini}),
				thought(neutral.Thought{ID: "rs_1", Encrypted: "enc", Origin: neutral.OriginOpenAI}))},
		},
		"data URLs are taken apart": {
			`{"role":"user","content":[{"type":"image","source":{"type":"url","url":"data:image/PNG;base64,AA=="}}]}`,
			[]neutral.Message{say(neutral.User, media(neutral.ImagePart, neutral.Media{Data: "AA==", MIME: "image/png"}))},
		},
		"a document of texts": {
			`{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},"title":"T","context":"C","citations":{"enabled":true}}]}`,
			[]neutral.Message{say(neutral.User, neutral.Part{
				Kind: neutral.FilePart, Media: &neutral.Media{Text: "a\n\nb", MIME: "text/plain", Name: "T", Context: "C", Citations: true},
				Extra: []neutral.Member{{Name: "source", Value: json.RawMessage(`{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`)}},
			})},
		},
		"what is unknown stays": {
			`{"role":"user","content":[{"type":"search_result","x":1},{"type":"image","source":{"type":"dream"}},{"type":"text","text":"a","mood":"b"}],"clear_at":3}`,
			[]neutral.Message{{
				Role: neutral.User, Extra: []neutral.Member{{Name: "clear_at", Value: json.RawMessage("3")}},
				Parts: []neutral.Part{
					{Kind: neutral.OpaquePart, Source: neutral.Messages, Type: "search_result", Raw: json.RawMessage(`{"type":"search_result","x":1}`)},
					{Kind: neutral.OpaquePart, Source: neutral.Messages, Type: "image", Raw: json.RawMessage(`{"type":"image","source":{"type":"dream"}}`)},
					{Kind: neutral.TextPart, Text: "a", Extra: []neutral.Member{{Name: "mood", Value: json.RawMessage(`"b"`)}}},
				},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := readRequest(t, []byte(`{"model":"m","messages":[`+tc.messages+`]}`))
			if diff := cmp.Diff(tc.want, got.Messages); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRequestCannotBeRead(t *testing.T) {
	const secret = "SECRET"
	for name, tc := range map[string]struct{ members, param string }{
		"no messages":         {``, "messages"},
		"empty messages":      {`,"messages":[]`, "messages"},
		"messages as object":  {`,"messages":{}`, "messages"},
		"message as text":     {`,"messages":["SECRET"]`, "messages[0]"},
		"unknown role":        {`,"messages":[{"role":"SECRET","content":"a"}]`, "messages[0].role"},
		"role of another API": {`,"messages":[{"role":"tool","content":"a"}]`, "messages[0].role"},
		"no content":          {`,"messages":[{"role":"user"}]`, "messages[0].content"},
		"content as number":   {`,"messages":[{"role":"user","content":1}]`, "messages[0].content"},
		"block as text":       {`,"messages":[{"role":"user","content":["SECRET"]}]`, "messages[0].content[0]"},
		"text as number":      {`,"messages":[{"role":"user","content":[{"type":"text","text":5}]}]`, "messages[0].content[0].text"},
		"type as number":      {`,"messages":[{"role":"user","content":[{"type":5}]}]`, "messages[0].content[0].type"},
		"no source":           {`,"messages":[{"role":"user","content":[{"type":"image"}]}]`, "messages[0].content[0].source"},
		"no source of a file": {`,"messages":[{"role":"user","content":[{"type":"document","source":"SECRET"}]}]`, "messages[0].content[0].source"},
		"odd citations":       {`,"messages":[{"role":"user","content":[{"type":"document","citations":1,"source":{"type":"text","data":"a"}}]}]`, "messages[0].content[0].citations"},
		"odd result":          {`,"messages":[{"role":"user","content":[{"type":"tool_result","content":[1]}]}]`, "messages[0].content[0].content[0]"},
		"odd input of a call": {`,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":"SECRET"}]}]`, "messages[0].content[0].input"},
		"odd system":          {`,"messages":[{"role":"user","content":"a"}],"system":5`, "system"},
		"odd tool":            {`,"messages":[{"role":"user","content":"a"}],"tools":[5]`, "tools[0]"},
		"odd strictness":      {`,"messages":[{"role":"user","content":"a"}],"tools":[{"name":"a","strict":"SECRET"}]`, "tools[0].strict"},
		"odd choice":          {`,"messages":[{"role":"user","content":"a"}],"tool_choice":"auto"`, "tool_choice"},
		"odd thinking":        {`,"messages":[{"role":"user","content":"a"}],"thinking":true`, "thinking"},
		"odd budget":          {`,"messages":[{"role":"user","content":"a"}],"thinking":{"type":"enabled","budget_tokens":"SECRET"}`, "thinking.budget_tokens"},
		"odd output":          {`,"messages":[{"role":"user","content":"a"}],"output_config":[]`, "output_config"},
		"odd format":          {`,"messages":[{"role":"user","content":"a"}],"output_config":{"format":5}`, "output_config.format"},
		"no schema":           {`,"messages":[{"role":"user","content":"a"}],"output_config":{"format":{"type":"json_schema"}}`, "output_config.format.schema"},
		"odd older format":    {`,"messages":[{"role":"user","content":"a"}],"output_format":"SECRET"`, "output_format"},
		"odd metadata":        {`,"messages":[{"role":"user","content":"a"}],"metadata":5`, "metadata"},
		"odd limit":           {`,"messages":[{"role":"user","content":"a"}],"max_tokens":1.5`, "max_tokens"},
		"odd temperature":     {`,"messages":[{"role":"user","content":"a"}],"temperature":"SECRET"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(`{"model":"m"` + tc.members + `}`)
			head, err := anthropic.Messages{}.ReadHead(body)
			if err != nil {
				t.Fatal(err)
			}
			_, err = anthropic.Messages{}.ReadRequest(body, head)
			var request *dialect.RequestError
			if !errors.As(err, &request) || request.Param != tc.param || strings.Contains(request.Message, secret) {
				t.Errorf("got %#v, want an error about %q", err, tc.param)
			}
		})
	}
}
