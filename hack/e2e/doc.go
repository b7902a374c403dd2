// Package e2e shows the whole product on a real cluster: the chart installed by Helm, fake providers and apps as pods, calls through DNS.
//
// The suite runs inside the cluster's network namespace (make e2e does that), so that pods answer at their own addresses. E2E_FULL=1 runs the long
// versions of the proofs.
package e2e
