package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// awsAudience is whom tokens are for that AWS exchanges where the spec does not say.
	awsAudience = "sts.amazonaws.com"
	// azureAudience is whom tokens are for that Microsoft Entra ID exchanges. Nothing else is accepted by default.
	azureAudience = "api://AzureADTokenExchange"
	// azureKeyName is the name of the key of auth.azure.
	azureKeyName = "azure"
)

// tokenService is the address of a token service that the spec names, and the field that does.
type tokenService struct{ address, field string }

// cloudSource returns the source of an identity that is no key in auth.keys and has a token service, if the spec has one.
func cloudSource(spec v1alpha1.ProviderAuth) (keySource, bool) {
	switch {
	case spec.AWS != nil:
		return awsIdentity(spec.AWS)
	case spec.Google != nil && spec.Google.WorkloadIdentity != nil:
		return googleIdentity(spec.Google.WorkloadIdentity), true
	case spec.Azure != nil:
		return azureIdentity(spec.Azure)
	default:
		return keySource{}, false
	}
}

func awsIdentity(spec *v1alpha1.AWSAuth) (keySource, bool) {
	source := keySource{name: awsKeyName, weight: defaultWeight}
	switch {
	case spec.WebIdentity != nil:
		web := spec.WebIdentity
		source.kind, source.value.field = table.AWSWebIdentity, "spec.auth.aws.webIdentity"
		source.cloud = &table.CloudIdentity{Audience: web.Audience, Endpoint: web.STSEndpoint, RoleARN: web.RoleARN}
		if web.Audience == "" {
			source.cloud.Audience = awsAudience
		}
		return source, true
	case spec.PodIdentity != nil:
		source.kind, source.value.field = table.AWSPodIdentity, "spec.auth.aws.podIdentity"
		source.cloud = &table.CloudIdentity{Audience: auth.PodIdentityAudience}
		return source, true
	default:
		return keySource{}, false
	}
}

func googleIdentity(spec *v1alpha1.GoogleWorkloadIdentity) keySource {
	return keySource{
		name: googleKeyName, kind: table.GoogleWorkloadIdentity, weight: defaultWeight, value: keyPart{field: "spec.auth.google.workloadIdentity"},
		cloud: &table.CloudIdentity{
			// What Google takes is the name of its provider as an address, for tokens have to name it with a scheme.
			Audience: "https:" + spec.Audience, Provider: spec.Audience, Endpoint: spec.STSEndpoint,
			ServiceAccount: spec.ServiceAccount, IAMEndpoint: spec.IAMEndpoint,
		},
	}
}

func azureIdentity(spec *v1alpha1.AzureAuth) (keySource, bool) {
	source := keySource{name: azureKeyName, weight: defaultWeight}
	source.cloud = &table.CloudIdentity{TenantID: spec.TenantID, ClientID: spec.ClientID, Endpoint: spec.AuthorityHost}
	switch {
	case spec.ClientSecret != nil:
		source.kind, source.value = table.AzureSecret, partOf(spec.ClientSecret.SecretRef, "spec.auth.azure.clientSecret.secretRef")
		return source, true
	case spec.WorkloadIdentity != nil:
		source.kind, source.value.field = table.AzureWorkloadIdentity, "spec.auth.azure.workloadIdentity"
		source.cloud.Audience = azureAudience
		return source, true
	default:
		return keySource{}, false
	}
}

// readCloudKey makes the key of an identity, and reads its secret if it has one. Its token services have to be open.
func (s keyShop) readCloudKey(source keySource) (table.Key, *keyProblem) {
	for _, service := range source.services() {
		if problem := s.open(source, service); problem != nil {
			return table.Key{}, problem
		}
	}
	var value string
	if source.kind == table.AzureSecret {
		var problem *keyProblem
		if value, problem = s.read(source.value, keyText); problem != nil {
			return table.Key{}, problem
		}
	}
	identity := *source.cloud
	key := source.key(value, fmt.Sprintf("%s %+q %s", source.kind, identity, value))
	key.Cloud = &identity
	return key, nil
}

