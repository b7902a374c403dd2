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
// +kubebuilder:validation:XValidation:rule="self.provider == 'AzureOpenAI' || !has(self.auth.azure)",message="auth.azure is only allowed when provider is AzureOpenAI"
// +kubebuilder:validation:XValidation:rule="has(self.auth.keys) || !has(self.rotation) || !has(self.rotation.canary) && !has(self.rotation.provision)",message="rotation.canary and rotation.provision are only allowed with auth.keys"
// +kubebuilder:validation:XValidation:rule="!has(self.rotation) || !has(self.rotation.provision) || has(self.auth.keys) && self.auth.keys.size() == 1",message="rotation.provision needs exactly one key in auth.keys: the one that it makes"
// +kubebuilder:validation:XValidation:rule="!has(self.rotation) || !has(self.rotation.provision) || has(self.rotation.provision.openRouter) == (self.provider == 'OpenRouter')",message="rotation.provision.openRouter is for provider OpenRouter, and provision.openAI for OpenAI"
// +kubebuilder:validation:XValidation:rule="!has(self.rotation) || !has(self.rotation.provision) || has(self.rotation.provision.openAI) == (self.provider == 'OpenAI')",message="rotation.provision.openAI is for provider OpenAI, and provision.openRouter for OpenRouter"
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

	// rotation says what happens when a stored key changes, and how old one may become.
	// +optional
	// +default={"validate":"Probe","whenUnknown":"Lead","overlap":"10m"}
	Rotation KeyRotation `json:"rotation,omitzero"`

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

	// slowAfter is the time to the first token, 100ms to 10m, from which on a provider that answers is called slow: its state is Degraded while half of the streams of the last seconds take longer. The default is 10s.
	// +optional
	// +default="10s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('10m')",message="slowAfter must be between 100ms and 10m"
	SlowAfter metav1.Duration `json:"slowAfter,omitempty,omitzero"`
}

// ProviderCredential is one account at a model provider: where it is, which key opens it, what it charges. Keys stay in Secrets of the same namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=pcred,categories=signalbox
// +kubebuilder:printcolumn:name="Provider",type=string,JSONPath=`.spec.provider`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.health.state`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.health.reason`
// +kubebuilder:printcolumn:name="Keys",type=string,JSONPath=`.status.usableKeys`
// +kubebuilder:printcolumn:name="Rotation",type=string,JSONPath=`.status.conditions[?(@.type=="Rotating")].reason`
// +kubebuilder:printcolumn:name="Since",type=date,JSONPath=`.status.health.since`
// +kubebuilder:printcolumn:name="Errors-Permille",type=integer,JSONPath=`.status.health.errorPermille`,priority=1
// +kubebuilder:printcolumn:name="TTFT-P95-MS",type=integer,JSONPath=`.status.health.timeToFirstTokenP95Milliseconds`,priority=1
// +kubebuilder:printcolumn:name="Tokens/S",type=integer,JSONPath=`.status.health.tokensPerSecond`,priority=1
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
