package sse_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// event is an sse.Event that outlives its reader's buffer.
type event struct{ Raw, Data, Name string }

// readAll reads all events of a stream.
func readAll(source io.Reader, limit int) ([]event, error) {
	reader := sse.NewReader(source, limit)
	var events []event
	for {
		e, err := reader.Next()
		if err != nil {
			return events, err
		}
		events = append(events, event{string(e.Raw), string(e.Data), string(e.Name)})
	}
}

func TestEventReader(t *testing.T) {
	for name, tc := range map[string]struct {
		stream string
		want   []event
	}{
		"nothing":                {},
		"blank lines":            {stream: "\n\r\n\r\r\n"},
		"two events":             {stream: "data: a\n\ndata: b\n\n", want: []event{{"data: a\n\n", "a", ""}, {"data: b\n\n", "b", ""}}},
		"CRLF":                   {stream: "data: a\r\n\r\ndata: b\r\n\r\n", want: []event{{"data: a\r\n\r\n", "a", ""}, {"data: b\r\n\r\n", "b", ""}}},
		"CR":                     {stream: "data: a\r\rdata: b\r\r", want: []event{{"data: a\r\r", "a", ""}, {"data: b\r\r", "b", ""}}},
		"mixed":                  {stream: "data: a\r\n\ndata: b\n\rdata: c\r\n\r", want: []event{{"data: a\r\n\n", "a", ""}, {"data: b\n\r", "b", ""}, {"data: c\r\n\r", "c", ""}}},
		"no space":               {stream: "data:a\n\n", want: []event{{"data:a\n\n", "a", ""}}},
		"one space only":         {stream: "data:  a \n\n", want: []event{{"data:  a \n\n", " a ", ""}}},
		"several lines":          {stream: "data: a\ndata:b\ndata\ndata: c\n\n", want: []event{{"data: a\ndata:b\ndata\ndata: c\n\n", "a\nb\n\nc", ""}}},
		"comment":                {stream: ": OPENROUTER PROCESSING\n\n", want: []event{{": OPENROUTER PROCESSING\n\n", "", ""}}},
		"comment with data":      {stream: ":x\ndata: a\n\n", want: []event{{":x\ndata: a\n\n", "a", ""}}},
		"name and others":        {stream: "id: 7\nevent: error\nretry: 5\ndata: a\n\n", want: []event{{"id: 7\nevent: error\nretry: 5\ndata: a\n\n", "a", "error"}}},
		"unknown field":          {stream: "database: a\n\n", want: []event{{"database: a\n\n", "", ""}}},
		"blank lines in between": {stream: "data: a\n\n\n\ndata: b\n\n", want: []event{{"data: a\n\n", "a", ""}, {"data: b\n\n", "b", ""}}},
		"byte order mark":        {stream: "\ufeffdata: a\n\n", want: []event{{"data: a\n\n", "a", ""}}},
		"half a mark":            {stream: "\xef\xbb", want: []event{{"\xef\xbb\n\n", "", ""}}},
		"no blank line":          {stream: "data: a\n", want: []event{{"data: a\n\n", "a", ""}}},
		"no line end":            {stream: "data: a\n\ndata: [DONE]", want: []event{{"data: a\n\n", "a", ""}, {"data: [DONE]\n\n", "[DONE]", ""}}},
		"ends with CR":           {stream: "data: a\r", want: []event{{"data: a\r\n", "a", ""}}},
		"ends with split CRLF":   {stream: "data: a\r\n\r", want: []event{{"data: a\r\n\r", "a", ""}}},
		"longer than a read":     {stream: "data: " + strings.Repeat("x", 20_000) + "\n\ndata: b\n\n", want: []event{{"data: " + strings.Repeat("x", 20_000) + "\n\n", strings.Repeat("x", 20_000), ""}, {"data: b\n\n", "b", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(strings.NewReader(tc.stream), 0)
			if diff := cmp.Diff(tc.want, got); diff != "" || !errors.Is(err, io.EOF) {
				t.Errorf("ended with %v, events (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestEventReaderSplitAnywhere reads each stream byte by byte and in halves of each size. Only which of two line ends a LF behind a split CR belongs to may
// differ, so data and names are compared.
func TestEventReaderSplitAnywhere(t *testing.T) {
	for _, stream := range []string{
		"\ufeffdata: a\n\n: c\n\nevent: e\ndata: b\ndata: c\n\ndata: [DONE]\n\n", "data: a\r\n\r\nid:1\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\rdata: c\r\r", "data: a\r\n\n\r\ndata: b",
	} {
		want, _ := readAll(strings.NewReader(stream), 0)
		split := map[string]io.Reader{"bytes": iotest.OneByteReader(strings.NewReader(stream)), "error with data": iotest.DataErrReader(strings.NewReader(stream))}
		for cut := range len(stream) {
			split["cut at "+stream[:cut]] = io.MultiReader(strings.NewReader(stream[:cut]), strings.NewReader(stream[cut:]))
		}
		for name, source := range split {
			got, err := readAll(source, 0)
			if diff := cmp.Diff(content(want), content(got)); diff != "" || !errors.Is(err, io.EOF) {
				t.Errorf("%q: ended with %v, events (-want +got):\n%s", name, err, diff)
			}
		}
	}
}

func content(events []event) []event {
	var bare []event
	for _, e := range events {
		bare = append(bare, event{Data: e.Data, Name: e.Name})
	}
	return bare
}

// TestEventIsReturnedAtOnce shows that an event does not wait for the next one, whatever its line ends.
func TestEventIsReturnedAtOnce(t *testing.T) {
	for _, text := range []string{"data: a\n\n", "data: a\r\n\r\n", "data: a\r\r"} {
		source, sink := io.Pipe()
		go func() { _, _ = sink.Write([]byte(text)) }() // The pipe stays open: a reader that wants more would block for ever.
		got, err := sse.NewReader(source, 0).Next()
		if err != nil || string(got.Data) != "a" {
			t.Errorf("%q gives %q, %v", text, got.Data, err)
		}
		_ = source.Close()
	}
}

func TestEventReaderLimit(t *testing.T) {
	const limit = 10_000
	fits := "data: " + strings.Repeat("x", limit-8) + "\n\n"
	for name, tc := range map[string]struct {
		stream string
		events int
		fail   bool
	}{
		"at the limit":      {stream: fits + fits, events: 2},
		"above it":          {stream: "data: a\n\n" + "data: " + strings.Repeat("x", limit-7) + "\n\n", events: 1, fail: true},
		"a line for ever":   {stream: "data: " + strings.Repeat("x", 100*limit), fail: true},
		"comments for ever": {stream: strings.Repeat(": keep-alive\n", limit), fail: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(strings.NewReader(tc.stream), limit)
			var tooLarge *sse.TooLargeError
			if errors.As(err, &tooLarge) != tc.fail || len(got) != tc.events {
				t.Errorf("%d events, then %v, want %d, failure %v", len(got), err, tc.events, tc.fail)
			}
		})
	}
}

func TestEventReaderSourceFails(t *testing.T) {
	broken := errors.New("connection reset")
	got, err := readAll(io.MultiReader(strings.NewReader("data: a\n\ndata: b\n"), iotest.ErrReader(broken)), 0)
	if diff := cmp.Diff([]event{{"data: a\n\n", "a", ""}}, got); diff != "" || !errors.Is(err, broken) {
		t.Errorf("ended with %v, events (-want +got):\n%s", err, diff)
	}
	if _, err := readAll(emptyReader{}, 0); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source that never returns anything gives %v", err)
	}
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

func TestEventReaderReset(t *testing.T) {
	reader := sse.NewReader(strings.NewReader("data: a\r\n\r"), 100)
	if _, err := reader.Next(); err != nil {
		t.Fatal(err)
	}
	reader.Reset(strings.NewReader("\n\ndata: b\n\n" + strings.Repeat("x", 200)))
	got, err := reader.Next()
	if err != nil || string(got.Raw) != "data: b\n\n" {
		t.Errorf("after Reset: %q, %v", got.Raw, err)
	}
	var tooLarge *sse.TooLargeError
	if _, err := reader.Next(); !errors.As(err, &tooLarge) || tooLarge.Limit != 100 {
		t.Errorf("the limit is lost: %v", err)
	}
}

// FuzzEventReader compares the events of a stream that comes at once with those of one that comes byte by byte, and its data with a plain reading of it.
func FuzzEventReader(f *testing.F) {
	for _, seed := range []string{"data: a\n\n", "data: a\r\n\r\n: c\r\rdata:b\ndata:c\n\nevent:e\ndata\n\n", "\ufeffdata: [DONE]", "\r\n\r", "data: a\r\n\n\r"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole, err := readAll(bytes.NewReader(stream), 0)
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		split, err := readAll(iotest.OneByteReader(bytes.NewReader(stream)), 0)
		if diff := cmp.Diff(content(whole), content(split)); diff != "" || !errors.Is(err, io.EOF) {
			t.Fatalf("%q: ended with %v, events (-whole +split):\n%s", stream, err, diff)
		}
		var got []string
		for _, e := range whole {
			got = append(got, e.Data)
		}
		if diff := cmp.Diff(plainData(string(stream)), got); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", stream, diff)
		}
	})
}

// plainData is the data of the events of a stream, read the simple way.
func plainData(stream string) []string {
	stream = strings.TrimPrefix(stream, "\ufeff")
	stream = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(stream)
	var events []string
	var data []string
	open := false
	for line := range strings.SplitSeq(stream+"\n\n", "\n") {
		name, value, _ := strings.Cut(line, ":")
		switch {
		case line == "":
			if open {
				events = append(events, strings.Join(data, "\n"))
			}
			open, data = false, nil
		case name == "data":
			data = append(data, strings.TrimPrefix(value, " "))
			open = true
		default:
			open = true
		}
	}
	return events
}
