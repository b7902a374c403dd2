// Package management is what the management APIs of providers have in common: keys are listed, made and deleted by JSON over HTTP. No error of it holds a
// key, nor text of the provider's, which could.
package management

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/endpoint"
)

const (
	// maxAnswer bounds an answer: a hundred keys of a kilobyte each, and as much again for what may be added to them.
	maxAnswer = 256 << 10
	// maxID and maxKey bound what is kept of an answer.
	maxID  = 253
	maxKey = 8 << 10
	// MaxListed bounds the keys of an account that are looked through for ours.
	MaxListed = 5000
	// maxRetryAfter bounds what a provider may ask to wait.
	maxRetryAfter = 10 * time.Minute
	userAgent     = "signalbox-manager"
)

// Key is a key at a provider, as its list has it.
type Key struct {
	// ID that the provider gave it.
	ID string
	// Name that we gave it.
	Name string
}

// Made is a key that was just made.
type Made struct {
	// ID that the provider gave it.
	ID string
	// Value is the key itself, which the provider tells but once.
	Value string
}

// Keys is a provider's management API.
type Keys interface {
	// List returns the keys whose names begin with a prefix, at most MaxListed being looked through. A list that may be cut is an error.
	List(ctx context.Context, prefix string) ([]Key, error)
	// Create makes a key. Once the context's deadline has passed nothing is sent any more.
	Create(ctx context.Context, name string) (Made, error)
	// Delete removes a key. One that is not there is no error.
	Delete(ctx context.Context, id string) error
}

// RefusedError is an answer that says that nothing was done.
type RefusedError struct {
	// Status of HTTP, 300 to 499.
	Status int
	// RetryAfter is how long the provider asks to wait; 0 if it does not.
	RetryAfter time.Duration
}

// Error says what is wrong and what to do.
func (e *RefusedError) Error() string {
	switch e.Status {
	case http.StatusUnauthorized:
		return "the provider refused the management key (401); store a valid one"
	case http.StatusForbidden:
		return "the management key may not do that (403); give it the right to manage keys, or store one that has it"
	case http.StatusPaymentRequired:
		return "the account has no credit left (402)"
	case http.StatusNotFound:
		return "the provider does not know the address or the project (404); correct spec.endpoint or the project"
	case http.StatusTooManyRequests:
		return "the provider takes no more calls of its management API for now (429); they go on later by themselves"
	default:
		return fmt.Sprintf("the provider refused with status %d; a limit of the account, such as its number of keys, may be reached", e.Status)
	}
}

// NotSentError tells that a call did not reach the provider.
type NotSentError struct{ err error }

// Error says why.
func (e *NotSentError) Error() string { return "the management API cannot be called: " + e.err.Error() }

// Unwrap returns the reason.
func (e *NotSentError) Unwrap() error { return e.err }

// UnclearError tells that a call may or may not have been carried out.
type UnclearError struct {
	// Problem says what came in place of an answer.
	Problem string
}

// Error says what came in place of an answer.
func (e *UnclearError) Error() string {
	return "the management API did not answer as it should: " + e.Problem
}

// NothingDone tells whether an error leaves no doubt that the call changed nothing.
func NothingDone(err error) bool {
	var refused *RefusedError
	var unsent *NotSentError
	return errors.As(err, &refused) || errors.As(err, &unsent)
}

// Client calls one management API with one key.
type Client struct {
	// Transport carries the calls; it has to keep to the rules for endpoints.
	Transport http.RoundTripper
	// Address is where a path of the API is.
	Address func(path string) (*url.URL, error)
	// Key that authorizes.
	Key string
}

// Call is one call.
type Call struct {
	// Method of HTTP.
	Method string
	// Path below the API's base, its parts escaped.
	Path string
	// Query to add.
	Query url.Values
	// Body is sent as JSON; nil sends none.
	Body any
}

// errLate is why a call is not sent.
var errLate = errors.New("its time was over before it was sent")

// late tells whether a deadline has passed. It compares both the clock that only runs and the one on the wall: a machine that sleeps stops the first. It does not ask the
// context, whose timer may not have run yet in a process that was stopped and goes on.
func late(ctx context.Context) bool {
	deadline, has := ctx.Deadline()
	now := time.Now()
	return has && (now.After(deadline) || now.Round(0).After(deadline.Round(0)))
}

