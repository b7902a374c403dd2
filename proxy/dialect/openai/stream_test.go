package openai_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// fullStream has everything that a stream of one choice can have.
const fullStream = `data: {"id":"c1","object":"chat.completion.chunk","created":1759396891,"model":"up-1","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

data: {"choices":[{"index":0,"delta":{"reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","format":"anthropic-claude-v1","index":0}]}}]}

data: {"choices":[{"index":0,"delta":{"reasoning":", né 😀","reasoning_details":[{"type":"reasoning.text","text":", né 😀","format":"anthropic-claude-v1","index":0}]}}]}

data: {"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","signature":"sig","format":"anthropic-claude-v1","index":0}]}}]}

: keep-alive

data: {"choices":[{"index":0,"delta":{"content":"Grüße "},"logprobs":{"content":[{"token":"x","logprob":-0.5,"bytes":null,"top_logprobs":[]}]}}]}

data: {"choices":[{"index":0,"delta":{"content":"日本"}}]}

data: {"choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"url":"https://e.x/","title":"E","start_index":0,"end_index":5}}]}}]}

data: {"choices":[{"index":0,"delta":{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"look","arguments":""}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"é\"}"}}]}}]}

data: {"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"seal","format":"google-gemini-v1","id":"call_2","index":1}],"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"find","arguments":"{}"}}]}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}]}

data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":8,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":3}}}

data: [DONE]

`

// readStream reads a stream as a provider's, whole or cut.
func readStream(source io.Reader) ([]neutral.Event, bool, error) {
	frames, reader := sse.NewReader(source, 0), openai.Chat{}.NewStreamReader()
	var events []neutral.Event
	for {
		frame, err := frames.Next()
		if errors.Is(err, io.EOF) {
			rest, whole := reader.End(nil)
			return append(events, rest...), whole, nil
		}
		if err != nil {
			return events, false, err
		}
		read, err := reader.Read(nil, frame)
		for i := range read {
			read[i].Delta.LogProbs = bytes.Clone(read[i].Delta.LogProbs)
		}
		events = append(events, read...)
		if err != nil {
			return events, false, err
		}
	}
}

// writeStream writes events as a surface's stream.
func writeStream(surface dialect.GenerationSurface, events []neutral.Event, o dialect.Exchange) string {
	writer := surface.NewStreamWriter(o)
	var out []byte
	for i := range events {
		out = writer.Write(out, &events[i])
	}
	return string(out)
}

// splits are the ways in which the bytes of a stream arrive.
func splits(stream string) map[string]io.Reader {
	return map[string]io.Reader{
		"whole": strings.NewReader(stream), "byte by byte": iotest.OneByteReader(strings.NewReader(stream)), "inside runes": &runeSplitter{rest: stream},
		"with the end": iotest.DataErrReader(strings.NewReader(stream)),
	}
}

// runeSplitter cuts every rune of several bytes behind its first byte.
type runeSplitter struct{ rest string }

// Read returns the bytes up to and with the first byte of the next long rune.
func (r *runeSplitter) Read(p []byte) (int, error) {
	if r.rest == "" {
		return 0, io.EOF
	}
	end := strings.IndexFunc(r.rest[1:], func(c rune) bool { return c >= 0x80 }) + 2
	if end == 1 {
		end = len(r.rest)
	}
	n := copy(p, r.rest[:end])
	r.rest = r.rest[n:]
	return n, nil
}

// grammar is how far the choices of a stream are.
type grammar struct {
	open, finished map[int]bool
	next           map[int]int
}

// takes tells whether an event may come next.
func (g *grammar) takes(e *neutral.Event) bool {
	c := e.Choice
	switch e.Kind {
	case neutral.EventPartStart:
		valid := !g.open[c] && !g.finished[c] && e.Index == g.next[c]
		g.open[c] = true
		g.next[c]++
		return valid
	case neutral.EventPartDelta:
		return g.open[c] && e.Index == g.next[c]-1
	case neutral.EventPartStop:
		valid := g.open[c] && e.Index == g.next[c]-1
		g.open[c] = false
		return valid
	case neutral.EventFinish:
		valid := !g.open[c] && !g.finished[c]
		g.finished[c] = true
		return valid
	case neutral.EventStart:
		return len(g.next)+len(g.finished) == 0
	case neutral.EventEnd:
		return !slices.Contains(slices.Collect(maps.Values(g.open)), true)
	default:
		return true
	}
}

