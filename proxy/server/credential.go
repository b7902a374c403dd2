package server

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/table"
)

// credentialEntry is a provider account.
type credentialEntry struct {
	name     string
	provider provider.Provider
	account  provider.Account
	// header is sent with every request. It may hold the key and is never logged.
	header http.Header
	// authorizer proves who sends a request; nil where the header does already.
	authorizer auth.Authorizer
	// secrets must not appear in anything that is said of the provider.
	secrets []string
	// templates are requests for the offers whose address depends on nothing of the call, by path; without header and body.
	templates map[string]*http.Request
	excluded  string
	// fingerprint of the key in use; empty without one.
	fingerprint string
}

func (s *Server) compileCredential(c *table.Credential, transport http.RoundTripper) *credentialEntry {
	entry := &credentialEntry{name: c.Name, fingerprint: fingerprintOf(c)}
	vendor, known := s.providers.Lookup(c.Provider)
	if !known {
		entry.excluded = fmt.Sprintf("this proxy does not know the provider %s of ProviderCredential %q", c.Provider, c.Name)
		return entry
	}
	entry.account = provider.AccountOf(c)
	entry.provider = vendor.For(entry.account)
	entry.header = ownHeader(entry.provider)
	if len(c.Keys) == 0 && !c.Keyless {
		entry.excluded = fmt.Sprintf("ProviderCredential %q has no usable key", c.Name)
		return entry
	}
	if err := entry.useKey(s.keeper, c, transport); err != nil {
		s.log.Error("a key cannot be used", "credential", c.Name, "error", err)
		entry.excluded = fmt.Sprintf("the key of ProviderCredential %q cannot be used", c.Name)
		return entry
	}
	if err := entry.prepareRequests(); err != nil {
		s.log.Error("an endpoint cannot be used", "credential", c.Name, "error", err)
		entry.excluded = fmt.Sprintf("the endpoint of ProviderCredential %q cannot be used", c.Name)
	}
	return entry
}

// useKey prepares how requests are authorized.
func (e *credentialEntry) useKey(keeper *auth.Keeper, c *table.Credential, transport http.RoundTripper) error {
	var key *table.Key
	if len(c.Keys) > 0 {
		key = &c.Keys[0]
		e.secrets = secretsOf(key)
	}
	authorizer, err := keeper.Authorizer(e.provider, c, key, transport)
	if err != nil {
		return err
	}
	if static, ok := authorizer.(auth.Static); ok {
		maps.Copy(e.header, static.StaticHeader())
		return nil
	}
	e.authorizer = authorizer
	return nil
}

func secretsOf(key *table.Key) []string {
	secrets := []string{key.Value}
	if key.AWS != nil && key.AWS.SessionToken != "" {
		secrets = append(secrets, key.AWS.SessionToken)
	}
	return secrets
}

// prepareRequests makes templates of the requests whose address depends on nothing of the call.
func (e *credentialEntry) prepareRequests() error {
	e.templates = map[string]*http.Request{}
	for _, offer := range e.provider.Offers {
		if offer.NamesModel() {
			continue
		}
		address, err := e.provider.Address(e.account, offer, "", false)
		if err != nil {
			return err
		}
		e.templates[offer.Path] = newRequest(address)
	}
	return nil
}

func newRequest(address *url.URL) *http.Request {
	return &http.Request{Method: http.MethodPost, URL: address, Host: address.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

// authorize proves who sends the request, where its header does not already. It comes last, for signatures cover all of the request.
func (e *credentialEntry) authorize(ctx context.Context, request *http.Request, body []byte) error {
	if e.authorizer == nil {
		return nil
	}
	return e.authorizer.Authorize(ctx, request, body)
}
