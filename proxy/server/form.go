package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
)

// maxBoundary is the longest boundary that RFC 2046 allows.
const maxBoundary = 70

// formChunk is how much of a form is read at a time until its model is known.
const formChunk = 16 << 10

// form is a multipart/form-data body, read as far as the field "model". The rest stays with the client until a provider takes it.
type form struct {
	spool *spool
	// contentType is for providers.
	contentType string
	// length of the body; -1 when it is not known.
	length int64
	// model is where the value of "model" stands.
	model span
	paced *pacedBody
}

// readForm reads a form up to its model.
func (s *Server) readForm(c *call) error {
	contentType, boundary, ok := formType(c.r.Header[headerContentType])
	if !ok {
		return &Error{
			Code: CodeUnsupportedMediaType, Status: http.StatusUnsupportedMediaType,
			Message: "the body must be sent with Content-Type: multipart/form-data and its boundary",
		}
	}
	if c.r.ContentLength > s.limits.FormBytes {
		return s.formTooLarge()
	}
	paced := &pacedBody{call: c, limits: &s.limits, now: s.now}
	scanner := newFormScanner(boundary)
	c.form = &form{
		spool:       newSpool(&scannedBody{from: paced, scanner: scanner}, s.limits.FormBytes, s.spooled),
		contentType: contentType, length: c.r.ContentLength, paced: paced,
	}
	err := c.form.readUntilModel(scanner)
	c.waited += paced.spent
	if err != nil {
		return s.formError(c, err)
	}
	name := string(scanner.value)
	if err := dialect.CheckModel(name); err != nil {
		return requestError(err)
	}
	c.form.model = scanner.model
	c.inbound.Head = dialect.Head{Model: name, N: 1}
	return nil
}

// formType reads the type of a form's body. Providers get it in one form, for the client's own could name two boundaries.
func formType(given []string) (contentType, boundary string, ok bool) {
	if len(given) != 1 {
		return "", "", false
	}
	media, params, err := mime.ParseMediaType(given[0])
	boundary = params["boundary"]
	if err != nil || media != "multipart/form-data" || !isBoundary(boundary) {
		return "", "", false
	}
	return mime.FormatMediaType(media, map[string]string{"boundary": boundary}), boundary, true
}

// isBoundary tells whether a boundary is one by RFC 2046; a space in it is more than anybody needs.
func isBoundary(boundary string) bool {
	return boundary != "" && len(boundary) <= maxBoundary && !strings.ContainsFunc(boundary, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune("'()+_,-./:=?", c)
	})
}

// readUntilModel reads until the scanner has found the model.
func (f *form) readUntilModel(scanner *formScanner) error {
	source, chunk := &spoolReader{spool: f.spool, edited: true}, make([]byte, formChunk)
	for !scanner.found {
		_, err := source.Read(chunk)
		switch {
		case err == nil, scanner.found && errors.Is(err, io.EOF):
		case errors.Is(err, io.EOF) && scanner.ended:
			return &formSyntaxError{problem: fmt.Sprintf("the form has no field %q", modelField), param: modelField}
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
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

// scannedBody is a form that goes through a scanner. What the scanner refuses is not passed on.
type scannedBody struct {
	from    io.Reader
	scanner *formScanner
}

// Read returns what the scanner has seen.
func (b *scannedBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if refused := b.scanner.take(p[:n]); refused != nil {
		return 0, refused
	}
	return n, err
}

// pacedBody reads the client's body, counts it, and gives it the time that its size deserves. Only the time in which it is waited for counts: a form is read
// no faster than providers take it.
type pacedBody struct {
	call   *call
	limits *Limits
	now    func() time.Time
	spent  time.Duration
	// until is the end of the call, once there is one.
	until time.Time
}

// Read reads from the client.
func (b *pacedBody) Read(p []byte) (int, error) {
	c, began := b.call, b.now()
	// A connection that knows no deadlines, as in tests, goes without.
	_ = c.control.SetReadDeadline(b.deadline(began))
	n, err := c.r.Body.Read(p)
	b.spent += b.now().Sub(began)
	c.bytesIn += int64(n)
	if errors.Is(err, io.EOF) {
		c.bodyRead = true
		_ = c.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// deadline is how long the next bytes may take: what the bytes before have earned, but no longer than the client of an answer may stall.
func (b *pacedBody) deadline(now time.Time) time.Time {
	earned := time.Duration(b.call.bytesIn/b.limits.BodyBytesPerSecond) * time.Second
	at := now.Add(min(b.limits.BodyGrace+earned-b.spent, b.limits.WriteStall))
	if !b.until.IsZero() && b.until.Before(at) {
		return b.until
	}
	return at
}
