package compile

import (
	"fmt"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// prices reads what tokens cost. A dollar amount for a million tokens and its nano-dollars are the same number with the point moved, so the amount is
// read like any other; errors name the field below path.
func prices(spec v1alpha1.TokenPrices, path, condition string) (table.Prices, []Finding) {
	var read table.Prices
	var findings []Finding
	take := func(into *int64, field string, amount v1alpha1.USDPerMillionTokens) {
		nano, err := meter.ParseUSD(string(amount))
		if err != nil {
			findings = append(findings, invalid(condition, path+"."+field, notAPrice(amount)))
		}
		*into = nano
	}
	take(&read.Input, "input", spec.Input)
	read.CachedInput = read.Input
	if spec.CachedInput != "" {
		take(&read.CachedInput, "cachedInput", spec.CachedInput)
	}
	if spec.Output != "" {
		take(&read.Output, "output", spec.Output)
	}
	return read, findings
}

func notAPrice(amount v1alpha1.USDPerMillionTokens) string {
	return fmt.Sprintf("%q is not a price: a price is a decimal such as 0.59, with at most nine digits before the point and nine after it", bounded(string(amount)))
}
