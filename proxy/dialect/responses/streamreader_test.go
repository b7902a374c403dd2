package responses_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/responses"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// frames makes a stream of the data of its events.
func frames(data ...string) string {
	var out strings.Builder
	for _, d := range data {
		out.WriteString("data: " + d + "\n\n")
	}
	return out.String()
}

const (
	created   = `{"type":"response.created","response":{"id":"resp_1","model":"gpt-x","created_at":1790000000,"service_tier":"auto","output":[]}}`
	completed = `{"type":"response.completed","response":{"id":"resp_1","model":"gpt-x","status":"completed","service_tier":"flex","output":[],"usage":{"input_tokens":7,"output_tokens":3,"total_tokens":10}}}`
	textAdded = `{"type":"response.output_item.added","output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","content":[],"role":"assistant"}}`
	partAdded = `{"type":"response.content_part.added","item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}}`
	textDelta = `{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"Grüß \ud83d\ude42","logprobs":[],"obfuscation":"x"}`
	textDone  = `{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Grüß \ud83d\ude42!","logprobs":[]}`
	partDone  = `{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Grüß \ud83d\ude42!","annotations":[]}}`
	itemDone  = `{"type":"response.output_item.done","output_index":0,"item":{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Grüß \ud83d\ude42!","annotations":[]}]}}`
	moreDelta = `{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"!"}`

	callAdded = `{"type":"response.output_item.added","output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":""}}`
	callDelta = `{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"é\":1}"}`
	callDone  = `{"type":"response.output_item.done","output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":"{\"é\":1}"}}`

	thoughtAdded = `{"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}`
	thoughtDone  = `{"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"S"}],"encrypted_content":"enc"}}`

	searchAdded = `{"type":"response.output_item.added","output_index":0,"item":{"id":"ws_1","type":"web_search_call","status":"in_progress"}}`
	searchDone  = `{"type":"response.output_item.done","output_index":0,"item":{"id":"ws_1","type":"web_search_call","status":"completed"}}`
)

