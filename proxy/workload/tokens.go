package workload

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/proxy/renewal"
)

const (
	// proxyLife is the lifetime that is asked for where another namespace's proxy is called. It is long, for what is good is used on while the API server is away.
	proxyLife = 12 * time.Hour
	// cloudLife is the lifetime that is asked for where a cloud exchanges the token.
	cloudLife = time.Hour
	// minLife is the shortest lifetime that the API server gives.
	minLife = 10 * time.Minute
	// proxyAudiences is how the audiences of proxies begin.
	proxyAudiences = "signalbox."
	// maxTokenBytes bounds a token.
	maxTokenBytes = 16 << 10
)

// ServiceAccounts is what Tokens needs of a client for the ServiceAccounts of one namespace; client-go's ServiceAccountInterface fits.
type ServiceAccounts interface {
	CreateToken(ctx context.Context, name string, request *authenticationv1.TokenRequest, options metav1.CreateOptions) (*authenticationv1.TokenRequest, error)
}

// Options are what Tokens is made of. All but Now are required.
type Options struct {
	// ServiceAccounts of the proxy's namespace.
	ServiceAccounts ServiceAccounts
	// Name of the proxy's ServiceAccount.
	Name string
	// Pod and PodUID are what the tokens are bound to.
	Pod, PodUID string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Tokens gives out tokens of a ServiceAccount, one for each audience. It asks for a new one at half of a token's life; until that comes, and while the API server
// is away, it gives out the one that is there, as long as that is good. It is safe for concurrent use.
type Tokens struct {
	options Options
	sources *renewal.Set[string]

	mutex sync.Mutex
	// longest is the longest lifetime that proxies take; 0 for no bound.
	longest time.Duration
}

// New returns Tokens that asks for nothing yet.
func New(options Options) *Tokens {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Tokens{
		options: options,
		sources: renewal.NewSet[string](renewal.Rules{Ahead: func(life time.Duration) time.Duration { return life / 2 }, Now: options.Now}),
	}
}

// Limit sets the longest lifetime that the proxies of the platform take; 0 for no bound. Where it becomes shorter, tokens are asked for anew.
func (t *Tokens) Limit(longest time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	before := t.life(proxyAudiences)
	t.longest = longest
	if t.life(proxyAudiences) < before {
		t.sources.Drop()
	}
}

// life is the lifetime that is asked for. It needs the mutex to be held.
func (t *Tokens) life(audience string) time.Duration {
	switch {
	case !strings.HasPrefix(audience, proxyAudiences):
		return cloudLife
	case t.longest > 0:
		return max(minLife, min(proxyLife, t.longest))
	default:
		return proxyLife
	}
}

// Token returns a token for an audience. The error holds nothing secret.
func (t *Tokens) Token(ctx context.Context, audience string) (string, error) {
	if audience == "" {
		return "", errors.New("a token needs an audience")
	}
	return t.source(audience).Get(ctx)
}

// Refused notes that a token that was given out at a time was not taken, and tells whether there is a newer one, or is to be: the cluster may have dropped the
// key that signed it.
func (t *Tokens) Refused(audience string, at time.Time) bool { return t.source(audience).Refused(at) }

func (t *Tokens) source(audience string) *renewal.Source[string] {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	life := t.life(audience)
	return t.sources.Source(audience, func(ctx context.Context) (renewal.Term[string], error) { return t.request(ctx, audience, life) })
}

// request asks the API server.
func (t *Tokens) request(ctx context.Context, audience string, life time.Duration) (renewal.Term[string], error) {
	seconds := int64(life / time.Second)
	asked := t.options.Now()
	answer, err := t.options.ServiceAccounts.CreateToken(ctx, t.options.Name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{
			Audiences: []string{audience}, ExpirationSeconds: &seconds,
			BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: t.options.Pod, UID: types.UID(t.options.PodUID)},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return renewal.Term[string]{}, &Error{Audience: audience, Err: err}
	}
	token := answer.Status.Token
	if !sendable(token) {
		return renewal.Term[string]{}, &Error{Audience: audience, Err: errors.New("the answer holds no token")}
	}
	return renewal.Term[string]{Value: token, Ends: t.ends(answer, asked, life)}, nil
}

// ends is when a token ends by this machine's clock. The API server may give a shorter lifetime than it was asked for; what its clock says of the end counts only
// as far as that is earlier, for a clock that is behind must not stretch the life of a token.
func (t *Tokens) ends(answer *authenticationv1.TokenRequest, asked time.Time, life time.Duration) time.Time {
	if given := answer.Spec.ExpirationSeconds; given != nil && *given > 0 && *given < int64(life/time.Second) {
		life = time.Duration(*given) * time.Second
	}
	ends := asked.Add(life)
	if told := answer.Status.ExpirationTimestamp.Time; !told.IsZero() && told.Before(ends) {
		return told
	}
	return ends
}

// sendable tells whether a token can stand in a header.
func sendable(token string) bool {
	return token != "" && len(token) <= maxTokenBytes && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Error tells that the API server gave no token.
type Error struct {
	// Audience of the token.
	Audience string
	// Err is why.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	why := "the API server did not answer as it should"
	switch {
	case apierrors.IsForbidden(e.Err):
		why = "the proxy's Role does not allow it; the manager writes that rule together with the table"
	case apierrors.IsNotFound(e.Err):
		why = "the ServiceAccount or the pod is gone"
	case errors.Is(e.Err, context.DeadlineExceeded):
		why = "the API server did not answer in time"
	}
	return fmt.Sprintf("no token of the proxy's ServiceAccount for the audience %q: %s", e.Audience, why)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
