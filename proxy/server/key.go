package server

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/keyring"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/table"
)

// errKeyDropped ends an attempt whose key must not be sent any more.
var errKeyDropped = errors.New("the deadline of the key is over")

// keyEntry is a key of a credential with what its requests need.
type keyEntry struct {
	// name in the ProviderCredential, which is no secret, and fingerprint; both empty without a key.
	name, fingerprint string
	// header is sent with every request. It may hold the key and is never logged.
	header http.Header
	// authorizer proves who sends a request; nil where the header does already.
	authorizer auth.Authorizer
	// key is that of the table.
	key *table.Key
	now func() time.Time
}

// compileKeys prepares how requests are authorized with each key. A key that cannot be used is left out; false when none is left.
func (s *Server) compileKeys(entry *credentialEntry, c *table.Credential, transport http.RoundTripper) bool {
	usable := *c
	usable.Keys = nil
	for i := range c.Keys {
		key, err := s.compileKey(entry, c, &c.Keys[i], transport)
		if err != nil {
			s.log.Error("a key cannot be used", "credential", c.Name, "key", c.Keys[i].Name, "error", err)
			continue
		}
		usable.Keys = append(usable.Keys, c.Keys[i])
		entry.keys = append(entry.keys, key)
		entry.secrets = append(entry.secrets, secretsOf(&c.Keys[i])...)
	}
	if len(c.Keys) == 0 {
		key, err := s.compileKey(entry, c, nil, transport)
		if err != nil {
			s.log.Error("requests without a key cannot be made", "credential", c.Name, "error", err)
			return false
		}
		entry.keys = append(entry.keys, key)
	}
	slices.SortFunc(entry.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	entry.ring = keyring.New(&usable, s.random)
	for place := range entry.keys {
		entry.keys[place].key = entry.ring.Key(place)
	}
	return len(entry.keys) > 0
}

// compileKey is compileKeys for one key, nil for none.
func (s *Server) compileKey(entry *credentialEntry, c *table.Credential, key *table.Key, transport http.RoundTripper) (keyEntry, error) {
	made := keyEntry{header: ownHeader(entry.provider), now: s.now}
	if key != nil {
		made.name, made.fingerprint = key.Name, key.Fingerprint
	}
	authorizer, err := s.keeper.Authorizer(entry.provider, c, key, transport)
	if err != nil {
		return made, err
	}
	if static, ok := authorizer.(auth.Static); ok {
		maps.Copy(made.header, static.StaticHeader())
		return made, nil
	}
	made.authorizer = authorizer
	return made, nil
}

func secretsOf(key *table.Key) []string {
	var secrets []string
	if key.Value != "" {
		secrets = append(secrets, key.Value)
	}
	if key.AWS != nil && key.AWS.SessionToken != "" {
		secrets = append(secrets, key.AWS.SessionToken)
	}
	return secrets
}

// dropped tells whether the key must not be sent any more.
func (k *keyEntry) dropped() bool { return k.limited() && keyring.Expired(k.key, k.now()) }

// limited tells that there is a time from which on the key must not be sent.
func (k *keyEntry) limited() bool { return keyring.Limited(k.key) }

// check is an error when the key must not be sent any more.
func (k *keyEntry) check() error {
	if k.dropped() {
		return errKeyDropped
	}
	return nil
}

// authorize proves who sends the request, where its header does not already. It comes last, for signatures cover all of the request. It may call a token
// service, which gets no key that was dropped either.
func (k *keyEntry) authorize(ctx context.Context, request *http.Request, body []byte) error {
	if k.authorizer == nil {
		return nil
	}
	if k.limited() {
		bounded, cancel := context.WithTimeoutCause(ctx, k.key.Until.Sub(k.now()), errKeyDropped)
		defer cancel()
		ctx = bounded
	}
	return k.authorizer.Authorize(ctx, request, body)
}

// renews tells whether a key of which the provider refused what a request was authorized with at a time is worth another try, because that was not the key itself
// but something that was given for it and can be given anew.
func (k *keyEntry) renews(at time.Time, status int) bool {
	renewing, can := k.authorizer.(auth.Renewing)
	return can && renewing.Refused(at, status)
}