func TestStreamReader(t *testing.T) {
	for name, tc := range map[string]struct {
		stream string
		want   []string
		cut    bool
	}{
		"text": {
			stream: ": hi\n\n" + frames(created, textAdded, partAdded, textDelta, moreDelta, textDone, partDone, itemDone, completed, "[DONE]"),
			want:   []string{"0 text : Grüß 🙂!.", "finish stop", "usage 7 3", "end"},
		},
		"text without frills": {stream: frames(textDelta, moreDelta, completed), want: []string{"0 text : Grüß 🙂!.", "finish stop", "usage 7 3", "end"}},
		"text without deltas": {stream: frames(created, textAdded, partAdded, textDone, partDone, itemDone, completed), want: []string{"0 text : Grüß 🙂!.", "finish stop", "usage 7 3", "end"}},
		"text in the part":    {stream: frames(created, textAdded, partAdded, partDone, itemDone, completed), want: []string{"0 text : Grüß 🙂!.", "finish stop", "usage 7 3", "end"}},
		"text in the item":    {stream: frames(created, textAdded, itemDone, completed), want: []string{"0 text : Grüß 🙂!.", "finish stop", "usage 7 3", "end"}},
		"text in the end": {
			stream: frames(created, strings.Replace(completed, `"output":[]`, `"output":[{"type":"message","content":"all"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]`, 1)),
			want:   []string{"0 text : all.", "1 tool_call c f: {}.", "finish tool_calls", "usage 7 3", "end"},
		},
		"two parts": {
			stream: frames(created, textAdded, textDelta, `{"type":"response.refusal.delta","output_index":0,"content_index":1,"delta":"no"}`, `{"type":"response.refusal.done","output_index":0,"content_index":1,"refusal":"no"}`, completed),
			want:   []string{"0 text : Grüß 🙂.", "1 refusal : no.", "finish refusal", "usage 7 3", "end"},
		},
		"annotation and log probabilities": {
			stream: frames(partAdded, `{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a","logprobs":[{"token":"a"}]}`,
				`{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","url":"https://a","title":"A","start_index":0,"end_index":1}}`,
				`{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation_index":0,"annotation":null}`, partDone, completed),
			want: []string{`0 text : a{"content":[{"token":"a"}],"refusal":null}cites https://a.`, "finish stop", "usage 7 3", "end"},
		},
		"call": {stream: frames(created, callAdded, callDelta, callDone, completed), want: []string{`0 tool_call call_1 f: {"é":1}.`, "finish tool_calls", "usage 7 3", "end"}},
		"call without deltas": {
			stream: frames(created, callAdded, `{"type":"response.function_call_arguments.done","output_index":1,"arguments":"{\"a\":1}"}`, callDone, completed),
			want:   []string{`0 tool_call call_1 f: {"a":1}.`, "finish tool_calls", "usage 7 3", "end"},
		},
		"call in its end": {stream: frames(created, callDone, completed), want: []string{`0 tool_call call_1 f: {"é":1}.`, "finish tool_calls", "usage 7 3", "end"}},
		"overlapping items": {
			stream: frames(created, textAdded, textDelta, callAdded, callDelta, moreDelta, callDone, itemDone, completed),
			want:   []string{"0 text : Grüß 🙂!.", `1 tool_call call_1 f: {"é":1}.`, "finish tool_calls", "usage 7 3", "end"},
		},
		"overlap to the end": {
			stream: frames(created, callAdded, textAdded, textDelta, callDelta, itemDone, completed),
			want:   []string{`0 tool_call call_1 f: {"é":1}.`, "1 text : Grüß 🙂!.", "finish tool_calls", "usage 7 3", "end"},
		},
		"half of a waiting item": {
			stream: frames(created, callAdded, textDelta, callDone, moreDelta, itemDone, completed),
			want:   []string{`0 tool_call call_1 f: {"é":1}.`, "1 text : Grüß 🙂!.", "finish tool_calls", "usage 7 3", "end"},
		},
		"summary": {
			stream: frames(created, thoughtAdded, `{"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}`,
				`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"S"}`, `{"type":"response.reasoning_summary_text.done","output_index":0,"summary_index":0,"text":"S"}`,
				thoughtDone, callAdded, callDelta, callDone, completed),
			want: []string{"0 reasoning : #0Ssealed enc by openai-responses-v1.", `1 tool_call call_1 f: {"é":1}.`, "finish tool_calls", "usage 7 3", "end"},
		},
		"summary in the item": {stream: frames(created, thoughtAdded, thoughtDone, completed), want: []string{"0 reasoning : #0Ssealed enc by openai-responses-v1.", "finish stop", "usage 7 3", "end"}},
		"OpenRouter's signature": {
			stream: frames(created, thoughtAdded, `{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"hm"}`,
				`{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}],"signature":"s","format":"anthropic-claude-v1"}}`, completed),
			want: []string{"0 reasoning : hmsigned s by anthropic-claude-v1.", "finish stop", "usage 7 3", "end"},
		},
		"thinking": {
			stream: frames(created, `{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"hm"}`, thoughtDone, completed),
			want:   []string{"0 reasoning : hmsealed enc by openai-responses-v1.", "finish stop", "usage 7 3", "end"},
		},
		"hosted tool": {
			stream: frames(created, searchAdded, `{"type":"response.web_search_call.searching","output_index":0}`, `{"type":"keepalive"}`, searchDone, callAdded, callDelta, callDone, completed),
			want:   []string{"0 opaque : .", `1 tool_call call_1 f: {"é":1}.`, "finish tool_calls", "usage 7 3", "end"},
		},
		"length": {
			stream: frames(created, textDelta, `{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}`),
			want:   []string{"0 text : Grüß 🙂.", "finish length", "end"},
		},
		"content filter": {
			stream: frames(created, `{"type":"response.incomplete","response":{"incomplete_details":{"reason":"content_filter"}}}`),
			want:   []string{"finish content_filter", "end"},
		},
		"failed": {
			stream: frames(created, `{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow down"},"usage":{"input_tokens":1,"output_tokens":0}}}`, textDelta),
			want:   []string{"usage 1 0", "failure 429  rate_limit_exceeded slow down"},
		},
		"failed without words": {stream: frames(created, `{"type":"response.failed","response":{"error":null}}`), want: []string{"failure 0   the provider failed to generate a response"}},
		"error":                {stream: frames(created, `{"type":"error","code":"server_error","message":"boom","param":null,"sequence_number":3}`), want: []string{"failure 500  server_error boom"}},
		"error object":         {stream: frames(`{"type":"error","sequence_number":3,"error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"long"}}`), want: []string{"failure 400 invalid_request_error context_length_exceeded long"}},
		"error of another API": {stream: frames(`{"error":{"code":502,"message":"bad"}}`), want: []string{"failure 502  502 bad"}},
		"named error":          {stream: "event: error\ndata: {\"message\":\"m\"}\n\n", want: []string{"failure 0   m"}},
		"cut":                  {stream: frames(created, textDelta), want: []string{"0 text : Grüß 🙂"}, cut: true},
		"nothing":              {cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			for way, source := range splits(tc.stream) {
				events, whole := readStream(t, codec.SealedBy(neutral.OriginOpenAI).NewStreamReader(), source)
				if diff := cmp.Diff(tc.want, flatten(events)); diff != "" || whole == tc.cut {
					t.Errorf("%s: whole %v (-want +got):\n%s", way, whole, diff)
				}
				checkGrammar(t, events)
			}
		})
	}
}

