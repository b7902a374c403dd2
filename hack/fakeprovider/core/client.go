package core

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Client calls the control API of a server in another process. Safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// NewClient makes a client for a control address such as "http://127.0.0.1:9901".
func NewClient(base string, client *http.Client) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), http: client}
}

// Settings returns the settings in force.
func (c *Client) Settings(ctx context.Context) (Settings, error) {
	var settings Settings
	return settings, c.call(ctx, http.MethodGet, "/settings", nil, &settings)
}

// SetSettings replaces the settings.
func (c *Client) SetSettings(ctx context.Context, settings Settings) error {
	return c.call(ctx, http.MethodPut, "/settings", settings, nil)
}

// PatchSettings changes the given fields, named as in JSON, and nothing else.
func (c *Client) PatchSettings(ctx context.Context, fields map[string]any) error {
	return c.call(ctx, http.MethodPatch, "/settings", fields, nil)
}

// AddFaults appends faults to the queue, all or none.
func (c *Client) AddFaults(ctx context.Context, faults ...Fault) error {
	return c.call(ctx, http.MethodPost, "/faults", faults, nil)
}

// Faults returns the faults still to come.
func (c *Client) Faults(ctx context.Context) ([]Fault, error) {
	var faults []Fault
	return faults, c.call(ctx, http.MethodGet, "/faults", nil, &faults)
}

// ClearFaults forgets the faults still to come.
func (c *Client) ClearFaults(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "/faults", nil, nil)
}

// Requests returns the newest n records, oldest first.
func (c *Client) Requests(ctx context.Context, n int) ([]Record, error) {
	var records []Record
	return records, c.call(ctx, http.MethodGet, fmt.Sprintf("/requests?last=%d", n), nil, &records)
}

// Arrivals returns when the newest requests came, oldest first.
func (c *Client) Arrivals(ctx context.Context) ([]Arrival, error) {
	var arrivals []Arrival
	return arrivals, c.call(ctx, http.MethodGet, "/arrivals", nil, &arrivals)
}

// ManagedKeys returns the keys that management APIs made, oldest first, those deleted included.
func (c *Client) ManagedKeys(ctx context.Context) ([]ManagedKey, error) {
	var keys []ManagedKey
	return keys, c.call(ctx, http.MethodGet, "/managed-keys", nil, &keys)
}

// Counters returns the sums so far.
func (c *Client) Counters(ctx context.Context) (Counters, error) {
	var counters Counters
	return counters, c.call(ctx, http.MethodGet, "/counters", nil, &counters)
}

// Reset goes back to the state at start.
func (c *Client) Reset(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/reset", nil, nil)
}

// call makes one request; out may be nil. A status other than 200 is an error with the server's text.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encoding %s %s: %w", method, path, err)
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("building %s %s: %w", method, path, err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("calling the fake provider: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // read in full below: closing tells nothing new
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: status %d: %s", method, path, response.StatusCode, strings.TrimSpace(string(data)))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("decoding the answer to %s %s: %w", method, path, err)
	}
	return nil
}
