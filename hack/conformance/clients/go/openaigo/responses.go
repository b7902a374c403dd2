package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"

	"signalbox.dev/signalbox/hack/conformance/plan"
)

// response are the checks of Responses.
type response struct {
	suite
	client openai.Client
}

func runResponses(ctx context.Context, p plan.Plan, client openai.Client) error {
	r := response{suite{plan: p, surface: "responses"}, client}
	names := []string{"plain", "streamed", "tools", "structured", "image", "unknown-model", "busy", "cancel"}
	return r.run(ctx, names, map[string]check{
		"plain": r.whole, "streamed": r.streamed, "tools": r.tools, "structured": r.structured, "image": r.image, "unknown-model": r.unknownModel,
		"busy": r.busy, "cancel": r.cancel,
	})
}

func (r response) ask(model, mark string) responses.ResponseNewParams {
	return responses.ResponseNewParams{
		Model: model, Store: openai.Bool(false), Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(prompt(mark))},
	}
}

func (r response) says(ctx context.Context, params responses.ResponseNewParams) error {
	answer, err := r.client.Responses.New(ctx, params)
	if err != nil {
		return err
	}
	return equal("text", answer.OutputText(), r.plan.Text)
}

func (r response) whole(ctx context.Context, models map[string]string) error {
	mark := newMark()
	answer, err := r.client.Responses.New(ctx, r.ask(models[plan.Chat], mark))
	if err != nil {
		return err
	}
	return errors.Join(equal("text", answer.OutputText(), r.plan.Text), r.usage(ctx, mark, answer.Usage.InputTokens, answer.Usage.OutputTokens))
}

func (r response) streamed(ctx context.Context, models map[string]string) error {
	mark := newMark()
	stream := r.client.Responses.NewStreaming(ctx, r.ask(models[plan.Chat], mark))
	defer stream.Close()
	text, pieces, number := "", 0, int64(0)
	var last responses.ResponseStreamEventUnion
	for ; stream.Next(); number++ {
		last = stream.Current()
		if err := equal("sequence number", last.SequenceNumber, number); err != nil {
			return err
		}
		if last.Type == "response.output_text.delta" {
			text += last.Delta
			pieces++
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	if pieces <= 3 {
		return fmt.Errorf("the text came in %d pieces", pieces)
	}
	usage := last.Response.Usage
	return errors.Join(equal("text", text, r.plan.Text), equal("last event", last.Type, "response.completed"),
		r.usage(ctx, mark, usage.InputTokens, usage.OutputTokens))
}

func (r response) tools(ctx context.Context, models map[string]string) error {
	items := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(prompt(newMark()), responses.EasyInputMessageRoleUser)}
	params := r.ask(models[plan.Chat], "")
	params.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction(toolName, toolSchema(), true)}
	params.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: items}
	answer, err := r.client.Responses.New(ctx, params)
	if err != nil {
		return err
	}
	var results responses.ResponseInputParam
	for _, item := range answer.Output {
		if item.Type != "function_call" {
			continue
		}
		call := item.AsFunctionCall()
		if err := errors.Join(equal("name", call.Name, toolName), equalJSON("arguments", call.Arguments, toolArguments)); err != nil {
			return err
		}
		items = append(items, responses.ResponseInputItemParamOfFunctionCall(call.Arguments, call.CallID, call.Name))
		result := responses.ResponseInputItemParamOfFunctionCallOutput(toolResult)
		result.OfFunctionCallOutput.CallID = openai.String(call.CallID)
		results = append(results, result)
	}
	if err := equal("calls", len(results), 2); err != nil {
		return err
	}
	params.Input.OfInputItemList = append(items, results...)
	return r.says(ctx, params)
}

func (r response) structured(ctx context.Context, models map[string]string) error {
	params := r.ask(models[plan.Chat], newMark())
	params.Text = responses.ResponseTextConfigParam{Format: responses.ResponseFormatTextConfigParamOfJSONSchema("train", answerSchema())}
	answer, err := r.client.Responses.New(ctx, params)
	if err != nil {
		return err
	}
	return equalJSON("answer", answer.OutputText(), answerJSON)
}

func (r response) image(ctx context.Context, models map[string]string) error {
	mark := newMark()
	picture := responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto)
	picture.OfInputImage.ImageURL = openai.String("data:image/png;base64," + r.plan.Image)
	content := responses.ResponseInputMessageContentListParam{responses.ResponseInputContentParamOfInputText(prompt(mark)), picture}
	params := r.ask(models[plan.Chat], "")
	params.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
		responses.ResponseInputItemParamOfMessage(content, responses.EasyInputMessageRoleUser),
	}}
	if err := r.says(ctx, params); err != nil {
		return err
	}
	return r.sawImage(ctx, mark)
}

func (r response) unknownModel(ctx context.Context, _ map[string]string) error {
	_, err := r.client.Responses.New(ctx, r.ask("no-such-model", newMark()))
	return fails(err, 404, "no-such-model")
}

func (r response) busy(ctx context.Context, models map[string]string) error {
	_, err := r.client.Responses.New(ctx, r.ask(models[plan.Busy], newMark()))
	return fails(err, 429, r.plan.Busy)
}

func (r response) cancel(ctx context.Context, models map[string]string) error {
	return r.cancelled(ctx, func(ctx context.Context, mark string) error {
		stream := r.client.Responses.NewStreaming(ctx, r.ask(models[plan.Stall], mark))
		for stream.Next() {
			if stream.Current().Type == "response.output_text.delta" {
				break
			}
		}
		return errors.Join(stream.Err(), stream.Close())
	})
}
