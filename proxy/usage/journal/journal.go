// Package journal keeps on disk what must survive the end of a proxy's process: which attempts were sent and not settled, what the budgets' counters had
// settled, and the usage records that the sinks do not have yet.
//
// It is written with plain writes and never forced to the disk: it outlives the process, not the machine, for the directory is an emptyDir that lives as long as
// its pod. It is bounded; what happens when it is full is the platform's choice.
package journal

import (
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/usage"
)

// Attempt is the note of an attempt, made before it is sent.
type Attempt struct {
	// Record is the request's id, as in usage.Record.
	Record string
	// Number of the attempt in its request, from 0.
	Number int
	// Time of the attempt.
	Time time.Time
	// Draft is what is known of the request: what its record is made from if nothing more comes. It is written with the first attempt only; nil with others.
	Draft *usage.Record
	// Claims are what its reservation holds.
	Claims []ledger.Claim
}

// Noted is what a server writes to. Its methods are safe for concurrent use.
type Noted interface {
	// Begin notes an attempt before it is sent. An error means that it must not be sent: the journal has no room, and refuses when full.
	Begin(a *Attempt) error
	// End notes the record of a request that has ended, with the settlements of all its attempts. Attempts that are not in settled were released. It never fails for
	// want of room; what cannot be written is counted and told once.
	End(record *usage.Record, settled []ledger.Settlement)
	// Drop ends a request none of whose attempts reached a provider: there is no record of it.
	Drop(record string)
}
