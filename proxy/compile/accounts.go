package compile

import (
	"fmt"
	"strings"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/provider"
)

const (
	// maxPlaceName bounds the names of regions, locations and API versions, and maxProject those of projects.
	maxPlaceName = 32
	maxProject   = 63
)

// accountOf reads the part of a spec that only some providers have. Its values end up in addresses, so objects that never met the schema are checked here.
func accountOf(spec *v1alpha1.ProviderCredentialSpec) (provider.Account, []Finding) {
	account := provider.Account{Endpoint: spec.Endpoint}
	var findings []Finding
	block := func(given bool, owner v1alpha1.ProviderName, field string) {
		if given && spec.Provider != owner {
			findings = append(findings, invalid(v1alpha1.ConditionReady, field, fmt.Sprintf("it is only for provider %s", owner)))
		}
	}
	value := func(text string, longest int, field string) string {
		if text == "" || len(text) > longest || strings.ContainsFunc(text, notInPlaces) {
			findings = append(findings, invalid(v1alpha1.ConditionReady, field, fmt.Sprintf("%q cannot be right: it has 1 to %d small letters, digits and hyphens", bounded(text), longest)))
		}
		return text
	}
	block(spec.AWSBedrock != nil, v1alpha1.ProviderAWSBedrock, "spec.awsBedrock")
	block(spec.VertexAI != nil, v1alpha1.ProviderVertexAI, "spec.vertexAI")
	block(spec.AzureOpenAI != nil, v1alpha1.ProviderAzureOpenAI, "spec.azureOpenAI")
	switch spec.Provider {
	case v1alpha1.ProviderAWSBedrock:
		if spec.AWSBedrock == nil {
			return account, append(findings, invalid(v1alpha1.ConditionReady, "spec.awsBedrock", "it is required for provider AWSBedrock"))
		}
		account.Region = value(spec.AWSBedrock.Region, maxPlaceName, "spec.awsBedrock.region")
	case v1alpha1.ProviderVertexAI:
		if spec.VertexAI == nil {
			return account, append(findings, invalid(v1alpha1.ConditionReady, "spec.vertexAI", "it is required for provider VertexAI"))
		}
		account.Project = spec.VertexAI.Project
		value(strings.NewReplacer(".", "", ":", "").Replace(account.Project), maxProject, "spec.vertexAI.project")
		account.Location = value(spec.VertexAI.Location, maxPlaceName, "spec.vertexAI.location")
	case v1alpha1.ProviderAzureOpenAI:
		if spec.AzureOpenAI != nil {
			account.APIVersion = value(spec.AzureOpenAI.APIVersion, maxPlaceName, "spec.azureOpenAI.apiVersion")
		}
	default:
	}
	return account, findings
}

func notInPlaces(r rune) bool {
	return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
}

// authDefects tells what is wrong with how a provider's calls are to be authenticated.
func authDefects(vendor provider.Provider, auth v1alpha1.ProviderAuth) []Finding {
	ways := 0
	for _, given := range []bool{len(auth.Keys) > 0, auth.AWS != nil, auth.Google != nil, auth.Azure != nil, auth.None != nil} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return []Finding{invalid(v1alpha1.ConditionReady, "spec.auth", "auth needs exactly one of keys, aws, google, azure and none")}
	}
	findings := kindDefects(vendor, auth)
	seen := map[string]struct{}{}
	for i, key := range auth.Keys {
		if _, twice := seen[key.Name]; twice {
			findings = append(findings, invalid(v1alpha1.ConditionReady, fmt.Sprintf("spec.auth.keys[%d].name", i), fmt.Sprintf("%q is there twice", bounded(key.Name))))
		}
		seen[key.Name] = struct{}{}
	}
	return findings
}
