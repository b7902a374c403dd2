package auth_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/table"
)

// sentWith returns what one request is authenticated with: its token, or the session token of its signature.
func sentWith(t *testing.T, a auth.Authorizer) (string, error) {
	t.Helper()
	req := newRequest(t, "https://provider.test/", "")
	err := a.Authorize(t.Context(), req, nil)
	given := req.Header.Get("Authorization")
	if err == nil && given == "" || req.Header.Get("Api-Key") != "" {
		t.Errorf("header %v", req.Header)
	}
	if session := req.Header.Get("X-Amz-Security-Token"); session != "" {
		if !strings.Contains(given, "Credential=ASIA") || !strings.Contains(given, "x-amz-security-token") {
			t.Errorf("signature %q", given)
		}
		return session, err
	}
	return strings.TrimPrefix(given, "Bearer "), err
}

func wantSent(t *testing.T, a auth.Authorizer, want string) {
	t.Helper()
	if got, err := sentWith(t, a); err != nil || got != want {
		t.Errorf("sent with %q, %v; want %q", got, err, want)
	}
}

// Every identity asks its token services as they want it, and its token is renewed behind the back of requests.
func TestIdentities(t *testing.T) {
	cases := map[string]struct {
		first, second string
		// good is a time at which the first token is not renewed yet, and due one at which it is.
		good, due time.Duration
		asks      []string
	}{
		"role of AWS":    {"session-1", "session-2", 47 * time.Minute, 49 * time.Minute, []string{"POST https://sts.eu-central-1.amazonaws.com/"}},
		"agent of EKS":   {"session-1", "session-2", 280 * time.Minute, 290 * time.Minute, []string{"GET http://169.254.170.23/v1/credentials"}},
		"pool of Google": {"federated-1", "federated-2", 47 * time.Minute, 49 * time.Minute, []string{"POST https://sts.googleapis.com/v1/token"}},
		"account": {"account-2", "account-4", 47 * time.Minute, 49 * time.Minute, []string{
			"POST https://sts.googleapis.com/v1/token",
			"POST https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" + actAs + ":generateAccessToken",
		}},
		"secret of Azure": {"entra-1", "entra-2", 47 * time.Minute, 49 * time.Minute, entraQuestions()},
		"Azure":           {"entra-1", "entra-2", 47 * time.Minute, 49 * time.Minute, entraQuestions()},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clouds := &services{}
				keeper := cloudKeeper(ownTokens(giveOwn))
				made := identities()[name].authorizer(t, keeper, clouds)
				wantSent(t, made, tc.first)
				pass(tc.good)
				wantSent(t, made, tc.first)
				synctest.Wait()
				if diff := cmp.Diff(tc.asks, clouds.questions()); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
				pass(tc.due - tc.good)
				wantSent(t, made, tc.first)
				synctest.Wait()
				wantSent(t, made, tc.second)
				wantSent(t, identities()[name].authorizer(t, keeper, noNetwork(t)), tc.second)
			})
		})
	}
}

func entraQuestions() []string {
	return []string{
		"GET https://login.microsoftonline.com/" + tenant + "/v2.0/.well-known/openid-configuration",
		"POST https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/token",
	}
}

// What the token services refuse is told with their word for it and with nothing else of their answer.
func TestRefusals(t *testing.T) {
	cases := map[string]struct {
		identity string
		change   func(*identity)
		says     string
	}{
		"other role":     {"role of AWS", func(i *identity) { i.cloud.RoleARN += "2" }, "sts.eu-central-1.amazonaws.com refused with AccessDenied (status 403)"},
		"other audience": {"role of AWS", func(i *identity) { i.cloud.Audience = "elsewhere" }, "refused with InvalidIdentityToken (status 400)"},
		"other provider": {"pool of Google", func(i *identity) { i.cloud.Provider += "2" }, "sts.googleapis.com refused with invalid_target (status 400)"},
		"other subject":  {"pool of Google", func(i *identity) { i.cloud.Audience += "2" }, "refused with invalid_grant (status 400)"},
		"other account":  {"account", func(i *identity) { i.cloud.ServiceAccount = "x@y" }, "iamcredentials.googleapis.com refused with PERMISSION_DENIED (status 403)"},
		"expired secret": {"secret of Azure", func(i *identity) { i.value = "secret!" }, "login.microsoftonline.com refused with invalid_client AADSTS7000215 (status 401)"},
		"other app":      {"Azure", func(i *identity) { i.cloud.ClientID = "x" }, "refused with unauthorized_client AADSTS700016 (status 400)"},
		"not federated":  {"Azure", func(i *identity) { i.cloud.Audience = "elsewhere" }, "refused with invalid_client AADSTS7000215 (status 401)"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			changed := identities()[tc.identity]
			tc.change(&changed)
			_, err := sentWith(t, changed.authorizer(t, cloudKeeper(ownTokens(giveOwn)), &services{}))
			var failure *auth.TokenError
			if !errors.As(err, &failure) || !failure.Refused() {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "own-") {
				t.Errorf("error %q, want %q", err, tc.says)
			}
		})
	}
}

