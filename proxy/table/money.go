package table

// Prices are what a provider charges for a model, in integer nano-dollars. Prices of tokens and characters are for one million of them. A nil price falls
// back as its comment says; a nil price without a fallback is not known, and what it would price is unpriced, never free.
type Prices struct {
	// Input is the price of prompt tokens that nothing else prices.
	Input int64 `json:"input"`
	// CachedInput is the price of prompt tokens read from the provider's cache.
	CachedInput int64 `json:"cachedInput"`
	// CacheWrite is the price of prompt tokens that are written into the provider's cache for minutes; nil is Input.
	CacheWrite *int64 `json:"cacheWrite,omitempty"`
	// CacheWrite1h is that of those kept for an hour; nil is CacheWrite.
	CacheWrite1h *int64 `json:"cacheWrite1h,omitempty"`
	// InputAudio is the price of prompt tokens that are sound; nil is Input.
	InputAudio *int64 `json:"inputAudio,omitempty"`
	// CachedInputAudio is that of those read from the provider's cache; nil is InputAudio.
	CachedInputAudio *int64 `json:"cachedInputAudio,omitempty"`
	// InputImage is the price of prompt tokens that are images; nil is Input.
	InputImage *int64 `json:"inputImage,omitempty"`
	// Output is the price of completion tokens that nothing else prices.
	Output int64 `json:"output"`
	// Reasoning is the price of completion tokens that are reasoning; nil is Output.
	Reasoning *int64 `json:"reasoning,omitempty"`
	// OutputAudio is the price of completion tokens that are sound; nil is Output.
	OutputAudio *int64 `json:"outputAudio,omitempty"`
	// OutputImage is the price of completion tokens that are images; nil is Output.
	OutputImage *int64 `json:"outputImage,omitempty"`
	// Request is the price of each call.
	Request int64 `json:"request,omitempty"`
	// Image is the price of one image that is made.
	Image *int64 `json:"image,omitempty"`
	// AudioHour is the price of an hour of sound that is heard, so that a price by the second, minute or hour is exact.
	AudioHour *int64 `json:"audioHour,omitempty"`
	// MinAudioMillis is the least time that is charged for sound, in milliseconds.
	MinAudioMillis int64 `json:"minAudioMillis,omitempty"`
	// SpeechHour is the price of an hour of sound that is made.
	SpeechHour *int64 `json:"speechHour,omitempty"`
	// Characters is the price of a million characters that are spoken.
	Characters *int64 `json:"characters,omitempty"`
	// Search is the price of a thousand web searches that the provider makes.
	Search *int64 `json:"search,omitempty"`
	// SearchUnits is the price of a thousand units of reranking, as Cohere counts them.
	SearchUnits *int64 `json:"searchUnits,omitempty"`
	// Tiers replace the prices of the whole call from a length of the prompt on, in the order of Above. What a tier does not price costs as without it.
	Tiers []PriceTier `json:"tiers,omitempty"`
	// Services replace the prices of calls that the provider serves in another class than its usual one, such as "flex", "priority" and "batch".
	Services []ServicePrices `json:"services,omitempty"`
	// Source tells where the prices come from, in words for people: "catalogue 2026-11-20, openai/gpt-4o", "ProviderCredential openai", "ModelRoute chat".
	Source string `json:"source,omitempty"`
}

// PriceTier are the prices of calls with long prompts.
type PriceTier struct {
	// Above is the number of prompt tokens, cached ones included, that a call must exceed.
	Above int64 `json:"above"`
	// Prices of the whole call, complete like those without the tier; it has neither Tiers nor Services.
	Prices Prices `json:"prices"`
}

// ServicePrices are the prices of a class of service.
type ServicePrices struct {
	// Service as the provider names it in the answer, in lower case.
	Service string `json:"service"`
	// Prices of that class, complete; it can have Tiers, and has no Services.
	Prices Prices `json:"prices"`
}

// Enforcement is what a budget does at its limit.
type Enforcement string

// The enforcements.
const (
	// Hard reserves the most that a call can cost before it is sent.
	Hard Enforcement = "Hard"
	// Soft refuses calls once the limit is reached.
	Soft Enforcement = "Soft"
	// Observe refuses nothing.
	Observe Enforcement = "Observe"
)

// Counter says what a budget counts apart.
type Counter string

// The counters.
const (
	// CountShared counts all calls together.
	CountShared Counter = ""
	// CountPerCaller counts each caller apart.
	CountPerCaller Counter = "PerCaller"
	// CountPerEndUser counts each end user apart, as trusted callers name them.
	CountPerEndUser Counter = "PerEndUser"
	// CountPerTag counts each value of one tag apart, as trusted callers give it.
	CountPerTag Counter = "PerTag"
)

