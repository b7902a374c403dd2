package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RouteStrategy orders the targets of one priority.
// +kubebuilder:validation:Enum=Weighted;LowestCost;LowestLatency;HighestThroughput;LeastInFlight
type RouteStrategy string

// The strategies.
const (
	// StrategyWeighted shares calls by weight.
	StrategyWeighted RouteStrategy = "Weighted"
	// StrategyLowestCost prefers the target that is expected to cost least: by prices, by the share of prompts that its cache answers, and by how long answers are.
	StrategyLowestCost RouteStrategy = "LowestCost"
	// StrategyLowestLatency prefers the shortest time to the first token; for calls that are no streams, to the answer.
	StrategyLowestLatency RouteStrategy = "LowestLatency"
	// StrategyHighestThroughput prefers the most completion tokens a second.
	StrategyHighestThroughput RouteStrategy = "HighestThroughput"
	// StrategyLeastInFlight prefers the fewest calls under way for its weight.
	StrategyLeastInFlight RouteStrategy = "LeastInFlight"
)

// FailureKind is a way in which an attempt at a target can fail.
// +kubebuilder:validation:Enum=Unreachable;RateLimited;QuotaExhausted;KeyRejected;Unavailable;Capacity;Timeout;FirstTokenTimeout;BrokenAnswer;ModelWithdrawn;ContextTooLong;ContentFiltered;BadRequest
type FailureKind string

// The kinds of failures.
const (
	// FailureUnreachable: no connection could be made; nothing was sent.
	FailureUnreachable FailureKind = "Unreachable"
	// FailureRateLimited: the provider limits the rate (429).
	FailureRateLimited FailureKind = "RateLimited"
	// FailureQuotaExhausted: the key's or the account's quota or credit is used up (402, insufficient_quota).
	FailureQuotaExhausted FailureKind = "QuotaExhausted"
	// FailureKeyRejected: the provider refused the key (401, 403).
	FailureKeyRejected FailureKind = "KeyRejected"
	// FailureUnavailable: the provider failed (5xx), in an answer of status 200 too.
	FailureUnavailable FailureKind = "Unavailable"
	// FailureCapacity: the provider has no capacity for the model or tier (Groq's 498, 529 overloaded).
	FailureCapacity FailureKind = "Capacity"
	// FailureTimeout: no answer within timeouts.attempt, or the provider itself said so (408, 504).
	FailureTimeout FailureKind = "Timeout"
	// FailureFirstTokenTimeout: no token of a stream within timeouts.firstToken.
	FailureFirstTokenTimeout FailureKind = "FirstTokenTimeout"
	// FailureBrokenAnswer: the connection broke, the stream ended before its first token, or the answer cannot be read.
	FailureBrokenAnswer FailureKind = "BrokenAnswer"
	// FailureModelWithdrawn: the provider does not offer the model, any more or to this account (404, model_decommissioned).
	FailureModelWithdrawn FailureKind = "ModelWithdrawn"
	// FailureContextTooLong: the prompt and the answer do not fit into the model's context.
	FailureContextTooLong FailureKind = "ContextTooLong"
	// FailureContentFiltered: the provider's content policy refused the request.
	FailureContentFiltered FailureKind = "ContentFiltered"
	// FailureBadRequest: the provider found another fault with the request (other 4xx).
	FailureBadRequest FailureKind = "BadRequest"
)

// RouteFallback says what happens when a target fails before the first token of its answer.
type RouteFallback struct {
	// failures lists those that move a call on to the next target; all others go back to the client. When it is left out these do: Unreachable, RateLimited, QuotaExhausted, KeyRejected, Unavailable, Capacity, Timeout, FirstTokenTimeout, BrokenAnswer, ModelWithdrawn, ContextTooLong, ContentFiltered. ContextTooLong moves on only to targets that are known to have a larger context or are named for it by onlyFor, ContentFiltered only to targets named for it. An empty list turns fallback off.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Failures *[]FailureKind `json:"failures,omitempty"`

	// maxAttempts bounds the calls to providers for one call of a client, retries included, 1 to 16. The default is 4.
	// +optional
	// +default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	MaxAttempts *int32 `json:"maxAttempts,omitempty"`

	// maxCost bounds the estimated cost of all attempts of one call together, in USD, "0.05". A target that would exceed it, or whose price is not known, is left out. Without it there is no bound.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('[1-9]')",message="maxCost must be greater than zero"
	MaxCost USDAmount `json:"maxCost,omitempty"`

	// retry says which failures are tried again at the same target, once no other is left to try or when the failure is not one that moves on.
	// +optional
	// +default={}
	Retry RouteRetry `json:"retry,omitzero"`
}