// Answers that no token service should give harm nobody.
func TestStrangeAnswers(t *testing.T) {
	redirect := func(*http.Request) (*http.Response, error) {
		resp := answer(http.StatusTemporaryRedirect, "secret")
		resp.Header.Set("Location", "https://elsewhere.test/")
		return resp, nil
	}
	elsewhere := func(*http.Request) (*http.Response, error) {
		const base = "https://elsewhere.test/" + tenant
		return answer(http.StatusOK, `{"token_endpoint":"`+base+`/token","authorization_endpoint":"`+base+`/authorize","issuer":"https://login.microsoftonline.com/`+tenant+`/v2.0"}`), nil
	}
	hosts := map[string]string{
		"role of AWS": "sts.eu-central-1.amazonaws.com", "agent of EKS": "169.254.170.23", "pool of Google": "sts.googleapis.com",
		"account": "iamcredentials.googleapis.com", "secret of Azure": "login.microsoftonline.com", "Azure": "login.microsoftonline.com",
	}
	replies := map[string]struct {
		status int
		body   string
		says   string
		// reply answers in place of status and body.
		reply func(*http.Request) (*http.Response, error)
	}{
		"outage":      {status: http.StatusServiceUnavailable, body: "secret", says: "answered with status 503"},
		"too many":    {status: http.StatusTooManyRequests, body: "secret", says: "answered with status 429"},
		"redirect":    {reply: redirect, says: "answered with status 307"},
		"empty":       {status: http.StatusOK, body: "", says: "holds no token"},
		"web page":    {status: http.StatusOK, body: "<html>secret", says: "holds no token"},
		"other JSON":  {status: http.StatusOK, body: `{"secret":[1]}`, says: "holds no token"},
		"endless":     {status: http.StatusOK, body: strings.Repeat("secret", 1<<16), says: "too long"},
		"unreachable": {reply: func(*http.Request) (*http.Response, error) { return nil, errors.New("dialling is not allowed") }, says: "dialling is not allowed"},
	}
	for name := range identities() {
		for kind, tc := range replies {
			t.Run(name+"/"+kind, func(t *testing.T) {
				reply := tc.reply
				if reply == nil {
					reply = func(*http.Request) (*http.Response, error) { return answer(tc.status, tc.body), nil }
				}
				wantFailure(t, name, hosts[name], reply, tc.says)
			})
		}
	}
	t.Run("another host", func(t *testing.T) {
		clouds := wantFailure(t, "secret of Azure", hosts["Azure"], elsewhere, "another host")
		if slices.ContainsFunc(clouds.questions(), func(asked string) bool { return strings.Contains(asked, "elsewhere") }) {
			t.Errorf("asked %v", clouds.questions())
		}
	})
}

// wantFailure authorizes with an identity whose token service replies strangely.
func wantFailure(t *testing.T, name, host string, reply func(*http.Request) (*http.Response, error), says string) *services {
	t.Helper()
	clouds := &services{}
	clouds.fail(host, reply)
	_, err := sentWith(t, identities()[name].authorizer(t, cloudKeeper(ownTokens(giveOwn)), clouds))
	var failure *auth.TokenError
	if !errors.As(err, &failure) || failure.Refused() {
		t.Fatalf("error %v", err)
	}
	if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %q, want %q", err, says)
	}
	return clouds
}

