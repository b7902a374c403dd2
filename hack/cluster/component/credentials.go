package component

import (
	"fmt"
	"time"

	"signalbox.dev/signalbox/hack/cluster/network"
	"signalbox.dev/signalbox/hack/cluster/pki"
)

// Credentials are the authorities of one cluster and the certificate of its administrator.
type Credentials struct {
	cluster    string
	authority  *pki.Authority
	etcd       *pki.Authority
	frontProxy *pki.Authority
	tokens     pki.Pair
	// Admin may do everything.
	Admin pki.Pair
}

// NewCredentials makes the authorities of a cluster.
func NewCredentials(cluster string, now time.Time) (*Credentials, error) {
	c := &Credentials{cluster: cluster}
	var err error
	if c.authority, err = pki.NewAuthority("signalbox-cluster", now); err != nil {
		return nil, err
	}
	if c.etcd, err = pki.NewAuthority("signalbox-etcd", now); err != nil {
		return nil, err
	}
	if c.frontProxy, err = pki.NewAuthority("signalbox-front-proxy", now); err != nil {
		return nil, err
	}
	if c.tokens, err = pki.NewTokenKey(); err != nil {
		return nil, err
	}
	c.Admin, err = c.authority.Issue(pki.Leaf{Name: "kubernetes-admin", Groups: []string{"system:masters"}})
	return c, err
}

// Authority returns the certificate that proves the API server's identity.
func (c *Credentials) Authority() []byte { return c.authority.Public }

type issue struct {
	name      string
	authority *pki.Authority
	leaf      pki.Leaf
}

// NodeFiles returns the certificates and kubeconfigs of a node's kubelet and kube-proxy.
func (c *Credentials) NodeFiles(n Node) ([]File, error) {
	files, err := issueAll([]issue{
		{"kubelet", c.authority, pki.Leaf{Name: "system:node:" + n.Name, Groups: []string{"system:nodes"}, Hosts: []string{n.Name, n.ip()}}},
	})
	if err != nil {
		return nil, err
	}
	files = append(files, File{Path: pkiFile("ca.crt"), Content: c.authority.Public})
	kubeconfigs, err := c.kubeconfigs(n, map[string]pki.Leaf{
		"kubelet":    {Name: "system:node:" + n.Name, Groups: []string{"system:nodes"}},
		"kube-proxy": {Name: "system:kube-proxy"},
	})
	return append(files, kubeconfigs...), err
}

// ControlPlaneFiles returns the certificates, keys and kubeconfigs of the control plane, which node 1 carries.
func (c *Credentials) ControlPlaneFiles(n Node) ([]File, error) {
	files, err := issueAll([]issue{
		{"apiserver", c.authority, pki.Leaf{Name: "kube-apiserver", Hosts: []string{
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
			"localhost", "127.0.0.1", network.APIService, n.ip(),
		}}},
		{"apiserver-kubelet-client", c.authority, pki.Leaf{Name: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}}},
		{"apiserver-etcd-client", c.etcd, pki.Leaf{Name: "kube-apiserver"}},
		{"etcd", c.etcd, pki.Leaf{Name: "etcd", Hosts: []string{"localhost", "127.0.0.1"}}},
		{"front-proxy-client", c.frontProxy, pki.Leaf{Name: "front-proxy-client"}},
		{"controller-manager", c.authority, pki.Leaf{Name: "kube-controller-manager", Hosts: []string{n.ip()}}},
		{"scheduler", c.authority, pki.Leaf{Name: "kube-scheduler", Hosts: []string{n.ip()}}},
	})
	if err != nil {
		return nil, err
	}
	files = append(files,
		File{Path: pkiFile("ca.key"), Content: c.authority.Private},
		File{Path: pkiFile("etcd-ca.crt"), Content: c.etcd.Public},
		File{Path: pkiFile("front-proxy-ca.crt"), Content: c.frontProxy.Public},
		File{Path: pkiFile("tokens.pub"), Content: c.tokens.Public},
		File{Path: pkiFile("tokens.key"), Content: c.tokens.Private},
	)
	kubeconfigs, err := c.kubeconfigs(n, map[string]pki.Leaf{
		"controller-manager": {Name: "system:kube-controller-manager"},
		"scheduler":          {Name: "system:kube-scheduler"},
	})
	return append(files, kubeconfigs...), err
}

func (c *Credentials) kubeconfigs(n Node, users map[string]pki.Leaf) ([]File, error) {
	var files []File
	for name, leaf := range users {
		user, err := c.authority.Issue(leaf)
		if err != nil {
			return nil, err
		}
		files = append(files, File{
			Path: configFile(name + ".kubeconfig"), Content: Kubeconfig(c.cluster, n.Server(), c.authority.Public, user),
		})
	}
	return files, nil
}

func issueAll(issues []issue) ([]File, error) {
	var files []File
	for _, wanted := range issues {
		pair, err := wanted.authority.Issue(wanted.leaf)
		if err != nil {
			return nil, fmt.Errorf("issuing %s: %w", wanted.name, err)
		}
		files = append(files,
			File{Path: pkiFile(wanted.name + ".crt"), Content: pair.Public},
			File{Path: pkiFile(wanted.name + ".key"), Content: pair.Private},
		)
	}
	return files, nil
}
