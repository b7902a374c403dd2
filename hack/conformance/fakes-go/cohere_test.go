package fakes

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	cohere "github.com/cohere-ai/cohere-go/v2"
	"github.com/cohere-ai/cohere-go/v2/client"
	"github.com/cohere-ai/cohere-go/v2/core"
	"github.com/cohere-ai/cohere-go/v2/option"
)

func cohereClient(f fake) *client.Client {
	lines := &http.Client{Transport: cohereLines{http.DefaultTransport}}
	return client.NewClient(option.WithBaseURL(f.url+"/cohere"), option.WithToken(key), option.WithMaxAttempts(1), option.WithHTTPClient(lines))
}

func cohereUser() *cohere.ChatMessageV2 {
	return &cohere.ChatMessageV2{Role: "user", User: &cohere.UserMessageV2{Content: &cohere.UserMessageV2Content{String: prompt}}}
}

// cohereStream puts a streamed answer together.
type cohereStream struct {
	text, thought, arguments, finish string
	tokens                           float64
	call                             *cohere.ToolCallV2
}

func readCohere(ctx context.Context, c *client.Client, in *cohere.V2ChatStreamRequest) (out cohereStream, err error) {
	stream, err := c.V2.ChatStream(ctx, in)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		switch event.Type {
		case "content-delta":
			content := event.ContentDelta.Delta.Message.Content
			if content.Text != nil {
				out.text += *content.Text
			}
			if content.Thinking != nil {
				out.thought += *content.Thinking
			}
		case "tool-call-start":
			out.call = event.ToolCallStart.Delta.Message.ToolCalls
		case "tool-call-delta":
			out.arguments += *event.ToolCallDelta.Delta.Message.ToolCalls.Function.Arguments
		case "message-end":
			out.finish = string(*event.MessageEnd.Delta.FinishReason)
			out.tokens = *event.MessageEnd.Delta.Usage.Tokens.OutputTokens
		}
	}
}

func TestCohereChat(t *testing.T) {
	f := start(t)
	want := words(t, f)
	c := cohereClient(f)
	answer, err := c.V2.Chat(t.Context(), &cohere.V2ChatRequest{Model: model, Messages: cohere.ChatMessages{cohereUser()}})
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.Message.Content[0].Text.Text; got != want || *answer.Usage.Tokens.InputTokens != 9 || answer.FinishReason != cohere.ChatFinishReasonComplete {
		t.Errorf("got %q and %+v, want %q", got, answer.Usage, want)
	}
	streamed, err := readCohere(t.Context(), c, &cohere.V2ChatStreamRequest{Model: thinker, Messages: cohere.ChatMessages{cohereUser()}})
	if err != nil || len(strings.Fields(streamed.text)) != 16 || len(strings.Fields(streamed.thought)) != 8 || streamed.finish != "COMPLETE" || streamed.tokens != 24 {
		t.Errorf("streamed %+v, %v", streamed, err)
	}
}

func TestCohereTools(t *testing.T) {
	f := start(t)
	c := cohereClient(f)
	kind := "function"
	in := &cohere.V2ChatStreamRequest{
		Model: model, Messages: cohere.ChatMessages{cohereUser()},
		Tools: []*cohere.ToolV2{{Type: &kind, Function: &cohere.ToolV2Function{Name: "weather", Parameters: weather()}}},
	}
	streamed, err := readCohere(t.Context(), c, in)
	if err != nil || streamed.arguments != example || streamed.finish != "TOOL_CALL" {
		t.Fatalf("got %+v, %v", streamed, err)
	}
	streamed.call.Function.Arguments = &streamed.arguments
	in.Messages = append(in.Messages,
		&cohere.ChatMessageV2{Role: "assistant", Assistant: &cohere.AssistantMessage{ToolCalls: []*cohere.ToolCallV2{streamed.call}}},
		&cohere.ChatMessageV2{Role: "tool", Tool: &cohere.ToolMessageV2{ToolCallId: *streamed.call.Id, Content: &cohere.ToolMessageV2Content{String: "sunny"}}})
	next, err := readCohere(t.Context(), c, in)
	if err != nil || next.text == "" {
		t.Fatalf("after the result: %+v, %v", next, err)
	}
	in.Messages = in.Messages[:2]
	if _, err := readCohere(t.Context(), c, in); err == nil || !strings.Contains(err.Error(), "must be followed") {
		t.Errorf("without the result: got %v", err)
	}
}

func TestCohereStructuredEmbedRerankAndModels(t *testing.T) {
	f := start(t)
	c := cohereClient(f)
	answer, err := c.V2.Chat(t.Context(), &cohere.V2ChatRequest{Model: model, Messages: cohere.ChatMessages{cohereUser()}, ResponseFormat: &cohere.ResponseFormatV2{
		Type: "json_object", JsonObject: &cohere.JsonResponseFormatV2{JsonSchema: weather()},
	}})
	if err != nil || answer.Message.Content[0].Text.Text != example {
		t.Errorf("structured: got %+v, %v", answer, err)
	}
	size := 256
	vectors, err := c.V2.Embed(t.Context(), &cohere.V2EmbedRequest{Model: "embed-v4.0", InputType: cohere.EmbedInputTypeSearchDocument, Texts: []string{"one", "two"}, OutputDimension: &size})
	if err != nil || len(vectors.Embeddings.Float) != 2 || len(vectors.Embeddings.Float[1]) != 256 {
		t.Errorf("embed: got %+v, %v", vectors, err)
	}
	top := 1
	ranked, err := c.V2.Rerank(t.Context(), &cohere.V2RerankRequest{Model: "rerank-v3.5", Query: "blue sky", Documents: []string{"green grass", "the sky is blue"}, TopN: &top})
	if err != nil || len(ranked.Results) != 1 || ranked.Results[0].Index != 1 || ranked.Results[0].RelevanceScore < 0.5 {
		t.Errorf("rerank: got %+v, %v", ranked, err)
	}
	models, err := c.Models.List(t.Context(), &cohere.ModelsListRequest{})
	if err != nil || len(models.Models) != 2 {
		t.Errorf("models: got %+v, %v", models, err)
	}
}

func TestCohereErrors(t *testing.T) {
	f := start(t)
	c := cohereClient(f)
	for _, status := range []int{429, 401, 503} {
		f.refuse(t, status)
		_, err := c.V2.Chat(t.Context(), &cohere.V2ChatRequest{Model: model, Messages: cohere.ChatMessages{cohereUser()}})
		var apiError *core.APIError
		if !errors.As(err, &apiError) || apiError.StatusCode != status {
			t.Errorf("status %d: got %v", status, err)
		}
	}
}

// getJSON reads an answer of the control API.
func getJSON[T any](t *testing.T, address string) T {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	var out T
	if err := errors.Join(json.NewDecoder(response.Body).Decode(&out), response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return out
}
