package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"signalbox.dev/signalbox/proxy/table"
)

// issuer is a signer of tokens with its keys.
type issuer struct {
	// name of an OIDC issuer; empty for the cluster.
	name        string
	url         string
	audience    string
	callerClaim string
	tagClaims   map[string]string
	tagKeys     []string // of tagClaims, sorted
	keys        []jose.JSONWebKey
	maxLifetime time.Duration
}

// newIssuer reads the published keys. Keys that are not for signatures, or not public ones, are left out. With an error the issuer has no keys.
func newIssuer(entry table.Issuer) (*issuer, error) {
	result := &issuer{
		name: entry.Name, url: entry.URL, audience: entry.Audience, callerClaim: entry.CallerClaim, tagClaims: entry.TagClaims,
		tagKeys: slices.Sorted(maps.Keys(entry.TagClaims)), maxLifetime: entry.MaxLifetime,
	}
	if result.maxLifetime <= 0 {
		result.maxLifetime = DefaultMaxLifetime
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(entry.JWKS, &set); err != nil {
		return result, errors.New("the key set is not valid JSON")
	}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil || !key.Valid() || !key.IsPublic() || (key.Use != "" && key.Use != "sig") {
			continue
		}
		result.keys = append(result.keys, key)
	}
	if len(result.keys) == 0 {
		return result, errors.New("the key set has no public key for signatures")
	}
	return result, nil
}

// checkSignature returns nil when one of the issuer's keys made the token's signature. A token without a key's name is looked at only where one key alone can be
// meant, as OpenID Connect has it: a forged one must not cost a look for each key of the issuer.
func (i *issuer) checkSignature(parsed *jwt.JSONWebToken) *Error {
	header := parsed.Headers[0]
	fitting := i.fitting(header.KeyID, header.Algorithm)
	switch {
	case len(fitting) == 0:
		failure := &Error{Reason: UnknownKey, Message: "the token was signed with a key that its issuer does not publish"}
		if header.KeyID != "" && !i.knows(header.KeyID) {
			failure.AwaitKeysOf = i.url
		}
		return failure
	case len(fitting) > 1 && header.KeyID == "":
		return &Error{Reason: UnknownKey, Message: "the token does not say which of its issuer's keys has signed it"}
	}
	for _, key := range fitting {
		if parsed.Claims(key.Key) == nil {
			return nil
		}
	}
	return &Error{Reason: BadSignature, Message: "the token's signature is not valid"}
}

// knows tells whether a key has that name, whatever it is for.
func (i *issuer) knows(keyID string) bool {
	return slices.ContainsFunc(i.keys, func(key jose.JSONWebKey) bool { return key.KeyID == keyID })
}

// fitting are the keys that can have made a signature: those of that name, if it has one, which the algorithm can be used with.
func (i *issuer) fitting(keyID, algorithm string) []jose.JSONWebKey {
	var fitting []jose.JSONWebKey
	for _, key := range i.keys {
		if (keyID == "" || key.KeyID == keyID) && (key.Algorithm == "" || key.Algorithm == algorithm) && signs(key.Key, algorithm) {
			fitting = append(fitting, key)
		}
	}
	return fitting
}

// signs tells whether an algorithm is one for keys of that kind.
func signs(key any, algorithm string) bool {
	switch key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return strings.HasPrefix(algorithm, "ES")
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA)
	default:
		return false
	}
}

// read returns what a token says of its bearer, before its signature is known to be good, or why it would be of no use if it were.
func (i *issuer) read(parsed *jwt.JSONWebToken, standard *jwt.Claims) (*verified, *Error) {
	if !slices.Contains(standard.Audience, i.audience) {
		return nil, i.wrongAudience()
	}
	if standard.Expiry == nil || standard.IssuedAt == nil {
		return nil, malformed("the token must have the claims exp and iat")
	}
	says := &verified{from: standard.IssuedAt.Time(), until: standard.Expiry.Time()}
	if says.until.Sub(says.from) > i.maxLifetime {
		return nil, i.livesTooLong()
	}
	if standard.NotBefore != nil && standard.NotBefore.Time().After(says.from) {
		says.from = standard.NotBefore.Time()
	}
	var refusal *Error
	if i.name == "" {
		says.grant, refusal = readServiceAccount(parsed, standard.Subject)
	} else {
		says.grant, refusal = i.readUser(parsed)
	}
	return says, refusal
}

func (i *issuer) wrongAudience() *Error {
	advice := "project a ServiceAccount token with audience \"" + i.audience + "\""
	if i.name != "" {
		advice = "ask its issuer for one with audience \"" + i.audience + "\""
	}
	return &Error{Reason: WrongAudience, Message: "the token is for another audience: " + advice}
}

func (i *issuer) livesTooLong() *Error {
	advice := "lower expirationSeconds of the projected token"
	if i.name != "" {
		advice = "have its issuer make shorter ones"
	}
	return &Error{Reason: LifetimeTooLong, Message: "the token is valid for longer than " + i.maxLifetime.String() + ": " + advice}
}
