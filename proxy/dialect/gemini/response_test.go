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
	"signalbox.dev/signalbox/proxy/meter"
)

func TestReadResponse(t *testing.T) {
	candidate := func(parts, more string) string {
		return `{"candidates":[{"content":{"role":"model","parts":[` + parts + `]}` + more + `}]}`
	}
	choice := func(finish neutral.Finish, native string, parts ...neutral.Part) neutral.Response {
		return neutral.Response{Choices: []neutral.Choice{{Parts: parts, Finish: finish, Native: native}}}
	}
	seal := func(id, seal string) neutral.Part {
		return thoughtPart(neutral.Thought{ID: id, Encrypted: seal, Origin: neutral.OriginGemini})
	}
	for name, tc := range map[string]struct {
		body string
		want neutral.Response
	}{
		"whole": {
			` {"candidates":[{"content":{"parts":[{"text":"a"},{"text":"b"}],"role":"model"},"finishReason":"STOP","avgLogprobs":-0.1,"safetyRatings":[]}],
				"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":4,"thoughtsTokenCount":6,"totalTokenCount":20,"cachedContentTokenCount":3,"trafficType":"ON_DEMAND",
				"promptTokensDetails":[{"modality":"AUDIO","tokenCount":2},{"modality":"TEXT","tokenCount":8}]},
				"modelVersion":"gemini-2.5-flash","createTime":"2026-01-02T03:04:05Z","responseId":"r"} `,
			neutral.Response{
				ID: "r", Model: "gemini-2.5-flash", Created: 1767323045,
				Choices: []neutral.Choice{{Parts: []neutral.Part{textPart("a"), textPart("b")}, Finish: neutral.FinishStop, Native: "STOP"}},
				Usage:   &meter.Usage{Prompt: 10, Cached: 3, PromptAudio: 2, Completion: 10, Reasoning: 6},
			},
		},
		"thinking and calls": {
			candidate(`{"text":"Hm","thought":true},{"text":"I look","thoughtSignature":"czE="},{"functionCall":{"id":"i","name":"f","args":{"a": 1}},"thoughtSignature":"czI="},
				{"functionCall":{"id":"j","name":"g"}},{"text":"","thoughtSignature":"czM="},{"text":"S","thought":true,"thoughtSignature":"czQ="},{"text":""},{"thought":true}`, `,"finishReason":"STOP"`),
			choice(neutral.FinishToolCalls, "STOP",
				thoughtPart(neutral.Thought{Text: "Hm"}), seal("", "czE="), textPart("I look"), seal("i", "czI="), callPart("i", "f", `{"a": 1}`), callPart("j", "g", "{}"), seal("", "czM="),
				thoughtPart(neutral.Thought{Text: "S", Signature: "czQ=", Origin: neutral.OriginGemini})),
		},
		"code and images": {
			candidate(`{"executableCode":{"code":"1"}},{"inlineData":{"mimeType":"image/png","data":"aQ=="}}`, `,"finishReason":"MAX_TOKENS"`),
			choice(neutral.FinishLength, "MAX_TOKENS",
				neutral.Part{Kind: neutral.OpaquePart, Source: neutral.GenerateContent, Type: "executableCode", Raw: json.RawMessage(`{"executableCode":{"code":"1"}}`)},
				mediaPart(neutral.ImagePart, neutral.Media{MIME: "image/png", Data: "aQ=="})),
		},
		"blocked":     {`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{}}`, choice(neutral.FinishContentFilter, "SAFETY")},
		"no content":  {`{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}`, choice(neutral.FinishError, "MALFORMED_FUNCTION_CALL")},
		"unspecified": {candidate(`{"functionCall":{"id":"i","name":"f"}},{"functionCall":{}}`, ""), choice(neutral.FinishToolCalls, "", callPart("i", "f", "{}"))},
		"new reason":  {candidate(``, `,"finishReason":"BORED"`), choice(neutral.FinishStop, "BORED")},
		"cut citation of a document": {
			candidate(`{"text":"Hm","thought":true},{"text":"Zürich ist"},{"text":" schön."}`, `,"finishReason":"STOP","groundingMetadata":{
				"groundingChunks":[{"web":{"uri":"https://a.example","title":"A"}},{"retrievedContext":{"title":"D","uri":"gs://d"}},{"maps":{"uri":"https://maps.example"}},{}],
				"groundingSupports":[{"segment":{"partIndex":1,"endIndex":7,"text":"Zürich"},"groundingChunkIndices":[0,-1,9]},{"segment":{"partIndex":2,"startIndex":1,"endIndex":7,"text":"schön"},"groundingChunkIndices":[1]},
				{"segment":{"partIndex":2,"startIndex":5,"endIndex":99},"groundingChunkIndices":[3]}]},"citationMetadata":{"citations":[{"startIndex":1,"endIndex":3,"uri":"https://c.example"}]}`),
			choice(neutral.FinishStop, "STOP", thoughtPart(neutral.Thought{Text: "Hm"}),
				neutral.Part{Kind: neutral.TextPart, Text: "Zürich ist", Citations: []neutral.Citation{{URL: "https://a.example", Title: "A", CitedText: "Zürich", End: 6, Document: -1}}},
				neutral.Part{Kind: neutral.TextPart, Text: " schön.", Citations: []neutral.Citation{
					{URL: "gs://d", Title: "D", CitedText: "schön", Start: 11, End: 16, Document: -1}, {Document: -1}, {URL: "https://maps.example", Document: -1},
					{URL: "https://c.example", Start: 11, End: 13, Document: -1},
				}}),
		},
		"error": {
			`{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[]}}`,
			neutral.Response{Err: &neutral.Error{Status: 429, Message: "Quota exceeded", Type: "RESOURCE_EXHAUSTED", Code: "429", JSON: true}},
		},
		"odd error": {
			`{"error":{"code":1,"message":"x","status":"not a word"}}`,
			neutral.Response{Err: &neutral.Error{Message: "x", Code: "1", JSON: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := gemini.Generate{}.ReadResponse([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadResponseMakesIDs(t *testing.T) {
	got, err := gemini.Generate{}.ReadResponse([]byte(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"},"thoughtSignature":"cw=="},{"functionCall":{"name":"f"}}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	parts := got.Choices[0].Parts
	first, second := parts[1].Call.ID, parts[2].Call.ID
	if first == second || len(first) != 29 || !strings.HasPrefix(second, "call_") || parts[0].Thought.ID != first {
		t.Errorf("ids of calls are %q and %q, that of the seal is %q", first, second, parts[0].Thought.ID)
	}
}

func TestReadResponseErrors(t *testing.T) {
	for name, body := range map[string]string{
		"HTML": `<html></html>`, "empty": ``, "cut": `{"candidates":[`, "nothing": `{}`, "two": `{"candidates":[{}]}{}`, "not UTF-8": "{\"candidates\":[{\"x\":\"\xff\"}]}",
		"index": `{"candidates":[{"index":1e9}]}`, "pieces": `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"x"}]}}]}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gemini.Generate{}.ReadResponse([]byte(body))
			var problem *dialect.AnswerError
			if !errors.As(err, &problem) {
				t.Errorf("ReadResponse: %v, want an AnswerError", err)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for name, tc := range map[string]struct {
		metadata string
		want     *meter.Usage
	}{
		"nothing":                      {`{}`, nil},
		"null":                         {`null`, nil},
		"traffic only":                 {`{"trafficType":"ON_DEMAND"}`, nil},
		"no type":                      {`[1]`, nil},
		"prompt only":                  {`{"promptTokenCount":4,"totalTokenCount":4}`, &meter.Usage{Prompt: 4}},
		"hosted tools":                 {`{"promptTokenCount":4,"candidatesTokenCount":2,"toolUsePromptTokenCount":10,"totalTokenCount":16}`, &meter.Usage{Prompt: 14, Completion: 2}},
		"thinking told by the total":   {`{"promptTokenCount":4,"candidatesTokenCount":2,"totalTokenCount":16}`, &meter.Usage{Prompt: 4, Completion: 12}},
		"total only":                   {`{"totalTokenCount":16}`, &meter.Usage{Completion: 16}},
		"snake case":                   {`{"prompt_token_count":4,"candidates_token_count":2,"thoughts_token_count":1,"cached_content_token_count":3}`, &meter.Usage{Prompt: 4, Cached: 3, Completion: 3, Reasoning: 1}},
		"audio out":                    {`{"promptTokenCount":4,"candidatesTokenCount":9,"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":7},1,{"modality":"TEXT","tokenCount":2}]}`, &meter.Usage{Prompt: 4, Completion: 9, CompletionAudio: 7}},
		"more cached than prompt":      {`{"promptTokenCount":4,"cachedContentTokenCount":6}`, &meter.Usage{Prompt: 10, Cached: 6, Estimated: true}},
		"negative":                     {`{"promptTokenCount":-4,"candidatesTokenCount":2}`, &meter.Usage{Completion: 2, Estimated: true}},
		"fraction, null and too large": {`{"promptTokenCount":3.5,"cachedContentTokenCount":null,"candidatesTokenCount":1e30}`, &meter.Usage{Prompt: 4, Estimated: true}},
		"no number":                    {`{"promptTokenCount":"x"}`, &meter.Usage{Estimated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := gemini.Generate{}.ReadResponse([]byte(`{"candidates":[{}],"usageMetadata":` + tc.metadata + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.Usage); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteResponse(t *testing.T) {
	answer := &neutral.Response{
		ID: "msg_1", Model: "claude",
		Choices: []neutral.Choice{
			{
				Parts: []neutral.Part{
					thoughtPart(neutral.Thought{Text: "Hm", Signature: "sig", Origin: neutral.OriginAnthropic}), thoughtPart(neutral.Thought{Encrypted: "redacted", Origin: neutral.OriginAnthropic}),
					thoughtPart(neutral.Thought{ID: "rs", Summary: []string{"one", "two"}, Encrypted: "secret", Origin: neutral.OriginOpenAI}), thoughtPart(neutral.Thought{Text: "plain"}),
					thoughtPart(neutral.Thought{Encrypted: "b3du", Origin: neutral.OriginGemini}),
					{Kind: neutral.TextPart, Text: "Grüezi", Citations: []neutral.Citation{{URL: "https://a.example", Title: "A", CitedText: "üez", Start: 2, End: 5, Document: -1}, {URL: "https://b.example", CitedText: "üez", Start: 2, End: 5, Document: -1}}},
					{Kind: neutral.TextPart, Text: " wohl", Citations: []neutral.Citation{{URL: "https://a.example", Title: "A", CitedText: "wohl", Start: 7, End: 11, Document: -1}, {Title: "doc", CitedText: "x", Document: 0}, {Title: "doc", CitedText: "x", Start: 90, End: 99}}},
					thoughtPart(neutral.Thought{Text: "S", Signature: "czQ=", Origin: neutral.OriginGemini}),
					callPart("i", "f", `{"a":"b"}`), callPart("j", "g", ""), mediaPart(neutral.ImagePart, neutral.Media{Data: "aQ==", MIME: "image/png"}),
					{Kind: neutral.OpaquePart, Source: neutral.Messages, Raw: json.RawMessage(`{}`)},
				},
				Finish: neutral.FinishToolCalls,
			},
			{
				Parts:    []neutral.Part{{Kind: neutral.RefusalPart, Text: "No"}, callPart("k", "f", "[]"), thoughtPart(neutral.Thought{Encrypted: "ZW5k", Origin: neutral.OriginGemini})},
				Finish:   neutral.FinishStop,
				LogProbs: json.RawMessage(`{"content":[{"token":"N","logprob":-0.5,"bytes":[78],"top_logprobs":[{"token":"N","logprob":-0.5,"bytes":null}]},{"token":"o","logprob":-1,"bytes":null,"top_logprobs":[]}],"refusal":null}`),
			},
			{Finish: neutral.FinishContentFilter}, {Finish: neutral.FinishPause}, {Finish: neutral.FinishLength},
		},
		Usage: &meter.Usage{Prompt: 12, PromptAudio: 5, Cached: 2, Completion: 20, Reasoning: 8, CompletionAudio: 12},
	}
	golden(t, "written/response.json", indented(t, gemini.Generate{}.AppendResponse(nil, answer, dialect.Exchange{Model: "alias", ID: "call-1"})))
}

func TestWriteResponseNamesTheModel(t *testing.T) {
	for name, tc := range map[string]struct {
		call dialect.Exchange
		want string
	}{
		"upstream's": {dialect.Exchange{Model: "alias", UpstreamModel: "up", ID: "c"}, `{"candidates":[],"modelVersion":"up","responseId":"c"}`},
		"client's":   {dialect.Exchange{Model: "ali\"as", ID: "c"}, `{"candidates":[],"modelVersion":"ali\"as","responseId":"c"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(gemini.Generate{}.AppendResponse(nil, &neutral.Response{}, tc.call)); got != tc.want {
				t.Errorf("AppendResponse = %s, want %s", got, tc.want)
			}
		})
	}
}

// TestResponseRoundTrip reads answers, writes them and reads them again.
func TestResponseRoundTrip(t *testing.T) {
	for name, body := range inputs(t, "response", ".json") {
		t.Run(name, func(t *testing.T) {
			want, err := gemini.Generate{}.ReadResponse(body)
			if err != nil {
				t.Fatal(err)
			}
			written := gemini.Generate{}.AppendResponse(nil, want, dialect.Exchange{})
			golden(t, "response/"+name+".golden", indented(t, written))
			got, err := gemini.Generate{}.ReadResponse(written)
			if err != nil {
				t.Fatal(err)
			}
			want.Created, want.ServiceTier = 0, ""
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("read again (-want +got):\n%s", diff)
			}
		})
	}
}
