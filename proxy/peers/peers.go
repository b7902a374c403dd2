// Package peers lets the replicas of a namespace's proxy tell each other things over their control ports. It knows who the replicas are; what they say is
// the business of its parts.
package peers

import "encoding/json"

// Part is something that has to say to the same part of other replicas. Its methods must not block and may be called by any number of goroutines.
type Part interface {
	// Say is what a peer is to be told now; nil for nothing.
	Say(to string) json.RawMessage
	// Hear takes in what a peer said.
	Hear(from string, said json.RawMessage) error
	// Members tells who the other live replicas are, whenever that changes. settled tells that all of them are known and each was exchanged with.
	Members(peers []string, settled bool)
}
