package server

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/failure"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// What another namespace's proxy answers: its errors are passed on as they are, and what it says that a call cost is what is charged, so that both
// namespaces book the same.

// accountName names what a credential of the table stands for, in words for people.
func accountName(credential string) string {
	if namespace, ok := table.CalledNamespace(credential); ok {
		return fmt.Sprintf("the proxy of namespace %q", namespace)
	}
	return fmt.Sprintf("ProviderCredential %q", credential)
}

// refusedByProxy is the failure of a call that another proxy refused or could not serve; nil when the answer is none of a proxy's. body is its answer.
func (x *exchange) refusedByProxy(body []byte, said neutral.Error) *Error {
	code := x.response.Header.Get(headerCode)
	if !x.attempt.target.callsProxy() || code == "" {
		return nil
	}
	status := x.response.StatusCode
	kind, policy := failure.OfProxy(code, status, said)
	if status == http.StatusUnauthorized {
		return x.tokenRefused(said)
	}
	refused := x.attempt.fail(kind, codeOfProxy(status), status, said.Message)
	refused.Policy, refused.Param, refused.DialectCode = policy, said.Param, code
	if code == string(CodeUpstreamRejected) {
		refused.DialectCode = said.Code
	}
	refused.Header = http.Header{}
	x.passHeader(refused.Header)
	if x.speaksForItself(said) && int64(len(body)) <= maxErrorBody {
		refused.Verbatim = bytes.Clone(body)
	}
	return x.retryLater(refused, said)
}

// tokenRefused is the failure of this proxy's own token. The caller's credentials are fine.
func (x *exchange) tokenRefused(said neutral.Error) *Error {
	return x.attempt.fail(table.KeyRejected, CodeUpstreamAuthFailed, http.StatusBadGateway,
		fmt.Sprintf("%s refused the token of this namespace's proxy: %s", accountName(x.attempt.target.credential), said.Message))
}

// codeOfProxy is the code under which an error of another proxy is counted here; the client is told the other's.
func codeOfProxy(status int) Code {
	switch {
	case status == http.StatusTooManyRequests:
		return CodeUpstreamRateLimited
	case status == http.StatusGatewayTimeout:
		return CodeUpstreamTimeout
	case status >= http.StatusInternalServerError:
		return CodeUpstreamUnavailable
	default:
		return CodeUpstreamRejected
	}
}

// toldCost is what a called proxy says that a call cost.
type toldCost struct {
	nano      int64
	known     bool
	estimated bool
}

// costIn reads it from a header or a trailer.
func costIn(header http.Header) toldCost {
	nano, known := meter.ReadReported([]byte(header.Get(headerCost)))
	return toldCost{nano: nano, known: known, estimated: known && header.Get(headerEstimated) == "true"}
}

const (
	// costComment begins the comment of a stream that tells the calling proxy what the call cost, before the stream's last event.
	costComment = ": signalbox-cost "
	// estimatedMark ends it where a part of it is estimated.
	estimatedMark = " estimated"
)

// costInComment reads it from a comment of a stream; false for all that is none.
func costInComment(event []byte) (toldCost, bool) {
	text, ok := bytes.CutPrefix(bytes.TrimRight(event, "\r\n"), []byte(costComment))
	if !ok {
		return toldCost{}, false
	}
	text, estimated := bytes.CutSuffix(text, []byte(estimatedMark))
	nano, known := meter.ReadReported(text)
	return toldCost{nano: nano, known: known, estimated: known && estimated}, true
}

// believe puts what a called proxy says into the usage, in place of what a provider behind it may have said, which that proxy has judged already.
func (x *exchange) believe(used meter.Usage, told toldCost) meter.Usage {
	if !x.attempt.target.callsProxy() {
		return used
	}
	used.ReportedCost = nil
	if told.known {
		used.ReportedCost = &told.nano
		used.Estimated = told.estimated
	}
	return used
}

// chargeProxied charges what a called proxy says that a call cost which it did not answer.
func (x *exchange) chargeProxied() {
	if told := costIn(x.response.Header); x.attempt.target.callsProxy() && told.known {
		x.call.charge(x.believe(meter.Usage{}, told), x.attempt)
	}
}

// tellsCost tells whether the calling proxy can be told what the call cost: all of it is known.
func (c *call) tellsCost() bool {
	return c.passage.came() && c.settled && c.bill.priced && !c.bill.unpriced
}

// appendCost appends what the call cost to a stream for another proxy. It is a comment, so that the dialect stays what it is, and not only a trailer, which
// some things between proxies lose.
func (c *call) appendCost(dst []byte) []byte {
	if !c.tellsCost() || c.inbound.Head.Array {
		return dst
	}
	dst = meter.AppendUSD(append(dst, costComment...), c.bill.nano)
	if c.bill.usage.Estimated {
		dst = append(dst, estimatedMark...)
	}
	return append(dst, "\n\n"...)
}

// proxiedHeaders are what of a client's headers another proxy understands, whatever the API.
func proxiedHeaders() []string {
	return []string{headerTags, headerSessionID, "Openai-Beta", headerAnthropicVersion, headerAnthropicBeta, "Traceparent", "Tracestate"}
}

// announceCost announces the trailers of a raw answer for another proxy.
func (c *call) announceCost(header http.Header) {
	if c.passage.came() {
		header["Trailer"] = []string{strings.Join([]string{headerCost, headerEstimated}, ", ")}
	}
}
