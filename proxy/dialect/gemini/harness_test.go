package gemini_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file under testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// inputs are the files under testdata with this ending, by their names without it.
func inputs(t *testing.T, folder, ending string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*"+ending))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in testdata/%s: %v", folder, err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(path), ending)] = content
	}
	return files
}

// indented is JSON text for people.
func indented(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return append(b.Bytes(), '\n')
}

// compact is JSON text without blanks between tokens.
func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return b.String()
}

// readRequest reads a request that has to be right.
func readRequest(t *testing.T, body string) *neutral.Request {
	t.Helper()
	head, err := gemini.Generate{}.ReadHead([]byte(body))
	if err != nil {
		t.Fatalf("ReadHead: %v", err)
	}
	request, err := gemini.Generate{}.ReadRequest([]byte(body), head)
	if err != nil {
		t.Fatalf("ReadRequest: %v", err)
	}
	return request
}

// arrivals are ways in which the bytes of a stream may arrive.
var arrivals = map[string]func(io.Reader) io.Reader{
	"whole":        func(r io.Reader) io.Reader { return r },
	"byte by byte": iotest.OneByteReader,
	"inside runes": func(r io.Reader) io.Reader { return &runeSplitter{source: r} },
}

// runeSplitter ends each read in the middle of a rune of several bytes, where there is one.
type runeSplitter struct {
	source io.Reader
	rest   []byte
	read   bool
}

func (s *runeSplitter) Read(p []byte) (int, error) {
	if !s.read {
		s.rest, s.read = must(io.ReadAll(s.source)), true
	}
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	end := len(s.rest)
	for i := 1; i < len(s.rest); i++ {
		if !utf8.RuneStart(s.rest[i]) {
			end = i
			break
		}
	}
	n := copy(p, s.rest[:min(end, len(p))])
	s.rest = s.rest[n:]
	return n, nil
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

// events reads a stream to its end.
func events(stream io.Reader) ([]neutral.Event, bool, error) {
	reader, frames := gemini.Generate{}.NewStreamReader(), sse.NewReader(stream, 0)
	var all []neutral.Event
	for {
		frame, err := frames.Next()
		if errors.Is(err, io.EOF) {
			all, whole := reader.End(all)
			return all, whole, nil
		}
		if err != nil {
			return all, false, err
		}
		if all, err = reader.Read(all, frame); err != nil {
			return all, false, err
		}
	}
}

// described are events for people, one in a line.
func described(all []neutral.Event) string {
	var b strings.Builder
	for i := range all {
		e := &all[i]
		fmt.Fprintf(&b, "%s", e.Kind)
		switch e.Kind {
		case neutral.EventStart:
			fmt.Fprintf(&b, " id=%s model=%s created=%d", e.ID, e.Model, e.Created)
		case neutral.EventPartStart:
			fmt.Fprintf(&b, " %d.%d %s", e.Choice, e.Index, describedPart(&e.Part))
		case neutral.EventPartDelta:
			fmt.Fprintf(&b, " %d.%d %s", e.Choice, e.Index, describedDelta(&e.Delta))
		case neutral.EventPartStop:
			fmt.Fprintf(&b, " %d.%d", e.Choice, e.Index)
		case neutral.EventFinish:
			fmt.Fprintf(&b, " %d %s (%s)", e.Choice, e.Finish, e.Native)
		case neutral.EventUsage:
			fmt.Fprintf(&b, " {%s} %s", told(e.Usage), e.ServiceTier)
		case neutral.EventFailure:
			fmt.Fprintf(&b, " %d %s %q", e.Err.Status, e.Err.Type, e.Err.Message)
		case neutral.EventPing, neutral.EventEnd:
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func describedPart(p *neutral.Part) string {
	switch {
	case p.Call != nil:
		return fmt.Sprintf("%s id=%s name=%s", p.Kind, madeID(p.Call.ID), p.Call.Name)
	case p.Thought != nil:
		return fmt.Sprintf("%s id=%s", p.Kind, madeID(p.Thought.ID))
	case p.Media != nil:
		return fmt.Sprintf("%s %+v", p.Kind, *p.Media)
	}
	return fmt.Sprintf("%s %s%s", p.Kind, p.Type, p.Raw)
}

// madeID hides what is random.
func madeID(id string) string {
	if strings.HasPrefix(id, "call_") && len(id) == len("call_")+24 {
		return "(made)"
	}
	return id
}

func describedDelta(d *neutral.Delta) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", d.Text)
	if d.Signature+d.Encrypted != "" {
		fmt.Fprintf(&b, " signature=%s encrypted=%s origin=%s", d.Signature, d.Encrypted, d.Origin)
	}
	if d.Citation != nil {
		fmt.Fprintf(&b, " citation=%+v", *d.Citation)
	}
	if d.LogProbs != nil {
		fmt.Fprintf(&b, " logprobs=%s", d.LogProbs)
	}
	return b.String()
}

// googleAI is a target of the Gemini API.
func googleAI(model string) dialect.Target {
	return dialect.Target{Model: model, Provider: "GoogleAI", ModelInPath: true, StreamInPath: true, Origin: neutral.OriginGemini}
}

// told are the fields of a usage that are not zero.
func told(u meter.Usage) string {
	fields := strings.Fields(strings.Trim(fmt.Sprintf("%+v", u), "{}"))
	return strings.Join(slices.DeleteFunc(fields, func(field string) bool {
		_, value, _ := strings.Cut(field, ":")
		return value == "0" || value == "false" || value == "" || value == "<nil>"
	}), " ")
}
