// Package core is what all imitated providers share: the state behind the control API, faults, records, the made-up answers, and how an answer
// goes over the wire.
package core
