package dataplane

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/limit"
	"signalbox.dev/signalbox/proxy/peers"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
)

// goodbyeLimit is how long the other replicas are waited for when this one ends.
const goodbyeLimit = 5 * time.Second

// Names of what replicas tell each other. A replica passes over what it does not know, so a new name is safe and a changed meaning is not.
const (
	partHealth = "health"
	partLimits = "limits"
)

// healthPart tells the other replicas which upstreams want to be left alone.
type healthPart struct{ registry *health.Registry }

// Say is the same for every replica.
func (p healthPart) Say(string) json.RawMessage { return p.registry.Say(time.Now()) }

// Hear takes in what another replica found out.
func (p healthPart) Hear(_ string, said json.RawMessage) error {
	return p.registry.Hear(said, time.Now())
}

// Members do not matter to it: it tells everybody, and believes everybody.
func (p healthPart) Members([]string, bool) {}

// hasPeers tells whether there may be other replicas to talk to.
func (o *Options) hasPeers() bool {
	return o.ControlAddr != "" && o.PodIP.IsValid() && o.LookupPeers != nil
}

// newMesh makes the way to the other replicas. The control port must be open, for its number is that of all of them.
func (d *DataPlane) newMesh(metrics *telemetry.Metrics, upstreams *health.Registry, limits *limit.Set) *peers.Mesh {
	port := d.controlOn.Addr().(*net.TCPAddr).AddrPort().Port()
	return peers.New(peers.Options{
		Self: string(d.options.Owner), Addr: netip.AddrPortFrom(d.options.PodIP.Unmap(), port), Identity: d.control.Identity,
		Lookup: func(ctx context.Context) ([]netip.AddrPort, error) {
			found, err := d.options.LookupPeers(ctx)
			addrs := make([]netip.AddrPort, 0, len(found))
			for _, addr := range found {
				addrs = append(addrs, netip.AddrPortFrom(addr.Unmap(), port))
			}
			return addrs, err
		},
		Parts:    map[string]peers.Part{partHealth: healthPart{upstreams}, partLimits: limits},
		Observer: telemetry.NewPeers(metrics), Log: d.options.Log,
	})
}

// changedHealth tells the manager and the other replicas that an upstream is left alone from now on.
func (d *DataPlane) changedHealth() {
	d.control.Announce()
	d.changedLimits()
}

// endedHealth tells the manager that an upstream has been found back. The other replicas find out for themselves.
func (d *DataPlane) endedHealth() { d.control.Announce() }

// changedLimits tells the other replicas that this one needs something of a limit, or has given something up.
func (d *DataPlane) changedLimits() {
	if d.mesh != nil {
		d.mesh.Kick()
	}
}

// answerPeer takes what another replica says.
func (d *DataPlane) answerPeer(said []byte) ([]byte, error) { return d.mesh.Answer(said) }

// goodbye tells the other replicas that this one has answered its last request.
func (d *DataPlane) goodbye(parts context.Context) {
	if d.mesh == nil {
		return
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(parts), goodbyeLimit)
	defer cancel()
	d.mesh.Goodbye(limited)
}

// hasLimits tells whether a table has limits that replicas share.
func hasLimits(t *table.Table) bool {
	for i := range t.Routes {
		if len(t.Routes[i].Limits) > 0 {
			return true
		}
	}
	return false
}

// awaitsPeers tells whether this replica would refuse calls that another one would answer: it has limits to keep and does not know yet who shares them.
func (d *DataPlane) awaitsPeers() bool { return d.mesh != nil && d.limited.Load() && !d.mesh.Settled() }
