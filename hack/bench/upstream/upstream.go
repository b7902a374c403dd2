// Package upstream is the model server of the benchmarks: an OpenAI-compatible one that spends next to no CPU, so that what is measured is what
// stands in front of it. It answers on plain sockets with bytes made beforehand. The model's name says how it behaves.
package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The models.
const (
	ModelPlain  = "bench-plain"  // one JSON answer, at once; a longer name that begins with it does the same
	ModelStream = "bench-stream" // Events events, one every Gap, then [DONE]
	ModelIdle   = "bench-idle"   // one event, then silence until the client leaves
	ModelClock  = "bench-clock"  // like ModelStream, the text of an event being its time of sending in nanoseconds since Epoch

	ModelHeld   = "bench-held"   // one event, then silence until Release, then the end of a stream
	ModelOutage = "bench-outage" // a 503 at once; a longer name that begins with it does the same

	ModelClaudePlain  = "bench-claude-plain"  // like ModelPlain, as Anthropic's Messages API answers
	ModelClaudeStream = "bench-claude-stream" // like ModelStream, as Anthropic's Messages API answers
)

// maxBody bounds a request's body.
const maxBody = 1 << 20

// Server is the upstream.
type Server struct {
	// Events is the number of text events of a stream.
	Events int
	// Gap is the time between two events.
	Gap time.Duration
	// Epoch is what ModelClock counts from.
	Epoch time.Time

	answered atomic.Int64
	events   atomic.Int64
	outages  atomic.Int64

	release     chan struct{}
	releaseOnce sync.Once

	plain, models, message, outage []byte
}

// New makes an upstream with streams of the given number of events, one every gap.
func New(events int, gap time.Duration) *Server {
	return &Server{
		Events: events, Gap: gap, Epoch: time.Now(), release: make(chan struct{}),
		plain: whole(plainBody()), models: whole(modelList), message: whole(messageBody()), outage: unavailable(),
	}
}

// Release lets the streams of ModelHeld end, those that come later too.
func (s *Server) Release() { s.releaseOnce.Do(func() { close(s.release) }) }

// Outages is the number of requests for ModelOutage.
func (s *Server) Outages() int64 { return s.outages.Load() }

// Answered is the number of requests answered so far; streams count when they begin.
func (s *Server) Answered() int64 { return s.answered.Load() }

// Sent is the number of text events sent so far.
func (s *Server) Sent() int64 { return s.events.Load() }

// Serve answers on the listener until the context ends, and returns when all connections are closed.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() }) // Accept reports it
	defer stop()
	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accepting: %w", err)
		}
		connections.Go(func() { s.serveConn(ctx, conn) })
	}
}

// serveConn answers the requests of one connection. An error there is the client's or the end of the run: nothing to report.
func (s *Server) serveConn(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for {
		body, err := readRequest(reader)
		if err != nil {
			return
		}
		if err := s.answer(ctx, conn, body); err != nil {
			return
		}
	}
}

// readRequest reads a request and returns its body. Only Content-Length is understood.
func readRequest(reader *bufio.Reader) ([]byte, error) {
	length := 0
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || length < 0 || length > maxBody {
				return nil, fmt.Errorf("reading a request of %q bytes", value)
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			return nil, errors.New("chunked requests are not understood")
		}
	}
	body := make([]byte, length)
	_, err := io.ReadFull(reader, body)
	return body, err
}