// splits are the ways in which a stream's bytes arrive.
func splits(stream string) map[string]io.Reader {
	pieces := make([]io.Reader, 0, len(stream))
	for _, c := range stream { // Between the bytes of each rune that has several.
		text := string(c)
		pieces = append(pieces, strings.NewReader(text[:len(text)-len(text)/2]), strings.NewReader(text[len(text)-len(text)/2:]))
	}
	return map[string]io.Reader{
		"whole": strings.NewReader(stream), "byte by byte": iotest.OneByteReader(strings.NewReader(stream)), "inside runes": io.MultiReader(pieces...),
	}
}

// checkGrammar checks the order of events.
func checkGrammar(t *testing.T, events []neutral.Event) {
	t.Helper()
	open, next, last := false, 0, len(events)-1
	for i := range events {
		e := &events[i]
		wrong := false
		switch e.Kind {
		case neutral.EventPartStart:
			wrong = open || e.Index != next
			open = true
			next++
		case neutral.EventPartDelta, neutral.EventPartStop:
			wrong = !open || e.Index != next-1
			open = e.Kind == neutral.EventPartDelta
		case neutral.EventFinish:
			wrong = open
		case neutral.EventFailure, neutral.EventEnd:
			wrong = i != last
		case neutral.EventStart:
			wrong = i != 0
		case neutral.EventUsage, neutral.EventPing:
		}
		if wrong {
			t.Fatalf("event %d of %d must not be %s of part %d", i, last, e.Kind, e.Index)
		}
	}
}

func TestStreamReaderTellsWhoAnswers(t *testing.T) {
	events, _ := readStream(t, responses.Codec{Origin: neutral.OriginAzure}.NewStreamReader(), strings.NewReader(frames(created, thoughtDone, completed)))
	want := neutral.Event{Kind: neutral.EventStart, ID: "resp_1", Model: "gpt-x", Created: 1790000000, ServiceTier: "auto"}
	if diff := cmp.Diff(want, events[0]); diff != "" {
		t.Errorf("start (-want +got):\n%s", diff)
	}
	if sealed := events[3].Delta; sealed.Encrypted != "enc" || sealed.Origin != neutral.OriginAzure {
		t.Errorf("seal %+v", sealed)
	}
	if usage := events[len(events)-2]; usage.ServiceTier != "flex" {
		t.Errorf("usage %+v", usage)
	}
}