// checkGrammar checks the order of a stream's events.
func checkGrammar(t *testing.T, events []neutral.Event) {
	t.Helper()
	g := grammar{open: map[int]bool{}, finished: map[int]bool{}, next: map[int]int{}}
	for i := range events {
		over := i > 0 && (events[i-1].Kind == neutral.EventEnd || events[i-1].Kind == neutral.EventFailure)
		if !g.takes(&events[i]) || over {
			t.Fatalf("event %d of %+v is out of order", i, events)
		}
	}
}

// TestStreamReader reads streams however their bytes arrive.
func TestStreamReader(t *testing.T) {
	start := neutral.Event{Kind: neutral.EventStart}
	text := func(choice, index int, text string) neutral.Event {
		return neutral.Event{Kind: neutral.EventPartDelta, Choice: choice, Index: index, Delta: neutral.Delta{Text: text}}
	}
	open := func(choice, index int, part neutral.Part) neutral.Event {
		return neutral.Event{Kind: neutral.EventPartStart, Choice: choice, Index: index, Part: part}
	}
	stop := func(choice, index int) neutral.Event {
		return neutral.Event{Kind: neutral.EventPartStop, Choice: choice, Index: index}
	}
	end := func(choice int, finish neutral.Finish, native string) neutral.Event {
		return neutral.Event{Kind: neutral.EventFinish, Choice: choice, Finish: finish, Native: native}
	}
	call := func(id, name string) neutral.Part {
		return neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: id, Name: name}}
	}
	textPart, thinking := neutral.Part{Kind: neutral.TextPart}, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}}
	over := neutral.Event{Kind: neutral.EventEnd}
	chunk := func(delta string) string { return `data: {"choices":[{"index":0,"delta":` + delta + "}]}\n\n" }
	for name, tc := range map[string]struct {
		stream string
		want   []neutral.Event
		cut    bool
	}{
		"text": {
			stream: role + hello + finish + usage + done,
			want: []neutral.Event{{Kind: neutral.EventStart, ID: "c"}, open(0, 0, textPart), text(0, 0, "Hello"), stop(0, 0), end(0, neutral.FinishStop, "stop"),
				{Kind: neutral.EventUsage, Usage: meter.Usage{Prompt: 10, Cached: 4, Completion: 2}}, over},
		},
		"without [DONE]": {stream: chunk(`{"content":"x"},"finish_reason":"length"`), want: []neutral.Event{start, open(0, 0, textPart), text(0, 0, "x"), stop(0, 0), end(0, neutral.FinishLength, "length"), over}},
		"without finish": {stream: chunk(`{"content":"x"}`) + done, want: []neutral.Event{start, open(0, 0, textPart), text(0, 0, "x"), stop(0, 0), end(0, neutral.FinishStop, ""), over}},
		"cut":            {stream: chunk(`{"content":"x"}`), want: []neutral.Event{start, open(0, 0, textPart), text(0, 0, "x")}, cut: true},
		"nothing":        {stream: "", want: nil, cut: true},
		"reasoning names": {
			stream: chunk(`{"reasoning":"a"}`) + chunk(`{"reasoning_content":"b"}`) + chunk(`{"content":"c"}`) + done,
			want:   []neutral.Event{start, open(0, 0, thinking), text(0, 0, "a"), text(0, 0, "b"), stop(0, 0), open(0, 1, textPart), text(0, 1, "c"), stop(0, 1), end(0, neutral.FinishStop, ""), over},
		},
		"Mistral's thinking": {
			stream: chunk(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]},{"type":"text","text":"b"}]}`) + done,
			want:   []neutral.Event{start, open(0, 0, thinking), text(0, 0, "a"), stop(0, 0), open(0, 1, textPart), text(0, 1, "b"), stop(0, 1), end(0, neutral.FinishStop, ""), over},
		},
		"summary and cipher of one item": {
			stream: chunk(`{"reasoning_details":[{"type":"reasoning.summary","summary":"a","id":"rs","index":0}]}`) + chunk(`{"reasoning_details":[{"type":"reasoning.summary","summary":"b","id":"rs","index":1}]}`) +
				chunk(`{"reasoning_details":[{"type":"reasoning.encrypted","data":"k","format":"openai-responses-v1","id":"rs","index":2}]}`) + done,
			want: []neutral.Event{start, open(0, 0, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: "rs"}}),
				{Kind: neutral.EventPartDelta, Delta: neutral.Delta{Text: "a", Summary: true}}, {Kind: neutral.EventPartDelta, Delta: neutral.Delta{Text: "b", Summary: true, SummaryIndex: 1}},
				{Kind: neutral.EventPartDelta, Delta: neutral.Delta{Encrypted: "k", Origin: neutral.OriginOpenAI}}, stop(0, 0), end(0, neutral.FinishStop, ""), over},
		},
		"refusal": {
			stream: chunk(`{"refusal":"No."}`) + chunk(`{},"finish_reason":"stop"`),
			want:   []neutral.Event{start, open(0, 0, neutral.Part{Kind: neutral.RefusalPart}), text(0, 0, "No."), stop(0, 0), end(0, neutral.FinishRefusal, "stop"), over},
		},
		"calls without index": {
			stream: chunk(`{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"g","arguments":"{"}}]}`) + chunk(`{"tool_calls":[{"function":{"arguments":"}"}}]},"finish_reason":"stop"`),
			want: []neutral.Event{start, open(0, 0, call("a", "f")), text(0, 0, "{}"), stop(0, 0), open(0, 1, call("b", "g")), text(0, 1, "{"), text(0, 1, "}"), stop(0, 1),
				end(0, neutral.FinishToolCalls, "stop"), over},
		},
		"calls of one index": {
			stream: chunk(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}`) + chunk(`{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"{"}}]}`) + chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]},"finish_reason":"stop"`),
			want: []neutral.Event{start, open(0, 0, call("a", "f")), text(0, 0, "{}"), stop(0, 0), open(0, 1, call("b", "g")), text(0, 1, "{"), text(0, 1, "}"), stop(0, 1),
				end(0, neutral.FinishToolCalls, "stop"), over},
		},
		"a name that comes late": {
			stream: chunk(`{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{"}}]}`) + chunk(`{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"}"}}]}`) + done,
			want:   []neutral.Event{start, open(0, 0, call("a", "f")), text(0, 0, "{}"), stop(0, 0), end(0, neutral.FinishToolCalls, ""), over},
		},
		"older functions": {
			stream: chunk(`{"function_call":{"name":"f","arguments":""}}`) + chunk(`{"function_call":{"arguments":"{}"}},"finish_reason":"function_call"`) + done,
			want:   []neutral.Event{start, open(0, 0, call("?", "f")), text(0, 0, "{}"), stop(0, 0), end(0, neutral.FinishToolCalls, "function_call"), over},
		},
		"two choices": {
			stream: chunk(`{"content":"a"}`) + `data: {"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"c"},"finish_reason":"stop"}]}` + "\n\n" + done,
			want: []neutral.Event{start, open(0, 0, textPart), text(0, 0, "a"), open(1, 0, textPart), text(1, 0, "b"), text(0, 0, "c"), stop(0, 0), end(0, neutral.FinishStop, "stop"),
				stop(1, 0), end(1, neutral.FinishStop, ""), over},
		},
		"Google's seal": {
			stream: chunk(`{"tool_calls":[{"index":0,"id":"a","extra_content":{"google":{"thought_signature":"s"}},"function":{"name":"f","arguments":"{}"}}]}`) + done,
			want: []neutral.Event{start, open(0, 0, thinking), {Kind: neutral.EventPartDelta, Delta: neutral.Delta{Encrypted: "s", Origin: neutral.OriginGemini}}, stop(0, 0),
				open(0, 1, call("a", "f")), text(0, 1, "{}"), stop(0, 1), end(0, neutral.FinishToolCalls, ""), over},
		},
		"error": {
			stream: chunk(`{"content":"x"}`) + `data: {"error":{"message":"gone","code":502},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}` + "\n\n" + done,
			want:   []neutral.Event{start, open(0, 0, textPart), text(0, 0, "x"), {Kind: neutral.EventFailure, Err: &neutral.Error{Message: "gone", Code: "502", JSON: true}}},
		},
	} {
		for how, source := range splits(tc.stream) {
			t.Run(name+", "+how, func(t *testing.T) {
				got, whole, err := readStream(source)
				if err != nil || whole == tc.cut {
					t.Fatalf("whole %v, error %v", whole, err)
				}
				anyID := cmp.Transformer("ids", func(c neutral.ToolCall) neutral.ToolCall {
					if strings.HasPrefix(c.ID, "call_") && len(c.ID) == 29 {
						c.ID = "?"
					}
					return c
				})
				if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(neutral.Delta{}, "LogProbs"), cmp.FilterPath(isCall, anyID)); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				checkGrammar(t, got)
			})
		}
	}
}

