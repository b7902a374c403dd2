package auth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/table"
)

const tokenURI = "https://oauth2.test/token"

// weakKey is an RSA key of 1024 bits, which nothing else uses.
const weakKey = `-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQC93lf2rJf6jy8uk/TOcRa214ABcKFGQRsHa9cS4qFmlfr+at9C
hcwhkv/pAIjfmkwfUGjrLdN9rpU1Ls0SbBSjV/Gygvgruq31Wpn8ZbHcdOgD9jAp
tc/BkzX4WeL4k8evdIq9Fbb/6I0OCrWpo0J3kCpdSOC+ggu/nOFNVuEfuQIDAQAB
AoGAUxtViWV2iHfQASVGDG63sISXRQoVrXil6hOr6lpEp3CSknYZDzcdaLy9QzG2
t5kEJNi/c+F1JxgZu1Om859XUH8SMkiAlpnsK+HGol1B9+pYTIXZFq49+GvasZB+
swl8dgFNH0FWBRoTbUJXNvwhgfyWgpHMWuN0F5jdmlfOReECQQDfkPC8hO/P3MuL
IntCkAA4EtO94w157f8QCUMvp4LkE0tPj8NMYKlElOC6e0axukm3yuNiloD9Vp5f
zssjQRFVAkEA2WnmrfRN1R/Stec7/k7YgSeWOO3rfu6/X2V9HDybLyotcO7nvNT8
qm0EzK5RbBMp6u5OiwFAgDNznkzBTRbk1QJBAK+FfsuzXwgF5DP3PWiT3+gmN+Fk
Kodo6BCyBPKcBDKGR2FOkFkdpqc2b31ZHbaZeBj5DC6x1NGROMQleezSwAUCQQDN
iLQvV3oNNVx54vRwYhGDZ+04PJQZF5OLl+JCw3jhiboTvYcOmTuT0iRra5BF34gN
NOTDvJdBm2J+EIndWvtRAkAHiO1IrBc5DyI9yCCEi4pLFz3hQk2aKiXvJF1e0GoN
3gz68u+HbGhW0Km+xU4iKJmpC8yNRWdJ7Ob9GmsjAcpm
-----END RSA PRIVATE KEY-----
`

// accountKey makes the key of a service account, once for all tests.
var accountKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := accountKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// keyFile is the key file of a service account, with edits.
func keyFile(t testing.TB, edits map[string]string) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(rsaKey(t))
	if err != nil {
		t.Fatal(err)
	}
	file := map[string]string{
		"type": "service_account", "client_email": "bot@acme.iam.gserviceaccount.com", "private_key_id": "key-7", "token_uri": tokenURI,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}
	for name, value := range edits {
		file[name] = value
	}
	raw, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// google is a token endpoint that gives out tokens by number. It refuses questions that are not signed.
type google struct {
	t     *testing.T
	mutex sync.Mutex
	asked int
	// reply, where it is set, answers in its place.
	reply func(*http.Request) (*http.Response, error)
}

func (g *google) RoundTrip(req *http.Request) (*http.Response, error) {
	g.mutex.Lock()
	g.asked++
	number, reply := g.asked, g.reply
	g.mutex.Unlock()
	g.check(req)
	if reply != nil {
		return reply(req)
	}
	return answer(http.StatusOK, fmt.Sprintf(`{"access_token":"token-%d","expires_in":3600,"token_type":"Bearer"}`, number)), nil
}

func (g *google) check(req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		g.t.Error(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || req.Method != http.MethodPost || req.URL.String() != tokenURI || form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		g.t.Errorf("asked %s %s %q", req.Method, req.URL, body)
	}
	signed, err := jose.ParseSignedCompact(form.Get("assertion"), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		g.t.Error(err)
		return
	}
	raw, err := signed.Verify(&rsaKey(g.t).PublicKey)
	if err != nil {
		g.t.Error(err)
	}
	// The library dates questions back, for clocks that are behind.
	now := time.Now().Unix() - 10
	want := map[string]any{
		"iss": "bot@acme.iam.gserviceaccount.com", "aud": tokenURI, "scope": "https://www.googleapis.com/auth/cloud-platform",
		"iat": float64(now), "exp": float64(now + 3600),
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		g.t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		g.t.Errorf("claims (-want +got):\n%s", diff)
	}
	if signed.Signatures[0].Header.KeyID != "key-7" {
		g.t.Errorf("key id %q", signed.Signatures[0].Header.KeyID)
	}
}

