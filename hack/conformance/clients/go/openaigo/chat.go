package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"

	"signalbox.dev/signalbox/hack/conformance/plan"
)

const (
	toolName      = "get_weather"
	toolArguments = `{"city":"junction","days":7}`
	toolResult    = `{"sky": "clear"}`
	answerJSON    = `{"cars":7,"late":true,"name":"junction"}`
)

// objectSchema is the JSON schema of an object that has these properties and no others.
func objectSchema(types map[string]string) map[string]any {
	properties, required := map[string]any{}, []string{}
	for name, kind := range types {
		properties[name] = map[string]string{"type": kind}
		required = append(required, name)
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

func toolSchema() map[string]any {
	return objectSchema(map[string]string{"city": "string", "days": "integer"})
}

func answerSchema() map[string]any {
	return objectSchema(map[string]string{"name": "string", "cars": "integer", "late": "boolean"})
}

// compact is JSON with its members sorted and no blanks, so that two can be compared.
func compact(text string) (string, error) {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return "", fmt.Errorf("decoding JSON of the answer: %w", err)
	}
	data, err := json.Marshal(value)
	return string(data), err
}

func equalJSON(what, got, want string) error {
	text, err := compact(got)
	return errors.Join(err, equal(what, text, want))
}

// chat are the checks of chat completions.
type chat struct {
	suite
	client openai.Client
}

func runChat(ctx context.Context, p plan.Plan, client openai.Client) error {
	c := chat{suite{plan: p, surface: "chat"}, client}
	names := []string{"plain", "streamed", "tools", "tools-streamed", "structured", "image", "unknown-model", "busy", "broken-stream", "cancel", "models"}
	return c.run(ctx, names, map[string]check{
		"plain": c.whole, "streamed": c.streamed, "tools": c.tools, "tools-streamed": c.toolsStreamed, "structured": c.structured, "image": c.image,
		"unknown-model": c.unknownModel, "busy": c.busy, "broken-stream": c.brokenStream, "cancel": c.cancel, "models": c.models,
	})
}

func ask(model, mark string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be brief."), openai.UserMessage(prompt(mark))},
	}
}

func withTools(model, mark string) openai.ChatCompletionNewParams {
	params := ask(model, mark)
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: toolName, Description: openai.String("Tells the weather of a city."), Parameters: toolSchema(),
	})}
	return params
}

// first is the one choice of an answer.
func first(answer *openai.ChatCompletion) (openai.ChatCompletionChoice, error) {
	if len(answer.Choices) != 1 {
		return openai.ChatCompletionChoice{}, fmt.Errorf("%d choices", len(answer.Choices))
	}
	return answer.Choices[0], nil
}

func (c chat) says(ctx context.Context, params openai.ChatCompletionNewParams) error {
	answer, err := c.client.Chat.Completions.New(ctx, params)
	if err != nil {
		return err
	}
	choice, err := first(answer)
	return errors.Join(err, equal("text", choice.Message.Content, c.plan.Text), equal("finish reason", choice.FinishReason, "stop"))
}

func (c chat) whole(ctx context.Context, models map[string]string) error {
	mark := newMark()
	answer, err := c.client.Chat.Completions.New(ctx, ask(models[plan.Chat], mark))
	if err != nil {
		return err
	}
	choice, err := first(answer)
	return errors.Join(err, equal("text", choice.Message.Content, c.plan.Text), c.usage(ctx, mark, answer.Usage.PromptTokens, answer.Usage.CompletionTokens))
}

// collect reads a stream to its end.
func (c chat) collect(ctx context.Context, params openai.ChatCompletionNewParams) (openai.ChatCompletionAccumulator, int, error) {
	params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := c.client.Chat.Completions.NewStreaming(ctx, params)
	defer stream.Close()
	var all openai.ChatCompletionAccumulator
	pieces := 0
	for stream.Next() {
		chunk := stream.Current()
		if !all.AddChunk(chunk) {
			return all, pieces, errors.New("a chunk does not belong to the stream")
		}
		if len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
			pieces++
		}
	}
	return all, pieces, stream.Err()
}

