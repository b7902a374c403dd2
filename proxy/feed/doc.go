// Package feed brings a namespace's routing table to the proxy.
//
// The table is one Secret. Cluster watches it through the API server, for ever and across outages of any length, and until the first answer takes the
// same Secret as it is mounted into the container, so that a container that restarts while the API server is away boots with what the kubelet has.
package feed