func isCall(p cmp.Path) bool {
	_, ok := p.Last().(cmp.Indirect)
	return ok && p.Last().Type().Name() == "ToolCall"
}

func TestStreamReaderRefuses(t *testing.T) {
	chunk := func(calls string) string {
		return `data: {"choices":[{"index":0,"delta":{"tool_calls":[` + calls + "]}}]}\n\n"
	}
	first, second := chunk(`{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}`), chunk(`{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}`)
	for name, stream := range map[string]string{
		"a late delta":     first + second + chunk(`{"index":0,"function":{"arguments":"}"}}`),
		"many choices":     `data: {"choices":[{"index":1000000,"delta":{}}]}` + "\n\n",
		"a bad choice":     `data: {"choices":[{"index":-1,"delta":{}}]}` + "\n\n",
		"many calls":       chunk(strings.Repeat(`{"id":"a","function":{"name":"f"}},{"id":"b","function":{"name":"f"}},`, 600) + "{}"),
		"nameless flood":   strings.Repeat(chunk(`{"index":0,"function":{"arguments":"`+strings.Repeat("x", 1<<18)+`"}}`), 5),
		"HTML":             "data: <html>\n\n",
		"cut in the event": `data: {"choices":[{"del`,
	} {
		events, _, err := readStream(strings.NewReader(stream))
		var problem *dialect.StreamError
		if !errors.As(err, &problem) {
			t.Errorf("%s: error %v, want a StreamError", name, err)
		}
		checkGrammar(t, events)
	}
}

