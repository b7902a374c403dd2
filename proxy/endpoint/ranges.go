package endpoint

import (
	"net/netip"
	"strings"
)

// Rule names why an address or name is denied.
type Rule string

const (
	// RuleLoopback is 127.0.0.0/8, ::1 and localhost.
	RuleLoopback Rule = "Loopback"
	// RuleUnspecified is 0.0.0.0/8 and ::, which many systems take for loopback.
	RuleUnspecified Rule = "Unspecified"
	// RuleLinkLocal is 169.254.0.0/16 and fe80::/10.
	RuleLinkLocal Rule = "LinkLocal"
	// RuleMetadata is a cloud's metadata or platform service, by address or by name.
	RuleMetadata Rule = "Metadata"
	// RuleMulticast is multicast, broadcast and the reserved 240.0.0.0/4.
	RuleMulticast Rule = "Multicast"
	// RuleAPIServer is an address or name of the Kubernetes API server.
	RuleAPIServer Rule = "APIServer"
	// RuleOutOfReach is an address that is not denied to the proxy but is not for a probe of the manager: private, and
	// neither a Service of the credential's namespace nor named in the platform's configuration.
	RuleOutOfReach Rule = "OutOfReach"
)

// reason says what a rule stands for, in the words of a status message.
func (r Rule) reason() string {
	switch r {
	case RuleLoopback:
		return "a loopback address"
	case RuleUnspecified:
		return "an unspecified address"
	case RuleLinkLocal:
		return "a link-local address"
	case RuleMetadata:
		return "a cloud metadata service"
	case RuleMulticast:
		return "a multicast, broadcast or reserved address"
	case RuleAPIServer:
		return "the Kubernetes API server"
	case RuleOutOfReach:
		return "a private address that health probes may not reach: " +
			"use a Service of the credential's own namespace, or ask the platform team to allow it"
	}
	return string(r)
}

type deniedRange struct {
	rule   Rule
	prefix netip.Prefix
}

// deniedRanges lists what no endpoint may lead to. The first match names the rule, so single addresses of metadata
// services come before the ranges that hold them.
func deniedRanges() []deniedRange {
	return expand(map[Rule][]string{
		RuleMetadata: {
			"169.254.169.254/32",  // AWS, Azure, Google Cloud, OpenStack and others
			"169.254.170.0/24",    // AWS task and pod credentials
			"100.100.100.200/32",  // Alibaba Cloud
			"192.0.0.192/32",      // Oracle Cloud
			"168.63.129.16/32",    // Azure's platform service
			"fd00:ec2::/32",       // AWS
			"fd20:ce::254/128",    // Google Cloud
			"fd00:42::42/128",     // Scaleway
			"fe80::a9fe:a9fe/128", // OpenStack
		},
		RuleLoopback:    {"127.0.0.0/8", "::1/128"},
		RuleUnspecified: {"0.0.0.0/8", "::/128"},
		RuleLinkLocal:   {"169.254.0.0/16", "fe80::/10"},
		RuleMulticast:   {"224.0.0.0/4", "240.0.0.0/4", "ff00::/8"},
	})
}

func expand(lists map[Rule][]string) []deniedRange {
	var ranges []deniedRange
	for _, rule := range []Rule{RuleMetadata, RuleLoopback, RuleUnspecified, RuleLinkLocal, RuleMulticast} {
		for _, prefix := range lists[rule] {
			ranges = append(ranges, deniedRange{rule, netip.MustParsePrefix(prefix)})
		}
	}
	return ranges
}

// privateRanges lists what is not on the public internet, besides what is denied anyway.
func privateRanges() []netip.Prefix {
	var prefixes []netip.Prefix
	for _, prefix := range []string{
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // private networks
		"100.64.0.0/10",                     // shared address space; some clusters give it to pods
		"192.0.0.0/24",                      // protocol assignments
		"192.0.2.0/24",                      // documentation
		"198.18.0.0/15",                     // benchmarking
		"198.51.100.0/24", "203.0.113.0/24", // documentation
		"fc00::/7",       // private networks
		"fec0::/10",      // site-local, retired
		"64:ff9b:1::/48", // local NAT64
		"2001:db8::/32",  // documentation
		"100::/64",       // discard
	} {
		prefixes = append(prefixes, netip.MustParsePrefix(prefix))
	}
	return prefixes
}

// readings returns the addresses that addr may stand for: itself, without zone, and the IPv4 addresses that one of
// the transition mechanisms finds inside it.
func readings(addr netip.Addr) []netip.Addr {
	addr = addr.WithZone("")
	if addr.Is4() {
		return []netip.Addr{addr}
	}
	if addr.Is4In6() {
		return []netip.Addr{addr.Unmap()}
	}
	found := []netip.Addr{addr}
	if addr.IsUnspecified() || addr.IsLoopback() {
		return found // :: and ::1 lie in the IPv4-compatible range but carry no IPv4 address
	}
	b := addr.As16()
	for _, form := range embeddings() {
		if form.prefix.Contains(addr) {
			found = append(found, v4(b[form.at:form.at+4], form.mask))
		}
	}
	// ISATAP: the interface identifier is 0000:5efe or 0200:5efe, then the IPv4 address.
	if (b[8] == 0 || b[8] == 2) && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		found = append(found, v4(b[12:16], 0))
	}
	return found
}

type embedding struct {
	prefix netip.Prefix
	at     int  // first byte of the IPv4 address
	mask   byte // each byte is xored with it
}

func embeddings() []embedding {
	return []embedding{
		{netip.MustParsePrefix("::/96"), 12, 0},           // IPv4-compatible
		{netip.MustParsePrefix("::ffff:0:0:0/96"), 12, 0}, // translated, RFC 2765
		{netip.MustParsePrefix("64:ff9b::/96"), 12, 0},    // NAT64
		{netip.MustParsePrefix("64:ff9b:1::/48"), 12, 0},  // local NAT64 with a prefix of 96 bits
		{netip.MustParsePrefix("2002::/16"), 2, 0},        // 6to4
		{netip.MustParsePrefix("2001::/32"), 4, 0},        // Teredo, server
		{netip.MustParsePrefix("2001::/32"), 12, 0xff},    // Teredo, client
	}
}

func v4(b []byte, mask byte) netip.Addr {
	return netip.AddrFrom4([4]byte{b[0] ^ mask, b[1] ^ mask, b[2] ^ mask, b[3] ^ mask})
}

// metadataName says whether a host name, lower-case and without final dot, is known to lead to a metadata service.
func metadataName(host string) bool {
	switch host {
	case "metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal",
		"metadata.azure.internal", "metadata.platformequinix.com", "metadata.packet.net":
		return true
	}
	return strings.HasSuffix(host, ".metadata.google.internal")
}

func loopbackName(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		host == "localhost.localdomain" || host == "ip6-localhost" || host == "ip6-loopback"
}
