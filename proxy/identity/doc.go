// Package identity tells who is calling: a ServiceAccount of the cluster by its token, verified locally against the cluster's published keys, or the
// holder of an access key, found by one keyed hash and one look-up. It talks to nobody, so it works while the API server is away. Tokens are never
// stored, logged or put into errors.
package identity
