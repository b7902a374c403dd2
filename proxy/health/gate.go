package health

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// maxTold bounds how long a provider or a peer can have an upstream left alone.
	maxTold = time.Hour
	// probeLapse is how long a single attempt keeps others out. One that never ends must not do so for ever.
	probeLapse = time.Minute
	// rampTime is how long an upstream that came back takes to get all of its calls again, from rampStart permille on. One that fails before that is
	// left alone for longer than the last time.
	rampTime  = 10 * time.Second
	rampStart = 100
	rampFull  = 1000

	// runOpens is how many failures in a row open the circuit; see enough.
	runOpens = 5
	// maxRun bounds how many it takes where failures are known to be scattered, and chance is how likely such a run may be by chance.
	maxRun = 20
	chance = 1e-5
	// shareOpens is the share of failures that opens the circuit, out of at least minSamples attempts.
	shareOpens = 0.5
	minSamples = 20
	// windowTime is the time constant of that share.
	windowTime = 30 * time.Second

	// worthTelling is by how much a deadline has to grow to be told at once; less is told with the next exchange.
	worthTelling = instant(100 * time.Millisecond)

	// lastTryEvery is how often a key that is left alone because the provider refuses it may be tried by calls that have nothing else left.
	lastTryEvery = time.Second
)

// gate decides whether attempts are let through to an upstream, or to all that is behind a key. Its changes are made under the lock of its Upstream;
// what is atomic is read without.
type gate struct {
	// all is the block that counts, own what of it this replica found out itself.
	all, own hold
	// slot is until when a single attempt keeps others out.
	slot atomic.Int64
	// back is when the last block was lifted.
	back atomic.Int64
	// epoch counts the blocks, so that attempts from before one have no say in it.
	epoch atomic.Uint64
	// asked is when the newest block began, or a last try at it was made.
	asked atomic.Int64

	// ticket is the single attempt's number; 0 when there is none. tickets counts them.
	ticket, tickets uint64
	// levels count, by rung, how often the gate was shut again soon after it had been opened.
	levels [rungs]uint
	// run is the number of failures in a row, and before the share of failures when it began.
	run    int
	before float64
	// failed is the share of failures since the last block was lifted.
	failed average
	// lifted is until when a block would have stood that a last try has lifted, as far as this replica knows.
	lifted instant
}

// plea is what an attempt asks for: as a last resort it is let through in spite of ErrorRate, and beside the single attempt that finds out whether a rate limit
// is over; one that insists makes a last try where the provider refuses the key.
type plea struct{ lastResort, insists bool }

// pass is what an attempt was let through with: the block count at that time, and the number of a single attempt or 0.
type pass struct {
	epoch, ticket uint64
	// beside tells that it was let through beside a single attempt, whose time had come: it finds out as much.
	beside bool
}

func (g *gate) init() {
	g.slot.Store(int64(never))
	g.back.Store(int64(never))
	g.lifted = never
}

func (g *gate) busy(now instant) bool { return instant(g.slot.Load()) > now }

// tried tells whether a single attempt is under way at what is left alone.
func (g *gate) tried(now instant) bool { return g.blocked() && g.busy(now) }

// ramp is the share of calls, in permille, that an upstream without a block should get.
func (g *gate) ramp(now instant) int {
	back := instant(g.back.Load())
	if back == never || now.since(back) >= rampTime {
		return rampFull
	}
	return rampStart + int((rampFull-rampStart)*max(now.since(back), 0)/rampTime)
}

// admit lets an attempt through, or not.
func (g *gate) admit(now instant, what plea) (pass, bool) {
	p := pass{epoch: g.epoch.Load()}
	block, until := g.all.load()
	switch {
	case block == Open:
		return p, true
	case what.insists && g.lastTry(now) > 0:
		g.insist(now)
	case until > now:
		return p, what.lastResort && block == ErrorRate
	case g.busy(now):
		p.beside = block == CoolingDown
		return p, what.lastResort && (p.beside || block == ErrorRate)
	}
	g.tickets++
	g.ticket = g.tickets
	g.slot.Store(int64(now.after(probeLapse)))
	p.ticket = g.ticket
	return p, true
}

// lastTry is how long ago a key was refused or tried last, when a last try may be made with it; 0 when none may.
func (g *gate) lastTry(now instant) time.Duration {
	block, until := g.all.load()
	if block != KeyRefused || until <= now || g.busy(now) {
		return 0
	}
	if since := now.since(instant(g.asked.Load())); since >= lastTryEvery {
		return since
	}
	return 0
}

// insist keeps all further tries away for a moment, those after the end of the block too.
func (g *gate) insist(now instant) {
	g.asked.Store(int64(now))
	g.all.grow(KeyRefused, now.after(lastTryEvery), now)
}

// settledBy tells whether what stands against the upstream is over when an attempt with the pass is answered.
func (g *gate) settledBy(p pass) bool { return p.beside && g.blocked() }

func (g *gate) blocked() bool {
	block, _ := g.all.load()
	return block != Open
}

// leave frees the place of a single attempt, and tells whether it was held until now.
func (g *gate) leave(p pass) bool {
	if p.ticket == 0 || p.ticket != g.ticket {
		return false
	}
	g.ticket = 0
	g.slot.Store(int64(never))
	return true
}

// judge takes in how an attempt went.
func (g *gate) judge(p pass, v verdict, now instant, random func(int64) int64) news {
	before := g.busy(now)
	told := g.decide(p, g.leave(p), v, now, random)
	told.vacant = before && !g.busy(now)
	return told
}

