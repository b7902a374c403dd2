package endpoint

import (
	"net/netip"
	"slices"
	"strings"
)

const defaultClusterDomain = "cluster.local"

// Rules are the platform's part of a policy. The zero value is the strictest.
type Rules struct {
	// Allow opens addresses that are denied otherwise; a laptop opens loopback with it. A name that stands for denied
	// addresses, such as localhost, is open when all of them are.
	Allow []netip.Prefix
	// APIServers are the addresses of the Kubernetes API server: the Service's and those of its endpoints. Port 0
	// stands for every port of the address.
	APIServers []netip.AddrPort
	// ClusterDomain is the cluster's DNS domain; cluster.local when empty.
	ClusterDomain string
	// ProbeReach are private ranges that probes may reach. It opens nothing that is denied.
	ProbeReach []netip.Prefix
}

// Policy says which addresses an endpoint may lead to. It is a value: two of the same rules decide alike.
type Policy struct {
	rules      Rules
	probe      bool
	publicOnly bool   // private addresses are out of reach
	namespace  string // whose Services a probe may reach

	denied  []deniedRange
	private []netip.Prefix
}

// ProxyPolicy is the policy of a proxy, which runs in the namespace of its endpoints and may reach every public and
// private address that is not denied.
func ProxyPolicy(rules Rules) Policy {
	if rules.ClusterDomain = normalName(rules.ClusterDomain); rules.ClusterDomain == "" {
		rules.ClusterDomain = defaultClusterDomain
	}
	return Policy{rules: rules, denied: deniedRanges(), private: privateRanges()}
}

// ProbePolicy is the policy of the manager's probes. The manager may reach more of the network than the author of a
// credential, so of private addresses it allows only Services of the credential's namespace, written as svc, svc.ns,
// svc.ns.svc or svc.ns.svc.DOMAIN, and what the rules name.
func ProbePolicy(rules Rules, namespace string) Policy {
	p := ProxyPolicy(rules)
	p.probe = true
	p.publicOnly = true
	p.namespace = normalName(namespace)
	return p
}

// CheckAddr says whether a connection to the address may be opened: nil, or a *DeniedError.
func (p Policy) CheckAddr(address netip.AddrPort) error {
	addr := address.Addr()
	if !addr.IsValid() {
		return &DeniedError{Addr: addr, Rule: RuleUnspecified}
	}
	for _, reading := range readings(addr) {
		if rule := p.judge(netip.AddrPortFrom(reading, address.Port())); rule != "" {
			return &DeniedError{Addr: addr, Rule: rule}
		}
	}
	return nil
}

// reachingPrivate returns the policy for what is known to be a Service that may be reached.
func (p Policy) reachingPrivate() Policy {
	p.publicOnly = false
	return p
}

// judge returns the rule that denies one reading of an address, or nothing.
func (p Policy) judge(address netip.AddrPort) Rule {
	addr := address.Addr()
	if contains(p.rules.Allow, addr) {
		return ""
	}
	for _, denied := range p.denied {
		if denied.prefix.Contains(addr) {
			return denied.rule
		}
	}
	if p.apiServer(address) {
		return RuleAPIServer
	}
	if p.publicOnly && contains(p.private, addr) && !contains(p.rules.ProbeReach, addr) {
		return RuleOutOfReach
	}
	return ""
}

func (p Policy) apiServer(address netip.AddrPort) bool {
	return slices.ContainsFunc(p.rules.APIServers, func(server netip.AddrPort) bool {
		return server.Addr().Unmap() == address.Addr() && (server.Port() == 0 || server.Port() == address.Port())
	})
}

// checkName says whether a host name may be resolved at all: nil, or a *DeniedError. Names that stand for denied
// addresses are denied as they are, so that the status can say so before anything is resolved.
func (p Policy) checkName(host string) error {
	rule := p.nameRule(normalName(host))
	if rule == "" {
		return nil
	}
	return &DeniedError{Host: host, Rule: rule}
}

func (p Policy) nameRule(host string) Rule {
	switch {
	case loopbackName(host):
		if !p.allows("127.0.0.1", "::1") {
			return RuleLoopback
		}
	case metadataName(host):
		if !p.allows("169.254.169.254") {
			return RuleMetadata
		}
	case p.apiServerName(host):
		return RuleAPIServer
	case p.probe && p.inCluster(host) && p.service(host) == "" && !p.reachesMore():
		return RuleOutOfReach
	}
	return ""
}

// reachesMore says whether the rules name private addresses for probes, so that only the resolved address can tell
// whether a Service of another namespace is among them.
func (p Policy) reachesMore() bool {
	return len(p.rules.ProbeReach) > 0 || len(p.rules.Allow) > 0
}

// allows says whether one of the addresses is open; a laptop without IPv6 opens 127.0.0.0/8 alone.
func (p Policy) allows(addresses ...string) bool {
	return slices.ContainsFunc(addresses, func(address string) bool {
		return contains(p.rules.Allow, netip.MustParseAddr(address))
	})
}

// apiServerName says whether the name is the API server's Service, unless all its addresses are open.
func (p Policy) apiServerName(host string) bool {
	if !slices.Contains(serviceNames("kubernetes", "default", p.rules.ClusterDomain), host) {
		return false
	}
	return len(p.rules.APIServers) == 0 || slices.ContainsFunc(p.rules.APIServers, func(server netip.AddrPort) bool {
		return !contains(p.rules.Allow, server.Addr().Unmap())
	})
}

// inCluster says whether the name is one that only the cluster's DNS knows.
func (p Policy) inCluster(host string) bool {
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".svc") ||
		strings.HasSuffix(host, "."+p.rules.ClusterDomain)
}

// service returns the full name of the Service in the policy's namespace that host stands for, or nothing.
func (p Policy) service(host string) string {
	if !p.probe || p.namespace == "" {
		return ""
	}
	name, _, _ := strings.Cut(host, ".")
	if name == "" || !slices.Contains(serviceNames(name, p.namespace, p.rules.ClusterDomain), host) {
		return ""
	}
	return name + "." + p.namespace + ".svc." + p.rules.ClusterDomain
}

// serviceNames returns the names that a Service has inside the cluster.
func serviceNames(name, namespace, domain string) []string {
	return []string{
		name, name + "." + namespace, name + "." + namespace + ".svc", name + "." + namespace + ".svc." + domain,
	}
}

// normalName returns the name as DNS compares it: lower-case, without final dot.
func normalName(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(prefix netip.Prefix) bool {
		if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		return prefix.Contains(addr)
	})
}
