package identity

// Reason is why a caller was not recognised.
type Reason int

// The reasons.
const (
	// Missing means that the request has no token.
	Missing Reason = iota + 1
	// Malformed means that the token cannot be one, or claims what no token of a ServiceAccount claims.
	Malformed
	// UnknownKey means that no access key of the namespace is this one, or that the token was signed with a key that its issuer does not publish.
	UnknownKey
	// BadSignature means that the token was changed or signed by somebody else.
	BadSignature
	// Expired means that the token's time is over.
	Expired
	// NotYetValid means that the token's time is still to come.
	NotYetValid
	// WrongAudience means that the token was made for somebody else.
	WrongAudience
	// WrongIssuer means that the token is not of a cluster that is trusted.
	WrongIssuer
	// LifetimeTooLong means that the token is valid for longer than the platform allows.
	LifetimeTooLong
)

// String is the reason as a word for logs and metrics.
func (r Reason) String() string {
	switch r {
	case Missing:
		return "missing"
	case Malformed:
		return "malformed"
	case UnknownKey:
		return "unknown_key"
	case BadSignature:
		return "bad_signature"
	case Expired:
		return "expired"
	case NotYetValid:
		return "not_yet_valid"
	case WrongAudience:
		return "wrong_audience"
	case WrongIssuer:
		return "wrong_issuer"
	case LifetimeTooLong:
		return "lifetime_too_long"
	}
	return "unknown"
}

// Error tells why a caller was not recognised. It never holds any of the token.
type Error struct {
	// Reason for programs.
	Reason Reason
	// Message is a sentence for the caller.
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

func malformed(message string) error { return &Error{Reason: Malformed, Message: message} }
