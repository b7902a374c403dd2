package server

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/provider"
)

// openRouter is the provider that asks for the calling app's name.
const openRouter = "OpenRouter"

// ownHeader is what every request to a provider has, the key too.
func ownHeader(vendor provider.Provider, key string) http.Header {
	header := http.Header{headerContentType: {contentTypeJSON}, "User-Agent": {"signalbox"}}
	for name, value := range vendor.Headers {
		header.Set(name, value)
	}
	vendor.Authorize(header, key)
	return header
}

// forwardHeader adds to the credential's own header what of the client's a provider gets to see: never credentials or cookies, nothing that names the
// client's organisation or network, and nothing that selects an account, for the account is ours.
func forwardHeader(c *call, credential *credentialEntry) http.Header {
	values := [...]string{c.accepts(), c.id}
	header := maps.Clone(credential.header)
	header["Accept"] = values[0:1:1]
	header[headerRequestID] = values[1:2:2]
	if beta, ok := c.r.Header["Openai-Beta"]; ok {
		header["Openai-Beta"] = beta
	}
	if credential.provider.Name != openRouter {
		return header
	}
	for _, name := range []string{"Http-Referer", "X-Title", "X-Openrouter-Title", "X-Openrouter-Categories"} {
		if values, ok := c.r.Header[name]; ok {
			header[name] = values
		}
	}
	return header
}

// accepts is what the call can take as an answer.
func (c *call) accepts() string {
	if c.head.Stream {
		return contentTypeStream
	}
	return contentTypeJSON
}

// passHeader copies what of a provider's answer the client gets to see: rate limits and the provider's own timing, no cookies, no names of its
// servers or of our account.
func passHeader(to, from http.Header) {
	for name, values := range from {
		switch {
		case strings.HasPrefix(name, "X-Ratelimit-"), name == "Openai-Processing-Ms", name == "Openai-Version", name == "Openai-Model":
			to[name] = values
		case name == headerRequestID:
			to[headerUpstreamRequestID] = values
		}
	}
}

// setRouting tells where the call went. Whatever is not known yet is left out.
func setRouting(c *call) {
	header := c.w.Header()
	if c.route != nil {
		header[headerRoute] = c.route.header
	}
	if c.target != nil {
		header[headerTarget] = c.target.header
	}
	if len(c.attempts) > 0 {
		header[headerAttempts] = []string{strconv.Itoa(len(c.attempts))}
	}
	if c.bill.settled && c.bill.priced {
		header[headerCost] = []string{meter.FormatUSD(c.bill.nano)}
	}
}

// formatSeconds rounds up to whole seconds, at least one, as Retry-After wants them.
func formatSeconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}
