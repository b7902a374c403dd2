package core

import (
	"errors"
	"net/http"
	"time"
)

// Bounds of Quota, small enough that a product of two never overflows.
const (
	maxQuota       = 10_000_000
	maxQuotaPer    = 10 * time.Minute
	defaultQuotaIn = time.Minute
)

// Quota is what a key may ask of a model. Each pair has a bucket of requests and one of tokens, full at first and filled evenly. A request takes one of
// the first, and of the second an estimate of its prompt; the rest of its tokens is taken when it ends, which may leave less than nothing.
type Quota struct {
	// Requests and Tokens are the sizes of the buckets, at most 10000000; 0 leaves one out.
	Requests int64 `json:"requests,omitempty"`
	Tokens   int64 `json:"tokens,omitempty"`
	// Per is how long an empty bucket takes to fill; a minute when omitted, at most 10m.
	Per Duration `json:"per,omitempty"`
}

func (q *Quota) validate() error {
	if q == nil {
		return nil
	}
	return errors.Join(
		within("quota.requests", int(q.Requests), 0, maxQuota),
		within("quota.tokens", int(q.Tokens), 0, maxQuota),
		within("quota.per", time.Duration(q.Per), 0, maxQuotaPer),
	)
}

func (q *Quota) per() time.Duration {
	if q.Per == 0 {
		return defaultQuotaIn
	}
	return time.Duration(q.Per)
}

// Overrun is why a request was refused for its quota.
type Overrun struct {
	// What is "requests" or "tokens".
	What string
	// Limit is the size of the bucket, Used what is missing in it, Requested what the request needs.
	Limit, Used, Requested int64
	// Per is how long the bucket takes to fill, Wait how long until the request would be taken.
	Per, Wait time.Duration
}

// RetryAfter is the wait in whole seconds, rounded up.
func (o *Overrun) RetryAfter() int64 { return int64((o.Wait + time.Second - 1) / time.Second) }

// bucket is known by when it is full again; that may be long ago.
type bucket struct {
	size int64
	per  time.Duration
	full time.Time
}

// cost is how long the bucket needs to fill up by n, which counts as far as a bucket can be large.
func (b *bucket) cost(n int64) time.Duration {
	return time.Duration(int64(b.per) * max(-maxQuota, min(n, maxQuota)) / b.size)
}

// lack is how long until the bucket is full.
func (b *bucket) lack(now time.Time) time.Duration { return max(0, b.full.Sub(now)) }

// wait is how long until n can be taken.
func (b *bucket) wait(n int64, now time.Time) time.Duration {
	return max(0, b.lack(now)+b.cost(n)-b.per)
}

// take takes n, or gives back what is below zero.
func (b *bucket) take(n int64, now time.Time) { b.full = now.Add(max(0, b.lack(now)+b.cost(n))) }

// used is how much is missing, rounded up.
func (b *bucket) used(now time.Time) int64 {
	lack, per := int64(b.lack(now)), int64(b.per)
	whole := lack / per * b.size
	return whole + (lack%per*b.size+per-1)/per
}

// account holds the buckets of a key and a model.
type account struct {
	requests, tokens bucket
}

// quotaKey names an account.
type quotaKey struct{ key, model string }

// accountOf returns the buckets of the exchange's key and model, of the sizes that its settings say. The mutex is held.
func (s *Server) accountOf(x *Exchange) *account {
	name := quotaKey{x.Key, x.Model}
	a := s.accounts[name]
	if a == nil {
		if s.accounts == nil || len(s.accounts) >= maxKept {
			s.accounts = map[quotaKey]*account{}
		}
		a = &account{}
		s.accounts[name] = a
	}
	quota := x.Settings.Quota
	a.requests.size, a.requests.per = quota.Requests, quota.per()
	a.tokens.size, a.tokens.per = quota.Tokens, quota.per()
	return a
}

// throttle takes what the request needs out of its buckets, or refuses it. Lists of models are free.
func (x *Exchange) throttle() *Refusal {
	if x.Settings.Quota == nil || x.Endpoint == "models" {
		return nil
	}
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	a := s.accountOf(x)
	x.estimate = CountTokens(string(x.Body))
	for _, need := range []struct {
		what string
		from *bucket
		n    int64
	}{{"requests", &a.requests, 1}, {"tokens", &a.tokens, x.estimate}} {
		if need.from.size == 0 {
			continue
		}
		if wait := need.from.wait(need.n, now); wait > 0 {
			x.Overrun = &Overrun{What: need.what, Limit: need.from.size, Used: need.from.used(now), Requested: need.n, Per: need.from.per, Wait: wait}
			break
		}
	}
	if x.Overrun == nil {
		a.take(1, x.estimate, now)
		x.charged = true
	}
	x.rateLimit = a.rateLimit(now)
	if x.Overrun == nil {
		return nil
	}
	return &Refusal{http.StatusTooManyRequests, x.vendor.UsualError(http.StatusTooManyRequests)}
}

func (a *account) take(requests, tokens int64, now time.Time) {
	if a.requests.size > 0 {
		a.requests.take(requests, now)
	}
	if a.tokens.size > 0 {
		a.tokens.take(tokens, now)
	}
}

// settle takes the tokens that the estimate left out, or gives back those that it had too many. The mutex is held.
func (x *Exchange) settle() {
	if !x.charged || x.epoch != x.server.epoch {
		return
	}
	billed := x.record.Billed
	x.server.accountOf(x).take(0, billed.PromptTokens+billed.CompletionTokens-x.estimate, x.server.now())
}

// rateLimit is what headers say about the buckets. One that does not exist has room for all.
func (a *account) rateLimit(now time.Time) *RateLimit {
	limit := &RateLimit{LimitRequests: maxQuota, RemainingRequests: maxQuota, LimitTokens: maxQuota, RemainingTokens: maxQuota}
	if b := &a.requests; b.size > 0 {
		limit.LimitRequests, limit.RemainingRequests, limit.ResetRequests = b.size, max(0, b.size-b.used(now)), Duration(b.lack(now))
	}
	if b := &a.tokens; b.size > 0 {
		limit.LimitTokens, limit.RemainingTokens, limit.ResetTokens = b.size, max(0, b.size-b.used(now)), Duration(b.lack(now))
	}
	return limit
}
