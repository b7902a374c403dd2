package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/keyring"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// visit is what a call does at one candidate's target: an attempt, and further ones with other keys where a key cannot be used.
type visit struct {
	candidate route.Candidate
	tried     keyring.Tried
	// insists tells that last tries are made with keys that the provider refuses, where no other can be used; again that the target was called before.
	insists, again bool
	// renewed counts the keys that are tried a second time because what was given for them had to be given anew, and renewing tells that the last one is such a key.
	renewed  int
	renewing bool
}

// mostRenewed is for how many keys of a target a call has tokens renewed.
const mostRenewed = 1

// renew tells whether the key of an exchange that failed is worth another try.
func (v *visit) renew(x *exchange) bool {
	failure := x.attempt.failure
	v.renewing = failure != nil && failure.Kind == table.KeyRejected && v.renewed < mostRenewed && x.key.renews(x.authorized, x.attempt.status)
	if v.renewing {
		v.renewed++
	}
	return v.renewing
}

// add notes that an attempt was made with a key.
func (v *visit) add(key *keyEntry, failure *Error) {
	if v.renewing {
		return
	}
	refused := failure != nil && (failure.Kind == table.KeyRejected || failure.Kind == table.QuotaExhausted)
	v.tried.Add(key.fingerprint, refused)
}

// again tells whether the target is called again: with the same key, if what was given for it is given anew, or with another one.
func (s *Server) again(ctx context.Context, c *call, v *visit, failure *Error) bool {
	if failure == nil || c.started() || !c.mayRepeat() || ctx.Err() != nil || len(c.attempts) >= mostAttempts {
		return false
	}
	if v.renewing {
		// Whatever becomes of the next attempt, it may not even get as far as a key.
		v.renewing = false
		return true
	}
	return s.hasOtherKey(c, v, failure)
}

// hasOtherKey tells whether a failure is one of the key alone, and the target has another one that can be used.
func (s *Server) hasOtherKey(c *call, v *visit, failure *Error) bool {
	if !v.mayTurn(failure.Kind) {
		return false
	}
	now := s.now()
	upstream, usable := s.poolOf(c, v.candidate, now)
	if !usable {
		return false
	}
	l := &c.legs[v.candidate.Route]
	q := upstream.query(s.choosing(l, v, now))
	_, found := upstream.ring.Peek(&q)
	if found {
		l.route.targets[v.candidate.Index].metrics.SwitchedKey(string(failure.Kind))
	}
	return found
}

// mayTurn tells whether another key may be tried after such a failure. Rate limits may be those of an account that all of its keys share: the cool-downs of the keys
// keep calls from finding that out over and over.
func (v *visit) mayTurn(kind table.FailureKind) bool {
	return isOfKey(kind) && v.tried.Count() > 0 && !v.tried.Full()
}

// choosing is what the choice of a key depends on.
func (s *Server) choosing(l *leg, v *visit, now time.Time) choosing {
	return choosing{
		now: now, tokens: l.query.PromptTokens + l.query.MaxOutputTokens, lastResort: v.candidate.LastResort, insist: v.insists, tried: v.tried,
		random: s.random,
	}
}

// conclude says it when none of several keys is taken.
func (v *visit) conclude(failure *Error) *Error {
	if failure != nil && v.tried.Count() > 1 && v.tried.AllRefused() {
		failure.Message += fmt.Sprintf("; none of the %d keys that were tried can be used, and the ProviderCredential's status says what is wrong with each", v.tried.Count())
	}
	return failure
}

// keyDropped is the failure of an attempt whose key had to be given up before it was sent.
func (x *exchange) keyDropped() *Error {
	return x.attempt.fail(table.KeyRejected, CodeUpstreamAuthFailed, http.StatusBadGateway,
		fmt.Sprintf("the key of ProviderCredential %q was replaced or deleted, and the time for which it could still be used is over", x.attempt.target.credential))
}
