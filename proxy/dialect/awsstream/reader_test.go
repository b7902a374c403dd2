package awsstream_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect/awsstream"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// message is a frame as AWS's own encoder writes it. Headers are pairs of name and value.
func message(t testing.TB, payload string, headers ...string) []byte {
	t.Helper()
	m := eventstream.Message{Payload: []byte(payload)}
	for pair := range slices.Chunk(headers, 2) {
		m.Headers.Set(pair[0], eventstream.StringValue(pair[1]))
	}
	return encoded(t, m)
}

func encoded(t testing.TB, m eventstream.Message) []byte {
	t.Helper()
	var frame bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&frame, m); err != nil {
		t.Fatal(err)
	}
	return frame.Bytes()
}

// event is a frame with an event.
func event(t testing.TB, name, payload string) []byte {
	return message(t, payload, ":event-type", name, ":content-type", "application/json", ":message-type", "event")
}

// chunk is a frame of InvokeModelWithResponseStream.
func chunk(t testing.TB, inner string) []byte {
	return event(t, "chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(inner))+`","p":"abcdef"}`)
}

// read is an event that outlives its reader's buffer.
type read struct{ Raw, Data, Name string }

// readAll reads all events of a stream.
func readAll(source io.Reader, limit int, mode awsstream.Mode) ([]read, error) {
	reader := awsstream.NewReader(source, limit, mode)
	var events []read
	for {
		e, err := reader.Next()
		if err != nil {
			return events, err
		}
		events = append(events, read{string(e.Raw), string(e.Data), string(e.Name)})
	}
}

// sources are the ways in which a stream may arrive.
func sources(stream []byte) map[string]io.Reader {
	return map[string]io.Reader{
		"whole":                bytes.NewReader(stream),
		"byte by byte":         iotest.OneByteReader(bytes.NewReader(stream)),
		"halves":               iotest.HalfReader(bytes.NewReader(stream)),
		"with the end of file": iotest.DataErrReader(bytes.NewReader(stream)),
	}
}

func TestReader(t *testing.T) {
	odd := eventstream.Message{Payload: []byte(`{"a":1}`)}
	for name, value := range map[string]eventstream.Value{
		"yes": eventstream.BoolValue(true), "no": eventstream.BoolValue(false), "byte": eventstream.Int8Value(-1), "short": eventstream.Int16Value(2),
		"int": eventstream.Int32Value(3), "long": eventstream.Int64Value(4), "bytes": eventstream.BytesValue("xyz"), "time": eventstream.TimestampValue(time.Unix(7, 0)),
		"uuid": eventstream.UUIDValue{1, 2, 3}, ":event-type": eventstream.StringValue("odd"), ":message-type": eventstream.StringValue("event"),
	} {
		odd.Headers.Set(name, value)
	}
	large := `{"text":"` + strings.Repeat("ü", 30_000) + `"}`
	for name, tc := range map[string]struct {
		mode   awsstream.Mode
		frames [][]byte
		want   []read
	}{
		"nothing": {},
		"Converse": {
			frames: [][]byte{event(t, "messageStart", `{"role":"assistant"}`), event(t, "contentBlockDelta", `{"delta":{"text":"Grüße 🚂"}}`)},
			want: []read{
				{"event: messageStart\ndata: {\"role\":\"assistant\"}\n\n", `{"role":"assistant"}`, "messageStart"},
				{"event: contentBlockDelta\ndata: {\"delta\":{\"text\":\"Grüße 🚂\"}}\n\n", `{"delta":{"text":"Grüße 🚂"}}`, "contentBlockDelta"},
			},
		},
		"every type of header": {frames: [][]byte{encoded(t, odd)}, want: []read{{"event: odd\ndata: {\"a\":1}\n\n", `{"a":1}`, "odd"}}},
		"no type":              {frames: [][]byte{message(t, "{}", ":event-type", "x")}, want: []read{{"event: x\ndata: {}\n\n", "{}", "x"}}},
		"no payload":           {frames: [][]byte{event(t, "messageStop", "")}, want: []read{{"event: messageStop\ndata: \n\n", "", "messageStop"}}},
		"line ends":            {frames: [][]byte{event(t, "x", "{\r\n\"a\":\n1}")}, want: []read{{"event: x\ndata: {  \"a\": 1}\n\n", `{  "a": 1}`, "x"}}},
		"a name with lines":    {frames: [][]byte{event(t, "x\ndata: y", `{}`)}, want: []read{{"data: {}\n\n", "{}", ""}}},
		"longer than a read":   {frames: [][]byte{event(t, "x", large), event(t, "y", `{}`)}, want: []read{{"event: x\ndata: " + large + "\n\n", large, "x"}, {"event: y\ndata: {}\n\n", "{}", "y"}}},
		"Invoke": {
			mode:   awsstream.Invoke,
			frames: [][]byte{chunk(t, `{"type":"message_start","message":{"id":"msg_1"}}`), chunk(t, `{"index":0,"type":"content_block_delta","delta":{"text":"ß"}}`), chunk(t, `{"type":"message_stop"}`)},
			want: []read{
				{"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\"}}\n\n", `{"type":"message_start","message":{"id":"msg_1"}}`, "message_start"},
				{"event: content_block_delta\ndata: {\"index\":0,\"type\":\"content_block_delta\",\"delta\":{\"text\":\"ß\"}}\n\n", `{"index":0,"type":"content_block_delta","delta":{"text":"ß"}}`, "content_block_delta"},
				{"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", `{"type":"message_stop"}`, "message_stop"},
			},
		},
		"Invoke, escaped":       {mode: awsstream.Invoke, frames: [][]byte{event(t, "chunk", `{"p":"a","bytes":"e30\u003d"}`)}, want: []read{{"data: {}\n\n", "{}", ""}}},
		"Invoke, no type":       {mode: awsstream.Invoke, frames: [][]byte{chunk(t, `{"outputText":"a","type":7}`)}, want: []read{{"data: {\"outputText\":\"a\",\"type\":7}\n\n", `{"outputText":"a","type":7}`, ""}}},
		"Invoke, no JSON":       {mode: awsstream.Invoke, frames: [][]byte{chunk(t, `{"type":"a`)}, want: []read{{"data: {\"type\":\"a\n\n", `{"type":"a`, ""}}},
		"Invoke, other event":   {mode: awsstream.Invoke, frames: [][]byte{event(t, "initial-response", `{}`), chunk(t, `{}`)}, want: []read{{"data: {}\n\n", "{}", ""}}},
		"exception":             {frames: [][]byte{message(t, `{"message":"Too many \"requests\""}`, ":exception-type", "throttlingException", ":message-type", "exception")}, want: failed("rate_limit_error", `Too many \"requests\"`, "throttlingException")},
		"exception, Invoke":     {mode: awsstream.Invoke, frames: [][]byte{message(t, `{"message":"m"}`, ":exception-type", "serviceUnavailableException", ":message-type", "exception")}, want: failed("overloaded_error", "m", "serviceUnavailableException")},
		"exception of a model":  {frames: [][]byte{message(t, `{"originalStatusCode":500,"originalMessage":"broken"}`, ":exception-type", "modelStreamErrorException", ":message-type", "exception")}, want: failed("api_error", "broken", "modelStreamErrorException")},
		"exception, no payload": {frames: [][]byte{message(t, "", ":exception-type", "ValidationException", ":message-type", "exception")}, want: failed("invalid_request_error", "", "ValidationException")},
		"error":                 {frames: [][]byte{message(t, "", ":error-code", "InternalError", ":error-message", "An internal\nfailure", ":message-type", "error")}, want: failed("api_error", `An internal\nfailure`, "InternalError")},
	} {
		t.Run(name, func(t *testing.T) {
			for way, source := range sources(bytes.Join(tc.frames, nil)) {
				got, err := readAll(source, 0, tc.mode)
				if !errors.Is(err, io.EOF) {
					t.Errorf("%s: error %v, want the end", way, err)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s: events (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

// failed is the event of an exception.
func failed(kind, text, name string) []read {
	data := `{"type":"error","error":{"type":"` + kind + `","message":"` + text + `","code":"` + name + `"}}`
	return []read{{"event: error\ndata: " + data + "\n\n", data, "error"}}
}

// TestEventsAreServerSentEvents reads what the reader made with the reader of server-sent events: both find the same.
func TestEventsAreServerSentEvents(t *testing.T) {
	reader := awsstream.NewReader(bytes.NewReader(append(event(t, "contentBlockDelta", `{"a":"ü"}`), event(t, "messageStop", `{}`)...)), 0, awsstream.Converse)
	for range 2 {
		got, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		want, err := sse.NewReader(bytes.NewReader(got.Raw), 0).Next()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	}
}

// frame is a frame with proper checksums around any headers.
func frame(headers, payload []byte) []byte {
	data := binary.BigEndian.AppendUint32(nil, uint32(16+len(headers)+len(payload)))
	data = binary.BigEndian.AppendUint32(data, uint32(len(headers)))
	return resum(append(append(binary.BigEndian.AppendUint32(data, 0), headers...), payload...))
}

// resum puts proper checksums into a frame that lacks the last one.
func resum(data []byte) []byte {
	binary.BigEndian.PutUint32(data[8:], crc32.ChecksumIEEE(data[:8]))
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(data))
}

func TestReaderRefuses(t *testing.T) {
	whole := event(t, "x", `{"a":1}`)
	changed := func(at int) []byte {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1
		return damaged
	}
	lengths := func(total, headers uint32) []byte {
		data := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, total), headers)
		return resum(append(data, 0, 0, 0, 0))
	}
	for name, tc := range map[string]struct {
		stream []byte
		limit  int
		mode   awsstream.Mode
		want   string
	}{
		"cut in the prelude":        {stream: whole[:7], want: "unexpected EOF"},
		"cut behind the prelude":    {stream: whole[:12], want: "unexpected EOF"},
		"cut before the end":        {stream: whole[:len(whole)-1], want: "unexpected EOF"},
		"prelude damaged":           {stream: changed(3), want: "a frame of the stream has a wrong checksum"},
		"headers damaged":           {stream: changed(20), want: "a frame of the stream has a wrong checksum"},
		"payload damaged":           {stream: changed(len(whole) - 6), want: "a frame of the stream has a wrong checksum"},
		"checksum damaged":          {stream: changed(len(whole) - 1), want: "a frame of the stream has a wrong checksum"},
		"no frame at all":           {stream: []byte("HTTP/1.1 502 Bad Gateway"), want: "a frame of the stream has a wrong checksum"},
		"length 0":                  {stream: lengths(0, 0), want: "a frame of the stream has impossible lengths"},
		"length below the least":    {stream: lengths(15, 0), want: "a frame of the stream has impossible lengths"},
		"more headers than frame":   {stream: lengths(16, 1), want: "a frame of the stream has impossible lengths"},
		"headers that wrap around":  {stream: lengths(20, 0xffffffff), want: "a frame of the stream has impossible lengths"},
		"above the limit":           {stream: event(t, "x", strings.Repeat("x", 100)), limit: 100, want: "an event of the stream has more than 100 bytes"},
		"claims 4 GiB":              {stream: lengths(0xffffffff, 0), want: "an event of the stream has more than 16777216 bytes"},
		"a header's name too long":  {stream: frame([]byte{9, 'a'}, nil), want: "the headers of a frame cannot be read"},
		"a header without value":    {stream: frame([]byte{1, 'a'}, nil), want: "the headers of a frame cannot be read"},
		"a header of unknown type":  {stream: frame([]byte{1, 'a', 10}, nil), want: "the headers of a frame cannot be read"},
		"a header's value too long": {stream: frame([]byte{1, 'a', 7, 0, 2, 'x'}, nil), want: "the headers of a frame cannot be read"},
		"a header's length cut":     {stream: frame([]byte{1, 'a', 7, 0}, nil), want: "the headers of a frame cannot be read"},
		"a number cut":              {stream: frame([]byte{1, 'a', 5, 0}, nil), want: "the headers of a frame cannot be read"},
		"no headers":                {stream: frame(nil, []byte(`{}`)), want: "a frame of the stream is of an unknown type"},
		"unknown type":              {stream: message(t, "{}", ":message-type", "greeting"), want: "a frame of the stream is of an unknown type"},
		"Invoke, not base64":        {mode: awsstream.Invoke, stream: event(t, "chunk", `{"bytes":"!"}`), want: "a chunk of the stream cannot be read"},
		"Invoke, no bytes":          {mode: awsstream.Invoke, stream: event(t, "chunk", `{"p":"x"}`), want: "a chunk of the stream cannot be read"},
		"Invoke, bytes no text":     {mode: awsstream.Invoke, stream: event(t, "chunk", `{"bytes":7}`), want: "a chunk of the stream cannot be read"},
		"Invoke, no object":         {mode: awsstream.Invoke, stream: event(t, "chunk", `[]`), want: "a chunk of the stream cannot be read"},
		"Invoke, no JSON":           {mode: awsstream.Invoke, stream: event(t, "chunk", `{"bytes":"e30=`), want: "a chunk of the stream cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			for way, source := range sources(tc.stream) {
				got, err := readAll(source, tc.limit, tc.mode)
				if err == nil || err.Error() != tc.want || len(got) > 0 {
					t.Errorf("%s: %d events and error %v, want none and %s", way, len(got), err, tc.want)
				}
			}
		})
	}
}

// TestErrorsStay asks again after an error: what comes behind a damaged frame has no meaning.
func TestErrorsStay(t *testing.T) {
	damaged := event(t, "x", `{}`)
	damaged[len(damaged)-1] ^= 1
	reader := awsstream.NewReader(bytes.NewReader(append(damaged, event(t, "y", `{}`)...)), 0, awsstream.Converse)
	_, first := reader.Next()
	_, second := reader.Next()
	if first == nil || !errors.Is(second, first) {
		t.Errorf("errors %v and %v, want the same twice", first, second)
	}
}

// TestLimitIsTyped makes sure that callers can tell a frame that is too large.
func TestLimitIsTyped(t *testing.T) {
	_, err := awsstream.NewReader(bytes.NewReader(event(t, "x", "{}")), 20, awsstream.Converse).Next()
	var tooLarge *sse.TooLargeError
	if !errors.As(err, &tooLarge) || tooLarge.Limit != 20 {
		t.Errorf("error %v, want one of the limit", err)
	}
}

// TestSourceErrors passes on what the source failed with, after the frames that came whole.
func TestSourceErrors(t *testing.T) {
	broken := errors.New("connection reset")
	got, err := readAll(io.MultiReader(bytes.NewReader(event(t, "x", "{}")), iotest.ErrReader(broken)), 0, awsstream.Converse)
	if !errors.Is(err, broken) || len(got) != 1 {
		t.Errorf("%d events and error %v, want 1 and %v", len(got), err, broken)
	}
	_, err = readAll(silent{}, 0, awsstream.Converse)
	if !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("error %v, want %v", err, io.ErrNoProgress)
	}
}

