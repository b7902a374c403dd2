package compile_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

func ref(secret, key string) v1alpha1.SecretKeyReference {
	return v1alpha1.SecretKeyReference{Name: secret, Key: key}
}

// bedrock is a credential that signs with an access key of AWS; with a session token if the Secret's key of that is named.
func bedrock(mods ...func(*v1alpha1.ProviderCredential)) v1alpha1.ProviderCredential {
	return credential("groq", append([]func(*v1alpha1.ProviderCredential){func(c *v1alpha1.ProviderCredential) {
		c.Spec.Provider, c.Spec.Endpoint = v1alpha1.ProviderAWSBedrock, ""
		c.Spec.AWSBedrock = &v1alpha1.AWSBedrockAccount{Region: "eu-central-1"}
		c.Spec.Auth = v1alpha1.ProviderAuth{AWS: &v1alpha1.AWSAuth{AccessKeyIDRef: new(ref("aws", "id")), SecretAccessKeyRef: new(ref("aws", "secret"))}}
	}}, mods...)...)
}

func withSessionToken(c *v1alpha1.ProviderCredential) {
	token := ref("session", "token")
	c.Spec.Auth.AWS.SessionTokenRef = &token
}

// vertex is a credential with a service account of Google.
func vertex(mods ...func(*v1alpha1.ProviderCredential)) v1alpha1.ProviderCredential {
	return credential("groq", append([]func(*v1alpha1.ProviderCredential){func(c *v1alpha1.ProviderCredential) {
		c.Spec.Provider, c.Spec.Endpoint = v1alpha1.ProviderVertexAI, ""
		c.Spec.VertexAI = &v1alpha1.VertexAIAccount{Project: "acme", Location: "europe-west4"}
		c.Spec.Auth = v1alpha1.ProviderAuth{Google: &v1alpha1.GoogleAuth{ServiceAccountKeyRef: new(ref("google", "key.json"))}}
	}}, mods...)...)
}

// stored is a labelled Secret with these data.
func stored(name string, data map[string]string) corev1.Secret {
	s := secret(name, "")
	s.Data = map[string][]byte{}
	for key, value := range data {
		s.Data[key] = []byte(value)
	}
	return s
}

var accountKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// keyFile is the key file of a service account.
func keyFile(t *testing.T, email, tokenURI string) string {
	t.Helper()
	key, err := accountKey()
	if err != nil {
		t.Fatal(err)
	}
	der := x509.MarshalPKCS1PrivateKey(key)
	raw, err := json.MarshalIndent(map[string]string{
		"type": "service_account", "client_email": email, "token_uri": tokenURI,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der})),
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestAccountsAreCompiledWhole(t *testing.T) {
	const id, key = "AKIDEXAMPLE", "wJalrXUt"
	file := keyFile(t, "bot@acme.test", "https://oauth2.googleapis.com/token")
	fromAWS := table.Key{
		Name: "aws", Kind: table.AWSKey, Value: key, Secret: "aws", SecretKey: "secret",
		AWS: &table.AWSKeyPair{AccessKeyID: id, AccessKeyIDFrom: table.SecretPlace{Secret: "aws", Key: "id"}},
	}
	withToken := fromAWS
	withToken.AWS = &table.AWSKeyPair{
		AccessKeyID: id, SessionToken: "FwoG", AccessKeyIDFrom: fromAWS.AWS.AccessKeyIDFrom, SessionTokenFrom: &table.SecretPlace{Secret: "session", Key: "token"},
	}
	azure := func(c *v1alpha1.ProviderCredential) {
		c.Spec.Provider, c.Spec.Endpoint = v1alpha1.ProviderAzureOpenAI, "https://acme.openai.azure.com"
	}
	plain := []table.Key{{Name: "primary", Value: "sk-groq-1", Secret: "groq", SecretKey: "api-key"}}
	cases := map[string]struct {
		credential v1alpha1.ProviderCredential
		want       table.Credential
	}{
		"AWS": {bedrock(), table.Credential{
			Provider: "AWSBedrock", Endpoint: "https://bedrock-runtime.eu-central-1.amazonaws.com", Region: "eu-central-1", Keys: []table.Key{fromAWS},
		}},
		"AWS with session token": {bedrock(withSessionToken), table.Credential{
			Provider: "AWSBedrock", Endpoint: "https://bedrock-runtime.eu-central-1.amazonaws.com", Region: "eu-central-1", Keys: []table.Key{withToken},
		}},
		"AWS with API key": {
			bedrock(func(c *v1alpha1.ProviderCredential) { c.Spec.Auth = credential("groq").Spec.Auth }),
			table.Credential{Provider: "AWSBedrock", Endpoint: "https://bedrock-runtime.eu-central-1.amazonaws.com", Region: "eu-central-1", Keys: plain},
		},
		"AWS at an endpoint": {bedrock(endpointAt("https://vpce.example")), table.Credential{
			Provider: "AWSBedrock", Endpoint: "https://vpce.example", Region: "eu-central-1", Keys: []table.Key{fromAWS},
		}},
		"Google": {vertex(), table.Credential{
			Provider: "VertexAI", Endpoint: "https://europe-west4-aiplatform.googleapis.com", Project: "acme", Location: "europe-west4",
			Keys: []table.Key{{Name: "google", Kind: table.GoogleKey, Value: file, Secret: "google", SecretKey: "key.json"}},
		}},
		"Google, global": {
			vertex(func(c *v1alpha1.ProviderCredential) {
				c.Spec.VertexAI.Project, c.Spec.VertexAI.Location = "example.com:acme", "global"
			}),
			table.Credential{
				Provider: "VertexAI", Endpoint: "https://aiplatform.googleapis.com", Project: "example.com:acme", Location: "global",
				Keys: []table.Key{{Name: "google", Kind: table.GoogleKey, Value: file, Secret: "google", SecretKey: "key.json"}},
			},
		},
		"Azure": {credential("groq", azure), table.Credential{Provider: "AzureOpenAI", Endpoint: "https://acme.openai.azure.com", Keys: plain}},
		"Azure with version": {
			credential("groq", azure, func(c *v1alpha1.ProviderCredential) {
				c.Spec.AzureOpenAI = &v1alpha1.AzureOpenAIAccount{APIVersion: "2024-10-21"}
			}),
			table.Credential{Provider: "AzureOpenAI", Endpoint: "https://acme.openai.azure.com", APIVersion: "2024-10-21", Keys: plain},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withCredentials(tc.credential), withRoutes(route("chat")), withKeys(
				secret("groq", "sk-groq-1"), stored("aws", map[string]string{"id": id + "\n", "secret": key}), stored("session", map[string]string{"token": "FwoG"}),
				stored("google", map[string]string{"key.json": "\n" + file + "\n"}),
			)))
			got := servedGroq(t, result)
			ignore := []cmp.Option{cmpopts.IgnoreFields(table.Credential{}, "Object", "Prices"), cmpopts.IgnoreFields(table.Key{}, "Fingerprint", "Weight")}
			if diff := cmp.Diff(tc.want, got, ignore...); diff != "" {
				t.Errorf("credential (-want +got):\n%s", diff)
			}
			described := report(t, result, compile.KindProviderCredential, "groq")
			if len(described.Findings) > 0 {
				t.Errorf("findings %v", described.Findings)
			}
			want := []compile.KeyReport{{Name: tc.want.Keys[0].Name, Fingerprint: got.Keys[0].Fingerprint, State: v1alpha1.KeyActive}}
			if diff := cmp.Diff(want, described.Keys); diff != "" || len(got.Keys[0].Fingerprint) != 12 {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			if got := servedRoute(t, result, "chat").Targets[0].Excluded; got != "" {
				t.Errorf("target is excluded: %s", got)
			}
		})
	}
}

