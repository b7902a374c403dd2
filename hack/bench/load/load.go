// Package load generates the load of the benchmarks over plain sockets: a fixed number of connections, each with one request at a time, no retries.
// Every attempt is counted; one that does not end with a complete answer of the wanted status is a failure.
package load

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Job is what to send where.
type Job struct {
	// Addr is host:port.
	Addr string
	// Requests are whole requests in bytes; each connection keeps to one of them, in turn.
	Requests [][]byte
	// Want is the status that an attempt has to end with; 0 is 200. A 503 must say when to come back.
	Want int
	// Connections is how many are held at once.
	Connections int
	// Duration is how long new requests are begun; those under way are finished.
	Duration time.Duration
}

// Result is what a job brought.
type Result struct {
	// Attempts were begun, Failures of them did not end well.
	Attempts, Failures int
	// Events is the number of stream events with text received.
	Events int64
	// Elapsed is from the first request's start to the last answer's end.
	Elapsed time.Duration
	// Latencies of the answers that ended well: until the last byte.
	Latencies []time.Duration
	// FirstFailure explains one of the failures, nil without any.
	FirstFailure error
}

// Request builds a chat completion request. The body is about a kilobyte, as a short conversation is.
func Request(path, key, model, extra string) []byte {
	prompt := bytes.Repeat([]byte("The lever frame moves points and signals. "), 20)
	body := fmt.Appendf(nil, `{"model":%q,"messages":[{"role":"system","content":"You work in a signal box."},{"role":"user","content":%q}]%s}`, model, prompt, extra)
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: signalbox\r\nUser-Agent: bench\r\nAccept: application/json\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, key, len(body), body)
}

// Run does the job. It ends early, with the error, only if the context does.
func Run(ctx context.Context, job Job) (Result, error) {
	results := make([]Result, job.Connections)
	start := time.Now()
	deadline := start.Add(job.Duration)
	var workers sync.WaitGroup
	for i := range results {
		workers.Go(func() { results[i] = work(ctx, job, i, deadline) })
	}
	workers.Wait()
	total := Result{Elapsed: time.Since(start)}
	for _, r := range results {
		total.Attempts += r.Attempts
		total.Failures += r.Failures
		total.Events += r.Events
		total.Latencies = append(total.Latencies, r.Latencies...)
		if total.FirstFailure == nil {
			total.FirstFailure = r.FirstFailure
		}
	}
	return total, ctx.Err()
}

// work is one connection's share. A connection that fails, or that the target closes, is replaced by a new one for the next attempt.
func work(ctx context.Context, job Job, number int, deadline time.Time) Result {
	var r Result
	var c *Conn
	request := job.Requests[number%len(job.Requests)]
	for time.Now().Before(deadline) && ctx.Err() == nil {
		r.Attempts++
		begin := time.Now()
		events, err := attempt(ctx, &c, job, request)
		if err != nil {
			r.Failures++
			r.FirstFailure = cmp.Or(r.FirstFailure, err)
			if r.Failures > 100 {
				return r // a dead target would otherwise be dialled in a tight loop
			}
			continue
		}
		r.Events += events
		r.Latencies = append(r.Latencies, time.Since(begin))
	}
	if c != nil {
		_ = c.Close()
	}
	return r
}

func attempt(ctx context.Context, c **Conn, job Job, request []byte) (int64, error) {
	if *c == nil {
		fresh, err := Dial(ctx, job.Addr)
		if err != nil {
			return 0, err
		}
		*c = fresh
	}
	events, err := (*c).Do(request, nil)
	refusal, refused := errors.AsType[*Refusal](err)
	if (err != nil && !refused) || (*c).closing {
		_ = (*c).Close()
		*c = nil
	}
	switch {
	case refused && refusal.Status == job.Want:
		return 0, refusal.complete()
	case err == nil && job.Want > http.StatusOK:
		return 0, fmt.Errorf("answered, though status %d was wanted", job.Want)
	default:
		return events, err
	}
}

// Refusal is an answer of another status than 200 that was read to its end.
type Refusal struct {
	Status int
	// RetryAfter is what the answer says of when to come back, empty if nothing.
	RetryAfter string
}

func (r *Refusal) Error() string { return fmt.Sprintf("status %d", r.Status) }

// complete finds fault with a refusal for lack of room that does not say when there may be some.
func (r *Refusal) complete() error {
	if r.Status == http.StatusServiceUnavailable && r.RetryAfter == "" {
		return errors.New("a 503 without Retry-After")
	}
	return nil
}

// Conn is one HTTP/1.1 connection.
type Conn struct {
	conn   net.Conn
	reader *bufio.Reader
	stop   func() bool
	// closing is that the last answer announced the connection's end.
	closing bool
}

// Dial connects. The connection is closed when the context ends.
func Dial(ctx context.Context, addr string) (*Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dialling the target: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return &Conn{conn: conn, reader: bufio.NewReaderSize(conn, 8<<10), stop: stop}, nil
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.stop()
	return c.conn.Close()
}