func TestStreamReaderErrors(t *testing.T) {
	for name, stream := range map[string]string{
		"no JSON":         frames(`<html>`),
		"no object":       frames(`["secret"]`),
		"trailing":        frames(`{"type":"x"}{}`),
		"invalid UTF-8":   "data: {\"type\":\"\xff\"}\n\n",
		"item":            frames(`{"type":"response.output_item.added","item":"secret"}`),
		"item's members":  frames(`{"type":"response.output_item.done","item":{"type":"function_call","arguments":{"secret":1}}}`),
		"response":        frames(`{"type":"response.created"}`),
		"final response":  frames(`{"type":"response.completed","response":{"id":5}}`),
		"output":          frames(`{"type":"response.completed","response":{"output":["secret"]}}`),
		"waiting item":    frames(callAdded, `{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":"a","secret":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`}}`, `{"type":"response.output_item.done","output_index":3,"item":{"type":"message","content":5}}`, callDone),
		"too much waits":  frames(callAdded, waiting(2), waiting(3)),
		"reasoning parts": frames(`{"type":"response.output_item.done","output_index":3,"item":{"type":"reasoning","content":5}}`),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := tryStream(codec.NewStreamReader(), strings.NewReader(stream))
			var problem *dialect.StreamError
			if !errors.As(err, &problem) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want a StreamError without content", err)
			}
		})
	}
}

// waiting is the end of a large item.
func waiting(at int) string {
	return `{"type":"response.output_item.done","output_index":` + string(rune('0'+at)) + `,"item":{"type":"message","content":"` + strings.Repeat("a", 9<<20) + `"}}`
}

func FuzzStreamReader(f *testing.F) {
	f.Add([]byte(frames(created, textAdded, partAdded, textDelta, textDone, partDone, itemDone, completed)))
	f.Add([]byte(frames(created, thoughtAdded, thoughtDone, callAdded, callDelta, callDone, completed)))
	f.Add([]byte(frames(callAdded, searchAdded, textDelta, searchDone, callDone, completed)))
	f.Add([]byte(frames(created, `{"type":"response.failed","response":{"error":{"message":"m"}}}`)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		events, _, err := tryStream(codec.NewStreamReader(), bytes.NewReader(stream))
		var problem *dialect.StreamError
		var large *sse.TooLargeError
		if err != nil && !errors.As(err, &problem) && !errors.As(err, &large) {
			t.Fatalf("error %#v", err)
		}
		checkGrammar(t, events)
		writer := codec.NewStreamWriter(plainExchange())
		var out []byte
		for i := range events {
			out = writer.Write(out, &events[i])
		}
		again, whole := readStream(t, codec.NewStreamReader(), bytes.NewReader(out))
		if ended := len(events) > 0 && events[len(events)-1].Kind == neutral.EventEnd; ended && !whole {
			t.Fatalf("what is written is cut: %s", out)
		}
		checkGrammar(t, again)
		checkPassing(t, stream)
	})
}

func TestNextSequence(t *testing.T) {
	const delta = `{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"a"}`
	for name, last := range map[string]string{
		"error":      `{"type":"error","code":"server_error","message":"boom","sequence_number":2}`,
		"failed":     `{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"boom"},"output":[]}}`,
		"unreadable": `{"type":`,
	} {
		t.Run(name, func(t *testing.T) {
			passed := codec.NewPassedStream(dialect.Exchange{})
			source := sse.NewReader(strings.NewReader(frames(created, delta, last)), 0)
			for {
				event, err := source.Next()
				if err != nil {
					break
				}
				if step, err := passed.Next(event); err != nil || step.Kind == dialect.StepFailure {
					break
				}
			}
			numbered, ok := passed.(dialect.Numbered)
			if !ok || numbered.NextSequence() != 2 {
				t.Errorf("the event in place of the third one does not get the number 2: %v", passed)
			}
		})
	}
}

// checkPassing reads a stream that passes.
func checkPassing(t *testing.T, stream []byte) {
	t.Helper()
	passed := codec.NewPassedStream(dialect.Exchange{Origin: neutral.OriginOpenAI})
	source := sse.NewReader(bytes.NewReader(stream), 0)
	for {
		event, err := source.Next()
		if err != nil {
			break
		}
		if _, err := passed.Next(event); err != nil {
			break
		}
	}
	if usage := passed.Settle(100); usage.Prompt < 0 || usage.Completion < 0 {
		t.Fatalf("usage %+v", usage)
	}
}

func BenchmarkStreamReader(b *testing.B) {
	reader := codec.NewStreamReader()
	event := sse.Event{Data: []byte(`{"type":"response.output_text.delta","sequence_number":42,"item_id":"msg_0fd43e1b46691ead0069a89a21ea1c8199ae1962065e1d3995","output_index":0,"content_index":0,"delta":" signal box","logprobs":[],"obfuscation":"jx7kf2Qw"}`)}
	var events []neutral.Event
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if events, err = reader.Read(events[:0], event); err != nil {
			b.Fatal(err)
		}
	}
}
