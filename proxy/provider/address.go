package provider

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"signalbox.dev/signalbox/proxy/table"
)

// Account is what of a credential stands in addresses.
type Account struct {
	// Endpoint is the base URL; empty stands for the provider's own.
	Endpoint string
	// Region of AWS.
	Region string
	// Project and Location of Google Cloud.
	Project, Location string
	// APIVersion of Azure; empty stands for the API without versions by date.
	APIVersion string
}

// AccountOf returns the account that a credential of a table is for.
func AccountOf(c *table.Credential) Account {
	return Account{Endpoint: c.Endpoint, Region: c.Region, Project: c.Project, Location: c.Location, APIVersion: c.APIVersion}
}

// For returns the provider as an account sees it.
func (p Provider) For(a Account) Provider {
	if a.APIVersion != "" && p.Dated != nil {
		return *p.Dated
	}
	return p
}

// EndpointOf returns the base URL of an account; empty where the account has none and the provider no own.
func (p Provider) EndpointOf(a Account) string {
	if a.Endpoint != "" {
		return a.Endpoint
	}
	if own, ok := p.LocationEndpoints[a.Location]; ok {
		return own
	}
	return a.fill(p.DefaultEndpoint, "")
}

// Address returns where a request goes.
//
// The endpoint's path decides where the offer's path is added. A path that is missing, or is the beginning of the base
// path, is completed to the base path: https://api.groq.com, https://api.groq.com/openai and
// https://api.groq.com/openai/v1 mean the same. Any other path is used as it is.
func (p Provider) Address(a Account, o Offer, upstreamModel string, stream bool) (*url.URL, error) {
	return p.address(a, o, call{upstreamModel, stream})
}

// call is what of a request decides where it goes.
type call struct {
	model  string
	stream bool
}

func (p Provider) address(a Account, o Offer, c call) (*url.URL, error) {
	base, own, err := p.base(a)
	if err != nil {
		return nil, err
	}
	if own && o.Base != "" {
		base.Path, base.RawPath = o.Base, ""
	}
	template := o.Path
	if c.stream && o.StreamPath != "" {
		template = o.StreamPath
	}
	if strings.Contains(template, "{model}") {
		if err := checkSegments(c.model); err != nil {
			return nil, err
		}
	}
	return below(base, a, template, c.model)
}

// base returns the endpoint with its path completed, and whether that is the path of the provider's own API.
func (p Provider) base(a Account) (base *url.URL, own bool, err error) {
	endpoint := p.EndpointOf(a)
	if endpoint == "" {
		return nil, false, fmt.Errorf("provider %s has no endpoint of its own; one has to be given", p.Name)
	}
	base, err = url.Parse(endpoint)
	if err != nil {
		return nil, false, errors.New("the endpoint is not a URL")
	}
	path := strings.TrimRight(base.EscapedPath(), "/")
	for _, ending := range p.endings() {
		if strings.HasSuffix(path, ending) {
			return nil, false, fmt.Errorf("the endpoint ends in %s; give the address without it", ending)
		}
	}
	whole := a.fill(p.BasePath, "")
	if !strings.HasPrefix(whole+"/", path+"/") {
		return base, false, nil
	}
	return base, true, setPath(base, whole)
}

// setPath sets an escaped path.
func setPath(base *url.URL, escaped string) error {
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return errors.New("the endpoint's path cannot be read")
	}
	base.Path, base.RawPath = plain, escaped
	return nil
}

// endings are the paths of operations, which some take for a part of the endpoint.
func (p Provider) endings() []string {
	endings := []string{modelList}
	for i := range p.Offers {
		path, _, _ := strings.Cut(p.Offers[i].Path, "?")
		if !strings.Contains(path, "{") {
			endings = append(endings, path)
		}
	}
	return endings
}

// below adds a template's path and query to a base.
func below(base *url.URL, a Account, template, upstreamModel string) (*url.URL, error) {
	path, query, _ := strings.Cut(template, "?")
	base.RawQuery = a.fill(query, upstreamModel)
	return base, setPath(base, strings.TrimRight(base.EscapedPath(), "/")+a.fill(path, upstreamModel))
}

// fill puts the account and the model into a template, escaped.
func (a Account) fill(template, upstreamModel string) string {
	if !strings.Contains(template, "{") {
		return template
	}
	return strings.NewReplacer(
		"{model}", escape(upstreamModel), "{region}", escape(a.Region), "{project}", escape(a.Project), "{location}", escape(a.Location),
		"{apiVersion}", escape(a.APIVersion),
	).Replace(template)
}

// checkSegments refuses a model that would lead to another place than its own: a slash is escaped, but some servers take that for a slash too.
func checkSegments(upstreamModel string) error {
	if upstreamModel == "" {
		return errors.New("the model has no name")
	}
	for segment := range strings.SplitSeq(upstreamModel, "/") {
		if segment == "." || segment == ".." {
			return errors.New("the model's name has . or .. in it")
		}
	}
	return nil
}

// escape writes a text as one segment of a path, as AWS wants it for its signatures: all but letters, digits and - . _ ~ is escaped. An @ stays: Google
// writes versions of models with it.
func escape(text string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(text))
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~@", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
