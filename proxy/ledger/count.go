package ledger

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// maxOver bounds how many owners a counter remembers to have folded.
const maxOver = 256

// Count is one counter of a record: a subject in a window.
type Count struct {
	Key
	// Subject whose counter it is; empty for the one that all calls share.
	Subject string `json:"subject,omitempty"`
	// End of the window, in UTC; zero with the period Total.
	End time.Time `json:"end,omitzero"`
	// Folded is the sum of owners that are gone.
	Folded Folded `json:"folded,omitzero"`
	// Recall grows when an owner needs what others hold and do not use.
	Recall int64 `json:"recall,omitempty"`
	// Over names earlier owners of pods that have a later one, once they are folded: a journal that tells of them comes too late.
	Over []Owner `json:"over,omitempty"`
	// Owners holds the entry of each owner, by Owner.
	Owners map[Owner]Entry `json:"owners,omitempty"`
}

func (c Count) clone() Count {
	c.Owners = maps.Clone(c.Owners)
	c.Over = slices.Clone(c.Over)
	return c
}

func (c Count) place() place {
	return place{Key: c.normal(), subject: c.Subject}
}

// Total is the sum over all owners.
func (c Count) Total() Totals {
	total := c.Folded.Totals
	for _, entry := range c.Owners {
		total = total.Plus(entry.Totals)
	}
	return total
}

// Reserved is what living owners hold beyond what they spent, in nano-dollars.
func (c Count) Reserved() int64 {
	reserved := int64(0)
	for _, entry := range c.Owners {
		if !entry.Lost {
			reserved = addSaturating(reserved, entry.Held())
		}
	}
	return reserved
}

// Lost is what owners that are gone held, in nano-dollars. Nobody knows how much of it was spent, so it counts as if all of it were.
func (c Count) Lost() int64 {
	lost := c.Folded.Lost
	for _, entry := range c.Owners {
		if entry.Lost {
			lost = addSaturating(lost, entry.Held())
		}
	}
	return lost
}

// ended tells whether the window ended before t.
func (c Count) ended(t time.Time) bool {
	return !c.End.IsZero() && !c.End.After(t)
}

// updated is when an owner last wrote into the counter.
func (c Count) updated() time.Time {
	var last time.Time
	for _, entry := range c.Owners {
		if entry.Updated.After(last) {
			last = entry.Updated
		}
	}
	return last
}

// enter takes in the entry of an owner and tells whether that changed anything. The other owners of its pod have ended and are folded.
func (c *Count) enter(owner Owner, entry Entry) bool {
	if c.Owners[owner].Seq >= entry.Seq {
		return false
	}
	if c.Owners == nil {
		c.Owners = map[Owner]Entry{}
	}
	c.Owners[owner] = entry
	for other := range c.Owners {
		if other != owner && other.Pod() == owner.Pod() {
			c.remember(other)
			c.fold(other)
		}
	}
	return true
}

// fold moves what an owner counted into the sum of those that are gone; what is left of its allowance is lost.
func (c *Count) fold(owner Owner) {
	entry := c.Owners[owner]
	c.Folded = Folded{
		Totals:  c.Folded.Plus(entry.Totals),
		Lost:    addSaturating(c.Folded.Lost, entry.Held()),
		Routes:  c.Folded.Routes.merge(entry.Routes).top(),
		Callers: c.Folded.Callers.merge(entry.Callers).top(),
	}
	delete(c.Owners, owner)
}

// recover folds an earlier owner with what its journal knows, and tells whether that changed anything: once folded, nothing is added any more.
func (c *Count) recover(known Recovered) bool {
	if slices.Contains(c.Over, known.Owner) {
		return false
	}
	entry := c.Owners[known.Owner]
	entry.Totals = entry.atLeast(known.Totals)
	entry.Allowance = addSaturating(entry.Spent, max(0, known.Nano))
	if c.Owners == nil {
		c.Owners = map[Owner]Entry{}
	}
	c.Owners[known.Owner] = entry
	c.remember(known.Owner)
	c.fold(known.Owner)
	return true
}

// remember notes that an owner is folded, and forgets the oldest such note when there are many.
func (c *Count) remember(owner Owner) {
	if len(c.Over) >= maxOver {
		c.Over = slices.Delete(c.Over, 0, len(c.Over)-maxOver+1)
	}
	c.Over = append(c.Over, owner)
}

// foldGone folds the entries of owners that are gone, the oldest first, until at most keep of them are left, and tells whether it folded any.
func (c *Count) foldGone(running func(pod string) bool, keep int) bool {
	var gone []Owner
	for owner := range c.Owners {
		if !running(owner.Pod()) && !owner.Carried() {
			gone = append(gone, owner)
		}
	}
	slices.SortFunc(gone, func(a, b Owner) int {
		return cmp.Or(c.Owners[a].Updated.Compare(c.Owners[b].Updated), cmp.Compare(a, b))
	})
	excess := gone[:max(0, len(gone)-keep)]
	for _, owner := range excess {
		c.fold(owner)
	}
	return len(excess) > 0
}
