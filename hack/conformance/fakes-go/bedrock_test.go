package fakes

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/auth/bearer"

	"signalbox.dev/signalbox/hack/fakeprovider"
)

func awsKey() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("AKIAFAKE", "secret-of-AKIAFAKE", "")
}

// bedrockClient asks through net/http: the library's own client now and then closes a connection under a stream that is still read.
func bedrockClient(f fake, with aws.CredentialsProvider) *bedrockruntime.Client {
	return bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", Credentials: with, BaseEndpoint: aws.String(f.url + "/bedrock"), HTTPClient: http.DefaultClient, RetryMaxAttempts: 1,
	})
}

// bedrockClients ask with a signature, with one of temporary credentials, and with a bearer token.
func bedrockClients(f fake) map[string]*bedrockruntime.Client {
	return map[string]*bedrockruntime.Client{
		"signed":    bedrockClient(f, awsKey()),
		"temporary": bedrockClient(f, credentials.NewStaticCredentialsProvider("ASIAFAKE", "secret-of-ASIAFAKE", "session token")),
		"bearer": bedrockruntime.New(bedrockruntime.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(f.secure.URL + "/bedrock"), HTTPClient: f.secure.Client(), RetryMaxAttempts: 1, AuthSchemePreference: []string{"httpBearerAuth"},
			BearerAuthTokenProvider: bearer.StaticTokenProvider{Token: bearer.Token{Value: key}},
		}),
	}
}

func textBlock(text string) types.ContentBlock { return &types.ContentBlockMemberText{Value: text} }

func userTurn(blocks ...types.ContentBlock) types.Message {
	return types.Message{Role: types.ConversationRoleUser, Content: blocks}
}

// converseStream puts a streamed answer together: its text, its call's arguments, its thought and signature.
type converseStream struct {
	text, arguments, thought, signature, stop, callID string
	usage                                             *types.TokenUsage
}

func readConverse(ctx context.Context, client *bedrockruntime.Client, in *bedrockruntime.ConverseStreamInput) (converseStream, error) {
	var out converseStream
	answer, err := client.ConverseStream(ctx, in)
	if err != nil {
		return out, err
	}
	stream := answer.GetStream()
	for event := range stream.Events() {
		switch e := event.(type) {
		case *types.ConverseStreamOutputMemberContentBlockStart:
			if use, ok := e.Value.Start.(*types.ContentBlockStartMemberToolUse); ok {
				out.callID = *use.Value.ToolUseId
			}
		case *types.ConverseStreamOutputMemberContentBlockDelta:
			out.add(e.Value.Delta)
		case *types.ConverseStreamOutputMemberMessageStop:
			out.stop = string(e.Value.StopReason)
		case *types.ConverseStreamOutputMemberMetadata:
			out.usage = e.Value.Usage
		}
	}
	return out, errors.Join(stream.Err(), stream.Close())
}

func (c *converseStream) add(delta types.ContentBlockDelta) {
	switch d := delta.(type) {
	case *types.ContentBlockDeltaMemberText:
		c.text += d.Value
	case *types.ContentBlockDeltaMemberToolUse:
		c.arguments += *d.Value.Input
	case *types.ContentBlockDeltaMemberReasoningContent:
		switch r := d.Value.(type) {
		case *types.ReasoningContentBlockDeltaMemberText:
			c.thought += r.Value
		case *types.ReasoningContentBlockDeltaMemberSignature:
			c.signature += r.Value
		}
	}
}

func TestBedrockConverse(t *testing.T) {
	f := start(t)
	want := words(t, f)
	for name, client := range bedrockClients(f) {
		t.Run(name, func(t *testing.T) {
			turn := []types.Message{userTurn(textBlock(prompt))}
			answer, err := client.Converse(t.Context(), &bedrockruntime.ConverseInput{ModelId: aws.String(model), Messages: turn})
			if err != nil {
				t.Fatal(err)
			}
			text := answer.Output.(*types.ConverseOutputMemberMessage).Value.Content[0].(*types.ContentBlockMemberText).Value
			if text != want || *answer.Usage.InputTokens != 9 || *answer.Usage.OutputTokens != 16 || answer.StopReason != types.StopReasonEndTurn {
				t.Errorf("got %q and %+v, want %q", text, answer.Usage, want)
			}
			streamed, err := readConverse(t.Context(), client, &bedrockruntime.ConverseStreamInput{ModelId: aws.String(model), Messages: turn})
			if err != nil || streamed.text != want || streamed.stop != "end_turn" || *streamed.usage.TotalTokens != 25 {
				t.Errorf("streamed %+v, %v, want %q", streamed, err, want)
			}
		})
	}
}

