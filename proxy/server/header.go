package server

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/limit"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/signalbox"
)

// openRouter is the provider that asks for the calling app's name.
const openRouter = "OpenRouter"

// ownHeader is what every request to a provider has, whatever the key.
func ownHeader(vendor provider.Provider) http.Header {
	header := http.Header{"User-Agent": {"signalbox"}}
	for name, value := range vendor.Headers {
		header.Set(name, value)
	}
	return header
}

// header adds to the key's own header what of the client's a provider gets to see: never credentials or cookies, nothing that names the client's
// organisation or network, and nothing that selects an account, for the account is ours.
func (w *work) header(c *call) http.Header {
	values := [...]string{w.accepts(c), c.id, contentTypeJSON}
	header := maps.Clone(w.key.header)
	header["Accept"] = values[0:1:1]
	header[headerRequestID] = values[1:2:2]
	header[headerContentType] = values[2:3:3]
	if c.form != nil {
		header[headerContentType] = []string{c.form.contentType}
	}
	for _, name := range w.forwarded(c) {
		if values, ok := c.r.Header[name]; ok {
			header[name] = values
		}
	}
	if c.target.callsProxy() {
		w.passOn(c, header)
	}
	return header
}

// forwarded are the client's headers that the provider understands.
func (w *work) forwarded(c *call) []string {
	switch {
	case w.credential.provider.Name == signalbox.Name:
		return proxiedHeaders()
	case w.offer.API != c.place.api:
		return nil
	case w.credential.provider.Name == openRouter:
		return []string{"Openai-Beta", headerAnthropicBeta, "Http-Referer", "X-Title", "X-Openrouter-Title", "X-Openrouter-Categories", "X-Openrouter-Metadata"}
	case w.offer.API != neutral.Messages && w.offer.API != neutral.CountTokens:
		return []string{"Openai-Beta"}
	case w.offer.ModelInPath:
		// Vertex AI and Bedrock have the version in the body; Vertex takes betas in the header, Bedrock in the body.
		return []string{headerAnthropicBeta}
	default:
		return []string{headerAnthropicVersion, headerAnthropicBeta}
	}
}

// accepts is what the call can take as an answer.
func (w *work) accepts(c *call) string {
	switch {
	case c.place.api == neutral.Speech, c.form != nil:
		return "*/*"
	case !c.inbound.Head.Stream:
		return contentTypeJSON
	case w.offer.Frames != provider.SSE:
		return "application/vnd.amazon.eventstream"
	default:
		return contentTypeStream
	}
}

// passHeader copies what of a provider's answer the client gets to see: rate limits in one form and the provider's own timing, no cookies, no names of its
// servers or of our account.
func (x *exchange) passHeader(to http.Header) {
	for name, values := range x.response.Header {
		switch {
		case strings.HasPrefix(name, rateLimit), name == "Openai-Processing-Ms", name == "Openai-Version", name == "Openai-Model":
			to[name] = values
		case strings.HasPrefix(name, anthropicRateLimit):
			passAnthropicLimit(to, name, values, x.call.start)
		case isRequestID(name):
			to[headerUpstreamRequestID] = values
		}
	}
	if x.call.place.flavor == dialect.OpenRouterFlavor {
		to[headerGenerationID] = []string{x.call.recordID()}
	}
}

// isRequestID knows the names that providers give to the header with their id of the request: Anthropic, AWS, Azure, Cohere.
func isRequestID(name string) bool {
	switch name {
	case headerRequestID, headerAnthropicRequestID, "X-Amzn-Requestid", "Apim-Request-Id", "X-Debug-Trace-Id", "X-Cloud-Trace-Context":
		return true
	default:
		return false
	}
}

// rateLimit begins the names of rate-limit headers, and anthropicRateLimit those of Anthropic's.
const (
	rateLimit          = "X-Ratelimit-"
	anthropicRateLimit = "Anthropic-Ratelimit-"
)

// passAnthropicLimit passes a rate limit on in both forms: anthropic-ratelimit-requests-remaining is x-ratelimit-remaining-requests elsewhere. Anthropic's
// reset is a point in time, the other form's a duration such as "1m30s".
func passAnthropicLimit(to http.Header, name string, values []string, now time.Time) {
	to[name] = values
	subject, figure, ok := strings.Cut(strings.TrimPrefix(name, anthropicRateLimit), "-")
	if !ok || len(values) != 1 || subject != "Requests" && subject != "Tokens" {
		return
	}
	if figure == "Reset" {
		at, err := time.Parse(time.RFC3339, values[0])
		if err != nil {
			return
		}
		values = []string{max(0, at.Sub(now)).Round(time.Millisecond).String()}
	}
	to[rateLimit+figure+"-"+subject] = values
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
	if len(c.report.Dropped) > 0 {
		header[headerDropped] = []string{strings.Join(c.report.Dropped, ", ")}
	}
	c.tellCost()
	c.tellBudgets(header)
	c.setLimits(header)
}

// tellCost tells what the call cost once that is known, and whether a part of it is estimated: in a header, or in the trailer of a stream.
func (c *call) tellCost() {
	if !c.settled {
		return
	}
	if c.bill.priced && (!c.passage.came() || c.tellsCost()) {
		c.w.Header()[headerCost] = []string{meter.FormatUSD(c.bill.nano)}
	}
	if c.bill.usage.Estimated {
		c.w.Header()[headerEstimated] = []string{"true"}
	}
}

// limitStanding tells how the limits of the route stand that made the newest attempt, or else refused the call; false without one.
func (c *call) limitStanding() (limit.Standing, bool) {
	if last := len(c.attempts) - 1; last >= 0 {
		return c.legs[c.attempts[last].account].limit.Standing()
	}
	for i := range c.legs {
		if refused := c.legs[i].standing; refused != nil {
			return *refused, true
		}
	}
	return limit.Standing{}, false
}

// setLimits tells how the limits of the route stand, in place of the provider's own, which the caller cannot use up alone.
func (c *call) setLimits(header http.Header) {
	standing, ok := c.limitStanding()
	if !ok {
		return
	}
	maps.DeleteFunc(header, func(name string, _ []string) bool { return strings.HasPrefix(name, rateLimit) })
	for _, figure := range [...]struct {
		subject          string
		limit, remaining int64
		reset            time.Duration
	}{
		{"Requests", standing.LimitRequests, standing.RemainingRequests, standing.ResetRequests},
		{"Tokens", standing.LimitTokens, standing.RemainingTokens, standing.ResetTokens},
	} {
		if figure.limit < 0 {
			continue
		}
		header["X-Ratelimit-Limit-"+figure.subject] = []string{strconv.FormatInt(figure.limit, 10)}
		header["X-Ratelimit-Remaining-"+figure.subject] = []string{strconv.FormatInt(max(0, figure.remaining), 10)}
		header["X-Ratelimit-Reset-"+figure.subject] = []string{roundUp(figure.reset).String()}
	}
}

// formatSeconds rounds up to whole seconds, at least one, as Retry-After wants them.
func formatSeconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}
