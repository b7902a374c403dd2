package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// DefaultSilence is how long a stream may be silent before the client gives it up: seven reports that did not come.
const DefaultSilence = 15 * time.Second

const dialTimeout = 5 * time.Second

var (
	// ErrReportTooLong is returned for a line of more than MaxReportBytes.
	ErrReportTooLong = errors.New("a report is too long")
	// ErrSilent is returned for a stream that sent nothing for too long.
	ErrSilent = errors.New("no report came in time")
)

// Client reads the reports of proxies.
type Client struct {
	// Silence is how long a stream may be silent; 0 means DefaultSilence.
	Silence time.Duration
}

// Stream calls a proxy's control port, an IP address with port, and hands every report to handle until the context ends or the stream breaks. It
// always returns an error.
func (c Client) Stream(ctx context.Context, addr string, identity *Identity, handle func(Report)) error {
	silence := c.Silence
	if silence == 0 {
		silence = DefaultSilence
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(ErrSilent) })
	defer watchdog.Stop()

	transport := newTransport(identity)
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+ReportsPath, http.NoBody)
	if err != nil {
		return fmt.Errorf("building the request for reports: %w", err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("asking for reports: %w", because(ctx, err))
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("asking for reports: status %d", response.StatusCode)
	}
	return because(ctx, readReports(response.Body, func(report Report) {
		watchdog.Reset(silence)
		handle(report)
	}))
}

// because prefers the reason why a context ended to the error that the end caused.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// firstReportBytes is what a stream keeps for its reports at first. It grows with the reports, for the manager has many streams and most are short.
const firstReportBytes = 4 << 10

// readReports reads lines until the stream ends, which is an error too.
func readReports(stream io.Reader, handle func(Report)) error {
	reader := bufio.NewReaderSize(stream, firstReportBytes)
	var text []byte
	for {
		var err error
		if text, err = readLine(reader, text[:0]); err != nil {
			return err
		}
		var report Report
		if err := json.Unmarshal(bytes.TrimSpace(text), &report); err != nil {
			return fmt.Errorf("decoding a report of %d bytes: %w", len(text), err)
		}
		handle(report)
	}
}

// readLine appends one line of at most MaxReportBytes to text.
func readLine(reader *bufio.Reader, text []byte) ([]byte, error) {
	for {
		part, err := reader.ReadSlice('\n')
		if len(text)+len(part) > MaxReportBytes {
			return text, ErrReportTooLong
		}
		text = append(text, part...)
		switch {
		case err == nil:
			return text, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return text, fmt.Errorf("reading reports: %w", err)
		}
	}
}
