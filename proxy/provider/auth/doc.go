// Package auth authenticates requests at providers: with a key in a header, with a signature of AWS, or with a token that an identity at Google, at
// Microsoft or in the cluster gets.
//
// The vendors' own libraries speak with their token services. This package gives them nothing but what the routing table says: they dial through the
// transport that is handed in, only to the addresses that the table names, follow no redirect, and read no file, no environment variable that would change
// where they ask, and no metadata server. When to ask, and whom an answer serves, is this package's own matter.
package auth
