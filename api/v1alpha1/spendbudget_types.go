package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// USDAmount is an exact decimal amount in US dollars, "250.00". At most nine digits before the point and nine after it.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=19
// +kubebuilder:validation:Pattern=`^[0-9]{1,9}(\.[0-9]{1,9})?$`
type USDAmount string

// SpendBudgetSpec bounds what calls may cost in a window of time.
type SpendBudgetSpec struct {
	// limit is how much may be spent in one window.
	// +required
	Limit SpendLimit `json:"limit,omitzero"`

	// window is the time over which spending is counted.
	// +required
	Window BudgetWindow `json:"window,omitzero"`

	// appliesTo selects calls. All that is given must match; when it is left out every call in the namespace counts.
	// +optional
	AppliesTo *BudgetScope `json:"appliesTo,omitempty"`

	// enforcement is Soft (calls are refused once the limit is reached; those already running may pass it) or Observe (spending is counted, nothing is refused). The default is Soft.
	// +optional
	// +default="Soft"
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// unpriced says what happens to a call whose price is not known: Deny refuses it, Allow lets it pass and counts it as unpriced. The default is Deny; with enforcement Observe nothing is refused.
	// +optional
	// +default="Deny"
	Unpriced UnpricedPolicy `json:"unpriced,omitempty"`

	// actions happen when spending reaches a share of the limit. Refusal at 100 percent follows enforcement and needs no action.
	// +optional
	// +listType=map
	// +listMapKey=atPercent
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
}

// BudgetCaller matches callers; exactly one field is set.
// +kubebuilder:validation:XValidation:rule="[has(self.serviceAccount), has(self.accessKey), has(self.namespace)].filter(x, x).size() == 1",message="a caller needs exactly one of serviceAccount, accessKey and namespace"
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
}

// Enforcement says what a budget does when its limit is reached.
// +kubebuilder:validation:Enum=Soft;Observe
type Enforcement string

// The ways to enforce.
const (
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

// BudgetActionType is something that a budget does at a share of its limit.
// +kubebuilder:validation:Enum=Notify
type BudgetActionType string

// ActionNotify sets the condition NearLimit and emits an event.
const ActionNotify BudgetActionType = "Notify"

// BudgetAction happens once spending reaches a share of the limit.
type BudgetAction struct {
	// atPercent is the share of the limit, 1 to 100.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	AtPercent int32 `json:"atPercent,omitempty"`

	// do is the action: Notify.
	// +required
	Do BudgetActionType `json:"do,omitempty"`
}

// WindowStatus is a window's bounds.
type WindowStatus struct {
	// start of the window, inclusive.
	// +optional
	Start metav1.Time `json:"start,omitzero"`

	// end of the window, exclusive; absent with period Total.
	// +optional
	End metav1.Time `json:"end,omitzero"`
}

// SpendBudgetStatus is what was observed of a SpendBudget.
type SpendBudgetStatus struct {
	// conditions are Ready, Enforced, NearLimit and Exceeded.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// window that is running.
	// +optional
	Window *WindowStatus `json:"window,omitempty"`

	// spent in the window, exact, in USD.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Spent string `json:"spent,omitempty"`

	// remaining in the window, exact, in USD; never below zero.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Remaining string `json:"remaining,omitempty"`

	// percent of the limit that is spent, rounded down; it can pass 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Percent *int64 `json:"percent,omitempty"`

	// requests that were settled in the window.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Requests int64 `json:"requests,omitempty"`

	// unpricedRequests were let through without a known price; their cost is not part of spent.
	// +optional
	// +kubebuilder:validation:Minimum=0
	UnpricedRequests int64 `json:"unpricedRequests,omitempty"`
}

// SpendBudget bounds what calls may cost in a calendar window, for a namespace, a route or a caller.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=budget,categories=signalbox
// +kubebuilder:printcolumn:name="Limit",type=string,JSONPath=`.spec.limit.amount`
// +kubebuilder:printcolumn:name="Period",type=string,JSONPath=`.spec.window.period`
// +kubebuilder:printcolumn:name="Spent",type=string,JSONPath=`.status.spent`
// +kubebuilder:printcolumn:name="Remaining",type=string,JSONPath=`.status.remaining`
// +kubebuilder:printcolumn:name="Percent",type=integer,JSONPath=`.status.percent`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Resets",type=string,JSONPath=`.status.window.end`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
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
