package compile

import (
	"fmt"
	"strings"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// unmet says which requirement of its route keeps a target from ever being called; empty if none does. The proxy applies the same rules to each call.
func unmet(require *table.Requirements, target *table.Target, backend *table.Credential) string {
	declared := &target.Declared
	switch {
	case !declared.Capabilities.Has(require.Capabilities):
		return "it does not declare these capabilities, which the route requires: " + strings.Join((require.Capabilities&^declared.Capabilities).Names(), ", ")
	case !declared.DataPolicy.Satisfies(require.DataPolicy):
		return "it does not declare the data policy that the route requires"
	case declared.ContextTokens < require.MinContextTokens:
		return fmt.Sprintf("its context is not known to have the %d tokens that the route requires", require.MinContextTokens)
	case require.MaxPrice != nil:
		return tooDear(require.MaxPrice, target, backend)
	}
	return ""
}

// tooDear says why a target is not within a maximum price. A target that sends what the client asked for can have many prices, so nothing is said of it
// unless it has prices of its own.
func tooDear(highest *table.MaxPrice, target *table.Target, backend *table.Credential) string {
	prices := pricesOf(target, backend)
	switch {
	case prices == nil && target.Model == wildcard:
		return ""
	case prices == nil:
		return "its price is not known, and the route requires a maximum price"
	case highest.Input != nil && prices.Input > *highest.Input:
		return above("prompt", prices.Input, *highest.Input)
	case highest.Output != nil && prices.Output > *highest.Output:
		return above("completion", prices.Output, *highest.Output)
	}
	return ""
}

func above(kind string, price, highest int64) string {
	return fmt.Sprintf("its price of %s USD per million %s tokens is above the %s that the route allows", meter.FormatUSD(price), kind, meter.FormatUSD(highest))
}

// pricesOf are what calls to a target's model cost; nil when that is not known. backend is nil when there is none.
func pricesOf(target *table.Target, backend *table.Credential) *table.Prices {
	if target.Prices != nil {
		return target.Prices
	}
	if backend == nil || target.Model == wildcard {
		return nil
	}
	prices, known := backend.Prices[target.Model]
	if !known {
		return nil
	}
	return &prices
}
