package server

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/keyring"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// credentialEntry is a provider account.
type credentialEntry struct {
	name     string
	provider provider.Provider
	account  provider.Account
	// ring chooses among keys, which stand at the same places.
	ring *keyring.Ring
	keys []keyEntry
	// secrets are those of all keys, and must not appear in anything that is said of the provider. The longest comes first, for it can hold another.
	secrets []string
	// templates are requests for the offers whose address depends on nothing of the call, by path; without header and body.
	templates map[string]*http.Request
	// trust is how TLS is spoken with the proxies of a namespace that have no port without it; nil for all others.
	trust    *tls.Config
	excluded string
}

func (s *Server) compileCredential(c *table.Credential, transport http.RoundTripper) *credentialEntry {
	entry := &credentialEntry{name: c.Name, ring: keyring.New(c, s.random)}
	vendor, known := s.providers.Lookup(c.Provider)
	if !known {
		entry.excluded = fmt.Sprintf("this proxy does not know the provider %s of %s", c.Provider, accountName(c.Name))
		return entry
	}
	entry.account = provider.AccountOf(c)
	entry.provider = vendor.For(entry.account)
	if len(c.Keys) == 0 && !c.Keyless {
		entry.excluded = accountName(c.Name) + " has no usable key"
		return entry
	}
	if !s.compileKeys(entry, c, transport) {
		entry.excluded = "the key of " + accountName(c.Name) + " cannot be used"
		return entry
	}
	if err := entry.prepareTrust(c.Certificates); err != nil {
		s.log.Error("the certificates of an endpoint cannot be used", "credential", c.Name, "error", err)
		entry.excluded = "the certificates of " + accountName(c.Name) + " cannot be used"
	}
	if err := entry.prepareRequests(); err != nil {
		s.log.Error("an endpoint cannot be used", "credential", c.Name, "error", err)
		entry.excluded = "the endpoint of " + accountName(c.Name) + " cannot be used"
	}
	return entry
}

// prepareTrust reads the certificates that an endpoint is known by, if it is.
func (e *credentialEntry) prepareTrust(certificates []byte) (err error) {
	if len(certificates) > 0 {
		e.trust, err = control.TrustCalled(certificates)
	}
	return err
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
