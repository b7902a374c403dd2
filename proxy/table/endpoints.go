package table

import (
	"fmt"
	"net/netip"
)

// Parse reads the rules: the prefixes that are opened and the addresses that are closed, a port of 0 standing for all ports. An entry of DenyCIDRs is
// an address, an address with its port, or a prefix that holds a single address.
func (r EndpointRules) Parse() (allow []netip.Prefix, deny []netip.AddrPort, err error) {
	for _, text := range r.AllowCIDRs {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, nil, fmt.Errorf("reading allowed CIDR %q: %w", text, err)
		}
		allow = append(allow, prefix)
	}
	for _, text := range r.DenyCIDRs {
		address, err := parseClosed(text)
		if err != nil {
			return nil, nil, fmt.Errorf("reading denied address %q: %w", text, err)
		}
		deny = append(deny, address)
	}
	return allow, deny, nil
}

func parseClosed(text string) (netip.AddrPort, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(address, 0), nil
	}
	if address, err := netip.ParseAddrPort(text); err == nil {
		return address, nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if !prefix.IsSingleIP() {
		return netip.AddrPort{}, fmt.Errorf("it holds more than one address")
	}
	return netip.AddrPortFrom(prefix.Addr(), 0), nil
}
