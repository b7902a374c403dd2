// Package dataplane puts the parts of a proxy together and runs them: listeners, request path, ledger, control port, metrics. The same data plane serves in
// a pod of a cluster and on a laptop; what differs is where tables come from and where the ledger is kept.
package dataplane