// TestBedrockNames: the ids of profiles and versions, with colons and slashes, are signed and found.
func TestBedrockNames(t *testing.T) {
	f := start(t)
	for _, id := range []string{"anthropic.claude-3-5-sonnet-20240620-v1:0", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x"} {
		_, err := bedrockClient(f, awsKey()).Converse(t.Context(), &bedrockruntime.ConverseInput{ModelId: aws.String(id), Messages: []types.Message{userTurn(textBlock(prompt))}})
		if err != nil || f.Requests(1)[0].Model != id {
			t.Errorf("%s: got %v, recorded %q", id, err, f.Requests(1)[0].Model)
		}
	}
}

func TestBedrockThoughtsAndTools(t *testing.T) {
	f := start(t)
	client := bedrockClient(f, awsKey())
	in := &bedrockruntime.ConverseStreamInput{
		ModelId: aws.String(model), Messages: []types.Message{userTurn(textBlock(prompt))}, InferenceConfig: &types.InferenceConfiguration{MaxTokens: aws.Int32(4096)},
		AdditionalModelRequestFields: document.NewLazyDocument(map[string]any{"thinking": map[string]any{"type": "enabled", "budget_tokens": 1024}}),
		ToolConfig: &types.ToolConfiguration{Tools: []types.Tool{&types.ToolMemberToolSpec{Value: types.ToolSpecification{
			Name: aws.String("weather"), InputSchema: &types.ToolInputSchemaMemberJson{Value: document.NewLazyDocument(weather())},
		}}}},
	}
	streamed, err := readConverse(t.Context(), client, in)
	if err != nil || streamed.arguments != example || streamed.stop != "tool_use" || streamed.signature == "" {
		t.Fatalf("got %+v, %v", streamed, err)
	}
	thought := &types.ReasoningTextBlock{Text: aws.String(streamed.thought), Signature: aws.String(streamed.signature)}
	var arguments map[string]any
	if err := json.Unmarshal([]byte(streamed.arguments), &arguments); err != nil {
		t.Fatal(err)
	}
	turn := types.Message{Role: types.ConversationRoleAssistant, Content: []types.ContentBlock{
		&types.ContentBlockMemberReasoningContent{Value: &types.ReasoningContentBlockMemberReasoningText{Value: *thought}},
		&types.ContentBlockMemberToolUse{Value: types.ToolUseBlock{Name: aws.String("weather"), ToolUseId: aws.String(streamed.callID), Input: document.NewLazyDocument(arguments)}},
	}}
	result := userTurn(&types.ContentBlockMemberToolResult{Value: types.ToolResultBlock{
		ToolUseId: aws.String(streamed.callID), Content: []types.ToolResultContentBlock{&types.ToolResultContentBlockMemberText{Value: "sunny"}},
	}})
	in.Messages = append(in.Messages, turn, result)
	next, err := readConverse(t.Context(), client, in)
	if err != nil || next.text == "" {
		t.Fatalf("after the result: %+v, %v", next, err)
	}
	in.Messages = in.Messages[:2]
	if _, err := readConverse(t.Context(), client, in); err == nil || !strings.Contains(err.Error(), "Expected toolResult") {
		t.Errorf("without the result: got %v", err)
	}
	changed := types.ReasoningTextBlock{Text: aws.String("other"), Signature: thought.Signature}
	in.Messages = append(in.Messages, result)
	in.Messages[1].Content[0] = &types.ContentBlockMemberReasoningContent{Value: &types.ReasoningContentBlockMemberReasoningText{Value: changed}}
	if _, err := readConverse(t.Context(), client, in); err == nil || !strings.Contains(err.Error(), "Invalid `signature`") {
		t.Errorf("changed thought: got %v", err)
	}
}

