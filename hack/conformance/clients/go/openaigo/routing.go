package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"signalbox.dev/signalbox/hack/conformance/plan"
)

// sessions are so many that they are all at one target once in many thousand runs.
const sessions = 16

// routing are the checks of what a request may ask of the proxy, and of limits, at routes with policies.
type routing struct {
	chat
	// patient is the client with the library's own retries.
	patient openai.Client
}

func runRouting(ctx context.Context, p plan.Plan, client openai.Client) error {
	patient := openai.NewClient(option.WithBaseURL(p.Bases["openai"]), option.WithAPIKey(p.Key), option.WithMaxRetries(2))
	r := routing{chat{suite{plan: p, surface: "routing"}, client}, patient}
	checks := map[string]check{
		"alternatives": r.alternatives, "fallback": r.fallback, "variants": r.variants, "preferences": r.preferences, "session": r.session, "metadata": r.metadata,
		"limits": r.limits, "limit-reached": r.limitReached, "cost": r.cost, "unknown-preference": r.unknownPreference, "no-target": r.noTarget,
	}
	names := make([]string, 0, len(checks))
	for name := range checks {
		names = append(names, name)
	}
	slices.Sort(names)
	return r.run(ctx, names, checks)
}

// provider sets preferences, as JSON.
func provider(preferences string) option.RequestOption {
	return option.WithJSONSet("provider", json.RawMessage(preferences))
}

// answered makes a call and returns the header of an answer with the right text.
func (r routing) answered(ctx context.Context, model string, options ...option.RequestOption) (http.Header, error) {
	var response *http.Response
	answer, err := r.client.Chat.Completions.New(ctx, ask(model, newMark()), append(options, option.WithResponseInto(&response))...)
	if err != nil {
		return nil, err
	}
	choice, err := first(answer)
	return response.Header, errors.Join(err, equal("text", choice.Message.Content, r.plan.Text))
}

// answeredBy makes a call, which a target has to answer after so many attempts.
func (r routing) answeredBy(ctx context.Context, target string, attempts int, model string, options ...option.RequestOption) error {
	header, err := r.answered(ctx, model, options...)
	if err != nil {
		return err
	}
	return errors.Join(
		equal("target", header.Get("X-Signalbox-Target"), target), equal("attempts", header.Get("X-Signalbox-Attempts"), strconv.Itoa(attempts)),
	)
}

// ended is what is left of a stream: what came before and after it, and its last chunk as it was sent.
type ended struct {
	header, trailer http.Header
	last            string
}

// streamed reads a stream, which has to have the right text, to its end.
func (r routing) streamed(ctx context.Context, model string, options ...option.RequestOption) (ended, error) {
	var response *http.Response
	stream := r.client.Chat.Completions.NewStreaming(ctx, ask(model, newMark()), append(options, option.WithResponseInto(&response))...)
	var text, last string
	for stream.Next() {
		chunk := stream.Current()
		last = chunk.RawJSON()
		if len(chunk.Choices) > 0 {
			text += chunk.Choices[0].Delta.Content
		}
	}
	if err := errors.Join(stream.Err(), stream.Close()); err != nil {
		return ended{}, err
	}
	return ended{header: response.Header, trailer: response.Trailer, last: last}, equal("text of the stream", text, r.plan.Text)
}

func (r routing) alternatives(ctx context.Context, models map[string]string) error {
	picky, chat := models[plan.Picky], models[plan.Chat]
	return errors.Join(
		r.answeredBy(ctx, "only", 2, picky, option.WithJSONSet("models", []string{chat})),
		r.answeredBy(ctx, "only", 2, "no-such-model", option.WithJSONSet("models", []string{"nor-this", picky, "nor-that", chat})),
		r.answeredBy(ctx, "only", 2, picky+","+chat),
		r.answeredBy(ctx, "only", 1, chat, option.WithJSONSet("models", []string{picky})),
	)
}

func (r routing) fallback(ctx context.Context, models map[string]string) error {
	stream, err := r.streamed(ctx, models[plan.Fallback])
	if err != nil {
		return err
	}
	return errors.Join(equal("target of the stream", stream.header.Get("X-Signalbox-Target"), "spare"), r.answeredBy(ctx, "spare", 2, models[plan.Fallback]))
}

