package fakes

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/bedrock"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/vertex"
	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"signalbox.dev/signalbox/hack/fakeprovider"
)

// anthropicClients are the platforms that Anthropic's library drives.
func anthropicClients(t *testing.T, f fake) map[string]anthropic.Client {
	t.Helper()
	return map[string]anthropic.Client{
		"Anthropic": anthropic.NewClient(option.WithBaseURL(f.url+"/anthropic"), option.WithAPIKey(key), option.WithMaxRetries(0)),
		"Vertex": anthropic.NewClient(
			vertex.WithCredentials(t.Context(), "us-east5", "project", &google.Credentials{TokenSource: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: key})}),
			option.WithBaseURL(f.at(t, "/vertex")), option.WithMaxRetries(0)),
		"Bedrock": anthropic.NewClient(bedrock.WithConfig(aws.Config{Region: "us-east-1", Credentials: awsKey()}), option.WithBaseURL(f.at(t, "/bedrock")), option.WithMaxRetries(0)),
	}
}

func messageParams() anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: model, MaxTokens: 4096, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(prompt))}}
}

// streamMessage puts a streamed message together.
func streamMessage(ctx context.Context, client anthropic.Client, params anthropic.MessageNewParams) (anthropic.Message, error) {
	stream := client.Messages.NewStreaming(ctx, params)
	var whole anthropic.Message
	for stream.Next() {
		if err := whole.Accumulate(stream.Current()); err != nil {
			return whole, err
		}
	}
	return whole, stream.Err()
}

func TestAnthropicMessages(t *testing.T) {
	f := start(t)
	want := words(t, f)
	for name, client := range anthropicClients(t, f) {
		t.Run(name, func(t *testing.T) {
			answer, err := client.Messages.New(t.Context(), messageParams())
			if err != nil {
				t.Fatal(err)
			}
			if got := answer.Content[0].Text; got != want || answer.Usage.InputTokens != 9 || answer.Usage.OutputTokens != 16 || answer.StopReason != "end_turn" {
				t.Errorf("got %q and %+v, want %q", got, answer.Usage, want)
			}
			whole, err := streamMessage(t.Context(), client, messageParams())
			if err != nil || whole.Content[0].Text != want || whole.Usage.OutputTokens != 16 || whole.StopReason != "end_turn" {
				t.Errorf("streamed %+v, %v, want %q", whole, err, want)
			}
		})
	}
}

// TestAnthropicThoughtsAndTools: thoughts and calls go back as they came; without the thought, or with a changed one, the request is refused.
func TestAnthropicThoughtsAndTools(t *testing.T) {
	f := start(t)
	for name, client := range anthropicClients(t, f) {
		t.Run(name, func(t *testing.T) {
			params := messageParams()
			params.Thinking = anthropic.ThinkingConfigParamOfEnabled(1024)
			params.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
				Name: "weather", InputSchema: anthropic.ToolInputSchemaParam{Properties: weather()["properties"], Required: []string{"city"}},
			}}}
			whole, err := streamMessage(t.Context(), client, params)
			if err != nil || len(whole.Content) != 2 || string(whole.Content[1].Input) != example || whole.StopReason != "tool_use" {
				t.Fatalf("got %+v, %v", whole, err)
			}
			reply := whole.ToParam()
			params.Messages = append(params.Messages, reply, anthropic.NewUserMessage(anthropic.NewToolResultBlock(whole.Content[1].ID, "sunny", false)))
			answer, err := client.Messages.New(t.Context(), params)
			if err != nil || answer.Content[len(answer.Content)-1].Text == "" {
				t.Fatalf("after the result: %+v, %v", answer, err)
			}
			refuses := func(what, want string) {
				t.Helper()
				if _, err := client.Messages.New(t.Context(), params); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got %v", what, err)
				}
			}
			reply.Content[0].OfThinking.Thinking += "!"
			refuses("changed thought", "Invalid `signature`")
			params.Messages[1].Content = reply.Content[1:]
			refuses("without the thought", "Expected `thinking`")
			params.Messages, params.Thinking = params.Messages[:2], anthropic.ThinkingConfigParamUnion{}
			refuses("without the result", "without `tool_result`")
		})
	}
}

func TestAnthropicStructuredImageAndCache(t *testing.T) {
	f := start(t)
	for name, client := range anthropicClients(t, f) {
		t.Run(name, func(t *testing.T) {
			params := messageParams()
			long := anthropic.NewTextBlock(strings.Repeat(name, 100))
			long.OfText.CacheControl = anthropic.NewCacheControlEphemeralParam()
			params.Messages = []anthropic.MessageParam{anthropic.NewUserMessage(long, anthropic.NewImageBlockBase64("image/png", onePixel))}
			params.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: weather()}
			first, err := client.Messages.New(t.Context(), params)
			if err != nil || first.Content[0].Text != example || first.Usage.CacheCreationInputTokens == 0 {
				t.Fatalf("got %+v, %v", first, err)
			}
			second, err := client.Messages.New(t.Context(), params)
			if err != nil || second.Usage.CacheReadInputTokens != first.Usage.CacheCreationInputTokens || second.Usage.InputTokens != first.Usage.InputTokens {
				t.Errorf("second time: got %+v, %v", second.Usage, err)
			}
			params.Messages[0].Content[1] = anthropic.NewImageBlockBase64("image/jpeg", onePixel)
			if _, err := client.Messages.New(t.Context(), params); err == nil {
				t.Error("a PNG that says it is a JPEG was taken")
			}
		})
	}
}

func TestAnthropicErrors(t *testing.T) {
	f := start(t)
	for name, client := range anthropicClients(t, f) {
		t.Run(name, func(t *testing.T) {
			for _, status := range []int{429, 403, 500, 529} {
				f.refuse(t, status)
				_, err := client.Messages.New(t.Context(), messageParams())
				var apiError *anthropic.Error
				if !errors.As(err, &apiError) || apiError.StatusCode != status {
					t.Errorf("status %d: got %v", status, err)
				}
			}
			params := messageParams()
			params.SetExtraFields(map[string]any{"frequency_penalty": 1})
			if _, err := client.Messages.New(t.Context(), params); err == nil || !strings.Contains(err.Error(), "Extra inputs are not permitted") {
				t.Errorf("unknown field: got %v", err)
			}
			if err := f.AddFaults(fakeprovider.Fault{Kind: fakeprovider.FaultErrorEvent, AfterEvents: 4, Status: 529}); err != nil {
				t.Fatal(err)
			}
			if _, err := streamMessage(t.Context(), client, messageParams()); err == nil || strings.Contains(err.Error(), "unexpected EOF") {
				t.Errorf("error inside a stream: got %v", err)
			}
		})
	}
}

func TestAnthropicModelsAndCounts(t *testing.T) {
	f := start(t)
	client := anthropicClients(t, f)["Anthropic"]
	page, err := client.Models.List(t.Context(), anthropic.ModelListParams{})
	if err != nil || len(page.Data) != 2 || page.Data[0].ID != model {
		t.Errorf("models: got %+v, %v", page, err)
	}
	count, err := client.Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{Model: model, Messages: messageParams().Messages})
	if err != nil || count.InputTokens != 9 {
		t.Errorf("count: got %+v, %v", count, err)
	}
	var response *http.Response
	if _, err := client.Messages.New(t.Context(), messageParams(), option.WithResponseInto(&response)); err != nil || response.Header.Get("Anthropic-Ratelimit-Requests-Remaining") == "" {
		t.Errorf("rate limit: %v", err)
	}
}
