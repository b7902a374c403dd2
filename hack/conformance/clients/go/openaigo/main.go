// Command openaigo checks openai-go: chat completions, Responses, embeddings, models, routing, money and keys out of a file.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"signalbox.dev/signalbox/hack/conformance/plan"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "openaigo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	p, err := readPlan()
	if err != nil {
		return err
	}
	client := openai.NewClient(option.WithBaseURL(p.Bases["openai"]), option.WithAPIKey(p.Key), option.WithMaxRetries(0))
	return errors.Join(runChat(ctx, p, client), runResponses(ctx, p, client), runEmbeddings(ctx, p, client), runRouting(ctx, p, client), runMoney(ctx, p, client),
		runCallers(ctx, p))
}

// runEmbeddings checks vectors.
func runEmbeddings(ctx context.Context, p plan.Plan, client openai.Client) error {
	s := suite{plan: p, surface: "embeddings"}
	return s.run(ctx, []string{"plain"}, map[string]check{"plain": func(ctx context.Context, models map[string]string) error {
		answer, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{
			Model: models[plan.Embedding], Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a signal box", "a level crossing"}},
		})
		if err != nil {
			return err
		}
		if len(answer.Data) != 2 || len(answer.Data[0].Embedding) < 8 || len(answer.Data[0].Embedding) != len(answer.Data[1].Embedding) {
			return fmt.Errorf("%d vectors, or their lengths are wrong", len(answer.Data))
		}
		return nil
	}})
}

// fails checks that err is an error of the API with this status and text.
func fails(err error, status int, part string) error {
	if err == nil {
		return errors.New("no error came")
	}
	var api *openai.Error
	if !errors.As(err, &api) {
		return fmt.Errorf("%T is no error of the API: %w", err, err)
	}
	text := strings.ToLower(api.Message + " " + api.RawJSON() + " " + api.Error())
	if api.StatusCode != status || !strings.Contains(text, strings.ToLower(part)) {
		return fmt.Errorf("status %d, want %d with %q: %s", api.StatusCode, status, part, text)
	}
	return nil
}