// answerHead is what matters of an answer's status line and headers.
type answerHead struct {
	status     int
	length     int
	chunked    bool
	closing    bool
	retryAfter string
}

// Do sends a request and reads the whole answer; see gets every piece of a chunked body as it comes, and may be nil. It returns the number of events
// with text in the body. A status other than 200 is a Refusal.
func (c *Conn) Do(request []byte, see func(piece []byte)) (int64, error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, fmt.Errorf("sending: %w", err)
	}
	head, err := readHead(c.reader)
	if err != nil {
		return 0, fmt.Errorf("reading the head: %w", err)
	}
	c.closing = head.closing
	if head.chunked && head.status == http.StatusOK {
		return c.readStream(see)
	}
	if err := c.readBody(head); err != nil {
		return 0, fmt.Errorf("reading the body: %w", err)
	}
	if head.status != http.StatusOK {
		return 0, &Refusal{Status: head.status, RetryAfter: head.retryAfter}
	}
	return 0, nil
}

// readBody reads a body that is no stream.
func (c *Conn) readBody(head answerHead) error {
	if !head.chunked {
		_, err := c.reader.Discard(head.length)
		return err
	}
	for {
		if piece, err := readChunk(c.reader); err != nil || len(piece) == 0 {
			return err
		}
	}
}

// readStream reads a stream to its end, and counts the events with text.
func (c *Conn) readStream(see func(piece []byte)) (int64, error) {
	counter := eventCounter{}
	for {
		piece, err := readChunk(c.reader)
		if err != nil {
			return counter.texts, fmt.Errorf("reading a chunk: %w", err)
		}
		if len(piece) == 0 {
			break
		}
		counter.add(piece)
		if see != nil {
			see(piece)
		}
	}
	if !counter.done {
		return counter.texts, errors.New("stream without [DONE]")
	}
	return counter.texts, nil
}

// FinishStream reads what follows the first text of an open stream. It fails if the stream does not end as it should.
func (c *Conn) FinishStream() error {
	_, err := c.readStream(nil)
	return err
}

// OpenStream sends a request and reads until the first event with text has come.
func (c *Conn) OpenStream(request []byte) error {
	if _, err := c.conn.Write(request); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	head, err := readHead(c.reader)
	if err != nil {
		return fmt.Errorf("reading the head: %w", err)
	}
	if head.status != http.StatusOK || !head.chunked {
		return fmt.Errorf("status %d, chunked %v", head.status, head.chunked)
	}
	for counter := (eventCounter{}); counter.texts == 0; {
		piece, err := readChunk(c.reader)
		if err != nil || len(piece) == 0 {
			return fmt.Errorf("stream ended before its first text: %w", err)
		}
		counter.add(piece)
	}
	return nil
}

func readHead(reader *bufio.Reader) (answerHead, error) {
	var head answerHead
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return head, err
	}
	if len(line) < 12 {
		return head, fmt.Errorf("status line %q", line)
	}
	if head.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return head, fmt.Errorf("status line %q", line)
	}
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return head, err
		}
		if len(line) <= 2 {
			return head, nil
		}
		if err := head.add(line); err != nil {
			return head, err
		}
	}
}

// add takes over a header that matters.
func (h *answerHead) add(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("content-length")):
		length, err := strconv.Atoi(string(value))
		if err != nil || length < 0 {
			return fmt.Errorf("length %q", value)
		}
		h.length = length
	case bytes.EqualFold(name, []byte("transfer-encoding")):
		h.chunked = bytes.EqualFold(value, []byte("chunked"))
	case bytes.EqualFold(name, []byte("connection")):
		h.closing = bytes.EqualFold(value, []byte("close"))
	case bytes.EqualFold(name, []byte("retry-after")):
		h.retryAfter = string(value)
	}
	return nil
}

// readChunk returns the next chunk of a body, empty at its end. Trailers are read over.
func readChunk(reader *bufio.Reader) ([]byte, error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	size, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 24)
	if err != nil {
		return nil, fmt.Errorf("chunk size %q", line)
	}
	if size == 0 {
		return nil, skipTrailers(reader)
	}
	data := make([]byte, size+2)
	if _, err := io.ReadFull(reader, data); err != nil {
		return nil, err
	}
	return data[:size], nil
}

// skipTrailers reads up to the empty line that ends a chunked body.
func skipTrailers(reader *bufio.Reader) error {
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil || len(line) <= 2 {
			return err
		}
	}
}

// eventCounter counts events with text across pieces that may split them anywhere: it counts the blank line that ends an event, by what the
// event's data holds.
type eventCounter struct {
	pending []byte
	texts   int64
	done    bool
}

func (e *eventCounter) add(piece []byte) {
	e.pending = append(e.pending, piece...)
	for {
		event, rest, complete := bytes.Cut(e.pending, []byte("\n\n"))
		if !complete {
			return
		}
		if bytes.Contains(event, []byte(`"delta":{"content":"`)) {
			e.texts++
		}
		e.done = e.done || bytes.Equal(event, []byte("data: [DONE]"))
		e.pending = append(e.pending[:0], rest...)
	}
}
