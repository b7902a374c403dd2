package cmd

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"
)

// configProblem says why a kubeconfig cannot be used.
func configProblem(err error) error {
	if clientcmd.IsEmptyConfig(err) {
		return errors.New("there is no kubeconfig: name one with --kubeconfig or $KUBECONFIG")
	}
	return fmt.Errorf("reading the kubeconfig: %w", err)
}

// apiProblem says why the API server did not do what was asked of it, such as "create Secrets in namespace a". It has the API server's own words where it answered.
func apiProblem(err error, asked, namespace string) error {
	var status apierrors.APIStatus
	answered := errors.As(err, &status)
	switch {
	case apierrors.IsUnauthorized(err):
		return errors.New("the API server does not know who you are: log in again, or correct the credentials of the kubeconfig")
	case apierrors.IsForbidden(err):
		return fmt.Errorf("the API server does not let you %s: %w", asked, err)
	case apierrors.IsNotFound(err) && answered && status.Status().Details != nil && status.Status().Details.Kind == "namespaces":
		return fmt.Errorf("there is no namespace %s: create it, or name another one with --namespace", namespace)
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return fmt.Errorf("the API server did not %s in time: %w", asked, err)
	case answered:
		return fmt.Errorf("the API server did not %s: %w", asked, err)
	case isUnreachable(err):
		return fmt.Errorf("the API server of the kubeconfig cannot be reached: %w", err)
	default:
		return fmt.Errorf("the API server did not answer: %w", err)
	}
}

// leavesOpen tells whether the API server may have done what was asked of it all the same.
func leavesOpen(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Code >= http.StatusInternalServerError
	}
	return !isUnreachable(err)
}

// isUnreachable tells whether nothing was sent, as there was no connection.
func isUnreachable(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) && network.Op == "dial"
}
