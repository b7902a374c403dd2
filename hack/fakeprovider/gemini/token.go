package gemini

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

const (
	// issued begins what the token endpoint gives out.
	issued        = "fake-access-"
	tokenLifetime = time.Hour
	grantType     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	// clockSkew is how far an assertion's times may be off.
	clockSkew = 5 * time.Minute
)

// tokens is the token endpoint, which speaks OAuth.
type tokens struct{ place }

// Head has no model and no key.
func (tokens) Head(*http.Request, []byte) core.Head { return core.Head{} }

// Authenticate lets everyone in: the assertion is what proves who asks.
func (tokens) Authenticate(*core.Exchange) *core.Refusal { return nil }

// ErrorBody is an OAuth error.
func (tokens) ErrorBody(_ *core.Exchange, refused *core.Refusal, _ http.Header) []byte {
	return core.Encode(map[string]string{"error": refused.Body.Type, "error_description": refused.Body.Message})
}

// claims are what an assertion says.
type claims struct {
	Issuer   string `json:"iss"`
	Scope    string `json:"scope"`
	Audience string `json:"aud"`
	Expiry   int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
}

// token answers an assertion with an access token.
func token(x *core.Exchange) error {
	form, err := url.ParseQuery(string(x.Body))
	if err != nil || form.Get("grant_type") != grantType {
		return core.Refuse(http.StatusBadRequest, "unsupported_grant_type", "Invalid grant_type: %s", form.Get("grant_type"))
	}
	c, ok := verify(form.Get("assertion"), x.ServiceAccount().Public())
	if !ok {
		return core.Refuse(http.StatusBadRequest, "invalid_grant", "Invalid JWT Signature.")
	}
	made, expires := time.Unix(c.IssuedAt, 0), time.Unix(c.Expiry, 0)
	switch {
	case c.Issuer != core.ServiceAccountEmail:
		return core.Refuse(http.StatusBadRequest, "invalid_grant", "Invalid grant: account not found")
	case !strings.HasSuffix(c.Audience, "://"+x.R.Host+x.R.URL.Path):
		return core.Refuse(http.StatusBadRequest, "invalid_grant", "Invalid JWT: Failed audience check")
	case !strings.Contains(c.Scope, "https://www.googleapis.com/auth/cloud-platform"):
		return core.Refuse(http.StatusBadRequest, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
	case made.After(x.Now().Add(clockSkew)), expires.Before(x.Now()), expires.Sub(made) > tokenLifetime:
		return core.Refuse(http.StatusBadRequest, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.")
	}
	until := strconv.FormatInt(x.Now().Add(tokenLifetime).Unix(), 10)
	return x.Plain(map[string]any{
		"access_token": issued + core.Seal(core.SealGemini, until), "expires_in": int(tokenLifetime.Seconds()) - 1, "token_type": "Bearer",
	}, 0, nil)
}

// tokenHolds tells whether the token endpoint gave the token less than its lifetime ago.
func tokenHolds(access string, now time.Time) bool {
	until, ok := core.Unseal(core.SealGemini, strings.TrimPrefix(access, issued))
	seconds, err := strconv.ParseInt(until, 10, 64)
	return ok && err == nil && now.Before(time.Unix(seconds, 0))
}

// verify checks an RS256 signature and returns what it signs.
func verify(assertion string, key *rsa.PublicKey) (claims, bool) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return claims{}, false
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	var c claims
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !decodePart(parts[0], &header) || !decodePart(parts[1], &c) || header.Algorithm != "RS256" {
		return claims{}, false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return c, rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
}

func decodePart(part string, out any) bool {
	data, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(data, out) == nil
}
