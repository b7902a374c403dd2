package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"

	"signalbox.dev/signalbox/hack/conformance/plan"
)

// Nano-dollars for a token, of the prompt and of the answer.
const promptPrice, completionPrice = 2_000, 10_000

// headerTags marks calls.
const headerTags = "X-Signalbox-Tags"

// money are the checks of costs and of Hard budgets.
type money struct{ chat }

func runMoney(ctx context.Context, p plan.Plan, client openai.Client) error {
	m := money{chat{suite{plan: p, surface: "money"}, client}}
	return m.run(ctx, []string{"cost", "output-limit", "budget-exceeded", "unbounded", "tags", "end-user"}, map[string]check{
		"cost": m.cost, "output-limit": m.outputLimit, "budget-exceeded": m.budgetExceeded, "unbounded": m.unbounded, "tags": m.tags, "end-user": m.endUser,
	})
}

// upstreamOf is the upstream of a model at the proxy.
func upstreamOf(model string) string {
	name, _, _ := strings.Cut(model, "/")
	return name
}

// try makes a call.
func (m money) try(ctx context.Context, model, mark string, options ...option.RequestOption) error {
	_, err := m.client.Chat.Completions.New(ctx, ask(model, mark), options...)
	return err
}

// cost: header and body say the same, which is exact; OpenRouter's own word is taken where it answers.
func (m money) cost(ctx context.Context, models map[string]string) error {
	var response *http.Response
	answer, err := m.client.Chat.Completions.New(ctx, ask(models[plan.Budgeted], newMark()), option.WithResponseInto(&response))
	if err != nil {
		return err
	}
	var usage struct {
		Cost float64 `json:"cost"`
	}
	told, err := strconv.ParseFloat(response.Header.Get("X-Signalbox-Cost"), 64)
	if err = errors.Join(err, json.Unmarshal([]byte(answer.Usage.RawJSON()), &usage), equal("cost in the usage", usage.Cost, told)); err != nil {
		return err
	}
	if upstreamOf(models[plan.Budgeted]) == "openrouter" {
		return equal("the call cost something", told > 0, true)
	}
	want := answer.Usage.PromptTokens*promptPrice + answer.Usage.CompletionTokens*completionPrice
	return equal("cost in nano-dollars", int64(math.Round(told*1e9)), want)
}

// outputLimit: the provider gets a limit, where the client sent none too.
func (m money) outputLimit(ctx context.Context, models map[string]string) error {
	for asked, sent := range map[int64]int64{0: plan.OutputLimit, 200: 200} {
		mark := newMark()
		params := ask(models[plan.Budgeted], mark)
		if asked > 0 {
			params.MaxCompletionTokens = param.NewOpt(asked)
		}
		if _, err := m.client.Chat.Completions.New(ctx, params); err != nil {
			return err
		}
		r, err := m.recordOf(ctx, mark)
		if err != nil {
			return err
		}
		if err := limited(r.Body, sent); err != nil {
			return err
		}
	}
	return nil
}

// limited looks for the limits of the answer in what the provider got.
func limited(text string, want int64) error {
	var body struct {
		MaxTokens           int64 `json:"max_tokens"`
		MaxCompletionTokens int64 `json:"max_completion_tokens"`
		GenerationConfig    struct {
			MaxOutputTokens int64 `json:"maxOutputTokens"`
		} `json:"generationConfig"`
	}
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		return fmt.Errorf("decoding what the provider got: %w", err)
	}
	found := []int64{body.MaxTokens, body.MaxCompletionTokens, body.GenerationConfig.MaxOutputTokens}
	found = slices.DeleteFunc(found, func(n int64) bool { return n == 0 })
	return equal("limits of the answer that the provider got", fmt.Sprint(found), fmt.Sprint([]int64{want}))
}

// exceeded: the call fails as one that a budget refuses, which is named.
func (m money) exceeded(ctx context.Context, model, budget string, options ...option.RequestOption) error {
	mark := newMark()
	err := m.try(ctx, model, mark, options...)
	named := fails(err, http.StatusPaymentRequired, `"name":"`+upstreamOf(model)+"-"+budget+`"`)
	return errors.Join(named, fails(err, http.StatusPaymentRequired, "budget_exceeded"), m.unsent(ctx, mark))
}

// unsent checks that no provider saw a call.
func (m money) unsent(ctx context.Context, mark string) error {
	all, err := m.records(ctx, mark)
	return errors.Join(err, equal("requests that reached a provider", len(all), 0))
}

func (m money) budgetExceeded(ctx context.Context, models map[string]string) error {
	stream := m.client.Chat.Completions.NewStreaming(ctx, ask(models[plan.Spent], newMark()))
	for stream.Next() {
		return errors.Join(errors.New("the stream begins"), stream.Close())
	}
	return errors.Join(m.exceeded(ctx, models[plan.Spent], "spent"), fails(stream.Err(), http.StatusPaymentRequired, "has 0.000000001 USD left of 0.000000001, and this call could cost 0.00"))
}

// unbounded: without a limit nothing bounds the answer; with one it is served.
func (m money) unbounded(ctx context.Context, models map[string]string) error {
	bounded := ask(models[plan.Unbounded], newMark())
	bounded.MaxCompletionTokens = param.NewOpt[int64](200)
	_, err := m.client.Chat.Completions.New(ctx, bounded)
	return errors.Join(err, fails(m.try(ctx, models[plan.Unbounded], newMark()), http.StatusBadRequest, "unbounded_cost"))
}

func (m money) tags(ctx context.Context, models map[string]string) error {
	model := models[plan.Budgeted]
	return errors.Join(
		m.exceeded(ctx, model, "teams", option.WithHeader(headerTags, "team="+plan.Broke)),
		m.exceeded(ctx, model, "teams", option.WithJSONSet("metadata", map[string]string{"team": plan.Broke})),
		m.try(ctx, model, newMark(), option.WithHeader(headerTags, "stage=test, team=rich")),
	)
}

func (m money) endUser(ctx context.Context, models map[string]string) error {
	model := models[plan.Budgeted]
	return errors.Join(m.exceeded(ctx, model, "users", option.WithJSONSet("user", plan.Broke)), m.try(ctx, model, newMark(), option.WithJSONSet("user", "rich")))
}
