package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/provider"
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

// Tokens gives out tokens of the proxy's own ServiceAccount. It keeps them as long as they are good; the error holds nothing secret.
type Tokens interface {
	Token(ctx context.Context, audience string) (string, error)
}

// Options are what a Keeper is made of.
type Options struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Tokens of the proxy's own ServiceAccount; nil outside of a cluster, and in the manager, which is not the proxy. Keys that need them are refused then.
	Tokens Tokens
}

// Keeper makes Authorizers, and keeps tokens over changes of the routing table. It is safe for concurrent use.
type Keeper struct {
	now    func() time.Time
	tokens Tokens

	mutex   sync.Mutex
	sources map[string]*source
}

// ErrNoWorkload tells that a key needs a token of the proxy's ServiceAccount where there is none.
var ErrNoWorkload = errors.New("it needs a token of the proxy's ServiceAccount, which there is only in the proxy of a cluster")

// NewKeeper returns a Keeper that knows no tokens yet.
func NewKeeper(options Options) *Keeper {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Keeper{now: options.Now, tokens: options.Tokens, sources: map[string]*source{}}
}

// Authorizer returns what authenticates with one key of a credential, or with none if key is nil. Tokens are fetched through
// transport, which decides what may be dialled.
func (k *Keeper) Authorizer(p provider.Provider, c *table.Credential, key *table.Key, transport http.RoundTripper) (Authorizer, error) {
	if key == nil {
		return headerKey{http.Header{}}, nil
	}
	switch key.Kind {
	case table.APIKey:
		return headerKey{http.Header{p.AuthHeader: {p.AuthPrefix + key.Value}}}, nil
	case table.AWSKey:
		return newSigner(p.SigningService, c.Region, key, k.now)
	case table.GoogleKey:
		account, err := ParseServiceAccount([]byte(key.Value))
		if err != nil {
			return nil, err
		}
		return &bearer{source: k.source(key.Fingerprint, account), transport: transport}, nil
	case table.ServiceAccountToken:
		return k.workload(key)
	default:
		return nil, fmt.Errorf("this version cannot authenticate with keys of the kind %q", key.Kind)
	}
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
