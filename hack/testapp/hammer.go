package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// hammer is many clients that spend a budget as fast as they can, each over a connection of its own and without retries.
type hammer struct {
	target   target
	clients  int
	duration time.Duration
	// words is the longest prompt, and maxTokens the largest output limit; each call draws both.
	words, maxTokens int
	// streams and aborts are how many of a hundred calls ask for a stream, and how many of a hundred streams are left after their beginning.
	streams, aborts int
	seed            uint64
}

// hammered counts what came of it. Every attempt is in exactly one of Outcomes.
type hammered struct {
	Attempts int `json:"attempts"`
	// Outcomes are "whole", "left" (by the client itself), "broken", "none" (no answer), and the status with the code of errors.
	Outcomes map[string]int `json:"outcomes"`
	// CostNano is what the answers that came whole say they cost, in nano-dollars.
	CostNano int64 `json:"costNano"`
	// Slow counts calls that took longer than a second until their answer began.
	Slow int `json:"slow"`
	// Final counts the clients whose last call was refused because the budget is spent.
	Final int `json:"final"`
}

func runHammer(ctx context.Context, args []string) error {
	h := hammer{}
	flags := flag.NewFlagSet("hammer", flag.ContinueOnError)
	h.target.register(flags)
	flags.IntVar(&h.clients, "clients", 200, "clients at once")
	flags.DurationVar(&h.duration, "duration", time.Minute, "how long new calls are begun")
	flags.IntVar(&h.words, "words", 200, "words of the longest prompt")
	flags.IntVar(&h.maxTokens, "max-tokens", 300, "largest output limit")
	flags.IntVar(&h.streams, "streams", 50, "percent of calls that are streams")
	flags.IntVar(&h.aborts, "aborts", 20, "percent of streams that are left")
	flags.Uint64Var(&h.seed, "seed", 1, "of the draws")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if h.clients < 1 || h.words < 1 || h.maxTokens < 1 {
		return errors.New("clients, words and max-tokens must be positive")
	}
	return json.NewEncoder(os.Stdout).Encode(h.run(ctx))
}

func (h hammer) run(ctx context.Context) hammered {
	sum := hammered{Outcomes: map[string]int{}}
	end := time.Now().Add(h.duration)
	var mutex sync.Mutex
	var running sync.WaitGroup
	for number := range h.clients {
		running.Go(func() {
			draws := rand.New(rand.NewPCG(h.seed, uint64(number))) //nolint:gosec // The draws of a load are no secrets.
			c := hammerClient{hammer: h, http: &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}, random: draws}
			own := c.run(ctx, end)
			mutex.Lock()
			defer mutex.Unlock()
			sum.add(own)
		})
	}
	running.Wait()
	return sum
}

func (s *hammered) add(own hammered) {
	s.Attempts += own.Attempts
	s.CostNano += own.CostNano
	s.Slow += own.Slow
	s.Final += own.Final
	for outcome, count := range own.Outcomes {
		s.Outcomes[outcome] += count
	}
}

// hammerClient is one client.
type hammerClient struct {
	hammer
	http   *http.Client
	random *rand.Rand
}

const (
	// refusedPause keeps clients that are refused from taking the machine.
	refusedPause = 100 * time.Millisecond
	whole        = "whole"
	spent        = "402 budget_exceeded"
)

func (c *hammerClient) run(ctx context.Context, end time.Time) hammered {
	own := hammered{Outcomes: map[string]int{}}
	last := ""
	for time.Now().Before(end) && ctx.Err() == nil {
		began := time.Now()
		outcome, cost, err := c.call(ctx, &own, began)
		if err != nil {
			outcome = "none"
		}
		own.Attempts++
		own.Outcomes[outcome]++
		own.CostNano += cost
		last = outcome
		if outcome != whole && outcome != "left" {
			pause(ctx, refusedPause)
		}
	}
	if last == spent {
		own.Final = 1
	}
	return own
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// call makes one call. An error means that there was no answer.
func (c *hammerClient) call(ctx context.Context, own *hammered, began time.Time) (outcome string, cost int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream := c.random.IntN(100) < c.streams
	leaves := stream && c.random.IntN(100) < c.aborts
	request, err := c.request(ctx, stream)
	if err != nil {
		return "", 0, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	if time.Since(began) > time.Second {
		own.Slow++
	}
	if leaves && answer.StatusCode == http.StatusOK {
		_, _ = answer.Body.Read(make([]byte, 64))
		return "left", 0, nil
	}
	return finish(answer)
}

func (c *hammerClient) request(ctx context.Context, stream bool) (*http.Request, error) {
	token, err := c.target.token()
	if err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"model":%q,"stream":%t,"max_tokens":%d,"messages":[{"role":"user","content":%q}]}`,
		c.target.model, stream, 1+c.random.IntN(c.maxTokens), strings.Repeat("word ", 1+c.random.IntN(c.words)))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.target.baseURL+"/chat/completions", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	// The standard Transport repeats requests that have GetBody and meet a closed connection; here every attempt counts.
	request.GetBody = nil
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	return request, nil
}

// finish reads an answer to its end.
func finish(answer *http.Response) (outcome string, cost int64, err error) {
	stream := answer.Header.Get("Content-Type") == "text/event-stream"
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return "broken", 0, nil //nolint:nilerr // It is an outcome.
	case answer.StatusCode != http.StatusOK:
		return strconv.Itoa(answer.StatusCode) + " " + codeOf(text), 0, nil
	case stream && !strings.Contains(string(text), "data: [DONE]"):
		return "broken", 0, nil
	}
	said := answer.Header.Get("X-Signalbox-Cost")
	if stream {
		said = answer.Trailer.Get("X-Signalbox-Cost")
	}
	nano, err := parseNano(said)
	if err != nil {
		return "without cost", 0, nil //nolint:nilerr // It is an outcome.
	}
	return whole, nano, nil
}

func codeOf(text []byte) string {
	var said struct {
		Error struct {
			Code any `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &said) != nil {
		return "not JSON"
	}
	return fmt.Sprint(said.Error.Code)
}

// nanoDigits is how many digits behind the point an amount of nano-dollars has.
const nanoDigits = 9

// parseNano reads an exact decimal of US dollars.
func parseNano(text string) (int64, error) {
	dollars, cents, _ := strings.Cut(text, ".")
	if len(cents) > nanoDigits {
		return 0, fmt.Errorf("amount %q has more digits than nano-dollars", text)
	}
	return strconv.ParseInt(dollars+cents+strings.Repeat("0", nanoDigits-len(cents)), 10, 64)
}
