package identity

import (
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// Leeway is how far the clocks of an issuer and of a proxy may be apart when a token is new, as at the API server. Its end is not put off: who renews in time
	// never needs that.
	Leeway = time.Minute
	// DefaultMaxLifetime is the longest that a token may be valid where the table does not say.
	DefaultMaxLifetime = 24 * time.Hour
)

// algorithms are the signatures that are looked at. None of them uses a shared secret.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
	}
}

// verified is what a token with a good signature says.
type verified struct {
	grant Grant
	// from and until are when it is valid.
	from, until time.Time
}

// at returns the grant if the token is valid now.
func (v *verified) at(now time.Time) (*Grant, error) {
	if refusal := v.untimely(now); refusal != nil {
		return nil, refusal
	}
	return &v.grant, nil
}

// untimely says why the token is not valid now; nil if it is.
func (v *verified) untimely(now time.Time) *Error {
	kind, advice := "ServiceAccount token", "the kubelet renews its file, so read it again at least every minute"
	if v.grant.Kind == User {
		kind, advice = "token", "ask its issuer for a new one"
	}
	if v.expired(now) {
		return &Error{Reason: Expired, Message: "the " + kind + " has expired: " + advice}
	}
	if now.Add(Leeway).Before(v.from) {
		return &Error{Reason: NotYetValid, Message: "the " + kind + " is not valid yet: the clocks of its issuer and of this cluster are too far apart"}
	}
	return nil
}

func (v *verified) expired(now time.Time) bool { return !now.Before(v.until) }

// verify checks a token. The signature comes last, for it costs the most: a token that says itself that it is of no use is refused without it.
func (a *Authenticator) verify(token string, now time.Time) (*verified, *Error) {
	parsed, err := jwt.ParseSigned(token, algorithms())
	if err != nil || len(parsed.Headers) != 1 {
		return nil, malformed("the token is no JSON Web Token that is signed with a public key")
	}
	var unverified jwt.Claims
	if parsed.UnsafeClaimsWithoutVerification(&unverified) != nil {
		return nil, malformed("the token is not a ServiceAccount token")
	}
	trusted, known := a.issuers[unverified.Issuer]
	if !known {
		return nil, &Error{Reason: WrongIssuer, Message: "the token was not issued by this cluster, nor by an issuer that the platform trusts"}
	}
	says, refusal := trusted.read(parsed, &unverified)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := says.untimely(now); refusal != nil {
		return nil, refusal
	}
	return says, trusted.checkSignature(parsed)
}
