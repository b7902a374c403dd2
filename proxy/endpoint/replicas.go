package endpoint

import (
	"context"
	"net/netip"
	"slices"
	"strings"
)

// maxReplicas bounds how many addresses of one name are used; past it those that sort last are left out.
const maxReplicas = 512

// Spreads says whether the host could be a Service of the cluster, which may stand for several equal servers. Only DNS
// knows; see Replicas. The names of a probe policy are never spread. It allocates nothing, for it is asked for every
// request.
func (d *Dialer) Spreads(host string) bool {
	return !d.Policy.probe && d.Policy.mayBeService(normalName(host))
}

// Replicas returns the addresses of the servers behind a host, sorted and of one family, the one that this machine
// prefers. There are none when the host turns out not to be a Service, because its name does not tell and an address of
// it is public; such a host is to be dialled by its name. No address is judged here: that is done when one is dialled.
func (d *Dialer) Replicas(ctx context.Context, host string) ([]netip.Addr, error) {
	if err := d.Policy.checkName(host); err != nil {
		return nil, err
	}
	found, err := d.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	if !d.Policy.inCluster(normalName(host)) && !d.Policy.allPrivate(found) {
		return nil, nil
	}
	return replicas(found), nil
}

// replicas sorts out the addresses of the first one's family. A Service of two families has every server twice.
func replicas(found []netip.Addr) []netip.Addr {
	if len(found) == 0 {
		return nil
	}
	four := found[0].Is4()
	kept := slices.DeleteFunc(found, func(addr netip.Addr) bool { return addr.Is4() != four })
	slices.SortFunc(kept, netip.Addr.Compare)
	kept = slices.Compact(kept)
	return kept[:min(len(kept), maxReplicas)]
}

// mayBeService says whether the host, lower-case and without final dot, is written as Services are: svc, svc.ns,
// svc.ns.svc, or any of them with the cluster's domain behind it, which this program need not have been told.
func (p Policy) mayBeService(host string) bool {
	if strings.IndexByte(host, ':') >= 0 || loopbackName(host) {
		return false
	}
	return p.inCluster(host) || strings.Count(host, ".") == 1 || strings.Contains(host, ".svc.")
}

func (p Policy) allPrivate(addrs []netip.Addr) bool {
	return !slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return !contains(p.private, addr) })
}
