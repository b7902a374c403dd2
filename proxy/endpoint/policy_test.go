package endpoint

import (
	"errors"
	"net/netip"
	"testing"
)

func prefixes(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	var parsed []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, prefix)
	}
	return parsed
}

func clusterRules() Rules {
	return Rules{APIServers: []netip.AddrPort{
		netip.MustParseAddrPort("10.96.0.1:0"), netip.MustParseAddrPort("192.168.7.10:6443"),
	}}
}

// ruleOf returns the rule of a denial, "malformed" for a *URLError, nothing for nil.
func ruleOf(t testing.TB, err error) Rule {
	t.Helper()
	var denied *DeniedError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &denied):
		return denied.Rule
	case IsURLError(err):
		return Rule("malformed")
	}
	t.Fatalf("unexpected error %v", err)
	return ""
}

func TestCheckAddr(t *testing.T) {
	cases := map[string]struct {
		addr         string
		proxy, probe Rule
	}{
		"public":                       {addr: "104.18.2.115:443"},
		"public IPv6":                  {addr: "[2606:4700::6812:273]:443"},
		"private 10":                   {addr: "10.1.2.3:8000", probe: RuleOutOfReach},
		"private 172.16":               {addr: "172.31.255.255:80", probe: RuleOutOfReach},
		"beside private 172.16":        {addr: "172.32.0.1:80"},
		"private 192.168":              {addr: "192.168.7.9:80", probe: RuleOutOfReach},
		"shared address space":         {addr: "100.64.0.1:80", probe: RuleOutOfReach},
		"private IPv6":                 {addr: "[fd12:3456::1]:80", probe: RuleOutOfReach},
		"site-local IPv6":              {addr: "[fec0::1]:80", probe: RuleOutOfReach},
		"loopback":                     {addr: "127.0.0.1:80", proxy: RuleLoopback, probe: RuleLoopback},
		"end of loopback":              {addr: "127.255.255.254:80", proxy: RuleLoopback, probe: RuleLoopback},
		"loopback IPv6":                {addr: "[::1]:80", proxy: RuleLoopback, probe: RuleLoopback},
		"unspecified":                  {addr: "0.0.0.0:80", proxy: RuleUnspecified, probe: RuleUnspecified},
		"this network":                 {addr: "0.1.2.3:80", proxy: RuleUnspecified, probe: RuleUnspecified},
		"unspecified IPv6":             {addr: "[::]:80", proxy: RuleUnspecified, probe: RuleUnspecified},
		"link-local":                   {addr: "169.254.1.1:80", proxy: RuleLinkLocal, probe: RuleLinkLocal},
		"link-local IPv6":              {addr: "[fe80::1]:80", proxy: RuleLinkLocal, probe: RuleLinkLocal},
		"link-local IPv6 with zone":    {addr: "[fe80::1%eth0]:80", proxy: RuleLinkLocal, probe: RuleLinkLocal},
		"metadata":                     {addr: "169.254.169.254:80", proxy: RuleMetadata, probe: RuleMetadata},
		"metadata, other port":         {addr: "169.254.169.254:8443", proxy: RuleMetadata, probe: RuleMetadata},
		"metadata, AWS pods":           {addr: "169.254.170.23:80", proxy: RuleMetadata, probe: RuleMetadata},
		"metadata, Alibaba":            {addr: "100.100.100.200:80", proxy: RuleMetadata, probe: RuleMetadata},
		"metadata, Oracle":             {addr: "192.0.0.192:80", proxy: RuleMetadata, probe: RuleMetadata},
		"metadata, Azure":              {addr: "168.63.129.16:80", proxy: RuleMetadata, probe: RuleMetadata},
		"metadata, AWS IPv6":           {addr: "[fd00:ec2::254]:80", proxy: RuleMetadata, probe: RuleMetadata},
		"metadata, Google IPv6":        {addr: "[fd20:ce::254]:80", proxy: RuleMetadata, probe: RuleMetadata},
		"multicast":                    {addr: "224.0.0.251:80", proxy: RuleMulticast, probe: RuleMulticast},
		"broadcast":                    {addr: "255.255.255.255:80", proxy: RuleMulticast, probe: RuleMulticast},
		"multicast IPv6":               {addr: "[ff02::1]:80", proxy: RuleMulticast, probe: RuleMulticast},
		"API server, any port":         {addr: "10.96.0.1:80", proxy: RuleAPIServer, probe: RuleAPIServer},
		"API server, its port":         {addr: "192.168.7.10:6443", proxy: RuleAPIServer, probe: RuleAPIServer},
		"beside the API server":        {addr: "192.168.7.10:8000", probe: RuleOutOfReach},
		"mapped loopback":              {addr: "[::ffff:127.0.0.1]:80", proxy: RuleLoopback, probe: RuleLoopback},
		"mapped metadata":              {addr: "[::ffff:169.254.169.254]:80", proxy: RuleMetadata, probe: RuleMetadata},
		"mapped private":               {addr: "[::ffff:10.0.0.1]:80", probe: RuleOutOfReach},
		"mapped API server":            {addr: "[::ffff:10.96.0.1]:80", proxy: RuleAPIServer, probe: RuleAPIServer},
		"mapped public":                {addr: "[::ffff:104.18.2.115]:80"},
		"compatible loopback":          {addr: "[::127.0.0.1]:80", proxy: RuleLoopback, probe: RuleLoopback},
		"translated metadata":          {addr: "[::ffff:0:169.254.169.254]:80", proxy: RuleMetadata, probe: RuleMetadata},
		"NAT64 metadata":               {addr: "[64:ff9b::169.254.169.254]:80", proxy: RuleMetadata, probe: RuleMetadata},
		"NAT64 private":                {addr: "[64:ff9b::10.0.0.1]:80", probe: RuleOutOfReach},
		"NAT64 public":                 {addr: "[64:ff9b::104.18.2.115]:80"},
		"local NAT64 metadata":         {addr: "[64:ff9b:1::169.254.169.254]:80", proxy: RuleMetadata, probe: RuleOutOfReach},
		"6to4 metadata":                {addr: "[2002:a9fe:a9fe::1]:80", proxy: RuleMetadata, probe: RuleMetadata},
		"6to4 loopback":                {addr: "[2002:7f00:1::]:80", proxy: RuleLoopback, probe: RuleLoopback},
		"Teredo client at metadata":    {addr: "[2001:0:4136:e378:8000:63bf:5601:5601]:80", proxy: RuleMetadata, probe: RuleMetadata},
		"Teredo server at loopback":    {addr: "[2001:0:7f00:1:8000:63bf:97ed:fd8c]:80", proxy: RuleLoopback, probe: RuleLoopback},
		"ISATAP metadata":              {addr: "[2606:4700::5efe:169.254.169.254]:80", proxy: RuleMetadata, probe: RuleMetadata},
		"ISATAP metadata, global form": {addr: "[2606:4700::200:5efe:169.254.169.254]:80", proxy: RuleMetadata, probe: RuleMetadata},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			addr := netip.MustParseAddrPort(tc.addr)
			if got := ruleOf(t, ProxyPolicy(clusterRules()).CheckAddr(addr)); got != tc.proxy {
				t.Errorf("proxy: %q, want %q", got, tc.proxy)
			}
			if got := ruleOf(t, ProbePolicy(clusterRules(), "team-a").CheckAddr(addr)); got != tc.probe {
				t.Errorf("probe: %q, want %q", got, tc.probe)
			}
		})
	}
}

