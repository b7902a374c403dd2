package world

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

// What the fake providers say.
const (
	// Text of every answer; its words are tokens. It holds letters of two, three and four bytes.
	Text = "Signal 7 at Löbau 駅 shows »clear« 🚂 and the line is free: the morning train may leave, " +
		"the guard waves, the points are set, the lamps are lit, and nobody has to wait for long."
	// Busy is the text of errors 429.
	Busy = "too many trains on this line"
	// patienceOfBusy is how long a busy model wants to be left alone, in milliseconds: so short that the next call is sent to it again and gets its own words.
	patienceOfBusy = "0.001"
	// Broken is the text of errors inside a stream.
	Broken = "the boiler burst on the way"
	// picky is the text of errors 400.
	picky = "this train does not stop here"
	// cutAfter is how many events of a stream come before it stalls or breaks: enough for some text in every dialect, less than all of it.
	cutAfter = 20
	// toolCalls is how many calls an answer with tools makes.
	toolCalls = 2
)

// Fake is the running fake providers.
type Fake struct {
	*Program
	// Data and Control are the base URLs of the imitated APIs and of the control API.
	Data, Control string
}

// fault is an entry for the queue of faults, as the control API takes it.
type fault struct {
	Kind        string            `json:"kind"`
	Times       int               `json:"times"`
	Match       map[string]string `json:"match"`
	Status      int               `json:"status,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Error       map[string]string `json:"error,omitempty"`
	AfterEvents int               `json:"afterEvents,omitempty"`
}

// StartFake runs the fake providers with one key, and with the faults that the upstreams' models stand for.
func StartFake(ctx context.Context, program, logs, key string, upstreams []catalogue.Upstream) (*Fake, error) {
	settings, err := json.Marshal(map[string]any{
		"models": modelIDs(upstreams), "text": Text, "toolCalls": toolCalls, "keys": []map[string]string{{"value": key}},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the settings: %w", err)
	}
	ready := regexp.MustCompile(`data on (\S+), control on (\S+)`)
	p, err := start(ctx, filepath.Join(logs, "fakeprovider.log"), ready, program, "--addr", "127.0.0.1:0", "--control-addr", "127.0.0.1:0", "--settings", string(settings))
	if err != nil {
		return nil, err
	}
	f := &Fake{Program: p, Data: "http://" + p.found[1], Control: "http://" + p.found[2]}
	return f, f.post(ctx, "/faults", faults(upstreams))
}

// modelIDs are the provider's ids of all models.
func modelIDs(upstreams []catalogue.Upstream) []string {
	var ids []string
	for _, u := range upstreams {
		for _, purpose := range purposes(u) {
			if id := u.Models[purpose]; !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// faults are those of all models that stand for one.
func faults(upstreams []catalogue.Upstream) []fault {
	var all []fault
	for _, u := range upstreams {
		all = append(all,
			fault{
				Kind: "Status", Times: -1, Match: map[string]string{"model": u.Models[plan.Busy]}, Status: http.StatusTooManyRequests,
				Headers: map[string]string{"Retry-After-Ms": patienceOfBusy}, Error: map[string]string{"message": Busy, "type": "rate_limit_error"},
			},
			fault{
				Kind: "Status", Times: -1, Match: map[string]string{"model": u.Models[plan.Picky]}, Status: http.StatusBadRequest,
				Error: map[string]string{"message": picky, "type": "invalid_request_error"},
			},
			fault{Kind: "Stall", Times: -1, Match: map[string]string{"model": u.Models[plan.Stall]}, AfterEvents: cutAfter},
			fault{
				Kind: "ErrorEvent", Times: -1, Match: map[string]string{"model": u.Models[plan.Broken]}, AfterEvents: cutAfter,
				Error: map[string]string{"message": Broken, "type": "server_error"},
			},
		)
	}
	return all
}

// GoogleKey is the key file of a service account that the fake of Vertex knows.
func (f *Fake) GoogleKey(ctx context.Context) (string, error) {
	key, err := f.call(ctx, http.MethodGet, "/vertex/service-account?token_uri="+url.QueryEscape(f.Data+"/vertex/token"), nil)
	return string(key), err
}

// post sends JSON to the control API.
func (f *Fake) post(ctx context.Context, path string, in any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	_, err = f.call(ctx, http.MethodPost, path, bytes.NewReader(body))
	return err
}

// call makes one request to the control API.
func (f *Fake) call(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, f.Control+path, body)
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", path, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("calling the fake provider: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", response.StatusCode, answer)
	}
	if err != nil {
		return nil, fmt.Errorf("calling the fake provider, %s: %w", path, err)
	}
	return answer, nil
}