// RouteRetry says when a target is tried again. Retries wait as long as the provider asks for, else a random time that grows; a wait of more than 5s goes back to the client. Retries are at most a tenth of the calls to a target, but for a lone call, which may have one, so that they never amplify an outage.
type RouteRetry struct {
	// failures lists those that are tried again. When it is left out: Unreachable, Unavailable, Capacity, RateLimited. An empty list turns retries off.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Failures *[]FailureKind `json:"failures,omitempty"`

	// max is how often one call is tried again, 0 to 5. The default is 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5
	Max *int32 `json:"max,omitempty"`
}

// AffinityKey is what makes calls belong together.
// +kubebuilder:validation:Enum=Session;PromptPrefix;EndUser
type AffinityKey string

// The affinity keys.
const (
	// AffinitySession takes the session that the request names: the header x-session-id, session_id, prompt_cache_key, else its user; without any of them the stable prefix of the prompt.
	AffinitySession AffinityKey = "Session"
	// AffinityPromptPrefix takes the stable prefix of the prompt: all up to the first message of the user.
	AffinityPromptPrefix AffinityKey = "PromptPrefix"
	// AffinityEndUser takes the end user that the request names.
	AffinityEndUser AffinityKey = "EndUser"
)

// RouteAffinity keeps calls that belong together on one target of the lowest priority that can be used. New sessions are placed by weight; the strategy orders the other targets.
type RouteAffinity struct {
	// by is what makes calls belong together.
	// +required
	By AffinityKey `json:"by,omitempty"`

	// ttl is how long after its last call a session stays where it is, 1s to 24h. The default is the lifetime of the provider's prompt cache, 5m where that is not known.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="ttl must be between 1s and 24h"
	TTL metav1.Duration `json:"ttl,omitempty,omitzero"`
}

// ModelCapability is something that a model can do.
// +kubebuilder:validation:Enum=Tools;Vision;Files;Audio;StructuredOutput;Reasoning;LogProbs
type ModelCapability string

// The capabilities.
const (
	// CapabilityTools: calls tools.
	CapabilityTools ModelCapability = "Tools"
	// CapabilityVision: reads images.
	CapabilityVision ModelCapability = "Vision"
	// CapabilityFiles: reads documents such as PDF.
	CapabilityFiles ModelCapability = "Files"
	// CapabilityAudio: hears or speaks.
	CapabilityAudio ModelCapability = "Audio"
	// CapabilityStructuredOutput: answers by a JSON schema.
	CapabilityStructuredOutput ModelCapability = "StructuredOutput"
	// CapabilityReasoning: thinks before it answers, on request.
	CapabilityReasoning ModelCapability = "Reasoning"
	// CapabilityLogProbs: tells the log probabilities of tokens.
	CapabilityLogProbs ModelCapability = "LogProbs"
)

// DataCollection says whether a provider may keep or train on prompts.
// +kubebuilder:validation:Enum=Deny;Allow
type DataCollection string

// The values of DataCollection.
const (
	// DataCollectionDeny: prompts are not collected.
	DataCollectionDeny DataCollection = "Deny"
	// DataCollectionAllow: they may be.
	DataCollectionAllow DataCollection = "Allow"
)

// DataRetention says how long a provider keeps prompts.
// +kubebuilder:validation:Enum=Zero;Any
type DataRetention string

// The values of DataRetention.
const (
	// DataRetentionZero: prompts are not stored.
	DataRetentionZero DataRetention = "Zero"
	// DataRetentionAny: they may be.
	DataRetentionAny DataRetention = "Any"
)

