package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"signalbox.dev/signalbox/hack/conformance/plan"
)

// callers are the checks of a token file that changes while the client runs, which is read as docs/clients.md says.
type callers struct {
	suite
	file string
}

func runCallers(ctx context.Context, p plan.Plan) (err error) {
	folder, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return fmt.Errorf("making a folder for tokens: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	c := callers{suite{plan: p, surface: "callers"}, filepath.Join(folder, "token")}
	return c.run(ctx, []string{"renewed-token", "renewed-token-streamed", "revoked-token"}, map[string]check{
		"renewed-token": func(ctx context.Context, models map[string]string) error { return c.renews(ctx, models, chat.text) },
		"renewed-token-streamed": func(ctx context.Context, models map[string]string) error {
			return c.renews(ctx, models, chat.streamedText)
		},
		"revoked-token": c.revoked,
	})
}

// holds puts the key into the place of the one before, as the kubelet does: nobody sees half a file.
func (c callers) holds(key string) error {
	if err := os.WriteFile(c.file+".new", []byte(key+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing a token: %w", err)
	}
	if err := os.Rename(c.file+".new", c.file); err != nil {
		return fmt.Errorf("putting a token into its place: %w", err)
	}
	return nil
}

// fromFile is a client that reads the file for each request.
func (c callers) fromFile() chat {
	fresh := func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
		token, err := os.ReadFile(c.file)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		return next(r)
	}
	return chat{c.suite, openai.NewClient(option.WithBaseURL(c.plan.Bases["openai"]), option.WithAPIKey("from the file"), option.WithMiddleware(fresh))}
}

// renews: the same client calls with the first key, and with the next one once the file holds that. The route Renewed admits that one alone.
func (c callers) renews(ctx context.Context, models map[string]string, text func(chat, context.Context, string) error) error {
	if err := c.holds(c.plan.Key); err != nil {
		return err
	}
	client := c.fromFile()
	err := errors.Join(text(client, ctx, models[plan.Chat]), fails(text(client, ctx, models[plan.Renewed]), http.StatusForbidden, "access_denied"))
	if err = errors.Join(err, c.holds(c.plan.Renewed)); err != nil {
		return err
	}
	return errors.Join(text(client, ctx, models[plan.Renewed]), text(client, ctx, models[plan.Renewed]))
}

// revoked: a key that is no longer one is refused; the same client goes on once the file holds another.
func (c callers) revoked(ctx context.Context, models map[string]string) error {
	if err := c.holds(c.plan.Revoked); err != nil {
		return err
	}
	client := c.fromFile()
	err := fails(client.text(ctx, models[plan.Chat]), http.StatusUnauthorized, "invalid_credentials")
	if err = errors.Join(err, c.holds(c.plan.Renewed)); err != nil {
		return err
	}
	return client.text(ctx, models[plan.Renewed])
}

// text makes a call, whose answer has to be whole.
func (c chat) text(ctx context.Context, model string) error {
	return c.says(ctx, ask(model, newMark()))
}

// streamedText does so with a stream.
func (c chat) streamedText(ctx context.Context, model string) error {
	all, _, err := c.collect(ctx, ask(model, newMark()))
	if err != nil {
		return err
	}
	choice, err := first(&all.ChatCompletion)
	return errors.Join(err, equal("text of the stream", choice.Message.Content, c.plan.Text))
}
