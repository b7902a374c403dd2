package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// conversation is what came of one session: the target that answered each turn, and the failures.
type conversation struct {
	Session  string   `json:"session"`
	Targets  []string `json:"targets"`
	Failures []string `json:"failures,omitempty"`
}

// message of a conversation.
type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// runConverse holds several conversations at once, each under a session id of its own. Every turn sends all that was said before.
func runConverse(ctx context.Context, args []string) error {
	var to target
	flags := flag.NewFlagSet("converse", flag.ContinueOnError)
	to.register(flags)
	sessions := flags.Int("sessions", 20, "conversations held at once")
	turns := flags.Int("turns", 10, "turns of each")
	pause := flags.Duration("pause", time.Second, "time between the turns")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *sessions < 1 || *turns < 1 {
		return errors.New("sessions and turns must be positive")
	}
	results := make([]conversation, *sessions)
	var running sync.WaitGroup
	for i := range results {
		results[i].Session = fmt.Sprintf("session-%d-%d", os.Getpid(), i)
		running.Go(func() { results[i].hold(ctx, to, *turns, *pause) })
	}
	running.Wait()
	return json.NewEncoder(os.Stdout).Encode(results)
}

// hold makes all turns of a conversation.
func (c *conversation) hold(ctx context.Context, to target, turns int, pause time.Duration) {
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	next := time.NewTicker(pause)
	defer next.Stop()
	said := []message{{"system", "You know " + c.Session + "."}}
	for turn := range turns {
		said = append(said, message{"user", fmt.Sprintf("turn %d of %s", turn, c.Session)})
		by, text, err := c.say(ctx, client, to, said)
		c.Targets = append(c.Targets, by)
		if err != nil {
			c.Failures = append(c.Failures, err.Error())
		}
		said = append(said, message{"assistant", text})
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
	}
}

// say makes one turn and returns the target that answered, and its answer.
func (c *conversation) say(ctx context.Context, client *http.Client, to target, said []message) (by, text string, err error) {
	token, err := to.token()
	if err != nil {
		return "", "", err
	}
	body, err := json.Marshal(map[string]any{"model": to.model, "max_tokens": 16, "messages": said})
	if err != nil {
		return "", "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.baseURL+"/chat/completions", strings.NewReader(string(body)))
	if err != nil {
		return "", "", err
	}
	request.GetBody = nil
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("X-Session-Id", c.Session)
	answer, err := client.Do(request)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = answer.Body.Close() }()
	by = answer.Header.Get("X-Signalbox-Target")
	var completion struct {
		Choices []struct {
			Message message `json:"message"`
		} `json:"choices"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&completion); err != nil {
		return by, "", fmt.Errorf("status %d: %w", answer.StatusCode, err)
	}
	if answer.StatusCode != http.StatusOK || len(completion.Choices) == 0 {
		return by, "", fmt.Errorf("status %d", answer.StatusCode)
	}
	return by, completion.Choices[0].Message.Content, nil
}
