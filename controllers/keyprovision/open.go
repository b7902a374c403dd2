package keyprovision

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
	"signalbox.dev/signalbox/controllers/keyprovision/openai"
	"signalbox.dev/signalbox/controllers/keyprovision/openrouter"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

// errUnknownYet tells that it is not known yet what may be called: the manager has just started.
var errUnknownYet = errors.New("it is not known yet what may be called")

// maxHeader bounds the headers of an answer.
const maxHeader = 64 << 10

// Facts tell what is known of the API server; ok is false before it first answered.
type Facts interface {
	Facts() (facts apiserver.Facts, ok bool)
}

// Opener opens providers' management APIs within what the manager may reach: the rules are those of probes.
type Opener struct {
	// Config is the platform's configuration.
	Config *platform.Config
	// Facts tell where the API server is.
	Facts Facts
	// Providers tell where APIs are.
	Providers registry.Registry
	// Resolver resolves names; nil means net.DefaultResolver.
	Resolver *net.Resolver
}

// Open opens the API that a credential's keys are made with, at the credential's endpoint. What it returns beside it closes it.
func (o Opener) Open(credential *v1alpha1.ProviderCredential, key string) (management.Keys, func(), error) {
	vendor, known := o.Providers.Lookup(string(credential.Spec.Provider))
	facts, asked := o.Facts.Facts()
	if !known || !asked {
		return nil, nil, errUnknownYet
	}
	policy, err := o.Config.ProbePolicy(facts.Addresses, credential.Namespace)
	if err != nil {
		return nil, nil, err
	}
	account := provider.Account{Endpoint: credential.Spec.Endpoint}
	if err := policy.CheckURL(vendor.EndpointOf(account)); err != nil {
		return nil, nil, err
	}
	dialer := &endpoint.Dialer{Policy: policy, Resolver: o.Resolver}
	transport := &http.Transport{DialContext: abandoning(dialer.DialContext), MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: true}
	address := func(path string) (*url.URL, error) {
		return vendor.Address(account, provider.Offer{Path: path}, "", false)
	}
	client := management.Client{Transport: transport, Address: address, Key: key}
	provision := credential.Spec.Rotation.Provision
	if provision.OpenRouter != nil {
		return openrouter.Keys{Client: client, Limit: provision.OpenRouter.Limit}, transport.CloseIdleConnections, nil
	}
	return openai.Keys{Client: client, Project: provision.OpenAI.Project}, transport.CloseIdleConnections, nil
}

// dial opens a connection.
type dial func(ctx context.Context, network, address string) (net.Conn, error)

// abandoning has connections thrown away when they are closed, with what the network has not taken yet: a call that is given up is not sent on behind our back by the
// kernel, minutes later, when the network is back.
func abandoning(next dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if tcp, isTCP := connection.(*net.TCPConn); isTCP {
			if err := tcp.SetLinger(0); err != nil {
				return nil, errors.Join(err, connection.Close())
			}
		}
		return connection, nil
	}
}
