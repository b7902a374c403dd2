// Package controlplane runs the real etcd and kube-apiserver as ordinary processes of one user, on free ports of loopback.
package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"signalbox.dev/signalbox/hack/cluster/component"
	"signalbox.dev/signalbox/hack/cluster/pki"

	"signalbox.dev/signalbox/hack/demo/background"
	"signalbox.dev/signalbox/hack/demo/shell"
)

const (
	address = "127.0.0.1"
	// patience bounds the start of each program.
	patience = 90 * time.Second
	// answerLimit bounds one question to a program.
	answerLimit = 5 * time.Second
)

// Options say where and with what.
type Options struct {
	// Folder for certificates, data and logs, of this user alone.
	Folder string
	// Bin holds etcd and kube-apiserver.
	Bin string
	// Kubeconfig is written, with an administrator's certificate.
	Kubeconfig string
	// Background keeps the programs.
	Background background.Folder
}

// Start starts both programs, waits until the API server is ready, and returns its URL.
func Start(ctx context.Context, options Options) (string, error) {
	ports, err := FreePorts(ctx, 3)
	if err != nil {
		return "", err
	}
	store, err := startStore(ctx, options, ports[0], ports[1])
	if err != nil {
		return "", err
	}
	return url(ports[2]), startServer(ctx, options, store, ports[2])
}

// AuthorityFile is the certificate of the API server's authority, in the folder that Start was given.
func AuthorityFile(folder string) string { return Options{Folder: folder}.path("ca.crt") }

// AdminClient returns a client with the administrator's certificate, from the folder that Start was given.
func AdminClient(folder string) (*http.Client, error) {
	var content [3][]byte
	for i, name := range []string{"ca.crt", "admin.crt", "admin.key"} {
		var err error
		if content[i], err = os.ReadFile(Options{Folder: folder}.path(name)); err != nil {
			return nil, fmt.Errorf("reading the administrator's certificate: %w", err)
		}
	}
	return newClient(content[0], pki.Pair{Public: content[1], Private: content[2]})
}

