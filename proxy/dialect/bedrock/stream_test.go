package bedrock_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/awsstream"
	"signalbox.dev/signalbox/proxy/dialect/bedrock"
	"signalbox.dev/signalbox/proxy/dialect/dialecttest"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// frame is one event of ConverseStream.
type frame struct{ name, data string }

// exception is one that ends a stream.
func exception(name, message string) frame {
	return frame{"!" + name, `{"message":"` + message + `"}`}
}

// encode writes a stream as AWS does.
func encode(t testing.TB, frames []frame) []byte {
	t.Helper()
	var stream bytes.Buffer
	for _, f := range frames {
		m := eventstream.Message{Payload: []byte(f.data)}
		name, isException := strings.CutPrefix(f.name, "!")
		if isException {
			m.Headers.Set(":exception-type", eventstream.StringValue(name))
			m.Headers.Set(":message-type", eventstream.StringValue("exception"))
		} else {
			m.Headers.Set(":event-type", eventstream.StringValue(name))
			m.Headers.Set(":message-type", eventstream.StringValue("event"))
		}
		if err := eventstream.NewEncoder().Encode(&stream, m); err != nil {
			t.Fatal(err)
		}
	}
	return stream.Bytes()
}

// events reads a stream to its end. The last event is "cut" where the reader says that it was.
func events(source io.Reader) ([]neutral.Event, error) {
	frames := awsstream.NewReader(source, 0, awsstream.Converse)
	reader := bedrock.Converse{}.NewStreamReader()
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
func begins() neutral.Event { return neutral.Event{Kind: neutral.EventStart} }

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

var (
	started  = frame{"messageStart", `{"p":"abc","role":"assistant"}`}
	textPart = neutral.Part{Kind: neutral.TextPart}
	thinking = neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}}
)

