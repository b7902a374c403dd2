// Package upstream is the HTTP client that the proxy calls providers with.
//
// Transport is an http.RoundTripper for HTTP/1.1 in which the calling goroutine writes the request and reads the
// response itself. The standard library's transport hands every request to two other goroutines, which is what most
// of its cost in a proxy is. A request that is cancelled closes its connection through context.AfterFunc, so that no
// goroutine has to wait for that either.
//
// Every failure is an *Error whose Kind says how far the request got. That, and not the text of the failure, decides
// whether a request may be sent again without being paid for twice.
//
// What is left out on purpose: no header is added (no User-Agent, no Accept-Encoding), no body is decompressed, no
// redirect is followed, no upgrade is accepted. All deadlines come from the request's context.
//
// Selecting adds what Transport does not speak, through the standard library: hosts behind an HTTP proxy, and hosts
// that take HTTP/2 only.
package upstream