func (g *google) answers(reply func(*http.Request) (*http.Response, error)) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.reply = reply
}

func (g *google) count() int {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.asked
}

func googleKey(t *testing.T) *table.Key {
	return &table.Key{Name: "google", Kind: table.GoogleKey, Value: keyFile(t, nil), Fingerprint: "f1"}
}

func authorizer(t *testing.T, keeper *auth.Keeper, transport http.RoundTripper) auth.Authorizer {
	t.Helper()
	made, err := keeper.Authorizer(lookup(t, "VertexAI"), &table.Credential{}, googleKey(t), transport)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// token authorizes one request and returns the token that it got.
func token(t *testing.T, a auth.Authorizer) (string, error) {
	t.Helper()
	req := newRequest(t, "https://vertex.test/", "")
	err := a.Authorize(t.Context(), req, nil)
	return strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "), err
}

func wantToken(t *testing.T, a auth.Authorizer, want string) {
	t.Helper()
	if got, err := token(t, a); err != nil || got != want {
		t.Errorf("token %q, %v; want %q", got, err, want)
	}
}

// pass lets time pass on the clock of the test.
func pass(d time.Duration) { <-time.After(d) }

// A token serves all requests until shortly before its end, then it is renewed in the background.
func TestTokensAreRenewedInTime(t *testing.T) {
	rsaKey(t)
	synctest.Test(t, func(t *testing.T) {
		endpoint := &google{t: t}
		keeper := auth.NewKeeper(auth.Options{})
		vertex := authorizer(t, keeper, endpoint)
		wantToken(t, vertex, "token-1")
		pass(44 * time.Minute)
		wantToken(t, vertex, "token-1")
		if endpoint.count() != 1 {
			t.Errorf("asked %d times", endpoint.count())
		}
		pass(7 * time.Minute)
		wantToken(t, vertex, "token-1")
		synctest.Wait()
		wantToken(t, vertex, "token-2")
		// A new routing table with the same key finds the token again.
		wantToken(t, authorizer(t, keeper, noNetwork(t)), "token-2")
		// The newest table says how tokens are fetched, for those of older ones as well: its rules may have closed an address.
		authorizer(t, keeper, endpoint)
		pass(2 * time.Hour)
		wantToken(t, vertex, "token-3")
	})
}

func TestOneQuestionForManyRequests(t *testing.T) {
	rsaKey(t)
	synctest.Test(t, func(t *testing.T) {
		endpoint := &google{t: t}
		release := make(chan struct{})
		endpoint.answers(func(*http.Request) (*http.Response, error) {
			<-release
			return answer(http.StatusOK, `{"access_token":"shared","expires_in":3600}`), nil
		})
		vertex := authorizer(t, auth.NewKeeper(auth.Options{}), endpoint)
		var requests sync.WaitGroup
		for range 20 {
			requests.Go(func() { wantToken(t, vertex, "shared") })
		}
		synctest.Wait()
		close(release)
		requests.Wait()
		if endpoint.count() != 1 {
			t.Errorf("asked %d times", endpoint.count())
		}
	})
}

// An endpoint that does not answer holds up nobody but those who need its token, and them no longer than their own patience.
func TestStuckEndpoint(t *testing.T) {
	rsaKey(t)
	synctest.Test(t, func(t *testing.T) {
		stuck := &google{t: t}
		stuck.answers(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		keeper := auth.NewKeeper(auth.Options{})
		vertex := authorizer(t, keeper, stuck)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := vertex.Authorize(ctx, newRequest(t, "https://vertex.test/", ""), nil)
		if waited := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || waited != time.Second {
			t.Errorf("error %v after %s", err, waited)
		}
		other := googleKey(t)
		other.Fingerprint = "f2"
		second, err := keeper.Authorizer(lookup(t, "VertexAI"), &table.Credential{}, other, &google{t: t})
		if err != nil {
			t.Fatal(err)
		}
		wantToken(t, second, "token-1")
		if _, err := token(t, vertex); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if waited := time.Since(began); waited != 20*time.Second {
			t.Errorf("asking was given up after %s", waited)
		}
	})
}

// While a token is good, failing to renew it harms nobody, and is not tried again at once; without a token the failure is told at once for a moment.
func TestFailuresArePaced(t *testing.T) {
	rsaKey(t)
	synctest.Test(t, func(t *testing.T) {
		endpoint := &google{t: t}
		vertex := authorizer(t, auth.NewKeeper(auth.Options{}), endpoint)
		wantToken(t, vertex, "token-1")
		endpoint.answers(func(*http.Request) (*http.Response, error) {
			return answer(http.StatusServiceUnavailable, "<html>"), nil
		})
		pass(51 * time.Minute)
		for range 3 {
			wantToken(t, vertex, "token-1")
			synctest.Wait()
		}
		if endpoint.count() != 2 {
			t.Errorf("asked %d times", endpoint.count())
		}
		pass(31 * time.Second)
		wantToken(t, vertex, "token-1")
		synctest.Wait()
		if endpoint.count() != 3 {
			t.Errorf("asked %d times", endpoint.count())
		}
		pass(8 * time.Minute)
		for range 3 {
			var failure *auth.TokenError
			if _, err := token(t, vertex); !errors.As(err, &failure) || failure.Status != http.StatusServiceUnavailable {
				t.Errorf("error %v", err)
			}
		}
		if endpoint.count() != 4 {
			t.Errorf("asked %d times", endpoint.count())
		}
		endpoint.answers(nil)
		pass(3 * time.Second)
		wantToken(t, vertex, "token-5")
	})
}

func TestTokenAnswers(t *testing.T) {
	refused := errors.New("dialling is not allowed")
	cases := map[string]struct {
		status  int
		body    string
		err     error
		says    string
		refused bool
	}{
		"revoked":           {status: 400, body: `{"error":"invalid_grant","error_description":"secret"}`, says: "invalid_grant (status 400)", refused: true},
		"unknown account":   {status: 401, body: `{"error":"invalid_client"}`, says: "invalid_client (status 401)", refused: true},
		"other complaint":   {status: 400, body: `{"error":"invalid_scope"}`, says: "invalid_scope (status 400)"},
		"code with secrets": {status: 400, body: `{"error":"Secret 7"}`, says: "answered with status 400"},
		"code too long":     {status: 400, body: `{"error":"` + strings.Repeat("a", 65) + `"}`, says: "answered with status 400"},
		"outage":            {status: 503, body: "secret", says: "answered with status 503"},
		"redirect":          {status: 302, body: "", says: "answered with status 302"},
		"web page":          {status: 200, body: "<html>secret", says: "holds no token"},
		"no token":          {status: 200, body: `{"expires_in":3600}`, says: "holds no token"},
		"token with breaks": {status: 200, body: `{"access_token":"secret\r\nX: y","expires_in":3600}`, says: "holds no token"},
		"token without end": {status: 200, body: `{"access_token":"secret"}`, says: "holds no token"},
		"endless answer":    {status: 200, body: `{"access_token":"` + strings.Repeat("secret", 20000) + `","expires_in":3600}`, says: "too long"},
		"endless token":     {status: 200, body: `{"access_token":"` + strings.Repeat("secret", 4000) + `","expires_in":3600}`, says: "holds no token"},
		"token of the past": {status: 200, body: `{"access_token":"secret","expires_in":-5}`, says: "holds no token"},
		"forbidden":         {status: 403, body: "secret", says: "answered with status 403", refused: true},
		"not to be reached": {err: refused, says: "dialling is not allowed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			transport := sender(func(*http.Request) (*http.Response, error) {
				if tc.err != nil {
					return nil, tc.err
				}
				return answer(tc.status, tc.body), nil
			})
			_, err := token(t, authorizer(t, auth.NewKeeper(auth.Options{}), transport))
			var failure *auth.TokenError
			if !errors.As(err, &failure) {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "ecret") {
				t.Errorf("error %q, want %q", err, tc.says)
			}
			if failure.Refused() != tc.refused || failure.Status != tc.status {
				t.Errorf("refused %v, status %d", failure.Refused(), failure.Status)
			}
			if tc.err != nil && !errors.Is(err, tc.err) {
				t.Error("the error does not tell its cause")
			}
		})
	}
}