// DataPolicy is how data is treated. What is left out is not known, or not required.
type DataPolicy struct {
	// collection is Deny where prompts are not collected.
	// +optional
	Collection DataCollection `json:"collection,omitempty"`

	// retention is Zero where prompts are not stored.
	// +optional
	Retention DataRetention `json:"retention,omitempty"`

	// region is where data is processed, in the platform's own words, such as "eu".
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$`
	Region string `json:"region,omitempty"`
}

// Quantization is the number format of a model's weights, in OpenRouter's words.
// +kubebuilder:validation:Enum=int4;int8;fp4;mxfp4;nvfp4;fp6;fp8;mxfp8;fp16;bf16;fp32;unknown
type Quantization string

// TargetDeclaration is what is known of a target.
type TargetDeclaration struct {
	// capabilities are all that the model has of the known ones. When it is left out they are not known, and requests are not held back.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Capabilities *[]ModelCapability `json:"capabilities,omitempty"`

	// contextTokens is the size of the context, prompt and answer together, in tokens, 1 to 100,000,000.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000000
	ContextTokens *int64 `json:"contextTokens,omitempty"`

	// maxOutputTokens is the longest answer, in tokens, 1 to 100,000,000.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000000
	MaxOutputTokens *int64 `json:"maxOutputTokens,omitempty"`

	// dataPolicy is how the target treats data.
	// +optional
	DataPolicy *DataPolicy `json:"dataPolicy,omitempty"`

	// quantization of the model's weights.
	// +optional
	Quantization Quantization `json:"quantization,omitempty"`
}

// RouteRequirements leave out targets.
type RouteRequirements struct {
	// capabilities that a target must declare.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Capabilities []ModelCapability `json:"capabilities,omitempty"`

	// dataPolicy that a target must declare.
	// +optional
	DataPolicy *DataPolicy `json:"dataPolicy,omitempty"`

	// minContextTokens is the smallest context, in tokens, that a target must be known to have.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000000
	MinContextTokens *int64 `json:"minContextTokens,omitempty"`

	// maxPrice leaves out targets that cost more, or whose price is not known.
	// +optional
	MaxPrice *MaxPrice `json:"maxPrice,omitempty"`
}

// MaxPrice is the most that tokens may cost, in USD per million tokens.
type MaxPrice struct {
	// input is the highest price of prompt tokens.
	// +optional
	Input USDPerMillionTokens `json:"input,omitempty"`

	// output is the highest price of completion tokens.
	// +optional
	Output USDPerMillionTokens `json:"output,omitempty"`
}

// LimitScope says whose calls a limit counts together.
// +kubebuilder:validation:Enum=Route;Caller
type LimitScope string

// The scopes.
const (
	// LimitPerRoute counts all calls of the route together.
	LimitPerRoute LimitScope = "Route"
	// LimitPerCaller counts the calls of each caller by themselves.
	LimitPerCaller LimitScope = "Caller"
)

// RouteLimit bounds calls. The ready proxies of the namespace share it; together they never admit more.
// +kubebuilder:validation:XValidation:rule="has(self.requestsPerMinute) || has(self.tokensPerMinute) || has(self.concurrency)",message="a limit needs at least one of requestsPerMinute, tokensPerMinute and concurrency"
type RouteLimit struct {
	// per says whose calls are counted together: Route or Caller.
	// +required
	Per LimitScope `json:"per,omitempty"`

	// requestsPerMinute is how many calls begin in any minute, 1 to 10,000,000.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000000
	RequestsPerMinute *int64 `json:"requestsPerMinute,omitempty"`

	// tokensPerMinute is how many tokens, prompts and completions together, the calls of any minute take, 1 to 10,000,000,000. A call is counted by an estimate when it begins and by what it used when it has ended.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000000000
	TokensPerMinute *int64 `json:"tokensPerMinute,omitempty"`

	// concurrency is how many calls are under way at a time, 1 to 1,000,000.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Concurrency *int64 `json:"concurrency,omitempty"`

	// queue lets calls wait for their turn in place of a 429. When it is left out they do not wait.
	// +optional
	Queue *LimitQueue `json:"queue,omitempty"`
}

// LimitQueue is where calls wait, in the order in which they came.
type LimitQueue struct {
	// maxWait is how long a call may wait, 10ms to 1m. The default is 1s. A call whose turn is known to come later is refused at once.
	// +optional
	// +default="1s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10ms') && duration(self) <= duration('1m')",message="maxWait must be between 10ms and 1m"
	MaxWait metav1.Duration `json:"maxWait,omitempty,omitzero"`

	// maxLength is how many calls may wait at each proxy, 1 to 10,000. The default is 100.
	// +optional
	// +default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxLength *int32 `json:"maxLength,omitempty"`
}

// RouteMirror is a shadow of a route.
type RouteMirror struct {
	// name of the mirror in logs and metrics, different from those of the targets. The default is "mirror".
	// +optional
	// +default="mirror"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// credentialRef names the ProviderCredential in this namespace that is called.
	// +required
	CredentialRef LocalReference `json:"credentialRef,omitzero"`

	// model is the upstream model id. "*" sends the name that the client asked for.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Model string `json:"model,omitempty"`

	// api is which of the provider's APIs generates text, as for targets.
	// +optional
	API TargetAPI `json:"api,omitempty"`

	// percent of the calls that are mirrored, 1 to 100. The default is 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Percent *int32 `json:"percent,omitempty"`

	// maxConcurrency is how many mirrored calls each proxy has under way; more are not mirrored, 1 to 1000. The default is 8.
	// +optional
	// +default=8
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxConcurrency *int32 `json:"maxConcurrency,omitempty"`

	// maxCostPerHour bounds what each proxy spends on the mirror in any hour, in USD, "1.00"; calls beyond are not mirrored, but those under way may pass it by their own cost. When it is left out there is no bound. Calls whose price is not known are not mirrored under a bound.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('[1-9]')",message="maxCostPerHour must be greater than zero"
	MaxCostPerHour USDAmount `json:"maxCostPerHour,omitempty"`

	// prices of the mirror. They win over the prices of the ProviderCredential.
	// +optional
	Prices *TokenPrices `json:"prices,omitempty"`

	// declares says what the mirror can do and how it treats data. It gets the prompts of the route, so it must declare the data policy that require has.
	// +optional
	Declares *TargetDeclaration `json:"declares,omitempty"`
}

// ProviderSlug names a provider as OpenRouter does, such as "deepinfra" or "google-vertex/us-east5".
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._/-]*$`
type ProviderSlug string

// OpenRouterSort is what OpenRouter sorts its providers by.
// +kubebuilder:validation:Enum=Price;Throughput;Latency
type OpenRouterSort string

// ParameterSupport says what happens to parameters that a provider does not have.
// +kubebuilder:validation:Enum=Required;Optional
type ParameterSupport string

// FallbackPolicy says whether OpenRouter may go on to providers that are not in order.
// +kubebuilder:validation:Enum=Allow;Deny
type FallbackPolicy string

// OpenRouterPreferences are OpenRouter's "provider" object, as a policy of the route.
// +kubebuilder:validation:XValidation:rule="!has(self.dataPolicy) || !has(self.dataPolicy.region)",message="OpenRouter does not know the region of dataPolicy"
type OpenRouterPreferences struct {
	// order lists the providers to try first, in this order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Order []ProviderSlug `json:"order,omitempty"`

	// only lists all providers that may be used.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	Only []ProviderSlug `json:"only,omitempty"`

	// ignore lists providers that may not be used.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	Ignore []ProviderSlug `json:"ignore,omitempty"`

	// fallbacks is Deny where only the providers in order may be used.
	// +optional
	Fallbacks FallbackPolicy `json:"fallbacks,omitempty"`

	// parameters is Required where only providers that have all of a request's parameters may be used.
	// +optional
	Parameters ParameterSupport `json:"parameters,omitempty"`

	// dataPolicy that providers must have. It cannot have a region, which OpenRouter does not know.
	// +optional
	DataPolicy *DataPolicy `json:"dataPolicy,omitempty"`

	// quantizations that may be used.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Quantizations []Quantization `json:"quantizations,omitempty"`

	// sort is what providers are sorted by.
	// +optional
	Sort OpenRouterSort `json:"sort,omitempty"`

	// maxPrice is the most that tokens may cost.
	// +optional
	MaxPrice *MaxPrice `json:"maxPrice,omitempty"`
}
