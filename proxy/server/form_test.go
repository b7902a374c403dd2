package server

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"slices"
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
		"bare name":           {text: "--sep-0123\r\ncontent-disposition: form-data; name=model\r\n\r\nwhisper\r\n--sep-0123--", want: "whisper"},
		"file name of many":   {text: formText(t, formPart{"file", "ü;name=\"model\".wav", "x"}, model), want: "whisper"},
		"boundary and more":   {text: formText(t, formPart{name: "prompt", value: "x\r\n--sep-01234\r\ny"}, model), problem: "the form is malformed: a line begins with its boundary and goes on"},
		"model named in file": {text: formText(t, formPart{"file", "model", "name=\"model\"\r\n\r\nevil\r\n"}, model), want: "whisper"},
		"line as long as the buffer": {
			text: formText(t, formPart{"file", "a", strings.Repeat("x", 16<<10-1)}, formPart{"file", "b", strings.Repeat("y", 16<<10)}, model), want: "whisper",
		},
		"no model":       {text: formText(t, formPart{name: "prompt", value: "x"}), problem: `the form has no field "model"`},
		"nothing":        {text: "--sep-0123--\r\n", problem: `the form has no field "model"`},
		"cut":            {text: formText(t, formPart{"file", "a.wav", binary}, model)[:5000], err: io.ErrUnexpectedEOF},
		"empty":          {err: io.ErrUnexpectedEOF},
		"endless model":  {text: formText(t, formPart{name: "model", value: strings.Repeat("m", 2000)}), problem: `the field "model" of the form is longer than 1024 bytes`},
		"endless header": {text: "--sep-0123\r\n" + strings.Repeat("X: "+strings.Repeat("y", 100)+"\r\n", 100), problem: "the form is malformed: the head of a part is longer than 8192 bytes"},
		"many parts": {
			text: formText(t, slices.Repeat([]formPart{{name: "x"}}, 200)...), problem: `the form has more than 128 parts before the field "model"`,
		},
	} {
		for way, source := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader} {
			t.Run(name+"/"+way, func(t *testing.T) {
				f, scanner := scannedForm(source(strings.NewReader(tc.text)))
				defer f.spool.close()
				err := f.readUntilModel(scanner)
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
				at := scanner.model
				if got := string(scanner.value); got != tc.want || tc.text[at.from:at.to] != tc.want {
					t.Errorf("model %q at %q, want %q", got, tc.text[at.from:at.to], tc.want)
				}
				checkEdited(t, f.spool, at, tc.text)
			})
		}
	}
}

// scannedForm is a form that reads from a source through a scanner.
func scannedForm(source io.Reader) (*form, *formScanner) {
	scanner := newFormScanner(testBoundary)
	return &form{spool: newSpool(&scannedBody{from: source, scanner: scanner}, 1<<30, &disk{bound: 1 << 30})}, scanner
}

// TestFormsOfTwoMeanings: what another reader could take for another model never goes to a provider as a whole.
func TestFormsOfTwoMeanings(t *testing.T) {
	const (
		begin = "--sep-0123\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n"
		end   = "--sep-0123--\r\n"
	)
	part := func(head string) string { return begin + "--sep-0123\r\n" + head + "\r\n\r\nother\r\n" + end }
	for name, text := range map[string]string{
		"a second model":              part(`Content-Disposition: form-data; name="model"`),
		"a second model, as a file":   part(`Content-Disposition: form-data; name="model"; filename="a"`),
		"a model in capitals":         part(`Content-Disposition: form-data; name="Model"`),
		"a folded line":               part("Content-Disposition: form-data;\r\n name=\"model\""),
		"two dispositions":            part("Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"model\""),
		"a space before the colon":    part(`Content-Disposition : form-data; name="model"`),
		"an extended name":            part(`Content-Disposition: form-data; name="model"; name*=UTF-8''x`),
		"an escaped name":             part(`Content-Disposition: form-data; name="mo\del"`),
		"an encoded name":             part(`Content-Disposition: form-data; name="mod%65l"`),
		"no name":                     part(`Content-Disposition: form-data`),
		"two names":                   part(`Content-Disposition: form-data; name="x"; name="model"`),
		"a line without a colon":      part("Content-Disposition: form-data; name=\"x\"\r\nmodel"),
		"a head with bare line feeds": part("X: y\nContent-Disposition: form-data; name=\"model\""),
		"a bare carriage return":      part("X: y\rContent-Disposition: form-data; name=\"model\""),
		"boundary behind a line feed": begin + "--sep-0123\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\n--sep-0123\nContent-Disposition: form-data; name=\"model\"\n\nother\r\n" + end,
		"boundary within a line":      begin + "--sep-0123\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nx--sep-0123\r\n" + end,
		"boundary with a space":       strings.Replace(part(`Content-Disposition: form-data; name="x"`), "--sep-0123\r\n", "--sep-0123 \r\n", 1),
		"boundary in a head":          part("--sep-0123: x\r\nContent-Disposition: form-data; name=\"x\""),
		"boundary behind the end":     begin + end + part(`Content-Disposition: form-data; name="x"`),
	} {
		for way, source := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader} {
			t.Run(name+"/"+way, func(t *testing.T) {
				f, _ := scannedForm(source(strings.NewReader(text)))
				defer f.spool.close()
				_, err := io.Copy(io.Discard, &spoolReader{spool: f.spool, edited: true})
				var wrong *formSyntaxError
				if !errors.As(err, &wrong) || f.spool.whole() {
					t.Errorf("error %v", err)
				}
			})
		}
	}
}

func TestFormTypes(t *testing.T) {
	for given, want := range map[string]string{
		"multipart/form-data; boundary=abc":                        "multipart/form-data; boundary=abc",
		`Multipart/Form-Data; charset=x; Boundary="a/b:c"`:         `multipart/form-data; boundary="a/b:c"`,
		"multipart/form-data; boundary=abc; boundary*=UTF-8''def":  "multipart/form-data; boundary=def",
		"multipart/form-data; boundary=abc; boundary=def":          "",
		`multipart/form-data; boundary="a\"b"`:                     "",
		`multipart/form-data; boundary="a b"`:                      "",
		"multipart/form-data; boundary=" + strings.Repeat("x", 71): "",
		"multipart/form-data":                                      "",
		"application/json; boundary=abc":                           "",
	} {
		if got, _, ok := formType([]string{given}); got != want || ok != (want != "") {
			t.Errorf("%s became %q, want %q", given, got, want)
		}
	}
	if _, _, ok := formType([]string{"multipart/form-data; boundary=a", "multipart/form-data; boundary=b"}); ok {
		t.Error("two types are taken for one")
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
		f, scanner := scannedForm(strings.NewReader(text))
		defer f.spool.close()
		err := f.readUntilModel(scanner)
		if at := scanner.model; err == nil && text[at.from:at.to] != string(scanner.value) {
			t.Errorf("model %q stands at %q", scanner.value, text[at.from:at.to])
		}
		bytewise := newFormScanner(testBoundary)
		for i := range len(text) {
			if refused := bytewise.take([]byte{text[i]}); refused != nil {
				break
			}
		}
		if diff := cmp.Diff(string(scanner.value), string(bytewise.value)); diff != "" && err == nil {
			t.Errorf("the model differs byte by byte (-whole +bytes):\n%s", diff)
		}
	})
}
