package openai_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/meter"
)

// fullAnswer has everything that an answer can have.
const fullAnswer = `{"id":"c1","object":"chat.completion","created":1759396891,"model":"up-1","system_fingerprint":"fp","service_tier":"default","choices":[
 {"index":0,"message":{"role":"assistant","content":"Grüße 日本","refusal":null,"reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","signature":"sig","format":"anthropic-claude-v1","index":0},
   {"type":"reasoning.encrypted","data":"seal","format":"google-gemini-v1","id":"call_1","index":1}],
  "annotations":[{"type":"url_citation","url_citation":{"url":"https://e.x/","title":"E","start_index":0,"end_index":5}}],
  "images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}],
  "tool_calls":[{"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"a\":\"é\"}"}}]},
  "logprobs":{"content":[{"token":"x","logprob":-0.5,"bytes":null,"top_logprobs":[]}]},"finish_reason":"tool_calls","native_finish_reason":"tool_use"},
 {"index":1,"message":{"role":"assistant","content":null,"refusal":"No."},"finish_reason":"stop"}],
 "usage":{"prompt_tokens":10,"completion_tokens":8,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":3}}}`

// fullResponse is what fullAnswer says.
func fullResponse() *neutral.Response {
	citation := `{"type":"url_citation","url_citation":{"url":"https://e.x/","title":"E","start_index":0,"end_index":5}}`
	return &neutral.Response{
		ID: "c1", Model: "up-1", Created: 1759396891, SystemFingerprint: "fp", ServiceTier: "default",
		Usage: &meter.Usage{Prompt: 10, Cached: 4, CacheWrite: 2, Completion: 8, Reasoning: 3},
		Choices: []neutral.Choice{
			{
				Finish: neutral.FinishToolCalls, Native: "tool_use", LogProbs: json.RawMessage(`{"content":[{"token":"x","logprob":-0.5,"bytes":null,"top_logprobs":[]}]}`),
				Parts: []neutral.Part{
					{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "Hm", Signature: "sig", Origin: neutral.OriginAnthropic}},
					{Kind: neutral.TextPart, Text: "Grüße 日本", Citations: []neutral.Citation{{URL: "https://e.x/", Title: "E", End: 5, Document: -1, Source: neutral.ChatCompletions, Raw: json.RawMessage(citation)}}},
					{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Encrypted: "seal", Origin: neutral.OriginGemini}},
					{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "call_1", Name: "look", Arguments: `{"a":"é"}`}},
					{Kind: neutral.ImagePart, Media: &neutral.Media{MIME: "image/png", Data: "AAAA"}},
				},
			},
			{Finish: neutral.FinishRefusal, Native: "stop", Parts: []neutral.Part{{Kind: neutral.RefusalPart, Text: "No."}}},
		},
	}
}

