package responses_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/responses"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

var update = flag.Bool("update", false, "write the golden files anew")

// codec is what all tests use.
var codec = responses.Codec{}

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// indented makes JSON text comparable line by line.
func indented(t *testing.T, text []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return out.String() + "\n"
}

// canonical makes JSON texts comparable whose members stand in different orders.
func canonical(t *testing.T, text []byte) string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	sorted, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}

// request reads a request that must be readable.
func request(t *testing.T, body string) *neutral.Request {
	t.Helper()
	head, err := codec.ReadHead([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r, err := codec.ReadRequest([]byte(body), head)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// refusal is what tests compare of a *dialect.RequestError.
type refusal struct {
	Code  dialect.RequestCode
	Param string
}

// refusalOf takes an error apart that must be a *dialect.RequestError.
func refusalOf(t *testing.T, err error) refusal {
	t.Helper()
	var problem *dialect.RequestError
	if !errors.As(err, &problem) {
		t.Fatalf("error %v, want a RequestError", err)
	}
	if problem.Message == "" {
		t.Error("the error has no message")
	}
	return refusal{Code: problem.Code, Param: problem.Param}
}

// readStream reads a whole stream through the reader of events; it clones what it keeps.
func readStream(t *testing.T, reader dialect.StreamReader, source io.Reader) ([]neutral.Event, bool) {
	t.Helper()
	events, whole, err := tryStream(reader, source)
	if err != nil {
		t.Fatal(err)
	}
	return events, whole
}

func tryStream(reader dialect.StreamReader, source io.Reader) (events []neutral.Event, whole bool, err error) {
	frames := sse.NewReader(source, 0)
	for {
		frame, err := frames.Next()
		if errors.Is(err, io.EOF) {
			events, whole = reader.End(events)
			return events, whole, nil
		}
		if err != nil {
			return events, false, err
		}
		read, err := reader.Read(nil, frame)
		for i := range read {
			events = append(events, clone(&read[i]))
		}
		if err != nil {
			return events, false, err
		}
	}
}

// clone copies an event out of the reader's memory, which is overwritten by the next one.
func clone(e *neutral.Event) neutral.Event {
	c := *e
	c.Delta.Text = strings.Clone(c.Delta.Text)
	c.Delta.LogProbs = bytes.Clone(c.Delta.LogProbs)
	c.Part.Raw = bytes.Clone(c.Part.Raw)
	return c
}
