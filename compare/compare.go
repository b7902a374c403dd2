package compare

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// MaxModels bounds how many models are asked at a time.
const MaxModels = 16

// Question is what is asked of every model.
type Question struct {
	// Prompt of the user, and System before it; System may be empty.
	Prompt, System string
	// MaxTokens bounds each answer.
	MaxTokens int
}

// Options say whom to ask and how.
type Options struct {
	// URL of the proxy, without a path: "http://127.0.0.1:8080".
	URL string
	// Key is an access key or a ServiceAccount token.
	Key string
	// Surface is the API to speak, one of Surfaces.
	Surface string
	// Models in the order of the answers.
	Models []string
	// Client makes the calls. It must not follow redirects, which could carry the key elsewhere.
	Client *http.Client
	// Now is the clock.
	Now func() time.Time
	// Done is called after each answer, from several goroutines.
	Done func(Answer)
}

// Answer is what became of the question at one model.
type Answer struct {
	// Model that was asked for.
	Model string
	// Target that answered, by its name in the ModelRoute.
	Target string
	// Text of the answer, and Reasoning where the model shows it.
	Text, Reasoning string
	// Finish is why the answer ended, in the words of the surface.
	Finish string
	// FirstToken is the time until the first text or reasoning, Total until the end.
	FirstToken, Total time.Duration
	// PromptTokens and CompletionTokens as reported.
	PromptTokens, CompletionTokens int64
	// Cost in USD, an exact decimal; empty where it is not known.
	Cost string
	// Err is why there is no answer, or no whole one.
	Err error
}

// TokensPerSecond is the speed after the first token; false when the answer is too short to tell.
func (a *Answer) TokensPerSecond() (float64, bool) {
	took := a.Total - a.FirstToken
	if a.CompletionTokens < 2 || took <= 0 || a.FirstToken == 0 {
		return 0, false
	}
	return float64(a.CompletionTokens) / took.Seconds(), true
}

// Validate finds what is wrong with the options.
func (o *Options) Validate() error {
	if err := validateURL(o.URL); err != nil {
		return err
	}
	if o.Key == "" {
		return errors.New("there is no access key")
	}
	if strings.ContainsFunc(o.Key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("the access key must be printable ASCII without blanks")
	}
	if len(o.Models) == 0 || len(o.Models) > MaxModels {
		return fmt.Errorf("%d models are named; it takes 1 to %d", len(o.Models), MaxModels)
	}
	for _, model := range o.Models {
		if strings.TrimSpace(model) == "" {
			return errors.New("the name of a model is empty")
		}
	}
	if _, known := surfaces()[o.Surface]; !known {
		return fmt.Errorf("there is no surface %q; it is one of %s", o.Surface, strings.Join(Surfaces(), ", "))
	}
	return nil
}

// validateURL finds what is wrong with the proxy's address. The errors do not repeat it: it may hold a password.
func validateURL(text string) error {
	address, err := url.Parse(text)
	if err != nil {
		return errors.New("the URL cannot be read; it looks like http://127.0.0.1:8080")
	}
	if address.Scheme != "http" && address.Scheme != "https" || address.Host == "" {
		return errors.New("the URL must begin with http:// or https:// and name a host")
	}
	if address.User != nil || address.RawQuery != "" || address.Fragment != "" {
		return errors.New("the URL must not hold a user, a query or a fragment")
	}
	return nil
}

// Run asks all models together and returns their answers in the order of the models. An error is that of the options; what goes wrong with a model is in
// its answer.
func Run(ctx context.Context, o Options, q Question) ([]Answer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	answers := make([]Answer, len(o.Models))
	var group sync.WaitGroup
	for i, model := range o.Models {
		group.Go(func() {
			answers[i] = o.ask(ctx, model, q)
			if o.Done != nil {
				o.Done(answers[i])
			}
		})
	}
	group.Wait()
	return answers, nil
}
