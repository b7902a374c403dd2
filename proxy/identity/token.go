package identity

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// Leeway is how far the clocks of the cluster's machines may be apart when a token's times are checked, as at the API server.
	Leeway = time.Minute
	// DefaultMaxLifetime is the longest that a token may be valid where the table does not say.
	DefaultMaxLifetime = 24 * time.Hour
)

// algorithms are the signatures that Kubernetes may use. None of them uses a shared secret.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}
}

// issuer is a signer of tokens with its keys.
type issuer struct {
	url         string
	audience    string
	keys        []jose.JSONWebKey
	maxLifetime time.Duration
}

// newIssuer reads the published keys. Keys that are not for signatures, or not public ones, are left out.
func newIssuer(entry table.Issuer) (issuer, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(entry.JWKS, &set); err != nil {
		return issuer{}, errors.New("the key set is not valid JSON")
	}
	result := issuer{url: entry.URL, audience: entry.Audience, maxLifetime: entry.MaxLifetime}
	if result.maxLifetime <= 0 {
		result.maxLifetime = DefaultMaxLifetime
	}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil || !key.Valid() || !key.IsPublic() || (key.Use != "" && key.Use != "sig") {
			continue
		}
		result.keys = append(result.keys, key)
	}
	if len(result.keys) == 0 {
		return issuer{}, errors.New("the key set has no public key for signatures")
	}
	return result, nil
}

// claims are those of a projected ServiceAccount token.
type claims struct {
	jwt.Claims
	Kubernetes struct {
		Namespace      string `json:"namespace"`
		ServiceAccount struct {
			Name string `json:"name"`
		} `json:"serviceaccount"`
	} `json:"kubernetes.io"`
}

// verified is what a token with a good signature says.
type verified struct {
	caller Caller
	// from and until are when it is valid.
	from, until time.Time
}

// at returns the caller if the token is valid now.
func (v verified) at(now time.Time) (Caller, error) {
	if v.expired(now) {
		return Caller{}, &Error{Reason: Expired, Message: "the ServiceAccount token has expired: the kubelet renews its file, so read it again at least every minute"}
	}
	if now.Add(Leeway).Before(v.from) {
		return Caller{}, &Error{Reason: NotYetValid, Message: "the ServiceAccount token is not valid yet: the clocks of this cluster are too far apart"}
	}
	return v.caller, nil
}

func (v verified) expired(now time.Time) bool { return !now.Before(v.until.Add(Leeway)) }

// verify checks everything of a token but its times.
func (a *Authenticator) verify(token string) (verified, error) {
	parsed, err := jwt.ParseSigned(token, algorithms())
	if err != nil || len(parsed.Headers) != 1 {
		return verified{}, malformed("the token is not a ServiceAccount token")
	}
	var unverified jwt.Claims
	if parsed.UnsafeClaimsWithoutVerification(&unverified) != nil {
		return verified{}, malformed("the token is not a ServiceAccount token")
	}
	failure := &Error{Reason: WrongIssuer, Message: "the token was not issued by this cluster"}
	for _, trusted := range a.issuers {
		if trusted.url != unverified.Issuer {
			continue
		}
		if failure = trusted.checkSignature(parsed); failure == nil {
			return trusted.read(parsed)
		}
	}
	return verified{}, failure
}

// checkSignature returns nil when one of the issuer's keys made the token's signature.
func (i issuer) checkSignature(parsed *jwt.JSONWebToken) *Error {
	header := parsed.Headers[0]
	failure := &Error{Reason: UnknownKey, Message: "the token was signed with a key that this cluster does not publish"}
	for _, key := range i.keys {
		if (header.KeyID != "" && key.KeyID != header.KeyID) || (key.Algorithm != "" && key.Algorithm != header.Algorithm) {
			continue
		}
		if parsed.Claims(key.Key) == nil {
			return nil
		}
		failure = &Error{Reason: BadSignature, Message: "the token's signature is not valid"}
	}
	return failure
}

// read checks the claims of a token whose signature is good.
func (i issuer) read(parsed *jwt.JSONWebToken) (verified, error) {
	var signed claims
	if parsed.UnsafeClaimsWithoutVerification(&signed) != nil {
		return verified{}, malformed("the token does not name a ServiceAccount")
	}
	if !slices.Contains(signed.Audience, i.audience) {
		return verified{}, &Error{Reason: WrongAudience, Message: "the token is for another audience: project a ServiceAccount token with audience \"" + i.audience + "\""}
	}
	if signed.Expiry == nil || signed.IssuedAt == nil {
		return verified{}, malformed("the token must have the claims exp and iat, as projected ServiceAccount tokens have")
	}
	until, from := signed.Expiry.Time(), signed.IssuedAt.Time()
	if until.Sub(from) > i.maxLifetime {
		return verified{}, &Error{Reason: LifetimeTooLong, Message: "the token is valid for longer than " + i.maxLifetime.String() + ": lower expirationSeconds of the projected token"}
	}
	if signed.NotBefore != nil && signed.NotBefore.Time().After(from) {
		from = signed.NotBefore.Time()
	}
	caller := Caller{Kind: ServiceAccount, Namespace: signed.Kubernetes.Namespace, Name: signed.Kubernetes.ServiceAccount.Name}
	if caller.Namespace == "" || caller.Name == "" || strings.Contains(caller.Namespace+caller.Name, "/") ||
		signed.Subject != "system:serviceaccount:"+caller.Namespace+":"+caller.Name {
		return verified{}, malformed("the token does not name a ServiceAccount")
	}
	return verified{caller: caller, from: from, until: until}, nil
}
