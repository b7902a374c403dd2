package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ModelPattern is a model name that clients send, exact or with one trailing "*".
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:Pattern=`^([A-Za-z0-9@~][A-Za-z0-9._:/@~+-]*\*?|\*)$`
type ModelPattern string

// ModelRouteSpec says which models clients may ask for and where such calls go.
// +kubebuilder:validation:XValidation:rule="self.targets.size() == 0 || self.targets.exists(t, !has(t.onlyFor) || t.onlyFor.size() == 0)",message="at least one target must be without onlyFor"
// +kubebuilder:validation:XValidation:rule="!has(self.mirror) || !self.targets.exists(t, t.name == self.mirror.name)",message="the mirror must have another name than the targets"
type ModelRouteSpec struct {
	// models are the names that clients put in "model": exact, or with one trailing "*". An exact name beats a pattern, a longer pattern a shorter one, an older ModelRoute a younger one, and then the name decides.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Models []ModelPattern `json:"models,omitempty"`

	// targets are the places that can answer. Those with the lowest priority number are tried first; fallback says which failures move a call on to the next one. After the first token of an answer none does.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Targets []RouteTarget `json:"targets,omitempty"`

	// strategy orders the targets of one priority. The default is Weighted.
	// +optional
	// +default="Weighted"
	Strategy RouteStrategy `json:"strategy,omitempty"`

	// affinity keeps calls that belong together on one target, so that its prompt cache stays warm. When it is left out every call is placed by itself.
	// +optional
	Affinity *RouteAffinity `json:"affinity,omitempty"`

	// fallback says which failures move a call to the next target, which are tried again, and how much one call may try.
	// +optional
	// +default={}
	Fallback RouteFallback `json:"fallback,omitzero"`

	// require leaves out targets that do not declare, or are not known to have, what is listed here. What a request itself needs is required in addition.
	// +optional
	Require *RouteRequirements `json:"require,omitempty"`

	// limits bound what callers can ask of this route. Those who exceed one get 429 and the time to come back, or wait where the limit has a queue.
	// +optional
	// +listType=map
	// +listMapKey=per
	// +kubebuilder:validation:MaxItems=2
	Limits []RouteLimit `json:"limits,omitempty"`

	// mirror sends a copy of a share of the calls to another model and throws its answers away. A mirror neither slows nor fails a call; its cost is booked under the mirror's name.
	// +optional
	Mirror *RouteMirror `json:"mirror,omitempty"`

	// listing says what the list of models that clients see, /v1/models, makes of this route's models while none of its targets can be called: Mark, the default, adds "status": "down" to them; Hide leaves them out; Keep lists them as ever.
	// +optional
	// +default="Mark"
	Listing RouteListing `json:"listing,omitempty"`

	// timeouts bound each call.
	// +optional
	// +default={"firstToken":"30s","idle":"1m","total":"10m"}
	Timeouts RouteTimeouts `json:"timeouts,omitzero"`

	// access says who may call. When it is left out, ServiceAccounts and access keys of this namespace may. Authentication is always required.
	// +optional
	Access *RouteAccess `json:"access,omitempty"`
}

// TargetAPI is a wire API of a provider.
// +kubebuilder:validation:Enum=ChatCompletions;Responses;Messages;GenerateContent;Converse;CohereChat
type TargetAPI string

// The APIs that generate text.
const (
	// TargetChatCompletions is OpenAI's chat completions, and that of all who follow it.
	TargetChatCompletions TargetAPI = "ChatCompletions"
	// TargetResponses is OpenAI's Responses API.
	TargetResponses TargetAPI = "Responses"
	// TargetMessages is Anthropic's Messages API.
	TargetMessages TargetAPI = "Messages"
	// TargetGenerateContent is Gemini's generateContent.
	TargetGenerateContent TargetAPI = "GenerateContent"
	// TargetConverse is the Converse API of Amazon Bedrock.
	TargetConverse TargetAPI = "Converse"
	// TargetCohereChat is the chat API of Cohere.
	TargetCohereChat TargetAPI = "CohereChat"
)

// RouteListing says what the list of models makes of models that are down.
// +kubebuilder:validation:Enum=Mark;Hide;Keep
type RouteListing string

// The ways to list models that are down.
const (
	// ListingMark adds "status": "down".
	ListingMark RouteListing = "Mark"
	// ListingHide leaves them out.
	ListingHide RouteListing = "Hide"
	// ListingKeep lists them as ever.
	ListingKeep RouteListing = "Keep"
)