// silent is a source that returns nothing and no error.
type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

func FuzzReader(f *testing.F) {
	f.Add(event(f, "contentBlockDelta", `{"delta":{"text":"ü"}}`), false)
	f.Add(append(chunk(f, `{"type":"ping"}`), chunk(f, `{}`)...), true)
	f.Add(message(f, `{"message":"m"}`, ":exception-type", "throttlingException", ":message-type", "exception"), true)
	f.Add([]byte("event: x\ndata: {}\n\n"), false)
	f.Fuzz(func(t *testing.T, content []byte, invoke bool) {
		mode := awsstream.Converse
		if invoke {
			mode = awsstream.Invoke
		}
		// Damaged checksums would hide all behind them, so the same bytes are read as headers and payload of a proper frame too.
		cut := len(content) / 2
		for _, stream := range [][]byte{content, frame(content[:cut], content[cut:]), frame(append([]byte("\x0d:message-type\x07\x00\x05event\x0b:event-type\x07\x00\x05chunk"), content[:cut]...), content[cut:])} {
			whole, wholeErr := readAll(bytes.NewReader(stream), 1<<20, mode)
			split, splitErr := readAll(iotest.OneByteReader(bytes.NewReader(stream)), 1<<20, mode)
			if diff := cmp.Diff(whole, split); diff != "" || wholeErr.Error() != splitErr.Error() {
				t.Fatalf("whole and split differ: %v, %v\n%s", wholeErr, splitErr, diff)
			}
			for _, e := range whole {
				again, err := sse.NewReader(strings.NewReader(e.Raw), 0).Next()
				if err != nil || string(again.Data) != e.Data || string(again.Name) != e.Name {
					t.Fatalf("%q reads as %q, %v", e.Raw, again.Data, err)
				}
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	one := event(b, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Hello there, passenger"},"p":"abcdefgh"}`)
	stream := bytes.Repeat(one, 1000)
	b.ReportAllocs()
	for b.Loop() {
		reader := awsstream.NewReader(bytes.NewReader(stream), 0, awsstream.Converse)
		for range 1000 {
			if _, err := reader.Next(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
