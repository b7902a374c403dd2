package compile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

const poolProvider = "//iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/p/providers/k8s"

func awsAuth(auth v1alpha1.AWSAuth) func(*v1alpha1.ProviderCredential) {
	return func(c *v1alpha1.ProviderCredential) { c.Spec.Auth = v1alpha1.ProviderAuth{AWS: &auth} }
}

func federated(identity v1alpha1.GoogleWorkloadIdentity) func(*v1alpha1.ProviderCredential) {
	return func(c *v1alpha1.ProviderCredential) {
		c.Spec.Auth = v1alpha1.ProviderAuth{Google: &v1alpha1.GoogleAuth{WorkloadIdentity: &identity}}
	}
}

// azure is a credential with an application of Microsoft Entra ID.
func azure(mods ...func(*v1alpha1.AzureAuth)) v1alpha1.ProviderCredential {
	return credential("groq", func(c *v1alpha1.ProviderCredential) {
		c.Spec.Provider, c.Spec.Endpoint = v1alpha1.ProviderAzureOpenAI, "https://acme.openai.azure.com"
		auth := v1alpha1.AzureAuth{TenantID: "tenant-1", ClientID: "client-1", WorkloadIdentity: &v1alpha1.AzureWorkloadIdentity{}}
		for _, mod := range mods {
			mod(&auth)
		}
		c.Spec.Auth = v1alpha1.ProviderAuth{Azure: &auth}
	})
}

func withClientSecret(a *v1alpha1.AzureAuth) {
	a.WorkloadIdentity, a.ClientSecret = nil, &v1alpha1.AzureClientSecret{SecretRef: ref("azure", "secret")}
}

func opened(cidrs ...string) func(*compile.Input) {
	return func(in *compile.Input) { in.Endpoints.AllowCIDRs = append(in.Endpoints.AllowCIDRs, cidrs...) }
}

func TestIdentitiesAreCompiled(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/llm"
	cases := map[string]struct {
		credential v1alpha1.ProviderCredential
		mods       []func(*compile.Input)
		want       table.Key
	}{
		"role of AWS": {
			credential: bedrock(awsAuth(v1alpha1.AWSAuth{WebIdentity: &v1alpha1.AWSWebIdentity{RoleARN: role}})),
			want:       table.Key{Name: "aws", Kind: table.AWSWebIdentity, Cloud: &table.CloudIdentity{Audience: "sts.amazonaws.com", RoleARN: role}},
		},
		"private endpoint of AWS": {
			credential: bedrock(awsAuth(v1alpha1.AWSAuth{WebIdentity: &v1alpha1.AWSWebIdentity{RoleARN: role, Audience: "a", STSEndpoint: "https://sts.internal"}})),
			want: table.Key{Name: "aws", Kind: table.AWSWebIdentity, Cloud: &table.CloudIdentity{
				Audience: "a", RoleARN: role, Endpoint: "https://sts.internal",
			}},
		},
		"agent of EKS": {
			credential: bedrock(awsAuth(v1alpha1.AWSAuth{PodIdentity: &v1alpha1.AWSPodIdentity{}})), mods: []func(*compile.Input){opened("169.254.170.23/32")},
			want: table.Key{Name: "aws", Kind: table.AWSPodIdentity, Cloud: &table.CloudIdentity{Audience: "pods.eks.amazonaws.com"}},
		},
		"pool of Google": {
			credential: vertex(federated(v1alpha1.GoogleWorkloadIdentity{Audience: poolProvider, ServiceAccount: "a@b", IAMEndpoint: "https://iam.internal"})),
			want: table.Key{Name: "google", Kind: table.GoogleWorkloadIdentity, Cloud: &table.CloudIdentity{
				Audience: "https:" + poolProvider, Provider: poolProvider, ServiceAccount: "a@b", IAMEndpoint: "https://iam.internal",
			}},
		},
		"application": {credential: azure(), want: table.Key{Name: "azure", Kind: table.AzureWorkloadIdentity, Cloud: &table.CloudIdentity{
			Audience: "api://AzureADTokenExchange", TenantID: "tenant-1", ClientID: "client-1",
		}}},
		"application with a secret": {
			credential: azure(withClientSecret), mods: []func(*compile.Input){withKeys(stored("azure", map[string]string{"secret": "of-azure\n"}))},
			want: table.Key{Name: "azure", Kind: table.AzureSecret, Value: "of-azure", Secret: "azure", SecretKey: "secret", Cloud: &table.CloudIdentity{
				TenantID: "tenant-1", ClientID: "client-1",
			}},
		},
	}
	prints := map[string]string{}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(append(tc.mods, withCredentials(tc.credential))...))
			got := servedGroq(t, result)
			if diff := cmp.Diff([]table.Key{tc.want}, got.Keys, cmpopts.IgnoreFields(table.Key{}, "Fingerprint", "Weight", "Since", "FirstSeen")); diff != "" {
				t.Fatalf("keys (-want +got):\n%s", diff)
			}
			print := got.Keys[0].Fingerprint
			if other, twice := prints[print]; twice || len(print) != 12 {
				t.Errorf("fingerprint %q is that of %q too", print, other)
			}
			prints[print] = name
			// What was compiled stays as it is, for tokens are kept by it.
			again := compile.Compile(input(append(tc.mods, withCredentials(tc.credential), withPrevious(result.Table))...))
			if diff := cmp.Diff(result.Table, again.Table); diff != "" {
				t.Errorf("second table (-first +second):\n%s", diff)
			}
		})
	}
}

