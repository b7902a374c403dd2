package provider

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// KeyState is what an answer says about the key that was sent.
type KeyState string

const (
	// KeyValid means that the provider took the key.
	KeyValid KeyState = "Valid"
	// KeyInvalid means that the provider refused the key, and will refuse it again.
	KeyInvalid KeyState = "Invalid"
	// KeyUnknown means that the answer says nothing about the key.
	KeyUnknown KeyState = "Unknown"
)

// Health is what an answer says about the provider.
type Health string

const (
	// Healthy means that the provider answers as it should.
	Healthy Health = "Healthy"
	// Unhealthy means that requests are going to fail.
	Unhealthy Health = "Unhealthy"
	// HealthUnknown means that the answer does not tell.
	HealthUnknown Health = "Unknown"
)

// Verdict is the reading of a probe's answer.
type Verdict struct {
	// Key is what is known of the key now.
	Key KeyState
	// Health is what is known of the provider now.
	Health Health
	// Reason is one CamelCase word for a condition.
	Reason string
	// Message is a sentence for a status. It repeats nothing of the answer's body.
	Message string
}

// Probe is a GET request that costs nothing and needs a valid key.
type Probe struct {
	// Path is below the API's base, with a query if need be.
	Path string
	// RootPath is used instead, below the host, where the endpoint is the vendor's own API rather than some gateway
	// with a path of its own; empty where Path does.
	RootPath string
	// Endpoint is asked instead where the account's endpoint is the vendor's own; empty where that answers itself. It may
	// hold {region}.
	Endpoint string
	// NotFound is what 404 says about the provider's health: a vendor has the path, so it means a wrong endpoint; some
	// servers that imitate OpenAI do not have it.
	NotFound Health
	// Signs are answers that mean something else than their status commonly does. The first that fits counts.
	Signs []Sign
}

// Sign is an answer with a meaning of its own.
type Sign struct {
	// Status is the answer's status.
	Status int
	// Text is what its body contains, where that matters. Case and white space are ignored.
	Text string
	// Verdict is what the answer says.
	Verdict Verdict
}

// NoFreeCall is the sign that an endpoint does not have the call that costs nothing, where not all that are good do.
func NoFreeCall() Sign {
	return Sign{Status: http.StatusNotFound, Verdict: Verdict{
		KeyUnknown, HealthUnknown, "NoFreeCall", "the endpoint has no free call that would tell of the key (status 404)",
	}}
}

// ProbeURL returns the address to GET for a probe.
func (p Provider) ProbeURL(a Account) (string, error) {
	return p.freeURL(a, place{p.Probe.Path, p.Probe.RootPath, p.Probe.Endpoint})
}

// place is where a free call goes; Probe says what its parts mean.
type place struct{ path, rootPath, endpoint string }

func (p Provider) freeURL(a Account, to place) (string, error) {
	base, own, err := p.base(a)
	if err != nil {
		return "", err
	}
	path := to.path
	if own && to.rootPath != "" {
		base.Path, base.RawPath = "", ""
		path = to.rootPath
	}
	if to.endpoint != "" && base.Host == p.ownHost(a) {
		if base, err = url.Parse(a.fill(to.endpoint, "")); err != nil {
			return "", errors.New("the endpoint is not a URL")
		}
	}
	address, err := below(base, a, path, "")
	if err != nil {
		return "", err
	}
	return address.String(), nil
}

// ownHost is the host of the vendor's own endpoint.
func (p Provider) ownHost(a Account) string {
	a.Endpoint = ""
	own, err := url.Parse(p.EndpointOf(a))
	if err != nil {
		return ""
	}
	return own.Host
}

// Interpret reads the answer to a probe. Of the body, the first kilobytes are enough.
func (p Provider) Interpret(status int, body []byte) Verdict {
	var text string
	for _, sign := range p.Probe.Signs {
		if sign.Status != status {
			continue
		}
		if text == "" && sign.Text != "" {
			text = squeeze(string(body))
		}
		if strings.Contains(text, squeeze(sign.Text)) {
			return sign.Verdict
		}
	}
	if status >= 200 && status < 300 && !startsLikeJSON(body) {
		return Verdict{KeyUnknown, Unhealthy, "NotAnAPI", fmt.Sprintf(
			"the endpoint answers something else than JSON (status %d), such as a web page; check the endpoint's address", status)}
	}
	return p.interpretStatus(status)
}

// startsLikeJSON says whether body is the beginning of a JSON object or array.
func startsLikeJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && (body[0] == '{' || body[0] == '[')
}

// interpretStatus reads a status as HTTP and OpenAI mean it.
func (p Provider) interpretStatus(status int) Verdict {
	switch {
	case status >= 200 && status < 300:
		return Verdict{KeyValid, Healthy, "KeyAccepted", "the provider accepted the key"}
	case status >= 300 && status < 400:
		return Verdict{KeyUnknown, Unhealthy, "Redirected",
			fmt.Sprintf("the endpoint redirects (status %d); give the address that it redirects to", status)}
	case status >= 500 || status == http.StatusRequestTimeout:
		return Verdict{KeyUnknown, Unhealthy, "ProviderError", fmt.Sprintf("the provider is failing (status %d)", status)}
	}
	return p.interpretRefusal(status)
}

// interpretRefusal reads a status below 500 that is no success.
func (p Provider) interpretRefusal(status int) Verdict {
	switch status {
	case http.StatusUnauthorized:
		return Verdict{KeyInvalid, Healthy, "KeyRejected", "the provider rejected the key (status 401)"}
	case http.StatusPaymentRequired:
		return Verdict{KeyValid, Unhealthy, "InsufficientCredit", "the provider account has no credit left (status 402)"}
	case http.StatusForbidden:
		return Verdict{KeyUnknown, Healthy, "Forbidden",
			"the provider forbids this call (status 403): the key may lack a permission, or calls from here may be blocked"}
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return Verdict{KeyUnknown, p.Probe.NotFound, "EndpointNotFound",
			fmt.Sprintf("the endpoint has no such path (status %d); check the endpoint's path", status)}
	case http.StatusTooManyRequests:
		return Verdict{KeyUnknown, Healthy, "RateLimited", "the provider limits the rate of calls (status 429)"}
	}
	return Verdict{KeyUnknown, Unhealthy, "UnexpectedStatus", fmt.Sprintf("the provider gave an unexpected answer (status %d)", status)}
}

// squeeze returns s in lower case without white space.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}
