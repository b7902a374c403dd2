// Package provider describes what sets one vendor apart from another: where its API is, which wire APIs it has and with
// what quirks, how a key is sent and how it can be tried for free. A vendor is a plain value, made in a package of its
// own below this one and listed in the registry.
package provider