func (r routing) variants(ctx context.Context, models map[string]string) error {
	_, err := r.answered(ctx, models[plan.Priced]+":nitro")
	return errors.Join(err, r.answeredBy(ctx, "cheap", 1, models[plan.Priced]+":floor"))
}

func (r routing) preferences(ctx context.Context, models map[string]string) error {
	for _, preferred := range []string{`{"only":["cheap"]}`, `{"ignore":["dear"]}`, `{"order":["cheap"],"allow_fallbacks":false}`, `{"sort":"price"}`} {
		if err := r.answeredBy(ctx, "cheap", 1, models[plan.Priced], provider(preferred)); err != nil {
			return fmt.Errorf("with %s: %w", preferred, err)
		}
	}
	return nil
}

func (r routing) session(ctx context.Context, models map[string]string) error {
	all := map[string]bool{}
	for i := range sessions {
		name := option.WithJSONSet("session_id", "session "+strconv.Itoa(i))
		var one string
		for range 3 {
			header, err := r.answered(ctx, models[plan.Session], name)
			if err != nil {
				return err
			}
			target := header.Get("X-Signalbox-Target")
			if one != "" && one != target {
				return fmt.Errorf("session %d moved from %s to %s", i, one, target)
			}
			one = target
		}
		all[one] = true
	}
	return equal("targets of all sessions", len(all), 2)
}

// told is the metadata block.
type told struct {
	Block struct {
		Requested string `json:"requested"`
		Attempt   int    `json:"attempt"`
		Attempts  []struct {
			Target string `json:"target"`
			Status int    `json:"status"`
		} `json:"attempts"`
	} `json:"openrouter_metadata"`
}

func fellBack(raw, model string) error {
	var t told
	if err := json.Unmarshal([]byte(raw), &t); err != nil {
		return fmt.Errorf("decoding the metadata: %w", err)
	}
	return errors.Join(
		equal("model asked for", t.Block.Requested, model), equal("number of the attempt that answered", t.Block.Attempt, 2),
		equal("attempts", fmt.Sprint(t.Block.Attempts), "[{first 400} {spare 200}]"),
	)
}

func (r routing) metadata(ctx context.Context, models map[string]string) error {
	wanted, model := option.WithHeader("X-OpenRouter-Metadata", "enabled"), models[plan.Fallback]
	answer, err := r.client.Chat.Completions.New(ctx, ask(model, newMark()), wanted)
	if err != nil {
		return err
	}
	stream, err := r.streamed(ctx, model, wanted)
	if err != nil {
		return err
	}
	return errors.Join(fellBack(answer.RawJSON(), model), fellBack(stream.last, model))
}

// standing is what is left of the caller's requests and tokens.
func standing(header http.Header) (requests, tokens int64, err error) {
	err = errors.Join(
		equal("limit of requests", header.Get("X-Ratelimit-Limit-Requests"), strconv.Itoa(plan.LimitedRequests)),
		equal("limit of tokens", header.Get("X-Ratelimit-Limit-Tokens"), strconv.Itoa(plan.LimitedTokens)),
	)
	for _, name := range []string{"X-Ratelimit-Reset-Requests", "X-Ratelimit-Reset-Tokens"} {
		_, wrong := time.ParseDuration(header.Get(name))
		err = errors.Join(err, wrong)
	}
	requests, wrongRequests := strconv.ParseInt(header.Get("X-Ratelimit-Remaining-Requests"), 10, 64)
	tokens, wrongTokens := strconv.ParseInt(header.Get("X-Ratelimit-Remaining-Tokens"), 10, 64)
	return requests, tokens, errors.Join(err, wrongRequests, wrongTokens)
}

func (r routing) limits(ctx context.Context, models map[string]string) error {
	header, err := r.answered(ctx, models[plan.Limited])
	if err != nil {
		return err
	}
	stream, err := r.streamed(ctx, models[plan.Limited])
	if err != nil {
		return err
	}
	requests, tokens, err := standing(header)
	requestsThen, tokensThen, errThen := standing(stream.header)
	if tokensThen >= tokens {
		errThen = errors.Join(errThen, fmt.Errorf("%d tokens are left, and there were %d", tokensThen, tokens))
	}
	return errors.Join(err, errThen, equal("requests left after one more", requestsThen, requests-1))
}

