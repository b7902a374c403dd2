package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// chatReport is what one call brought.
type chatReport struct {
	Text     string          `json:"text"`
	Chunks   int             `json:"chunks"`
	Usage    json.RawMessage `json:"usage,omitempty"`
	CostUSD  json.Number     `json:"costUSD,omitempty"`
	Finish   string          `json:"finish,omitempty"`
	Status   int             `json:"status,omitempty"`
	Error    json.RawMessage `json:"error,omitempty"`
	Headers  http.Header     `json:"headers,omitempty"`
	Attempts int             `json:"attempts"`
}

func runChat(ctx context.Context, args []string) error {
	var to target
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	to.register(flags)
	stream := flags.Bool("stream", false, "ask for a stream")
	prompt := flags.String("prompt", "Say hello.", "what to say")
	maxTokens := flags.Int64("max-tokens", 32, "tokens to ask for")
	if err := flags.Parse(args); err != nil {
		return err
	}
	token, err := to.token()
	if err != nil {
		return err
	}
	report := chatReport{}
	count := func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
		report.Attempts++
		answer, err := next(r)
		if answer != nil {
			report.Headers = answer.Header
		}
		return answer, err
	}
	client := openai.NewClient(option.WithBaseURL(to.baseURL), option.WithAPIKey(token), option.WithMaxRetries(0), option.WithMiddleware(count))
	params := openai.ChatCompletionNewParams{
		Model:     to.model,
		MaxTokens: openai.Int(*maxTokens),
		Messages:  []openai.ChatCompletionMessageParamUnion{openai.UserMessage(*prompt)},
	}
	if *stream {
		err = streamed(ctx, client, params, &report)
	} else {
		err = plain(ctx, client, params, &report)
	}
	if failed := (*openai.Error)(nil); errors.As(err, &failed) {
		report.Status, report.Error, err = failed.StatusCode, json.RawMessage(failed.RawJSON()), nil
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}

func plain(ctx context.Context, client openai.Client, params openai.ChatCompletionNewParams, report *chatReport) error {
	answer, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		return err
	}
	report.Status = http.StatusOK
	report.Text, report.Finish = answer.Choices[0].Message.Content, answer.Choices[0].FinishReason
	return report.use(answer.Usage)
}

// streamed prints each piece of text to stderr as it comes, so that a person sees the stream.
func streamed(ctx context.Context, client openai.Client, params openai.ChatCompletionNewParams, report *chatReport) error {
	params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := client.Chat.Completions.NewStreaming(ctx, params)
	defer func() { _ = stream.Close() }()
	for stream.Next() {
		report.Chunks++
		chunk := stream.Current()
		if chunk.Usage.TotalTokens > 0 {
			if err := report.use(chunk.Usage); err != nil {
				return err
			}
		}
		for _, choice := range chunk.Choices {
			fmt.Fprint(os.Stderr, choice.Delta.Content)
			report.Text += choice.Delta.Content
			if choice.FinishReason != "" {
				report.Finish = choice.FinishReason
			}
		}
	}
	fmt.Fprintln(os.Stderr)
	if err := stream.Err(); err != nil {
		return err
	}
	report.Status = http.StatusOK
	return nil
}

func (r *chatReport) use(usage openai.CompletionUsage) error {
	r.Usage = json.RawMessage(usage.RawJSON())
	var priced struct {
		Cost json.Number `json:"cost"`
	}
	if err := json.Unmarshal(r.Usage, &priced); err != nil {
		return fmt.Errorf("reading usage: %w", err)
	}
	r.CostUSD = priced.Cost
	return nil
}

// runGet prints status and body of one GET below the base URL, for what the SDK does not show.
func runGet(ctx context.Context, args []string) error {
	var to target
	flags := flag.NewFlagSet("get", flag.ContinueOnError)
	to.register(flags)
	path := flags.String("path", "/models", "path below the base URL")
	if err := flags.Parse(args); err != nil {
		return err
	}
	token, err := to.token()
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, to.baseURL+*path, http.NoBody)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"status": answer.StatusCode, "body": string(body)})
}
