// Package workload gets tokens of the proxy's own ServiceAccount from the API server, by TokenRequest: for calls to the proxies of other namespaces, and to
// be exchanged at the token services of clouds. Each is for one audience and bound to the pod, so that it ends with it where that is asked for.
package workload
