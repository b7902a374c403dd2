package stores

import (
	"maps"
	"slices"
	"time"
)

// plan is what to do with the users of a namespace: make some, or remove all.
type plan struct {
	// ensure holds the passwords of users to make.
	ensure map[Use]string
	// remove tells to remove the users from all stores.
	remove bool
	// next is when to look again; 0 for when something happens.
	next time.Duration
}

// makePlan decides what to do. It is pure.
func makePlan(in *input) plan {
	if in.table == nil {
		if in.pods > 0 {
			// What the last proxies spent is not written down yet.
			return plan{next: drainRecheck}
		}
		return plan{remove: true}
	}
	planned := plan{ensure: map[Use]string{}}
	for _, use := range slices.Sorted(maps.Keys(in.known)) {
		password := use.password(in.table)
		if password == "" {
			continue
		}
		next := refresh
		if wait := in.known[use].wait(password, in.now); wait > 0 {
			next = wait
		} else {
			planned.ensure[use] = password
		}
		if planned.next == 0 || next < planned.next {
			planned.next = next
		}
	}
	return planned
}

// wait is how long a user need not be made again.
func (s state) wait(password string, now time.Time) time.Duration {
	every := refresh
	if s.trouble != "" {
		every = again
	}
	if s.password != password || s.made.After(now) {
		return 0
	}
	return max(0, s.made.Add(every).Sub(now))
}
