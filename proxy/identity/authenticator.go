package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// digest is a hash of a token.
type digest [sha256.Size]byte

// Authenticator recognises the callers of one table. It may be used from many goroutines.
type Authenticator struct {
	accessKeys map[digest]string
	hashers    sync.Pool
	issuers    []issuer
	verified   cache
	problems   []error
}

// New returns the authenticator of a table. What cannot be used of the table is left out and told by Problems.
func New(t *table.Table) *Authenticator {
	a := &Authenticator{
		accessKeys: make(map[digest]string, len(t.AccessKeys)),
		verified:   cache{tokens: map[digest]verified{}},
	}
	salt := append([]byte(nil), t.AccessKeySalt...)
	a.hashers.New = func() any { return hmac.New(sha256.New, salt) }
	a.readAccessKeys(t)
	for _, entry := range t.Issuers {
		trusted, err := newIssuer(entry)
		if err != nil {
			a.problems = append(a.problems, fmt.Errorf("reading the keys of issuer %s: %w", entry.URL, err))
			continue
		}
		a.issuers = append(a.issuers, trusted)
	}
	return a
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
			a.accessKeys[digest(key.HMAC)] = key.Name
		}
	}
}

// Problems tells what of the table cannot be used. Everything else works.
func (a *Authenticator) Problems() []error { return a.problems }

// Authenticate recognises the caller by a token. The error is an *Error.
func (a *Authenticator) Authenticate(token string, now time.Time) (Caller, error) {
	if err := check(token); err != nil {
		return Caller{}, err
	}
	signed := looksSigned(token)
	var key digest
	if signed {
		key = sha256.Sum256([]byte(token))
		if known, ok := a.verified.get(key); ok {
			return known.at(now)
		}
	}
	if name, ok := a.accessKeys[a.hash(token)]; ok {
		return Caller{Kind: AccessKey, Name: name}, nil
	}
	if !signed {
		return Caller{}, &Error{Reason: UnknownKey, Message: "the access key is not known here"}
	}
	known, err := a.verify(token)
	if err != nil {
		return Caller{}, err
	}
	caller, err := known.at(now)
	if err == nil {
		a.verified.put(key, known, now)
	}
	return caller, err
}

// hash is the HMAC-SHA-256 under which access keys are stored.
func (a *Authenticator) hash(token string) digest {
	hasher, ok := a.hashers.Get().(hash.Hash)
	if !ok {
		return digest{}
	}
	defer a.hashers.Put(hasher)
	hasher.Reset()
	_, _ = hasher.Write([]byte(token)) // A hash never fails.
	var sum digest
	hasher.Sum(sum[:0])
	return sum
}

// looksSigned tells whether a token has the shape of a JSON Web Token, whose first part is always an object.
func looksSigned(token string) bool {
	return strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2
}
