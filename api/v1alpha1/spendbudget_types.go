package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// USDAmount is an exact decimal amount in US dollars, "250.00". At most nine digits before the point and nine after it.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=19
// +kubebuilder:validation:Pattern=`^[0-9]{1,9}(\.[0-9]{1,9})?$`
type USDAmount string

// SpendBudgetSpec bounds what calls may cost in a window of time. counter and tagKey cannot be changed, for spending could then no longer be told apart.
// +kubebuilder:validation:XValidation:rule="self.counter == oldSelf.counter",message="counter is immutable; create a new SpendBudget instead"
// +kubebuilder:validation:XValidation:rule="!has(self.tagKey) || !has(oldSelf.tagKey) || self.tagKey == oldSelf.tagKey",message="tagKey is immutable; create a new SpendBudget instead"
// +kubebuilder:validation:XValidation:rule="has(self.tagKey) == (self.counter == 'PerTag')",message="tagKey is needed with counter PerTag, and only there"
// +kubebuilder:validation:XValidation:rule="!has(self.maxCounters) || self.counter != 'Shared'",message="maxCounters needs a counter other than Shared"
// +kubebuilder:validation:XValidation:rule="!has(self.limits) || self.counter != 'Shared'",message="limits need a counter other than Shared"
// +kubebuilder:validation:XValidation:rule="!has(self.limits) || self.counter != 'PerCaller' || self.limits.all(l, has(l.serviceAccount) || has(l.accessKey) || has(l.user))",message="with counter PerCaller each of limits names a serviceAccount, an accessKey or a user"
// +kubebuilder:validation:XValidation:rule="!has(self.limits) || self.counter != 'PerEndUser' || self.limits.all(l, has(l.endUser))",message="with counter PerEndUser each of limits names an endUser"
// +kubebuilder:validation:XValidation:rule="!has(self.limits) || self.counter != 'PerTag' || self.limits.all(l, has(l.tagValue))",message="with counter PerTag each of limits names a tagValue"
// +kubebuilder:validation:XValidation:rule="!(self.counter in ['PerEndUser', 'PerTag']) || has(self.trustedCallers)",message="counter PerEndUser and PerTag need trustedCallers: nobody else is believed when it names an end user or a tag"
// +kubebuilder:validation:XValidation:rule="!has(self.appliesTo) || !(has(self.appliesTo.tags) || has(self.appliesTo.endUsers)) || has(self.trustedCallers)",message="appliesTo.tags and appliesTo.endUsers need trustedCallers: nobody else is believed when it names an end user or a tag"
// +kubebuilder:validation:XValidation:rule="self.enforcement != 'Hard' || self.unpriced != 'Allow'",message="enforcement Hard cannot have unpriced: Allow, for what a call costs must be known before it is sent"
// +kubebuilder:validation:XValidation:rule="self.enforcement != 'Hard' || !has(self.onLedgerUnavailable) || self.onLedgerUnavailable != 'Allow'",message="enforcement Hard cannot have onLedgerUnavailable: Allow, for what nobody counts has no limit"
// +kubebuilder:validation:XValidation:rule="self.onTight != 'Shrink' || self.enforcement == 'Hard'",message="onTight: Shrink needs enforcement Hard, for nothing is reserved otherwise"
// +kubebuilder:validation:XValidation:rule="self.enforcement != 'Observe' || !has(self.actions) || self.actions.all(a, a.do != 'Throttle')",message="enforcement Observe cannot Throttle, for it refuses nothing"
type SpendBudgetSpec struct {
	// limit is how much may be spent in one window; by each counter, where counter is not Shared.
	// +required
	Limit SpendLimit `json:"limit,omitzero"`

	// window is the time over which spending is counted.
	// +required
	Window BudgetWindow `json:"window,omitzero"`

	// appliesTo selects calls. All that is given must match; when it is left out every call in the namespace counts.
	// +optional
	AppliesTo *BudgetScope `json:"appliesTo,omitempty"`

	// counter says what is counted apart, each with the limit: Shared (all calls together), PerCaller (each ServiceAccount, each access key and each user of an OIDC issuer), PerEndUser (each end user that a trusted caller names) or PerTag (each value of the tag tagKey that a trusted caller gives). It cannot be changed. The default is Shared.
	// +optional
	// +default="Shared"
	Counter BudgetCounter `json:"counter,omitempty"`

	// tagKey is the tag whose values counter PerTag counts apart, such as "customer". It cannot be changed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	TagKey string `json:"tagKey,omitempty"`

	// limits are those of single counters, where they are not the limit; at most 256. Each names another one.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:XValidation:rule="self.all(x, self.exists_one(y, (has(x.serviceAccount) ? has(y.serviceAccount) && x.serviceAccount == y.serviceAccount : has(x.accessKey) ? has(y.accessKey) && x.accessKey == y.accessKey : has(x.user) ? has(y.user) && x.user == y.user : has(x.endUser) ? has(y.endUser) && x.endUser == y.endUser : has(y.tagValue) && x.tagValue == y.tagValue)))",message="two of limits name the same counter"
	Limits []CounterLimit `json:"limits,omitempty"`

	// maxCounters bounds how many counters a window has, 1 to 10000; who comes later shares one counter with the limit. Hundreds fit into a ledger in Kubernetes, thousands into Valkey. The default is 1000; with counter Shared it has no meaning.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxCounters *int32 `json:"maxCounters,omitempty"`

	// trustedCallers are believed when they name an end user or a tag; any match counts. What others say counts as if they had said nothing.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	TrustedCallers []BudgetCaller `json:"trustedCallers,omitempty"`

	// enforcement is Hard (the most that a call can cost is reserved before it is sent, so that the limit is never passed), Soft (calls are refused once the limit is reached; those already running may pass it) or Observe (spending is counted, nothing is refused). The default is Soft.
	// +optional
	// +default="Soft"
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// onTight says what a Hard budget does with a call that may cost more than what is left: Deny refuses it, Shrink lowers its output limit to what is left and says so in a header, and refuses it only if nothing useful would be left. The default is Deny.
	// +optional
	// +default="Deny"
	OnTight TightPolicy `json:"onTight,omitempty"`

	// onLedgerUnavailable says what happens when the ledger cannot be reached and what the proxy still holds of it is used up: Deny refuses calls until it can be reached again, Allow lets them pass and counts them later. The default is Deny with enforcement Hard, which allows nothing else, and Allow otherwise; with enforcement Observe nothing is refused.
	// +optional
	OnLedgerUnavailable LedgerUnavailablePolicy `json:"onLedgerUnavailable,omitempty"`

	// unpriced says what happens to a call whose price is not known: Deny refuses it, Allow lets it pass and counts it as unpriced. The default is Deny, and enforcement Hard allows nothing else; with enforcement Observe nothing is refused.
	// +optional
	// +default="Deny"
	Unpriced UnpricedPolicy `json:"unpriced,omitempty"`

	// actions happen when spending reaches a share of the limit, each once at one share. Refusal at 100 percent follows enforcement and needs no action.
	// +optional
	// +listType=map
	// +listMapKey=atPercent
	// +listMapKey=do
	// +kubebuilder:validation:MaxItems=8
	Actions []BudgetAction `json:"actions,omitempty"`
}

