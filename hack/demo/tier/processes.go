package tier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"signalbox.dev/signalbox/hack/demo/background"
	"signalbox.dev/signalbox/hack/demo/controlplane"
	"signalbox.dev/signalbox/hack/demo/manifests"
	"signalbox.dev/signalbox/hack/demo/node"
	"signalbox.dev/signalbox/hack/demo/scenario"
	"signalbox.dev/signalbox/hack/demo/shell"
)

const (
	providerName = "fakeprovider"
	nodeName     = "node"
	// progressScript says from time to time that something is being built.
	progressScript = "hack/cluster/progress.sh"
	// providerPatience bounds the start of the fake provider.
	providerPatience = 20 * time.Second
	// endPatience is how long each process has to end by itself.
	endPatience = 10 * time.Second
)

// Processes is a real API server whose pods are processes of this user, run by a node of the demo's own.
type Processes struct {
	shell  shell.Shell
	reason string
}

// NewProcesses returns the tier for machines that run no containers; reason says why this is one.
func NewProcesses(sh shell.Shell, reason string) *Processes {
	sh.Kubeconfig = filepath.Join(sh.State, "kubeconfig")
	return &Processes{shell: sh, reason: reason}
}

func programs(state string) background.Folder {
	return background.Folder{Path: filepath.Join(state, "run")}
}

// Title names the tier.
func (p *Processes) Title() string {
	return "(b) a real etcd and kube-apiserver, and the pods as processes of this user, because " + p.reason
}

// Shell runs programs against the API server.
func (p *Processes) Shell() shell.Shell { return p.shell }

// Prepare builds, and starts the control plane and the node.
func (p *Processes) Prepare(ctx context.Context, progress *shell.Progress) error {
	err := progress.Step("building etcd, kube-apiserver, kubectl and Helm, unless they are there (about five minutes the first time)", func() error {
		return p.shell.Show(ctx, "make", "--silent", "envtest-binaries", "bin/helm")
	})
	if err != nil {
		return err
	}
	err = progress.Step("building signalbox, the fake provider and the app", func() error {
		return p.shell.Show(ctx, progressScript, "signalbox", "make", "--silent", "build", "demo-programs")
	})
	if err != nil {
		return err
	}
	return progress.Step("starting etcd, kube-apiserver and the node", func() error { return p.start(ctx) })
}

func (p *Processes) start(ctx context.Context) error {
	server, err := controlplane.Start(ctx, controlplane.Options{
		Folder: p.shell.State, Bin: filepath.Join(p.shell.Root, "bin"), Kubeconfig: p.shell.Kubeconfig, Background: programs(p.shell.State),
	})
	if err != nil {
		return fmt.Errorf("%w (logs are in %s)", err, filepath.Join(p.shell.State, "log"))
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	_, err = programs(p.shell.State).Start(background.Program{
		Name:        nodeName,
		Command:     []string{self, "node", "--root", p.shell.Root, "--server", server},
		Environment: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.shell.State},
		Log:         filepath.Join(p.shell.State, "log", nodeName+".log"),
	})
	return err
}

// NodeOptions are those of the node that Prepare starts in another process.
func NodeOptions(sh shell.Shell, server string) (node.Options, error) {
	client, err := controlplane.AdminClient(sh.State)
	if err != nil {
		return node.Options{}, err
	}
	return node.Options{
		API:        node.API{Server: server, Client: client},
		Authority:  controlplane.AuthorityFile(sh.State),
		Programs:   map[string]string{registry + "signalbox:" + imageTag: filepath.Join(sh.Root, "bin", "signalbox")},
		Folder:     sh.State,
		Background: programs(sh.State),
		Path:       os.Getenv("PATH"),
	}, nil
}

// ChartValues ask for one process of each, and open loopback, where everything is.
func (p *Processes) ChartValues() []string {
	return []string{
		"--set", "image.repository=" + registry + "signalbox", "--set", "image.tag=" + imageTag,
		"--set", "manager.replicas=1", "--set", "proxy.replicas=1",
		"--set", "endpoints.allowCIDRs={127.0.0.0/8}",
	}
}

// StartProvider starts the fake provider on a port of loopback.
func (p *Processes) StartProvider(ctx context.Context) (string, error) {
	return StartProvider(ctx, p.shell)
}

