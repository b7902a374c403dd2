package v1alpha1

// ProviderAuth is one way to authenticate; exactly one field is set.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="[has(self.keys), has(self.aws), has(self.google), has(self.azure), has(self.none)].filter(x, x).size() == 1",message="auth needs exactly one of keys, aws, google, azure and none"
type ProviderAuth struct {
	// keys are API keys, each in a Secret of this namespace. Their order is that of preference where keyPolicy is Lead.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Keys []ProviderKey `json:"keys,omitempty"`

	// keyPolicy says how several keys serve: Lead, the default, calls with the first one that can be used and keeps the others in reserve; Share spreads calls over all of them.
	// +optional
	// +default="Lead"
	KeyPolicy KeyPolicy `json:"keyPolicy,omitempty"`

	// aws signs requests as an identity of AWS.
	// +optional
	AWS *AWSAuth `json:"aws,omitempty"`

	// google sends tokens of Google Cloud.
	// +optional
	Google *GoogleAuth `json:"google,omitempty"`

	// azure sends tokens of Microsoft Entra ID.
	// +optional
	Azure *AzureAuth `json:"azure,omitempty"`

	// none is for servers that take no key, such as a model server in the cluster. Its value is an empty object: {}.
	// +optional
	None *NoAuth `json:"none,omitempty"`
}

// KeyPolicy says how several keys of one account serve.
// +kubebuilder:validation:Enum=Lead;Share
type KeyPolicy string

// The policies.
const (
	// KeysLead calls with the first key of the list that can be used. The others are the reserve.
	KeysLead KeyPolicy = "Lead"
	// KeysShare spreads calls over all keys by their weight and by what the provider says is left of each one's rate limits.
	KeysShare KeyPolicy = "Share"
)

// SecretNames are the names of all Secrets that keys are read from; a name can be there twice.
func (a ProviderAuth) SecretNames() []string {
	var names []string
	for _, ref := range a.secretRefs() {
		if ref != nil {
			names = append(names, ref.Name)
		}
	}
	return names
}

// secretRefs are all references to Secrets, nil where one is not given.
func (a ProviderAuth) secretRefs() []*SecretKeyReference {
	var refs []*SecretKeyReference
	for i := range a.Keys {
		refs = append(refs, &a.Keys[i].SecretKeyRef)
	}
	if a.AWS != nil {
		refs = append(refs, a.AWS.AccessKeyIDRef, a.AWS.SecretAccessKeyRef, a.AWS.SessionTokenRef)
	}
	if a.Google != nil {
		refs = append(refs, a.Google.ServiceAccountKeyRef)
	}
	if a.Azure != nil && a.Azure.ClientSecret != nil {
		refs = append(refs, &a.Azure.ClientSecret.SecretRef)
	}
	return refs
}

// AWSAuth is an identity of AWS: an access key, or what AWS gives to pods. Secrets must carry the label signalbox.dev/provider-key: "true".
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="[has(self.accessKeyIDRef), has(self.webIdentity), has(self.podIdentity)].filter(x, x).size() == 1",message="auth.aws needs exactly one of accessKeyIDRef (with secretAccessKeyRef), webIdentity and podIdentity"
// +kubebuilder:validation:XValidation:rule="has(self.accessKeyIDRef) == has(self.secretAccessKeyRef)",message="accessKeyIDRef and secretAccessKeyRef belong together"
// +kubebuilder:validation:XValidation:rule="has(self.accessKeyIDRef) || !has(self.sessionTokenRef)",message="sessionTokenRef is only allowed with accessKeyIDRef"
type AWSAuth struct {
	// accessKeyIDRef is where the access key ID is stored.
	// +optional
	AccessKeyIDRef *SecretKeyReference `json:"accessKeyIDRef,omitempty"`

	// secretAccessKeyRef is where the secret access key is stored.
	// +optional
	SecretAccessKeyRef *SecretKeyReference `json:"secretAccessKeyRef,omitempty"`

	// sessionTokenRef is where the session token of a temporary access key is stored. Nothing renews it but a change of the Secret.
	// +optional
	SessionTokenRef *SecretKeyReference `json:"sessionTokenRef,omitempty"`

	// webIdentity takes on a role with a token of the proxy's ServiceAccount, as IAM roles for service accounts (IRSA) do.
	// +optional
	WebIdentity *AWSWebIdentity `json:"webIdentity,omitempty"`

	// podIdentity asks the agent of EKS Pod Identity on the node, for the role that is associated with the proxy's ServiceAccount signalbox of this namespace. Its value is an empty object, {}. The agent is at a link-local address, which the platform's configuration has to open: endpoints.allowCIDRs 169.254.170.23/32.
	// +optional
	PodIdentity *AWSPodIdentity `json:"podIdentity,omitempty"`
}

