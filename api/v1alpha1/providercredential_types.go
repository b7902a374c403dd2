package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ProviderName says which provider an endpoint belongs to, and with it which address, paths and quirks apply.
// +kubebuilder:validation:Enum=OpenAI;Anthropic;Groq;OpenRouter;GoogleAI;VertexAI;AWSBedrock;AzureOpenAI;Mistral;DeepSeek;XAI;Together;Fireworks;Cerebras;Cohere;OpenAICompatible
type ProviderName string

// The providers.
const (
	// ProviderOpenAI is OpenAI's own API.
	ProviderOpenAI ProviderName = "OpenAI"
	// ProviderAnthropic is Anthropic's own API.
	ProviderAnthropic ProviderName = "Anthropic"
	// ProviderGroq is GroqCloud.
	ProviderGroq ProviderName = "Groq"
	// ProviderOpenRouter is openrouter.ai.
	ProviderOpenRouter ProviderName = "OpenRouter"
	// ProviderGoogleAI is the Gemini API of Google AI Studio.
	ProviderGoogleAI ProviderName = "GoogleAI"
	// ProviderVertexAI is Vertex AI of Google Cloud.
	ProviderVertexAI ProviderName = "VertexAI"
	// ProviderAWSBedrock is Amazon Bedrock.
	ProviderAWSBedrock ProviderName = "AWSBedrock"
	// ProviderAzureOpenAI is OpenAI's models on Azure.
	ProviderAzureOpenAI ProviderName = "AzureOpenAI"
	// ProviderMistral is Mistral's La Plateforme.
	ProviderMistral ProviderName = "Mistral"
	// ProviderDeepSeek is DeepSeek's platform.
	ProviderDeepSeek ProviderName = "DeepSeek"
	// ProviderXAI is xAI.
	ProviderXAI ProviderName = "XAI"
	// ProviderTogether is Together AI.
	ProviderTogether ProviderName = "Together"
	// ProviderFireworks is Fireworks AI.
	ProviderFireworks ProviderName = "Fireworks"
	// ProviderCerebras is Cerebras Inference.
	ProviderCerebras ProviderName = "Cerebras"
	// ProviderCohere is Cohere's platform.
	ProviderCohere ProviderName = "Cohere"
	// ProviderOpenAICompatible is any server that speaks OpenAI's API: vLLM, llama.cpp, Ollama, another gateway.
	ProviderOpenAICompatible ProviderName = "OpenAICompatible"
)

// ProviderCredentialSpec says how to reach one provider with one account.
// +kubebuilder:validation:XValidation:rule="!(self.provider in ['OpenAICompatible', 'AzureOpenAI']) || has(self.endpoint)",message="endpoint is required when provider is OpenAICompatible or AzureOpenAI"
// +kubebuilder:validation:XValidation:rule="(self.provider == 'AWSBedrock') == has(self.awsBedrock)",message="awsBedrock is required when provider is AWSBedrock, and only allowed then"
// +kubebuilder:validation:XValidation:rule="(self.provider == 'VertexAI') == has(self.vertexAI)",message="vertexAI is required when provider is VertexAI, and only allowed then"
// +kubebuilder:validation:XValidation:rule="self.provider == 'AzureOpenAI' || !has(self.azureOpenAI)",message="azureOpenAI is only allowed when provider is AzureOpenAI"
// +kubebuilder:validation:XValidation:rule="self.provider == 'AWSBedrock' || !has(self.auth.aws)",message="auth.aws is only allowed when provider is AWSBedrock"
// +kubebuilder:validation:XValidation:rule="self.provider == 'VertexAI' || !has(self.auth.google)",message="auth.google is only allowed when provider is VertexAI"
type ProviderCredentialSpec struct {
	// provider that the keys belong to.
	// +required
	Provider ProviderName `json:"provider,omitempty"`

	// endpoint is the base URL of the provider, such as https://api.groq.com or http://vllm.models:8000/v1. When it is left out the provider's public endpoint is used; OpenAICompatible and AzureOpenAI have none. Only http and https are allowed, without user, query or fragment; loopback, link-local, cloud-metadata and API-server addresses are refused, also when a name resolves to one.
	// +optional
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.startsWith('http://') || self.startsWith('https://')",message="endpoint must start with http:// or https://"
	// +kubebuilder:validation:XValidation:rule="isURL(self)",message="endpoint must be a URL such as https://api.groq.com"
	// +kubebuilder:validation:XValidation:rule="!self.contains('@') && !self.contains('?') && !self.contains('#')",message="endpoint must not contain a user, a query or a fragment"
	Endpoint string `json:"endpoint,omitempty"`

	// awsBedrock says where in AWS the models are. It is required for AWSBedrock.
	// +optional
	AWSBedrock *AWSBedrockAccount `json:"awsBedrock,omitempty"`

	// vertexAI says where in Google Cloud the models are. It is required for VertexAI.
	// +optional
	VertexAI *VertexAIAccount `json:"vertexAI,omitempty"`

	// azureOpenAI chooses an older API of Azure OpenAI. When it is left out the API below /openai/v1 is used.
	// +optional
	AzureOpenAI *AzureOpenAIAccount `json:"azureOpenAI,omitempty"`

	// auth says how calls are authenticated at the provider.
	// +required
	Auth ProviderAuth `json:"auth,omitzero"`

	// probe sets how the provider is checked. Only free calls are made, such as the list of models.
	// +optional
	// +default={"interval":"1m","timeout":"10s"}
	Probe ProbePolicy `json:"probe,omitzero"`

	// prices lists what the provider charges, one entry for each upstream model. They win over the catalogue of prices, and a target's own prices over them.
	// +optional
	// +listType=map
	// +listMapKey=model
	// +kubebuilder:validation:MaxItems=256
	Prices []ModelPrice `json:"prices,omitempty"`
}

