// Package traffic is what a proxy tells of the targets of its routes: whether they are left alone, and how they have been doing of late. It is pure, and
// the values are small, for every report of a proxy holds many of them.
package traffic

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/window"
)

// MaxTargets bounds the targets of one report.
const MaxTargets = 2000

// Block is why a target is left alone.
type Block string

// The reasons.
const (
	// Open: nothing keeps calls from it.
	Open Block = ""
	// Trying: it was left alone, the time is over, and single calls find out whether it is back.
	Trying Block = "Trying"
	// ErrorRate: too large a share of its calls failed; it is used where nothing else is left.
	ErrorRate Block = "ErrorRate"
	// CoolingDown: the provider limits the rate.
	CoolingDown Block = "CoolingDown"
	// CircuitOpen: too many calls failed in a row.
	CircuitOpen Block = "CircuitOpen"
	// NoQuota: the quota or credit of the key is used up.
	NoQuota Block = "NoQuota"
	// Withdrawn: the provider does not offer the model.
	Withdrawn Block = "Withdrawn"
	// KeyRefused: the provider refuses the key.
	KeyRefused Block = "KeyRefused"
)

// Weight orders reasons: the more it takes until the target is back, the higher. It is 0 for Open and for words that this version does not know.
func (b Block) Weight() int {
	return slices.Index([]Block{Trying, ErrorRate, CoolingDown, CircuitOpen, NoQuota, Withdrawn, KeyRefused}, b) + 1
}

// Target is what one proxy tells of one target.
type Target struct {
	// Route and Name of the target.
	Route string `json:"route"`
	Name  string `json:"target"`
	// Provider is the vendor's name. The manager knows it, so it is not sent.
	Provider string `json:"-"`
	// Successor is the upstream model that serves in place of the one that the provider has withdrawn; empty when the target's own does.
	Successor string `json:"successor,omitempty"`
	// Block is why the target is left alone, and Seconds how much longer, rounded up; 0 for Open and Trying.
	Block   Block `json:"block,omitempty"`
	Seconds int64 `json:"blockSeconds,omitempty"`
	// Calls are those of about the last minute.
	Calls window.Counts `json:"calls,omitzero"`
	// FirstToken are the times to the first token of streams, in milliseconds, and Rate the completion tokens a second of answers, both of the last minute.
	FirstToken window.Packed `json:"firstToken,omitempty"`
	Rate       window.Packed `json:"rate,omitempty"`
}

// Withdrawn tells whether the provider does not offer the target's own model.
func (t *Target) Withdrawn() bool { return t.Successor != "" || t.Block == Withdrawn }

// troubled tells whether something is wrong with it.
func (t *Target) troubled() bool { return t.Successor != "" || t.Block != Open }

// Bounded is the part of targets that a report has room for: troubled ones first, then the busiest. It changes the order of its argument.
func Bounded(targets []Target) []Target {
	slices.SortFunc(targets, func(a, b Target) int {
		if a.troubled() != b.troubled() {
			if a.troubled() {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.Calls.Total(), a.Calls.Total()), strings.Compare(a.Route, b.Route), strings.Compare(a.Name, b.Name))
	})
	return targets[:min(len(targets), MaxTargets)]
}

// seconds rounds up, so that what stands for a moment more is not 0.
func seconds(d time.Duration) int64 { return int64((max(0, d) + time.Second - 1) / time.Second) }
