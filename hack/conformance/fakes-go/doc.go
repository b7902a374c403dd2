// Package fakes drives the fake providers with the vendors' own Go libraries: what the library understands, and what it sends, is what the vendor
// speaks. It needs no network.
package fakes
