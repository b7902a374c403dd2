package upstream

import "context"

// affinity chooses the server for requests that belong together.
type affinity uint64

// WithAffinity returns a context whose requests all go to the same one of the servers behind a host that has several,
// as long as that one takes connections. Equal hashes choose the same server in every process. It means nothing to
// other hosts, nor where the standard library's transport is used; see Selecting.
func WithAffinity(ctx context.Context, hash uint64) context.Context {
	return carry(ctx, affinity(hash))
}

// affinityOf returns the hash that the context carries, and false when there is none.
func affinityOf(ctx context.Context) (uint64, bool) {
	hash, found := carried[affinity](ctx)
	return uint64(hash), found
}
