package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
)

const (
	// maxFormHeader bounds the head of one part of a form.
	maxFormHeader = 8 << 10
	// maxFormField bounds the value of a field that the proxy reads.
	maxFormField = 1 << 10
	// maxFormParts bounds the parts that come before the model.
	maxFormParts = 128
)

// form is a multipart/form-data body, read as far as the field "model". The rest stays with the client until a provider takes it.
type form struct {
	spool *spool
	// contentType of the client's, boundary and all.
	contentType string
	// length of the body; -1 when it is not known.
	length int64
	// model is where the value of "model" stands.
	model span
	name  string
}

// readForm reads a form up to its model.
func (s *Server) readForm(c *call) error {
	contentType := c.r.Header.Get(headerContentType)
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" {
		return &Error{
			Code: CodeUnsupportedMediaType, Status: http.StatusUnsupportedMediaType,
			Message: "the body must be sent with Content-Type: multipart/form-data and its boundary",
		}
	}
	if c.r.ContentLength > s.limits.FormBytes {
		return s.formTooLarge()
	}
	body := &pacedBody{call: c, from: c.r.Body, pace: bodyPace{call: c, limits: &s.limits, began: s.now()}}
	c.form = &form{spool: newSpool(body, s.limits.FormBytes, s.spooled), contentType: contentType, length: c.r.ContentLength}
	scanner := newFormScanner(c.form.spool, params["boundary"])
	name, at, err := scanner.find("model")
	if err != nil {
		return s.formError(c, err)
	}
	if err := dialect.CheckModel(name); err != nil {
		return requestError(err)
	}
	c.form.name, c.form.model = name, at
	c.head = dialect.Head{Model: name, N: 1}
	return nil
}

// body is the form with another model.
func (f *form) body(model string) *spoolReader {
	edit := f.model
	edit.text = model
	return &spoolReader{spool: f.spool, edit: edit}
}

// lengthWith is the length of the form with another model; -1 when it is not known.
func (f *form) lengthWith(model string) int64 {
	if f.length < 0 {
		return -1
	}
	return f.length + int64(len(model)) - (f.model.to - f.model.from)
}

// formError says what is wrong with a form. The rest of it is not wanted, so the connection ends with the reply.
func (s *Server) formError(c *call, err error) error {
	var wrong *formSyntaxError
	switch {
	case errors.As(err, &wrong):
		refusal := &Error{
			Code: CodeInvalidRequest, Status: http.StatusBadRequest, Message: wrong.problem, Param: wrong.param, DialectCode: string(dialect.CodeInvalidValue),
		}
		return refusal.withHeader(headerConnection, closeConnection)
	case errors.Is(err, errFormTooLarge):
		return s.formTooLarge()
	case errors.Is(err, errSpoolFull):
		return overloaded("the proxy holds as many forms as it can; try again").withHeader(headerConnection, closeConnection)
	case errors.Is(err, errSpool):
		return &Error{Code: CodeInternal, Status: http.StatusInternalServerError, Message: "the proxy failed; its log says why", Cause: err}
	default:
		return s.bodyError(c, err)
	}
}

func (s *Server) formTooLarge() *Error {
	refusal := &Error{
		Code: CodePayloadTooLarge, Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the form is larger than %d bytes", s.limits.FormBytes),
	}
	return refusal.withHeader(headerConnection, closeConnection)
}

// pacedBody reads the client's body, counts it, and gives it the time that its size deserves.
type pacedBody struct {
	call *call
	from io.Reader
	pace bodyPace
}

