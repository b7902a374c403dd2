package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// loadJob is a load of a fixed rate over a fixed number of connections, without retries.
type loadJob struct {
	target      target
	connections int
	rate        int
	duration    time.Duration
	stream      bool
	maxTokens   int
}

// loadResult counts what came of it. Every attempt is in exactly one of OK and Failed.
type loadResult struct {
	Attempts    int            `json:"attempts"`
	OK          int            `json:"ok"`
	Failed      int            `json:"failed"`
	Statuses    map[int]int    `json:"statuses"`
	Failures    map[string]int `json:"failures,omitempty"`
	Connections int            `json:"connections"`
	// Broken counts those among Failed whose stream broke after its first token.
	Broken int `json:"broken"`
	// Targets counts answers by the target that the proxy names.
	Targets map[string]int `json:"targets,omitempty"`
	// LongestMillis is the longest time from the beginning of a call to its end.
	LongestMillis int64 `json:"longestMillis"`
	// Late counts requests that could not begin in their turn, because all connections were busy.
	Late int `json:"late"`
}

const maxFailureKinds = 20

func (j loadJob) run(ctx context.Context) (loadResult, error) {
	if j.connections < 1 || j.rate < 1 {
		return loadResult{}, errors.New("connections and rate must be positive")
	}
	result := loadResult{Statuses: map[int]int{}, Failures: map[string]int{}, Targets: map[string]int{}, Connections: j.connections}
	turns := make(chan struct{}, j.connections)
	var mutex sync.Mutex
	var workers sync.WaitGroup
	for range j.connections {
		workers.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			for range turns {
				begun := time.Now()
				answer, err := j.call(ctx, client)
				took := time.Since(begun)
				mutex.Lock()
				result.count(answer, err)
				result.LongestMillis = max(result.LongestMillis, took.Milliseconds())
				mutex.Unlock()
			}
		})
	}
	late := j.begin(ctx, turns)
	close(turns)
	workers.Wait()
	result.Late = late
	return result, nil
}

// beginInterval is how often turns that are due are handed out.
const beginInterval = 2 * time.Millisecond

// begin hands out turns at the rate until the duration is over, and returns how many found no free connection. A machine that falls behind catches up, so
// that rate times duration turns are handed out or counted as late.
func (j loadJob) begin(ctx context.Context, turns chan<- struct{}) (late int) {
	ticker := time.NewTicker(beginInterval)
	defer ticker.Stop()
	started := time.Now()
	for begun := 0; ; {
		elapsed := min(time.Since(started), j.duration)
		for due := int(elapsed.Seconds() * float64(j.rate)); begun < due; begun++ {
			select {
			case turns <- struct{}{}:
			default:
				late++
			}
		}
		if elapsed == j.duration {
			return late
		}
		select {
		case <-ctx.Done():
			return late
		case <-ticker.C:
		}
	}
}

// answered is the head of an answer; its status is 0 when there was none.
type answered struct {
	status int
	target string
}

// brokenStream is the error of a stream that broke after its first token.
type brokenStream struct{ error }

func (b brokenStream) Unwrap() error { return b.error }

func (r *loadResult) count(answer answered, err error) {
	r.Attempts++
	r.Statuses[answer.status]++
	if answer.target != "" {
		r.Targets[answer.target]++
	}
	if err == nil {
		r.OK++
		return
	}
	r.Failed++
	if errors.As(err, &brokenStream{}) {
		r.Broken++
	}
	text := err.Error()
	if _, known := r.Failures[text]; known || len(r.Failures) < maxFailureKinds {
		r.Failures[text]++
	}
}

// call makes one call and returns an error unless the answer was a complete 200.
func (j loadJob) call(ctx context.Context, client *http.Client) (answered, error) {
	token, err := j.target.token()
	if err != nil {
		return answered{}, err
	}
	body := fmt.Sprintf(`{"model":%q,"stream":%t,"max_tokens":%d,"messages":[{"role":"user","content":"a private load of words"}]}`, j.target.model, j.stream, j.maxTokens)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, j.target.baseURL+"/chat/completions", strings.NewReader(body))
	if err != nil {
		return answered{}, err
	}
	// The standard Transport repeats requests that have GetBody and meet a closed connection; here every attempt counts.
	request.GetBody = nil
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(request)
	if err != nil {
		return answered{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	got := answered{answer.StatusCode, answer.Header.Get("X-Signalbox-Target")}
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 512))
		return got, fmt.Errorf("status %d: %s", answer.StatusCode, bytes.TrimSpace(text))
	}
	if j.stream {
		return got, readStream(answer.Body)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return got, err
}

// readStream returns an error unless the stream ends as a stream must; a brokenStream if a token had come.
func readStream(body io.Reader) error {
	lines := bufio.NewScanner(body)
	done, begun := false, false
	failure := error(nil)
	for lines.Scan() && failure == nil {
		line := lines.Bytes()
		if bytes.Contains(line, []byte(`"error"`)) {
			failure = fmt.Errorf("error inside the stream: %s", line)
		}
		done = done || bytes.Equal(line, []byte("data: [DONE]"))
		begun = begun || hasToken(line)
	}
	switch err := lines.Err(); {
	case failure != nil:
	case err != nil:
		failure = fmt.Errorf("stream cut: %w", err)
	case !done:
		failure = errors.New("stream ended without [DONE]")
	}
	if failure != nil && begun {
		return brokenStream{failure}
	}
	return failure
}

// hasToken tells whether a line of a stream carries text.
func hasToken(line []byte) bool {
	data, found := bytes.CutPrefix(line, []byte("data: "))
	if !found {
		return false
	}
	var chunk struct {
		Choices []struct {
			Delta struct {
				Content string `json:"content"`
			} `json:"delta"`
		} `json:"choices"`
	}
	if json.Unmarshal(data, &chunk) != nil {
		return false // [DONE], or an error, which is looked for elsewhere
	}
	for _, choice := range chunk.Choices {
		if choice.Delta.Content != "" {
			return true
		}
	}
	return false
}
