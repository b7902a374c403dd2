package upstream

import "context"

// carrierKey is what a carrier of a type of value is found by.
type carrierKey[T any] struct{}

// carrier is a context that carries a value in one allocation, where context.WithValue takes two. There is one value of each type.
type carrier[T any] struct {
	context.Context
	value T
}

func carry[T any](ctx context.Context, value T) context.Context {
	return &carrier[T]{Context: ctx, value: value}
}

// Value returns the context itself for its own key.
func (c *carrier[T]) Value(key any) any {
	if key == (carrierKey[T]{}) {
		return c
	}
	return c.Context.Value(key)
}

// carried returns the value that the context carries, and false when there is none.
func carried[T any](ctx context.Context) (value T, found bool) {
	c, found := ctx.Value(carrierKey[T]{}).(*carrier[T])
	if !found {
		return value, false
	}
	return c.value, true
}