func TestAccountInErrorIsNotServed(t *testing.T) {
	edited := func(edit func(*v1alpha1.ProviderCredentialSpec)) func(*v1alpha1.ProviderCredential) {
		return func(c *v1alpha1.ProviderCredential) { edit(&c.Spec) }
	}
	cases := map[string]struct {
		credential v1alpha1.ProviderCredential
		want       []string
	}{
		"no region": {bedrock(edited(func(s *v1alpha1.ProviderCredentialSpec) { s.AWSBedrock = nil })), []string{"Ready Invalid spec.awsBedrock"}},
		"region that leads elsewhere": {
			bedrock(edited(func(s *v1alpha1.ProviderCredentialSpec) { s.AWSBedrock.Region = "evil.test/x" })), []string{"Ready Invalid spec.awsBedrock.region"},
		},
		"no project": {vertex(edited(func(s *v1alpha1.ProviderCredentialSpec) { s.VertexAI.Project = "" })), []string{"Ready Invalid spec.vertexAI.project"}},
		"project and location that lead elsewhere": {
			vertex(edited(func(s *v1alpha1.ProviderCredentialSpec) {
				s.VertexAI.Project, s.VertexAI.Location = "a/b", "evil.test#"
			})),
			[]string{"Ready Invalid spec.vertexAI.project", "Ready Invalid spec.vertexAI.location"},
		},
		"no place at Google": {vertex(edited(func(s *v1alpha1.ProviderCredentialSpec) { s.VertexAI = nil })), []string{"Ready Invalid spec.vertexAI"}},
		"odd version": {
			credential("groq", edited(func(s *v1alpha1.ProviderCredentialSpec) {
				s.Provider, s.AzureOpenAI = v1alpha1.ProviderAzureOpenAI, &v1alpha1.AzureOpenAIAccount{APIVersion: "1&x=2"}
			})),
			[]string{"Ready Invalid spec.azureOpenAI.apiVersion"},
		},
		"Azure without endpoint": {
			credential("groq", endpointAt(""), edited(func(s *v1alpha1.ProviderCredentialSpec) { s.Provider = v1alpha1.ProviderAzureOpenAI })),
			[]string{"Ready Invalid spec.endpoint"},
		},
		"blocks of other providers": {
			credential("groq", edited(func(s *v1alpha1.ProviderCredentialSpec) {
				s.AWSBedrock, s.VertexAI, s.AzureOpenAI = &v1alpha1.AWSBedrockAccount{}, &v1alpha1.VertexAIAccount{}, &v1alpha1.AzureOpenAIAccount{}
			})),
			[]string{"Ready Invalid spec.awsBedrock", "Ready Invalid spec.vertexAI", "Ready Invalid spec.azureOpenAI"},
		},
		"AWS elsewhere": {
			vertex(edited(func(s *v1alpha1.ProviderCredentialSpec) { s.Auth = bedrock().Spec.Auth })), []string{"Ready Invalid spec.auth.aws"},
		},
		"Google elsewhere": {
			bedrock(edited(func(s *v1alpha1.ProviderCredentialSpec) { s.Auth = vertex().Spec.Auth })), []string{"Ready Invalid spec.auth.google"},
		},
		"two ways": {
			bedrock(edited(func(s *v1alpha1.ProviderCredentialSpec) { s.Auth.None = &v1alpha1.NoAuth{} })), []string{"Ready Invalid spec.auth"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withCredentials(tc.credential), withKeys(
				secret("groq", "sk-groq-1"), stored("aws", map[string]string{"id": "AKID", "secret": "s"}),
				stored("google", map[string]string{"key.json": keyFile(t, "bot@acme.test", "https://oauth2.googleapis.com/token")}),
			)))
			if diff := cmp.Diff(tc.want, why(report(t, result, compile.KindProviderCredential, "groq"))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(result.Table.Credentials) > 0 {
				t.Error("a credential in error is served")
			}
		})
	}
}