// SpendLimit is an amount of money.
type SpendLimit struct {
	// amount is an exact decimal, greater than zero.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.matches('[1-9]')",message="amount must be greater than zero"
	Amount USDAmount `json:"amount,omitempty"`

	// currency of the amount. Only USD, the currency in which providers state prices. The default is USD.
	// +optional
	// +default="USD"
	// +kubebuilder:validation:Enum=USD
	Currency string `json:"currency,omitempty"`
}

// BudgetPeriod is the length of a window.
// +kubebuilder:validation:Enum=Hour;Day;Week;Month;Total
type BudgetPeriod string

// The periods.
const (
	// PeriodHour is a clock hour.
	PeriodHour BudgetPeriod = "Hour"
	// PeriodDay is a calendar day, midnight to midnight.
	PeriodDay BudgetPeriod = "Day"
	// PeriodWeek is a calendar week and starts on Monday.
	PeriodWeek BudgetPeriod = "Week"
	// PeriodMonth is a calendar month.
	PeriodMonth BudgetPeriod = "Month"
	// PeriodTotal never ends.
	PeriodTotal BudgetPeriod = "Total"
)

// BudgetWindow is a calendar-aligned window of time. period and timeZone cannot be changed, for spending could then no longer be told apart.
// +kubebuilder:validation:XValidation:rule="self.period == oldSelf.period",message="period is immutable; create a new SpendBudget instead"
// +kubebuilder:validation:XValidation:rule="self.timeZone == oldSelf.timeZone",message="timeZone is immutable; create a new SpendBudget instead"
type BudgetWindow struct {
	// period is Hour, Day, Week (from Monday), Month or Total.
	// +required
	Period BudgetPeriod `json:"period,omitempty"`

	// timeZone is the IANA name of the zone whose calendar bounds the window, such as Europe/Lisbon. The default is UTC.
	// +optional
	// +default="UTC"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`
	TimeZone string `json:"timeZone,omitempty"`

	// resetID starts the current window afresh when it is changed to another value. It is free text, such as a ticket number.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9._-]*$`
	ResetID string `json:"resetID,omitempty"`
}

