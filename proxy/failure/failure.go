// Package failure tells what kind of failure an attempt at a provider ended with. It is pure.
package failure

import (
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/table"
)

// Of classifies an error that a provider answered: by its HTTP status, or the status that an error inside an answer of status 200 stands for, and by what
// the error says. Provider is the vendor's name.
func Of(provider string, status int, said neutral.Error) table.FailureKind {
	return table.Unavailable
}
