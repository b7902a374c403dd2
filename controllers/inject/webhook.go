package inject

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"signalbox.dev/signalbox/controllers/platform"
)

// Path is where the webhook answers.
const Path = "/inject"

// Handler answers the API server's questions about new pods. It never refuses a pod.
type Handler struct {
	// Config says how the proxies are reached.
	Config *platform.Config
}

// Handle adds to a pod what its label asks for.
func (h *Handler) Handle(_ context.Context, request admission.Request) admission.Response {
	pod := &corev1.Pod{}
	if err := json.Unmarshal(request.Object.Raw, pod); err != nil {
		return admission.Errored(http.StatusBadRequest, errors.New("the object is not a pod"))
	}
	if !wanted(pod) {
		return admission.Allowed("")
	}
	namespace, err := target(pod, request.Namespace)
	if err != nil {
		return admission.Allowed("").WithWarnings(err.Error())
	}
	// What a later Kubernetes has put into the pod is unknown here: it is in neither text, so no patch takes it out.
	before, err := json.Marshal(pod)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, errors.New("the pod cannot be written"))
	}
	if err := add(pod, namespace, h.Config.ProxyFor(namespace)); err != nil {
		return admission.Allowed("").WithWarnings(err.Error())
	}
	after, err := json.Marshal(pod)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, errors.New("the pod cannot be written"))
	}
	return admission.PatchResponseFromRaw(before, after)
}

// Add serves the webhook on a port of a manager, with certificates that the keeper makes. A replica is ready once it has one that the API server trusts, so
// that none is asked before, and pods that come when the Deployment is ready get their tokens.
func Add(mgr ctrl.Manager, server webhook.Server, config *platform.Config, keeper *Keeper) error {
	server.Register(Path, &webhook.Admission{Handler: &Handler{Config: config}})
	if err := mgr.Add(server); err != nil {
		return fmt.Errorf("adding the webhook's server: %w", err)
	}
	if err := mgr.Add(keeper); err != nil {
		return fmt.Errorf("adding the keeper of the webhook's certificate: %w", err)
	}
	if err := mgr.AddReadyzCheck("webhook", server.StartedChecker()); err != nil {
		return fmt.Errorf("adding the webhook's health check: %w", err)
	}
	return nil
}

// NewServer returns a server whose certificate is the keeper's.
func NewServer(host string, port int, keeper *Keeper) webhook.Server {
	return webhook.NewServer(webhook.Options{Host: host, Port: port, TLSOpts: []func(*tls.Config){func(c *tls.Config) {
		c.MinVersion, c.GetCertificate = tls.VersionTLS12, keeper.certificate
	}}})
}