// Tokens that live for less than a moment are used by who waits for them, and those that claim to live for days are not trusted for so long.
func TestOddLifetimes(t *testing.T) {
	rsaKey(t)
	synctest.Test(t, func(t *testing.T) {
		seconds, number := 10, 0
		transport := sender(func(*http.Request) (*http.Response, error) {
			number++
			return answer(http.StatusOK, fmt.Sprintf(`{"access_token":"t%d","expires_in":%d}`, number, seconds)), nil
		})
		vertex := authorizer(t, auth.NewKeeper(auth.Options{}), transport)
		wantToken(t, vertex, "t1")
		wantToken(t, vertex, "t2")
		seconds = 1 << 30
		wantToken(t, vertex, "t3")
		wantToken(t, vertex, "t3")
		pass(12 * time.Hour)
		wantToken(t, vertex, "t4")
	})
}

func TestSourcesThatNobodyUsesAreDropped(t *testing.T) {
	rsaKey(t)
	synctest.Test(t, func(t *testing.T) {
		endpoint := &google{t: t}
		keeper := auth.NewKeeper(auth.Options{})
		wantToken(t, authorizer(t, keeper, endpoint), "token-1")
		pass(4 * time.Hour)
		other := googleKey(t)
		other.Fingerprint = "f2"
		if _, err := keeper.Authorizer(lookup(t, "VertexAI"), &table.Credential{}, other, endpoint); err != nil {
			t.Fatal(err)
		}
		if got := keeper.Known(); got != 1 {
			t.Errorf("%d sources are kept", got)
		}
	})
}

