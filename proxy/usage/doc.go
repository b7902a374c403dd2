// Package usage is the record of what each request used: one for every request that reached a provider, with who called, what was served, what it cost and
// where the price came from.
//
// Record is the schema, the same in every sink. Recent keeps the newest ones in memory. Package journal keeps them on disk until the sinks have them; the
// packages below this one are sinks.
package usage