// decide takes in how an attempt went that has left.
func (g *gate) decide(p pass, single bool, v verdict, now instant, random func(int64) int64) news {
	current := p.epoch == g.epoch.Load()
	if current && (v.good || v.failed) {
		g.count(v, now)
	}
	switch {
	case v.told > 0:
		return g.shut(v.block, now.after(min(v.told, maxTold)), now)
	case !current:
		// It began before the block that stands or stood, and knows nothing that the block does not.
		return news{}
	case v.block != Open:
		return g.refuse(p, v.block, now, random)
	case v.failed:
		if block := g.trip(single, now); block != Open {
			return g.shut(block, now.after(g.backOff(block, now, random)), now)
		}
	case v.good && (single || g.settledBy(p)):
		g.open(now)
		return news{ended: true}
	}
	return news{}
}

// refuse blocks the gate for a reason of which the provider does not say how long it holds. A last try that was in vain leaves the block as it is.
func (g *gate) refuse(p pass, b Block, now instant, random func(int64) int64) news {
	if p.ticket != 0 && b == KeyRefused && g.all.stands(now) {
		g.insist(now)
		return news{}
	}
	return g.shut(b, now.after(g.backOff(b, now, random)), now)
}

// count adds an attempt to the share of failures and to the failures in a row.
func (g *gate) count(v verdict, now instant) {
	if v.good {
		g.run = 0
		g.failed.add(0, 1, now, windowTime)
		return
	}
	if g.run == 0 {
		g.before = 0
		if g.failed.weightAt(now, windowTime) >= minSamples {
			g.before = g.failed.mean
		}
	}
	g.run++
	g.failed.add(1, 1, now, windowTime)
}

// trip tells which block a failure brings about, if any.
func (g *gate) trip(single bool, now instant) Block {
	block, _ := g.all.load()
	switch {
	case g.run >= enough(g.before):
		return CircuitOpen
	case single && block == ErrorRate:
		return ErrorRate
	case single:
		return CircuitOpen
	case block == Open && g.failed.mean >= shareOpens && g.failed.weightAt(now, windowTime) >= minSamples:
		return ErrorRate
	default:
		return Open
	}
}

// enough is how many failures in a row mean more than that such a share of attempts always fails, spread over time: with 30 % of them five in a row come
// about every few hundred attempts, and an upstream of which seven in ten answer is better than none.
func enough(share float64) int {
	if share <= 0 {
		return runOpens
	}
	if share >= 1 {
		return maxRun
	}
	return min(max(runOpens, int(math.Ceil(math.Log(chance)/math.Log(share)))), maxRun)
}

// shut blocks the gate until a moment because of something that this replica found out.
func (g *gate) shut(b Block, until, now instant) news {
	if !g.all.stands(now) {
		g.begin(now)
	}
	g.lifted = never
	moved, changed := g.all.grow(b, until, now)
	ownMoved, ownChanged := g.own.grow(b, until, now)
	return news{began: changed || ownChanged || max(moved, ownMoved) >= worthTelling}
}

// hear blocks the gate because of something that another replica found out. A replica that has made no last try yet goes on telling of what one has lifted.
func (g *gate) hear(b Block, until, now instant) {
	if until <= now || b == KeyRefused && until <= g.lifted.after(lastTryEvery) {
		return
	}
	if !g.all.stands(now) {
		g.begin(now)
	}
	g.all.grow(b, until, now)
}

// begin makes what began before strangers to the block that begins.
func (g *gate) begin(now instant) {
	g.epoch.Add(1)
	g.asked.Store(int64(now))
	g.slot.Store(int64(never))
}

// open lifts the block, also one that stands, which only a last try finds to be out of date. A single attempt that is still under way is one as any other then.
func (g *gate) open(now instant) {
	g.ticket = 0
	g.slot.Store(int64(never))
	if g.all.stands(now) {
		_, g.lifted = g.all.load()
	}
	g.all.store(Open, 0)
	g.own.store(Open, 0)
	g.back.Store(int64(now))
	g.failed = average{}
}

// pardon lifts a block for the provider's refusal of the key, as if it had never been. Attempts from before have no say in it.
func (g *gate) pardon(now instant) {
	if block, _ := g.all.load(); block != KeyRefused {
		return
	}
	g.open(now)
	g.back.Store(int64(never))
	g.epoch.Add(1)
}

// backOff is how long the gate is shut for a reason when the provider does not say: twice as long as the last time, unless all was well for a while.
// Its upper half is random, so that replicas and upstreams do not come back together.
func (g *gate) backOff(b Block, now instant, random func(int64) int64) time.Duration {
	if block, _ := g.all.load(); block == Open && now.since(instant(g.back.Load())) >= rampTime {
		g.levels = [rungs]uint{}
	}
	rung, first, most := ladder(b)
	level := g.levels[rung]
	d := min(first<<level, most)
	if d < most {
		g.levels[rung]++
	}
	half := d / 2
	return half + time.Duration(random(int64(half)+1))
}

// rungs is how many reasons have times of their own.
const rungs = 5

// ladder says how long a reason shuts the gate for the first time, and at most.
func ladder(b Block) (rung int, first, most time.Duration) {
	switch b {
	case CoolingDown:
		// Not for long either: without a word of the provider, one call at a time finds out when the limit is over.
		return 1, time.Second, 4 * time.Second
	case NoQuota:
		return 2, 30 * time.Second, 15 * time.Minute
	case KeyRefused:
		return 3, 10 * time.Second, 5 * time.Minute
	case Withdrawn:
		return 4, time.Minute, time.Hour
	default:
		// Not for long: what is down is asked by one call at a time only, and should be found soon after it is back.
		return 0, time.Second, 5 * time.Second
	}
}

// news is what is to be told of a change; vacant tells that no single attempt is under way any more.
type news struct{ began, ended, vacant bool }

func (n news) and(other news) news {
	return news{began: n.began || other.began, ended: n.ended || other.ended, vacant: n.vacant || other.vacant}
}
