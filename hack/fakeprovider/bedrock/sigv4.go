package bedrock

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	// secretPrefix makes the secret out of the access key's id.
	secretPrefix = "secret-of-"
	timeForm     = "20060102T150405Z"
	maxAge       = 5 * time.Minute
)

// authorization is the header of a signed request.
type authorization struct {
	keyID, date, region, service string
	headers                      []string
	signature                    string
}

func parseAuthorization(value string) (authorization, bool) {
	rest, ok := strings.CutPrefix(value, algorithm+" ")
	if !ok {
		return authorization{}, false
	}
	var a authorization
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			scope := strings.Split(value, "/")
			if len(scope) != 5 || scope[4] != "aws4_request" {
				return a, false
			}
			a.keyID, a.date, a.region, a.service = scope[0], scope[1], scope[2], scope[3]
		case "SignedHeaders":
			a.headers = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		}
	}
	return a, a.keyID != "" && a.signature != "" && len(a.headers) > 0
}

// checkSignature computes the signature anew.
func checkSignature(x *core.Exchange, a authorization) *core.Refusal {
	at, err := time.Parse(timeForm, x.R.Header.Get("X-Amz-Date"))
	switch {
	case a.service != "bedrock":
		return core.Refuse(http.StatusForbidden, "InvalidSignatureException", "Credential should be scoped to correct service: 'bedrock'. ")
	case err != nil || !strings.HasPrefix(x.R.Header.Get("X-Amz-Date"), a.date):
		return core.Refuse(http.StatusForbidden, "InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
	case at.Before(x.Now().Add(-maxAge)), at.After(x.Now().Add(maxAge)):
		return core.Refuse(http.StatusForbidden, "InvalidSignatureException", "Signature expired: %s is now earlier than %s", at.Format(timeForm), x.Now().UTC().Add(-maxAge).Format(timeForm))
	}
	for _, needed := range []string{"host", "x-amz-date"} {
		if !slices.Contains(a.headers, needed) {
			return core.Refuse(http.StatusForbidden, "InvalidSignatureException", "'%s' must be a 'SignedHeader' in the AWS Authorization.", needed)
		}
	}
	if x.R.Header.Get("X-Amz-Security-Token") != "" && !slices.Contains(a.headers, "x-amz-security-token") {
		return core.Refuse(http.StatusForbidden, "InvalidSignatureException", "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.")
	}
	scope := strings.Join([]string{a.date, a.region, a.service, "aws4_request"}, "/")
	canonical := sha256.Sum256([]byte(canonicalRequest(x, a.headers)))
	toSign := strings.Join([]string{algorithm, at.UTC().Format(timeForm), scope, hex.EncodeToString(canonical[:])}, "\n")
	key := []byte("AWS4" + secretPrefix + a.keyID)
	for _, part := range []string{a.date, a.region, a.service, "aws4_request", toSign} {
		key = sum(key, part)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(key)), []byte(a.signature)) {
		return core.Refuse(http.StatusForbidden, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

func sum(key []byte, data string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(data)) // a hash never returns an error
	return mac.Sum(nil)
}

// canonicalRequest is what was signed: the path is escaped once more than on the wire.
func canonicalRequest(x *core.Exchange, signed []string) string {
	path, _, _ := strings.Cut(x.R.RequestURI, "?")
	body := sha256.Sum256(x.Body)
	var headers strings.Builder
	for _, name := range signed {
		fmt.Fprintf(&headers, "%s:%s\n", name, headerValue(x.R, name))
	}
	return strings.Join([]string{
		x.R.Method, escape(path), canonicalQuery(x.R.URL.Query()), headers.String(), strings.Join(signed, ";"), hex.EncodeToString(body[:]),
	}, "\n")
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := make([]string, 0, 1)
	for _, value := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(value), " "))
	}
	return strings.Join(values, ",")
}

func canonicalQuery(query url.Values) string {
	var parts []string
	for name, values := range query {
		for _, value := range values {
			parts = append(parts, strings.ReplaceAll(url.QueryEscape(name)+"="+url.QueryEscape(value), "+", "%20"))
		}
	}
	sort.Strings(parts)
	return strings.Join(parts, "&")
}

// escape escapes all but unreserved characters and slashes.
func escape(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
