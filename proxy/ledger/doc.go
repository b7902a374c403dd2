// Package ledger counts what calls cost, in calendar windows, over any number of proxies.
//
// A budget is a ledger, not a refill rate: the window is part of a counter's key, so a new window is a new counter and there is no reset job. Each
// proxy container is an owner. It writes cumulative totals with a sequence number under its own name into the budget's ledger, so that a write that is
// repeated, reordered or whose reply was lost is harmless, and what others wrote is never touched.
//
// Window, Record and Matches are arithmetic: values in, values out. Book holds the counters that the request path asks. Keeper moves them to a Store
// and learns from it what the other proxies counted.
//
// Enforcement is settle-only: a call is admitted while the known total is below the limit and is counted when its cost is known. Known is what this
// proxy settled itself and what the others have written, which they do once a second.
package ledger