// limitReached: beyond the limit there is the library's own error; its own retry honours Retry-After and is let in.
func (r routing) limitReached(ctx context.Context, models map[string]string) error {
	held := r.client.Chat.Completions.NewStreaming(ctx, ask(models[plan.Limited], newMark()), provider(`{"only":["stalls"]}`))
	for held.Next() {
		if chunk := held.Current(); len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
			break
		}
	}
	_, err := r.client.Chat.Completions.New(ctx, ask(models[plan.Limited], newMark()))
	if err := errors.Join(held.Err(), fails(err, http.StatusTooManyRequests, "rate_limit_exceeded")); err != nil {
		return errors.Join(err, held.Close())
	}
	w := watch{letGo: held}
	_, err = r.patient.Chat.Completions.New(ctx, ask(models[plan.Limited], newMark()), option.WithMiddleware(w.see))
	return errors.Join(err, w.honoured())
}

// watch sees the requests of one call and the first refusal, at which the place that was taken is let go.
type watch struct {
	letGo      io.Closer
	sent       []time.Time
	retryAfter time.Duration
}

func (w *watch) see(request *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	w.sent = append(w.sent, time.Now())
	response, err := next(request)
	if err != nil || response.StatusCode != http.StatusTooManyRequests || w.retryAfter != 0 {
		return response, err
	}
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	w.retryAfter = time.Duration(seconds) * time.Second
	return response, errors.Join(err, w.letGo.Close())
}

// honoured tells whether the library came back once, not before the time that the refusal names.
func (w *watch) honoured() error {
	if len(w.sent) != 2 || w.retryAfter <= 0 {
		return fmt.Errorf("%d requests were made and %v was asked for", len(w.sent), w.retryAfter)
	}
	if waited := w.sent[1].Sub(w.sent[0]); waited < w.retryAfter {
		return fmt.Errorf("the library waited for %v and not for %v", waited, w.retryAfter)
	}
	return nil
}

// drained is a body that is read to its end before it is closed: the library leaves a stream at [DONE], and the trailer comes behind that.
type drained struct{ io.ReadCloser }

func (d drained) Close() error {
	_, err := io.Copy(io.Discard, d.ReadCloser)
	return errors.Join(err, d.ReadCloser.Close())
}

func drain(request *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	response, err := next(request)
	if err == nil {
		response.Body = drained{response.Body}
	}
	return response, err
}

// cost of a stream is in its trailer.
func (r routing) cost(ctx context.Context, models map[string]string) error {
	stream, err := r.streamed(ctx, models[plan.Chat], option.WithMiddleware(drain))
	if err != nil {
		return err
	}
	if cost, err := strconv.ParseFloat(stream.trailer.Get("X-Signalbox-Cost"), 64); err != nil || cost <= 0 {
		return fmt.Errorf("the trailer says %v: %w", stream.trailer, err)
	}
	return nil
}

func (r routing) unknownPreference(ctx context.Context, models map[string]string) error {
	_, err := r.client.Chat.Completions.New(ctx, ask(models[plan.Chat], newMark()), provider(`{"colour":"red"}`))
	var api *openai.Error
	if !errors.As(err, &api) {
		return fmt.Errorf("%T is no error of the API: %w", err, err)
	}
	return errors.Join(
		equal("status", api.StatusCode, http.StatusBadRequest), equal("param", api.Param, "provider.colour"), equal("code", api.Code, "unsupported_parameter"),
	)
}

func (r routing) noTarget(ctx context.Context, models map[string]string) error {
	_, err := r.client.Chat.Completions.New(ctx, ask(models[plan.Closed], newMark()))
	if err := fails(err, http.StatusServiceUnavailable, "no_eligible_target"); err != nil {
		return err
	}
	var api *openai.Error
	if errors.As(err, &api); !strings.Contains(api.RawJSON(), `"targets":[{"target":"open","reason":`) {
		return fmt.Errorf("the targets are not listed: %s", api.RawJSON())
	}
	return nil
}
