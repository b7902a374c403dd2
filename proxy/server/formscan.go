package server

import (
	"bytes"
	"fmt"
	"mime"
	"net/textproto"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
)

const (
	// maxFormHeader bounds the head of one part of a form.
	maxFormHeader = 8 << 10
	// maxFormField bounds the value of a field that the proxy reads.
	maxFormField = 1 << 10
	// maxFormParts bounds the parts that come before the model.
	maxFormParts = 128
	// modelField is the field that tells the model.
	modelField = "model"
)

// formSyntaxError tells the client what is wrong with its form.
type formSyntaxError struct{ problem, param string }

// Error is the problem.
func (e *formSyntaxError) Error() string { return e.problem }

func malformed(problem string) error {
	return &formSyntaxError{problem: "the form is malformed: " + problem}
}

// formScanner goes over all bytes of a form as they come, finds its model, and refuses what some provider could read in another way: it would then do
// something else than was routed and accounted. So a second model is an error, wherever it stands, and so is every line that only looks like a boundary.
type formScanner struct {
	delimiter []byte
	// window has the bytes that are not decided yet from next on, and at is the offset of the first of them. before are the two bytes in front of it.
	window []byte
	next   int
	at     int64
	before [2]byte

	inHead, ended bool
	// name is the field of the part, named tells that it is known, and headBytes is the size of the head so far.
	name      string
	named     bool
	headBytes int
	parts     int

	// found tells that the model is known: its value, and where it stands.
	found bool
	value []byte
	model span
}

func newFormScanner(boundary string) *formScanner {
	return &formScanner{delimiter: []byte("--" + boundary), before: [2]byte{'\r', '\n'}}
}

// take goes over the next bytes of the form. It does not keep p.
func (f *formScanner) take(p []byte) error {
	f.window = append(append(f.window[:0], f.rest()...), p...)
	f.next = 0
	for more := true; more; {
		var err error
		if f.inHead {
			more, err = f.line()
		} else {
			more, err = f.content()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rest are the bytes that are not decided yet.
func (f *formScanner) rest() []byte { return f.window[f.next:] }

// pass goes over n bytes.
func (f *formScanner) pass(n int) {
	switch n {
	case 0:
		return
	case 1:
		f.before = [2]byte{f.before[1], f.rest()[0]}
	default:
		f.before = [2]byte(f.rest()[n-2 : n])
	}
	f.at += int64(n)
	f.next += n
}

// content goes over what stands before, in and behind the parts, up to a delimiter. It returns false when it needs more bytes.
func (f *formScanner) content() (bool, error) {
	length := bytes.Index(f.rest(), f.delimiter)
	if length < 0 {
		return false, f.collect(max(0, len(f.rest())-len(f.delimiter)+1))
	}
	if err := f.collect(length); err != nil {
		return false, err
	}
	if f.ended || string(f.before[:]) != "\r\n" {
		return false, malformed("its boundary stands within a part or behind the end")
	}
	size := len(f.delimiter) + len("\r\n")
	if len(f.rest()) < size {
		return false, nil
	}
	switch string(f.rest()[len(f.delimiter):size]) {
	case "--":
		f.ended = true
	case "\r\n":
		f.inHead = true
	default:
		return false, malformed("a line begins with its boundary and goes on")
	}
	f.endPart()
	f.pass(size)
	return true, nil
}

// collect goes over n bytes of content, and keeps those of the model.
func (f *formScanner) collect(n int) error {
	if f.reading() {
		f.value = append(f.value, f.rest()[:n]...)
		if len(f.value) > maxFormField {
			return &formSyntaxError{problem: fmt.Sprintf("the field %q of the form is longer than %d bytes", modelField, maxFormField), param: modelField}
		}
	}
	f.pass(n)
	return nil
}

// reading tells whether the part is the model, whose value is not complete yet.
func (f *formScanner) reading() bool { return f.named && f.name == modelField && !f.found }

// endPart is called in front of a delimiter. The CRLF before it belongs to it.
func (f *formScanner) endPart() {
	if f.reading() {
		f.value = bytes.TrimSuffix(f.value, []byte("\r\n"))
		f.model.to = f.model.from + int64(len(f.value))
		f.found = true
	}
	f.name, f.named, f.headBytes = "", false, 0
}

// line reads one line of a part's head. It returns false when it needs more bytes.
func (f *formScanner) line() (bool, error) {
	length := bytes.IndexByte(f.rest(), '\n') + 1
	ends := length > 0
	if !ends {
		length = len(f.rest())
	}
	if f.headBytes+length > maxFormHeader {
		return false, malformed(fmt.Sprintf("the head of a part is longer than %d bytes", maxFormHeader))
	}
	if !ends {
		return false, nil
	}
	text, whole := strings.CutSuffix(string(f.rest()[:length]), "\r\n")
	if !whole || strings.ContainsAny(text, "\r\x00") {
		return false, malformed("the lines of a part's head must end in CRLF")
	}
	f.pass(length)
	f.headBytes += length
	if text == "" {
		return true, f.beginPart()
	}
	return true, f.field(text)
}

// field reads one field of a part's head.
func (f *formScanner) field(text string) error {
	key, value, ok := strings.Cut(text, ":")
	if !ok || !isToken(key) || bytes.HasPrefix([]byte(text), f.delimiter) {
		return malformed("a line of a part's head is no header field")
	}
	if textproto.CanonicalMIMEHeaderKey(key) != "Content-Disposition" {
		return nil
	}
	_, params, err := mime.ParseMediaType(strings.TrimSpace(value))
	name, given := params["name"]
	if err != nil || f.named || !given || !isPlainName(name) || hasExtendedName(value) {
		return malformed("a part's Content-Disposition must come once and have a plain name")
	}
	f.name, f.named = name, true
	return nil
}

// isToken tells whether a header's name is one that everybody reads alike.
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

// isPlainName tells whether a field's name has no letters that some readers take for others.
func isPlainName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"'%\*;`, c) })
}

// hasExtendedName tells whether there is a "name*", which some readers prefer to "name" and others do not know. File names may have that form.
func hasExtendedName(disposition string) bool {
	return strings.Contains(strings.ReplaceAll(strings.ToLower(disposition), "filename*", ""), "name*")
}

// beginPart is called behind a part's head.
func (f *formScanner) beginPart() error {
	f.inHead = false
	f.parts++
	switch {
	case f.named && f.name == modelField && f.found:
		return &formSyntaxError{problem: fmt.Sprintf("the form has the field %q more than once", modelField), param: modelField}
	case f.named && f.name != modelField && dialect.LooksLike([]byte(f.name), modelField):
		return &formSyntaxError{problem: fmt.Sprintf("the name of the field %q must be written in lower case", modelField), param: modelField}
	case f.parts > maxFormParts && !f.found && !f.reading():
		return &formSyntaxError{problem: fmt.Sprintf("the form has more than %d parts before the field %q", maxFormParts, modelField), param: modelField}
	}
	if f.reading() {
		f.model.from = f.at
	}
	return nil
}
