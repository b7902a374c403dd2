package cohere_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/cohere"
	"signalbox.dev/signalbox/proxy/dialect/dialecttest"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// stream writes events as Cohere does.
func stream(events ...string) string {
	var all strings.Builder
	for _, data := range events {
		var event struct{ Type string }
		if json.Unmarshal([]byte(data), &event) == nil && event.Type != "" {
			all.WriteString("event: " + event.Type + "\n")
		}
		all.WriteString("data: " + data + "\n\n")
	}
	return all.String()
}

// events reads a stream to its end. The last event is "cut" where the reader says that it was.
func events(source io.Reader) ([]neutral.Event, error) {
	frames := sse.NewReader(source, 0)
	reader := cohere.Chat{}.NewStreamReader()
	var all []neutral.Event
	for {
		next, err := frames.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return all, err
		}
		if all, err = reader.Read(all, next); err != nil {
			return all, err
		}
		if last := len(all) - 1; last >= 0 && (all[last].Kind == neutral.EventEnd || all[last].Kind == neutral.EventFailure) {
			return all, nil
		}
	}
	all, whole := reader.End(all)
	if !whole {
		all = append(all, neutral.Event{Kind: "cut"})
	}
	return all, nil
}

// The events that streams are made of.
func begins(id string) neutral.Event { return neutral.Event{Kind: neutral.EventStart, ID: id} }

func starts(index int, part neutral.Part) neutral.Event {
	return neutral.Event{Kind: neutral.EventPartStart, Index: index, Part: part}
}

func adds(index int, delta neutral.Delta) neutral.Event {
	return neutral.Event{Kind: neutral.EventPartDelta, Index: index, Delta: delta}
}

func stops(index int) neutral.Event {
	return neutral.Event{Kind: neutral.EventPartStop, Index: index}
}

func finishes(finish neutral.Finish, native string) neutral.Event {
	return neutral.Event{Kind: neutral.EventFinish, Finish: finish, Native: native}
}

func uses(u meter.Usage) neutral.Event { return neutral.Event{Kind: neutral.EventUsage, Usage: u} }

func ends() neutral.Event { return neutral.Event{Kind: neutral.EventEnd} }

func fails(e neutral.Error) neutral.Event {
	return neutral.Event{Kind: neutral.EventFailure, Err: &e}
}

const (
	start    = `{"id":"c1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`
	complete = `{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}`
)

var (
	textPart = neutral.Part{Kind: neutral.TextPart}
	thinking = neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}}
)

