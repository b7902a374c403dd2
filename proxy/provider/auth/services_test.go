package auth_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	roleARN      = "arn:aws:iam::123456789012:role/llm"
	pool         = "//iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/p/providers/k8s"
	actAs        = "bot@acme.iam.gserviceaccount.com"
	tenant       = "11111111-2222-3333-4444-555555555555"
	application  = "66666666-7777-8888-9999-000000000000"
	clientSecret = "secret~of.application"
)

// services are the token services of the clouds, as far as they are asked here. They refuse what the real ones refuse, and number what they give out.
type services struct {
	mutex sync.Mutex
	// asked are the methods and addresses of questions.
	asked []string
	given int
	// failing, where it is set, answers questions to a host in place of the service.
	failing map[string]func(*http.Request) (*http.Response, error)
}

func (s *services) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	s.mutex.Lock()
	s.asked = append(s.asked, req.Method+" "+req.URL.Scheme+"://"+req.URL.Host+req.URL.Path)
	failing := s.failing[req.URL.Host]
	s.mutex.Unlock()
	if failing != nil {
		return failing(req)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		form = url.Values{}
	}
	switch req.URL.Host {
	case "sts.eu-central-1.amazonaws.com":
		return s.awsSTS(req, form), nil
	case "169.254.170.23":
		return s.agent(req), nil
	case "sts.googleapis.com":
		return s.googleSTS(req, form), nil
	case "iamcredentials.googleapis.com":
		return s.googleIAM(req, body), nil
	case "login.microsoftonline.com":
		return s.entra(req, form), nil
	default:
		return nil, fmt.Errorf("nobody is at %s", req.URL.Host)
	}
}

func (s *services) number() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.given++
	return s.given
}

func (s *services) questions() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]string(nil), s.asked...)
}

func (s *services) fail(host string, reply func(*http.Request) (*http.Response, error)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.failing = map[string]func(*http.Request) (*http.Response, error){host: reply}
}

