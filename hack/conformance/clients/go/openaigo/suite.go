package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/conformance/plan"
)

const (
	// cancelWithin is how soon a cancelled call must reach the provider; a busy machine gets more than one try.
	cancelWithin = 100 * time.Millisecond
	cancelTries  = 12
	// clientName in results.
	clientName = "openai-go"
)

// check is one thing tried behind one upstream; its error says what went wrong.
type check func(ctx context.Context, models map[string]string) error

// suite runs the checks of a surface.
type suite struct {
	plan    plan.Plan
	surface string
}

func readPlan() (plan.Plan, error) {
	var p plan.Plan
	data, err := os.ReadFile(os.Getenv(plan.Variable))
	if err != nil {
		return p, fmt.Errorf("reading the plan: %w", err)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("decoding the plan: %w", err)
	}
	return p, nil
}

// run makes each check behind each upstream and prints the results.
func (s suite) run(ctx context.Context, names []string, checks map[string]check) error {
	out := json.NewEncoder(os.Stdout)
	for _, upstream := range s.plan.Upstreams {
		if !slices.Contains(upstream.Surfaces, s.surface) {
			continue
		}
		for _, name := range names {
			if len(s.plan.Checks) > 0 && !slices.Contains(s.plan.Checks, name) {
				continue
			}
			if err := out.Encode(s.one(ctx, name, upstream, checks[name])); err != nil {
				return fmt.Errorf("printing a result: %w", err)
			}
		}
	}
	return nil
}

func (s suite) one(ctx context.Context, name string, upstream plan.Upstream, act check) plan.Result {
	started := time.Now()
	result := plan.Result{Client: clientName, Surface: s.surface, Check: name, Upstream: upstream.Name}
	err := act(ctx, upstream.Models)
	if refusal, refused := upstream.Refused[s.surface+"/"+name]; refused {
		result.Expected = refusal.Reason
		err = fails(err, refusal.Status, refusal.Text)
	}
	if err != nil {
		result.Problem = err.Error()
	}
	result.OK = err == nil
	result.Milliseconds = time.Since(started).Milliseconds()
	return result
}

// record is what the fake provider received.
type record struct {
	Body     string    `json:"body"`
	State    string    `json:"state"`
	End      time.Time `json:"end"`
	Reported struct {
		PromptTokens     int64 `json:"promptTokens"`
		CompletionTokens int64 `json:"completionTokens"`
	} `json:"reported"`
}

// recordOf is the one request that carries the mark.
func (s suite) recordOf(ctx context.Context, mark string) (record, error) {
	all, err := s.records(ctx, mark)
	if err != nil {
		return record{}, err
	}
	if len(all) != 1 {
		return record{}, fmt.Errorf("%d requests with %s reached a provider, want one", len(all), mark)
	}
	return all[0], nil
}

// records are all requests that carry the mark.
func (s suite) records(ctx context.Context, mark string) ([]record, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.plan.Control+"/requests", nil)
	if err != nil {
		return nil, fmt.Errorf("building a request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the fake provider: %w", err)
	}
	defer response.Body.Close()
	var all []record
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		return nil, fmt.Errorf("decoding the records: %w", err)
	}
	return slices.DeleteFunc(all, func(r record) bool { return !strings.Contains(r.Body, mark) }), nil
}

// usage compares the usage that the client got with what the provider reported.
func (s suite) usage(ctx context.Context, mark string, prompt, completion int64) error {
	r, err := s.ended(ctx, mark)
	if err != nil {
		return err
	}
	return equal("tokens", [2]int64{prompt, completion}, [2]int64{r.Reported.PromptTokens, r.Reported.CompletionTokens})
}

// sawImage checks that the provider got the very bytes of the image.
func (s suite) sawImage(ctx context.Context, mark string) error {
	r, err := s.recordOf(ctx, mark)
	if err != nil {
		return err
	}
	urlSafe := strings.NewReplacer("+", "-", "/", "_").Replace(s.plan.Image)
	if !strings.Contains(r.Body, s.plan.Image) && !strings.Contains(r.Body, urlSafe) {
		return errors.New("the provider did not get the image")
	}
	return nil
}

// cancelled runs start, which opens a stream with a mark, reads its first text and leaves; the provider has to notice at once.
func (s suite) cancelled(ctx context.Context, start func(ctx context.Context, mark string) error) error {
	var late []time.Duration
	for range cancelTries {
		mark := newMark()
		if err := start(ctx, mark); err != nil {
			return err
		}
		left := time.Now()
		r, err := s.ended(ctx, mark)
		if err != nil {
			return err
		}
		if err := equal("what became of the call at the provider", r.State, "ClientLeft"); err != nil {
			return err
		}
		late = append(late, r.End.Sub(left))
		if late[len(late)-1] <= cancelWithin {
			return nil
		}
	}
	return fmt.Errorf("the provider saw the client leave after %v", late)
}

// ended waits until the call is over at the provider.
func (s suite) ended(ctx context.Context, mark string) (record, error) {
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := s.recordOf(ctx, mark)
		if err != nil || r.State != "Open" {
			return r, err
		}
		select {
		case <-deadline:
			return r, nil
		case <-tick.C:
		}
	}
}

// newMark is a word that finds a request again.
func newMark() string { return "mark" + strings.ToLower(rand.Text()) }

func prompt(mark string) string {
	return "Tell me about the signal box at Löbau 駅, " + mark + "."
}

func equal[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: got %v, want %v", what, got, want)
	}
	return nil
}
