package providerhealth

import (
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/window"
)

// The evidence that it takes.
const (
	// confirmed is how many probes in a row must fail to be believed without calls that say the same, and repeated how many must say that limits or keys are
	// the matter.
	confirmed = 3
	repeated  = 2
	// consecutive is how many calls in a row must fail where there are few.
	consecutive = 3
	// failing is how many calls of the last five seconds must fail, and half is their share, where there are more. As many in a row tell as much once no call
	// was answered for broke. A provider of which that was said fails until their share is below fifth.
	failing = 4
	half    = 500
	broke   = 2 * time.Second
	// doubtful is how long no call must have been answered for failures in a row to be more than chance, so that a probe is asked for.
	doubtful = time.Second
	// limitedFor is how long calls must meet nothing but limits: a limit that is over sooner is what providers have every few seconds.
	limitedFor = 3 * time.Second
	// partly is how many calls of the last fifteen seconds must fail, and fifth is their share, for a provider that works in part.
	partly = 5
	fifth  = 200
	// calm is the share of failures that a provider may have and still be well, and calmed what it must fall to over fifteen seconds where there are few calls.
	// Where none failed for calmFor, it does not matter how many did before.
	calm    = 50
	calmed  = 100
	calmFor = 2 * time.Second
	// many is how many calls of five seconds tell by themselves that failures have stopped.
	many = 50
	// busy is how many answered calls of five seconds make it enough to do better for settledBusy.
	busy = 20
	// streams is how many streams it takes to call a provider slow, and nimble the share of spec.probe.slowAfter below which it is not slow any more.
	streams = 3
	nimble  = 900
)

// Result is what a probe found.
type Result int

// The results.
const (
	// NotTold: nobody asked, the manager may not ask, or the answer does not tell.
	NotTold Result = iota
	// Good: the provider answered as it should, and did not refuse the key.
	Good
	// Failed: it answered with an error.
	Failed
	// Unreachable: there was no answer.
	Unreachable
	// Limited: it limits the rate of calls.
	Limited
	// Exhausted: the account has no credit left.
	Exhausted
	// KeyRefused: it refuses the keys that calls would be made with.
	KeyRefused
)

// Alike tells whether two results are counted together.
func (r Result) Alike(other Result) bool { return r == other || r.bad() && other.bad() }

// bad tells whether the provider did not answer as it should.
func (r Result) bad() bool { return r == Failed || r == Unreachable }

// Probe is what the manager's probes found.
type Probe struct {
	// Result of the last one.
	Result Result
	// Reason is why it is NotTold: a reason of a condition.
	Reason string
	// Streak is how many probes in a row, with the last one, had this result; those that failed and those without an answer count together.
	Streak int
	// At is when the last one began.
	At time.Time
	// Message says more of it.
	Message string
}

// Keys count the keys that calls are made with, and those that the proxies leave alone for a reason. An endpoint that takes no key has one.
type Keys struct{ Usable, Refused, Exhausted, Limited int }

// left is how many keys the proxies use.
func (k Keys) left() int { return k.Usable - k.Refused - k.Exhausted - k.Limited }

// Calls is what all ready proxies together saw.
type Calls struct {
	// Brief and Short count the calls of the last 5 and 15 seconds.
	Brief, Short window.Counts
	// Run counts those since the last answered one, within 15 seconds.
	Run window.Counts
	// Waiting counts the calls that do not get through, and have not ended.
	Waiting int64
	// AnsweredAgo and FailedAgo are how long ago a call was answered, and failed; a minute for none of late.
	AnsweredAgo, FailedAgo time.Duration
	// Streams is how many began in the last seconds, and FirstToken the median of how long that took. MinuteStreams is how many did in the last minute.
	Streams, MinuteStreams uint64
	FirstToken             time.Duration
	// Keys that they use.
	Keys Keys
}

// withWaiting counts the calls that do not get through as without a connection, as long as that lasts: when they end it will be late to ask.
func (c Calls) withWaiting() Calls {
	if c.Waiting > 0 {
		for _, counts := range []*window.Counts{&c.Brief, &c.Short, &c.Run} {
			counts[window.Unreachable] += c.Waiting
		}
		c.FailedAgo = 0
	}
	return c
}

// lost tells whether calls do not get through, and no others do.
func (c *Calls) lost() bool { return c.Waiting > 0 && c.AnsweredAgo >= doubtful }

// sign is what calls say.
type sign int

const (
	// silent: there were none.
	silent sign = iota
	// unsure: they can be read one way or the other.
	unsure
	// well: they work.
	well
	// someUnusable: they work with some of the keys.
	someUnusable
	// slow: they work and take too long to begin.
	slow
	// inPart: many fail.
	inPart
	// suspect: the last few failed.
	suspect
	// broken: they fail.
	broken
	// limited: there is no key whose limit is not reached, or calls meet nothing but limits, exhausted: there is none that has any quota left.
	limited
	exhausted
	// refused: there is no key that the provider takes.
	refused
)

