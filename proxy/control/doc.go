// Package control is the control port of a proxy: HTTPS endpoints where the manager follows what the proxy serves right now, and where the replicas of the
// proxy tell each other things.
//
// Both ends present the namespace's certificate, which the manager makes and keeps in the routing table, and accept that certificate and the one
// before it and nothing else: certificates are compared byte by byte, so no authority and no name is trusted. The manager calls proxies, and proxies call
// each other; they never call the manager.
package control
