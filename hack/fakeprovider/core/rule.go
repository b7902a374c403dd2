package core

import "slices"

// Rule is a rule for requests: whether one breaks it, and what it is then told.
type Rule struct {
	Broken  bool
	Refusal *Refusal
}

// FirstBroken is the refusal of the first rule that is broken, nil if none is.
func FirstBroken(rules ...Rule) *Refusal {
	for _, rule := range rules {
		if rule.Broken {
			return rule.Refusal
		}
	}
	return nil
}

// InOrder runs checks until one refuses.
func InOrder(checks ...func() *Refusal) *Refusal {
	for _, check := range checks {
		if refused := check(); refused != nil {
			return refused
		}
	}
	return nil
}

// Outside tells whether a number was given that is not between low and high.
func Outside[T int | float64](number *T, low, high T) bool {
	return number != nil && (*number < low || *number > high)
}

// NoneOf tells whether a word is not in the list. An empty word is one like all others.
func NoneOf(word string, list ...string) bool { return !slices.Contains(list, word) }

// Value is what a pointer points to, the zero value if to nothing.
func Value[T any](pointer *T) T {
	if pointer == nil {
		var zero T
		return zero
	}
	return *pointer
}