// TestStreamWriter compares with golden files what all surfaces and flavors make of a stream.
func TestStreamWriter(t *testing.T) {
	legacy := exchange(dialect.OpenAIFlavor)
	legacy.Request = &neutral.Request{LegacyFunctions: true}
	quiet := exchange(dialect.OpenRouterFlavor)
	quiet.Request = &neutral.Request{Reasoning: &neutral.Reasoning{Exclude: true}}
	asked := exchange(dialect.OpenAIFlavor)
	asked.IncludeUsage = true
	for name, tc := range map[string]struct {
		surface dialect.GenerationSurface
		call    dialect.Exchange
	}{
		"openai": {openai.Chat{}, asked}, "openai-quiet": {openai.Chat{}, exchange(dialect.OpenAIFlavor)}, "openrouter": {openai.Chat{}, exchange(dialect.OpenRouterFlavor)}, "groq": {openai.Chat{}, exchange(dialect.GroqFlavor)},
		"functions": {openai.Chat{}, legacy}, "excluded": {openai.Chat{}, quiet}, "text": {openai.Text{}, asked}, "text-openrouter": {openai.Text{}, exchange(dialect.OpenRouterFlavor)},
	} {
		for how, source := range splits(fullStream) {
			t.Run(name+", "+how, func(t *testing.T) {
				events, whole, err := readStream(source)
				if err != nil || !whole {
					t.Fatal(whole, err)
				}
				checkGrammar(t, events)
				compareGolden(t, "stream-"+name+".txt", writeStream(tc.surface, events, tc.call))
			})
		}
	}
}