// FreePorts returns ports of loopback that nobody listened on a moment ago, all different.
func FreePorts(ctx context.Context, count int) ([]int, error) {
	var config net.ListenConfig
	ports := make([]int, 0, count)
	for range count {
		listener, err := config.Listen(ctx, "tcp", address+":0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func (o Options) start(name string, args ...string) (*background.Process, error) {
	return o.Background.Start(background.Program{
		Name:        name,
		Command:     append([]string{filepath.Join(o.Bin, name)}, args...),
		Environment: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + o.Folder},
		Log:         filepath.Join(o.Folder, "log", name+".log"),
	})
}

// startStore starts etcd, which talks only to who has a certificate of its own authority, and returns its address.
func startStore(ctx context.Context, options Options, clientPort, peerPort int) (string, error) {
	authority, err := pki.NewAuthority("signalbox-demo-etcd", time.Now())
	if err != nil {
		return "", err
	}
	if err := options.write("etcd-ca.crt", authority.Public); err != nil {
		return "", err
	}
	leaf, err := options.issue(authority, "etcd", pki.Leaf{Name: "etcd", Hosts: []string{address}})
	if err != nil {
		return "", err
	}
	client, peer := url(clientPort), url(peerPort)
	process, err := options.start("etcd",
		"--name=demo", "--data-dir="+filepath.Join(options.Folder, "etcd"),
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=demo="+peer,
		"--cert-file="+options.path("etcd.crt"), "--key-file="+options.path("etcd.key"),
		"--client-cert-auth", "--trusted-ca-file="+options.path("etcd-ca.crt"),
		"--peer-cert-file="+options.path("etcd.crt"), "--peer-key-file="+options.path("etcd.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file="+options.path("etcd-ca.crt"),
		"--unsafe-no-fsync", "--log-level=warn",
	)
	if err != nil {
		return "", err
	}
	return client, question{address: client + "/health", authority: authority.Public, certificate: leaf}.await(ctx, process, "etcd")
}

// startServer starts kube-apiserver, with everything that has to do with identities as a cluster has it.
func startServer(ctx context.Context, options Options, store string, port int) error {
	authority, err := pki.NewAuthority("signalbox-demo", time.Now())
	if err != nil {
		return err
	}
	if err := options.write("ca.crt", authority.Public); err != nil {
		return err
	}
	if _, err := options.issue(authority, "apiserver", pki.Leaf{Name: "kube-apiserver", Hosts: []string{address, "localhost"}}); err != nil {
		return err
	}
	admin, err := options.issue(authority, "admin", pki.Leaf{Name: "demo-admin", Groups: []string{"system:masters"}})
	if err != nil {
		return err
	}
	tokens, err := pki.NewTokenKey()
	if err != nil {
		return err
	}
	if err := errors.Join(options.write("tokens.pub", tokens.Public), options.write("tokens.key", tokens.Private)); err != nil {
		return err
	}
	process, err := options.start("kube-apiserver",
		"--advertise-address="+address, "--bind-address="+address, "--secure-port="+strconv.Itoa(port),
		"--etcd-servers="+store, "--etcd-cafile="+options.path("etcd-ca.crt"),
		"--etcd-certfile="+options.path("etcd.crt"), "--etcd-keyfile="+options.path("etcd.key"),
		"--service-cluster-ip-range=10.96.0.0/24", "--endpoint-reconciler-type=none",
		"--authorization-mode=RBAC", "--client-ca-file="+options.path("ca.crt"),
		"--cert-dir="+options.path(""), "--tls-cert-file="+options.path("apiserver.crt"), "--tls-private-key-file="+options.path("apiserver.key"),
		"--service-account-issuer="+component.ServiceAccountIssuer,
		"--service-account-key-file="+options.path("tokens.pub"), "--service-account-signing-key-file="+options.path("tokens.key"),
		"--profiling=false",
	)
	if err != nil {
		return err
	}
	ready := question{address: url(port) + "/readyz", authority: authority.Public, certificate: admin}
	if err := ready.await(ctx, process, "kube-apiserver"); err != nil {
		return err
	}
	return writePrivate(options.Kubeconfig, component.Kubeconfig("signalbox-demo", url(port), authority.Public, admin))
}

func url(port int) string { return "https://" + net.JoinHostPort(address, strconv.Itoa(port)) }

func (o Options) path(name string) string { return filepath.Join(o.Folder, "pki", name) }

func (o Options) issue(authority *pki.Authority, file string, leaf pki.Leaf) (pki.Pair, error) {
	pair, err := authority.Issue(leaf)
	if err != nil {
		return pki.Pair{}, fmt.Errorf("making a certificate: %w", err)
	}
	return pair, errors.Join(o.write(file+".crt", pair.Public), o.write(file+".key", pair.Private))
}

func (o Options) write(name string, content []byte) error {
	return writePrivate(o.path(name), content)
}

func writePrivate(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}

// newClient returns a client that trusts the authority and shows the certificate.
func newClient(authority []byte, certificate pki.Pair) (*http.Client, error) {
	pair, err := tls.X509KeyPair(certificate.Public, certificate.Private)
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("reading an authority: no certificate in it")
	}
	settings := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: settings}, Timeout: 30 * time.Second}, nil
}

// question asks a program whether it is well.
type question struct {
	address     string
	authority   []byte
	certificate pki.Pair
}

// await asks until the answer is good, or the program has ended.
func (q question) await(ctx context.Context, process *background.Process, name string) error {
	client, err := newClient(q.authority, q.certificate)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-process.Ended:
			cancel(fmt.Errorf("%s ended; its log says why", name))
		case <-limited.Done():
		}
	}()
	err = shell.Until(limited, patience, func(ctx context.Context) error { return askHealth(ctx, client, q.address) })
	if cause := context.Cause(limited); err != nil && cause != nil {
		return cause
	}
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", name, err)
	}
	return nil
}

func askHealth(ctx context.Context, client *http.Client, address string) error {
	limited, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodGet, address, http.NoBody)
	if err != nil {
		return fmt.Errorf("asking for health: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("asking for health: %w", err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20)); err != nil {
		return fmt.Errorf("asking for health: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("health is %s", answer.Status)
	}
	return nil
}
