// Package world starts what the client libraries talk to: the fake providers, the proxy in front of them, and a TLS front for libraries whose address is
// fixed. All of it listens on loopback only and ends with the context.
package world
