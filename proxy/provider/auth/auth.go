package auth

import (
	"context"
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

// Keeper makes Authorizers, and keeps tokens over changes of the routing table. It is safe for concurrent use.
type Keeper struct {
	now func() time.Time

	mutex   sync.Mutex
	sources map[string]*source
}

// NewKeeper returns a Keeper that knows no tokens yet. A nil clock means time.Now.
func NewKeeper(now func() time.Time) *Keeper {
	if now == nil {
		now = time.Now
	}
	return &Keeper{now: now, sources: map[string]*source{}}
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
