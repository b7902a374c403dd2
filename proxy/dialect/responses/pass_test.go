package responses_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

func TestAppendPassed(t *testing.T) {
	openAI := dialect.Target{Model: "up", Origin: neutral.OriginOpenAI}
	refusing := dialect.Target{Model: "up", Quirks: dialect.Quirks{Refused: []string{"store", "include", "truncation", "user"}}}
	azure := dialect.Target{Model: "up", ModelInPath: true, StreamInPath: true, Set: []neutral.Member{{Name: "x", Value: json.RawMessage("1")}, {Name: "user", Value: json.RawMessage(`"p"`)}}}
	for name, tc := range map[string]struct {
		body, want string
		to         dialect.Target
		dropped    []string
	}{
		"model and store": {body: `{ "model" : "chat" , "input":"hi","x":1.0e0}`, to: openAI, want: `{ "store":false,"model" : "up" , "input":"hi","x":1.0e0}`},
		"stored not":      {body: `{"model":"chat","store":false,"input":"hi"}`, to: openAI, want: `{"model":"up","store":false,"input":"hi"}`},
		"null store":      {body: `{"store":null,"model":"chat","input":"hi"}`, to: openAI, want: `{"store":false,"model":"up","input":"hi"}`},
		"same model":      {body: `{"store":false,"model":"chat"}`, want: `{"store":false,"model":"chat"}`},
		"refused":         {body: `{"user":"u","store":false,"include":["a"],"model":"chat","truncation":"disabled","input":"hi" , "user":null}`, to: refusing, want: `{"model":"up","input":"hi"}`, dropped: []string{"include", "user"}},
		"accepted":        {body: `{"model":"chat","input":"hi","stream":true,"top_p":1,"background":false}`, to: dialect.Target{Model: "up", Quirks: dialect.Quirks{Accepted: []string{}}}, want: `{"model":"up","input":"hi","stream":true}`, dropped: []string{"top_p"}},
		"in the address":  {body: `{"model":"chat","stream":true,"user":"u","input":"hi"}`, to: azure, want: `{"store":false,"x":1,"user":"p","input":"hi"}`},
		"nothing else":    {body: `{"model":"chat","stream":true}`, to: azure, want: `{"store":false,"x":1,"user":"p"}`},
		"own seal":        {body: `{"store":false,"model":"chat","input":[{"type":"reasoning","encrypted_content":"sb1:openai-responses-v1:a\/b"},{"role":"user"}]}`, to: openAI, want: `{"store":false,"model":"up","input":[{"type":"reasoning","encrypted_content":"a/b"},{"role":"user"}]}`},
		"bare seal":       {body: `{"store":false,"model":"chat","input":[{"type":"reasoning","encrypted_content":"abc"}, 5]}`, to: openAI, want: `{"store":false,"model":"up","input":[{"type":"reasoning","encrypted_content":"abc"}, 5]}`},
		"foreign seals":   {body: `{"store":false,"model":"chat","input":[{"type":"reasoning","encrypted_content":"sb1:a:b"} , {"role":"user"},{"encrypted_content":"sb1:a:b","type":"reasoning"}]}`, to: openAI, want: `{"store":false,"model":"up","input":[{"role":"user"}]}`, dropped: []string{"reasoning"}},
		"signed":          {body: `{"store":false,"model":"chat","input":[{"type":"reasoning","encrypted_content":"sb1:openai-responses-v1:signed:YQ==:s"}]}`, to: openAI, want: `{"store":false,"model":"up","input":[]}`, dropped: []string{"reasoning"}},
		"placed nowhere":  {body: `{"store":false,"model":"chat","input":[{"type":"reasoning","encrypted_content":"sb1:unknown:s"}]}`, to: dialect.Target{Model: "up", Origin: neutral.OriginUnknown}, want: `{"store":false,"model":"up","input":[]}`, dropped: []string{"reasoning"}},
		"no seal":         {body: `{"store":false,"model":"chat","input":[{"type":"reasoning","encrypted_content":null,"x":"sb1:"}, {"role":"user"}]}`, to: openAI, want: `{"store":false,"model":"up","input":[{"role":"user"}]}`},
		"no seals at all": {body: `{"store":false,"model":"chat","input":[{"type":"reasoning","encrypted_content":""}]}`, to: dialect.Target{Model: "up"}, want: `{"store":false,"model":"up","input":[{"type":"reasoning","encrypted_content":""}]}`},
		"foreign format":  {body: `{"store":false,"model":"chat","input":[{"type":"reasoning","encrypted_content":"a","format":"xai-responses-v1"}]}`, to: openAI, want: `{"store":false,"model":"up","input":[]}`, dropped: []string{"reasoning"}},
		"signatures": {body: `{"store":false,"model":"chat","input":[{"type":"reasoning","signature":"s","format":"anthropic-claude-v1"},{"type":"reasoning","signature":"s","format":"unknown"},{"type":"reasoning","signature":"s","format":"google-gemini-v1"}]}`,
			to:   dialect.Target{Model: "up", Origin: neutral.OriginGemini},
			want: `{"store":false,"model":"up","input":[{"type":"reasoning","signature":"s","format":"unknown"},{"type":"reasoning","signature":"s","format":"google-gemini-v1"}]}`, dropped: []string{"reasoning"}},
		"no signatures":    {body: `{"store":false,"model":"chat","input":[{"type":"reasoning","signature":"s"},{"type":"message","role":"user"}]}`, to: openAI, want: `{"store":false,"model":"up","input":[{"type":"message","role":"user"}]}`, dropped: []string{"reasoning"}},
		"seal in a prompt": {body: `{"store":false,"model":"chat","input":"encrypted_content sb1:a:b"}`, to: openAI, want: `{"store":false,"model":"up","input":"encrypted_content sb1:a:b"}`},
	} {
		t.Run(name, func(t *testing.T) {
			head := dialect.Head{}
			if name != "refused" { // It has a member twice, which is no matter of this function.
				var err error
				if head, err = codec.ReadHead([]byte(tc.body)); err != nil {
					t.Fatal(err)
				}
			}
			got, report, err := codec.AppendPassed([]byte("kept "), []byte(tc.body), head, tc.to)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != "kept "+tc.want {
				t.Errorf("passed as\n%s\nwant\nkept %s", got, tc.want)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppendPassedErrors(t *testing.T) {
	to := dialect.Target{Model: "up", Origin: neutral.OriginOpenAI}
	_, _, err := codec.AppendPassed(nil, []byte(`{"model":"m","input":[{"role":"user"},{"type":"item_reference","id":"x"}]}`), dialect.Head{}, to)
	if diff := cmp.Diff(refusal{dialect.CodeUnsupportedParameter, "input[1]"}, refusalOf(t, err)); diff != "" {
		t.Errorf("reference (-want +got):\n%s", diff)
	}
	_, _, err = codec.AppendPassed(nil, []byte(`{"model":"m","input":[{"type":"compaction","encrypted_content":"sb1:xai-responses-v1:a"}]}`), dialect.Head{}, to)
	var problem *neutral.UnsupportedError
	if !errors.As(err, &problem) || problem.Field != "input[0].encrypted_content" {
		t.Errorf("compaction of another provider: %v", err)
	}
	_, _, err = codec.AppendPassed(nil, []byte(`{"model":"m"`), dialect.Head{}, to)
	refusalOf(t, err)
}

func FuzzAppendPassed(f *testing.F) {
	for _, body := range roundTrips {
		f.Add([]byte(body), "up", uint8(0))
	}
	f.Add([]byte(`{"user":"u","model":"m","input":[{"type":"reasoning","encrypted_content":"sb1:a:b"},{}],"include":[]}`), "u\"p", uint8(3))
	f.Fuzz(func(t *testing.T, body []byte, model string, how uint8) {
		head, err := codec.ReadHead(body)
		if err != nil {
			refusalOf(t, err)
			return
		}
		to := dialect.Target{Model: model, Origin: neutral.OriginOpenAI, ModelInPath: how&1 != 0, StreamInPath: how&2 != 0}
		if how&4 != 0 {
			to.Quirks.Refused = []string{"store", "include", "user"}
		}
		if how&8 != 0 {
			to.Set = []neutral.Member{{Name: "user", Value: json.RawMessage(`"p"`)}}
		}
		passed, _, err := codec.AppendPassed(nil, body, head, to)
		if err != nil {
			return
		}
		checkPassed(t, body, passed, to)
	})
}

// checkPassed compares the members that nobody touches.
func checkPassed(t *testing.T, body, passed []byte, to dialect.Target) {
	t.Helper()
	var before, after map[string]json.RawMessage
	if err := json.Unmarshal(body, &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(passed, &after); err != nil {
		t.Fatalf("%q passes as %q: %v", body, passed, err)
	}
	for _, members := range []map[string]json.RawMessage{before, after} {
		for _, name := range []string{"model", "stream", "store", "input", "include", "user", "models", "provider", "route", "session_id"} {
			delete(members, name)
		}
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Fatalf("%q to %+v (-want +got):\n%s", body, to, diff)
	}
}

func TestPassedAnswer(t *testing.T) {
	body := `{"status":"completed","output":[{"type":"reasoning","summary":[],"encrypted_content":"a\/b"},{"type":"message","content":[{"type":"output_text","text":"\"encrypted_content\":\"x\"","annotations":[]}],"encrypted_content":null},{"type":"compaction","encrypted_content":"sb1:openai-responses-v1:kept"},{"type":"reasoning","encrypted_content":"","format":"xai-responses-v1"}],"usage":{"input_tokens":3,"output_tokens":2},"encrypted_content":"top"}`
	for origin, want := range map[neutral.Origin]string{neutral.OriginAzure: `"sb1:azure-openai-responses-v1:a/b"`, neutral.NoOrigin: `"sb1:unknown:a/b"`} {
		answer, err := codec.ReadPassed([]byte(body), dialect.Exchange{Origin: origin})
		if err != nil {
			t.Fatal(err)
		}
		used := answer.Settle(10)
		if used.Prompt != 3 || used.Completion != 2 || answer.Failure() != nil {
			t.Errorf("usage %+v, failure %v", used, answer.Failure())
		}
		if got := string(answer.Body(used)); got != strings.Replace(body, `"a\/b"`, want, 1) {
			t.Errorf("%s: %s", origin, got)
		}
	}
	if _, err := codec.ReadPassed([]byte("<html>"), dialect.Exchange{}); err == nil {
		t.Error("HTML passes")
	}
}

// TestPassedAnswerIsComplete: OpenRouter's own client library wants members that not all providers send.
func TestPassedAnswerIsComplete(t *testing.T) {
	const rest = `"output":[{"type":"reasoning","summary":[],"encrypted_content":"a"}],"status":"completed"`
	const message = `"output":[{"type":"message","content":[{"type":"output_text","text":"hi","annotations":[]}]}],"status":"completed"`
	const all = `"completed_at":1,"error":null,"frequency_penalty":0.5,"incomplete_details":null,"instructions":"i","metadata":{},"parallel_tool_calls":false,"presence_penalty":0,"temperature":1,"tool_choice":"none","tools":[],"top_p":1`
	const nulls = `"completed_at":null,"error":null,"frequency_penalty":null,"incomplete_details":null,"instructions":null,"metadata":null,"parallel_tool_calls":true,"presence_penalty":null,"temperature":null,"tool_choice":"auto","tools":[],"top_p":null`
	for name, tc := range map[string]struct {
		call       dialect.Exchange
		body, want string
	}{
		"nothing of it":   {dialect.Exchange{Flavor: dialect.OpenRouterFlavor, Provider: "Groq"}, ` {` + rest + `}`, ` {` + nulls + `,` + rest + `}`},
		"some":            {dialect.Exchange{Flavor: dialect.OpenRouterFlavor}, `{"t\u006fols":[],` + rest + `,"top_p":1}`, `{` + strings.NewReplacer(`,"tools":[],"top_p":null`, "").Replace(nulls) + `,"t\u006fols":[],` + rest + `,"top_p":1}`},
		"all":             {dialect.Exchange{Flavor: dialect.OpenRouterFlavor}, `{` + all + `,` + rest + `}`, `{` + all + `,` + rest + `}`},
		"no seal":         {dialect.Exchange{Flavor: dialect.OpenRouterFlavor}, `{` + message + `}`, `{` + nulls + `,` + message + `}`},
		"from OpenRouter": {dialect.Exchange{Flavor: dialect.OpenRouterFlavor, Provider: "OpenRouter"}, `{` + rest + `}`, `{` + rest + `}`},
		"for OpenAI":      {dialect.Exchange{}, `{` + rest + `}`, `{` + rest + `}`},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := codec.ReadPassed([]byte(tc.body), tc.call)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(tc.want, `"a"`, `"sb1:unknown:a"`, 1)
			if diff := cmp.Diff(want, string(answer.Body(answer.Settle(10)))); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			const event = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":"
			for way, source := range splits(event + tc.body + "}\n\n" + frames(textDelta)) {
				got, _ := passStream(t, codec.NewPassedStream(tc.call), source)
				if diff := cmp.Diff(event+want+"}\n\n"+frames(textDelta), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

// passStream passes a stream and returns what the client gets, and the kinds of steps.
func passStream(t *testing.T, stream dialect.Stream, source io.Reader) (string, []dialect.StepKind) {
	t.Helper()
	var out bytes.Buffer
	var kinds []dialect.StepKind
	frames := sse.NewReader(source, 0)
	for {
		event, err := frames.Next()
		if errors.Is(err, io.EOF) {
			return out.String(), kinds
		}
		if err != nil {
			t.Fatal(err)
		}
		step, err := stream.Next(event)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(step.Output)
		kinds = append(kinds, step.Kind)
	}
}

func TestPassedStream(t *testing.T) {
	const sealed = "event: response.output_item.done\ndata: " + thoughtDone + "\n\n"
	final := strings.Replace(completed, `"output":[]`, `"output":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"enc"}]`, 1)
	lines := "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\ndata: \"output_index\":7,\"item\":{\"type\":\"compaction\",\"encrypted_content\":\"c\"}}\n\n"
	stream := "event: response.created\ndata: " + created + "\n\n" + sealed + frames(textDelta, itemDone, callAdded) + lines + frames(final)
	want := strings.NewReplacer(`"enc"`, `"sb1:xai-responses-v1:enc"`, lines, "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\", \"output_index\":7,\"item\":{\"type\":\"compaction\",\"encrypted_content\":\"sb1:xai-responses-v1:c\"}}\n\n").Replace(stream)
	wantKinds := []dialect.StepKind{dialect.StepChunk, dialect.StepToken, dialect.StepToken, dialect.StepChunk, dialect.StepToken, dialect.StepChunk, dialect.StepDone}
	for way, source := range splits(stream) {
		passed := codec.NewPassedStream(dialect.Exchange{Origin: neutral.OriginXAI})
		got, kinds := passStream(t, passed, source)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", way, diff)
		}
		if diff := cmp.Diff(wantKinds, kinds); diff != "" {
			t.Errorf("%s: steps (-want +got):\n%s", way, diff)
		}
		if usage, ok := passed.Usage(); !ok || usage.Prompt != 7 || usage.Completion != 3 {
			t.Errorf("%s: usage %+v", way, usage)
		}
	}
}

// TestPassedToolsCountFromTheirBeginning: a long input of a custom tool must not be held back until it is whole.
func TestPassedToolsCountFromTheirBeginning(t *testing.T) {
	passed := codec.NewPassedStream(dialect.Exchange{})
	_, kinds := passStream(t, passed, strings.NewReader(frames(created, `{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","id":"c"}}`,
		`{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"patch"}`, `{"type":"response.custom_tool_call_input.done","output_index":0,"input":"patch"}`)))
	if diff := cmp.Diff([]dialect.StepKind{dialect.StepChunk, dialect.StepToken, dialect.StepToken, dialect.StepChunk}, kinds); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if !passed.Started() || passed.Settle(30).Completion == 0 {
		t.Errorf("started %v, settled %+v", passed.Started(), passed.Settle(30))
	}
}

func BenchmarkPassedStream(b *testing.B) {
	passed := codec.NewPassedStream(dialect.Exchange{Origin: neutral.OriginOpenAI})
	event := sse.Event{Data: []byte(textDelta), Raw: []byte("data: " + textDelta + "\n\n"), DataAt: 6}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := passed.Next(event); err != nil {
			b.Fatal(err)
		}
	}
}
