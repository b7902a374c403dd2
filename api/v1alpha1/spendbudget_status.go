package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// WindowStatus is a window's bounds.
type WindowStatus struct {
	// start of the window, inclusive.
	// +optional
	Start metav1.Time `json:"start,omitzero"`

	// end of the window, exclusive; absent with period Total.
	// +optional
	End metav1.Time `json:"end,omitzero"`
}

// SpendBudgetStatus is what was observed of a SpendBudget. Amounts are exact decimals in USD. Where counter is not Shared, they are sums over all counters.
type SpendBudgetStatus struct {
	// conditions are Ready, Enforced, ResolvedRefs, NearLimit, Exceeded, Overrun and LedgerPressure.
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

	// spent in the window.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Spent string `json:"spent,omitempty"`

	// reserved is what running proxies hold for calls that are under way or to come, with enforcement Hard. What is not spent of it comes back.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Reserved string `json:"reserved,omitempty"`

	// lost is what proxies held that were killed, and what nobody knows whether it was spent. It counts as spent.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Lost string `json:"lost,omitempty"`

	// overrun is how much calls cost more than what was reserved for them; it is part of spent.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Overrun string `json:"overrun,omitempty"`

	// remaining is the limit less spent and lost, never below zero; absent where counter is not Shared.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Remaining string `json:"remaining,omitempty"`

	// percent of the limit that is spent or lost, rounded down; it can pass 100. Where counter is not Shared, that of the fullest counter.
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

	// counters of the window, where counter is not Shared.
	// +optional
	Counters *BudgetCountersStatus `json:"counters,omitempty"`

	// topRoutes are the routes that most was spent on, at most 5; with counter Shared.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=5
	TopRoutes []BudgetShare `json:"topRoutes,omitempty"`

	// topCallers are the callers that spent most, at most 5; with counter Shared.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=5
	TopCallers []BudgetShare `json:"topCallers,omitempty"`

	// ledger is where spending is written down.
	// +optional
	Ledger *BudgetLedgerStatus `json:"ledger,omitempty"`
}

// BudgetCountersStatus tells of the counters of a window.
type BudgetCountersStatus struct {
	// known is how many there are.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Known int64 `json:"known,omitempty"`

	// max is how many there can be before others share one.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Max int64 `json:"max,omitempty"`

	// exceeded is how many have reached their limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Exceeded int64 `json:"exceeded,omitempty"`

	// top are the fullest, by the share of their limit, at most 10.
	// +optional
	// +listType=map
	// +listMapKey=subject
	// +kubebuilder:validation:MaxItems=10
	Top []BudgetCounterStatus `json:"top,omitempty"`
}

// BudgetCounterStatus is how one counter stands.
type BudgetCounterStatus struct {
	// subject is whose counter it is: "serviceaccount:<namespace>/<name>", "accesskey:<name>", "user:<issuer>/<name>", the end user, or the tag's value. "*others" is the counter of all that came after maxCounters, "*untrusted" that of calls that nobody who is trusted named a subject for.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Subject string `json:"subject,omitempty"`

	// limit of the counter.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Limit string `json:"limit,omitempty"`

	// spent by the counter.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Spent string `json:"spent,omitempty"`

	// lost of the counter; it counts as spent.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Lost string `json:"lost,omitempty"`

	// percent of the limit that is spent or lost, rounded down.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Percent *int64 `json:"percent,omitempty"`
}

// BudgetShare is a part of what was spent.
type BudgetShare struct {
	// name of the route, or of the caller: "serviceaccount:<namespace>/<name>", "accesskey:<name>" or "user:<issuer>/<name>".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Name string `json:"name,omitempty"`

	// spent on it.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Spent string `json:"spent,omitempty"`
}

// LedgerStoreType is where a ledger is kept.
// +kubebuilder:validation:Enum=Kubernetes;Valkey
type LedgerStoreType string

// The stores.
const (
	// LedgerKubernetes keeps a ledger in a ConfigMap.
	LedgerKubernetes LedgerStoreType = "Kubernetes"
	// LedgerValkey keeps it in Valkey or Redis.
	LedgerValkey LedgerStoreType = "Valkey"
)

// BudgetLedgerStatus tells of the ledger of a budget.
type BudgetLedgerStatus struct {
	// store is Kubernetes or Valkey.
	// +optional
	Store LedgerStoreType `json:"store,omitempty"`

	// bytes that the ledger takes, in Kubernetes.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Bytes int64 `json:"bytes,omitempty"`

	// percent of what fits, in Kubernetes.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Percent *int64 `json:"percent,omitempty"`

	// owners is how many proxies write into the running window, those that are gone included until they are added up.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Owners int64 `json:"owners,omitempty"`
}