// AWSBedrockAccount says where in AWS models are called.
type AWSBedrockAccount struct {
	// region of AWS, such as eu-central-1.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]+(-[a-z0-9]+)*$`
	Region string `json:"region,omitempty"`
}

// VertexAIAccount says where in Google Cloud models are called.
type VertexAIAccount struct {
	// project is the id of the Google Cloud project.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9.:-]*[a-z0-9]$`
	Project string `json:"project,omitempty"`

	// location of the models: a region such as europe-west4, a multi-region (us, eu), or global.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]+(-[a-z0-9]+)*$`
	Location string `json:"location,omitempty"`
}

// AzureOpenAIAccount chooses an API of Azure OpenAI.
type AzureOpenAIAccount struct {
	// apiVersion is the date of the API, such as 2024-10-21; deployments are then called below /openai/deployments.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?$`
	APIVersion string `json:"apiVersion,omitempty"`
}

// ProviderAuth is one way to authenticate; exactly one field is set.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="[has(self.keys), has(self.aws), has(self.google), has(self.none)].filter(x, x).size() == 1",message="auth needs exactly one of keys, aws, google and none"
type ProviderAuth struct {
	// keys are API keys, each in a Secret of this namespace.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1
	Keys []ProviderKey `json:"keys,omitempty"`

	// aws signs requests with an access key of AWS.
	// +optional
	AWS *AWSAuth `json:"aws,omitempty"`

	// google asks for tokens with the key of a Google service account.
	// +optional
	Google *GoogleAuth `json:"google,omitempty"`

	// none is for servers that take no key, such as a model server in the cluster. Its value is an empty object: {}.
	// +optional
	None *NoAuth `json:"none,omitempty"`
}

// SecretNames are the names of all Secrets that keys are read from; a name can be there twice.
func (a ProviderAuth) SecretNames() []string {
	var names []string
	for i := range a.Keys {
		names = append(names, a.Keys[i].SecretKeyRef.Name)
	}
	if a.AWS != nil {
		names = append(names, a.AWS.AccessKeyIDRef.Name, a.AWS.SecretAccessKeyRef.Name)
		if a.AWS.SessionTokenRef != nil {
			names = append(names, a.AWS.SessionTokenRef.Name)
		}
	}
	if a.Google != nil {
		names = append(names, a.Google.ServiceAccountKeyRef.Name)
	}
	return names
}

// AWSAuth is an access key of AWS. The Secrets must carry the label signalbox.dev/provider-key: "true".
type AWSAuth struct {
	// accessKeyIDRef is where the access key ID is stored.
	// +required
	AccessKeyIDRef SecretKeyReference `json:"accessKeyIDRef,omitzero"`

	// secretAccessKeyRef is where the secret access key is stored.
	// +required
	SecretAccessKeyRef SecretKeyReference `json:"secretAccessKeyRef,omitzero"`

	// sessionTokenRef is where the session token of a temporary access key is stored. Nothing renews it but a change of the Secret.
	// +optional
	SessionTokenRef *SecretKeyReference `json:"sessionTokenRef,omitempty"`
}