func TestStreamReader(t *testing.T) {
	for name, tc := range map[string]struct {
		stream string
		want   []neutral.Event
	}{
		"text": {
			stream: stream(start, `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Grüße 🚂"}}}}`, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"\n\"b\""}}}}`, `{"type":"content-end","index":0}`,
				`{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":3,"output_tokens":2},"tokens":{"input_tokens":69,"output_tokens":2}}}}`),
			want: []neutral.Event{begins("c1"), starts(0, textPart), adds(0, neutral.Delta{Text: "Grüße 🚂"}), adds(0, neutral.Delta{Text: "\n\"b\""}), stops(0), uses(meter.Usage{Prompt: 3, Completion: 2}), finishes(neutral.FinishStop, "COMPLETE"), ends()},
		},
		"thinking": {
			stream: stream(start, `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":"H"}}}}`, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"mm."}}}}`, `{"type":"content-end","index":0}`, `{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":"a"}}}}`, `{"type":"content-end","index":1}`, `{"type":"message-end","delta":{"finish_reason":"MAX_TOKENS"}}`),
			want:   []neutral.Event{begins("c1"), starts(0, thinking), adds(0, neutral.Delta{Text: "H"}), adds(0, neutral.Delta{Text: "mm."}), stops(0), starts(1, textPart), adds(1, neutral.Delta{Text: "a"}), stops(1), finishes(neutral.FinishLength, "MAX_TOKENS"), ends()},
		},
		"tools": {
			stream: stream(start, `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I "}}}`, `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"look."}}}`,
				`{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"get_weather_1","type":"function","function":{"name":"get_weather","arguments":""}}}}}`, `{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"city\":"}}}}}`, `{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"\"Köln\"}"}}}}}`, `{"type":"tool-call-end","index":0}`,
				`{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"ping_2","type":"function","function":{"name":"ping","arguments":"{}"}}}}}`, `{"type":"tool-call-delta","index":1,"delta":{"message":{"tool_calls":{"function":{"arguments":""}}}}}`, `{"type":"tool-call-end","index":1}`, `{"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}}`, `[DONE]`),
			want: []neutral.Event{begins("c1"), starts(0, thinking), adds(0, neutral.Delta{Text: "I "}), adds(0, neutral.Delta{Text: "look."}), stops(0), starts(1, call("get_weather_1", "get_weather", "")), adds(1, neutral.Delta{Text: `{"city":`}), adds(1, neutral.Delta{Text: `"Köln"}`}), stops(1), starts(2, call("ping_2", "ping", "")), adds(2, neutral.Delta{Text: "{}"}), stops(2), finishes(neutral.FinishToolCalls, "TOOL_CALL"), ends()},
		},
		"citations": {
			stream: stream(start, `{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":1,"text":"x"}}}}`, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Rain."}}}}`, `{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":4,"text":"Rain","sources":[{"type":"document","id":"document-1","document":{"title":"Report","text":"rain"}}],"content_index":0,"type":"TEXT_CONTENT"}}}}`, `{"type":"citation-end","index":0}`, `{"type":"content-end","index":0}`,
				`{"type":"citation-start","index":1,"delta":{"message":{"citations":{"start":4,"end":5,"text":".","sources":[],"content_index":0}}}}`, `{"type":"citation-start","index":2,"delta":{"message":{"citations":{"start":4,"end":5,"type":"PLAN"}}}}`, `{"type":"citation-start","index":3}`, complete),
			want: []neutral.Event{begins("c1"), starts(0, textPart), adds(0, neutral.Delta{Text: "Rain."}), adds(0, neutral.Delta{Citation: &neutral.Citation{Title: "Report", CitedText: "Rain", Start: 0, End: 4, Document: 1}}), adds(0, neutral.Delta{Citation: &neutral.Citation{Start: 4, End: 5, Document: -1}}), stops(0), finishes(neutral.FinishStop, "COMPLETE"), ends()},
		},
		"probabilities": {
			stream: stream(`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi"}}},"logprobs":{"text":"Hi","token_ids":[1],"logprobs":[-0.5]}}`, complete),
			want:   []neutral.Event{begins(""), starts(0, textPart), adds(0, neutral.Delta{Text: "Hi", LogProbs: []byte(`{"content":[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[]}]}`)}), stops(0), finishes(neutral.FinishStop, "COMPLETE"), ends()},
		},
		"structured answer": {
			stream: stream(start, `{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"1","type":"function","function":{"name":"sb_json_output","arguments":""}}}}}`, `{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"rain\":true}"}}}}}`, `{"type":"tool-call-end","index":0}`, `{"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}}`),
			want:   []neutral.Event{begins("c1"), starts(0, textPart), adds(0, neutral.Delta{Text: `{"rain":true}`}), stops(0), finishes(neutral.FinishStop, "TOOL_CALL"), ends()},
		},
		"structured answer without an end": {
			stream: stream(`{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"1","function":{"name":"sb_json_output","arguments":"{}"}}}}}`, `{"type":"content-delta","delta":{"message":{"content":{"text":"a"}}}}`, `{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"2","function":{"name":"ping"}}}}}`, `{"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}}`),
			want:   []neutral.Event{begins(""), starts(0, textPart), adds(0, neutral.Delta{Text: "{}"}), stops(0), starts(1, textPart), adds(1, neutral.Delta{Text: "a"}), stops(1), starts(2, call("2", "ping", "")), stops(2), finishes(neutral.FinishToolCalls, "TOOL_CALL"), ends()},
		},
		"unknown events": {stream: stream(start, `{"type":"debug","prompt":"x"}`, `{"type":"tomorrow"}`, `{}`, complete), want: []neutral.Event{begins("c1"), finishes(neutral.FinishStop, "COMPLETE"), ends()}},
		"cut":            {stream: stream(start, `{"type":"content-delta","delta":{"message":{"content":{"text":"a"}}}}`), want: []neutral.Event{begins("c1"), starts(0, textPart), adds(0, neutral.Delta{Text: "a"}), {Kind: "cut"}}},
		"nothing":        {want: []neutral.Event{{Kind: "cut"}}},
		"failed":         {stream: stream(start, `{"type":"message-end","delta":{"finish_reason":"ERROR","error":"out of memory","usage":{"tokens":{"input_tokens":7,"output_tokens":0}}}}`), want: []neutral.Event{begins("c1"), uses(meter.Usage{Prompt: 7}), fails(neutral.Error{Status: 502, Type: "ERROR", Message: "out of memory"})}},
		"failed midway":  {stream: stream(start, `{"type":"content-delta","delta":{"message":{"content":{"text":"a"}}}}`, `{"type":"message-end","delta":{"finish_reason":"ERROR","error":"out of memory"}}`), want: []neutral.Event{begins("c1"), starts(0, textPart), adds(0, neutral.Delta{Text: "a"}), fails(neutral.Error{Status: 502, Type: "ERROR", Message: "out of memory"})}},
		"timeout":        {stream: stream(`{"type":"message-end","delta":{"finish_reason":"TIMEOUT"}}`), want: []neutral.Event{begins(""), fails(neutral.Error{Status: 502, Type: "TIMEOUT", Message: "the model failed before the end of its answer"})}},
		"error":          {stream: stream(`{"message":"too many requests","id":"1"}`), want: []neutral.Event{fails(neutral.Error{Message: "too many requests"})}},
		"error event":    {stream: stream(`{"type":"error","error":{"message":"overloaded"}}`), want: []neutral.Event{fails(neutral.Error{Message: "overloaded", JSON: true})}},
	} {
		t.Run(name, func(t *testing.T) {
			for way, source := range map[string]io.Reader{"whole": strings.NewReader(tc.stream), "byte by byte": iotest.OneByteReader(strings.NewReader(tc.stream))} {
				got, err := events(source)
				if err != nil {
					t.Fatalf("%s: %v", way, err)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s: events (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

// TestStreamSplitInsideRunes cuts a stream in two at each byte, which is inside its runes at many places.
func TestStreamSplitInsideRunes(t *testing.T) {
	whole := stream(`{"type":"content-delta","delta":{"message":{"content":{"text":"🚂ß€"}}}}`, complete)
	want, err := events(strings.NewReader(whole))
	if err != nil || len(want) != 6 {
		t.Fatalf("%v, %v", want, err)
	}
	for cut := range len(whole) {
		got, err := events(io.MultiReader(strings.NewReader(whole[:cut]), strings.NewReader(whole[cut:])))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("cut at byte %d (-want +got):\n%s", cut, diff)
		}
	}
}

func TestStreamReaderRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON":                   "data: secret\n\n",
		"cut JSON":                  "data: {\"type\":\"content-delta\",\"delta\":\n\n",
		"two values":                "data: {\"type\":\"secret\"} {}\n\n",
		"not UTF-8":                 "data: {\"type\":\"secret\xff\"}\n\n",
		"no call":                   stream(`{"type":"tool-call-start","delta":{"message":{}}}`),
		"call of another type":      stream(`{"type":"tool-call-start","delta":{"message":{"tool_calls":"secret"}}}`),
		"arguments before the call": stream(`{"type":"tool-call-delta","delta":{"message":{"tool_calls":{"function":{"arguments":"secret"}}}}}`),
		"arguments in a text":       stream(`{"type":"content-delta","delta":{"message":{"content":{"text":"a"}}}}`, `{"type":"tool-call-delta","delta":{"message":{"tool_calls":{"function":{"arguments":"secret"}}}}}`),
		"end without a delta":       stream(`{"type":"message-end"}`),
		"end of another type":       stream(`{"type":"message-end","delta":{"finish_reason":["secret"]}}`),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := events(strings.NewReader(body))
			var unreadable *dialect.StreamError
			if !errors.As(err, &unreadable) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestNothingAfterTheEnd reads on where a caller should not.
func TestNothingAfterTheEnd(t *testing.T) {
	reader := cohere.Chat{}.NewStreamReader()
	if _, err := reader.Read(nil, sse.Event{Data: []byte(complete)}); err != nil {
		t.Fatal(err)
	}
	if got, err := reader.Read(nil, sse.Event{Data: []byte("[DONE]")}); err != nil || len(got) > 0 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := reader.Read(nil, sse.Event{Data: []byte(start)}); err == nil {
		t.Error("an event after the end was taken")
	}
	if got, whole := reader.End(nil); !whole || len(got) > 0 {
		t.Errorf("%v, %v", got, whole)
	}
}

func FuzzStreamReader(f *testing.F) {
	f.Add(start, `{"type":"content-delta","delta":{"message":{"content":{"text":"a","thinking":"b"}}},"logprobs":{"text":"a","logprobs":[-1]}}`, `{"type":"content-end"}`)
	f.Add(`{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"1","function":{"name":"sb_json_output","arguments":"a"}}}}}`, `{"type":"tool-call-delta","delta":{"message":{"tool_calls":{"function":{"arguments":"a"}}}}}`, `{"type":"tool-call-end"}`)
	f.Add(`{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"p"}}}`, `{"type":"citation-start","delta":{"message":{"citations":{"start":1}}}}`, `{"type":"message-end","delta":{"finish_reason":"ERROR","error":"x"}}`)
	f.Add("[DONE]", `{"message":"x"}`, complete)
	f.Fuzz(func(t *testing.T, data1, data2, data3 string) {
		reader := cohere.Chat{}.NewStreamReader()
		var all []neutral.Event
		for _, data := range []string{data1, data2, data3, data2, complete} {
			read, err := reader.Read(all, sse.Event{Data: []byte(data)})
			all = read
			if err != nil || len(all) > 0 && (all[len(all)-1].Kind == neutral.EventFailure || all[len(all)-1].Kind == neutral.EventEnd) {
				break
			}
		}
		if problem := dialecttest.CheckGrammar(all); problem != "" {
			t.Errorf("%s: %+v", problem, all)
		}
	})
}

func BenchmarkStreamReader(b *testing.B) {
	next := sse.Event{Data: []byte(`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hello there, passenger"}}}}`)}
	reader := cohere.Chat{}.NewStreamReader()
	var all []neutral.Event
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if all, err = reader.Read(all[:0], next); err != nil {
			b.Fatal(err)
		}
	}
}
