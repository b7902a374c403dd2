package health

import (
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// maxShort bounds how long a provider that is short of capacity is left alone, whatever it says: a single call a minute harms nobody, and finds out soon
// that a maintenance which was announced for a day is over.
const maxShort = time.Minute

// verdict is what an outcome says of an upstream or of a key.
type verdict struct {
	// good: it answered as it should. failed: it did not. Neither: nothing can be said.
	good, failed bool
	// block is a reason to leave it alone; Open for none.
	block Block
	// told is how long the provider wants that; 0 when it did not say.
	told time.Duration
}

// verdicts says what an outcome means for the upstream and for its key. What is wrong with a request is not the upstream's fault: it answered.
func verdicts(o *Outcome) (upstream, key verdict) {
	if o.Neutral {
		return verdict{}, verdict{}
	}
	switch o.Kind {
	case table.None, table.BadRequest, table.ContextTooLong, table.ContentFiltered:
		return verdict{good: true}, verdict{good: true}
	case table.RateLimited:
		return verdict{block: CoolingDown, told: o.RetryAfter}, verdict{}
	case table.Capacity:
		if o.RetryAfter > 0 {
			return verdict{failed: true, block: CoolingDown, told: min(o.RetryAfter, maxShort)}, verdict{}
		}
		return verdict{failed: true}, verdict{}
	case table.ModelWithdrawn:
		return verdict{block: Withdrawn}, verdict{good: true}
	case table.QuotaExhausted:
		return verdict{}, verdict{block: NoQuota, told: o.RetryAfter}
	case table.KeyRejected:
		return verdict{}, verdict{block: KeyRefused}
	case table.Unreachable, table.Unavailable, table.Timeout, table.FirstTokenTimeout, table.BrokenAnswer, table.Stalled:
		return verdict{failed: true}, verdict{}
	default:
		return verdict{}, verdict{}
	}
}
