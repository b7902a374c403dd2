package ledger

import "strings"

// changed checks a change of the ledger. writer is nil if the manager made it.
func (s *sim) changed(before, after Record, writer *simReplica) {
	for _, window := range after.Windows {
		was, _ := before.FindCounter(window.Key, window.Subject)
		c := s.counterOf(window.Key, window.Subject)
		s.checkEntries(c, was, window)
		s.checkFolded(c, was, window, writer)
		s.checkSums(c, was, window)
	}
	for _, window := range before.Windows {
		if _, found := after.FindCounter(window.Key, window.Subject); !found {
			s.suspect("%s: the window is gone", s.counterOf(window.Key, window.Subject))
		}
	}
}

// checkEntries says which entry went back, and notes what the store has of each owner.
func (s *sim) checkEntries(c *simCounter, was, is Count) {
	for name, entry := range is.Owners {
		if entry.Seq < was.Owners[name].Seq {
			s.suspect("%s: the entry of %s went back from %d to %d", c, name, was.Owners[name].Seq, entry.Seq)
		}
		owner := c.ownerOf(name)
		owner.committed = max(owner.committed, entry.Committed())
		if entry.Spent > owner.settled.Spent || entry.Requests > owner.settled.Requests {
			s.suspect("%s: the entry of %s has %+v, it settled %+v", c, name, entry.Totals, owner.settled)
		}
	}
}

// checkFolded says whether what was folded is what the owners had: what the journal says if the writer has read it, otherwise what is in the entry.
func (s *sim) checkFolded(c *simCounter, was, is Count, writer *simReplica) {
	want := simClaim{spent: was.Folded.Spent, lost: was.Folded.Lost}
	for name, owner := range c.owners {
		entry, before := was.Owners[name]
		_, after := is.Owners[name]
		known := writer != nil && writer.knows(name)
		switch {
		case owner.folded, after, !before && !known:
			continue
		case known:
			want.spent += owner.settled.Spent
			want.lost += owner.orphaned
		default:
			want.spent += entry.Spent
			want.lost += entry.Held()
		}
		owner.folded = true
	}
	if got := (simClaim{spent: is.Folded.Spent, lost: is.Folded.Lost}); got != want && !c.rewound {
		s.suspect("%s: folded are %+v, not %+v", c, got, want)
	}
}

// checkSums says whether more is committed than the limit ever was, more counted than was served, or less than before.
func (s *sim) checkSums(c *simCounter, was, is Count) {
	if got := is.Total().Spent; got > c.served {
		s.suspect("%s: the ledger has %d, providers served %d", c, got, c.served)
	}
	committed := is.Folded.Spent + is.Folded.Lost
	for _, entry := range is.Owners {
		committed += entry.Committed()
	}
	if committed > s.highest+c.slack {
		s.suspect("%s: %d are committed; the limit was never above %d", c, committed, s.highest)
	}
	if got := is.Total().Spent; got < was.Total().Spent {
		s.suspect("%s: what is spent went back from %d to %d", c, was.Total().Spent, got)
	}
}

// checkEnd compares the ledger with the truth, after all who live have drained.
func (s *sim) checkEnd() {
	for _, c := range s.counters {
		window, found := s.store.record.FindCounter(c.key, c.subject)
		if !found && c.served > 0 && !c.rewound {
			s.overspend("%s: the ledger has no such window, providers served %d", c, c.served)
			continue
		}
		for name, owner := range c.owners {
			s.checkOwnerEnd(c, window, name, owner)
		}
		if lost := window.Lost(); !c.rewound && c.served > window.Total().Spent+lost+c.slack {
			s.overspend("%s: the ledger has %d and %d lost, providers served %d", c, window.Total().Spent, lost, c.served)
		}
	}
}

// checkOwnerEnd compares what the ledger has of one owner with what it did.
func (s *sim) checkOwnerEnd(c *simCounter, window Count, name Owner, owner *simOwner) {
	pod := s.podOf(name)
	if owner.folded || c.rewound && (!pod.runs(name) || !s.runs(c)) {
		return
	}
	entry := window.Owners[name]
	switch {
	case pod.runs(name) || pod.left(name):
		if entry.Totals != owner.settled || entry.Allowance > entry.Spent {
			s.fail("%s: the entry of %s has %+v, it settled %+v", c, name, entry, owner.settled)
		}
	case pod.replica != nil && pod.replica.knows(name):
		s.fail("%s: the journal of %s is not in the ledger", c, name)
	}
}

// runs tells whether an owner is of the container that runs.
func (p *simPod) runs(name Owner) bool {
	return p.replica != nil && p.replica.owns(name)
}

// left tells whether an owner is of a container that has drained.
func (p *simPod) left(name Owner) bool {
	return p.drained && strings.HasPrefix(string(name), string(p.last)+".")
}

// runs tells whether a counter is that of the window that runs.
func (s *sim) runs(c *simCounter) bool {
	return c.key.ResetID == s.budget.ResetID && c.key.Start.Equal(s.window().Start)
}

// taken is what is spent, lost or reserved in a counter, and so not to be had by anybody.
func (s *sim) taken(key Key, subject string) int64 {
	c := s.counterOf(key, subject)
	window, _ := s.store.record.FindCounter(key, subject)
	sum := window.Folded.Spent + window.Folded.Lost
	for name, owner := range c.owners {
		pod := s.podOf(name)
		switch {
		case owner.folded:
		case pod.runs(name):
			sum += owner.settled.Spent + owner.open
		default:
			sum += window.Owners[name].Committed()
		}
	}
	return sum
}
