// Package catalogue lists what is tried with what: client libraries, the checks that each makes, the upstreams behind the proxy, and, in one place, what a
// pair of them cannot do and why.
package catalogue