// StartProvider starts the fake provider on a free port of loopback and returns the endpoint for a credential.
func StartProvider(ctx context.Context, sh shell.Shell) (string, error) {
	ports, err := controlplane.FreePorts(ctx, 2)
	if err != nil {
		return "", err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	process, err := programs(sh.State).Start(background.Program{
		Name: providerName,
		Command: []string{
			sh.Program(providerName), "--addr=" + address, "--control-addr=" + net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1])),
			"--settings=" + manifests.ProviderSettings,
		},
		Log: filepath.Join(sh.State, "log", providerName+".log"),
	})
	if err != nil {
		return "", err
	}
	err = shell.Until(ctx, providerPatience, func(ctx context.Context) error {
		if !process.Running() {
			return errors.New("the fake provider ended; its log says why")
		}
		return dial(ctx, address)
	})
	return "http://" + address + "/v1", err
}

func dial(ctx context.Context, address string) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", address, err)
	}
	return connection.Close()
}

// Call runs the app's program with a token of its ServiceAccount, as a projected volume would hold it.
func (p *Processes) Call(ctx context.Context, out io.Writer) (string, error) {
	token, err := p.shell.Read(ctx, "kubectl", "create", "token", "app", "--namespace", scenario.Team, "--audience", "signalbox."+scenario.Team, "--duration", "1h")
	if err != nil {
		return "", err
	}
	file := filepath.Join(p.shell.State, "app-token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		return "", fmt.Errorf("writing the app's token: %w", err)
	}
	address, err := p.proxyAddress(ctx)
	if err != nil {
		return "", err
	}
	return p.shell.ReadWhile(ctx, out, "testapp", "chat", "--stream", "--base-url", "http://"+address+"/v1",
		"--token-file", file, "--prompt", prompt, "--max-tokens", maxTokens)
}

// proxyAddress is the one of the proxy's pod: without nodes, nothing is behind a Service.
func (p *Processes) proxyAddress(ctx context.Context) (string, error) {
	text, err := p.shell.Read(ctx, "kubectl", "get", "pods", "--namespace", scenario.Team, "--selector", "app.kubernetes.io/name=signalbox-proxy", "-o", "json")
	if err != nil {
		return "", err
	}
	var pods struct {
		Items []struct {
			Spec struct {
				Containers []struct {
					Ports []struct {
						Name          string `json:"name"`
						ContainerPort int    `json:"containerPort"`
					} `json:"ports"`
				} `json:"containers"`
			} `json:"spec"`
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(text), &pods); err != nil {
		return "", fmt.Errorf("reading the proxy's pods: %w", err)
	}
	for _, pod := range pods.Items {
		for _, container := range pod.Spec.Containers {
			// The first port is the one that Service signalbox leads to.
			if len(container.Ports) > 0 {
				return net.JoinHostPort("127.0.0.1", strconv.Itoa(container.Ports[0].ContainerPort)), nil
			}
		}
	}
	return "", errors.New("the proxy has no pod")
}

// Next are lines to try.
func (p *Processes) Next(ctx context.Context) ([]string, error) {
	address, err := p.proxyAddress(ctx)
	if err != nil {
		return nil, err
	}
	return append([]string{
		"export KUBECONFIG=" + p.shell.Kubeconfig,
		p.shell.Program("kubectl") + " get modelroutes,providercredentials,spendbudgets,pods -A",
		"ls " + filepath.Join(p.shell.State, "log"),
		createKey(p.shell),
	}, Curl(address)...), nil
}

// Closing says what was not as on a node.
func (p *Processes) Closing() string { return "proxies ran as processes: " + p.reason }

// RemoveProcesses ends the programs of this tier and of `make run`, and removes their files.
func RemoveProcesses(ctx context.Context, sh shell.Shell) error {
	// The node ends its pods, and etcd comes after its only client, which would wait for it.
	if err := programs(sh.State).StopAll(ctx, endPatience, nodeName, "kube-apiserver", "etcd"); err != nil {
		return err
	}
	if err := os.RemoveAll(sh.State); err != nil {
		return fmt.Errorf("removing the demo's files: %w", err)
	}
	return nil
}