func TestStreamReader(t *testing.T) {
	for name, tc := range map[string]struct {
		frames []frame
		want   []neutral.Event
	}{
		"text": {
			frames: []frame{started, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":""}}`}, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Grüße 🚂"},"p":"abcd"}`}, {"contentBlockDelta", `{"delta":{"text":"\n\"b\""},"contentBlockIndex":0}`}, {"contentBlockStop", `{"contentBlockIndex":0}`}, {"messageStop", `{"stopReason":"end_turn"}`}, {"metadata", `{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15},"metrics":{"latencyMs":7}}`}},
			want:   []neutral.Event{begins(), starts(0, textPart), adds(0, neutral.Delta{Text: "Grüße 🚂"}), adds(0, neutral.Delta{Text: "\n\"b\""}), stops(0), finishes(neutral.FinishStop, "end_turn"), uses(meter.Usage{Prompt: 10, Completion: 5}), ends()},
		},
		"thinking, text, tools": {
			frames: []frame{
				started, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"2+"}}}`}, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"2"}}}`}, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2ln"}}}`}, {"contentBlockStop", `{"contentBlockIndex":0}`},
				{"contentBlockDelta", `{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"AAEC"}}}`}, {"contentBlockStop", `{"contentBlockIndex":1}`},
				{"contentBlockDelta", `{"contentBlockIndex":2,"delta":{"text":"I look."}}`}, {"contentBlockStop", `{"contentBlockIndex":2}`},
				{"contentBlockStart", `{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"tooluse_1","name":"get_weather"}}}`}, {"contentBlockDelta", `{"contentBlockIndex":3,"delta":{"toolUse":{"input":""}}}`}, {"contentBlockDelta", `{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{\"city\":"}}}`}, {"contentBlockDelta", `{"contentBlockIndex":3,"delta":{"toolUse":{"input":"\"Köln\"}"}}}`}, {"contentBlockStop", `{"contentBlockIndex":3}`},
				{"contentBlockStart", `{"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"tooluse_2","name":"ping"}}}`}, {"contentBlockStop", `{"contentBlockIndex":4}`},
				{"messageStop", `{"stopReason":"tool_use","additionalModelResponseFields":{"stop_sequence":null}}`}, {"metadata", `{"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3,"cacheReadInputTokens":4},"serviceTier":{"type":"default"}}`},
			},
			want: []neutral.Event{
				begins(), starts(0, thinking), adds(0, neutral.Delta{Text: "2+"}), adds(0, neutral.Delta{Text: "2"}), adds(0, neutral.Delta{Signature: "c2ln", Origin: neutral.OriginAnthropic}), stops(0),
				starts(1, thinking), adds(1, neutral.Delta{Encrypted: "AAEC", Origin: neutral.OriginAnthropic}), stops(1), starts(2, textPart), adds(2, neutral.Delta{Text: "I look."}), stops(2),
				starts(3, call("tooluse_1", "get_weather", "")), adds(3, neutral.Delta{Text: `{"city":`}), adds(3, neutral.Delta{Text: `"Köln"}`}), stops(3), starts(4, call("tooluse_2", "ping", "")), stops(4),
				finishes(neutral.FinishToolCalls, "tool_use"), {Kind: neutral.EventUsage, Usage: meter.Usage{Prompt: 5, Cached: 4, Completion: 2}, ServiceTier: "default"}, ends(),
			},
		},
		"blocks that are not ended": {
			frames: []frame{{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"a"}}`}, {"contentBlockDelta", `{"contentBlockIndex":1,"delta":{"text":"b"}}`}, {"contentBlockStart", `{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"1","name":"ping"}}}`}, {"messageStop", `{"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"}}`}},
			want:   []neutral.Event{begins(), starts(0, textPart), adds(0, neutral.Delta{Text: "a"}), stops(0), starts(1, textPart), adds(1, neutral.Delta{Text: "b"}), stops(1), starts(2, call("1", "ping", "")), stops(2), {Kind: neutral.EventFinish, Finish: neutral.FinishStopSequence, Native: "stop_sequence", StopSequence: "END"}, ends()},
		},
		"citations": {
			frames: []frame{started, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Rain."}}`}, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"citation":{"title":"Report","sourceContent":[{"text":"rain"}],"location":{"documentChunk":{"documentIndex":1,"start":0,"end":1}}}}}`}, {"contentBlockStop", `{"contentBlockIndex":0}`}, {"messageStop", `{"stopReason":"max_tokens"}`}},
			want:   []neutral.Event{begins(), starts(0, textPart), adds(0, neutral.Delta{Text: "Rain."}), adds(0, neutral.Delta{Citation: &neutral.Citation{Title: "Report", CitedText: "rain", Document: 1}}), stops(0), finishes(neutral.FinishLength, "max_tokens"), ends()},
		},
		"structured answer": {
			frames: []frame{started, {"contentBlockStart", `{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"1","name":"sb_json_output"}}}`}, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"rain\":"}}}`}, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"true}"}}}`}, {"contentBlockStop", `{"contentBlockIndex":0}`}, {"messageStop", `{"stopReason":"tool_use"}`}},
			want:   []neutral.Event{begins(), starts(0, textPart), adds(0, neutral.Delta{Text: `{"rain":`}), adds(0, neutral.Delta{Text: "true}"}), stops(0), finishes(neutral.FinishStop, "tool_use"), ends()},
		},
		"structured answer and a call": {
			frames: []frame{{"contentBlockStart", `{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"1","name":"sb_json_output"}}}`}, {"contentBlockStart", `{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"2","name":"ping"}}}`}, {"messageStop", `{"stopReason":"tool_use"}`}},
			want:   []neutral.Event{begins(), starts(0, textPart), stops(0), starts(1, call("2", "ping", "")), stops(1), finishes(neutral.FinishToolCalls, "tool_use"), ends()},
		},
		"tools of the provider": {
			frames: []frame{started, {"contentBlockStart", `{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"1","name":"nova_grounding","type":"server_tool_use"}}}`}, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}`}, {"contentBlockStop", `{"contentBlockIndex":0}`}, {"contentBlockStart", `{"contentBlockIndex":1,"start":{"toolResult":{"toolUseId":"1"}}}`}, {"contentBlockDelta", `{"contentBlockIndex":1,"delta":{"toolResult":[{"text":"x"}]}}`}, {"contentBlockDelta", `{"contentBlockIndex":2,"delta":{"text":"a"}}`}, {"messageStop", `{"stopReason":"end_turn"}`}, {"somethingNew", `{}`}},
			want:   []neutral.Event{begins(), starts(0, textPart), adds(0, neutral.Delta{Text: "a"}), stops(0), finishes(neutral.FinishStop, "end_turn"), ends()},
		},
		"usage first":    {frames: []frame{{"metadata", `{"usage":{"inputTokens":1,"outputTokens":0}}`}, {"messageStop", `{"stopReason":"end_turn"}`}}, want: []neutral.Event{begins(), uses(meter.Usage{Prompt: 1}), finishes(neutral.FinishStop, "end_turn"), ends()}},
		"cut":            {frames: []frame{started, {"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"a"}}`}}, want: []neutral.Event{begins(), starts(0, textPart), adds(0, neutral.Delta{Text: "a"}), {Kind: "cut"}}},
		"nothing":        {want: []neutral.Event{{Kind: "cut"}}},
		"throttled":      {frames: []frame{exception("throttlingException", "Too many requests")}, want: []neutral.Event{fails(429, "throttlingException", "Too many requests")}},
		"unavailable":    {frames: []frame{started, exception("serviceUnavailableException", "m")}, want: []neutral.Event{begins(), fails(503, "serviceUnavailableException", "m")}},
		"invalid":        {frames: []frame{exception("validationException", "m")}, want: []neutral.Event{fails(400, "validationException", "m")}},
		"denied":         {frames: []frame{exception("accessDeniedException", "m")}, want: []neutral.Event{fails(403, "accessDeniedException", "m")}},
		"not found":      {frames: []frame{exception("resourceNotFoundException", "m")}, want: []neutral.Event{fails(404, "resourceNotFoundException", "m")}},
		"timeout":        {frames: []frame{exception("modelTimeoutException", "m")}, want: []neutral.Event{fails(504, "modelTimeoutException", "m")}},
		"model's error":  {frames: []frame{exception("modelStreamErrorException", "m")}, want: []neutral.Event{fails(502, "modelStreamErrorException", "m")}},
		"internal error": {frames: []frame{exception("internalServerException", "m")}, want: []neutral.Event{fails(500, "internalServerException", "m")}},
	} {
		t.Run(name, func(t *testing.T) {
			stream := encode(t, tc.frames)
			for way, source := range map[string]io.Reader{"whole": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream))} {
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

func fails(status int, name, message string) neutral.Event {
	return neutral.Event{Kind: neutral.EventFailure, Err: &neutral.Error{Status: status, Type: name, Code: name, Message: message}}
}

// TestStreamSplitInsideRunes cuts a stream in two at each byte, which is inside its runes at most places.
func TestStreamSplitInsideRunes(t *testing.T) {
	stream := encode(t, []frame{{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"🚂ß€"}}`}, {"messageStop", `{"stopReason":"end_turn"}`}})
	want, err := events(bytes.NewReader(stream))
	if err != nil || len(want) != 6 {
		t.Fatalf("%v, %v", want, err)
	}
	for cut := range stream {
		got, err := events(io.MultiReader(bytes.NewReader(stream[:cut]), bytes.NewReader(stream[cut:])))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("cut at byte %d (-want +got):\n%s", cut, diff)
		}
	}
}

func TestStreamReaderRefuses(t *testing.T) {
	for name, frames := range map[string][]frame{
		"no JSON":                   {{"contentBlockDelta", `{"delta":{"text":"secret"}`}},
		"goes on":                   {{"contentBlockDelta", `{"delta":{"text":"secret"}} x`}},
		"not UTF-8":                 {{"contentBlockDelta", "{\"delta\":{\"text\":\"secret\xff\"}}"}},
		"text of another type":      {{"contentBlockDelta", `{"delta":{"text":["secret"]}}`}},
		"citation of another type":  {{"contentBlockDelta", `{"delta":{"citation":"secret"}}`}},
		"index of another type":     {{"contentBlockDelta", `{"contentBlockIndex":"secret","delta":{"text":"a"}}`}},
		"index beyond all":          {{"contentBlockDelta", `{"contentBlockIndex":99999999999999999999,"delta":{"text":"a"}}`}},
		"start of another type":     {{"contentBlockStart", `{"start":"secret"}`}},
		"stop of another type":      {{"messageStop", `{"stopReason":7}`}},
		"stop not UTF-8":            {{"messageStop", "{\"stopReason\":\"secret\xff\"}"}},
		"metadata of another type":  {{"metadata", `[]`}},
		"arguments before the call": {{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"secret"}}}`}},
		"arguments of another call": {{"contentBlockStart", `{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"1","name":"a"}}}`}, {"contentBlockDelta", `{"contentBlockIndex":1,"delta":{"toolUse":{"input":"secret"}}}`}},
		"text after the end":        {{"messageStop", `{"stopReason":"end_turn"}`}, {"contentBlockDelta", `{"delta":{"text":"secret"}}`}},
		"call after the end":        {{"messageStop", `{"stopReason":"end_turn"}`}, {"contentBlockStart", `{"start":{"toolUse":{"toolUseId":"1","name":"a"}}}`}},
		"two ends":                  {{"messageStop", `{"stopReason":"end_turn"}`}, {"messageStop", `{"stopReason":"end_turn"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := events(bytes.NewReader(encode(t, frames)))
			var unreadable *dialect.StreamError
			if !errors.As(err, &unreadable) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func FuzzStreamReader(f *testing.F) {
	f.Add("contentBlockDelta", []byte(`{"contentBlockIndex":0,"delta":{"text":"a"}}`), "contentBlockDelta", []byte(`{"contentBlockIndex":1,"delta":{"reasoningContent":{"signature":"a"}}}`))
	f.Add("contentBlockStart", []byte(`{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"1","name":"sb_json_output"}}}`), "contentBlockDelta", []byte(`{"contentBlockIndex":0,"delta":{"toolUse":{"input":"a"}}}`))
	f.Add("messageStop", []byte(`{"stopReason":"tool_use"}`), "metadata", []byte(`{"usage":{"inputTokens":1}}`))
	f.Add("error", []byte(`{"error":{"type":"a","message":"b","code":"throttlingException"}}`), "contentBlockStart", []byte(`{"start":{"toolUse":{"type":"server_tool_use"}}}`))
	f.Fuzz(func(t *testing.T, name1 string, data1 []byte, name2 string, data2 []byte) {
		reader := bedrock.Converse{}.NewStreamReader()
		var all []neutral.Event
		for _, next := range []sse.Event{{Name: []byte(name1), Data: data1}, {Name: []byte(name2), Data: data2}, {Name: []byte(name1), Data: data1}, {Name: []byte("messageStop"), Data: []byte(`{}`)}} {
			read, err := reader.Read(all, next)
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
	next := sse.Event{Name: []byte("contentBlockDelta"), Data: []byte(`{"contentBlockIndex":0,"delta":{"text":"Hello there, passenger"},"p":"abcdefghijklmnopqrstuvwxyz"}`)}
	reader := bedrock.Converse{}.NewStreamReader()
	var all []neutral.Event
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if all, err = reader.Read(all[:0], next); err != nil {
			b.Fatal(err)
		}
	}
}
