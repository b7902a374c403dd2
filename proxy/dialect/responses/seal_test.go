package responses_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// TestThoughtsReturn sends thoughts of every provider to a client, whole and streamed, and has the client send them back as they are, or without the text
// that it may leave out: they must come back as they went, and only to whom they belong.
func TestThoughtsReturn(t *testing.T) {
	for name, thought := range map[string]neutral.Thought{
		"Anthropic, signed":   {Text: "Hmm: ü\n", Signature: "a+/b==", Origin: neutral.OriginAnthropic},
		"Anthropic, redacted": {Encrypted: "EmwKAhgB", Origin: neutral.OriginAnthropic},
		"Gemini":              {Encrypted: "gem", Origin: neutral.OriginGemini},
		"xAI":                 {Summary: []string{"S", "T"}, Encrypted: "x", Origin: neutral.OriginXAI},
		"OpenAI":              {Summary: []string{"S"}, Encrypted: "o", Origin: neutral.OriginOpenAI},
		"open":                {Text: "open"},
	} {
		t.Run(name, func(t *testing.T) {
			for way, output := range map[string]json.RawMessage{"whole": wholeOutput(t, thought), "streamed": streamedOutput(t, thought), "without text": withoutContent(t, wholeOutput(t, thought))} {
				if way == "without text" && !thought.Sealed() {
					continue
				}
				body := `{"model":"m","input":` + string(output) + `}`
				parts := request(t, body).Messages[0].Parts
				if diff := cmp.Diff(&thought, parts[0].Thought, cmpopts.IgnoreFields(neutral.Thought{}, "ID")); diff != "" || parts[1].Call == nil {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
				checkNeighbours(t, body, thought)
			}
		})
	}
}

// checkNeighbours checks that a thought does not pass to a target that cannot read it.
func checkNeighbours(t *testing.T, body string, thought neutral.Thought) {
	t.Helper()
	for _, origin := range []neutral.Origin{neutral.OriginOpenAI, neutral.OriginAzure, neutral.OriginXAI, neutral.NoOrigin} {
		passed, report, err := codec.AppendPassed(nil, []byte(body), dialect.Head{}, dialect.Target{Model: "m", Origin: origin})
		if err != nil {
			t.Fatal(err)
		}
		kept := len(request(t, string(passed)).Messages[0].Parts) == 2
		keeper := origin == neutral.OriginOpenAI || origin == neutral.OriginAzure
		want := !thought.Sealed() && !keeper || thought.Origin == origin && thought.Encrypted != ""
		if reported := len(report.Dropped) == 1; kept != want || reported != (thought.Sealed() && !kept) {
			t.Errorf("to %q: kept %v, dropped %v", origin, kept, report.Dropped)
		}
	}
}

var call = neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c", Name: "f", Arguments: "{}"}}

func wholeOutput(t *testing.T, thought neutral.Thought) json.RawMessage {
	t.Helper()
	r := &neutral.Response{Choices: []neutral.Choice{{Parts: []neutral.Part{{Kind: neutral.ReasoningPart, Thought: &thought}, call}}}}
	return outputOf(t, codec.AppendResponse(nil, r, plainExchange()))
}

func streamedOutput(t *testing.T, thought neutral.Thought) json.RawMessage {
	t.Helper()
	deltas := make([]neutral.Delta, 0, len(thought.Summary)+2)
	for i, paragraph := range thought.Summary {
		deltas = append(deltas, neutral.Delta{Text: paragraph, Summary: true, SummaryIndex: i})
	}
	deltas = append(deltas, neutral.Delta{Text: thought.Text}, neutral.Delta{Signature: thought.Signature, Encrypted: thought.Encrypted, Origin: thought.Origin})
	events := newStream().part(neutral.Part{Kind: neutral.ReasoningPart}, deltas...).part(call).end(neutral.FinishToolCalls)
	return outputOf(t, lastResponse(t, writeStream(t, plainExchange(), events)))
}

func outputOf(t *testing.T, response []byte) json.RawMessage {
	t.Helper()
	var r struct {
		Output json.RawMessage `json:"output"`
	}
	if err := json.Unmarshal(response, &r); err != nil {
		t.Fatal(err)
	}
	return r.Output
}

// withoutContent leaves out what some clients do not keep.
func withoutContent(t *testing.T, output json.RawMessage) json.RawMessage {
	t.Helper()
	var items []map[string]json.RawMessage
	if err := json.Unmarshal(output, &items); err != nil {
		t.Fatal(err)
	}
	delete(items[0], "content")
	text, err := json.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
