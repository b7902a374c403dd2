// Package control is the control port of a proxy: one HTTPS endpoint that streams what the proxy serves right now.
//
// Both ends present the namespace's certificate, which the manager makes and keeps in the routing table, and accept that certificate and the one
// before it and nothing else: certificates are compared byte by byte, so no authority and no name is trusted. The manager calls; proxies never do.
package control