func (c chat) streamed(ctx context.Context, models map[string]string) error {
	mark := newMark()
	all, pieces, err := c.collect(ctx, ask(models[plan.Chat], mark))
	if err != nil {
		return err
	}
	if pieces <= 3 {
		return fmt.Errorf("the text came in %d pieces", pieces)
	}
	choice, err := first(&all.ChatCompletion)
	return errors.Join(err, equal("text", choice.Message.Content, c.plan.Text), c.usage(ctx, mark, all.Usage.PromptTokens, all.Usage.CompletionTokens))
}

func (c chat) tools(ctx context.Context, models map[string]string) error {
	params := withTools(models[plan.Chat], newMark())
	answer, err := c.client.Chat.Completions.New(ctx, params)
	if err != nil {
		return err
	}
	return c.finish(ctx, params, answer)
}

func (c chat) toolsStreamed(ctx context.Context, models map[string]string) error {
	params := withTools(models[plan.Chat], newMark())
	all, _, err := c.collect(ctx, params)
	if err != nil {
		return err
	}
	return c.finish(ctx, params, &all.ChatCompletion)
}

// finish answers the calls of a message and reads what the model says then.
func (c chat) finish(ctx context.Context, params openai.ChatCompletionNewParams, answer *openai.ChatCompletion) error {
	choice, err := first(answer)
	if err != nil {
		return err
	}
	if err := equal("calls", len(choice.Message.ToolCalls), 2); err != nil {
		return err
	}
	params.Messages = append(params.Messages, choice.Message.ToParam())
	for _, call := range choice.Message.ToolCalls {
		if err := errors.Join(equal("name", call.Function.Name, toolName), equalJSON("arguments", call.Function.Arguments, toolArguments)); err != nil {
			return err
		}
		params.Messages = append(params.Messages, openai.ToolMessage(toolResult, call.ID))
	}
	return c.says(ctx, params)
}

func (c chat) structured(ctx context.Context, models map[string]string) error {
	params := ask(models[plan.Chat], newMark())
	params.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "train", Strict: openai.Bool(true), Schema: answerSchema()},
	}}
	answer, err := c.client.Chat.Completions.New(ctx, params)
	if err != nil {
		return err
	}
	choice, err := first(answer)
	return errors.Join(err, equalJSON("answer", choice.Message.Content, answerJSON))
}

func (c chat) image(ctx context.Context, models map[string]string) error {
	mark := newMark()
	params := openai.ChatCompletionNewParams{Model: models[plan.Chat], Messages: []openai.ChatCompletionMessageParamUnion{
		openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart(prompt(mark)),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + c.plan.Image}),
		}),
	}}
	if err := c.says(ctx, params); err != nil {
		return err
	}
	return c.sawImage(ctx, mark)
}

func (c chat) unknownModel(ctx context.Context, _ map[string]string) error {
	_, err := c.client.Chat.Completions.New(ctx, ask("no-such-model", newMark()))
	return fails(err, 404, "no-such-model")
}

func (c chat) busy(ctx context.Context, models map[string]string) error {
	_, err := c.client.Chat.Completions.New(ctx, ask(models[plan.Busy], newMark()))
	return fails(err, 429, c.plan.Busy)
}

func (c chat) brokenStream(ctx context.Context, models map[string]string) error {
	_, _, err := c.collect(ctx, ask(models[plan.Broken], newMark()))
	if err == nil || !strings.Contains(err.Error(), c.plan.Broken) {
		return fmt.Errorf("the stream ended with: %w", err)
	}
	return nil
}

func (c chat) cancel(ctx context.Context, models map[string]string) error {
	return c.cancelled(ctx, func(ctx context.Context, mark string) error {
		stream := c.client.Chat.Completions.NewStreaming(ctx, ask(models[plan.Stall], mark))
		for stream.Next() {
			if chunk := stream.Current(); len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
				break
			}
		}
		return errors.Join(stream.Err(), stream.Close())
	})
}

func (c chat) models(ctx context.Context, models map[string]string) error {
	pages := c.client.Models.ListAutoPaging(ctx)
	found := false
	for pages.Next() {
		found = found || pages.Current().ID == models[plan.Chat]
	}
	if err := pages.Err(); err != nil || !found {
		return errors.Join(err, fmt.Errorf("%s is listed: %t", models[plan.Chat], found))
	}
	model, err := c.client.Models.Get(ctx, models[plan.Chat])
	if err != nil {
		return err
	}
	return equal("model by its id", model.ID, models[plan.Chat])
}
