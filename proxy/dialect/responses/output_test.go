package responses_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

func TestAppendResponseGolden(t *testing.T) {
	timed := exchange(t)
	timed.Timing = func() dialect.Timing { return dialect.Timing{Queue: time.Second, Completion: 2 * time.Second} }
	cut := plainExchange()
	cut.Timing = timed.Timing
	usage := &meter.Usage{Prompt: 20, Cached: 5, Completion: 9}
	for name, tc := range map[string]struct {
		call     dialect.Exchange
		response neutral.Response
	}{
		"answer.json": {timed, neutral.Response{Model: "claude-x", ServiceTier: "priority", Usage: usage, Choices: []neutral.Choice{{Finish: neutral.FinishStop, Parts: []neutral.Part{
			{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "Hmm.", Signature: "sig==", Origin: neutral.OriginAnthropic}},
			{Kind: neutral.TextPart, Text: "Grüß", Citations: []neutral.Citation{citation}}, {Kind: neutral.TextPart, Text: " dich"}},
			LogProbs: json.RawMessage(`{"content":[{"token":"G","logprob":0,"bytes":[71],"top_logprobs":[]}],"refusal":null}`)}}}},
		"answer-tools.json": {plainExchange(), neutral.Response{Usage: usage, Choices: []neutral.Choice{{Finish: neutral.FinishToolCalls, Parts: []neutral.Part{
			{Kind: neutral.TextPart, Text: "Let me see."},
			{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Encrypted: "gem", Origin: neutral.OriginGemini}},
			{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c1", Name: "f", Arguments: `{"a":1}`}},
			{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c2", Name: "g"}},
			{Kind: neutral.AudioPart, Media: &neutral.Media{Data: "aGk="}},
			{Kind: neutral.ImagePart, Media: &neutral.Media{Data: "aGk="}}}}}}},
		"answer-cut.json":     {cut, neutral.Response{Choices: []neutral.Choice{{Finish: neutral.FinishLength, Parts: []neutral.Part{{Kind: neutral.TextPart, Text: "Half"}}}}}},
		"answer-refused.json": {plainExchange(), neutral.Response{Choices: []neutral.Choice{{Finish: neutral.FinishRefusal, Parts: []neutral.Part{{Kind: neutral.RefusalPart, Text: "No."}}}}}},
		"answer-held.json":    {plainExchange(), neutral.Response{Choices: []neutral.Choice{{Finish: neutral.FinishRefusal, Parts: []neutral.Part{{Kind: neutral.TextPart, Text: "Well"}}}}}},
		"answer-failed.json":  {plainExchange(), neutral.Response{Choices: []neutral.Choice{{Finish: neutral.FinishError}}}},
		"answer-empty.json":   {plainExchange(), neutral.Response{}},
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, []byte(indented(t, codec.AppendResponse(nil, &tc.response, tc.call))))
		})
	}
}

// TestStreamEndsWithTheAnswer compares what a stream ends with to the answer that is not streamed.
func TestStreamEndsWithTheAnswer(t *testing.T) {
	parts := []neutral.Part{
		{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "Hmm", Summary: []string{"S", "T"}, Encrypted: "enc", Origin: neutral.OriginXAI}},
		{Kind: neutral.TextPart, Text: "a", Citations: []neutral.Citation{citation}}, {Kind: neutral.RefusalPart, Text: "no"},
		{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c", Name: "f", Arguments: "{}"}},
		{Kind: neutral.OpaquePart, Source: neutral.Responses, Type: "web_search_call", Raw: []byte(`{"id":"ws","type":"web_search_call"}`)},
		{Kind: neutral.TextPart, Text: "b"},
	}
	for _, finish := range []neutral.Finish{neutral.FinishStop, neutral.FinishLength, neutral.FinishToolCalls, neutral.FinishPause} {
		s := newStream()
		for _, part := range parts {
			deltas := []neutral.Delta{{Text: part.Text}}
			if len(part.Citations) > 0 {
				deltas = append(deltas, neutral.Delta{Citation: &part.Citations[0]})
			}
			part.Text, part.Citations = "", nil
			s.part(part, deltas...)
		}
		events := s.end(finish)
		usage := events[len(events)-2].Usage
		call := exchange(t)
		want := codec.AppendResponse(nil, &neutral.Response{Model: "claude-x", Usage: &usage, Choices: []neutral.Choice{{Finish: finish, Parts: parts}}}, call)
		got := lastResponse(t, writeStream(t, call, events))
		if diff := cmp.Diff(canonical(t, want), canonical(t, got)); diff != "" {
			t.Errorf("%s (-answer +stream):\n%s", finish, diff)
		}
	}
}

// lastResponse is the response in the last event of a stream.
func lastResponse(t *testing.T, stream []byte) []byte {
	t.Helper()
	lines := splitLines(stream)
	var last struct {
		Response json.RawMessage `json:"response"`
	}
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil {
		t.Fatal(err)
	}
	return last.Response
}
