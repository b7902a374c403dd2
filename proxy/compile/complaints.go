package compile

import (
	"fmt"
	"slices"
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// complaints collects what is wrong with the spec of a route while it is read, so that all of it is told at once. Values out of bounds come from objects
// that were stored under an older schema or never met one.
type complaints struct {
	// route is the name of the object.
	route    string
	findings []Finding
}

func (c *complaints) add(findings ...Finding) { c.findings = append(c.findings, findings...) }

func (c *complaints) invalid(field, problem string) {
	c.add(invalid(v1alpha1.ConditionAccepted, field, problem))
}

func (c *complaints) unsupported(field, value string) {
	c.add(unsupported(v1alpha1.ConditionAccepted, field, value))
}

// span is a range of numbers, both ends included.
type span struct{ low, high int64 }

// number reads an optional number; one that is left out is 0.
func (c *complaints) number(given *int64, within span, field string) int64 {
	if given == nil {
		return 0
	}
	if *given < within.low || *given > within.high {
		c.invalid(field, fmt.Sprintf("%d is not between %d and %d", *given, within.low, within.high))
	}
	return *given
}

// small reads an optional number of 32 bits.
func (c *complaints) small(given *int32, standard int, within span, field string) int {
	if given == nil {
		return standard
	}
	wide := int64(*given)
	return int(c.number(&wide, within, field))
}

// period is a range of durations, both ends included.
type period struct{ low, high time.Duration }

// duration reads an optional duration.
func (c *complaints) duration(given, standard time.Duration, within period, field string) time.Duration {
	if given == 0 {
		return standard
	}
	if given < within.low || given > within.high {
		c.invalid(field, fmt.Sprintf("%s is not between %s and %s", given, within.low, within.high))
	}
	return given
}

// bound reads an optional amount that bounds spending, in nano-dollars; 0 for none.
func (c *complaints) bound(amount v1alpha1.USDAmount, field string) int64 {
	if amount == "" {
		return 0
	}
	nano, err := meter.ParseUSD(string(amount))
	switch {
	case err != nil:
		c.invalid(field, fmt.Sprintf("%q is not an amount: an amount is a decimal such as 0.05, with at most nine digits before the point and nine after it", bounded(string(amount))))
	case nano == 0:
		c.invalid(field, "it must be greater than zero; leave it out for no bound")
	}
	return nano
}

// price reads an optional price; nil for none.
func (c *complaints) price(amount v1alpha1.USDPerMillionTokens, field string) *int64 {
	if amount == "" {
		return nil
	}
	nano, err := meter.ParseUSD(string(amount))
	if err != nil {
		c.invalid(field, notAPrice(amount))
	}
	return &nano
}

// maxPrice reads the most that tokens may cost; nil for no bound.
func (c *complaints) maxPrice(spec *v1alpha1.MaxPrice, field string) *table.MaxPrice {
	if spec == nil {
		return nil
	}
	read := table.MaxPrice{Input: c.price(spec.Input, field+".input"), Output: c.price(spec.Output, field+".output")}
	if read == (table.MaxPrice{}) {
		return nil
	}
	return &read
}

// word reads a value of an enumeration.
func word[W ~string](c *complaints, given W, known []W, field string) W {
	if !slices.Contains(known, given) {
		c.unsupported(field, string(given))
	}
	return given
}

// words reads a set of values of an enumeration, in the order of the spec.
func words[W ~string](c *complaints, given, known []W, field string) []W {
	var read []W
	for i, value := range given {
		word(c, value, known, fmt.Sprintf("%s[%d]", field, i))
		if !slices.Contains(read, value) {
			read = append(read, value)
		}
	}
	return read
}