// BudgetCounter says what a budget counts apart.
// +kubebuilder:validation:Enum=Shared;PerCaller;PerEndUser;PerTag
type BudgetCounter string

// The counters.
const (
	// CounterShared counts all calls together.
	CounterShared BudgetCounter = "Shared"
	// CounterPerCaller counts each ServiceAccount, each access key and each user of an OIDC issuer apart.
	CounterPerCaller BudgetCounter = "PerCaller"
	// CounterPerEndUser counts each end user apart, as trusted callers name them.
	CounterPerEndUser BudgetCounter = "PerEndUser"
	// CounterPerTag counts each value of one tag apart, as trusted callers give it.
	CounterPerTag BudgetCounter = "PerTag"
)

// CounterLimit is the limit of one counter; exactly one of the fields other than amount is set.
// +kubebuilder:validation:XValidation:rule="[has(self.serviceAccount), has(self.accessKey), has(self.user), has(self.endUser), has(self.tagValue)].filter(x, x).size() == 1",message="a limit needs exactly one of serviceAccount, accessKey, user, endUser and tagValue"
type CounterLimit struct {
	// serviceAccount is a caller, with counter PerCaller.
	// +optional
	ServiceAccount *ServiceAccountReference `json:"serviceAccount,omitempty"`

	// accessKey is the caller with the access key in the Secret of this name, with counter PerCaller.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	AccessKey string `json:"accessKey,omitempty"`

	// user is one caller of an OIDC issuer, with counter PerCaller.
	// +optional
	User *UserReference `json:"user,omitempty"`

	// endUser as a trusted caller names it, with counter PerEndUser.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	EndUser string `json:"endUser,omitempty"`

	// tagValue is a value of the tag tagKey, with counter PerTag.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	TagValue string `json:"tagValue,omitempty"`

	// amount is an exact decimal, greater than zero, in the currency of the limit.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.matches('[1-9]')",message="amount must be greater than zero"
	Amount USDAmount `json:"amount,omitempty"`
}

// BudgetScope selects calls. All fields that are given must match.
type BudgetScope struct {
	// routes are names of ModelRoutes in this namespace.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Routes []string `json:"routes,omitempty"`

	// callers are identities; any match counts.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Callers []BudgetCaller `json:"callers,omitempty"`

	// tags must all be on a call, as a trusted caller gives them.
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Tags []BudgetTag `json:"tags,omitempty"`

	// endUsers are whom a trusted caller calls for; any match counts.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^[^\x00-\x1f\x7f]+$`
	EndUsers []string `json:"endUsers,omitempty"`
}

// BudgetTag is a name and a value that a call is marked with.
type BudgetTag struct {
	// key of the tag.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	Key string `json:"key,omitempty"`

	// value of the tag.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	Value string `json:"value,omitempty"`
}

// BudgetCaller matches callers; exactly one field is set.
// +kubebuilder:validation:XValidation:rule="[has(self.serviceAccount), has(self.accessKey), has(self.namespace), has(self.user)].filter(x, x).size() == 1",message="a caller needs exactly one of serviceAccount, accessKey, namespace and user"
type BudgetCaller struct {
	// serviceAccount matches one ServiceAccount.
	// +optional
	ServiceAccount *ServiceAccountReference `json:"serviceAccount,omitempty"`

	// accessKey matches the access key in the Secret of this name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	AccessKey string `json:"accessKey,omitempty"`

	// namespace matches every ServiceAccount of that namespace.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// user matches one caller of an OIDC issuer, or all of them.
	// +optional
	User *BudgetUser `json:"user,omitempty"`
}

// BudgetUser matches callers of an OIDC issuer.
type BudgetUser struct {
	// issuer is the name of the issuer in the platform's configuration (tokens.issuers).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Issuer string `json:"issuer,omitempty"`

	// name of the caller, as the issuer's caller claim has it. Without a name everybody whom the issuer vouches for is matched.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name,omitempty"`
}

// UserReference names one caller of an OIDC issuer.
type UserReference struct {
	// issuer is the name of the issuer in the platform's configuration (tokens.issuers).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Issuer string `json:"issuer,omitempty"`

	// name of the caller, as the issuer's caller claim has it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name,omitempty"`
}

// Enforcement says what a budget does when its limit is reached.
// +kubebuilder:validation:Enum=Hard;Soft;Observe
type Enforcement string

// The ways to enforce.
const (
	// EnforcementHard reserves the most that a call can cost before it is sent; the limit is never passed with providers that honour the output limits they are sent.
	EnforcementHard Enforcement = "Hard"
	// EnforcementSoft refuses calls once the limit is reached; calls already running are settled and may pass it.
	EnforcementSoft Enforcement = "Soft"
	// EnforcementObserve counts and refuses nothing.
	EnforcementObserve Enforcement = "Observe"
)

