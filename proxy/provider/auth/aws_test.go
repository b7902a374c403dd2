package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/table"
)

const secretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// verify recomputes a signature from what is on the wire, as AWS describes it: the path is escaped once more, and the signed headers are those that the
// signature names.
func verify(t *testing.T, req *http.Request, body string) {
	t.Helper()
	given := req.Header.Get("Authorization")
	_, rest, _ := strings.Cut(given, "SignedHeaders=")
	names, signature, _ := strings.Cut(rest, ", Signature=")
	var path strings.Builder
	for segment := range strings.SplitSeq(strings.TrimPrefix(req.URL.EscapedPath(), "/"), "/") {
		path.WriteString("/" + strings.ReplaceAll(url.QueryEscape(segment), "+", "%20"))
	}
	lines := []string{req.Method, path.String(), req.URL.RawQuery}
	for name := range strings.SplitSeq(names, ";") {
		value := req.Header.Get(name)
		switch name {
		case "host":
			value = req.URL.Host
		case "content-length":
			value = "14"
		}
		lines = append(lines, name+":"+value)
	}
	lines = append(lines, "", names, sha256Hex(body))
	scope := "20260304/eu-central-1/bedrock/aws4_request"
	if want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" + scope + ", "; !strings.HasPrefix(given, want) {
		t.Errorf("authorization %q", given)
	}
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", "20260304T120000Z", scope, sha256Hex(strings.Join(lines, "\n"))}, "\n")
	key := []byte("AWS4" + secretKey)
	for _, part := range strings.Split(scope, "/") {
		key = sign(key, part)
	}
	if want := hex.EncodeToString(sign(key, toSign)); signature != want {
		t.Errorf("signature %s, want %s", signature, want)
	}
	for _, name := range []string{"host", "x-amz-date"} {
		if !slices.Contains(strings.Split(names, ";"), name) {
			t.Errorf("%s is not signed", name)
		}
	}
}

func TestSignsForAWS(t *testing.T) {
	const body = `{"messages":1}`
	cases := map[string]struct {
		model, token string
	}{
		"plain":         {model: "amazon.nova-pro"},
		"colon":         {model: "eu.anthropic.claude-sonnet-4-5-v1:0"},
		"ARN":           {model: "arn:aws:bedrock:eu-central-1:1:inference-profile/x y"},
		"session token": {model: "m", token: "FwoGZXIvYXdzE/+="},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			vendor := lookup(t, "AWSBedrock")
			credential := &table.Credential{Region: "eu-central-1"}
			key := &table.Key{Kind: table.AWSKey, Value: secretKey, AWS: &table.AWSKeyPair{AccessKeyID: "AKIDEXAMPLE", SessionToken: tc.token}}
			authorizer, err := auth.NewKeeper(auth.Options{Now: fixed}).Authorizer(vendor, credential, key, noNetwork(t))
			if err != nil {
				t.Fatal(err)
			}
			if _, static := authorizer.(auth.Static); static {
				t.Error("a signature is the same for every request")
			}
			offer, _ := vendor.Choose(neutral.Converse, tc.model, "")
			address, err := vendor.Address(provider.AccountOf(credential), offer, tc.model, true)
			if err != nil {
				t.Fatal(err)
			}
			req := newRequest(t, address.String(), body)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("User-Agent", "signalbox")
			if err := authorizer.Authorize(t.Context(), req, []byte(body)); err != nil {
				t.Fatal(err)
			}
			verify(t, req, body)
			if got := req.Header.Get("X-Amz-Security-Token"); got != tc.token {
				t.Errorf("session token %q", got)
			}
		})
	}
}