func TestParseServiceAccount(t *testing.T) {
	inPEM := func(kind string, der []byte) map[string]string {
		return map[string]string{"private_key": string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))}
	}
	cases := map[string]struct {
		raw  string
		want string
	}{
		"good":             {raw: keyFile(t, nil)},
		"older form":       {raw: keyFile(t, inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey(t))))},
		"no key id":        {raw: keyFile(t, map[string]string{"private_key_id": ""})},
		"not JSON":         {"sk-1", "is not the key file"},
		"list":             {"[]", "is not the key file"},
		"user credentials": {keyFile(t, map[string]string{"type": "authorized_user"}), "is not of the type"},
		"no name":          {keyFile(t, map[string]string{"client_email": ""}), "lacks client_email"},
		"no address":       {keyFile(t, map[string]string{"token_uri": ""}), "lacks client_email, private_key or token_uri"},
		"no key":           {keyFile(t, map[string]string{"private_key": ""}), "lacks client_email, private_key"},
		"not PEM":          {keyFile(t, map[string]string{"private_key": "secret"}), "not in PEM"},
		"not a key":        {keyFile(t, inPEM("PRIVATE KEY", []byte("secret"))), "no RSA key"},
		"weak key":         {keyFile(t, map[string]string{"private_key": weakKey}), "fewer than 2048 bits"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			account, err := auth.ParseServiceAccount([]byte(tc.raw))
			if tc.want == "" {
				if err != nil || account.Email != "bot@acme.iam.gserviceaccount.com" || account.TokenURI != tokenURI {
					t.Errorf("got %+v, %v", account, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func FuzzParseServiceAccount(f *testing.F) {
	f.Add([]byte(keyFile(f, nil)))
	f.Add([]byte(`{"type":"service_account","client_email":"a","private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----","token_uri":"b"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		account, err := auth.ParseServiceAccount(raw)
		if err == nil && (account.Email == "" || account.TokenURI == "") {
			t.Errorf("%+v", account)
		}
	})
}
