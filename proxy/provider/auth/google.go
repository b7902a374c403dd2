package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// scope of the tokens.
	scope = "https://www.googleapis.com/auth/cloud-platform"
	// grant is how a service account asks.
	grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	// assertionLife is how long the question is valid.
	assertionLife = time.Hour
	// renewAhead is how long before its end a token is replaced in the background.
	renewAhead = 10 * time.Minute
	// unsafeEnd is how long before its end a token is not sent any more.
	unsafeEnd = 30 * time.Second
	// retryPause is how long a failure to renew a token that is still good is left at that, and failPause how long one that leaves no token is.
	retryPause = 30 * time.Second
	failPause  = 2 * time.Second
	// fetchLimit is how long asking for a token may take.
	fetchLimit = 20 * time.Second
	// maxTokenAnswer bounds the answer.
	maxTokenAnswer = 64 << 10
	// unusedLimit is how long a source that nobody asks is kept.
	unusedLimit = 3 * time.Hour
)

// TokenError tells that no token was to be had.
type TokenError struct {
	// Status of the answer; 0 when there was none.
	Status int
	// Code is OAuth's word for the refusal, such as invalid_grant; empty when there is none.
	Code string
	// Err is why there was no answer, or none that can be used; nil otherwise.
	Err error
}

// Error implements error.
func (e *TokenError) Error() string {
	switch {
	case e.Err != nil:
		return "asking for a token: " + e.Err.Error()
	case e.Code != "":
		return fmt.Sprintf("the token endpoint refused with %s (status %d)", e.Code, e.Status)
	default:
		return fmt.Sprintf("the token endpoint answered with status %d", e.Status)
	}
}

// Unwrap returns Err.
func (e *TokenError) Unwrap() error { return e.Err }

// Refused tells that the key is not good, rather than that the token endpoint cannot be reached or is failing.
func (e *TokenError) Refused() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusBadRequest && (e.Code == "invalid_grant" || e.Code == "invalid_client")
}

// bearer sends the tokens of a source.
type bearer struct {
	source    *source
	transport http.RoundTripper
}

// Authorize implements Authorizer.
func (b *bearer) Authorize(ctx context.Context, req *http.Request, _ []byte) error {
	token, err := b.source.token(ctx, b.transport)
	if err != nil {
		return err
	}
	req.Header["Authorization"] = []string{"Bearer " + token}
	return nil
}

// source gets the tokens of one service account. At most one question is under way.
type source struct {
	account *ServiceAccount
	now     func() time.Time

	mutex   sync.Mutex
	current issued
	// failure is how the last question ended, nil if that was well; until retryAt there is no other one.
	failure error
	retryAt time.Time
	// asking is the question under way; nil when there is none.
	asking *question
	used   time.Time
}

// issued is a token.
type issued struct {
	text string
	ends time.Time
}

// question is one that is under way.
type question struct {
	done chan struct{}
	got  issued
	err  error
}

// source returns the source of an account, and drops those that nobody has used for long.
func (k *Keeper) source(fingerprint string, account *ServiceAccount) *source {
	now := k.now()
	k.mutex.Lock()
	defer k.mutex.Unlock()
	for known, s := range k.sources {
		if known != fingerprint && s.unusedSince(now.Add(-unusedLimit)) {
			delete(k.sources, known)
		}
	}
	if known, ok := k.sources[fingerprint]; ok {
		return known
	}
	fresh := &source{account: account, now: k.now, used: now}
	k.sources[fingerprint] = fresh
	return fresh
}

func (s *source) unusedSince(limit time.Time) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.used.Before(limit)
}

// token returns a token that is good for a while. One that ends soon is renewed without anybody waiting for it.
func (s *source) token(ctx context.Context, transport http.RoundTripper) (string, error) {
	s.mutex.Lock()
	now := s.now()
	s.used = now
	left := s.current.ends.Sub(now)
	if s.asking == nil && left < renewAhead && !now.Before(s.retryAt) {
		s.asking = &question{done: make(chan struct{})}
		// The answer serves others too, and outlives the request that needs it first.
		go s.ask(context.WithoutCancel(ctx), transport, s.asking)
	}
	current, asking, failure := s.current, s.asking, s.failure
	s.mutex.Unlock()
	switch {
	case left >= unsafeEnd:
		return current.text, nil
	case asking == nil:
		return "", failure
	}
	select {
	case <-asking.done:
		return asking.got.text, asking.err
	case <-ctx.Done():
		return "", &TokenError{Err: ctx.Err()}
	}
}

// ask answers a question.
func (s *source) ask(ctx context.Context, transport http.RoundTripper, q *question) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	q.got, q.err = s.fetch(ctx, transport)
	s.mutex.Lock()
	s.failure, s.asking = q.err, nil
	now := s.now()
	switch {
	case q.err == nil:
		s.current = q.got
	case s.current.ends.Sub(now) < unsafeEnd:
		s.retryAt = now.Add(failPause)
	default:
		s.retryAt = now.Add(retryPause)
	}
	s.mutex.Unlock()
	close(q.done)
}

// fetch asks for a token. A redirect is an answer like any other.
func (s *source) fetch(ctx context.Context, transport http.RoundTripper) (issued, error) {
	asked := s.now()
	assertion, err := s.account.assert(asked)
	if err != nil {
		return issued{}, &TokenError{Err: errors.New("signing with the account's key failed")}
	}
	form := url.Values{"grant_type": {grant}, "assertion": {assertion}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.account.TokenURI, strings.NewReader(form))
	if err != nil {
		return issued{}, &TokenError{Err: errors.New("token_uri is not a URL")}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "signalbox")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return issued{}, &TokenError{Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer))
	if err != nil {
		return issued{}, &TokenError{Status: resp.StatusCode, Err: errors.New("the answer was cut off")}
	}
	return readToken(resp.StatusCode, body, asked)
}

// readToken reads the answer of a token endpoint.
func readToken(status int, body []byte, asked time.Time) (issued, error) {
	var answer struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
		Code    string `json:"error"`
	}
	err := json.Unmarshal(body, &answer)
	switch {
	case status != http.StatusOK && err == nil && plainWord(answer.Code):
		return issued{}, &TokenError{Status: status, Code: answer.Code}
	case status != http.StatusOK:
		return issued{}, &TokenError{Status: status}
	case err != nil || !sendable(answer.Token) || answer.Seconds <= 0:
		return issued{}, &TokenError{Status: status, Err: errors.New("the answer holds no token")}
	}
	life := time.Duration(min(answer.Seconds, int64(assertionLife/time.Second))) * time.Second
	return issued{text: answer.Token, ends: asked.Add(life)}, nil
}

// plainWord tells whether a text is one of OAuth's error codes, so that it can be repeated.
func plainWord(text string) bool {
	return text != "" && len(text) <= 64 && !strings.ContainsFunc(text, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
}

// sendable tells whether a token can stand in a header.
func sendable(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// assert signs the question for a token.
func (a *ServiceAccount) assert(now time.Time) (string, error) {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if a.keyID != "" {
		options = options.WithHeader(jose.HeaderKey("kid"), a.keyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: a.key}, options)
	if err != nil {
		return "", err
	}
	claims := struct {
		Issuer   string `json:"iss"`
		Scope    string `json:"scope"`
		Audience string `json:"aud"`
		IssuedAt int64  `json:"iat"`
		Expiry   int64  `json:"exp"`
	}{a.Email, scope, a.TokenURI, now.Unix(), now.Add(assertionLife).Unix()}
	return jwt.Signed(signer).Claims(claims).Serialize()
}