func TestPartsOfKeys(t *testing.T) {
	good := map[string]string{"id": "AKID", "secret": "s3cr3t"}
	cases := map[string]struct {
		credential v1alpha1.ProviderCredential
		secrets    []corev1.Secret
		want, says string
	}{
		"no Secret":      {bedrock(), nil, "ResolvedRefs SecretNotFound spec.auth.aws.accessKeyIDRef", `Secret "aws" does not exist`},
		"no ID":          {bedrock(), []corev1.Secret{stored("aws", map[string]string{"secret": "s3cr3t"})}, "ResolvedRefs SecretKeyNotFound spec.auth.aws.accessKeyIDRef", `no key "id"`},
		"no secret part": {bedrock(), []corev1.Secret{stored("aws", map[string]string{"id": "AKID"})}, "ResolvedRefs SecretKeyNotFound spec.auth.aws.secretAccessKeyRef", `no key "secret"`},
		"no token":       {bedrock(withSessionToken), []corev1.Secret{stored("aws", good)}, "ResolvedRefs SecretNotFound spec.auth.aws.sessionTokenRef", `"session"`},
		"bad part":       {bedrock(), []corev1.Secret{stored("aws", map[string]string{"id": "AKID", "secret": " s3cr3t"})}, "ResolvedRefs InvalidKey spec.auth.aws.secretAccessKeyRef", "white space"},
		"bad and gone": {
			bedrock(), []corev1.Secret{stored("aws", map[string]string{"id": "AK ID\t"})}, "ResolvedRefs SecretKeyNotFound spec.auth.aws.secretAccessKeyRef", `no key "secret"`,
		},
		"not a key file": {vertex(), []corev1.Secret{stored("google", map[string]string{"key.json": "s3cr3t"})}, "ResolvedRefs InvalidKey spec.auth.google.serviceAccountKeyRef", "is not the key file of a service account"},
		"empty key file": {vertex(), []corev1.Secret{stored("google", map[string]string{"key.json": " \n"})}, "ResolvedRefs InvalidKey spec.auth.google.serviceAccountKeyRef", "is empty"},
		"huge key file":  {vertex(), []corev1.Secret{stored("google", map[string]string{"key.json": strings.Repeat("x", 17<<10)})}, "ResolvedRefs InvalidKey spec.auth.google.serviceAccountKeyRef", "is longer than 16384 bytes"},
		"not text":       {vertex(), []corev1.Secret{stored("google", map[string]string{"key.json": "\xff"})}, "ResolvedRefs InvalidKey spec.auth.google.serviceAccountKeyRef", "is not text"},
		"tokens from the metadata server": {
			vertex(), []corev1.Secret{stored("google", map[string]string{"key.json": keyFile(t, "s3cr3t", "http://169.254.169.254/token")})},
			"ResolvedRefs EndpointDenied spec.auth.google.serviceAccountKeyRef", "token_uri",
		},
		"tokens from nowhere": {
			vertex(), []corev1.Secret{stored("google", map[string]string{"key.json": keyFile(t, "s3cr3t", "file:///etc")})},
			"ResolvedRefs InvalidKey spec.auth.google.serviceAccountKeyRef", "has a token_uri that has to begin with https:// or http://",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withCredentials(tc.credential), withKeys(tc.secrets...), withRoutes(route("chat"))))
			got := report(t, result, compile.KindProviderCredential, "groq")
			if diff := cmp.Diff([]string{tc.want}, why(got)); diff != "" {
				t.Fatalf("findings (-want +got):\n%s", diff)
			}
			if message := got.Findings[0].Message; !strings.Contains(message, tc.says) || strings.Contains(message, "s3cr3t") {
				t.Errorf("message %q, want %q", message, tc.says)
			}
			if got.Keys[0].State != v1alpha1.KeyMissing || len(servedGroq(t, result).Keys) > 0 {
				t.Errorf("the key is in state %s", got.Keys[0].State)
			}
			if excluded := servedRoute(t, result, "chat").Targets[0].Excluded; !strings.Contains(excluded, "has no usable key") {
				t.Errorf("the target is excluded for %q", excluded)
			}
		})
	}
}

// Of a key pair that is half valid, the last good pair stays as a whole; a part that is gone takes the pair out of use.
func TestLastGoodParts(t *testing.T) {
	before := []corev1.Secret{
		stored("aws", map[string]string{"id": "AKID1", "secret": "one"}),
		stored("google", map[string]string{"key.json": keyFile(t, "first@acme.test", "https://oauth2.googleapis.com/token")}),
	}
	moved := func(c *v1alpha1.ProviderCredential) { c.Generation, c.Spec.AWSBedrock.Region = 2, "us-east-1" }
	cases := map[string]struct {
		first, second v1alpha1.ProviderCredential
		secrets       []corev1.Secret
		want          []string
	}{
		"both halves change":        {bedrock(), bedrock(), []corev1.Secret{stored("aws", map[string]string{"id": "AKID2", "secret": "two"})}, []string{"AKID2:two"}},
		"one half is bad":           {bedrock(), bedrock(), []corev1.Secret{stored("aws", map[string]string{"id": "AKID2", "secret": "t\two"})}, []string{"AKID1:one"}},
		"one half is gone":          {bedrock(), bedrock(), []corev1.Secret{stored("aws", map[string]string{"id": "AKID2"})}, nil},
		"bad, and in a new region":  {bedrock(), bedrock(moved), []corev1.Secret{stored("aws", map[string]string{"id": "AKID2", "secret": "t\two"})}, []string{"AKID1:one in eu-central-1"}},
		"good, and in a new region": {bedrock(), bedrock(moved), before, []string{"AKID1:one in us-east-1"}},
		"key file is bad":           {vertex(), vertex(), []corev1.Secret{stored("google", map[string]string{"key.json": "{}"})}, []string{"first@acme.test"}},
		"key file changes":          {vertex(), vertex(), []corev1.Secret{stored("google", map[string]string{"key.json": keyFile(t, "second@acme.test", "https://t.test")})}, []string{"second@acme.test"}},
		"key file may not be used":  {vertex(), vertex(), []corev1.Secret{stored("google", map[string]string{"key.json": keyFile(t, "second@acme.test", "http://localhost/t")})}, []string{"first@acme.test"}},
		"key file is gone":          {vertex(), vertex(), nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			first := compile.Compile(input(withCredentials(tc.first), withKeys(before...)))
			result := compile.Compile(input(withCredentials(tc.second), withKeys(tc.secrets...), withPrevious(first.Table)))
			got := servedGroq(t, result)
			if len(got.Keys) != len(tc.want) {
				t.Fatalf("%d keys, want %d", len(got.Keys), len(tc.want))
			}
			for i, want := range tc.want {
				if !strings.Contains(describe(t, got, got.Keys[i]), want) {
					t.Errorf("key %s, want %s", describe(t, got, got.Keys[i]), want)
				}
			}
		})
	}
}

