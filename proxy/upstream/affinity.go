package upstream

import "context"

// affinityKey is what an affinityContext is found by.
type affinityKey struct{}

// affinityContext carries a hash in one allocation, where context.WithValue takes two.
type affinityContext struct {
	context.Context
	hash uint64
}

// WithAffinity returns a context whose requests all go to the same one of the servers behind a host that has several,
// as long as that one takes connections. Equal hashes choose the same server in every process. It means nothing to
// other hosts, nor where the standard library's transport is used; see Selecting.
func WithAffinity(ctx context.Context, hash uint64) context.Context {
	return &affinityContext{Context: ctx, hash: hash}
}

// Value returns the context itself for its own key.
func (c *affinityContext) Value(key any) any {
	if key == (affinityKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// affinityOf returns the hash that the context carries, and false when there is none.
func affinityOf(ctx context.Context) (uint64, bool) {
	c, found := ctx.Value(affinityKey{}).(*affinityContext)
	if !found {
		return 0, false
	}
	return c.hash, true
}