// RouteTarget is one upstream model.
// +kubebuilder:validation:XValidation:rule="!has(self.successor) || self.successor != self.model",message="successor must be another model"
// +kubebuilder:validation:XValidation:rule="has(self.credentialRef) != has(self.routeRef)",message="a target needs exactly one of credentialRef and routeRef"
// +kubebuilder:validation:XValidation:rule="!has(self.routeRef) || !has(self.openRouter)",message="openRouter is only allowed with credentialRef"
type RouteTarget struct {
	// name of the target in status, logs and metrics.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// credentialRef names the ProviderCredential in this namespace that is called.
	// +optional
	CredentialRef LocalReference `json:"credentialRef,omitzero"`

	// routeRef names a ModelRoute of another namespace, which this namespace's proxy calls as itself: as ServiceAccount signalbox of this namespace, which the other route's access has to admit. The budgets and records of both namespaces apply. No key is copied.
	// +optional
	RouteRef *RouteReference `json:"routeRef,omitempty"`

	// model is the upstream model id. "*" sends the name that the client asked for. With routeRef it is a name that the other route serves.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Model string `json:"model,omitempty"`

	// api is which of the provider's APIs generates text. When it is left out it is the client's own where the provider has that, else the one that the provider is best at.
	// +optional
	API TargetAPI `json:"api,omitempty"`

	// priority orders targets, lower first, 0 to 100. The default is 0.
	// +optional
	// +default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Priority *int32 `json:"priority,omitempty"`

	// weight is the share of calls among targets of the same priority, 0 to 1000. With 0 a target gets no new calls. The default is 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Weight *int32 `json:"weight,omitempty"`

	// prices of this target. They win over the prices of the ProviderCredential.
	// +optional
	Prices *TokenPrices `json:"prices,omitempty"`

	// declares says what the target can do and how it treats data, where that is not known or not right. What is left out is taken from the provider's own list of models, where it tells, else from the catalogue.
	// +optional
	Declares *TargetDeclaration `json:"declares,omitempty"`

	// successor is the upstream model id that takes over, at the same provider, when the provider has withdrawn model. Without one a withdrawn model is not called until the provider offers it again.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Successor string `json:"successor,omitempty"`

	// onlyFor makes this a target for calls that failed elsewhere in one of these ways, and for no other: a model with a larger context for ContextTooLong, one with another content policy for ContentFiltered.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	OnlyFor []FailureKind `json:"onlyFor,omitempty"`

	// openRouter are the provider preferences that OpenRouter is told with each call, when this target's provider is OpenRouter. A request can narrow them, never widen.
	// +optional
	OpenRouter *OpenRouterPreferences `json:"openRouter,omitempty"`
}

// RouteTimeouts bound a call. firstToken and idle are for streams, attempt is for other calls, total for both.
// +kubebuilder:validation:XValidation:rule="duration(self.firstToken) <= duration(self.total)",message="firstToken must not be longer than total"
// +kubebuilder:validation:XValidation:rule="duration(self.idle) <= duration(self.total)",message="idle must not be longer than total"
// +kubebuilder:validation:XValidation:rule="!has(self.attempt) || duration(self.attempt) <= duration(self.total)",message="attempt must not be longer than total"
type RouteTimeouts struct {
	// firstToken is how long one target may take until the first token of a stream, 100ms to 1h. The default is 30s.
	// +optional
	// +default="30s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('1h')",message="firstToken must be between 100ms and 1h"
	FirstToken metav1.Duration `json:"firstToken,omitempty,omitzero"`

	// attempt is how long one target may take to answer a call that is not a stream, 100ms to 1h; the next target is then tried. When it is left out, total alone bounds such calls.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('1h')",message="attempt must be between 100ms and 1h"
	Attempt metav1.Duration `json:"attempt,omitempty,omitzero"`

	// idle is how long a stream may stay silent after its first token, 100ms to 1h. The default is 1m.
	// +optional
	// +default="1m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('1h')",message="idle must be between 100ms and 1h"
	Idle metav1.Duration `json:"idle,omitempty,omitzero"`

	// total is how long a call may take altogether, over all its targets, 100ms to 24h. The default is 10m.
	// +optional
	// +default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('24h')",message="total must be between 100ms and 24h"
	Total metav1.Duration `json:"total,omitempty,omitzero"`
}

// RouteAccess says who may call a route.
type RouteAccess struct {
	// allow lists callers; any match admits. An empty list, or none, admits nobody.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Allow []AccessRule `json:"allow,omitempty"`
}

// AccessRule matches callers; exactly one field is set.
// +kubebuilder:validation:XValidation:rule="[has(self.namespaceSelector), has(self.serviceAccount), has(self.accessKeySelector), has(self.user)].filter(x, x).size() == 1",message="an access rule needs exactly one of namespaceSelector, serviceAccount, accessKeySelector and user"
type AccessRule struct {
	// namespaceSelector admits all ServiceAccounts of the namespaces whose labels match. The empty selector {} matches every namespace.
	// +optional
	NamespaceSelector *LabelSelector `json:"namespaceSelector,omitempty"`

	// serviceAccount admits one ServiceAccount.
	// +optional
	ServiceAccount *ServiceAccountReference `json:"serviceAccount,omitempty"`

	// accessKeySelector admits the access keys of this namespace whose Secret labels match. The empty selector {} matches all of them.
	// +optional
	AccessKeySelector *LabelSelector `json:"accessKeySelector,omitempty"`

	// user admits callers that an OIDC issuer of the platform's configuration vouches for.
	// +optional
	User *UserRule `json:"user,omitempty"`
}

