// Package collector posts messages of the OpenTelemetry protocol to a collector, over HTTP in protobuf.
package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
)

const (
	// sendTimeout bounds one message.
	sendTimeout = 30 * time.Second
	// maxAnswer bounds what is read of an answer.
	maxAnswer   = 64 << 10
	contentType = "application/x-protobuf"
)

// ErrEncoding means that a message cannot be sent as it is, for instance for text that is not UTF-8.
var ErrEncoding = errors.New("the message cannot be encoded")

// Client sends to one collector. It may be used by any number of goroutines.
type Client struct {
	url  string
	http *http.Client
}

// Answer is what the collector says.
type Answer struct {
	// Status of HTTP.
	Status int
	// Body is at most 64 KiB of the answer.
	Body []byte
}

// New returns a client for an endpoint; one without a path gets the path given. With a nil client it is one with the standard transport; neither follows redirects.
// The error is that of an endpoint that is no URL of http or https.
func New(endpoint, path string, client *http.Client) (*Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("the collector's endpoint is not a URL of http or https")
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = path
	}
	sending := http.Client{}
	if client != nil {
		sending = *client
	}
	sending.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{url: u.String(), http: &sending}, nil
}

// Send posts one message, in at most 30 seconds. An error means that there is no answer; it never holds the URL, in which a password can stand.
func (c *Client) Send(ctx context.Context, message proto.Message) (Answer, error) {
	body, err := proto.Marshal(message)
	if err != nil {
		return Answer{}, ErrEncoding
	}
	ctx, stop := context.WithTimeout(ctx, sendTimeout)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, errors.New("the collector's endpoint cannot be asked")
	}
	request.Header.Set("Content-Type", contentType)
	answer, err := c.http.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("sending to the collector: %w", plain(err))
	}
	// What is left of the body is of no use.
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return Answer{}, fmt.Errorf("reading the collector's answer: %w", err)
	}
	return Answer{Status: answer.StatusCode, Body: text}, nil
}

// plain leaves the URL out of an error.
func plain(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
