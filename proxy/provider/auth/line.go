package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/renewal"
)

const (
	// maxTokenAnswer bounds the answers of token services.
	maxTokenAnswer = 64 << 10
	// maxLife is the longest that anything is taken to be good, whatever its end.
	maxLife = 12 * time.Hour
	// leastAhead is how long before its end a token is replaced at least, if it lives for twice that time.
	leastAhead = 5 * time.Minute
	// aheadShare is the part of its life that a token has left when it is replaced: one of that many.
	aheadShare = 5
	// maxTokenBytes bounds a token, for it has to stand in a header.
	maxTokenBytes = 16 << 10
)

// ahead is how long before its end something that lives for so long is replaced.
func ahead(life time.Duration) time.Duration {
	return min(max(life/aheadShare, leastAhead), life/2)
}

// fetch gets something from token services over a line. What its error says is not told to anybody, unless it is a *TokenError.
type fetch[T any] func(ctx context.Context, l *line) (renewal.Term[T], error)

// asking makes questions of a fetch. Every question has a line of its own, so that nothing of one is left for the next.
func asking[T any](now func() time.Time, transport http.RoundTripper, get fetch[T]) renewal.Ask[T] {
	return func(ctx context.Context) (renewal.Term[T], error) {
		l := &line{transport: transport}
		asked := now()
		got, err := get(ctx, l)
		if err != nil {
			return renewal.Term[T]{}, l.failure(err)
		}
		// Libraries say the end by the system's clock.
		life := time.Until(got.Ends)
		if life <= 0 {
			return renewal.Term[T]{}, &TokenError{Host: l.host, Status: l.status, Err: errNoToken}
		}
		got.Ends = asked.Add(min(life, maxLife))
		return got, nil
	}
}

// errNoToken is for an answer that should be a token and is not.
var errNoToken = errors.New("the answer holds no token")

// line is how a vendor's library reaches its token services for one question. It goes only where it may, bounds the answers, and remembers the last one,
// for what libraries say of failures repeats what they were told.
type line struct {
	transport http.RoundTripper
	// origins are the only ones that may be asked.
	origins []string

	mutex   sync.Mutex
	host    string
	status  int
	refused []byte
	err     error
}

// client returns an HTTP client that may ask one or two services, by their addresses.
func (l *line) client(addresses ...string) (*http.Client, error) {
	for _, address := range addresses {
		parsed, err := url.Parse(address)
		if err != nil || parsed.Host == "" {
			return nil, &TokenError{Err: errors.New("the address of the token service is not a URL")}
		}
		l.origins = append(l.origins, origin(parsed))
	}
	return &http.Client{Transport: l, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

func origin(address *url.URL) string { return strings.ToLower(address.Scheme + "://" + address.Host) }

// RoundTrip implements http.RoundTripper.
func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	if !slices.Contains(l.origins, origin(req.URL)) {
		return nil, l.note(&line{err: errors.New("the token service names another host than the one that is declared, which is not called")})
	}
	req = req.Clone(req.Context())
	if req.Method == "" {
		// The library of AWS leaves it to whoever sends.
		req.Method = http.MethodGet
	}
	// What is compressed has no bound.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := l.transport.RoundTrip(req)
	if err != nil {
		return nil, l.note(&line{host: req.URL.Host, err: err})
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer+1))
	switch {
	case err != nil:
		return nil, l.note(&line{host: req.URL.Host, status: resp.StatusCode, err: errors.New("the answer was cut off")})
	case len(body) > maxTokenAnswer:
		return nil, l.note(&line{host: req.URL.Host, status: resp.StatusCode, err: errors.New("the answer is too long")})
	}
	seen := &line{host: req.URL.Host, status: resp.StatusCode}
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		seen.refused = body
	}
	_ = l.note(seen)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// note remembers how the last exchange went, and returns its error.
func (l *line) note(seen *line) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.host, l.status, l.refused, l.err = seen.host, seen.status, seen.refused, seen.err
	return seen.err
}

// failure tells why there is no token, from what was seen on the line.
func (l *line) failure(err error) error {
	var told *TokenError
	if errors.As(err, &told) {
		return told
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	failure := &TokenError{Host: l.host, Status: l.status}
	switch {
	case l.err != nil:
		failure.Err = l.err
	case l.status == 0:
		failure.Err = errors.New("the key or identity cannot be used to ask")
	case l.status >= http.StatusOK && l.status < http.StatusMultipleChoices:
		failure.Err = errNoToken
	default:
		failure.Code, failure.Number = readRefusal(l.refused)
	}
	return failure
}

// sendable tells whether a token can stand in a header.
func sendable(token string) bool {
	return token != "" && len(token) <= maxTokenBytes && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// issued is a token that a library was given, if it can be used.
func issued(token string, ends time.Time) (renewal.Term[string], error) {
	if !sendable(token) {
		return renewal.Term[string]{}, errNoToken
	}
	return renewal.Term[string]{Value: token, Ends: ends}, nil
}