func TestReadResponse(t *testing.T) {
	one := func(choice neutral.Choice) *neutral.Response {
		return &neutral.Response{Choices: []neutral.Choice{choice}}
	}
	text := func(text string) neutral.Part { return neutral.Part{Kind: neutral.TextPart, Text: text} }
	for name, tc := range map[string]struct {
		body string
		want *neutral.Response
	}{
		"everything": {fullAnswer, fullResponse()},
		"length":     {`{"choices":[{"message":{"content":"x"},"finish_reason":"length"}]}`, one(neutral.Choice{Finish: neutral.FinishLength, Native: "length", Parts: []neutral.Part{text("x")}})},
		"filter":     {`{"choices":[{"message":{"content":""},"finish_reason":"content_filter"}]}`, one(neutral.Choice{Finish: neutral.FinishContentFilter, Native: "content_filter"})},
		"null":       {`{"choices":[{"message":null,"finish_reason":null}]}`, one(neutral.Choice{Finish: neutral.FinishStop})},
		"stop although called": {
			`{"choices":[{"message":{"content":"","tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}}]},"finish_reason":"stop"}]}`,
			one(neutral.Choice{Finish: neutral.FinishToolCalls, Native: "stop", Parts: []neutral.Part{{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "a", Name: "f", Arguments: `{"x":1}`}}}}),
		},
		"thinking": {
			`{"choices":[{"message":{"reasoning_content":"hm","content":"x"}}]}`,
			one(neutral.Choice{Finish: neutral.FinishStop, Parts: []neutral.Part{{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "hm"}}, text("x")}}),
		},
		"Mistral's thinking": {
			`{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"text","text":"m"}]},{"type":"text","text":"x"}]}}]}`,
			one(neutral.Choice{Finish: neutral.FinishStop, Parts: []neutral.Part{{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "hm"}}, text("x")}}),
		},
		"sound": {
			`{"choices":[{"message":{"content":null,"audio":{"id":"a","data":"UklG","transcript":"hello"}}}]}`,
			one(neutral.Choice{Finish: neutral.FinishStop, Parts: []neutral.Part{text("hello"), {Kind: neutral.AudioPart, Media: &neutral.Media{Data: "UklG"}}}}),
		},
		"error": {
			`{"error":{"message":"gone","code":502},"usage":{"prompt_tokens":5}}`,
			&neutral.Response{Usage: &meter.Usage{Prompt: 5, Estimated: true}, Err: &neutral.Error{Message: "gone", Code: "502", JSON: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := openai.Chat{}.ReadResponse([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
	for _, body := range []string{"", "<html>", "[]", "{}", `{"choices":[]}`, `{"choices":5}`} {
		_, err := openai.Chat{}.ReadResponse([]byte(body))
		var problem *dialect.AnswerError
		if !errors.As(err, &problem) {
			t.Errorf("%q: error %v, want an AnswerError", body, err)
		}
	}
}

// TestMissingCallID gives a call without an id one of its own.
func TestMissingCallID(t *testing.T) {
	ids := map[string]bool{}
	for range 100 {
		got, err := openai.Chat{}.ReadResponse([]byte(`{"choices":[{"message":{"tool_calls":[{"function":{"name":"f"}},{"function":{"name":"g"}}]}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range got.Choices[0].Parts {
			ids[part.Call.ID] = true
			if !strings.HasPrefix(part.Call.ID, "call_") || len(part.Call.ID) != 29 {
				t.Errorf("id %q", part.Call.ID)
			}
		}
	}
	if len(ids) != 200 {
		t.Errorf("200 calls have %d ids", len(ids))
	}
}

// TestAppendResponse compares with golden files what all surfaces and flavors make of an answer.
func TestAppendResponse(t *testing.T) {
	legacy := exchange(dialect.OpenAIFlavor)
	legacy.Request = &neutral.Request{LegacyFunctions: true}
	quiet := exchange(dialect.OpenRouterFlavor)
	quiet.Request = &neutral.Request{Reasoning: &neutral.Reasoning{Exclude: true}}
	for name, tc := range map[string]struct {
		surface dialect.GenerationSurface
		call    dialect.Exchange
	}{
		"openai": {openai.Chat{}, exchange(dialect.OpenAIFlavor)}, "openrouter": {openai.Chat{}, exchange(dialect.OpenRouterFlavor)}, "groq": {openai.Chat{}, exchange(dialect.GroqFlavor)},
		"functions": {openai.Chat{}, legacy}, "excluded": {openai.Chat{}, quiet}, "text": {openai.Text{}, exchange(dialect.OpenAIFlavor)}, "text-openrouter": {openai.Text{}, exchange(dialect.OpenRouterFlavor)},
	} {
		t.Run(name, func(t *testing.T) {
			compareGolden(t, "answer-"+name+".json", string(tc.surface.AppendResponse(nil, fullResponse(), tc.call))+"\n")
		})
	}
}

// TestResponseRoundTrip reads what was written and gets the same answer.
// TestNoFingerprint: OpenRouter's own client library takes no answer without the member, and no chunk with null.
func TestNoFingerprint(t *testing.T) {
	const null = `,"system_fingerprint":null}`
	answer := neutral.Response{Choices: []neutral.Choice{{Finish: neutral.FinishStop}}}
	for _, surface := range []dialect.GenerationSurface{openai.Chat{}, openai.Text{}} {
		for _, flavor := range []dialect.Flavor{dialect.OpenAIFlavor, dialect.OpenRouterFlavor, dialect.GroqFlavor} {
			got := string(surface.AppendResponse(nil, &answer, exchange(flavor)))
			if strings.HasSuffix(got, null) != (flavor == dialect.OpenRouterFlavor) || strings.Contains(got, "fingerprint") != (flavor == dialect.OpenRouterFlavor) {
				t.Errorf("flavor %d: %s", flavor, got)
			}
			events := []neutral.Event{{Kind: neutral.EventStart}, {Kind: neutral.EventPartStart, Part: neutral.Part{Kind: neutral.TextPart, Text: "x"}}, {Kind: neutral.EventEnd}}
			if got := writeStream(surface, events, exchange(flavor)); strings.Contains(got, "fingerprint") || !strings.Contains(got, `"x"`) {
				t.Errorf("stream of flavor %d: %s", flavor, got)
			}
		}
	}
}

func TestResponseRoundTrip(t *testing.T) {
	written := openai.Chat{}.AppendResponse(nil, fullResponse(), exchange(dialect.OpenRouterFlavor))
	got, err := openai.Chat{}.ReadResponse(written)
	if err != nil {
		t.Fatal(err)
	}
	want := fullResponse()
	want.ID = "gen-01"
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(meter.Usage{}, "ReportedCost")); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// TestAnswersOfOthers writes what only other APIs say.
func TestAnswersOfOthers(t *testing.T) {
	part := func(part neutral.Part) []neutral.Part { return []neutral.Part{part} }
	for name, tc := range map[string]struct {
		choice  neutral.Choice
		message string
		finish  string
	}{
		"stop sequence":    {neutral.Choice{Finish: neutral.FinishStopSequence, Parts: part(neutral.Part{Kind: neutral.TextPart})}, `{"role":"assistant","content":"","refusal":null}`, "stop"},
		"refused":          {neutral.Choice{Finish: neutral.FinishRefusal}, `{"role":"assistant","content":null,"refusal":null}`, "content_filter"},
		"refusal":          {neutral.Choice{Finish: neutral.FinishRefusal, Parts: part(neutral.Part{Kind: neutral.RefusalPart, Text: "no"})}, `{"role":"assistant","content":null,"refusal":"no"}`, "stop"},
		"pause":            {neutral.Choice{Finish: neutral.FinishPause}, `{"role":"assistant","content":null,"refusal":null}`, "stop"},
		"error":            {neutral.Choice{Finish: neutral.FinishError}, `{"role":"assistant","content":null,"refusal":null}`, "error"},
		"opaque":           {neutral.Choice{Finish: neutral.FinishStop, Parts: part(neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Messages, Raw: json.RawMessage(`{}`)})}, `{"role":"assistant","content":null,"refusal":null}`, "stop"},
		"a cited document": {neutral.Choice{Finish: neutral.FinishStop, Parts: []neutral.Part{{Kind: neutral.TextPart, Text: "né "}, {Kind: neutral.TextPart, Text: "fact", Citations: []neutral.Citation{{Title: "D", CitedText: "f", Document: 1}}}}}, `{"role":"assistant","content":"né fact","refusal":null,"annotations":[{"type":"url_citation","url_citation":{"url":"#document-1","title":"D","content":"f","start_index":3,"end_index":7}}]}`, "stop"},
		"a summary": {
			neutral.Choice{Finish: neutral.FinishStop, Parts: part(neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: "rs", Summary: []string{"a", "b"}, Encrypted: "k", Origin: neutral.OriginOpenAI}})},
			`{"role":"assistant","content":null,"refusal":null,"reasoning_content":"a\n\nb","reasoning_details":[{"type":"reasoning.summary","summary":"a","id":"rs","format":"openai-responses-v1","index":0},` +
				`{"type":"reasoning.summary","summary":"b","id":"rs","format":"openai-responses-v1","index":1},{"type":"reasoning.encrypted","data":"k","id":"rs","format":"openai-responses-v1","index":2}]}`, "stop",
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := `{"id":"chatcmpl-1","object":"chat.completion","created":5,"model":"up","choices":[{"index":0,"message":` + tc.message + `,"logprobs":null,"finish_reason":"` + tc.finish + `"}]}`
			got := openai.Chat{}.AppendResponse(nil, &neutral.Response{Choices: []neutral.Choice{tc.choice}}, dialect.Exchange{ID: "1", Created: 5, UpstreamModel: "up"})
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}
