package anthropic_test

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// seed adds the files of a folder under testdata to the corpus.
func seed(f *testing.F, folder string, more ...string) {
	f.Helper()
	for _, body := range golden(f, folder) {
		f.Add(body)
	}
	for _, body := range more {
		f.Add([]byte(body))
	}
}

// FuzzRequest reads requests, and writes what could be read for targets of several kinds: always as JSON, and for the same API so that it can be read again.
func FuzzRequest(f *testing.F) {
	seed(f, "request", `{"model":"m","messages":[{"role":"user","content":[{"type":"thinking","signature":"sb1:x:y"}]}]}`,
		`{"model":"m","system":[],"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"},{"role":"system","content":[{"type":"text","text":"c"}]}]}`)
	targets := []dialect.Target{
		claude("claude-opus-5-5"), claude("claude-sonnet-4-5"), claude("claude-3-haiku"), {Model: "m", Quirks: dialect.Quirks{Accepted: []string{}}},
		{Model: "m", ModelInPath: true, StreamInPath: true, Betas: []string{"b"}, Set: []neutral.Member{{Name: "anthropic_version", Value: json.RawMessage("1")}}, Quirks: dialect.Quirks{NoImageURLs: true}},
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		head, err := anthropic.Messages{}.ReadHead(body)
		if err != nil {
			return
		}
		anthropic.EstimateTokens(body)
		r, readErr := anthropic.Messages{}.ReadRequest(body, head)
		for _, to := range targets {
			if passed, _, err := (anthropic.Messages{}).AppendPassed(nil, body, head, to); err == nil && !json.Valid(passed) {
				t.Fatalf("passed %q as %q", body, passed)
			}
			if readErr == nil {
				checkWritten(t, r, to)
			}
		}
	})
}

func checkWritten(t *testing.T, r *neutral.Request, to dialect.Target) {
	t.Helper()
	for _, source := range []neutral.API{neutral.Messages, neutral.ChatCompletions} {
		request := *r
		request.Source = source
		body, _, err := anthropic.Messages{}.AppendRequest(nil, &request, to)
		if err != nil {
			continue
		}
		if !json.Valid(body) {
			t.Fatalf("wrote %q", body)
		}
		if to.ModelInPath {
			continue
		}
		head, err := anthropic.Messages{}.ReadHead(body)
		if err != nil {
			t.Fatalf("%v in %q", err, body)
		}
		if _, err := (anthropic.Messages{}).ReadRequest(body, head); err != nil {
			t.Fatalf("%v in %q", err, body)
		}
	}
}

// FuzzResponse reads answers and writes what could be read.
func FuzzResponse(f *testing.F) {
	seed(f, "answer", `{"type":"error","error":{"type":"x"}}`, `{"content":[{"type":"tool_use","name":"`+neutral.OutputTool+`"}]}`)
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := anthropic.Messages{}.ReadResponse(body)
		if err != nil || r.Err != nil {
			return
		}
		written := anthropic.Messages{}.AppendResponse(nil, r, dialect.Exchange{ID: "x"})
		if _, err := (anthropic.Messages{}).ReadResponse(written); err != nil {
			t.Fatalf("%v in %q", err, written)
		}
		if _, err := (anthropic.CountTokens{}).ReadPassed(body, dialect.Exchange{}); err == nil && !json.Valid(body) {
			t.Fatal("what is no JSON was taken for a count")
		}
	})
}

// FuzzStream reads streams, checks the order of their events, and writes them again.
func FuzzStream(f *testing.F) {
	seed(f, "stream", data(messageStart, textHello, "[DONE]"), data(`{"type":"content_block_start","content_block":{"type":"tool_use","input":{"a":1}}}`, blockStop, toolUse))
	f.Fuzz(func(t *testing.T, stream []byte) {
		frames, reader := sse.NewReader(strings.NewReader(string(stream)), 0), anthropic.Messages{}.NewStreamReader()
		writer := anthropic.Messages{}.NewStreamWriter(dialect.Exchange{ID: "x"})
		var order order
		var out []byte
		for {
			frame, err := frames.Next()
			if err != nil {
				break
			}
			got, err := reader.Read(nil, frame)
			if err != nil {
				return
			}
			for i := range got {
				order.check(t, &got[i])
				out = writer.Write(out, &got[i])
			}
		}
		got, _ := reader.End(nil)
		for i := range got {
			order.check(t, &got[i])
			out = writer.Write(out, &got[i])
		}
		checkFrames(t, out)
	})
}

// order is what the contract demands of the events of a stream.
type order struct {
	open, ended bool
	parts       int
}

func (o *order) check(t *testing.T, e *neutral.Event) {
	t.Helper()
	inside := []neutral.EventKind{neutral.EventPartDelta, neutral.EventPartStop}
	between := []neutral.EventKind{neutral.EventPartStart, neutral.EventFinish, neutral.EventEnd}
	wrong := slices.Contains(inside, e.Kind) && !o.open || slices.Contains(between, e.Kind) && o.open
	if index := e.Index; o.ended || wrong || strings.HasPrefix(string(e.Kind), "part_") && index != o.parts {
		t.Fatalf("%s of part %d in a wrong place", e.Kind, index)
	}
	switch e.Kind {
	case neutral.EventPartStart:
		o.open = true
	case neutral.EventPartStop:
		o.open = false
		o.parts++
	case neutral.EventEnd:
		o.ended = true
	case neutral.EventStart, neutral.EventPartDelta, neutral.EventFinish, neutral.EventUsage, neutral.EventPing, neutral.EventFailure:
	}
}

func checkFrames(t *testing.T, stream []byte) {
	t.Helper()
	for frames := sse.NewReader(strings.NewReader(string(stream)), 0); ; {
		frame, err := frames.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || !json.Valid(frame.Data) || !utf8.Valid(frame.Data) || len(frame.Name) == 0 {
			t.Fatalf("wrote %q: %v", stream, err)
		}
	}
}