// Read reads from the client.
func (b *pacedBody) Read(p []byte) (int, error) {
	b.pace.before(b.call.bytesIn)
	n, err := b.from.Read(p)
	b.call.bytesIn += int64(n)
	if errors.Is(err, io.EOF) {
		b.call.bodyRead = true
		_ = b.call.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// formSyntaxError tells the client what is wrong with its form.
type formSyntaxError struct{ problem, param string }

// Error is the problem.
func (e *formSyntaxError) Error() string { return e.problem }

// formScanner goes over the parts of a form and knows the offset of each byte.
type formScanner struct {
	lines     *bufio.Reader
	delimiter []byte
	// at is the offset of the next byte.
	at int64
	// ended tells that the last line ended in CRLF, so that a delimiter may follow; last is its last byte, for lines that come in pieces.
	ended bool
	last  byte
}

func newFormScanner(s *spool, boundary string) *formScanner {
	source := &spoolReader{spool: s, edited: true}
	return &formScanner{lines: bufio.NewReaderSize(source, 16<<10), delimiter: []byte("--" + boundary), ended: true}
}

// find returns the value of a field and where it stands.
func (f *formScanner) find(field string) (string, span, error) {
	if last, err := f.skip(nil); err != nil || last {
		return "", span{}, missingField(field, err)
	}
	for range maxFormParts {
		name, err := f.head()
		if err != nil {
			return "", span{}, err
		}
		var value *[]byte
		if name == field {
			value = new([]byte)
		}
		from := f.at
		last, err := f.skip(value)
		if err != nil {
			return "", span{}, err
		}
		if value != nil {
			return string(*value), span{from: from, to: from + int64(len(*value))}, nil
		}
		if last {
			return "", span{}, missingField(field, nil)
		}
	}
	return "", span{}, &formSyntaxError{problem: fmt.Sprintf("the form has more than %d parts before the field %q", maxFormParts, field), param: field}
}

func missingField(field string, err error) error {
	if err != nil {
		return err
	}
	return &formSyntaxError{problem: fmt.Sprintf("the form has no field %q", field), param: field}
}

// line returns the next line, or as much of it as fits into memory.
func (f *formScanner) line() ([]byte, error) {
	line, err := f.lines.ReadSlice('\n')
	f.at += int64(len(line))
	if errors.Is(err, bufio.ErrBufferFull) || len(line) > 0 && errors.Is(err, io.EOF) {
		return line, nil
	}
	if errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	}
	return line, err
}

// skip goes over a part's content and the delimiter behind it. It tells whether that was the last one, and collects the content, if it is wanted.
func (f *formScanner) skip(value *[]byte) (last bool, err error) {
	for {
		begins := f.ended
		line, err := f.line()
		if err != nil {
			return false, err
		}
		f.close(line)
		if begins && bytes.HasPrefix(line, f.delimiter) {
			rest := bytes.TrimRight(line[len(f.delimiter):], " \t\r\n")
			if len(rest) == 0 || string(rest) == "--" {
				trimLineEnd(value)
				return len(rest) > 0, nil
			}
		}
		if value == nil {
			continue
		}
		if *value = append(*value, line...); len(*value) > maxFormField {
			return false, &formSyntaxError{problem: fmt.Sprintf("a field of the form is longer than %d bytes", maxFormField)}
		}
	}
}

// close notes how a line ends.
func (f *formScanner) close(line []byte) {
	before := f.last
	if len(line) > 1 {
		before = line[len(line)-2]
	}
	f.last = line[len(line)-1]
	f.ended = before == '\r' && f.last == '\n'
}

// trimLineEnd takes away the CRLF that belongs to the delimiter.
func trimLineEnd(value *[]byte) {
	if value != nil {
		*value = bytes.TrimSuffix(*value, []byte("\r\n"))
	}
}

// head reads a part's head and returns the name of its field.
func (f *formScanner) head() (string, error) {
	name := ""
	for size := 0; size <= maxFormHeader; {
		line, err := f.line()
		if err != nil {
			return "", err
		}
		size += len(line)
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			f.ended = true
			return name, nil
		}
		key, value, ok := strings.Cut(text, ":")
		if !ok || textproto.CanonicalMIMEHeaderKey(key) != "Content-Disposition" {
			continue
		}
		if _, params, err := mime.ParseMediaType(strings.TrimSpace(value)); err == nil {
			name = params["name"]
		}
	}
	return "", &formSyntaxError{problem: fmt.Sprintf("the head of a part of the form is longer than %d bytes", maxFormHeader)}
}
