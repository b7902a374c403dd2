package route

// Exclusion is why a target is left out of a call.
type Exclusion uint8

// The exclusions, in the order in which they are looked for. The first one that holds is told.
const (
	// Eligible is none.
	Eligible Exclusion = iota
	// Unusable: the table says so.
	Unusable
	// Drained: its weight is 0, and the call's session is not there.
	Drained
	// LacksRequired: it does not declare a capability that the route requires.
	LacksRequired
	// LacksNeeded: it is known to lack a capability that the request needs.
	LacksNeeded
	// ContextBelowMinimum: its context is not known to have what the route requires.
	ContextBelowMinimum
	// ContextTooSmall: prompt and answer do not fit into its context.
	ContextTooSmall
	// RouteDataPolicy: it does not declare the data policy that the route requires.
	RouteDataPolicy
	// RequestDataPolicy: it does not declare the data policy that the request asks for.
	RequestDataPolicy
	// NotInOnly: the request's "only" does not name it.
	NotInOnly
	// Ignored: the request's "ignore" names it.
	Ignored
	// NotInOrder: the request's "order" does not name it, and "allow_fallbacks" is false.
	NotInOrder
	// OtherQuantization: the request's "quantizations" do not have its own.
	OtherQuantization
	// NotDistillable: the request asks for text that may be distilled, of which only OpenRouter knows.
	NotDistillable
	// DropsParameters: it would drop a parameter of the request, which requires all of them.
	DropsParameters
	// NothingLeft: the request allows none of the providers that the route allows OpenRouter.
	NothingLeft
	// OverRoutePrice: it costs more than the route allows, or its price is not known.
	OverRoutePrice
	// OverRequestPrice: it costs more than the request allows, or its price is not known.
	OverRequestPrice
	// OverCost: the call would cost more than what is left for it, or its price is not known.
	OverCost
	// CircuitOpen: too many attempts failed in a row.
	CircuitOpen
	// ErrorRate: too large a share of attempts failed.
	ErrorRate
	// CoolingDown: the provider limits the rate, or said until when it is short of capacity.
	CoolingDown
	// NoQuota: the key's quota or credit is used up.
	NoQuota
	// KeyRefused: the provider refuses the key.
	KeyRefused
	// Withdrawn: the provider does not offer the model.
	Withdrawn
	// BeingProbed: another call is finding out whether it is back.
	BeingProbed
	// NoHeadroom: what the provider's rate limits leave does not suffice.
	NoHeadroom
	// AfterFailureOnly: it is for calls that failed elsewhere in a way that it is named for, and nothing else speaks against it.
	AfterFailureOnly
	// NoFallbacks: the request's "allow_fallbacks" is false, and another target is first.
	NoFallbacks
)

// String is the exclusion's code for programs; empty for Eligible.
func (e Exclusion) String() string {
	codes := [...]string{
		Eligible: "", Unusable: "unusable", Drained: "drained", LacksRequired: "lacks_required_capability", LacksNeeded: "lacks_needed_capability",
		ContextBelowMinimum: "context_below_minimum", ContextTooSmall: "context_too_small", RouteDataPolicy: "route_data_policy",
		RequestDataPolicy: "request_data_policy", NotInOnly: "not_in_only", Ignored: "ignored", NotInOrder: "not_in_order",
		OtherQuantization: "other_quantization", NotDistillable: "not_distillable", DropsParameters: "drops_parameters", NothingLeft: "nothing_left",
		OverRoutePrice: "over_route_price", OverRequestPrice: "over_request_price", OverCost: "over_cost", CircuitOpen: "circuit_open",
		ErrorRate: "error_rate", CoolingDown: "cooling_down", NoQuota: "no_quota", KeyRefused: "key_refused", Withdrawn: "withdrawn",
		BeingProbed: "being_probed", NoHeadroom: "no_headroom", AfterFailureOnly: "after_failure_only", NoFallbacks: "no_fallbacks",
	}
	if int(e) >= len(codes) {
		return "unknown"
	}
	return codes[e]
}

// healsWithTime tells whether waiting may end it.
func (e Exclusion) healsWithTime() bool { return e >= CircuitOpen && e <= NoHeadroom }

// outage tells whether no call gets through, and more than a rate limit is the matter.
func (e Exclusion) outage() bool {
	switch e {
	case Unusable, Drained, LacksRequired, ContextBelowMinimum, RouteDataPolicy, OverRoutePrice, CircuitOpen, NoQuota, KeyRefused, Withdrawn, BeingProbed:
		return true
	default:
		return false
	}
}

// Down tells whether no call gets to the target now, whatever it asks for, and more than a rate limit is the matter.
func (c Candidate) Down() bool { return c.cause().outage() }
