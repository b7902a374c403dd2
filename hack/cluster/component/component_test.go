package component

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/hack/cluster/network"
)

func testNode(number int) Node {
	return Node{
		Name: "test-" + string(rune('0'+number)), Number: number, Plan: network.Plan{Cluster: "test", Slot: 3},
		Programs: "/programs", Containerd: "/usr/bin/containerd", Plugins: "/usr/lib/cni",
	}
}

// Every file that a component is told to read must be among those that are written for its node.
func TestComponentsFindTheirFiles(t *testing.T) {
	credentials, err := NewCredentials("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		node       Node
		components []Component
	}{
		"node 1": {testNode(1), []Component{
			testNode(1).Store(), testNode(1).API(), testNode(1).Controllers(), testNode(1).Placement(),
			testNode(1).Runtime(), testNode(1).Agent(), testNode(1).ServiceProxy(),
		}},
		"node 2": {testNode(2), []Component{testNode(2).Runtime(), testNode(2).Agent(), testNode(2).ServiceProxy()}},
	} {
		t.Run(name, func(t *testing.T) {
			files := nodeFiles(t, credentials, tc.node)
			text := ""
			for _, component := range tc.components {
				text += strings.Join(component.Command, "\n") + "\n"
			}
			for _, file := range files {
				text += string(file) + "\n"
			}
			read := 0
			for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("\n\"=,: ", r) }) {
				if !strings.HasPrefix(word, Folder+"/") || word == configFile("cni") {
					continue
				}
				read++
				if _, found := files[word]; !found {
					t.Errorf("%s is read but never written", word)
				}
			}
			if read < 5 {
				t.Errorf("only %d files are read: the test looks for the wrong words", read)
			}
		})
	}
}

// Keys that sign for the whole cluster have no business on a node without control plane.
func TestSecondNodeHasNoAuthorityKeys(t *testing.T) {
	credentials, err := NewCredentials("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range nodeFiles(t, credentials, testNode(2)) {
		for _, secret := range [][]byte{credentials.authority.Private, credentials.tokens.Private, credentials.Admin.Private} {
			if bytes.Contains(content, secret) {
				t.Errorf("%s holds a key of the cluster", name)
			}
		}
	}
}

func TestNodesDifferInTheirAddresses(t *testing.T) {
	for name, tc := range map[string]struct {
		number      int
		podRange    string
		nodeAddress string
	}{
		"node 1": {1, "10.244.0.0/24", "--node-ip=10.253.3.2"},
		"node 2": {2, "10.244.1.0/24", "--node-ip=10.253.3.6"},
	} {
		t.Run(name, func(t *testing.T) {
			node := testNode(tc.number)
			if !slices.Contains(node.Agent().Command, tc.nodeAddress) {
				t.Errorf("kubelet's command %v lacks %s", node.Agent().Command, tc.nodeAddress)
			}
			files, err := node.Files()
			if err != nil {
				t.Fatal(err)
			}
			index := slices.IndexFunc(files, func(f File) bool { return strings.HasSuffix(f.Path, ".conflist") })
			var network struct {
				Plugins []struct {
					IPAM struct {
						Ranges [][]struct{ Subnet string }
					}
				}
			}
			if err := json.Unmarshal(files[index].Content, &network); err != nil {
				t.Fatal(err)
			}
			if got := network.Plugins[0].IPAM.Ranges[0][0].Subnet; got != tc.podRange {
				t.Errorf("pods get addresses from %s, want %s", got, tc.podRange)
			}
			if want := "https://10.253.3.2:6443"; node.Server() != want {
				t.Errorf("API server at %s, want %s", node.Server(), want)
			}
		})
	}
}

// Authorization and admission are what users of a cluster meet elsewhere too.
func TestAuthorizationIsReal(t *testing.T) {
	flags := testNode(1).API().Command
	for _, flag := range []string{
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--service-account-issuer=" + ServiceAccountIssuer,
	} {
		if !slices.Contains(flags, flag) {
			t.Errorf("the API server's command lacks %s", flag)
		}
	}
	for _, flag := range flags {
		if strings.HasPrefix(flag, "--anonymous-auth") || strings.HasPrefix(flag, "--disable-admission-plugins") {
			t.Errorf("the API server departs from upstream's default by %s", flag)
		}
	}
}

func TestKubeconfigStartsWithItsMark(t *testing.T) {
	credentials, err := NewCredentials("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := string(Kubeconfig("test", "https://10.253.3.2:6443", credentials.Authority(), credentials.Admin))
	lines := strings.Split(kubeconfig, "\n")
	if lines[0]+"\n" != KubeconfigMark {
		t.Errorf("the first line is %q", lines[0])
	}
	if want := "server: https://10.253.3.2:6443\n"; !strings.Contains(kubeconfig, want) {
		t.Errorf("the kubeconfig lacks %q", want)
	}
}

func nodeFiles(t *testing.T, credentials *Credentials, node Node) map[string][]byte {
	t.Helper()
	files, err := node.Files()
	if err != nil {
		t.Fatal(err)
	}
	more, err := credentials.NodeFiles(node)
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, more...)
	if node.Number == 1 {
		if more, err = credentials.ControlPlaneFiles(node); err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	byPath := map[string][]byte{}
	for _, file := range files {
		if _, twice := byPath[file.Path]; twice {
			t.Errorf("%s is written twice", file.Path)
		}
		byPath[file.Path] = file.Content
	}
	return byPath
}
