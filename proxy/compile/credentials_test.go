package compile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

func TestCredentialIsCompiledWhole(t *testing.T) {
	result := compile.Compile(input(withCredentials(credential("groq"))))
	want := table.Credential{
		Object: table.Object{Name: "groq", UID: "uid-groq", Generation: 1, Since: 1}, Provider: "OpenAICompatible", Endpoint: "https://api.provider.example/v1",
		Keys:   []table.Key{{Name: "primary", Value: "sk-groq-1", Weight: 1, Fingerprint: "3cc43878f81a", Secret: "groq", SecretKey: "api-key"}},
		Prices: map[string]table.Prices{"llama": {Input: 590_000_000, CachedInput: 590_000_000, Output: 790_000_000, Source: "ProviderCredential groq"}},
	}
	if diff := cmp.Diff(want, servedGroq(t, result)); diff != "" {
		t.Errorf("credential (-want +got):\n%s", diff)
	}
	wantKeys := []compile.KeyReport{{Name: "primary", Fingerprint: "3cc43878f81a", State: v1alpha1.KeyActive}}
	if diff := cmp.Diff(wantKeys, report(t, result, compile.KindProviderCredential, "groq").Keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestKeylessCredential(t *testing.T) {
	result := compile.Compile(input(withCredentials(credential("groq", func(c *v1alpha1.ProviderCredential) {
		c.Spec.Auth = v1alpha1.ProviderAuth{None: &v1alpha1.NoAuth{}}
	})), withRoutes(route("chat"))))
	if got := servedGroq(t, result); !got.Keyless || len(got.Keys) != 0 {
		t.Errorf("got %+v, want a keyless credential", got)
	}
	if got := servedRoute(t, result, "chat").Targets[0].Excluded; got != "" {
		t.Errorf("target is excluded: %s", got)
	}
}

func TestProviderEndpointIsTheDefault(t *testing.T) {
	result := compile.Compile(input(withCredentials(credential("groq", func(c *v1alpha1.ProviderCredential) {
		c.Spec.Provider, c.Spec.Endpoint = v1alpha1.ProviderGroq, ""
	}))))
	if got := servedGroq(t, result).Endpoint; got != "https://api.groq.com" {
		t.Errorf("endpoint %q", got)
	}
}

func TestCredentialInErrorIsNotServed(t *testing.T) {
	cases := map[string]struct {
		edit func(*v1alpha1.ProviderCredential)
		want string
	}{
		"unknown provider":    {func(c *v1alpha1.ProviderCredential) { c.Spec.Provider = "Nope" }, "Ready UnsupportedValue spec.provider"},
		"endpoint left out":   {endpointAt(""), "Ready Invalid spec.endpoint"},
		"malformed endpoint":  {endpointAt("http//api"), "Ready Invalid spec.endpoint"},
		"other scheme":        {endpointAt("ftp://api.provider.example"), "Ready Invalid spec.endpoint"},
		"metadata address":    {endpointAt("http://169.254.169.254/latest"), "Ready EndpointDenied spec.endpoint"},
		"link-local address":  {endpointAt("http://[fe80::1]/v1"), "Ready EndpointDenied spec.endpoint"},
		"loopback address":    {endpointAt("http://127.0.0.1:8000/v1"), "Ready EndpointDenied spec.endpoint"},
		"loopback by name":    {endpointAt("http://localhost:8000/v1"), "Ready EndpointDenied spec.endpoint"},
		"metadata by name":    {endpointAt("http://metadata.google.internal/v1"), "Ready EndpointDenied spec.endpoint"},
		"API server":          {endpointAt("https://10.96.0.1/v1"), "Ready EndpointDenied spec.endpoint"},
		"no auth":             {func(c *v1alpha1.ProviderCredential) { c.Spec.Auth = v1alpha1.ProviderAuth{} }, "Ready Invalid spec.auth"},
		"keys and none":       {func(c *v1alpha1.ProviderCredential) { c.Spec.Auth.None = &v1alpha1.NoAuth{} }, "Ready Invalid spec.auth"},
		"price not a decimal": {func(c *v1alpha1.ProviderCredential) { c.Spec.Prices[0].Input = "1,5" }, "Ready Invalid spec.prices[0].input"},
		"negative price":      {func(c *v1alpha1.ProviderCredential) { c.Spec.Prices[0].Output = "-1" }, "Ready Invalid spec.prices[0].output"},
		"same model twice": {
			func(c *v1alpha1.ProviderCredential) { c.Spec.Prices = append(c.Spec.Prices, c.Spec.Prices[0]) },
			"Ready Invalid spec.prices[1].model",
		},
		"same key twice": {
			func(c *v1alpha1.ProviderCredential) { c.Spec.Auth.Keys = append(c.Spec.Auth.Keys, c.Spec.Auth.Keys[0]) },
			"Ready Invalid spec.auth.keys[1].name",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := input(withCredentials(credential("groq", tc.edit)))
			in.Endpoints.DenyCIDRs = []string{"10.96.0.1:443"}
			result := compile.Compile(in)
			got := report(t, result, compile.KindProviderCredential, "groq")
			if diff := cmp.Diff([]string{tc.want}, why(got)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if got.Served != 0 || len(result.Table.Credentials) != 0 {
				t.Errorf("a credential in error is served")
			}
		})
	}
}

func TestAllowedLoopbackEndpoint(t *testing.T) {
	in := input(withCredentials(credential("groq", endpointAt("http://127.0.0.1:8000/v1"))))
	in.Endpoints.AllowCIDRs = []string{"127.0.0.0/8"}
	if got := why(report(t, compile.Compile(in), compile.KindProviderCredential, "groq")); got != nil {
		t.Errorf("findings %v", got)
	}
}

func TestUnreadableEndpointRulesCloseEverything(t *testing.T) {
	in := input()
	in.Endpoints.DenyCIDRs = []string{"10.96.0.0/12"}
	got := why(report(t, compile.Compile(in), compile.KindProviderCredential, "groq"))
	if diff := cmp.Diff([]string{"Ready EndpointDenied spec.endpoint"}, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestKeyValues(t *testing.T) {
	cases := map[string]struct {
		stored string
		want   string
		reason string
	}{
		"plain":                 {stored: "sk-1", want: "sk-1"},
		"newline at the end":    {stored: "sk-1\n", want: "sk-1"},
		"CRLF at the end":       {stored: "sk-1\r\n", want: "sk-1"},
		"space inside":          {stored: "sk 1", want: "sk 1"},
		"longest":               {stored: strings.Repeat("k", 8192), want: strings.Repeat("k", 8192)},
		"two newlines":          {stored: "sk-1\n\n", reason: v1alpha1.ReasonInvalidKey},
		"carriage return alone": {stored: "sk-1\r", reason: v1alpha1.ReasonInvalidKey},
		"space before":          {stored: " sk-1", reason: v1alpha1.ReasonInvalidKey},
		"space after":           {stored: "sk-1 ", reason: v1alpha1.ReasonInvalidKey},
		"tab inside":            {stored: "sk\t1", reason: v1alpha1.ReasonInvalidKey},
		"line break inside":     {stored: "sk\n1", reason: v1alpha1.ReasonInvalidKey},
		"NUL inside":            {stored: "sk\x001", reason: v1alpha1.ReasonInvalidKey},
		"not UTF-8":             {stored: "sk\xff1", reason: v1alpha1.ReasonInvalidKey},
		"not ASCII":             {stored: "sk-é", reason: v1alpha1.ReasonInvalidKey},
		"empty":                 {stored: "", reason: v1alpha1.ReasonInvalidKey},
		"newline alone":         {stored: "\n", reason: v1alpha1.ReasonInvalidKey},
		"too long":              {stored: strings.Repeat("k", 8193), reason: v1alpha1.ReasonInvalidKey},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withKeys(secret("groq", tc.stored))))
			got := report(t, result, compile.KindProviderCredential, "groq")
			if tc.reason == "" {
				if len(got.Findings) != 0 || servedGroq(t, result).Keys[0].Value != tc.want {
					t.Errorf("findings %v, keys %v", got.Findings, servedGroq(t, result).Keys)
				}
				return
			}
			if diff := cmp.Diff([]string{"ResolvedRefs " + tc.reason + " spec.auth.keys[0].secretKeyRef"}, why(got)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if strings.Contains(got.Findings[0].Message, "sk") {
				t.Errorf("message %q shows the key", got.Findings[0].Message)
			}
			if got.Keys[0].State != v1alpha1.KeyMissing || len(servedGroq(t, result).Keys) != 0 {
				t.Errorf("key is in state %s", got.Keys[0].State)
			}
		})
	}
}

func TestKeyThatIsGone(t *testing.T) {
	cases := map[string]struct {
		mods []func(*compile.Input)
		want string
		says string
	}{
		"no Secret": {[]func(*compile.Input){withKeys()}, v1alpha1.ReasonSecretNotFound, `Secret "groq" does not exist`},
		"no label": {
			[]func(*compile.Input){withKeys(), func(in *compile.Input) { in.UnlabelledSecrets = []string{"groq"} }},
			v1alpha1.ReasonSecretNotLabelled, "kubectl label secret groq -n team-a signalbox.dev/provider-key=true",
		},
		"no key": {
			[]func(*compile.Input){withKeys(secretWith("groq", "token", "sk-groq-1"))},
			v1alpha1.ReasonSecretKeyNotFound, `Secret "groq" has no key "api-key"`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := compile.Compile(input())
			result := compile.Compile(input(append(tc.mods, withPrevious(before.Table))...))
			got := report(t, result, compile.KindProviderCredential, "groq")
			if diff := cmp.Diff([]string{"ResolvedRefs " + tc.want + " spec.auth.keys[0].secretKeyRef"}, why(got)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if !strings.Contains(got.Findings[0].Message, tc.says) {
				t.Errorf("message %q does not say %q", got.Findings[0].Message, tc.says)
			}
			if keys := servedGroq(t, result).Keys; len(keys) != 0 {
				t.Errorf("%d keys stay in the table", len(keys))
			}
		})
	}
}

// TestBadAccessKeys shows that a Secret whose value is no key opens nothing, is told of, without its value, and changes nothing for the others.
func TestBadAccessKeys(t *testing.T) {
	alone := input()
	alone.AccessKeys = []corev1.Secret{accessKey("good", "key-good", nil)}
	want := compile.Compile(alone).Table.AccessKeys
	for name, tc := range map[string]struct{ value, says string }{
		"empty":                {"", "is empty"},
		"a newline":            {"\n", "is empty"},
		"white space":          {" \t\r\n", "is empty"},
		"two newlines":         {"key-x\n\n", "white space around"},
		"a blank before":       {" key-x", "white space around"},
		"a blank inside":       {"key x", "has a space in it"},
		"a tab inside":         {"key\tx", "position 4"},
		"a NUL":                {"key\x00x", "position 4"},
		"not ASCII":            {"kéy-x", "position 2"},
		"not UTF-8":            {"\xff\xfekey-x", "position 1"},
		"a mebibyte":           {strings.Repeat("k", 1<<20), "is longer than"},
		"another Secret's key": {"key-good", `Secret "good" holds the same key`},
		"the same, newline":    {"key-good\r\n", `Secret "good" holds the same key`},
	} {
		t.Run(name, func(t *testing.T) {
			in := input()
			in.AccessKeys = []corev1.Secret{accessKey("z-bad", tc.value, nil), accessKey("good", "key-good", nil)}
			result := compile.Compile(in)
			if diff := cmp.Diff(want, result.Table.AccessKeys); diff != "" {
				t.Errorf("access keys (-want +got):\n%s", diff)
			}
			got := report(t, result, compile.KindSecret, "z-bad")
			if diff := cmp.Diff([]string{"Ready InvalidKey data.key"}, why(got)); diff != "" {
				t.Fatalf("findings (-want +got):\n%s", diff)
			}
			if message := got.Findings[0].Message; !strings.Contains(message, tc.says) || strings.Contains(message, "key-x") || len(message) > 200 {
				t.Errorf("the message is %q", message)
			}
		})
	}
}

func TestAccessKeys(t *testing.T) {
	in := input()
	noKey := accessKey("empty", "", nil)
	delete(noKey.Data, v1alpha1.AccessKeySecretKey)
	in.AccessKeys = []corev1.Secret{
		accessKey("ci", "key-ci\n", nil), accessKey("zcopy", "key-ci", nil), accessKey("spaced", "a key", nil), accessKey("dev", "key-dev", nil), noKey,
	}
	result := compile.Compile(in)
	var names []string
	for _, key := range result.Table.AccessKeys {
		names = append(names, key.Name)
		if len(key.HMAC) != 32 || strings.Contains(string(key.HMAC), "key") {
			t.Errorf("access key %s has HMAC %x", key.Name, key.HMAC)
		}
	}
	if diff := cmp.Diff([]string{"ci", "dev"}, names); diff != "" {
		t.Errorf("access keys (-want +got):\n%s", diff)
	}
	for _, name := range []string{"zcopy", "spaced", "empty"} {
		if diff := cmp.Diff([]string{"Ready InvalidKey data.key"}, why(report(t, result, compile.KindSecret, name))); diff != "" {
			t.Errorf("findings of %s (-want +got):\n%s", name, diff)
		}
	}
	if _, reported := result.Report.Object(compile.KindSecret, "ci"); reported {
		t.Errorf("a good access key is in the report")
	}
}