// UserRule matches callers of an OIDC issuer.
type UserRule struct {
	// issuer is the name of the issuer in the platform's configuration (tokens.issuers).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Issuer string `json:"issuer,omitempty"`

	// names of the callers, as the issuer's caller claim has them. An empty list, or none, matches everybody whom the issuer vouches for.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Names []string `json:"names,omitempty"`
}

// RouteReference names a ModelRoute of another namespace.
type RouteReference struct {
	// namespace of the ModelRoute.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`

	// name of the ModelRoute.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// TargetState says whether a target can be used.
// +kubebuilder:validation:Enum=Available;Unavailable;Drained
type TargetState string

// The states of a target.
const (
	// TargetAvailable means that calls can go there; a reason, where there is one, says what to look after.
	TargetAvailable TargetState = "Available"
	// TargetUnavailable means that calls cannot go there or will fail; reason and message say why. A target whose provider only failed its last probe is
	// still tried in its turn.
	TargetUnavailable TargetState = "Unavailable"
	// TargetDrained means that its weight is 0.
	TargetDrained TargetState = "Drained"
)

// RouteTargetStatus is what is known of one target.
type RouteTargetStatus struct {
	// name of the target in spec.targets.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// state of the target.
	// +required
	State TargetState `json:"state,omitempty"`

	// reason of the state, a single CamelCase word.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Reason string `json:"reason,omitempty"`

	// message says what is wrong and what to do.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// priced tells whether the cost of a call is known: Priced or Unpriced.
	// +optional
	// +kubebuilder:validation:Enum=Priced;Unpriced
	Priced string `json:"priced,omitempty"`

	// model is the upstream model that calls go to now, when it is not the one of the spec: the successor of a withdrawn one.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Model string `json:"model,omitempty"`

	// health is how the target does: Healthy, Degraded, Down, RateLimited or Unknown. reason and message say more where it is neither Healthy nor Unknown.
	// +optional
	Health HealthState `json:"health,omitempty"`

	// since is when state and health became what they are.
	// +optional
	Since metav1.Time `json:"since,omitzero"`

	// traffic is what the proxies saw lately; absent without calls.
	// +optional
	Traffic *TargetTraffic `json:"traffic,omitempty"`
}

// TargetTraffic is what all ready proxies together saw of a target in about the last minute. It is rounded, and written every few seconds at most.
type TargetTraffic struct {
	// errorPermille is how many of a thousand calls failed for the target's fault.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	ErrorPermille *int32 `json:"errorPermille,omitempty"`

	// timeToFirstTokenP50Milliseconds is the time to the first token that half of the streams stayed below, in milliseconds; absent without streams.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TimeToFirstTokenP50Milliseconds *int64 `json:"timeToFirstTokenP50Milliseconds,omitempty"`

	// timeToFirstTokenP95Milliseconds is the time that 95 of a hundred streams stayed below.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TimeToFirstTokenP95Milliseconds *int64 `json:"timeToFirstTokenP95Milliseconds,omitempty"`

	// tokensPerSecond is the median rate of completion tokens after the first; absent when not known.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TokensPerSecond *int64 `json:"tokensPerSecond,omitempty"`
}

// ModelRouteStatus is what was observed of a ModelRoute.
type ModelRouteStatus struct {
	// conditions are Ready, Accepted, ResolvedRefs, Programmed, Healthy and ModelsAvailable.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// address is the base URL for callers in the cluster, http://signalbox.<namespace>/v1.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Address string `json:"address,omitempty"`

	// targets lists the targets and their states.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Targets []RouteTargetStatus `json:"targets,omitempty"`

	// availableTargets counts the targets that can be used, of all: "2/3".
	// +optional
	// +kubebuilder:validation:MaxLength=16
	AvailableTargets string `json:"availableTargets,omitempty"`
}

// ModelRoute gives models a name that clients can call and says which providers answer. A namespace with at least one ModelRoute has its own proxy, the Service "signalbox".
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mroute,categories=signalbox
// +kubebuilder:printcolumn:name="Models",type=string,JSONPath=`.spec.models`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Targets",type=string,JSONPath=`.status.availableTargets`
// +kubebuilder:printcolumn:name="Healthy",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Healthy")].status`
// +kubebuilder:printcolumn:name="ModelsAvailable",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="ModelsAvailable")].reason`
// +kubebuilder:printcolumn:name="Strategy",type=string,priority=1,JSONPath=`.spec.strategy`
// +kubebuilder:printcolumn:name="Address",type=string,priority=1,JSONPath=`.status.address`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="the name must have at most 63 characters"
type ModelRoute struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is wanted.
	// +required
	Spec ModelRouteSpec `json:"spec,omitzero"`

	// status is what was observed.
	// +optional
	Status ModelRouteStatus `json:"status,omitzero"`
}

// ModelRouteList is a list of ModelRoutes.
//
// +kubebuilder:object:root=true
type ModelRouteList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ModelRoute `json:"items"`
}
