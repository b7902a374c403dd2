//go:build linux

package boot

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/cluster/network"
)

// get fetches a page with the administrator's certificate and fails unless the answer is 200.
func (s *state) get(ctx context.Context, address string) ([]byte, error) {
	config, err := s.tls()
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", address, err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", address, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, answer.Status)
	}
	return body, nil
}

// tls reads the certificates from the kubeconfig that this program wrote.
func (s *state) tls() (*tls.Config, error) {
	text, err := os.ReadFile(s.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	fields := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if !strings.HasSuffix(key, "-data") {
			continue
		}
		if fields[key], err = base64.StdEncoding.DecodeString(value); err != nil {
			return nil, fmt.Errorf("reading %s of the kubeconfig: %w", key, err)
		}
	}
	pair, err := tls.X509KeyPair(fields["client-certificate-data"], fields["client-key-data"])
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of the kubeconfig: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(fields["certificate-authority-data"]) {
		return nil, errors.New("the kubeconfig has no certificate authority")
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}}, nil
}

func (s *state) apiReady(ctx context.Context) error {
	_, err := s.get(ctx, s.node(1).Server()+"/readyz")
	return err
}

// apiServed connects to the Service of the API server from a node.
func (s *state) apiServed(ctx context.Context, number int) error {
	connect := "exec 3<>/dev/tcp/" + network.APIService + "/443"
	if err := runInside(ctx, s.Nodes[number-1].Holder, "", "timeout", "2", "bash", "-c", connect); err != nil {
		return fmt.Errorf("the API server is not reached at its Service from %s: %w", s.Nodes[number-1].Name, err)
	}
	return nil
}

func (s *state) secureHealth(ctx context.Context, port string) error {
	_, err := s.get(ctx, "https://"+s.plan().NodeIP(1)+":"+port+"/healthz")
	return err
}

func (s *state) plainHealth(ctx context.Context, number int, port string) error {
	_, err := s.get(ctx, "http://"+s.plan().NodeIP(number)+":"+port+"/healthz")
	return err
}

func (s *state) containerdReady(ctx context.Context, number int) error {
	_, err := s.ctr(ctx, number, "version")
	return err
}

type condition struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

func isTrue(conditions []condition, wanted string) bool {
	for _, c := range conditions {
		if c.Type == wanted {
			return c.Status == "True"
		}
	}
	return false
}

// ready says what the cluster still lacks: a node, its name service, or the ServiceAccount without which no pod is admitted.
func (s *state) ready(ctx context.Context) error {
	for _, node := range s.Nodes {
		if err := s.conditionTrue(ctx, "/api/v1/nodes/"+node.Name, "Ready"); err != nil {
			return err
		}
	}
	if err := s.conditionTrue(ctx, "/apis/apps/v1/namespaces/kube-system/deployments/coredns", "Available"); err != nil {
		return err
	}
	_, err := s.get(ctx, s.node(1).Server()+"/api/v1/namespaces/default/serviceaccounts/default")
	return err
}

func (s *state) conditionTrue(ctx context.Context, path, wanted string) error {
	body, err := s.get(ctx, s.node(1).Server()+path)
	if err != nil {
		return err
	}
	var object struct {
		Status struct {
			Conditions []condition `json:"conditions"`
		} `json:"status"`
	}
	if err := json.Unmarshal(body, &object); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if !isTrue(object.Status.Conditions, wanted) {
		return fmt.Errorf("%s is not %s", path, wanted)
	}
	return nil
}

// diagnose says what is wrong with a cluster that should be up, or nothing.
func diagnose(ctx context.Context, options Options) error {
	s, err := load(options.folder())
	if err != nil {
		return err
	}
	if s == nil || len(s.Nodes) == 0 {
		return errors.New("its start was not completed")
	}
	if len(s.Nodes) != options.Nodes {
		return fmt.Errorf("it has %d node(s), and %d were asked for", len(s.Nodes), options.Nodes)
	}
	if s.Kubeconfig != options.Kubeconfig || s.Bin != options.Bin {
		return fmt.Errorf("it was started from %s with %s", s.Bin, s.Kubeconfig)
	}
	return s.healthy(ctx)
}

// healthy says what keeps a running cluster from being used, or nothing.
func (s *state) healthy(ctx context.Context) error {
	for _, node := range s.Nodes {
		if !node.Holder.Alive() {
			return fmt.Errorf("node %s is gone", node.Name)
		}
	}
	if err := s.complete(); err != nil {
		return err
	}
	return s.ready(ctx)
}

// complete says which component does not run: it ended, was stopped, or was never started because a former start was
// interrupted.
func (s *state) complete() error {
	for number, node := range s.Nodes {
		programs, err := s.client(number + 1).List()
		if err != nil {
			return err
		}
		running := map[string]bool{}
		for _, program := range programs {
			running[program.Name] = program.Running
		}
		for _, c := range s.components(number + 1) {
			if !running[c.Name] {
				return fmt.Errorf("%s on %s does not run", c.Name, node.Name)
			}
		}
	}
	return nil
}
