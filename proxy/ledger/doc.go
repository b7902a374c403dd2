// Package ledger counts what calls cost, in calendar windows, over any number of proxies, and keeps Hard budgets from being exceeded.
//
// A budget is a ledger, not a refill rate: the window is part of a counter's key, so a new window is a new counter and there is no reset job. Each
// proxy container is an owner. It writes cumulative totals with a sequence number under its own name into the budget's ledger, so that a write that is
// repeated, reordered or whose reply was lost is harmless, and what others wrote is never touched.
//
// From a Hard budget the most that an attempt can cost is reserved before it is sent. A proxy reserves from its allowance, a part of the limit that it
// took by compare-and-set in the ledger: what all owners spent or may still spend, and what those that are gone may have spent, is never above the limit.
// An allowance is spent from only once the ledger is known to hold it, and is given up before the ledger is told. It follows the rate of the calls, so that
// they do not wait for the ledger; near the limit, who needs more than nobody holds has the others give back what they do not use. No clock ever gives
// money back: what an owner held that is gone is lost until a journal or a person knows better.
//
// Window, Record and Matches are arithmetic: values in, values out. Book holds the counters that the request path asks. An account, one for each document
// of the store, decides what to write and when, from the time and the record that it is shown; Keeper moves records between accounts and a Store.
package ledger
