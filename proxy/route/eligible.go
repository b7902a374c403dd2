package route

import (
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/preference"
	"signalbox.dev/signalbox/proxy/table"
)

// expectedOutput is how long an answer is taken to be, in tokens, where nothing is known of it.
const expectedOutput = 256

// longestWait bounds how long a call waits for the headroom of a last resort.
const longestWait = 2 * time.Second

// probeTime is how long the single attempt at a target that may be back is taken to last.
const probeTime = time.Second

// outByDeclaration is why a target is out by what is declared of it, whatever its health.
func (r *Router) outByDeclaration(t *routed, q *Query) Exclusion {
	known, require := &t.Declared, &r.route.Require
	switch {
	case require.Capabilities != 0 && !known.CapabilitiesKnown, !known.Capabilities.Has(require.Capabilities):
		return LacksRequired
	case known.CapabilitiesKnown && !known.Capabilities.Has(q.Needs):
		return LacksNeeded
	case known.ContextTokens < require.MinContextTokens:
		return ContextBelowMinimum
	case known.ContextTokens > 0 && leastPrompt(q)+boundedOutput(t, q.MaxOutputTokens) > known.ContextTokens:
		return ContextTooSmall
	case !known.DataPolicy.Satisfies(require.DataPolicy):
		return RouteDataPolicy
	}
	return Eligible
}

// tokensOf is how many tokens the call can take of a target, as far as the request bounds them.
func tokensOf(t *routed, q *Query) int64 { return q.PromptTokens + boundedOutput(t, q.MaxOutputTokens) }

// leastPrompt is what the prompt takes at least. The estimate is too high for some text, such as indented code, and a target must not be refused for it: the
// provider itself says when a prompt is too long, and the call then moves on.
func leastPrompt(q *Query) int64 { return q.PromptTokens * 2 / 3 }

// boundedOutput cuts an answer's length to what the target can do: a request for more is sent with the target's own limit.
func boundedOutput(t *routed, output int64) int64 {
	if limit := t.Declared.MaxOutputTokens; limit > 0 {
		return min(output, limit)
	}
	return output
}

// outByPreference is why a target is out by what the request asks for.
func (r *Router) outByPreference(index int, t *routed, q *Query) Exclusion {
	p := q.Preferences
	if p == nil {
		return Eligible
	}
	if out := r.outBySlugs(t, p); out != Eligible {
		return out
	}
	if p.RequireParameters && q.Drops>>index&1 != 0 {
		return DropsParameters
	}
	if t.openRouter {
		return r.outOfOpenRouter(t, p)
	}
	switch {
	case !t.Declared.DataPolicy.Satisfies(p.DataPolicy):
		return RequestDataPolicy
	case len(p.Quantizations) > 0 && !slices.Contains(p.Quantizations, quantizationOf(t)):
		return OtherQuantization
	case p.Distillable:
		return NotDistillable
	}
	return Eligible
}

// outOfOpenRouter is why OpenRouter is out. It is told the request's preferences and keeps what is asked of data, quantization and distillation itself.
func (r *Router) outOfOpenRouter(t *routed, p *preference.Preferences) Exclusion {
	if t.passed != nil && !t.passed.Meets(p, r.owns) {
		return NothingLeft
	}
	return Eligible
}

// outBySlugs is why a target is out by the lists of the request.
func (r *Router) outBySlugs(t *routed, p *preference.Preferences) Exclusion {
	switch {
	case len(p.Only) > 0 && !r.matches(p.Only, t):
		return NotInOnly
	case t.ignoredBy(p.Ignore):
		return Ignored
	case p.NoFallbacks && len(p.Order) > 0 && !r.matches(p.Order, t):
		return NotInOrder
	}
	return Eligible
}

// quantizationOf is the quantization of a target in OpenRouter's words, which have one for not knowing.
func quantizationOf(t *routed) string {
	if t.Declared.Quantization == "" {
		return "unknown"
	}
	return t.Declared.Quantization
}

// outByPrice is why a target is out by what it charges.
func (r *Router) outByPrice(t *routed, q *Query, view *health.View) Exclusion {
	asked := requestMaxPrice(q)
	if r.route.Require.MaxPrice == nil && asked == nil && q.MaxCost <= 0 {
		return Eligible
	}
	prices := t.Backend.Prices(q.Asked)
	switch {
	case isOver(prices, r.route.Require.MaxPrice):
		return OverRoutePrice
	case isOver(prices, asked):
		return OverRequestPrice
	case q.MaxCost > 0 && (prices == nil || mostCost(t, q, view, prices) > q.MaxCost):
		return OverCost
	}
	return Eligible
}

func requestMaxPrice(q *Query) *table.MaxPrice {
	if q.Preferences == nil {
		return nil
	}
	return q.Preferences.MaxPrice
}

func requestDataPolicy(q *Query) table.DataPolicy {
	if q.Preferences == nil {
		return table.DataPolicy{}
	}
	return q.Preferences.DataPolicy
}

// isOver tells whether prices are not known to keep a bound.
func isOver(prices *table.Prices, bound *table.MaxPrice) bool {
	if bound == nil || (bound.Input == nil && bound.Output == nil) {
		return false
	}
	return prices == nil || (bound.Input != nil && prices.Input > *bound.Input) || (bound.Output != nil && prices.Output > *bound.Output)
}

// mostCost is an estimate of what the call costs at most, without any help of a cache; where the request does not bound the answer, of what it is likely to.
func mostCost(t *routed, q *Query, view *health.View, prices *table.Prices) int64 {
	output := q.MaxOutputTokens
	if output <= 0 {
		output = knownOr(view.OutputTokens, expectedOutput)
	}
	return meter.Cost(&meter.Usage{Prompt: q.PromptTokens, Completion: boundedOutput(t, output)}, prices).Nano
}

// knownOr is a figure, or another where it is not known.
func knownOr(figure, otherwise int64) int64 {
	if figure > 0 {
		return figure
	}
	return otherwise
}

// outByHealth is why a target is out by its health.
func outByHealth(t *routed, q *Query, view *health.View) Exclusion {
	switch view.Block {
	case health.Open:
	case health.CircuitOpen:
		return CircuitOpen
	case health.ErrorRate:
		return ErrorRate
	case health.CoolingDown:
		return CoolingDown
	case health.NoQuota:
		return NoQuota
	case health.KeyRefused:
		return KeyRefused
	case health.Withdrawn:
		return Withdrawn
	case health.NoHeadroom:
		return NoHeadroom
	}
	switch {
	case view.Probe && view.Busy:
		return BeingProbed
	case headroomReset(&view.Headroom, tokensOf(t, q)) > 0:
		return NoHeadroom
	}
	return Eligible
}

// headroomReset is how long until the rate limits leave room for a call of so many tokens; 0 when they do now, or when nobody knows.
func headroomReset(h *health.Headroom, tokens int64) time.Duration {
	var reset time.Duration
	if h.Requests == 0 {
		reset = max(reset, h.RequestsReset)
	}
	if h.Tokens >= 0 && h.Tokens < tokens {
		reset = max(reset, h.TokensReset)
	}
	return reset
}

// leftOf is how much longer a target is out for its health, as far as that is known; 0 when it is not.
func leftOf(out Exclusion, t *routed, q *Query, view *health.View) time.Duration {
	if out == NoHeadroom {
		return max(view.For, headroomReset(&view.Headroom, tokensOf(t, q)))
	}
	if out == BeingProbed {
		return max(view.For, probeTime)
	}
	return view.For
}
