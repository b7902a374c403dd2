package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer bounds what is read of one answer.
const maxAnswer = 32 << 20

const (
	plainJSON  = "application/json"
	mergePatch = "application/merge-patch+json"
)

// API is an API server and an administrator's way to it.
type API struct {
	// Server is its URL.
	Server string
	// Client shows the certificate.
	Client *http.Client
}

// statusError is an answer that is no success.
type statusError struct {
	method, path, text string
	status             int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s %s: %d: %s", e.method, e.path, e.status, e.text)
}

func (a API) get(ctx context.Context, path string, into any) error {
	return a.call(ctx, http.MethodGet, path, nil, into)
}

func (a API) create(ctx context.Context, path string, object, into any) error {
	return a.call(ctx, http.MethodPost, path, object, into)
}

func (a API) patch(ctx context.Context, path string, change any) error {
	return a.call(ctx, http.MethodPatch, path, change, nil)
}

func (a API) remove(ctx context.Context, path string, options any) error {
	return a.call(ctx, http.MethodDelete, path, options, nil)
}

func (a API) call(ctx context.Context, method, path string, object, into any) error {
	var body io.Reader = http.NoBody
	if object != nil {
		plain, err := json.Marshal(object)
		if err != nil {
			return fmt.Errorf("encoding for %s: %w", path, err)
		}
		body = bytes.NewReader(plain)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.Server+path, body)
	if err != nil {
		return fmt.Errorf("asking for %s: %w", path, err)
	}
	request.Header.Set("Content-Type", plainJSON)
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", mergePatch)
	}
	answer, err := a.Client.Do(request)
	if err != nil {
		return fmt.Errorf("asking for %s: %w", path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return &statusError{method: method, path: path, status: answer.StatusCode, text: messageOf(text)}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// messageOf takes the message out of the API server's errors.
func messageOf(text []byte) string {
	var status struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(text, &status); err != nil {
		return fmt.Sprintf("%d bytes that are not JSON", len(text))
	}
	return status.Message
}
