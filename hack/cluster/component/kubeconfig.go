package component

import (
	"encoding/base64"
	"fmt"

	"signalbox.dev/signalbox/hack/cluster/pki"
)

// Server is the API server's address, as nodes and the host reach it.
func (n Node) Server() string { return "https://" + n.Plan.NodeIP(1) + ":" + APIServerPort }

// KubeconfigMark is the first line of each kubeconfig made here. A file without it is somebody else's.
const KubeconfigMark = "# made for a local cluster, and removed with it\n"

// Kubeconfig returns a client's kubeconfig, with the certificates inside.
func Kubeconfig(cluster, server string, authority []byte, user pki.Pair) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf([]byte(KubeconfigMark), `apiVersion: v1
kind: Config
current-context: %[1]s
clusters:
- name: %[1]s
  cluster:
    server: %[2]s
    certificate-authority-data: %[3]s
users:
- name: %[1]s
  user:
    client-certificate-data: %[4]s
    client-key-data: %[5]s
contexts:
- name: %[1]s
  context:
    cluster: %[1]s
    user: %[1]s
`, cluster, server, encode(authority), encode(user.Public), encode(user.Private))
}
