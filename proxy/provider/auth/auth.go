package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/renewal"
	"signalbox.dev/signalbox/proxy/table"
)

// Authorizer adds to requests what authenticates them. It is safe for concurrent use.
type Authorizer interface {
	// Authorize sets headers of a request whose address, other headers and length are final. body is what it sends. The error
	// holds nothing secret; a *TokenError tells that no token was to be had.
	Authorize(ctx context.Context, req *http.Request, body []byte) error
}

// Static is an Authorizer that sets the same headers always, so that they can be set once for all.
type Static interface {
	Authorizer
	// StaticHeader is what Authorize sets. It is secret, and must not be changed.
	StaticHeader() http.Header
}

// Renewing is an Authorizer of what can be asked for anew before its end.
type Renewing interface {
	Authorizer
	// Refused notes that the provider answered with a status that refuses what a request was authorized with at a time. It tells whether the next request is
	// authorized with something newer, so that it is worth another try.
	Refused(at time.Time, status int) bool
}

// Tokens gives out tokens of the proxy's own ServiceAccount. It keeps them as long as they are good; the error holds nothing secret.
type Tokens interface {
	Token(ctx context.Context, audience string) (string, error)
	// Refused notes that a token that was given out at a time was not taken, and tells whether there is a newer one, or is to be.
	Refused(audience string, at time.Time) bool
}

// Options are what a Keeper is made of.
type Options struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Random scatters renewals, with numbers from 0 up to 1; nil means the system's.
	Random func() float64
	// Tokens of the proxy's own ServiceAccount; nil outside of a cluster, and in the manager, which is not the proxy. Keys that need them are refused then.
	Tokens Tokens
}

// Keeper makes Authorizers, and keeps what they were given over changes of the routing table. Every identity has a source of its own, so that one that is
// stuck holds up no other. It is safe for concurrent use.
type Keeper struct {
	now     func() time.Time
	tokens  Tokens
	bearers *renewal.Set[string]
	signers *renewal.Set[aws.Credentials]
}

// ErrNoWorkload tells that a key needs a token of the proxy's ServiceAccount where there is none.
var ErrNoWorkload = errors.New("it needs a token of the proxy's ServiceAccount, which there is only in the proxy of a cluster")

// NewKeeper returns a Keeper that knows no tokens yet.
func NewKeeper(options Options) *Keeper {
	if options.Now == nil {
		options.Now = time.Now
	}
	rules := renewal.Rules{Ahead: ahead, Now: options.Now, Random: options.Random}
	return &Keeper{
		now: options.Now, tokens: options.Tokens,
		bearers: renewal.NewSet[string](rules), signers: renewal.NewSet[aws.Credentials](rules),
	}
}

// Authorizer returns what authenticates with one key of a credential, or with none if key is nil. Tokens are fetched through
// transport, which decides what may be dialled; those that were fetched before are used on.
func (k *Keeper) Authorizer(p provider.Provider, c *table.Credential, key *table.Key, transport http.RoundTripper) (Authorizer, error) {
	if key == nil {
		return headerKey{http.Header{}}, nil
	}
	if key.Kind.OwnToken() && k.tokens == nil {
		return nil, ErrNoWorkload
	}
	switch key.Kind {
	case table.APIKey:
		return headerKey{http.Header{p.AuthHeader: {p.AuthPrefix + key.Value}}}, nil
	case table.ServiceAccountToken:
		return k.workload(key)
	case table.AWSKey, table.AWSWebIdentity, table.AWSPodIdentity:
		return k.signer(p, c, key, transport)
	case table.GoogleKey, table.GoogleWorkloadIdentity, table.AzureSecret, table.AzureWorkloadIdentity:
		fetch, err := k.fetcher(key)
		if err != nil {
			return nil, err
		}
		return bearer{k.bearers.Source(sourceName(c, key), asking(k.now, transport, fetch))}, nil
	default:
		return nil, fmt.Errorf("this version cannot authenticate with keys of the kind %q", key.Kind)
	}
}

// fetcher says how the tokens of a key are fetched that are sent as they are.
func (k *Keeper) fetcher(key *table.Key) (fetch[string], error) {
	switch key.Kind {
	case table.GoogleKey:
		return serviceAccountTokens(key)
	case table.GoogleWorkloadIdentity:
		return k.federatedTokens(key)
	default:
		return k.entraTokens(key)
	}
}

// sourceName tells sources apart: two keys have the same one only if all that is asked, and where, is the same.
func sourceName(c *table.Credential, key *table.Key) string {
	var identity table.CloudIdentity
	if key.Cloud != nil {
		identity = *key.Cloud
	}
	return fmt.Sprintf("%s %s %s %q %q %+q", key.Kind, key.Fingerprint, c.Provider, c.Region, c.Project, identity)
}

// ownToken is a token of the proxy's ServiceAccount, to be exchanged.
func (k *Keeper) ownToken(ctx context.Context, audience string) (string, error) {
	token, err := k.tokens.Token(ctx, audience)
	if err != nil {
		return "", &TokenError{Err: err}
	}
	return token, nil
}

// headerKey is a key that is sent as it is, or no key at all.
type headerKey struct{ header http.Header }

// Authorize implements Authorizer.
func (h headerKey) Authorize(_ context.Context, req *http.Request, _ []byte) error {
	maps.Copy(req.Header, h.header)
	return nil
}

// StaticHeader implements Static.
func (h headerKey) StaticHeader() http.Header { return h.header }

// bearer sends the tokens of a source.
type bearer struct{ source *renewal.Source[string] }

// Authorize implements Authorizer.
func (b bearer) Authorize(ctx context.Context, req *http.Request, _ []byte) error {
	token, err := b.source.Get(ctx)
	if err != nil {
		return tokenless(err)
	}
	req.Header["Authorization"] = []string{"Bearer " + token}
	return nil
}

// Refused implements Renewing.
func (b bearer) Refused(at time.Time, status int) bool {
	return status == http.StatusUnauthorized && b.source.Refused(at)
}
