// Package tracing makes OpenTelemetry traces of requests and sends them to a collector.
//
// Each request of a known caller is one SERVER span, each attempt at a provider a CLIENT span below it, with the attributes of the GenAI conventions and those that
// begin with "signalbox.". There is nothing in them that a client or a provider wrote but the names of models and the ids of answers: no prompt, no completion, no
// header and no key. Trace ids come from callers by the W3C header traceparent and go on to other proxies of Signalbox, never to providers.
//
// Traces never make a request wait: what the collector does not take in time is dropped and counted. While no endpoint is set nothing is done at all.
package tracing
