package fakes

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
)

// cohereLines hands a stream's data lines to Cohere's library one a read, and nothing else of it: its reader takes whatever one read brings for an
// event, an empty line too, and so does not survive a network. What the events say is still the library's to understand.
type cohereLines struct {
	next http.RoundTripper
}

// RoundTrip wraps the bodies of streams.
func (c cohereLines) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(r)
	if err == nil && strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		response.Body = lineBody{bufio.NewReader(response.Body), response.Body}
	}
	return response, err
}

type lineBody struct {
	lines *bufio.Reader
	io.Closer
}

// Read returns the next data line.
func (b lineBody) Read(p []byte) (int, error) {
	for {
		line, err := b.lines.ReadString('\n')
		if strings.HasPrefix(line, "data: ") {
			if len(line) > len(p) {
				return 0, errors.New("an event does not fit into the library's buffer")
			}
			return copy(p, line), nil
		}
		if err != nil {
			return 0, err
		}
	}
}