// compareGolden compares with a file under testdata; UPDATE_GOLDEN=1 writes it.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// TestStreamRoundTrip reads what was written and gets the same events, as far as a chunk can say them.
func TestStreamRoundTrip(t *testing.T) {
	events, _, err := readStream(strings.NewReader(fullStream))
	if err != nil {
		t.Fatal(err)
	}
	again, whole, err := readStream(strings.NewReader(writeStream(openai.Chat{}, events, exchange(dialect.OpenRouterFlavor))))
	if err != nil || !whole {
		t.Fatal(whole, err)
	}
	isPing := func(e neutral.Event) bool { return e.Kind == neutral.EventPing }
	events = slices.DeleteFunc(events, isPing)
	if diff := cmp.Diff(events, again, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(neutral.Event{}, "ID"), cmpopts.IgnoreFields(neutral.Delta{}, "LogProbs"), cmpopts.IgnoreFields(meter.Usage{}, "ReportedCost")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestStreamWriterSeals numbers the entries of reasoning_details so that a client can put the pieces together again.
func TestStreamWriterSeals(t *testing.T) {
	call := func(id string) neutral.Part {
		return neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: id, Name: "f", Arguments: "{}"}}
	}
	delta := func(index int, d neutral.Delta) neutral.Event {
		return neutral.Event{Kind: neutral.EventPartDelta, Index: index, Delta: d}
	}
	thinking := neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}}
	events := []neutral.Event{
		{Kind: neutral.EventStart}, {Kind: neutral.EventPartStart, Part: thinking}, delta(0, neutral.Delta{Text: "a"}), delta(0, neutral.Delta{Text: "b"}), {Kind: neutral.EventPartStop},
		{Kind: neutral.EventPartStart, Index: 1, Part: thinking}, delta(1, neutral.Delta{Encrypted: "s1", Origin: neutral.OriginGemini}), {Kind: neutral.EventPartStop, Index: 1},
		{Kind: neutral.EventPartStart, Index: 2, Part: call("c1")}, {Kind: neutral.EventPartStop, Index: 2},
		{Kind: neutral.EventPartStart, Index: 3, Part: thinking}, delta(3, neutral.Delta{Encrypted: "r", Origin: neutral.OriginAnthropic}), {Kind: neutral.EventPartStop, Index: 3},
		{Kind: neutral.EventPartStart, Index: 4, Part: thinking}, delta(4, neutral.Delta{Encrypted: "s2", Origin: neutral.OriginGemini}), {Kind: neutral.EventPartStop, Index: 4},
		{Kind: neutral.EventFinish, Finish: neutral.FinishToolCalls}, {Kind: neutral.EventEnd},
	}
	got := writeStream(openai.Chat{}, events, dialect.Exchange{})
	for i, want := range []string{
		`{"type":"reasoning.text","text":"a","format":null,"index":0}`, `{"type":"reasoning.text","text":"b","format":null,"index":0}`, `{"type":"reasoning.encrypted","data":"s1","id":"c1","format":"google-gemini-v1","index":1}`,
		`{"type":"reasoning.encrypted","data":"r","format":"anthropic-claude-v1","index":2}`, `{"type":"reasoning.encrypted","data":"s2","format":"google-gemini-v1","index":3}`,
	} {
		_, rest, found := strings.Cut(got, `"reasoning_details":[`+want+"]")
		if !found {
			t.Fatalf("entry %d, %s, is not in its place in\n%s", i, want, got)
		}
		got = rest
	}
}

func BenchmarkTranslatedStream(b *testing.B) {
	token := []byte(`data: {"id":"chatcmpl-9f8e7d6c5b4a39281706","object":"chat.completion.chunk","created":1759396891,"model":"llama-3.3-70b-versatile","system_fingerprint":"fp_1234567890","choices":[{"index":0,"delta":{"content":" junction"},"logprobs":null,"finish_reason":null}]}` + "\n\n")
	frame := sse.Event{Raw: token, Data: token[6 : len(token)-2], DataAt: 6}
	var events []neutral.Event
	var out []byte
	b.Run("read", func(b *testing.B) {
		reader := openai.Chat{}.NewStreamReader()
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if events, err = reader.Read(events[:0], frame); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, text := range map[string]string{"write": " junction", "write, escapes": "é\n\""} {
		b.Run(name, func(b *testing.B) {
			writer := openai.Chat{}.NewStreamWriter(exchange(dialect.OpenAIFlavor))
			writer.Write(nil, &neutral.Event{Kind: neutral.EventStart, Model: "m"})
			writer.Write(nil, &neutral.Event{Kind: neutral.EventPartStart, Part: neutral.Part{Kind: neutral.TextPart}})
			e := neutral.Event{Kind: neutral.EventPartDelta, Delta: neutral.Delta{Text: text}}
			b.ReportAllocs()
			for b.Loop() {
				out = writer.Write(out[:0], &e)
			}
		})
	}
}