// GoogleAuth is a Google service account.
type GoogleAuth struct {
	// serviceAccountKeyRef is where the account's key file is stored, JSON as Google Cloud hands it out. The Secret must carry the label signalbox.dev/provider-key: "true".
	// +required
	ServiceAccountKeyRef SecretKeyReference `json:"serviceAccountKeyRef,omitzero"`
}

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
}

// ProbePolicy sets how often and how patiently a provider is checked.
type ProbePolicy struct {
	// interval between two probes, 10s to 24h. The default is 1m.
	// +optional
	// +default="1m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="interval must be between 10s and 24h"
	Interval metav1.Duration `json:"interval,omitempty,omitzero"`

	// timeout of one probe, 1s to 60s. The default is 10s.
	// +optional
	// +default="10s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('60s')",message="timeout must be between 1s and 60s"
	Timeout metav1.Duration `json:"timeout,omitempty,omitzero"`
}

// ProviderKeyState is what a key is used for now.
// +kubebuilder:validation:Enum=Active;Rejected;Missing
type ProviderKeyState string

// The states of a provider's key.
const (
	// KeyActive means that calls are made with the key.
	KeyActive ProviderKeyState = "Active"
	// KeyRejected means that the provider refused the key at the last probe.
	KeyRejected ProviderKeyState = "Rejected"
	// KeyMissing means that the key could not be read.
	KeyMissing ProviderKeyState = "Missing"
)

// ProviderKeyStatus is what is known of one key. The key itself is never shown.
type ProviderKeyStatus struct {
	// name of the key in spec.auth.keys; aws or google for the key of those.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// fingerprint is the first 12 hexadecimal digits of the SHA-256 of the key, so that two keys can be told apart. With aws it is of all parts of the key.
	// +optional
	// +kubebuilder:validation:MaxLength=12
	Fingerprint string `json:"fingerprint,omitempty"`

	// state of the key.
	// +required
	State ProviderKeyState `json:"state,omitempty"`

	// since is when the key came into this state.
	// +optional
	Since metav1.Time `json:"since,omitzero"`

	// message says more, without the key.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// ProviderHealth is what the last probe found.
type ProviderHealth struct {
	// lastProbe is when the provider was last asked.
	// +optional
	LastProbe metav1.Time `json:"lastProbe,omitzero"`

	// latencyMilliseconds is how long the last probe took until its answer's headers, in milliseconds.
	// +optional
	// +kubebuilder:validation:Minimum=0
	LatencyMilliseconds *int64 `json:"latencyMilliseconds,omitempty"`

	// httpStatus is the HTTP status of the last probe's answer; absent when there was none.
	// +optional
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=599
	HTTPStatus int32 `json:"httpStatus,omitempty"`
}

// ProviderCredentialStatus is what was observed of a ProviderCredential.
type ProviderCredentialStatus struct {
	// conditions are Ready, ResolvedRefs, KeyValid and Healthy.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// endpoint in use: spec.endpoint or the provider's public one.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Endpoint string `json:"endpoint,omitempty"`

	// keys lists the keys and their states.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Keys []ProviderKeyStatus `json:"keys,omitempty"`

	// health is what the last probe found.
	// +optional
	Health *ProviderHealth `json:"health,omitempty"`
}

// ProviderCredential is one account at a model provider: where it is, which key opens it, what it charges. Keys stay in Secrets of the same namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=pcred,categories=signalbox
// +kubebuilder:printcolumn:name="Provider",type=string,JSONPath=`.spec.provider`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Key-Valid",type=string,JSONPath=`.status.conditions[?(@.type=="KeyValid")].status`
// +kubebuilder:printcolumn:name="Healthy",type=string,JSONPath=`.status.conditions[?(@.type=="Healthy")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Probed",type=date,JSONPath=`.status.health.lastProbe`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="the name must have at most 63 characters"
type ProviderCredential struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is wanted.
	// +required
	Spec ProviderCredentialSpec `json:"spec,omitzero"`

	// status is what was observed.
	// +optional
	Status ProviderCredentialStatus `json:"status,omitzero"`
}

// ProviderCredentialList is a list of ProviderCredentials.
//
// +kubebuilder:object:root=true
type ProviderCredentialList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ProviderCredential `json:"items"`
}
