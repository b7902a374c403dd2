package route

import (
	"fmt"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// Reason says in words for the caller why a candidate is left out; empty when it is not. Of a last resort it says what it is tried in spite of.
func (r *Router) Reason(c Candidate, q *Query) string {
	out := c.cause()
	if out == Eligible || c.Index < 0 || c.Index >= len(r.targets) {
		return ""
	}
	t := &r.targets[c.Index]
	switch {
	case out.healsWithTime():
		return r.healthReason(t, out, c.Left, q)
	case out >= OverRoutePrice && out <= OverCost:
		return r.priceReason(t, out, q)
	case out >= NotInOnly && out <= NothingLeft:
		return preferenceReason(t, out)
	case out >= LacksRequired && out <= RequestDataPolicy:
		return r.declarationReason(t, out, q)
	}
	return plainReason(t, out)
}

func plainReason(t *routed, out Exclusion) string {
	switch out {
	case Unusable:
		return t.Excluded
	case Drained:
		return "its weight is 0"
	case AfterFailureOnly:
		return "it is only for calls that failed elsewhere: " + kinds(t.OnlyFor)
	case NoFallbacks:
		return "the request's allow_fallbacks is false and another target is first"
	default:
		return out.String()
	}
}

func kinds(list []table.FailureKind) string {
	words := make([]string, len(list))
	for i, kind := range list {
		words[i] = string(kind)
	}
	return strings.Join(words, ", ")
}

func (r *Router) declarationReason(t *routed, out Exclusion, q *Query) string {
	known, require := &t.Declared, &r.route.Require
	switch out {
	case LacksRequired:
		missing := require.Capabilities
		if known.CapabilitiesKnown {
			missing &^= known.Capabilities
		}
		return "it does not declare what the route requires: " + strings.Join(missing.Names(), ", ")
	case LacksNeeded:
		return "it cannot do what the request needs: " + strings.Join((q.Needs&^known.Capabilities).Names(), ", ")
	case ContextBelowMinimum:
		if known.ContextTokens == 0 {
			return fmt.Sprintf("its context is not known; the route requires %d tokens; declare contextTokens", require.MinContextTokens)
		}
		return fmt.Sprintf("its context of %d tokens is smaller than the %d that the route requires", known.ContextTokens, require.MinContextTokens)
	case ContextTooSmall:
		if answer := boundedOutput(t, q.MaxOutputTokens); answer > 0 {
			return fmt.Sprintf("its context of %d tokens is too small for about %d of the prompt and %d of the answer", known.ContextTokens, leastPrompt(q), answer)
		}
		return fmt.Sprintf("its context of %d tokens is too small for about %d of the prompt", known.ContextTokens, leastPrompt(q))
	case RouteDataPolicy:
		return "data policy: " + lacking(known.DataPolicy, require.DataPolicy) + ", which the route requires"
	default:
		return "data policy: " + lacking(known.DataPolicy, requestDataPolicy(q)) + ", which the request asks for"
	}
}

// lacking says what a policy does not have of what is required.
func lacking(known, required table.DataPolicy) string {
	var parts []string
	if required.NoCollection && !known.NoCollection {
		parts = append(parts, "collection is not declared as Deny")
	}
	if required.NoRetention && !known.NoRetention {
		parts = append(parts, "retention is not declared as Zero")
	}
	if required.Region != "" && known.Region != required.Region {
		parts = append(parts, fmt.Sprintf("region is not declared as %q", required.Region))
	}
	return strings.Join(parts, " and ")
}

func preferenceReason(t *routed, out Exclusion) string {
	switch out {
	case NotInOnly:
		return "the request's provider.only does not name it; " + namesOf(t)
	case Ignored:
		return "the request's provider.ignore names it"
	case NotInOrder:
		return "the request's provider.order does not name it and allow_fallbacks is false; " + namesOf(t)
	case OtherQuantization:
		return fmt.Sprintf("its quantization is %s, which the request's provider.quantizations do not have", quantizationOf(t))
	case NotDistillable:
		return "it is not known whether its text may be distilled, which the request asks for"
	case DropsParameters:
		return "it would drop a parameter of the request, and the request's require_parameters is true"
	default:
		return "the request's provider preferences leave nothing of the providers that the route allows OpenRouter"
	}
}

// namesOf says by which slugs a target can be named.
func namesOf(t *routed) string {
	text := fmt.Sprintf("it can be named as %q or %q", t.slugs[0], t.slugs[1])
	if t.slugs[2] != "" && t.slugs[2] != t.slugs[1] {
		text += fmt.Sprintf(" or %q", t.slugs[2])
	}
	return text
}

func (r *Router) priceReason(t *routed, out Exclusion, q *Query) string {
	prices := t.Backend.Prices(q.Asked)
	switch {
	case prices == nil && out == OverCost:
		return "its price is not known, and the cost of the call is bounded"
	case prices == nil:
		return "its price is not known, and prices are bounded by " + boundedBy(out)
	case out == OverCost:
		view := t.view(q)
		return fmt.Sprintf("the call is estimated to cost up to $%s there; $%s is left for it",
			meter.FormatUSD(mostCost(t, q, &view, prices)), meter.FormatUSD(q.MaxCost))
	}
	bound := r.route.Require.MaxPrice
	if out == OverRequestPrice {
		bound = requestMaxPrice(q)
	}
	if bound != nil && bound.Input != nil && prices.Input > *bound.Input {
		return fmt.Sprintf("its price of $%s for a million prompt tokens is above the $%s of %s",
			meter.FormatUSD(prices.Input), meter.FormatUSD(*bound.Input), boundedBy(out))
	}
	if bound != nil && bound.Output != nil && prices.Output > *bound.Output {
		return fmt.Sprintf("its price of $%s for a million completion tokens is above the $%s of %s",
			meter.FormatUSD(prices.Output), meter.FormatUSD(*bound.Output), boundedBy(out))
	}
	return "its price was above " + boundedBy(out)
}

func boundedBy(out Exclusion) string {
	if out == OverRequestPrice {
		return "the request's provider.max_price"
	}
	return "the route's maxPrice"
}

func (r *Router) healthReason(t *routed, out Exclusion, left time.Duration, q *Query) string {
	still := ""
	if left > 0 {
		still = " for " + shortly(left) + " more"
	}
	switch out {
	case CircuitOpen:
		return "its circuit is open" + still + ": too many attempts in a row failed"
	case ErrorRate:
		view := t.view(q)
		return fmt.Sprintf("its circuit is open%s: %d of 1000 attempts failed", still, view.ErrorPermille)
	case CoolingDown:
		return "its provider limits the rate or is short of capacity; it is left alone" + still
	case NoQuota:
		return "the quota or credit of its key is used up; it is left alone" + still
	case KeyRefused:
		return "its provider refuses the key; it is left alone" + still
	case Withdrawn:
		return "its provider does not offer the model; it is left alone" + still + "; name a successor or another model"
	case BeingProbed:
		return "another call is finding out whether it is back"
	default:
		return fmt.Sprintf("its provider's rate limits do not leave room%s for a call of about %d tokens", still, tokensOf(t, q))
	}
}

// shortly writes a time with as many digits as somebody wants to read.
func shortly(d time.Duration) string {
	switch {
	case d < time.Second:
		return max(d.Round(time.Millisecond), time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}
