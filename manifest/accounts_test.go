package manifest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/api/v1alpha1"
)

const accounts = `
apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: azure}
spec:
  provider: AzureOpenAI
  endpoint: https://acme.openai.azure.com
  azureOpenAI: {apiVersion: 2024-10-21}
  auth: {keys: [{name: main, secretKeyRef: {name: azure, key: api-key}}]}
---
apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: bedrock}
spec:
  provider: AWSBedrock
  awsBedrock: {region: eu-central-1}
  auth:
    aws:
      accessKeyIDRef: {name: aws, key: id}
      secretAccessKeyRef: {name: aws, key: secret}
---
apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: vertex}
spec:
  provider: VertexAI
  vertexAI: {project: acme, location: global}
  auth: {google: {serviceAccountKeyRef: {name: google, key: key.json}}}
`

// A date without quotes stays the text that it is.
func TestReadAccounts(t *testing.T) {
	set, problems := read(t, accounts)
	if problems != nil {
		t.Fatalf("problems %q", problems)
	}
	ref := func(name, key string) v1alpha1.SecretKeyReference {
		return v1alpha1.SecretKeyReference{Name: name, Key: key}
	}
	want := map[string]v1alpha1.ProviderCredentialSpec{
		"azure": {
			Provider: v1alpha1.ProviderAzureOpenAI, Endpoint: "https://acme.openai.azure.com", AzureOpenAI: &v1alpha1.AzureOpenAIAccount{APIVersion: "2024-10-21"},
			Auth: v1alpha1.ProviderAuth{Keys: []v1alpha1.ProviderKey{{Name: "main", SecretKeyRef: ref("azure", "api-key"), Weight: new(int32(1))}}},
		},
		"bedrock": {
			Provider: v1alpha1.ProviderAWSBedrock, AWSBedrock: &v1alpha1.AWSBedrockAccount{Region: "eu-central-1"},
			Auth: v1alpha1.ProviderAuth{AWS: &v1alpha1.AWSAuth{AccessKeyIDRef: new(ref("aws", "id")), SecretAccessKeyRef: new(ref("aws", "secret"))}},
		},
		"vertex": {
			Provider: v1alpha1.ProviderVertexAI, VertexAI: &v1alpha1.VertexAIAccount{Project: "acme", Location: "global"},
			Auth: v1alpha1.ProviderAuth{Google: &v1alpha1.GoogleAuth{ServiceAccountKeyRef: new(ref("google", "key.json"))}},
		},
	}
	for i := range set.Credentials {
		name := set.Credentials[i].Name
		got := set.Credentials[i].Spec
		got.Probe, got.Rotation, got.Auth.KeyPolicy = v1alpha1.ProbePolicy{}, v1alpha1.KeyRotation{}, ""
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if len(set.Credentials) != len(want) {
		t.Errorf("%d credentials were read", len(set.Credentials))
	}
}