// UnpricedPolicy says what happens to calls without a known price.
// +kubebuilder:validation:Enum=Deny;Allow
type UnpricedPolicy string

// The policies for calls without a known price.
const (
	// UnpricedDeny refuses them.
	UnpricedDeny UnpricedPolicy = "Deny"
	// UnpricedAllow lets them pass and counts them in status.
	UnpricedAllow UnpricedPolicy = "Allow"
)

// TightPolicy says what a Hard budget does with a call that may cost more than what is left.
// +kubebuilder:validation:Enum=Deny;Shrink
type TightPolicy string

// The policies for calls that may cost more than what is left.
const (
	// TightDeny refuses them.
	TightDeny TightPolicy = "Deny"
	// TightShrink lowers their output limit to what is left.
	TightShrink TightPolicy = "Shrink"
)

// LedgerUnavailablePolicy says what happens to calls while the ledger cannot be reached.
// +kubebuilder:validation:Enum=Deny;Allow
type LedgerUnavailablePolicy string

// The policies for calls while the ledger cannot be reached.
const (
	// LedgerUnavailableDeny refuses them.
	LedgerUnavailableDeny LedgerUnavailablePolicy = "Deny"
	// LedgerUnavailableAllow lets them pass and counts them later.
	LedgerUnavailableAllow LedgerUnavailablePolicy = "Allow"
)

// BudgetActionType is something that a budget does at a share of its limit.
// +kubebuilder:validation:Enum=Notify;Reroute;Throttle
type BudgetActionType string

// The actions.
const (
	// ActionNotify sets the condition NearLimit, emits an event, and tells callers in a header.
	ActionNotify BudgetActionType = "Notify"
	// ActionReroute sends calls to another route, such as a cheaper one.
	ActionReroute BudgetActionType = "Reroute"
	// ActionThrottle bounds how many calls a minute are admitted.
	ActionThrottle BudgetActionType = "Throttle"
)

// BudgetAction happens once spending reaches a share of the limit; of a counter's own limit, where counter is not Shared.
// +kubebuilder:validation:XValidation:rule="has(self.route) == (self.do == 'Reroute')",message="route is needed with do: Reroute, and only there"
// +kubebuilder:validation:XValidation:rule="has(self.requestsPerMinute) == (self.do == 'Throttle')",message="requestsPerMinute is needed with do: Throttle, and only there"
type BudgetAction struct {
	// atPercent is the share of the limit, 1 to 100.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	AtPercent int32 `json:"atPercent,omitempty"`

	// do is the action: Notify (a condition, an event and a header), Reroute (calls go to route) or Throttle (no more than requestsPerMinute are admitted).
	// +required
	Do BudgetActionType `json:"do,omitempty"`

	// route is the name of the ModelRoute in this namespace that calls go to, with Reroute. The caller needs access to it as well.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Route string `json:"route,omitempty"`

	// requestsPerMinute is how many calls are admitted over all proxies, with Throttle, 1 to 1000000.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	RequestsPerMinute *int32 `json:"requestsPerMinute,omitempty"`
}

// SpendBudget bounds what calls may cost in a calendar window, for a namespace, a route, callers, end users or tags.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=budget,categories=signalbox
// +kubebuilder:printcolumn:name="Limit",type=string,JSONPath=`.spec.limit.amount`
// +kubebuilder:printcolumn:name="Period",type=string,JSONPath=`.spec.window.period`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.enforcement`
// +kubebuilder:printcolumn:name="Spent",type=string,JSONPath=`.status.spent`
// +kubebuilder:printcolumn:name="Percent",type=integer,JSONPath=`.status.percent`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Resets",type=string,JSONPath=`.status.window.end`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Counter",type=string,JSONPath=`.spec.counter`,priority=1
// +kubebuilder:printcolumn:name="Remaining",type=string,JSONPath=`.status.remaining`,priority=1
// +kubebuilder:printcolumn:name="Reserved",type=string,JSONPath=`.status.reserved`,priority=1
// +kubebuilder:printcolumn:name="Lost",type=string,JSONPath=`.status.lost`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="the name must have at most 63 characters"
type SpendBudget struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is wanted.
	// +required
	Spec SpendBudgetSpec `json:"spec,omitzero"`

	// status is what was observed.
	// +optional
	Status SpendBudgetStatus `json:"status,omitzero"`
}

// SpendBudgetList is a list of SpendBudgets.
//
// +kubebuilder:object:root=true
type SpendBudgetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SpendBudget `json:"items"`
}