// services are the token services that an identity asks and that are not the vendor's own.
func (s keySource) services() []tokenService {
	var services []tokenService
	add := func(address, field string) {
		if address != "" {
			services = append(services, tokenService{address, field})
		}
	}
	switch s.kind {
	case table.AWSWebIdentity:
		add(s.cloud.Endpoint, "spec.auth.aws.webIdentity.stsEndpoint")
	case table.AWSPodIdentity:
		add(auth.PodIdentityAgent, "spec.auth.aws.podIdentity")
	case table.GoogleWorkloadIdentity:
		add(s.cloud.Endpoint, "spec.auth.google.workloadIdentity.stsEndpoint")
		add(s.cloud.IAMEndpoint, "spec.auth.google.workloadIdentity.iamEndpoint")
	case table.AzureSecret, table.AzureWorkloadIdentity:
		add(s.cloud.Endpoint, "spec.auth.azure.authorityHost")
	default:
	}
	return services
}

// open tells what is wrong with the address of a token service.
func (s keyShop) open(source keySource, service tokenService) *keyProblem {
	err := s.check(service.address)
	var form *endpoint.URLError
	switch {
	case errors.As(err, &form):
		return &keyProblem{reason: v1alpha1.ReasonInvalidKey, message: fmt.Sprintf("%s: %s", service.field, form.Error()), field: service.field}
	case err != nil && source.kind == table.AWSPodIdentity:
		return &keyProblem{
			reason: v1alpha1.ReasonEndpointDenied, field: service.field,
			message: "the agent of EKS Pod Identity is at a link-local address that is closed; the platform team opens it with endpoints.allowCIDRs: [169.254.170.23/32] in the platform's configuration, or use auth.aws.webIdentity",
		}
	case err != nil:
		return &keyProblem{reason: v1alpha1.ReasonEndpointDenied, message: fmt.Sprintf("%s: %s", service.field, err), field: service.field}
	case source.cloud.TenantID != "" && !strings.HasPrefix(service.address, "https://"):
		return &keyProblem{reason: v1alpha1.ReasonInvalidKey, message: service.field + ": it has to begin with https://", field: service.field}
	default:
		return nil
	}
}

// kindDefects tells whether a provider takes what the spec authenticates with.
func kindDefects(vendor provider.Provider, spec v1alpha1.ProviderAuth) []Finding {
	takes := func(kinds ...table.KeyKind) bool {
		return slices.ContainsFunc(kinds, func(kind table.KeyKind) bool { return slices.Contains(vendor.KeyKinds, kind) })
	}
	refuse := func(field, what string) []Finding {
		return []Finding{invalid(v1alpha1.ConditionReady, field, fmt.Sprintf("provider %s takes no %s", vendor.Name, what))}
	}
	switch {
	case spec.AWS != nil && !takes(table.AWSKey, table.AWSWebIdentity, table.AWSPodIdentity):
		return refuse("spec.auth.aws", "keys of AWS")
	case spec.Google != nil && !takes(table.GoogleKey, table.GoogleWorkloadIdentity):
		return refuse("spec.auth.google", "service accounts of Google")
	case spec.Azure != nil && !takes(table.AzureSecret, table.AzureWorkloadIdentity):
		return refuse("spec.auth.azure", "applications of Microsoft Entra ID")
	default:
		return identityDefects(spec)
	}
}

// identityDefects tells which parts of an identity are missing or cannot be right. The schema says the same, but objects can come from elsewhere; what is
// checked here ends up in addresses.
func identityDefects(spec v1alpha1.ProviderAuth) []Finding {
	broken := func(field, why string) []Finding { return []Finding{invalid(v1alpha1.ConditionReady, field, why)} }
	switch {
	case spec.AWS != nil && spec.AWS.WebIdentity != nil && !strings.HasPrefix(spec.AWS.WebIdentity.RoleARN, "arn:"):
		return broken("spec.auth.aws.webIdentity.roleARN", "it has to be the ARN of a role, arn:aws:iam::<account>:role/<name>")
	case spec.Google != nil && spec.Google.WorkloadIdentity != nil && !strings.HasPrefix(spec.Google.WorkloadIdentity.Audience, "//"):
		return broken("spec.auth.google.workloadIdentity.audience",
			"it has to be the full name of the pool's provider, //iam.googleapis.com/projects/<number>/locations/global/workloadIdentityPools/<pool>/providers/<provider>")
	case spec.Azure != nil && (spec.Azure.TenantID == "" || strings.ContainsFunc(spec.Azure.TenantID, notInTenants)):
		return broken("spec.auth.azure.tenantID", "it has letters, digits, dots and hyphens")
	case spec.Azure != nil && spec.Azure.ClientID == "":
		return broken("spec.auth.azure.clientID", "it is required")
	default:
		return nil
	}
}

func notInTenants(r rune) bool {
	return r != '.' && (r < 'A' || r > 'Z') && notInPlaces(r)
}