// Do makes a call and decodes its answer into a value, if that is not nil. Redirects are refusals: following one would send the key elsewhere.
func (c Client) Do(ctx context.Context, call Call, into any) error {
	request, err := c.request(ctx, call)
	if err != nil {
		return &NotSentError{err}
	}
	if late(ctx) {
		return &NotSentError{errLate}
	}
	response, err := c.Transport.RoundTrip(request)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = response.Body.Close() }()
	return decode(response, into)
}

// decode reads an answer into a value, if that is not nil.
func decode(response *http.Response, into any) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case response.StatusCode >= 300 && response.StatusCode < 500 && response.StatusCode != http.StatusRequestTimeout:
		return &RefusedError{Status: response.StatusCode, RetryAfter: retryAfter(response.Header)}
	case response.StatusCode < 200 || response.StatusCode >= 300:
		return &UnclearError{fmt.Sprintf("status %d", response.StatusCode)}
	case err != nil:
		return &UnclearError{"the answer broke off"}
	case len(body) > maxAnswer:
		return &UnclearError{"the answer is too long"}
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		// The decoder's error could quote the answer, which may hold a key.
		return &UnclearError{"the answer is not the JSON that was expected"}
	}
	return nil
}

func (c Client) request(ctx context.Context, call Call) (*http.Request, error) {
	address, err := c.Address(call.Path)
	if err != nil {
		return nil, err
	}
	address.RawQuery = call.Query.Encode()
	request, err := http.NewRequestWithContext(ctx, call.Method, address.String(), http.NoBody)
	if err != nil {
		return nil, errors.New("the endpoint is not a URL")
	}
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Authorization", "Bearer "+c.Key)
	request.Header.Set("Accept", "application/json")
	if call.Body == nil {
		return request, nil
	}
	encoded, err := json.Marshal(call.Body)
	if err != nil {
		return nil, fmt.Errorf("encoding the call: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.ContentLength = int64(len(encoded))
	request.GetBody = func() (io.ReadCloser, error) { return timely(ctx, encoded), nil }
	request.Body = timely(ctx, encoded)
	return request, nil
}

// inTime is a body that nobody gets after the context's deadline. It is read right before it is sent, which is after the connection was made.
type inTime struct {
	io.Reader
	ctx context.Context
}

func timely(ctx context.Context, body []byte) io.ReadCloser {
	return io.NopCloser(inTime{Reader: bytes.NewReader(body), ctx: ctx})
}

// Read fails once it is late, and with it the call: without its body it is no call.
func (b inTime) Read(into []byte) (int, error) {
	if late(b.ctx) {
		return 0, errLate
	}
	return b.Reader.Read(into)
}

// failed tells a call that was never sent from one of which nobody knows. The texts stay the same while the trouble does.
func failed(err error) error {
	var operation *net.OpError
	switch {
	case endpoint.IsDenied(err):
		return &NotSentError{err}
	case errors.As(err, &operation) && operation.Op == "dial":
		return &NotSentError{fmt.Errorf("no connection to %v: %w", operation.Addr, operation.Err)}
	case errors.Is(err, context.DeadlineExceeded):
		return &UnclearError{"no answer in time"}
	default:
		return &UnclearError{"the connection broke"}
	}
}

// retryAfter reads the header in its form of seconds.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseInt(header.Get("Retry-After"), 10, 32)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxRetryAfter)
}

// Check tells whether an answer is that of a key that was made. Both parts come from outside: the id is shown in an annotation and becomes part of paths, so it must
// be neither the key nor a path.
func (m Made) Check() error {
	switch {
	case !IsID(m.ID) || strings.Contains(m.ID, m.Value):
		return &UnclearError{"the id of the key that was made is missing or cannot be one"}
	case m.Value == "" || len(m.Value) > maxKey || strings.ContainsFunc(m.Value, func(r rune) bool { return r <= ' ' || r > '~' }):
		return &UnclearError{"the key that was made is missing or cannot be one"}
	}
	return nil
}

// IsID tells whether a text can be the id of a key.
func IsID(id string) bool {
	if id == "" || len(id) > maxID || strings.Trim(id, ".") == "" {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// Delete deletes what is at a path; what is not there is gone already.
func (c Client) Delete(ctx context.Context, path string) error {
	err := c.Do(ctx, Call{Method: http.MethodDelete, Path: path}, nil)
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil
	}
	return err
}

// ErrTooMany is the error of a List of an account that has more keys than are looked through.
var ErrTooMany = fmt.Errorf("the account has more than %d keys; delete some, or use an account or project of its own", MaxListed)
