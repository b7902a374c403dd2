package upstream

import "context"

// check has an error when a request must not be written.
type check func() error

// WithCheck returns a context whose requests are written only while the check has no error: it is asked each time that a connection is there to write one to,
// which can be long after RoundTrip was called, and once more where a request is sent again. Its error is the cause of an Error of kind NotSent.
//
// The standard library's transport does not tell of that moment, so that there, see Selecting, the check is asked before, and a request is given up whose
// connection comes later than the check allows.
func WithCheck(ctx context.Context, may func() error) context.Context {
	return carry(ctx, check(may))
}

// checked asks the context's check; nil without one.
func checked(ctx context.Context) error {
	may, found := carried[check](ctx)
	if !found {
		return nil
	}
	return may()
}
