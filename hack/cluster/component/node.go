package component

import (
	"encoding/json"
	"fmt"

	"signalbox.dev/signalbox/hack/cluster/network"
)

// ContainerdSocket is where a node's containerd listens, as the node sees it.
const ContainerdSocket = "/run/containerd/containerd.sock"

// volumePlugins replaces a default folder outside the node's own, which would be left behind.
const volumePlugins = "/var/lib/kubelet/volumeplugins"

// Runtime returns containerd.
func (n Node) Runtime() Component {
	return Component{Name: Containerd, Command: []string{n.Containerd, "--config", configFile("containerd.toml")}}
}

// Agent returns kubelet.
func (n Node) Agent() Component {
	return n.program(Kubelet,
		"--config="+configFile("kubelet.json"),
		"--kubeconfig="+configFile("kubelet.kubeconfig"),
		"--hostname-override="+n.Name,
		"--node-ip="+n.ip(),
	)
}

// ServiceProxy returns kube-proxy.
func (n Node) ServiceProxy() Component {
	return n.program(KubeProxy, "--config="+configFile("kube-proxy.json"), "--hostname-override="+n.Name)
}

// Files returns the config files of the node's own components, kubeconfigs and certificates excepted.
func (n Node) Files() ([]File, error) {
	files := []File{
		{Path: configFile("containerd.toml"), Content: []byte(n.containerdConfig())},
		// Pods that do not use the cluster's name service get none: there is nothing outside that they could reach.
		{Path: configFile("resolv.conf"), Content: []byte("# no name service outside the cluster\n")},
	}
	for _, document := range []struct {
		name    string
		content map[string]any
	}{
		{"kubelet.json", n.kubeletConfig()},
		{"kube-proxy.json", n.kubeProxyConfig()},
		{"cni/10-signalbox.conflist", n.podNetwork()},
	} {
		content, err := json.MarshalIndent(document.content, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", document.name, err)
		}
		files = append(files, File{Path: configFile(document.name), Content: content})
	}
	return files, nil
}

// containerdConfig differs from containerd's defaults in what a machine may lack: the right to lower a process's
// out-of-memory score, and every snapshotter but overlayfs.
func (n Node) containerdConfig() string {
	return fmt.Sprintf(`version = 2
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`, PauseImage, n.Plugins, configFile("cni"))
}

func (n Node) kubeletConfig() map[string]any {
	return map[string]any{
		"apiVersion":               "kubelet.config.k8s.io/v1beta1",
		"kind":                     "KubeletConfiguration",
		"containerRuntimeEndpoint": "unix://" + ContainerdSocket,
		"tlsCertFile":              pkiFile("kubelet.crt"),
		"tlsPrivateKeyFile":        pkiFile("kubelet.key"),
		"authentication": map[string]any{
			"x509":      map[string]any{"clientCAFile": pkiFile("ca.crt")},
			"webhook":   map[string]any{"enabled": true},
			"anonymous": map[string]any{"enabled": false},
		},
		"authorization":      map[string]any{"mode": "Webhook"},
		"healthzBindAddress": n.ip(),
		"clusterDNS":         []string{network.DNSService},
		"clusterDomain":      "cluster.local",
		"resolvConf":         configFile("resolv.conf"),
		// Every container's control group is below a root of the node's own, so that none can be left behind.
		"cgroupDriver":           "cgroupfs",
		"cgroupsPerQOS":          true,
		"cgroupRoot":             CgroupRoot(n.Name),
		"enforceNodeAllocatable": []string{},
		"failCgroupV1":           false,
		"failSwapOn":             false,
		"oomScoreAdj":            0,
		// A full disk of the developer's machine is no reason to evict pods or to delete images that nobody can pull again.
		"evictionHard": map[string]string{
			"memory.available": "50Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%", "imagefs.inodesFree": "0%",
		},
		"imageGCHighThresholdPercent": 100,
		"volumePluginDir":             volumePlugins,
	}
}

func (n Node) kubeProxyConfig() map[string]any {
	return map[string]any{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"clientConnection":   map[string]any{"kubeconfig": configFile("kube-proxy.kubeconfig")},
		"mode":               "iptables",
		"clusterCIDR":        network.PodRange,
		"healthzBindAddress": n.ip() + ":" + KubeProxyHealthPort,
		"metricsBindAddress": "127.0.0.1:10249",
		"oomScoreAdj":        0,
		// Zero leaves the machine's connection tracking alone: a network namespace may not change it.
		"conntrack": map[string]any{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
	}
}

// podNetwork joins each pod to its node by a link of its own, so that all traffic between pods is routed, passes
// kube-proxy's rules, and needs no kernel module for filtering on bridges.
func (n Node) podNetwork() map[string]any {
	return map[string]any{
		"cniVersion": "0.4.0",
		"name":       "signalbox",
		"plugins": []map[string]any{
			{
				"type":   "ptp",
				"ipMasq": false,
				"ipam": map[string]any{
					"type":   "host-local",
					"ranges": [][]map[string]string{{{"subnet": network.PodCIDR(n.Number)}}},
					"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
		},
	}
}