func TestIdentitiesInError(t *testing.T) {
	web := func(identity v1alpha1.AWSWebIdentity) v1alpha1.ProviderCredential {
		return bedrock(awsAuth(v1alpha1.AWSAuth{WebIdentity: &identity}))
	}
	const role = "arn:aws:iam::123456789012:role/llm"
	elsewhere := func(c v1alpha1.ProviderCredential) v1alpha1.ProviderCredential {
		c.Spec.Provider, c.Spec.Endpoint, c.Spec.AWSBedrock, c.Spec.VertexAI = v1alpha1.ProviderOpenAI, "", nil, nil
		return c
	}
	cases := map[string]struct {
		credential v1alpha1.ProviderCredential
		reason     string
		says       string
	}{
		"agent that is closed": {
			bedrock(awsAuth(v1alpha1.AWSAuth{PodIdentity: &v1alpha1.AWSPodIdentity{}})), v1alpha1.ReasonEndpointDenied, "endpoints.allowCIDRs: [169.254.170.23/32]",
		},
		"metadata server as STS": {
			web(v1alpha1.AWSWebIdentity{RoleARN: role, STSEndpoint: "http://169.254.169.254"}), v1alpha1.ReasonEndpointDenied, "spec.auth.aws.webIdentity.stsEndpoint: ",
		},
		"STS with a query": {
			web(v1alpha1.AWSWebIdentity{RoleARN: role, STSEndpoint: "https://sts.test?x=y"}), v1alpha1.ReasonInvalidKey, "spec.auth.aws.webIdentity.stsEndpoint: ",
		},
		"no role": {web(v1alpha1.AWSWebIdentity{RoleARN: "llm"}), "", "spec.auth.aws.webIdentity.roleARN"},
		"IAM on loopback": {
			vertex(federated(v1alpha1.GoogleWorkloadIdentity{Audience: poolProvider, ServiceAccount: "a@b", IAMEndpoint: "http://127.0.0.1"})),
			v1alpha1.ReasonEndpointDenied, "spec.auth.google.workloadIdentity.iamEndpoint: ",
		},
		"exchange on loopback": {
			vertex(federated(v1alpha1.GoogleWorkloadIdentity{Audience: poolProvider, STSEndpoint: "http://127.0.0.1"})),
			v1alpha1.ReasonEndpointDenied, "spec.auth.google.workloadIdentity.stsEndpoint: ",
		},
		"no pool":                  {vertex(federated(v1alpha1.GoogleWorkloadIdentity{Audience: "pool"})), "", "spec.auth.google.workloadIdentity.audience"},
		"plain authority":          {azure(func(a *v1alpha1.AzureAuth) { a.AuthorityHost = "http://login.test" }), v1alpha1.ReasonInvalidKey, "has to begin with https://"},
		"authority on loopback":    {azure(func(a *v1alpha1.AzureAuth) { a.AuthorityHost = "https://127.0.0.1" }), v1alpha1.ReasonEndpointDenied, "spec.auth.azure.authorityHost: "},
		"tenant with a path":       {azure(func(a *v1alpha1.AzureAuth) { a.TenantID = "a/b" }), "", "spec.auth.azure.tenantID"},
		"no application":           {azure(func(a *v1alpha1.AzureAuth) { a.ClientID = "" }), "", "spec.auth.azure.clientID"},
		"no Secret of application": {azure(withClientSecret), v1alpha1.ReasonSecretNotFound, `Secret "azure" does not exist`},
		"AWS elsewhere":            {elsewhere(web(v1alpha1.AWSWebIdentity{RoleARN: role})), "", "takes no keys of AWS"},
		"Google elsewhere":         {elsewhere(vertex(federated(v1alpha1.GoogleWorkloadIdentity{Audience: poolProvider}))), "", "takes no service accounts of Google"},
		"Azure elsewhere":          {elsewhere(azure()), "", "takes no applications of Microsoft Entra ID"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withCredentials(tc.credential)))
			findings := report(t, result, compile.KindProviderCredential, "groq").Findings
			told := func(f compile.Finding) bool {
				return strings.Contains(f.Message, tc.says) && (tc.reason == "" || f.Reason == tc.reason)
			}
			if !slices.ContainsFunc(findings, told) {
				t.Errorf("findings %+v, want %s with %q", findings, tc.reason, tc.says)
			}
			for _, c := range result.Table.Credentials {
				if len(c.Keys) > 0 {
					t.Errorf("keys %+v are served", c.Keys)
				}
			}
		})
	}
}
