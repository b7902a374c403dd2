package provider

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Operation is a call that a provider offers, by its path below the API's base.
type Operation string

const (
	// ChatCompletions is POST /chat/completions.
	ChatCompletions Operation = "/chat/completions"
	// Completions is POST /completions.
	Completions Operation = "/completions"
	// Embeddings is POST /embeddings.
	Embeddings Operation = "/embeddings"
	// Models is GET /models.
	Models Operation = "/models"
)

// StreamUsage says when a vendor reports usage in a stream.
type StreamUsage string

const (
	// OnRequest means that stream_options.include_usage is understood, and that usage may be missing without it.
	OnRequest StreamUsage = "OnRequest"
	// Always means that usage comes unasked and that stream_options is refused.
	Always StreamUsage = "Always"
)

// Requestable says whether stream_options.include_usage may be sent.
func (u StreamUsage) Requestable() bool { return u == OnRequest }

// Provider is one vendor. It is a value and never changes.
type Provider struct {
	// Name is the vendor's name in a ProviderCredential.
	Name string
	// DefaultEndpoint is where the vendor's API is; empty where every user has an address of their own.
	DefaultEndpoint string
	// BasePath is the path of the vendor's API, such as "/openai/v1". See URL for what it applies to.
	BasePath string
	// AuthHeader is the header that a key is sent in, and AuthPrefix what stands before the key.
	AuthHeader, AuthPrefix string
	// Headers are sent with every request.
	Headers map[string]string
	// StreamUsage says when usage is reported in a stream.
	StreamUsage StreamUsage
	// UsagePaths say where usage stands in an answer or stream event, with dots between names; the first that is
	// there counts.
	UsagePaths []string
	// Probe says how a key is tried.
	Probe Probe
}

// OpenAICompatible returns a vendor that follows OpenAI in everything: base path /v1, bearer keys, usage in streams on
// request, a model list that only a valid key can read. Vendors change what they do differently.
func OpenAICompatible(name, defaultEndpoint string) Provider {
	return Provider{
		Name:            name,
		DefaultEndpoint: defaultEndpoint,
		BasePath:        "/v1",
		AuthHeader:      "Authorization",
		AuthPrefix:      "Bearer ",
		StreamUsage:     OnRequest,
		UsagePaths:      []string{"usage"},
		Probe:           Probe{Path: string(Models), NotFound: Unhealthy},
	}
}

// URL returns the address of an operation. An empty endpoint stands for the vendor's own.
//
// The endpoint's path decides where the operation's path is added. A path that is missing, or is the beginning of the
// base path, is completed to the base path: https://api.groq.com, https://api.groq.com/openai and
// https://api.groq.com/openai/v1 mean the same. Any other path is used as it is.
func (p Provider) URL(endpoint string, operation Operation) (string, error) {
	base, err := p.base(endpoint)
	if err != nil {
		return "", err
	}
	return base.JoinPath(string(operation)).String(), nil
}

// base returns the endpoint with its path completed.
func (p Provider) base(endpoint string) (*url.URL, error) {
	if endpoint == "" {
		endpoint = p.DefaultEndpoint
	}
	if endpoint == "" {
		return nil, fmt.Errorf("provider %s has no endpoint of its own; one has to be given", p.Name)
	}
	base, err := url.Parse(endpoint)
	if err != nil {
		return nil, errors.New("the endpoint is not a URL")
	}
	path := strings.TrimRight(base.Path, "/")
	for _, operation := range []Operation{ChatCompletions, Completions, Embeddings, Models} {
		if strings.HasSuffix(path, string(operation)) {
			return nil, fmt.Errorf("the endpoint ends in %s; give the address without it", operation)
		}
	}
	if strings.HasPrefix(p.BasePath+"/", path+"/") {
		base.Path, base.RawPath = p.BasePath, ""
	}
	return base, nil
}

// Authorize sets the header that carries the key. A keyless call carries none.
func (p Provider) Authorize(header http.Header, key string) {
	if key == "" {
		header.Del(p.AuthHeader)
		return
	}
	header.Set(p.AuthHeader, p.AuthPrefix+key)
}
