package ledger

import (
	"cmp"
	"slices"
	"time"
)

const (
	// Retention is how long a window stays in a record after its end; a call may run for a day and is counted in the window that admitted it.
	Retention = 24 * time.Hour
	// maxEndedWindows bounds how many ended windows a record keeps, the latest ones.
	maxEndedWindows = 4
	// maxOpenWindows bounds how many windows that have not ended a record keeps; there is more than one only after a changed resetID.
	maxOpenWindows = 8
	// MaxGoneOwners is how many entries of owners that are gone a counter keeps before the oldest of them are folded.
	MaxGoneOwners = 256
)

// Slice is what is left of the allowance of one owner in one counter.
type Slice struct {
	Owner Owner
	// Key and End of the window, and Subject whose counter it is.
	Key     Key
	End     time.Time
	Subject string
	// Nano is the slice in nano-dollars.
	Nano int64
}

// Unmarked tells whether there is an entry of a pod that does not run and is not marked as lost.
func (r Record) Unmarked(running func(pod string) bool) bool {
	for i := range r.Windows {
		for owner, entry := range r.Windows[i].Owners {
			if !entry.Lost && !running(owner.Pod()) {
				return true
			}
		}
	}
	return false
}

// MarkLost marks the entries of owners whose pod is gone, and returns what each of those that were not marked before held, if anything. An owner that runs on
// all the same takes its mark away with its next write.
func (r *Record) MarkLost(running func(pod string) bool) (lost []Slice, changed bool) {
	for i := range r.Windows {
		window := &r.Windows[i]
		for owner, entry := range window.Owners {
			if entry.Lost || running(owner.Pod()) {
				continue
			}
			entry.Lost = true
			window.Owners[owner] = entry
			changed = true
			if entry.Held() > 0 {
				lost = append(lost, window.slice(owner, entry.Held()))
			}
		}
	}
	return sortSlices(lost), changed
}

// slice is a part of the allowance of an owner.
func (c *Count) slice(owner Owner, nano int64) Slice {
	return Slice{Owner: owner, Key: c.Key, End: c.End, Subject: c.Subject, Nano: nano}
}

// LostSlices returns what is marked as lost and still names its owner.
func (r Record) LostSlices() []Slice {
	var lost []Slice
	for i := range r.Windows {
		for owner, entry := range r.Windows[i].Owners {
			if entry.Lost && entry.Held() > 0 {
				lost = append(lost, r.Windows[i].slice(owner, entry.Held()))
			}
		}
	}
	return sortSlices(lost)
}

// Release makes what the named owners lost free again, and returns it. Only entries that are marked as lost are touched. It is for people who know that
// what an owner held was not spent: nothing else gives lost money back.
func (r *Record) Release(owners ...Owner) []Slice {
	return sortSlices(r.release(func(owner Owner) bool { return slices.Contains(owners, owner) }))
}

// ReleaseAll makes everything that was lost free again, and returns it: also what owners lost whose names are no longer known, without a name.
func (r *Record) ReleaseAll() []Slice {
	released := r.release(func(owner Owner) bool { return !owner.Carried() })
	for i := range r.Windows {
		window := &r.Windows[i]
		if window.Folded.Lost > 0 {
			released = append(released, window.slice("", window.Folded.Lost))
			window.Folded.Lost = 0
		}
	}
	return sortSlices(released)
}

func (r *Record) release(named func(Owner) bool) []Slice {
	var released []Slice
	for i := range r.Windows {
		window := &r.Windows[i]
		for owner, entry := range window.Owners {
			if !entry.Lost || entry.Held() == 0 || !named(owner) {
				continue
			}
			released = append(released, window.slice(owner, entry.Held()))
			entry.Allowance = entry.Spent
			window.Owners[owner] = entry
		}
	}
	return released
}

func sortSlices(all []Slice) []Slice {
	slices.SortFunc(all, func(a, b Slice) int {
		return cmp.Or(a.Key.Start.Compare(b.Key.Start), cmp.Compare(a.Key.ResetID, b.Key.ResetID), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Owner, b.Owner))
	})
	return all
}

// FoldGone folds the entries of owners whose pod is gone, the oldest first, until a counter holds at most keep of them, and tells whether it changed
// anything. What is left of their allowances is lost. An entry that is kept makes a late write of its owner harmless, for a pod that is gone from the API can
// run on for a while; one that is folded would be counted twice then, which errs on the side of the limit.
func (r *Record) FoldGone(running func(pod string) bool, keep int) bool {
	folded := false
	for i := range r.Windows {
		folded = r.Windows[i].foldGone(running, keep) || folded
	}
	return folded
}

// Prune drops windows that ended longer ago than Retention, and the oldest ones beyond what a record may hold, and tells whether it dropped any. Of the
// windows that have not ended those with the latest entries stay. A window stays or goes with all its counters.
func (r *Record) Prune(now time.Time) bool {
	var open, ended []Count
	latest := map[Key]time.Time{}
	for _, window := range r.Windows {
		key := window.normal()
		updated := window.updated()
		if before, seen := latest[key]; seen {
			if updated.After(before) {
				latest[key] = updated
			}
			continue
		}
		latest[key] = updated
		switch {
		case !window.ended(now):
			open = append(open, window)
		case !window.ended(now.Add(-Retention)):
			ended = append(ended, window)
		}
	}
	slices.SortStableFunc(ended, func(a, b Count) int { return b.End.Compare(a.End) })
	slices.SortStableFunc(open, func(a, b Count) int { return latest[b.normal()].Compare(latest[a.normal()]) })
	kept := slices.Concat(open[:min(len(open), maxOpenWindows)], ended[:min(len(ended), maxEndedWindows)])
	if len(kept) == len(latest) {
		return false
	}
	keys := map[Key]bool{}
	for _, window := range kept {
		keys[window.normal()] = true
	}
	r.Windows = slices.DeleteFunc(slices.Clone(r.Windows), func(c Count) bool { return !keys[c.normal()] })
	return true
}
