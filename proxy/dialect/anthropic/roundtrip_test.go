package anthropic_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// golden returns the files of a folder under testdata by their name.
func golden(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("testdata/%s has no files: %v", folder, err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = body
	}
	return files
}

// parsed is JSON text as values.
func parsed(t *testing.T, body []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return value
}

func readRequest(t *testing.T, body []byte) *neutral.Request {
	t.Helper()
	head, err := anthropic.Messages{}.ReadHead(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := anthropic.Messages{}.ReadRequest(body, head)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// claude is a target at Anthropic.
func claude(model string) dialect.Target {
	return dialect.Target{Model: model, Provider: "Anthropic", Origin: neutral.OriginAnthropic}
}

func TestRequestLosesNothing(t *testing.T) {
	for name, body := range golden(t, "request") {
		t.Run(name, func(t *testing.T) {
			r := readRequest(t, body)
			written, report, err := anthropic.Messages{}.AppendRequest(nil, r, claude(r.Model))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parsed(t, body), parsed(t, written)); diff != "" {
				t.Error(diff)
			}
			if len(report.Dropped) > 0 {
				t.Errorf("dropped %v", report.Dropped)
			}
			if diff := cmp.Diff(r, readRequest(t, written), cmp.Transformer("compact", compact)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// compact makes JSON text comparable that differs in its blanks.
func compact(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return err.Error()
	}
	return value
}

func TestResponseLosesNothing(t *testing.T) {
	for name, body := range golden(t, "answer") {
		t.Run(name, func(t *testing.T) {
			r, err := anthropic.Messages{}.ReadResponse(body)
			if err != nil {
				t.Fatal(err)
			}
			written := anthropic.Messages{}.AppendResponse(nil, r, dialect.Exchange{ID: "x"})
			if diff := cmp.Diff(parsed(t, body), parsed(t, written)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// ways are the ways in which the bytes of a stream may come.
func ways(stream string) map[string]io.Reader {
	return map[string]io.Reader{
		"whole":        strings.NewReader(stream),
		"byte by byte": iotest.OneByteReader(strings.NewReader(stream)),
		"split runes":  &runeSplitter{rest: []byte(stream)},
		"data and EOF": iotest.DataErrReader(strings.NewReader(stream)),
	}
}

// runeSplitter ends every read in the middle of the next rune of several bytes.
type runeSplitter struct{ rest []byte }

func (r *runeSplitter) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	size := 1
	for size < len(r.rest) && r.rest[size] < 0xc0 {
		size++
	}
	n := copy(p, r.rest[:min(size+1, len(r.rest))])
	r.rest = r.rest[n:]
	return n, nil
}

// events reads a whole stream.
func events(t *testing.T, source io.Reader) []neutral.Event {
	t.Helper()
	frames, reader := sse.NewReader(source, 0), anthropic.Messages{}.NewStreamReader()
	var all []neutral.Event
	for {
		frame, err := frames.Next()
		if errors.Is(err, io.EOF) {
			all, _ = reader.End(all)
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if all, err = reader.Read(all, frame); err != nil {
			t.Fatal(err)
		}
	}
}

// written is the stream that events make.
func written(events []neutral.Event, o dialect.Exchange) string {
	writer := anthropic.Messages{}.NewStreamWriter(o)
	var stream []byte
	for i := range events {
		stream = writer.Write(stream, &events[i])
	}
	return string(stream)
}

func TestStreamLosesNothing(t *testing.T) {
	for name, body := range golden(t, "stream") {
		for way, source := range ways(string(body)) {
			t.Run(name+", "+way, func(t *testing.T) {
				if diff := cmp.Diff(string(body), written(events(t, source), dialect.Exchange{ID: "x"})); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestPassedStreamIsUntouched(t *testing.T) {
	for name, body := range golden(t, "stream") {
		for way, source := range ways(string(body)) {
			t.Run(name+", "+way, func(t *testing.T) {
				stream := anthropic.Messages{}.NewPassedStream(dialect.Exchange{})
				frames := sse.NewReader(source, 0)
				var got strings.Builder
				done := false
				for {
					frame, err := frames.Next()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					step, err := stream.Next(frame)
					if err != nil {
						t.Fatal(err)
					}
					got.Write(step.Output)
					done = step.Kind == dialect.StepDone
				}
				if diff := cmp.Diff(string(body), got.String()); diff != "" {
					t.Error(diff)
				}
				if usage, ok := stream.Usage(); !done || !stream.Started() || !ok || usage.Completion < 15 {
					t.Errorf("done %v, started %v, usage %v %+v", done, stream.Started(), ok, usage)
				}
			})
		}
	}
}

func jsonOf(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