func (s *Server) answer(ctx context.Context, conn net.Conn, body []byte) error {
	s.answered.Add(1)
	switch {
	case bytes.Contains(body, []byte(ModelOutage)):
		s.outages.Add(1)
		_, err := conn.Write(s.outage)
		return err
	case bytes.Contains(body, []byte(ModelHeld)):
		return s.stream(conn, streamPlan{events: 1, wait: s.released(ctx), usage: asksUsage(body)})
	case bytes.Contains(body, []byte(ModelPlain)):
		_, err := conn.Write(s.plain)
		return err
	case bytes.Contains(body, []byte(ModelClaudePlain)):
		_, err := conn.Write(s.message)
		return err
	case bytes.Contains(body, []byte(ModelClaudeStream)):
		return s.messageStream(conn)
	case bytes.Contains(body, []byte(ModelIdle)):
		return s.stream(conn, streamPlan{events: 1, wait: untilClosed(conn)})
	case bytes.Contains(body, []byte(ModelClock)):
		return s.stream(conn, streamPlan{events: s.Events, clock: true, usage: asksUsage(body)})
	case bytes.Contains(body, []byte(ModelStream)):
		return s.stream(conn, streamPlan{events: s.Events, usage: asksUsage(body)})
	}
	_, err := conn.Write(s.models)
	return err
}

// asksUsage tells whether stream_options.include_usage is set, blanks or not.
func asksUsage(body []byte) bool {
	_, after, found := bytes.Cut(body, []byte(`"include_usage"`))
	return found && bytes.HasPrefix(bytes.TrimLeft(after, " :"), []byte("true"))
}

type streamPlan struct {
	events       int
	clock, usage bool
	// wait is called after the events, which then come without gaps. Its error ends the stream where it is.
	wait func() error
}

// untilClosed waits for the client to leave.
func untilClosed(conn net.Conn) func() error {
	return func() error {
		_, err := conn.Read(make([]byte, 1))
		return errors.Join(errors.New("held stream is over"), err)
	}
}

// released waits for Release, or the end of the run.
func (s *Server) released(ctx context.Context) func() error {
	return func() error {
		select {
		case <-s.release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const (
	head        = "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nX-Request-Id: req_0123456789abcdef\r\n"
	chunkPrefix = `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"model":"bench","service_tier":"default","system_fingerprint":"fp_bench","choices":[`
)

// stream writes role, text events, finish reason, usage if asked for, and [DONE]; each as a chunk of its own.
func (s *Server) stream(conn net.Conn, plan streamPlan) error {
	tail := "}\n\n"
	if plan.usage {
		tail = `,"usage":null}` + "\n\n"
	}
	opening := fmt.Sprintf(head, "text/event-stream; charset=utf-8") + "Transfer-Encoding: chunked\r\n\r\n" +
		chunk(chunkPrefix+`{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]`+tail)
	if _, err := io.WriteString(conn, opening); err != nil {
		return err
	}
	text := func(word string) string {
		return chunk(chunkPrefix + `{"index":0,"delta":{"content":"` + word + `"},"logprobs":null,"finish_reason":null}]` + tail)
	}
	if err := s.sendTexts(conn, plan, text); err != nil {
		return err
	}
	if plan.wait != nil {
		if err := plan.wait(); err != nil {
			return err
		}
	}
	closing := chunk(chunkPrefix + `{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]` + tail)
	if plan.usage {
		closing += chunk(chunkPrefix + `],"usage":` + usage + "}\n\n")
	}
	_, err := io.WriteString(conn, closing+chunk("data: [DONE]\n\n")+"0\r\n\r\n")
	return err
}

func (s *Server) sendTexts(conn net.Conn, plan streamPlan, text func(string) string) error {
	fixed := []byte(text(" semaphore"))
	var ticks <-chan time.Time
	if plan.wait == nil && s.Gap > 0 {
		ticker := time.NewTicker(s.Gap)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for range plan.events {
		if ticks != nil {
			<-ticks
		}
		event := fixed
		if plan.clock {
			event = []byte(text(strconv.FormatInt(time.Since(s.Epoch).Nanoseconds(), 10)))
		}
		if _, err := conn.Write(event); err != nil {
			return err
		}
		s.events.Add(1)
	}
	return nil
}

func chunk(data string) string {
	return strconv.FormatInt(int64(len(data)), 16) + "\r\n" + data + "\r\n"
}
