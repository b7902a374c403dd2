package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ProviderKeyState is what a key is used for now.
// +kubebuilder:validation:Enum=Active;Standby;Checking;Canary;Previous;CoolingDown;Rejected;Missing
type ProviderKeyState string

// The states of a provider's key.
const (
	// KeyActive means that calls are made with the key.
	KeyActive ProviderKeyState = "Active"
	// KeyStandby means that the key is the reserve of one that leads.
	KeyStandby ProviderKeyState = "Standby"
	// KeyChecking means that the key is new and is not used before the provider was asked about it.
	KeyChecking ProviderKeyState = "Checking"
	// KeyCanary means that the key is new and gets a share of the calls.
	KeyCanary ProviderKeyState = "Canary"
	// KeyPrevious means that the key was replaced and can still be used until the overlap ends.
	KeyPrevious ProviderKeyState = "Previous"
	// KeyCoolingDown means that the proxies leave the key alone for a while: its rate limit or its quota is used up, or the provider refuses it in calls.
	KeyCoolingDown ProviderKeyState = "CoolingDown"
	// KeyRejected means that the provider refused the key. A new one never leads; one that led is used only while there is no other.
	KeyRejected ProviderKeyState = "Rejected"
	// KeyMissing means that the key could not be read.
	KeyMissing ProviderKeyState = "Missing"
)

// ProviderKeyStatus is what is known of one key. The key itself is never shown.
type ProviderKeyStatus struct {
	// name of the key in spec.auth.keys; aws, google or azure for the identity of those. While a key rotates its name is there for each of its values.
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

	// until is when this state ends by itself: a previous key is dropped, a canary leads.
	// +optional
	Until metav1.Time `json:"until,omitzero"`

	// firstSeen is when this value of the key was first seen in its Secret. Its age counts from then.
	// +optional
	FirstSeen metav1.Time `json:"firstSeen,omitzero"`

	// message says more, without the key.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// HealthState is how a provider, or a target, is doing.
// +kubebuilder:validation:Enum=Healthy;Degraded;Down;RateLimited;Unknown
type HealthState string

// The states of health.
const (
	// HealthHealthy means that calls work, or, without calls, that the provider answers probes.
	HealthHealthy HealthState = "Healthy"
	// HealthDegraded means that calls work in part or slowly, or that probes and calls contradict each other.
	HealthDegraded HealthState = "Degraded"
	// HealthDown means that calls fail and probes too, or that one does while there is nothing to see of the other.
	HealthDown HealthState = "Down"
	// HealthRateLimited means that the provider answers, and takes no calls for a while because a rate limit or quota is used up.
	HealthRateLimited HealthState = "RateLimited"
	// HealthUnknown means that there are neither probes nor calls that tell.
	HealthUnknown HealthState = "Unknown"
)

// ProviderHealth is how the provider does for this namespace: what probes of the manager found, and what all ready proxies of the namespace together saw in about the last minute. Figures are rounded, and written every few seconds at most.
type ProviderHealth struct {
	// state of the provider.
	// +optional
	State HealthState `json:"state,omitempty"`

	// reason of the state, a single CamelCase word.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Reason string `json:"reason,omitempty"`

	// message says what is wrong and what to do.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// since is when the provider came into this state.
	// +optional
	Since metav1.Time `json:"since,omitzero"`

	// requests that were sent to the provider in about the last minute; absent without any.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Requests *int64 `json:"requests,omitempty"`

	// errorPermille is how many of a thousand of them failed for the provider's fault.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	ErrorPermille *int32 `json:"errorPermille,omitempty"`

	// timeToFirstTokenP50Milliseconds is the time to the first token that half of the streams stayed below, in milliseconds.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TimeToFirstTokenP50Milliseconds *int64 `json:"timeToFirstTokenP50Milliseconds,omitempty"`

	// timeToFirstTokenP95Milliseconds is the time to the first token that 95 of a hundred streams stayed below, in milliseconds.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TimeToFirstTokenP95Milliseconds *int64 `json:"timeToFirstTokenP95Milliseconds,omitempty"`

	// tokensPerSecond is the median rate of completion tokens after the first.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TokensPerSecond *int64 `json:"tokensPerSecond,omitempty"`

	// rateLimit is what the provider says is left; absent where it does not tell.
	// +optional
	RateLimit *ProviderRateLimit `json:"rateLimit,omitempty"`

	// balance is what the account still has, in US dollars, where the provider tells: "12.34".
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Balance string `json:"balance,omitempty"`

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

// ProviderRateLimit is what is left of the tightest rate limits over all keys together.
type ProviderRateLimit struct {
	// requestsRemaining until the limit resets; absent where the provider does not tell.
	// +optional
	// +kubebuilder:validation:Minimum=0
	RequestsRemaining *int64 `json:"requestsRemaining,omitempty"`

	// tokensRemaining until the limit resets; absent where the provider does not tell.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TokensRemaining *int64 `json:"tokensRemaining,omitempty"`

	// reset is when the limits are full again.
	// +optional
	Reset metav1.Time `json:"reset,omitzero"`
}

// ProviderCredentialStatus is what was observed of a ProviderCredential.
type ProviderCredentialStatus struct {
	// conditions are Ready, ResolvedRefs, KeyValid, Healthy, Rotating, and with a maxAge KeyFresh.
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

	// keys lists the keys and their states: those of the spec in its order, each with the values that it replaces after it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Keys []ProviderKeyStatus `json:"keys,omitempty"`

	// usableKeys counts the keys of the spec that calls can be made with, of all: "2/3"; empty where there are none.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	UsableKeys string `json:"usableKeys,omitempty"`

	// health is how the provider does for this namespace.
	// +optional
	Health *ProviderHealth `json:"health,omitempty"`
}