// describe is a key in words.
func describe(t *testing.T, c table.Credential, key table.Key) string {
	t.Helper()
	if key.AWS != nil {
		return key.AWS.AccessKeyID + ":" + key.Value + " in " + c.Region
	}
	var file struct {
		Email string `json:"client_email"`
	}
	if err := json.Unmarshal([]byte(key.Value), &file); err != nil {
		t.Fatal(err)
	}
	return file.Email
}

// An API key with the name that keys of AWS have is another key all the same.
func TestKeysOfAnotherKindDoNotStay(t *testing.T) {
	named := bedrock(func(c *v1alpha1.ProviderCredential) {
		c.Spec.Auth = v1alpha1.ProviderAuth{Keys: []v1alpha1.ProviderKey{{Name: "aws", SecretKeyRef: ref("groq", "api-key")}}}
	})
	first := compile.Compile(input(withCredentials(named)))
	broken := stored("aws", map[string]string{"id": "AKID", "secret": ""})
	result := compile.Compile(input(withCredentials(bedrock()), withKeys(secret("groq", "sk-groq-1"), broken), withPrevious(first.Table)))
	if got := servedGroq(t, result).Keys; len(got) > 0 {
		t.Errorf("a key of the kind %q stays", got[0].Kind)
	}
}

func TestTargetsThatAskForAnAPI(t *testing.T) {
	cases := map[string]struct {
		provider v1alpha1.ProviderName
		api      v1alpha1.TargetAPI
		why      []string
		excluded string
	}{
		"one that it has":    {v1alpha1.ProviderOpenAICompatible, v1alpha1.TargetResponses, nil, ""},
		"one that it lacks":  {v1alpha1.ProviderMistral, v1alpha1.TargetMessages, []string{"ResolvedRefs UnsupportedValue spec.targets[0].api"}, "provider Mistral has no API Messages"},
		"none":               {v1alpha1.ProviderMistral, "", nil, ""},
		"one for vectors":    {v1alpha1.ProviderMistral, "Embeddings", []string{"Accepted UnsupportedValue spec.targets[0].api"}, ""},
		"one of the past":    {v1alpha1.ProviderMistral, "Completions", []string{"Accepted UnsupportedValue spec.targets[0].api"}, ""},
		"one of the unknown": {v1alpha1.ProviderMistral, "Telepathy", []string{"Accepted UnsupportedValue spec.targets[0].api"}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			asking := route("chat", func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].API = tc.api })
			from := credential("groq", func(c *v1alpha1.ProviderCredential) { c.Spec.Provider = tc.provider })
			result := compile.Compile(input(withRoutes(asking), withCredentials(from)))
			if diff := cmp.Diff(tc.why, why(report(t, result, compile.KindModelRoute, "chat"))); diff != "" {
				t.Fatalf("findings (-want +got):\n%s", diff)
			}
			if len(tc.why) > 0 && strings.HasPrefix(tc.why[0], "Accepted") {
				return
			}
			got := servedRoute(t, result, "chat").Targets[0]
			if got.API != string(tc.api) || got.Excluded != tc.excluded {
				t.Errorf("the target asks for %q and is excluded for %q", got.API, got.Excluded)
			}
		})
	}
}
