package compile

import (
	"fmt"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// maxQuoted bounds how much of a user's value a message repeats.
const maxQuoted = 128

// invalid is the finding for a field with an error that its schema does not see.
func invalid(condition, field, problem string) Finding {
	return Finding{
		Condition: condition,
		Reason:    v1alpha1.ReasonInvalid,
		Message:   fmt.Sprintf("%s: %s", field, problem),
		Field:     field,
	}
}

// bounded cuts a user's value to what a message can repeat.
func bounded(value string) string {
	if len(value) <= maxQuoted {
		return value
	}
	return value[:maxQuoted] + "..."
}

// unsupported is the finding for a choice that this version does not offer.
func unsupported(condition, field, value string) Finding {
	return Finding{
		Condition: condition,
		Reason:    v1alpha1.ReasonUnsupportedValue,
		Message:   fmt.Sprintf("%s: %q is not supported", field, bounded(value)),
		Field:     field,
	}
}
