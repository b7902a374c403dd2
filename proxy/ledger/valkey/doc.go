// Package valkey keeps ledgers on a Valkey or Redis server, for high rates and for budgets with thousands of counters.
//
// Each document is a hash that a script compares and sets. All keys of a namespace begin with one prefix that holds a hash tag, so that they are in one slot
// of a cluster, and an ACL user of the namespace can touch nothing else; Admin makes that user.
//
// The order of a document is the server's time in microseconds, or one more than the last, so it grows over all lives of the document. A store tells the script the
// latest order that it has seen. Where the document is gone or does not descend from that, the database was lost or rolled back: the document gets a new identity
// and a larger order, and so all owners learn of it.
package valkey
