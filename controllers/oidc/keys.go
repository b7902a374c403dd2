package oidc

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

const (
	// maxKeys bounds how many keys of an issuer are kept: every namespace's table holds them.
	maxKeys = 32
	// maxKeyID bounds the name of a key.
	maxKeyID = 256
	// minRSABits and maxRSABits bound what a signature costs to check, and what it is worth.
	minRSABits = 2048
	maxRSABits = 8192
)

var (
	errNoKeySet  = errors.New("the issuer's keys are not a JSON Web Key Set")
	errNoKeys    = errors.New("the issuer publishes no key for signatures that can be used")
	errManyKeys  = errors.New("the issuer publishes too many keys")
	errKeyFormat = errors.New("the issuer's keys cannot be written")
)

// Normalize returns the keys of a set that signatures can be checked with, in an order that does not depend on the issuer's, without anything that is not
// needed for that, such as certificates. A set without any is an error.
func Normalize(set []byte) ([]byte, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(set, &raw) != nil {
		return nil, errNoKeySet
	}
	var keys []json.RawMessage
	for _, text := range raw.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) != nil || !usable(&key) {
			continue
		}
		plain, err := (&jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID, Algorithm: key.Algorithm, Use: "sig"}).MarshalJSON()
		if err != nil {
			return nil, errKeyFormat
		}
		keys = append(keys, plain)
	}
	switch {
	case len(keys) == 0:
		return nil, errNoKeys
	case len(keys) > maxKeys:
		return nil, errManyKeys
	}
	slices.SortFunc(keys, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
	normal, err := json.Marshal(struct {
		Keys []json.RawMessage `json:"keys"`
	}{slices.CompactFunc(keys, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })})
	if err != nil {
		return nil, errKeyFormat
	}
	return normal, nil
}

// usable tells whether a key is a public one for signatures, of a size that makes sense.
func usable(key *jose.JSONWebKey) bool {
	if !key.Valid() || !key.IsPublic() || len(key.KeyID) > maxKeyID || key.Use != "" && key.Use != "sig" {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSABits && public.N.BitLen() <= maxRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	default:
		return false
	}
}
