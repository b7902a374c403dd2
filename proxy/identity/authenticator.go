package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"reflect"
	"strings"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// digest is a hash of a token.
type digest [sha256.Size]byte

// Authenticator recognises the callers of one table. It may be used from many goroutines.
type Authenticator struct {
	accessKeys map[digest]*accessKey
	hashers    sync.Pool
	entries    []table.Issuer
	issuers    map[string]*issuer // by URL
	seen       *memory
	problems   []error
	// unknown refuses access keys that are none; it is made once, for anybody can send many.
	unknown *Error
}

// accessKey is a caller that has one.
type accessKey struct {
	grant     Grant
	expiresAt time.Time
}

// hasher is what one hash needs; it is used again, so that a wrong key costs no memory.
type hasher struct {
	hash.Hash
	text []byte
	sum  digest
}

// New returns the authenticator of a table. What cannot be used of the table is left out and told by Problems. What the previous table's authenticator, which
// may be nil, has verified stays verified while the issuers and their keys are the same.
func New(t *table.Table, previous *Authenticator) *Authenticator {
	a := &Authenticator{
		accessKeys: make(map[digest]*accessKey, len(t.AccessKeys)),
		entries:    t.Issuers,
		issuers:    make(map[string]*issuer, len(t.Issuers)),
		seen:       newMemory(),
		unknown:    unknownKey(t.Namespace),
	}
	if previous != nil && reflect.DeepEqual(previous.entries, t.Issuers) {
		a.seen = previous.seen
	}
	salt := append([]byte(nil), t.AccessKeySalt...)
	a.hashers.New = func() any { return &hasher{Hash: hmac.New(sha256.New, salt)} }
	a.readAccessKeys(t)
	// The cluster comes first: nobody who claims to have its URL takes its place.
	for _, ofCluster := range [...]bool{true, false} {
		for _, entry := range t.Issuers {
			if (entry.Name == "") == ofCluster {
				a.readIssuer(entry)
			}
		}
	}
	return a
}

// unknownKey says what would be taken, for most who send something else send a provider's key or another namespace's.
func unknownKey(namespace string) *Error {
	return &Error{Reason: UnknownKey, Message: fmt.Sprintf("the access key is none of namespace %q: send one that was made there (signalbox key create), or a ServiceAccount token; "+
		"a provider's key, or one of another namespace, opens nothing here", namespace)}
}

// readAccessKeys takes in the access keys. Of two with the same key the first one stays.
func (a *Authenticator) readAccessKeys(t *table.Table) {
	if len(t.AccessKeys) > 0 && len(t.AccessKeySalt) == 0 {
		a.problems = append(a.problems, errors.New("the table has access keys, but nothing to compare them with"))
		return
	}
	for _, key := range t.AccessKeys {
		if len(key.HMAC) != sha256.Size {
			a.problems = append(a.problems, fmt.Errorf("the hash of access key %s has %d bytes instead of %d", key.Name, len(key.HMAC), sha256.Size))
			continue
		}
		if _, taken := a.accessKeys[digest(key.HMAC)]; !taken {
			grant := Grant{Caller: Caller{Kind: AccessKey, Name: key.Name}, Routes: key.Routes}
			a.accessKeys[digest(key.HMAC)] = &accessKey{grant: grant, expiresAt: key.ExpiresAt}
		}
	}
}

// readIssuer takes in an issuer. One of whose keys none can be used stays known, so that its callers are told what is missing.
func (a *Authenticator) readIssuer(entry table.Issuer) {
	if _, taken := a.issuers[entry.URL]; taken {
		a.problems = append(a.problems, fmt.Errorf("issuer %q is left out, for another one has its URL %s", entry.Name, entry.URL))
		return
	}
	trusted, err := newIssuer(entry)
	if err != nil {
		a.problems = append(a.problems, fmt.Errorf("reading the keys of issuer %s: %w", entry.URL, err))
	}
	a.issuers[entry.URL] = trusted
}

// Problems tells what of the table cannot be used. Everything else works.
func (a *Authenticator) Problems() []error { return a.problems }

// KeysDigest is a short name of a JSON Web Key Set as it stands in a table.
func KeysDigest(jwks []byte) string {
	sum := sha256.Sum256(jwks)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// HasKeys tells whether the keys of an issuer, by its URL, are those of the digest.
func (a *Authenticator) HasKeys(issuer, digest string) bool {
	for i := range a.entries {
		if a.entries[i].URL == issuer {
			return KeysDigest(a.entries[i].JWKS) == digest
		}
	}
	return false
}

// Authenticate recognises the caller by a token. The grant is nil with an error, which is an *Error.
func (a *Authenticator) Authenticate(token string, now time.Time) (*Grant, error) {
	if err := check(token); err != nil {
		return nil, err
	}
	signed := looksSigned(token)
	var key digest
	if signed {
		key = a.plainHash(token)
		if known, ok := a.seen.verified(key); ok {
			return known.at(now)
		}
	}
	if key, ok := a.accessKeys[a.hash(token)]; ok {
		return key.at(now)
	}
	if !signed {
		return nil, a.unknown
	}
	if refusal := a.seen.refusal(key, now); refusal != nil {
		return nil, refusal
	}
	known, refusal := a.verify(token, now)
	switch {
	case refusal == nil:
		a.seen.remember(key, known, now)
		return &known.grant, nil
	case refusal.Reason == BadSignature:
		a.seen.refuse(key, refusal, now)
	}
	return nil, refusal
}

// at returns the grant of a key that is good now.
func (k *accessKey) at(now time.Time) (*Grant, error) {
	if !k.expiresAt.IsZero() && !now.Before(k.expiresAt) {
		return nil, &Error{Reason: Expired, Message: "the access key has expired: ask for a new one"}
	}
	return &k.grant, nil
}

// hash is the HMAC-SHA-256 under which access keys are stored.
func (a *Authenticator) hash(token string) digest {
	h, ok := a.hashers.Get().(*hasher)
	if !ok {
		return digest{}
	}
	defer a.hashers.Put(h)
	h.Reset()
	h.text = append(h.text[:0], token...)
	_, _ = h.Write(h.text) // A hash never fails.
	clear(h.text)
	h.Sum(h.sum[:0])
	return h.sum
}

// plainHash is the SHA-256 under which tokens are remembered.
func (a *Authenticator) plainHash(token string) digest {
	h, ok := a.hashers.Get().(*hasher)
	if !ok {
		return digest{}
	}
	defer a.hashers.Put(h)
	h.text = append(h.text[:0], token...)
	sum := sha256.Sum256(h.text)
	clear(h.text)
	return sum
}

// looksSigned tells whether a token has the shape of a JSON Web Token, whose first part is always an object.
func looksSigned(token string) bool {
	return strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2
}
