package upstream

import "context"

// checkKey is what a checkedContext is found by.
type checkKey struct{}

// checkedContext carries a check in one allocation, where context.WithValue takes two.
type checkedContext struct {
	context.Context
	check func() error
}

// WithCheck returns a context whose requests are written only while the check has no error: it is asked each time that a connection is there to write one to,
// which can be long after RoundTrip was called, and once more where a request is sent again. Its error is the cause of an Error of kind NotSent.
//
// The standard library's transport does not tell of that moment, so that there, see Selecting, the check is asked before, and a request is given up whose
// connection comes later than the check allows.
func WithCheck(ctx context.Context, check func() error) context.Context {
	return &checkedContext{Context: ctx, check: check}
}

// Value returns the context itself for its own key.
func (c *checkedContext) Value(key any) any {
	if key == (checkKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// checked asks the context's check; nil without one.
func checked(ctx context.Context) error {
	c, found := ctx.Value(checkKey{}).(*checkedContext)
	if !found {
		return nil
	}
	return c.check()
}