// sign reads calls, given the state before. The first line that fits counts.
func (in *Input) sign(before *Health) sign {
	c := &in.Calls
	switch {
	case c.Keys.Usable > 0 && c.Keys.left() <= 0:
		return c.Keys.sign()
	case c.allLimited(before):
		return limited
	case c.Short.Total() == 0:
		return silent
	}
	if failed := c.failed(before); failed != unsure {
		return failed
	}
	switch {
	case in.slow(before):
		return slow
	case !c.good():
		return unsure
	case c.Keys.Refused+c.Keys.Exhausted > 0:
		return someUnusable
	case in.mayBeSlow(before):
		return unsure
	}
	return well
}

// allLimited tells whether calls meet nothing but limits, and have for a while.
func (c *Calls) allLimited(before *Health) bool {
	if met := c.Run[window.Limited]; met == 0 || met < c.Run.Total() {
		return false
	}
	return before.calls == limited || c.Run[window.Limited] >= consecutive && c.AnsweredAgo >= limitedFor
}

// failed is the sign of calls of which too many fail, and unsure for others.
func (c *Calls) failed(before *Health) sign {
	failures := c.Run.Failures()
	switch {
	case c.broken(before):
		return broken
	case failures >= consecutive && c.doubtful(), failures >= repeated && c.Brief[window.Answered] == 0 && c.Short.Permille() >= half:
		return suspect
	case c.failInPart(before):
		return inPart
	}
	return unsure
}

// broken tells whether calls fail. Once that was found it stays until one is answered, and until clearly fewer fail.
func (c *Calls) broken(before *Health) bool {
	failures, share := c.Run.Failures(), int64(half)
	if before.calls == broken {
		share = fifth
	}
	switch {
	case failures > 0 && c.Run.Permille() >= half && before.calls == broken:
		return true
	case failures >= failing && c.Run.Permille() >= half && c.AnsweredAgo >= broke:
		return true
	case c.Brief.Failures() >= failing && c.Brief.Permille() >= share && c.FailedAgo < calmFor:
		return true
	}
	return c.Short.Failures() >= consecutive && c.Short[window.Answered] == 0
}

// doubtful tells whether the last few calls met nothing good.
func (c *Calls) doubtful() bool { return c.Run.Total() >= consecutive && c.AnsweredAgo >= doubtful }

// slow tells whether streams take too long to begin. Once that was found, a few are enough to say that they still do.
func (in *Input) slow(before *Health) bool {
	if before.isSlow() {
		return in.Calls.Streams > 0 && in.Calls.FirstToken*1000 >= in.SlowAfter*nimble
	}
	return in.Calls.Streams >= streams && in.Calls.FirstToken >= in.SlowAfter
}

// mayBeSlow tells whether nobody knows if a provider that was slow still is: there were no streams in the last seconds.
func (in *Input) mayBeSlow(before *Health) bool {
	return before.isSlow() && in.Calls.Streams == 0 && in.Calls.MinuteStreams > 0
}

// sign is that of keys none of which is used.
func (k Keys) sign() sign {
	switch {
	case k.Limited > 0:
		return limited
	case k.Exhausted > 0:
		return exhausted
	}
	return refused
}

// good tells whether the last calls worked, a failure now and then aside.
func (c *Calls) good() bool {
	if c.Brief.Total() == 0 {
		return c.Short[window.Answered] > 0 && c.Short.Failures() == 0
	}
	return c.Brief[window.Answered] > 0 && (c.Brief.Permille() <= calm || c.calm())
}

// calm tells whether calls were answered, and none failed, for a while.
func (c *Calls) calm() bool { return c.FailedAgo >= calmFor && c.AnsweredAgo < c.FailedAgo }

// unreachable tells whether most failures are for want of a connection.
func (c *Calls) unreachable() bool { return 2*c.Short[window.Unreachable] > c.Short.Failures() }

// failInPart tells whether many calls fail. Once that was found a few good seconds are not enough, unless there were many calls in them.
func (c *Calls) failInPart(before *Health) bool {
	found := before.Reason == v1alpha1.ReasonCallsFail && before.State == v1alpha1.HealthDegraded
	switch {
	case found && c.Brief.Total() < many:
		return c.Short.Failures() > 0 && c.Short.Permille() >= calmed
	case c.calm():
		return false
	}
	return c.Brief.Permille() > calm && c.Short.Failures() >= partly && c.Short.Permille() >= fifth
}

// trouble tells whether a sign asks for a probe: whether the provider itself is the matter is to be known soon. A provider that limits the rate is not asked.
func (s sign) trouble() bool { return s == suspect || s == broken || s == inPart || s == refused }
