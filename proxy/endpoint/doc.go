// Package endpoint decides which network addresses a provider's endpoint may lead to.
//
// Whoever writes a ProviderCredential chooses where requests go, keys included, from inside the cluster's network. The
// rules keep that choice away from what would give such a request more than its author has: the cloud's metadata
// service, link-local and loopback addresses, and the API server. A Policy says what is denied; it is checked twice,
// once on the URL as written (ParseURL, CheckURL), for a message in the object's status, and once on the address that
// a connection is about to be opened to (Dialer), because a name can resolve to anything.
//
// Addresses that carry an IPv4 address inside an IPv6 one (mapped, NAT64, 6to4, Teredo and others) are judged by
// both, and an IPv4 address is recognised in every way that some resolver reads one: 2130706433, 0x7f.1, 0177.0.0.1.
package endpoint
