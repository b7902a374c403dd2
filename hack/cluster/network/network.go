// Package network plans the addresses and links of a cluster. It is pure: it returns the commands for ip(8) in its batch
// form and runs nothing.
//
// The host and node 1 share one /30, node 1 and node 2 another, both cut from 10.253.SLOT.0/24. No namespace has a default
// route, so a packet for an address outside the cluster ends with "network unreachable" inside it.
package network

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"net/netip"
	"strings"
)

// MaxNodes is the largest number of nodes a cluster may have.
const MaxNodes = 2

// PodRange holds the addresses of all pods, ServiceRange those of all Services.
const (
	PodRange     = "10.244.0.0/16"
	ServiceRange = "10.96.0.0/16"
)

// APIService and DNSService are the Service addresses of the API server and of the cluster's name service.
const (
	APIService = "10.96.0.1"
	DNSService = "10.96.0.10"
)

// Plan is the network of one cluster.
type Plan struct {
	// Cluster is its name.
	Cluster string
	// Slot chooses its block of addresses, 10.253.SLOT.0/24.
	Slot uint8
}

// Block returns the /24 from which the plan's node addresses come.
func (p Plan) Block() netip.Prefix {
	return netip.PrefixFrom(p.first(), 24)
}

// HostLink is the name of the interface on the host, unique to the cluster's name and within the kernel's 15 bytes.
func (p Plan) HostLink() string {
	return fmt.Sprintf("sbx%08x", crc32.ChecksumIEEE([]byte(p.Cluster)))
}

// NodeIP is the address of node n, counted from 1.
func (p Plan) NodeIP(n int) string {
	if n == 1 {
		return p.first().Next().Next().String()
	}
	return p.peer().Next().String()
}

// PodCIDR is the range from which pods on node n, counted from 1, get their addresses.
func PodCIDR(n int) string {
	return fmt.Sprintf("10.244.%d.0/24", n-1)
}

// first is the first address of the /30 that the host shares with node 1.
func (p Plan) first() netip.Addr {
	return netip.AddrFrom4([4]byte{10, 253, p.Slot, 0})
}

// peer is node 1's address in the /30 that it shares with node 2.
func (p Plan) peer() netip.Addr {
	return netip.AddrFrom4([4]byte{10, 253, p.Slot, 5})
}

func (p Plan) hostSubnet() string { return p.first().String() + "/30" }
func (p Plan) peerSubnet() string { return p.peer().Prev().String() + "/30" }

func commands(lines ...string) string { return strings.Join(lines, "\n") + "\n" }

// Host returns the commands to run on the host for a cluster of the given size, once node 1's namespace exists.
func (p Plan) Host(nodes, firstPID int) string {
	lines := []string{
		fmt.Sprintf("link add %s type veth peer name host0 netns %d", p.HostLink(), firstPID),
		fmt.Sprintf("address add %s/30 dev %s", p.first().Next(), p.HostLink()),
		fmt.Sprintf("link set %s up", p.HostLink()),
	}
	if nodes > 1 {
		lines = append(lines, fmt.Sprintf("route add %s via %s", p.peerSubnet(), p.NodeIP(1)))
	}
	return commands(lines...)
}

// First returns the commands for node 1's namespace, after those of Host.
func (p Plan) First() string {
	return commands(
		"link set lo up",
		"address add "+p.NodeIP(1)+"/30 dev host0",
		"link set host0 up",
	) + p.clusterRoutes(1) + commands(
		// A pod that called the host would be answered through the host's default route, off this machine.
		fmt.Sprintf("rule add priority 100 from %s to %s unreachable", PodRange, p.hostSubnet()),
	)
}

// Join returns the commands for node 1's namespace that lead to node 2, whose namespace has the given process.
func (p Plan) Join(secondPID int) string {
	return commands(
		fmt.Sprintf("link add node2 type veth peer name node1 netns %d", secondPID),
		"address add "+p.peer().String()+"/30 dev node2",
		"link set node2 up",
		fmt.Sprintf("route add %s via %s", PodCIDR(2), p.NodeIP(2)),
	)
}

// Second returns the commands for node 2's namespace, after those of Join.
func (p Plan) Second() string {
	return commands(
		"link set lo up",
		"address add "+p.NodeIP(2)+"/30 dev node1",
		"link set node1 up",
		fmt.Sprintf("route add %s via %s", p.hostSubnet(), p.peer()),
		fmt.Sprintf("route add %s via %s", PodCIDR(1), p.peer()),
	) + p.clusterRoutes(2)
}

// clusterRoutes keeps every cluster address inside: a Service address needs some route before kube-proxy's rules can
// rewrite it, hence an empty bridge (not every kernel has dummy devices); a pod address without a pod is unreachable.
func (p Plan) clusterRoutes(node int) string {
	return commands(
		"link add svc0 type bridge",
		"link set svc0 up",
		fmt.Sprintf("route add %s dev svc0 src %s", ServiceRange, p.NodeIP(node)),
		"route add unreachable "+PodRange,
	)
}

// FreeSlot returns the first slot whose block overlaps none of the destinations in routes, the output of
// "ip -4 -oneline route show table all". Lines it cannot read and default routes are passed over.
func FreeSlot(routes string) (uint8, error) {
	var taken []netip.Prefix
	for line := range strings.Lines(routes) {
		if prefix, ok := destination(line); ok {
			taken = append(taken, prefix)
		}
	}
	for slot := range uint8(math.MaxUint8) {
		if !overlapsAny(Plan{Slot: slot}.Block(), taken) {
			return slot, nil
		}
	}
	return 0, errors.New("every block of 10.253.0.0/16 overlaps a route of this machine")
}

func destination(line string) (netip.Prefix, bool) {
	for _, word := range strings.Fields(line) {
		if prefix, err := netip.ParsePrefix(word); err == nil {
			return prefix, prefix.Bits() > 0
		}
		if address, err := netip.ParseAddr(word); err == nil {
			return netip.PrefixFrom(address, address.BitLen()), true
		}
		// A word before the destination is a route type such as "local" or "broadcast"; "via" ends the search.
		if word == "via" || word == "dev" || word == "default" {
			break
		}
	}
	return netip.Prefix{}, false
}

func overlapsAny(block netip.Prefix, taken []netip.Prefix) bool {
	for _, prefix := range taken {
		if prefix.Overlaps(block) {
			return true
		}
	}
	return false
}
