package component

import (
	"signalbox.dev/signalbox/hack/cluster/network"
)

// ServiceAccountIssuer is the issuer in every ServiceAccount token of a cluster.
const ServiceAccountIssuer = "https://kubernetes.default.svc.cluster.local"

// Store returns etcd, reachable inside node 1 only, with certificates of its own authority.
func (n Node) Store() Component {
	return n.program(Etcd,
		"--name="+n.Name,
		"--data-dir=/var/lib/etcd",
		"--listen-client-urls=https://127.0.0.1:2379",
		"--advertise-client-urls=https://127.0.0.1:2379",
		"--listen-peer-urls=https://127.0.0.1:2380",
		"--initial-advertise-peer-urls=https://127.0.0.1:2380",
		"--initial-cluster="+n.Name+"=https://127.0.0.1:2380",
		"--cert-file="+pkiFile("etcd.crt"),
		"--key-file="+pkiFile("etcd.key"),
		"--client-cert-auth",
		"--trusted-ca-file="+pkiFile("etcd-ca.crt"),
		"--peer-cert-file="+pkiFile("etcd.crt"),
		"--peer-key-file="+pkiFile("etcd.key"),
		"--peer-client-cert-auth",
		"--peer-trusted-ca-file="+pkiFile("etcd-ca.crt"),
		// A development cluster need not survive a power cut; without the waits for the disk it starts twice as fast.
		"--unsafe-no-fsync",
	)
}

// API returns kube-apiserver. Anonymous access, Pod Security admission and token lifetimes are as upstream has them.
func (n Node) API() Component {
	return n.program(APIServer,
		"--advertise-address="+n.ip(),
		"--secure-port="+APIServerPort,
		"--etcd-servers=https://127.0.0.1:2379",
		"--etcd-cafile="+pkiFile("etcd-ca.crt"),
		"--etcd-certfile="+pkiFile("apiserver-etcd-client.crt"),
		"--etcd-keyfile="+pkiFile("apiserver-etcd-client.key"),
		"--service-cluster-ip-range="+network.ServiceRange,
		"--allow-privileged=true",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--client-ca-file="+pkiFile("ca.crt"),
		"--tls-cert-file="+pkiFile("apiserver.crt"),
		"--tls-private-key-file="+pkiFile("apiserver.key"),
		"--kubelet-client-certificate="+pkiFile("apiserver-kubelet-client.crt"),
		"--kubelet-client-key="+pkiFile("apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority="+pkiFile("ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer="+ServiceAccountIssuer,
		"--service-account-key-file="+pkiFile("tokens.pub"),
		"--service-account-signing-key-file="+pkiFile("tokens.key"),
		"--requestheader-client-ca-file="+pkiFile("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file="+pkiFile("front-proxy-client.crt"),
		"--proxy-client-key-file="+pkiFile("front-proxy-client.key"),
		"--profiling=false",
	)
}

// Controllers returns kube-controller-manager. There is one, so it elects no leader.
func (n Node) Controllers() Component {
	return n.program(ControllerManager,
		"--kubeconfig="+configFile("controller-manager.kubeconfig"),
		"--authentication-kubeconfig="+configFile("controller-manager.kubeconfig"),
		"--authorization-kubeconfig="+configFile("controller-manager.kubeconfig"),
		"--bind-address="+n.ip(),
		"--tls-cert-file="+pkiFile("controller-manager.crt"),
		"--tls-private-key-file="+pkiFile("controller-manager.key"),
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+pkiFile("tokens.key"),
		"--root-ca-file="+pkiFile("ca.crt"),
		"--cluster-signing-cert-file="+pkiFile("ca.crt"),
		"--cluster-signing-key-file="+pkiFile("ca.key"),
		"--allocate-node-cidrs=false",
		"--flex-volume-plugin-dir="+volumePlugins,
		"--cluster-cidr="+network.PodRange,
		"--service-cluster-ip-range="+network.ServiceRange,
		"--profiling=false",
	)
}

// Placement returns kube-scheduler. There is one, so it elects no leader.
func (n Node) Placement() Component {
	return n.program(Scheduler,
		"--kubeconfig="+configFile("scheduler.kubeconfig"),
		"--authentication-kubeconfig="+configFile("scheduler.kubeconfig"),
		"--authorization-kubeconfig="+configFile("scheduler.kubeconfig"),
		"--bind-address="+n.ip(),
		"--tls-cert-file="+pkiFile("scheduler.crt"),
		"--tls-private-key-file="+pkiFile("scheduler.key"),
		"--leader-elect=false",
		"--profiling=false",
	)
}