func TestBedrockStructuredImageAndDocument(t *testing.T) {
	f := start(t)
	schema, err := json.Marshal(weather())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := bedrockClient(f, awsKey()).Converse(t.Context(), &bedrockruntime.ConverseInput{
		ModelId: aws.String(model), Messages: []types.Message{userTurn(
			textBlock("what is this?"),
			&types.ContentBlockMemberImage{Value: types.ImageBlock{Format: types.ImageFormatPng, Source: &types.ImageSourceMemberBytes{Value: pixel(t)}}},
			&types.ContentBlockMemberDocument{Value: types.DocumentBlock{Format: types.DocumentFormatPdf, Name: aws.String("a file"), Source: &types.DocumentSourceMemberBytes{Value: []byte("%PDF-1.4")}}},
		)},
		OutputConfig: &types.OutputConfig{TextFormat: &types.OutputFormat{Type: types.OutputFormatTypeJsonSchema, Structure: &types.OutputFormatStructureMemberJsonSchema{
			Value: types.JsonSchemaDefinition{Name: aws.String("w"), Schema: aws.String(string(schema))},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if text := answer.Output.(*types.ConverseOutputMemberMessage).Value.Content[0].(*types.ContentBlockMemberText).Value; text != example {
		t.Errorf("got %q", text)
	}
}

func TestBedrockErrors(t *testing.T) {
	f := start(t)
	client := bedrockClient(f, awsKey())
	turn := []types.Message{userTurn(textBlock(prompt))}
	for status, want := range map[int]string{
		http.StatusTooManyRequests: "ThrottlingException", http.StatusForbidden: "AccessDeniedException", http.StatusInternalServerError: "InternalServerException",
		http.StatusServiceUnavailable: "ServiceUnavailableException",
	} {
		f.refuse(t, status)
		_, err := client.Converse(t.Context(), &bedrockruntime.ConverseInput{ModelId: aws.String(model), Messages: turn})
		var apiError smithy.APIError
		if !errors.As(err, &apiError) || apiError.ErrorCode() != want {
			t.Errorf("status %d: got %v, want %s", status, err, want)
		}
	}
	_, err := client.Converse(t.Context(), &bedrockruntime.ConverseInput{ModelId: aws.String(model), Messages: append(turn, turn...)})
	var invalid *types.ValidationException
	if !errors.As(err, &invalid) {
		t.Errorf("two user turns: got %v", err)
	}
	wrong := bedrockClient(f, credentials.NewStaticCredentialsProvider("AKIAFAKE", "another secret", ""))
	if _, err := wrong.Converse(t.Context(), &bedrockruntime.ConverseInput{ModelId: aws.String(model), Messages: turn}); err == nil || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("wrong secret: got %v", err)
	}
	if err := f.AddFaults(fakeprovider.Fault{Kind: fakeprovider.FaultErrorEvent, AfterEvents: 3, Status: 429}); err != nil {
		t.Fatal(err)
	}
	var throttled *types.ThrottlingException
	if _, err := readConverse(t.Context(), client, &bedrockruntime.ConverseStreamInput{ModelId: aws.String(model), Messages: turn}); !errors.As(err, &throttled) {
		t.Errorf("exception inside a stream: got %v", err)
	}
}

func TestBedrockTitan(t *testing.T) {
	f := start(t)
	answer, err := bedrockClient(f, awsKey()).InvokeModel(t.Context(), &bedrockruntime.InvokeModelInput{
		ModelId: aws.String("amazon.titan-embed-text-v2:0"), ContentType: aws.String("application/json"), Body: []byte(`{"inputText":"hello","dimensions":256}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	var vector struct {
		Embedding []float32 `json:"embedding"`
	}
	if err := json.Unmarshal(answer.Body, &vector); err != nil || len(vector.Embedding) != 256 {
		t.Errorf("got %d numbers, %v", len(vector.Embedding), err)
	}
}
