package tier

import (
	"context"
	"io"
	"time"

	"signalbox.dev/signalbox/hack/demo/manifests"
	"signalbox.dev/signalbox/hack/demo/scenario"
	"signalbox.dev/signalbox/hack/demo/shell"
)

const (
	podPatience = "--timeout=120s"
	proxyURL    = "http://signalbox/v1"
	prompt      = "Tell me about railways."
	// maxTokens keeps the answer at a few seconds.
	maxTokens = "40"
	// servicePatience bounds the time that Services take to lead to pods.
	servicePatience = 30 * time.Second
	// mountedFile is where the app's pod has its token, as manifests.Pods mounts it.
	mountedFile = "/var/run/secrets/signalbox/token"
)

// pods are the parts of the demo that run as pods, on any cluster that has containers.
type pods struct {
	shell  shell.Shell
	images manifests.Images
}

// StartProvider starts the fake provider and the app beside it.
func (p pods) StartProvider(ctx context.Context) (string, error) {
	// The app's identity is one of the samples; a pod cannot be made before it.
	if err := p.shell.Show(ctx, "kubectl", "apply", "-f", "config/samples/app-serviceaccount.yaml"); err != nil {
		return "", err
	}
	if err := p.shell.Feed(ctx, manifests.Pods(p.images), "kubectl", "apply", "-f", "-"); err != nil {
		return "", err
	}
	err := p.shell.Show(ctx, "kubectl", "wait", "--namespace", scenario.Team, "--for=condition=Ready", podPatience, "pod/provider", "pod/app")
	if err != nil {
		return "", err
	}
	return scenario.SampleEndpoint, p.awaitService(ctx, scenario.SampleEndpoint)
}

// awaitService waits until the app gets an answer, whatever it says: kube-proxy leads to a pod only a moment after it is ready.
func (p pods) awaitService(ctx context.Context, baseURL string) error {
	return shell.Until(ctx, servicePatience, func(ctx context.Context) error {
		_, err := p.shell.Read(ctx, "kubectl", "exec", "--namespace", scenario.Team, "app", "--",
			"/testapp", "get", "--path", "/models", "--base-url", baseURL, "--token-file", mountedFile)
		return err
	})
}

// Call runs the app's program in its pod, which finds the proxy by DNS. The app does not repeat calls, so it is not started before the
// Service leads there.
func (p pods) Call(ctx context.Context, out io.Writer) (string, error) {
	if err := p.awaitService(ctx, proxyURL); err != nil {
		return "", err
	}
	return p.shell.ReadWhile(ctx, out, "kubectl", "exec", "--namespace", scenario.Team, "app", "--",
		"/testapp", "chat", "--stream", "--base-url", proxyURL, "--token-file", mountedFile, "--prompt", prompt, "--max-tokens", maxTokens)
}

// tryLines are lines to try on any cluster with pods.
func (p pods) tryLines() []string {
	kubectl := "KUBECONFIG=" + p.shell.Kubeconfig + " " + p.shell.Program("kubectl")
	return append([]string{
		"export KUBECONFIG=" + p.shell.Kubeconfig,
		p.shell.Program("kubectl") + " get modelroutes,providercredentials,spendbudgets -A",
		p.shell.Program("kubectl") + " logs -n " + scenario.Team + " deployment/signalbox",
		createKey(p.shell),
		kubectl + " port-forward -n " + scenario.Team + " service/signalbox 8080:80 &",
	}, Curl("127.0.0.1:8080")...)
}

// createKey is the line that makes an access key.
func createKey(sh shell.Shell) string {
	return sh.Program("signalbox") + " key create mine -n " + scenario.Team
}

// Curl is a streamed call with the access key of config/samples.
func Curl(address string) []string {
	return []string{
		"curl -N http://" + address + "/v1/chat/completions -H 'Authorization: Bearer sk-signalbox-demo-access-key' -H 'Content-Type: application/json' \\",
		`  -d '{"model":"chat","stream":true,"max_tokens":40,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hello"}]}'`,
	}
}