func xmlError(status int, code string) *http.Response {
	return answer(status, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>`+code+
		`</Code><Message>secret detail</Message></Error><RequestId>1</RequestId></ErrorResponse>`)
}

func (s *services) awsSTS(req *http.Request, form url.Values) *http.Response {
	switch {
	case req.Method != http.MethodPost || form.Get("Action") != "AssumeRoleWithWebIdentity" || form.Get("Version") != "2011-06-15" || form.Get("RoleSessionName") == "":
		return xmlError(http.StatusBadRequest, "ValidationError")
	case req.Header.Get("Authorization") != "":
		return xmlError(http.StatusForbidden, "InvalidClientTokenId")
	case form.Get("WebIdentityToken") != "own-sts.amazonaws.com":
		return xmlError(http.StatusBadRequest, "InvalidIdentityToken")
	case form.Get("RoleArn") != roleARN:
		return xmlError(http.StatusForbidden, "AccessDenied")
	}
	return answer(http.StatusOK, fmt.Sprintf(`<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/llm/signalbox</Arn><AssumedRoleId>A:signalbox</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>ASIA%d</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>session-%[1]d</SessionToken><Expiration>%[3]s</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, s.number(), secretKey, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
}

func (s *services) agent(req *http.Request) *http.Response {
	if req.Method != http.MethodGet || req.URL.Scheme != "http" || req.URL.Path != "/v1/credentials" || req.Header.Get("Authorization") != "own-pods.eks.amazonaws.com" {
		return answer(http.StatusBadRequest, `{"code":"InvalidTokenException","message":"secret detail"}`)
	}
	return answer(http.StatusOK, fmt.Sprintf(`{"AccessKeyId":"ASIA%d","SecretAccessKey":%q,"Token":"session-%[1]d","AccountId":"123456789012","Expiration":%[3]q}`,
		s.number(), secretKey, time.Now().Add(6*time.Hour).UTC().Format(time.RFC3339)))
}

func (s *services) googleSTS(req *http.Request, form url.Values) *http.Response {
	switch {
	case req.Method != http.MethodPost || req.URL.Path != "/v1/token" || form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange" ||
		form.Get("requested_token_type") != "urn:ietf:params:oauth:token-type:access_token" || form.Get("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt":
		return answer(http.StatusBadRequest, `{"error":"invalid_request","error_description":"secret detail"}`)
	case form.Get("audience") != pool:
		return answer(http.StatusBadRequest, `{"error":"invalid_target","error_description":"secret detail"}`)
	case form.Get("scope") != "https://www.googleapis.com/auth/cloud-platform":
		return answer(http.StatusBadRequest, `{"error":"invalid_scope"}`)
	case form.Get("subject_token") != "own-https:"+pool:
		return answer(http.StatusBadRequest, `{"error":"invalid_grant","error_description":"secret detail"}`)
	}
	return answer(http.StatusOK, fmt.Sprintf(
		`{"access_token":"federated-%d","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3600}`, s.number()))
}

func (s *services) googleIAM(req *http.Request, body []byte) *http.Response {
	var asked struct {
		Lifetime string   `json:"lifetime"`
		Scope    []string `json:"scope"`
	}
	switch {
	case !strings.HasPrefix(req.Header.Get("Authorization"), "Bearer federated-"):
		return answer(http.StatusUnauthorized, `{"error":{"code":401,"message":"secret detail","status":"UNAUTHENTICATED"}}`)
	case req.URL.Path != "/v1/projects/-/serviceAccounts/"+actAs+":generateAccessToken":
		return answer(http.StatusForbidden, `{"error":{"code":403,"message":"secret detail","status":"PERMISSION_DENIED"}}`)
	case json.Unmarshal(body, &asked) != nil || asked.Lifetime != "3600s" || strings.Join(asked.Scope, " ") != "https://www.googleapis.com/auth/cloud-platform":
		return answer(http.StatusBadRequest, `{"error":{"code":400,"message":"secret detail","status":"INVALID_ARGUMENT"}}`)
	}
	return answer(http.StatusOK, fmt.Sprintf(`{"accessToken":"account-%d","expireTime":%q}`, s.number(), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
}

func entraError(status int, code string, number int) *http.Response {
	return answer(status, fmt.Sprintf(`{"error":%q,"error_description":"AADSTS%d: secret detail","error_codes":[%[2]d],"trace_id":"t"}`, code, number))
}

func (s *services) entra(req *http.Request, form url.Values) *http.Response {
	base := "https://login.microsoftonline.com/" + tenant
	if req.Method == http.MethodGet && req.URL.Path == "/"+tenant+"/v2.0/.well-known/openid-configuration" {
		return answer(http.StatusOK, fmt.Sprintf(`{"token_endpoint":"%s/oauth2/v2.0/token","authorization_endpoint":"%[1]s/oauth2/v2.0/authorize","issuer":"%[1]s/v2.0"}`, base))
	}
	proof := form.Get("client_secret") == clientSecret
	if form.Get("client_assertion") != "" {
		proof = form.Get("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" && form.Get("client_assertion") == "own-api://AzureADTokenExchange"
	}
	switch {
	case req.Method != http.MethodPost || req.URL.Path != "/"+tenant+"/oauth2/v2.0/token":
		return entraError(http.StatusBadRequest, "invalid_request", 90002)
	case form.Get("grant_type") != "client_credentials":
		return entraError(http.StatusBadRequest, "unsupported_grant_type", 70003)
	case form.Get("client_id") != application:
		return entraError(http.StatusBadRequest, "unauthorized_client", 700016)
	case !proof:
		return entraError(http.StatusUnauthorized, "invalid_client", 7000215)
	case !strings.Contains(form.Get("scope"), "https://cognitiveservices.azure.com/.default"):
		return entraError(http.StatusBadRequest, "invalid_scope", 70011)
	}
	return answer(http.StatusOK, fmt.Sprintf(`{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"entra-%d"}`, s.number()))
}

// identity is a key of a cloud and the credential that it belongs to.
type identity struct {
	provider string
	kind     table.KeyKind
	value    string
	cloud    table.CloudIdentity
}

func identities() map[string]identity {
	return map[string]identity{
		"role of AWS":     {"AWSBedrock", table.AWSWebIdentity, "", table.CloudIdentity{Audience: "sts.amazonaws.com", RoleARN: roleARN}},
		"agent of EKS":    {"AWSBedrock", table.AWSPodIdentity, "", table.CloudIdentity{Audience: "pods.eks.amazonaws.com"}},
		"pool of Google":  {"VertexAI", table.GoogleWorkloadIdentity, "", table.CloudIdentity{Audience: "https:" + pool, Provider: pool}},
		"account":         {"VertexAI", table.GoogleWorkloadIdentity, "", table.CloudIdentity{Audience: "https:" + pool, Provider: pool, ServiceAccount: actAs}},
		"secret of Azure": {"AzureOpenAI", table.AzureSecret, clientSecret, table.CloudIdentity{TenantID: tenant, ClientID: application}},
		"Azure": {"AzureOpenAI", table.AzureWorkloadIdentity, "", table.CloudIdentity{
			Audience: "api://AzureADTokenExchange", TenantID: tenant, ClientID: application,
		}},
	}
}

// authorizer makes the Authorizer of the identity.
func (i identity) authorizer(t *testing.T, keeper *auth.Keeper, transport http.RoundTripper) auth.Authorizer {
	t.Helper()
	cloud := i.cloud
	key := &table.Key{Kind: i.kind, Value: i.value, Cloud: &cloud, Fingerprint: "f"}
	made, err := keeper.Authorizer(lookup(t, i.provider), &table.Credential{Provider: i.provider, Region: "eu-central-1"}, key, transport)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func cloudKeeper(tokens auth.Tokens) *auth.Keeper {
	return auth.NewKeeper(auth.Options{Tokens: tokens, Random: func() float64 { return 0 }})
}