func TestInvalidAddrIsDenied(t *testing.T) {
	if err := ProxyPolicy(Rules{}).CheckAddr(netip.AddrPort{}); !IsDenied(err) {
		t.Errorf("got %v", err)
	}
}

func TestRulesOpenAddresses(t *testing.T) {
	opened := clusterRules()
	opened.Allow = prefixes(t, "127.0.0.0/8", "::1/128", "10.96.0.1/32", "::ffff:169.254.1.0/120")
	reach := clusterRules()
	reach.ProbeReach = prefixes(t, "10.0.0.0/8", "169.254.0.0/16")
	cases := map[string]struct {
		rules Rules
		addr  string
		probe bool
		want  Rule
	}{
		"loopback":                            {rules: opened, addr: "127.0.0.1:80"},
		"loopback, probe":                     {rules: opened, addr: "127.0.0.1:80", probe: true},
		"loopback IPv6":                       {rules: opened, addr: "[::1]:80"},
		"mapped loopback":                     {rules: opened, addr: "[::ffff:127.0.0.1]:80"},
		"API server":                          {rules: opened, addr: "10.96.0.1:443"},
		"mapped prefix":                       {rules: opened, addr: "169.254.1.7:80"},
		"other API server":                    {rules: opened, addr: "192.168.7.10:6443", want: RuleAPIServer},
		"unspecified is not opened by ::1":    {rules: opened, addr: "[::]:80", want: RuleUnspecified},
		"private for probes":                  {rules: reach, addr: "10.1.2.3:80", probe: true},
		"other private for probes":            {rules: reach, addr: "192.168.1.1:80", probe: true, want: RuleOutOfReach},
		"reach opens no API server":           {rules: reach, addr: "10.96.0.1:443", probe: true, want: RuleAPIServer},
		"reach opens no link-local addresses": {rules: reach, addr: "169.254.1.1:80", probe: true, want: RuleLinkLocal},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			policy := ProxyPolicy(tc.rules)
			if tc.probe {
				policy = ProbePolicy(tc.rules, "team-a")
			}
			if got := ruleOf(t, policy.CheckAddr(netip.MustParseAddrPort(tc.addr))); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
