// Package telemetry is what the proxy tells of itself: Prometheus metrics and one access-log line for each request. Neither ever holds a prompt, a
// completion, a key or a token, and the values of metric labels come from the routing table or from closed lists, never from clients.
package telemetry
