package manager

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

const (
	// apiServerInterval is the time between two looks for the API server.
	apiServerInterval = time.Second
	// apiServerTimeout bounds one look.
	apiServerTimeout = 5 * time.Second
)

// WaitForAPIServer returns when the API server answers, or with an error when ctx ends before. A manager that exited while the API server is away would
// be restarted with growing delays, and would still be waiting long after the API server is back.
func WaitForAPIServer(ctx context.Context, restConfig *rest.Config, log logr.Logger) error {
	restConfig = rest.CopyConfig(restConfig)
	restConfig.Timeout = apiServerTimeout
	client, err := discovery.NewDiscoveryClientForConfig(restConfig)
	if err != nil {
		return fmt.Errorf("creating a client for the API server: %w", err)
	}
	told := false
	err = wait.PollUntilContextCancel(ctx, apiServerInterval, true, func(context.Context) (bool, error) {
		_, problem := client.ServerVersion()
		if problem != nil && !told {
			told = true
			log.Info("Waiting for the API server", "host", restConfig.Host, "problem", problem.Error())
		}
		return problem == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the API server: %w", err)
	}
	return nil
}
