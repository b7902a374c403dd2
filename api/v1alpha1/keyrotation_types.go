package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KeyValidation says how a new key is tried before it leads.
// +kubebuilder:validation:Enum=Probe;None
type KeyValidation string

// The ways to try a key.
const (
	// ValidateByProbe asks the provider with a call that costs nothing. A key that the provider refuses never leads.
	ValidateByProbe KeyValidation = "Probe"
	// ValidateNone uses a new key at once.
	ValidateNone KeyValidation = "None"
)

// UnknownKeyPolicy says what becomes of a key that the provider's answer tells nothing of.
// +kubebuilder:validation:Enum=Lead;Hold
type UnknownKeyPolicy string

// The policies.
const (
	// UnknownLeads lets the key lead. Should the provider refuse it within the overlap, calls go on with the key before it.
	UnknownLeads UnknownKeyPolicy = "Lead"
	// UnknownHolds keeps the key before it until a probe says that the new one is good, or the policy is changed.
	UnknownHolds UnknownKeyPolicy = "Hold"
)

// KeyRotation says what happens when the value of a stored key changes.
// +kubebuilder:validation:XValidation:rule="!has(self.provision) || !has(self.maxAge) || duration(self.provision.every) <= duration(self.maxAge)",message="provision.every must not be longer than maxAge"
type KeyRotation struct {
	// validate says how a new key is tried before it leads. The default is Probe.
	// +optional
	// +default="Probe"
	Validate KeyValidation `json:"validate,omitempty"`

	// whenUnknown says what becomes of a new key when the probe cannot tell: the provider has no call that costs nothing, the manager may not call it, or it did not answer for a minute. It holds for a key that replaces another; the first one serves. The default is Lead.
	// +optional
	// +default="Lead"
	WhenUnknown UnknownKeyPolicy `json:"whenUnknown,omitempty"`

	// overlap is how long the previous key can still be used after a new one began to lead, 0s to 24h. Then it is dropped from every proxy, also while the manager is away. The default is 10m.
	// +optional
	// +default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="overlap must be between 0s and 24h"
	Overlap *metav1.Duration `json:"overlap,omitempty"`

	// canary gives a new key a share of the calls before it leads.
	// +optional
	Canary *CanaryPolicy `json:"canary,omitempty"`

	// maxAge is how old a key may become, 1h to 17520h, counted from when it was first seen. The condition KeyFresh says when a fifth of it is left, and when it is over. The key goes on being used. Without it keys do not age.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('17520h')",message="maxAge must be between 1h and 17520h"
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`

	// provision has keys made at the provider on schedule, by its management API, and written to the Secret of the key.
	// +optional
	Provision *KeyProvision `json:"provision,omitempty"`
}

// CanaryPolicy gives a new key a share of the calls first. If the provider refuses it in calls it is rejected, as if the probe had said so.
type CanaryPolicy struct {
	// percent of calls that the new key gets, 1 to 50.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	Percent int32 `json:"percent,omitempty"`

	// duration of the trial, 10s to 24h.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="duration must be between 10s and 24h"
	Duration *metav1.Duration `json:"duration,omitempty"`
}

// KeyProvision has keys made at the provider. The Secret that auth.keys names is created if need be, and is written by the manager from then on. Keys that it made are deleted at the provider after the overlap, and all of them when the ProviderCredential is deleted.
// +kubebuilder:validation:XValidation:rule="has(self.openRouter) != has(self.openAI)",message="provision needs exactly one of openRouter and openAI"
type KeyProvision struct {
	// every is how often a new key is made, 1h to 8760h.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="every must be between 1h and 8760h"
	Every *metav1.Duration `json:"every,omitempty"`

	// openRouter makes keys with OpenRouter's management API.
	// +optional
	OpenRouter *OpenRouterProvision `json:"openRouter,omitempty"`

	// openAI makes service accounts of a project with OpenAI's administration API.
	// +optional
	OpenAI *OpenAIProvision `json:"openAI,omitempty"`
}

// OpenRouterProvision makes keys at OpenRouter.
type OpenRouterProvision struct {
	// managementKeyRef is where the management key is stored. The Secret must carry the label signalbox.dev/provider-key: "true". The key never reaches a proxy.
	// +required
	ManagementKeyRef SecretKeyReference `json:"managementKeyRef,omitzero"`

	// limit is the credit limit of each key in US dollars, such as "25.00". Without it OpenRouter sets none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=19
	// +kubebuilder:validation:Pattern=`^[0-9]{1,9}(\.[0-9]{1,9})?$`
	Limit string `json:"limit,omitempty"`
}

// OpenAIProvision makes service accounts at OpenAI, each with a key.
type OpenAIProvision struct {
	// adminKeyRef is where the administration key is stored. The Secret must carry the label signalbox.dev/provider-key: "true". The key never reaches a proxy.
	// +required
	AdminKeyRef SecretKeyReference `json:"adminKeyRef,omitzero"`

	// project is the id of the project, such as proj_abc.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	Project string `json:"project,omitempty"`
}
