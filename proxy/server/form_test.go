package server

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

const testBoundary = "sep-0123"

// formPart is a part of a test's form; a file if it has a file name.
type formPart struct{ name, file, value string }

func formText(t *testing.T, parts ...formPart) string {
	t.Helper()
	var text bytes.Buffer
	w := multipart.NewWriter(&text)
	if err := w.SetBoundary(testBoundary); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		create := func() (io.Writer, error) { return w.CreateFormField(p.name) }
		if p.file != "" {
			create = func() (io.Writer, error) { return w.CreateFormFile(p.name, p.file) }
		}
		part, err := create()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, p.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestFormModel(t *testing.T) {
	binary := strings.Repeat("\x00\xff\r\n--sep\r\n-\n", 40_000) + "\r\r\n"
	model := formPart{name: "model", value: "whisper"}
	for name, tc := range map[string]struct {
		text, want, problem string
		err                 error
	}{
		"model first":         {text: formText(t, model, formPart{"file", "a.wav", binary}), want: "whisper"},
		"file first":          {text: formText(t, formPart{"file", "a.wav", binary}, model, formPart{name: "language", value: "en"}), want: "whisper"},
		"only the model":      {text: formText(t, model), want: "whisper"},
		"empty file":          {text: formText(t, formPart{"file", "a.wav", ""}, model), want: "whisper"},
		"preamble":            {text: "hello\r\n" + formText(t, model), want: "whisper"},
		"quoted name":         {text: "--sep-0123\r\ncontent-disposition: form-data; name=model\r\n\r\nwhisper\r\n--sep-0123--", want: "whisper"},
		"boundary and more":   {text: formText(t, formPart{name: "prompt", value: "x\r\n--sep-01234\r\ny"}, model), want: "whisper"},
		"model named in file": {text: formText(t, formPart{"file", "model", "name=\"model\"\r\n\r\nevil\r\n"}, model), want: "whisper"},
		"line as long as the buffer": {
			text: formText(t, formPart{"file", "a", strings.Repeat("x", 16<<10-1)}, formPart{"file", "b", strings.Repeat("y", 16<<10)}, model), want: "whisper",
		},
		"no model":       {text: formText(t, formPart{name: "prompt", value: "x"}), problem: `the form has no field "model"`},
		"nothing":        {text: "--sep-0123--\r\n", problem: `the form has no field "model"`},
		"cut":            {text: formText(t, formPart{"file", "a.wav", binary}, model)[:5000], err: io.ErrUnexpectedEOF},
		"empty":          {err: io.ErrUnexpectedEOF},
		"endless model":  {text: formText(t, formPart{name: "model", value: strings.Repeat("m", 2000)}), problem: "a field of the form is longer than 1024 bytes"},
		"endless header": {text: "--sep-0123\r\n" + strings.Repeat("X: "+strings.Repeat("y", 100)+"\r\n", 100), problem: "the head of a part of the form is longer than 8192 bytes"},
		"many parts": {
			text: formText(t, make([]formPart, 200)...), problem: `the form has more than 128 parts before the field "model"`,
		},
	} {
		for way, source := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader} {
			t.Run(name+"/"+way, func(t *testing.T) {
				s := newSpool(source(strings.NewReader(tc.text)), 1<<30, &disk{bound: 1 << 30})
				defer s.close()
				got, at, err := newFormScanner(s, testBoundary).find("model")
				var wrong *formSyntaxError
				if errors.As(err, &wrong) {
					if diff := cmp.Diff(tc.problem, wrong.problem); diff != "" {
						t.Errorf("problem (-want +got):\n%s", diff)
					}
					return
				}
				if !errors.Is(err, tc.err) || tc.problem != "" {
					t.Fatalf("error %v, want %v or problem %q", err, tc.err, tc.problem)
				}
				if err != nil {
					return
				}
				if got != tc.want || tc.text[at.from:at.to] != tc.want {
					t.Errorf("model %q at %q, want %q", got, tc.text[at.from:at.to], tc.want)
				}
				checkEdited(t, s, at, tc.text)
			})
		}
	}
}

// checkEdited reads the form twice with another model, the first time not to its end.
func checkEdited(t *testing.T, s *spool, at span, text string) {
	t.Helper()
	at.text = "other-model"
	want := text[:at.from] + at.text + text[at.to:]
	first := &spoolReader{spool: s, edit: at}
	part := make([]byte, len(want)/2)
	if _, err := io.ReadFull(first, part); err != nil || string(part) != want[:len(part)] {
		t.Fatalf("the first half differs, error %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := first.Read(part); n != 0 || !errors.Is(err, errBodyClosed) {
		t.Errorf("a closed body reads %d bytes, %v", n, err)
	}
	whole, err := io.ReadAll(&spoolReader{spool: s, edit: at})
	if err != nil || string(whole) != want {
		t.Errorf("the second reading has %d bytes, want %d; error %v", len(whole), len(want), err)
	}
	if !s.whole() {
		t.Error("the form is not whole after its end")
	}
}

func TestSpoolBounds(t *testing.T) {
	long := strings.Repeat("x", 3*spoolMemory)
	read := func(s *spool) error {
		_, err := io.Copy(io.Discard, &spoolReader{spool: s, edited: true})
		return err
	}
	d := &disk{bound: 1 << 30}
	tooLarge := newSpool(strings.NewReader(long), int64(len(long))-1, d)
	if err := read(tooLarge); !errors.Is(err, errFormTooLarge) || tooLarge.whole() {
		t.Errorf("a form above the limit: %v", err)
	}
	tooLarge.close()
	fits := newSpool(strings.NewReader(long), int64(len(long)), d)
	if err := read(fits); err != nil {
		t.Errorf("a form of the limit: %v", err)
	}
	if held := d.held.Load(); held != int64(len(long))-spoolMemory {
		t.Errorf("%d bytes on disk, want what is not in memory", held)
	}
	fits.close()
	if held := d.held.Load(); held != 0 {
		t.Errorf("%d bytes on disk after the end", held)
	}
	full := newSpool(strings.NewReader(long), 1<<30, &disk{bound: 1})
	defer full.close()
	if err := read(full); !errors.Is(err, errSpoolFull) {
		t.Errorf("a full disk: %v", err)
	}
	t.Setenv("TMPDIR", t.TempDir()+"/none")
	nowhere := newSpool(strings.NewReader(long), 1<<30, d)
	defer nowhere.close()
	if err := read(nowhere); !errors.Is(err, errSpool) {
		t.Errorf("no directory: %v", err)
	}
}

func FuzzForm(f *testing.F) {
	f.Add("--sep-0123\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--sep-0123--\r\n")
	f.Add("--sep-0123\r\n\r\n\r\n--sep-0123\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := newSpool(strings.NewReader(text), 1<<20, &disk{bound: 1 << 20})
		defer s.close()
		got, at, err := newFormScanner(s, testBoundary).find("model")
		if err == nil && text[at.from:at.to] != got {
			t.Errorf("model %q stands at %q", got, text[at.from:at.to])
		}
	})
}