// Budget is a compiled SpendBudget.
type Budget struct {
	Object
	// Limit of each counter in nano-dollars.
	Limit int64 `json:"limit"`
	// Limits are those of single counters, by subject: "serviceaccount:<namespace>/<name>", "accesskey:<name>", "user:<issuer>/<name>", the end user, or the tag's value.
	Limits map[string]int64 `json:"limits,omitempty"`
	// Period is Hour, Day, Week, Month or Total.
	Period string `json:"period"`
	// TimeZone is an IANA name.
	TimeZone string `json:"timeZone"`
	// ResetID is part of the counter's key.
	ResetID string `json:"resetID,omitempty"`
	// Routes that are counted; empty means all.
	Routes []string `json:"routes,omitempty"`
	// Callers that are counted; empty means all.
	Callers []CallerMatch `json:"callers,omitempty"`
	// Tags that a call must have, all of them; empty asks for none.
	Tags []Tag `json:"tags,omitempty"`
	// EndUsers that are counted; empty means all.
	EndUsers []string `json:"endUsers,omitempty"`
	// Counter says what is counted apart.
	Counter Counter `json:"counter,omitempty"`
	// TagKey is the tag whose values CountPerTag counts apart.
	TagKey string `json:"tagKey,omitempty"`
	// MaxCounters bounds how many subjects of a window have a counter of their own; the rest shares one. 0 with CountShared.
	MaxCounters int32 `json:"maxCounters,omitempty"`
	// TrustedCallers are believed when they say whose end user or tag a call is; what others say counts as if they had said nothing.
	TrustedCallers []CallerMatch `json:"trustedCallers,omitempty"`
	// Enforcement at the limit.
	Enforcement Enforcement `json:"enforcement"`
	// Shrink lets a Hard budget lower the output limit of a call to what is left, rather than refuse it.
	Shrink bool `json:"shrink,omitempty"`
	// AllowWithoutLedger lets calls pass while the ledger cannot be reached; never with Hard.
	AllowWithoutLedger bool `json:"allowWithoutLedger,omitempty"`
	// AllowUnpriced lets calls without a known price pass; never with Hard.
	AllowUnpriced bool `json:"allowUnpriced,omitempty"`
	// Actions happen when spending reaches a share of the limit, in the order of AtPercent.
	Actions []BudgetAction `json:"actions,omitempty"`
	// Ledger is the name of the ledger object.
	Ledger string `json:"ledger"`
}

// BudgetAction happens when spending reaches a share of the limit. One of the fields other than AtPercent is set.
type BudgetAction struct {
	// AtPercent is the share, 1 to 100.
	AtPercent int32 `json:"atPercent"`
	// Notify tells people, and the caller in a header.
	Notify bool `json:"notify,omitempty"`
	// Route is the name of the route in this namespace that calls go to from then on.
	Route string `json:"route,omitempty"`
	// RequestsPerMinute is how many calls are admitted from then on, over all replicas.
	RequestsPerMinute int64 `json:"requestsPerMinute,omitempty"`
}

// Tag is a name and a value that a call is marked with.
type Tag struct {
	// Key of the tag.
	Key string `json:"key"`
	// Value of the tag.
	Value string `json:"value"`
}

// CallerMatch matches callers by exactly one of its fields.
type CallerMatch struct {
	// ServiceAccount is namespace/name.
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// AccessKey is the name of an access key.
	AccessKey string `json:"accessKey,omitempty"`
	// Namespace matches all ServiceAccounts of it.
	Namespace string `json:"namespace,omitempty"`
	// User is issuer/name of a caller that an OIDC issuer vouches for.
	User string `json:"user,omitempty"`
	// UserIssuer matches all callers that the OIDC issuer of this name vouches for.
	UserIssuer string `json:"userIssuer,omitempty"`
}

// LedgerStore says where ledgers are kept, when not in ConfigMaps.
type LedgerStore struct {
	// Valkey is the server; nil keeps ledgers in ConfigMaps.
	Valkey *Valkey `json:"valkey,omitempty"`
}

// Valkey is how the proxies of one namespace reach a Valkey or Redis server.
type Valkey struct {
	// Addresses are host:port: one server, or some of a cluster.
	Addresses []string `json:"addresses"`
	// Cluster tells that they are of a cluster.
	Cluster bool `json:"cluster,omitempty"`
	// Username and Password of the namespace's own user, who can use nothing but keys and channels with Prefix.
	Username string `json:"username"`
	Password string `json:"password"`
	// Prefix of keys and channels: "signalbox:{<namespace>}:".
	Prefix string `json:"prefix"`
	// CAPEM are the authorities whose certificates are accepted; empty for no TLS.
	CAPEM []byte `json:"caPEM,omitempty"`
}

// UsageSinks say where usage records go beside standard output.
type UsageSinks struct {
	// Postgres is the database; nil for none.
	Postgres *Postgres `json:"postgres,omitempty"`
	// OTLPEndpoint is the URL of a collector that takes logs over HTTP; empty for none.
	OTLPEndpoint string `json:"otlpEndpoint,omitempty"`
	// RefuseWhenFull refuses calls while the local journal has no room, rather than to give up its oldest records.
	RefuseWhenFull bool `json:"refuseWhenFull,omitempty"`
}

// Postgres is how the proxies of one namespace reach the database.
type Postgres struct {
	// URL in libpq's form, with the user and password of the namespace's own role, which can insert records of its namespace and read nothing.
	URL string `json:"url"`
	// CAPEM are the authorities whose certificates are accepted, where the URL asks for a certificate that is verified; empty for those of the system.
	CAPEM []byte `json:"caPEM,omitempty"`
}
