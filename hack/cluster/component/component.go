// Package component knows how each Kubernetes component of a cluster is started: its program, flags and config files. It
// is pure. Paths are those that a node sees.
package component

import (
	"path"

	"signalbox.dev/signalbox/hack/cluster/network"
)

// Folder keeps a node's configuration and certificates, as the node sees it.
const Folder = "/var/lib/kubernetes"

// Names of the components, which are also the names of their logs.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Containerd        = "containerd"
	Kubelet           = "kubelet"
	KubeProxy         = "kube-proxy"
)

// PauseImage is the image of the container that holds a pod's namespaces.
const PauseImage = "signalbox.local/pause:1"

// Ports on a node's address.
const (
	APIServerPort         = "6443"
	ControllerManagerPort = "10257"
	SchedulerPort         = "10259"
	KubeletHealthPort     = "10248"
	KubeProxyHealthPort   = "10256"
)

// Component is one program of a node.
type Component struct {
	// Name is unique in the node.
	Name string
	// Command is the program's path and its arguments.
	Command []string
}

// File is a file that a node needs before its components start.
type File struct {
	// Path as the node sees it, under Folder.
	Path string
	// Content of the file.
	Content []byte
}

// Node says which node to configure.
type Node struct {
	// Name is the node's name in the cluster.
	Name string
	// Number counts nodes from 1. Node 1 carries the control plane.
	Number int
	// Plan is the cluster's network.
	Plan network.Plan
	// Programs is the folder of the Kubernetes programs.
	Programs string
	// Containerd is the path of containerd's program.
	Containerd string
	// Plugins is the folder of the CNI plugins.
	Plugins string
}

func (n Node) ip() string { return n.Plan.NodeIP(n.Number) }

// CgroupRoot is the control group under which the node's containers live, below the root of each hierarchy.
func CgroupRoot(node string) string { return "/signalbox-cluster-" + node }

func pkiFile(name string) string { return path.Join(Folder, "pki", name) }

func configFile(name string) string { return path.Join(Folder, name) }

func (n Node) program(name string, flags ...string) Component {
	return Component{Name: name, Command: append([]string{path.Join(n.Programs, name)}, flags...)}
}