// A cloud whose token service hangs holds up those who need it, as long as they have patience, and nobody else.
func TestOneStuckCloudDelaysNoOther(t *testing.T) {
	rsaKey(t)
	synctest.Test(t, func(t *testing.T) {
		clouds := &services{}
		clouds.fail("sts.googleapis.com", func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		keeper := cloudKeeper(ownTokens(giveOwn))
		began := time.Now()
		stuck := identities()["pool of Google"].authorizer(t, keeper, clouds)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		result := make(chan error, 1)
		go func() { result <- stuck.Authorize(ctx, newRequest(t, "https://provider.test/", ""), nil) }()
		synctest.Wait()
		wantSent(t, identities()["role of AWS"].authorizer(t, keeper, clouds), "session-1")
		wantSent(t, identities()["Azure"].authorizer(t, keeper, clouds), "entra-2")
		wantToken(t, authorizer(t, keeper, &google{t: t}), "token-1")
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the others waited for %s", waited)
		}
		var failure *auth.TokenError
		if err := <-result; !errors.As(err, &failure) || !errors.Is(err, context.DeadlineExceeded) || failure.Refused() || time.Since(began) != 3*time.Second {
			t.Errorf("error %v after %s", err, time.Since(began))
		}
		pass(20 * time.Second)
	})
}

// While a token service is away, what it gave is used on to its end.
func TestOutageOfTokenService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clouds := &services{}
		made := identities()["role of AWS"].authorizer(t, cloudKeeper(ownTokens(giveOwn)), clouds)
		wantSent(t, made, "session-1")
		clouds.fail("sts.eu-central-1.amazonaws.com", func(*http.Request) (*http.Response, error) { return answer(http.StatusBadGateway, ""), nil })
		for range 59 {
			pass(time.Minute)
			wantSent(t, made, "session-1")
			synctest.Wait()
		}
		pass(31 * time.Second)
		if _, err := sentWith(t, made); err == nil {
			t.Error("keys that have ended are used")
		}
	})
}

// Without a token of the proxy's ServiceAccount nobody is asked.
func TestIdentitiesNeedTheOwnToken(t *testing.T) {
	gone := errors.New("the API server is away")
	none := ownTokens(func(context.Context, string) (string, error) { return "", gone })
	for name, one := range identities() {
		if one.kind == table.AzureSecret {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if _, err := sentWith(t, one.authorizer(t, cloudKeeper(none), noNetwork(t))); !errors.Is(err, gone) {
				t.Errorf("error %v", err)
			}
			key := &table.Key{Kind: one.kind, Cloud: &one.cloud}
			if _, err := cloudKeeper(nil).Authorizer(lookup(t, one.provider), &table.Credential{Region: "x"}, key, noNetwork(t)); !errors.Is(err, auth.ErrNoWorkload) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Identities that differ in anything have sources of their own.
func TestSourcesAreApart(t *testing.T) {
	keeper := cloudKeeper(ownTokens(giveOwn))
	clouds := &services{}
	for name := range identities() {
		if _, err := sentWith(t, identities()[name].authorizer(t, keeper, clouds)); err != nil {
			t.Error(err)
		}
	}
	if got := keeper.Known(); got != len(identities()) {
		t.Errorf("%d sources for %d identities", got, len(identities()))
	}
}

// No environment variable changes where the vendors' libraries ask, or has them write tokens to a log.
func TestEnvironmentChangesNothing(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "x", "AWS_REGION": "x", "AWS_USE_FIPS_ENDPOINT": "true",
		"MSAL_FORCE_REGION": "westeurope", "AZURE_REGIONAL_AUTHORITY_NAME": "westeurope", "AZURE_AUTHORITY_HOST": "https://127.0.0.1:1", "REGION_NAME": "westeurope",
		"GOOGLE_SDK_GO_LOGGING_LEVEL": "debug", "GOOGLE_APPLICATION_CREDENTIALS": "/nowhere", "GCE_METADATA_HOST": "127.0.0.1:1", "GOOGLE_CLOUD_UNIVERSE_DOMAIN": "x",
	} {
		t.Setenv(name, value)
	}
	for name := range identities() {
		if _, err := sentWith(t, identities()[name].authorizer(t, cloudKeeper(ownTokens(giveOwn)), &services{})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRefusals(f *testing.F) {
	for _, seed := range []string{
		`{"error":"invalid_grant","error_codes":[7000215]}`, `{"error":{"status":"PERMISSION_DENIED"}}`, `{"code":"AccessDeniedException"}`, `{"error":7,"error_codes":"x"}`,
		`<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`, `<a`, `null`, `[]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		code, number := auth.ReadRefusal(body)
		if number < 0 || code == "" && number != 0 || len(code) > 32 {
			t.Errorf("%q, %d", code, number)
		}
	})
}
