package identity

// Reason is why a caller was not recognised.
type Reason int

// The reasons.
const (
	// Missing means that the request has no token.
	Missing Reason = iota + 1
	// Malformed means that the token cannot be one, or lacks the claims that name its bearer.
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
	// WrongIssuer means that the token is of nobody who is trusted.
	WrongIssuer
	// LifetimeTooLong means that the token is valid for longer than the platform allows.
	LifetimeTooLong
	// Ambiguous means that the request has two credentials that are not the same.
	Ambiguous
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
	case Ambiguous:
		return "ambiguous"
	}
	return "unknown"
}

// Error tells why a caller was not recognised. It never holds any of the token.
type Error struct {
	// Reason for programs.
	Reason Reason
	// Message is a sentence for the caller.
	Message string
	// AwaitKeysOf is the URL of the issuer whose next set of keys may have the one that is unknown; empty where no newer table can decide otherwise. All that
	// can be known of the token without that key is good.
	AwaitKeysOf string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

func malformed(message string) *Error { return &Error{Reason: Malformed, Message: message} }