// AWSWebIdentity is a role of AWS that the proxy's ServiceAccount may take on.
type AWSWebIdentity struct {
	// roleARN is the role. Its trust policy names the cluster's OIDC provider and the subject system:serviceaccount:<namespace>:signalbox.
	// +required
	// +kubebuilder:validation:MinLength=20
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^arn:[a-z0-9-]+:iam::[0-9]{12}:role/.+$`
	RoleARN string `json:"roleARN,omitempty"`

	// audience of the token. The default is sts.amazonaws.com.
	// +optional
	// +default="sts.amazonaws.com"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Audience string `json:"audience,omitempty"`

	// stsEndpoint is the URL of the token service, for a private endpoint. The default is the regional one, https://sts.<region>.amazonaws.com.
	// +optional
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	STSEndpoint string `json:"stsEndpoint,omitempty"`
}

// AWSPodIdentity is the empty configuration of EKS Pod Identity.
type AWSPodIdentity struct{}

// GoogleAuth is an identity of Google Cloud: the key of a service account, or the proxy's ServiceAccount through Workload Identity Federation.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="has(self.serviceAccountKeyRef) != has(self.workloadIdentity)",message="auth.google needs exactly one of serviceAccountKeyRef and workloadIdentity"
type GoogleAuth struct {
	// serviceAccountKeyRef is where the account's key file is stored, JSON as Google Cloud hands it out. The Secret must carry the label signalbox.dev/provider-key: "true".
	// +optional
	ServiceAccountKeyRef *SecretKeyReference `json:"serviceAccountKeyRef,omitempty"`

	// workloadIdentity exchanges a token of the proxy's ServiceAccount signalbox of this namespace.
	// +optional
	WorkloadIdentity *GoogleWorkloadIdentity `json:"workloadIdentity,omitempty"`
}

// GoogleWorkloadIdentity is a provider of a workload identity pool that trusts the cluster.
type GoogleWorkloadIdentity struct {
	// audience is the full name of the pool's provider: //iam.googleapis.com/projects/<number>/locations/global/workloadIdentityPools/<pool>/providers/<provider>. The token that is exchanged has the audience https:<audience>, which is what Google accepts by default.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^//[a-z.]+/.+$`
	Audience string `json:"audience,omitempty"`

	// serviceAccount is the email of the service account to act as. Without it the federated identity itself calls.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[^@/?#]+@[a-z0-9.-]+$`
	ServiceAccount string `json:"serviceAccount,omitempty"`

	// stsEndpoint is the URL of the token exchange, for a private endpoint. The default is https://sts.googleapis.com.
	// +optional
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	STSEndpoint string `json:"stsEndpoint,omitempty"`

	// iamEndpoint is the URL of the service that gives tokens of serviceAccount, for a private endpoint. The default is https://iamcredentials.googleapis.com.
	// +optional
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	IAMEndpoint string `json:"iamEndpoint,omitempty"`
}

// AzureAuth is an application of Microsoft Entra ID.
// +kubebuilder:validation:XValidation:rule="has(self.clientSecret) != has(self.workloadIdentity)",message="auth.azure needs exactly one of clientSecret and workloadIdentity"
type AzureAuth struct {
	// tenantID of the directory.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9.-]+$`
	TenantID string `json:"tenantID,omitempty"`

	// clientID of the application or managed identity.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9-]+$`
	ClientID string `json:"clientID,omitempty"`

	// authorityHost is the URL of the token service. The default is https://login.microsoftonline.com.
	// +optional
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	AuthorityHost string `json:"authorityHost,omitempty"`

	// clientSecret authenticates the application by a secret.
	// +optional
	ClientSecret *AzureClientSecret `json:"clientSecret,omitempty"`

	// workloadIdentity authenticates it by a token of the proxy's ServiceAccount signalbox of this namespace, which a federated credential of the application trusts. Its value is an empty object, {}.
	// +optional
	WorkloadIdentity *AzureWorkloadIdentity `json:"workloadIdentity,omitempty"`
}

// AzureClientSecret is where an application's secret is.
type AzureClientSecret struct {
	// secretRef is where the secret is stored. The Secret must carry the label signalbox.dev/provider-key: "true".
	// +required
	SecretRef SecretKeyReference `json:"secretRef,omitzero"`
}

// AzureWorkloadIdentity is the empty configuration of workload identity.
type AzureWorkloadIdentity struct{}

// NoAuth is the empty configuration of an endpoint that takes no key.
type NoAuth struct{}

// ProviderKey is one API key of the provider.
type ProviderKey struct {
	// name of the key in status and metrics.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// secretKeyRef is where the key is stored. The Secret must carry the label signalbox.dev/provider-key: "true".
	// +required
	SecretKeyRef SecretKeyReference `json:"secretKeyRef,omitzero"`

	// weight is the key's share of calls where keyPolicy is Share, 0 to 1000. With 0 a key is used only when no other can be. The default is 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Weight *int32 `json:"weight,omitempty"`
}
