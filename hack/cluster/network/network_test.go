package network

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlanForTwoNodes(t *testing.T) {
	plan := Plan{Cluster: "signalbox", Slot: 7}
	got := map[string]string{
		"host": plan.Host(2, 100), "first": plan.First(), "join": plan.Join(200), "second": plan.Second(),
	}
	link := plan.HostLink()
	want := map[string]string{
		"host": `link add ` + link + ` type veth peer name host0 netns 100
address add 10.253.7.1/30 dev ` + link + `
link set ` + link + ` up
route add 10.253.7.4/30 via 10.253.7.2
`,
		"first": `link set lo up
address add 10.253.7.2/30 dev host0
link set host0 up
link add svc0 type bridge
link set svc0 up
route add 10.96.0.0/16 dev svc0 src 10.253.7.2
route add unreachable 10.244.0.0/16
rule add priority 100 from 10.244.0.0/16 to 10.253.7.0/30 unreachable
`,
		"join": `link add node2 type veth peer name node1 netns 200
address add 10.253.7.5/30 dev node2
link set node2 up
route add 10.244.1.0/24 via 10.253.7.6
`,
		"second": `link set lo up
address add 10.253.7.6/30 dev node1
link set node1 up
route add 10.253.7.0/30 via 10.253.7.5
route add 10.244.0.0/24 via 10.253.7.5
link add svc0 type bridge
link set svc0 up
route add 10.96.0.0/16 dev svc0 src 10.253.7.6
route add unreachable 10.244.0.0/16
`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func TestOneNodeNeedsNoRouteToAnother(t *testing.T) {
	if commands := (Plan{Cluster: "signalbox"}).Host(1, 100); strings.Contains(commands, "route") {
		t.Errorf("a route for a node that does not exist: %s", commands)
	}
}

func TestHostLinkFitsTheKernel(t *testing.T) {
	first := Plan{Cluster: "a-rather-long-name-1"}.HostLink()
	if len(first) > 15 {
		t.Errorf("%q is longer than 15 bytes", first)
	}
	if second := (Plan{Cluster: "a-rather-long-name-2"}).HostLink(); second == first {
		t.Errorf("two clusters share the link %q", first)
	}
}

func TestFreeSlot(t *testing.T) {
	for name, tc := range map[string]struct {
		routes string
		want   uint8
	}{
		"nothing in the way": {
			routes: "default via 192.0.2.1 dev eth0 \n192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2 \n",
			want:   0,
		},
		"another cluster": {
			routes: "10.253.0.0/30 dev sbx1 proto kernel scope link src 10.253.0.1 \n",
			want:   1,
		},
		"local and broadcast addresses": {
			routes: "local 10.253.0.1 dev sbx1 table local proto kernel \nbroadcast 10.253.1.3 dev sbx2 table local \n",
			want:   2,
		},
		"a gateway is not a destination": {
			routes: "default via 10.253.0.1 dev eth0 \n172.16.0.0/12 via 10.253.0.1 dev eth0 \n",
			want:   0,
		},
		"a wide network": {
			routes: "10.253.0.0/18 dev eth1 scope link \n",
			want:   64,
		},
		"words that are no route": {
			routes: "unreachable nonsense\n\n",
			want:   0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FreeSlot(tc.routes)
			if err != nil || got != tc.want {
				t.Errorf("got slot %d and error %v, want %d", got, err, tc.want)
			}
		})
	}
}

func TestNoFreeSlot(t *testing.T) {
	if slot, err := FreeSlot("10.0.0.0/8 dev eth0 scope link \n"); err == nil {
		t.Errorf("got slot %d in a network that is all taken", slot)
	}
}

func FuzzFreeSlot(f *testing.F) {
	f.Add("local 10.253.0.1 dev sbx1 table local \ndefault via 192.0.2.1\n")
	f.Add("10.253.0.0/18 dev eth1\n10.253.64.0/24")
	f.Fuzz(func(t *testing.T, routes string) {
		slot, err := FreeSlot(routes)
		if err != nil {
			return
		}
		for line := range strings.Lines(routes) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if prefix, err := netip.ParsePrefix(word); err == nil && prefix.Bits() > 0 && prefix.Overlaps(Plan{Slot: slot}.Block()) {
				t.Errorf("slot %d overlaps %s", slot, prefix)
			}
		}
	})
}
