package endpoint

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// newResolver returns a resolver whose DNS server knows the given IPv4 addresses, by lower-case name with final dot.
func newResolver(t *testing.T, records map[string]string) *net.Resolver {
	t.Helper()
	server, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		query := make([]byte, 1500)
		for {
			n, client, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(answer(query[:n], records), client)
		}
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// answer builds the DNS message that answers a query for an address.
func answer(query []byte, records map[string]string) []byte {
	const header = 12
	var name strings.Builder
	end := header
	for query[end] != 0 {
		label := query[end+1 : end+1+int(query[end])]
		name.Write(label)
		name.WriteByte('.')
		end += 1 + len(label)
	}
	kind := binary.BigEndian.Uint16(query[end+1:])
	question := query[header : end+5]
	reply := append([]byte{}, query[:2]...)
	addr, found := records[strings.ToLower(name.String())]
	switch {
	case !found:
		reply = append(reply, 0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0) // no such name
		return append(reply, question...)
	case kind != 1:
		reply = append(reply, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0) // no records of this type
		return append(reply, question...)
	}
	reply = append(reply, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0)
	reply = append(reply, question...)
	reply = append(reply, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
	ip := netip.MustParseAddr(addr).As4()
	return append(reply, ip[:]...)
}

// newListener accepts and closes connections, and returns its port.
func newListener(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("address %v", listener.Addr())
	}
	return strconv.Itoa(addr.Port)
}

// The records lead to loopback addresses, of which the rules under test open some: 127.0.0.2 stands for a public
// address, 127.0.0.3 for nothing that may be reached.
func TestDial(t *testing.T) {
	rules := Rules{Allow: prefixes(t, "127.0.0.2/32")}
	connected := Rule("connected")
	resolver := newResolver(t, map[string]string{
		"api.test.":                         "127.0.0.2",
		"rebound.test.":                     "127.0.0.3",
		"metadata.test.":                    "169.254.169.254",
		"private.test.":                     "10.255.255.1",
		"llama.team-a.svc.cluster.local.":   "127.0.0.2",
		"evil.team-a.svc.cluster.local.":    "127.0.0.3",
		"shadow.com.":                       "127.0.0.2",
		"both.team-a.":                      "127.0.0.3",
		"both.team-a.svc.cluster.local.":    "127.0.0.2",
		"foreign.team-b.svc.cluster.local.": "127.0.0.2",
	})
	port := newListener(t)
	cases := map[string]struct {
		policy Policy
		host   string
		want   Rule
	}{
		"proxy, name":                        {ProxyPolicy(rules), "api.test", connected},
		"proxy, address":                     {ProxyPolicy(rules), "127.0.0.2", connected},
		"proxy, denied address":              {ProxyPolicy(rules), "127.0.0.3", RuleLoopback},
		"proxy, name leads to loopback":      {ProxyPolicy(rules), "rebound.test", RuleLoopback},
		"proxy, name leads to metadata":      {ProxyPolicy(rules), "metadata.test", RuleMetadata},
		"proxy, mapped address":              {ProxyPolicy(rules), "::ffff:127.0.0.3", RuleLoopback},
		"proxy, localhost":                   {ProxyPolicy(Rules{}), "localhost", RuleLoopback},
		"proxy, API server by name":          {ProxyPolicy(rules), "kubernetes.default.svc", RuleAPIServer},
		"probe, localhost":                   {ProbePolicy(Rules{}, "team-a"), "localhost", RuleLoopback},
		"probe, localhost allowed":           {ProbePolicy(Rules{Allow: prefixes(t, "127.0.0.0/8", "::1/128")}, "team-a"), "localhost", connected},
		"probe, name":                        {ProbePolicy(rules, "team-a"), "api.test", connected},
		"probe, name leads to private":       {ProbePolicy(rules, "team-a"), "private.test", RuleOutOfReach},
		"probe, private address":             {ProbePolicy(rules, "team-a"), "10.255.255.1", RuleOutOfReach},
		"probe, own Service":                 {ProbePolicy(rules, "team-a"), "llama", connected},
		"probe, own Service with namespace":  {ProbePolicy(rules, "team-a"), "Llama.team-a", connected},
		"probe, own Service, svc":            {ProbePolicy(rules, "team-a"), "llama.team-a.svc", connected},
		"probe, own Service, full name":      {ProbePolicy(rules, "team-a"), "llama.team-a.svc.cluster.local.", connected},
		"probe, own Service leads elsewhere": {ProbePolicy(rules, "team-a"), "evil", RuleLoopback},
		"probe, Service before public name":  {ProbePolicy(rules, "team-a"), "both.team-a", connected},
		"probe, namespace like a domain":     {ProbePolicy(rules, "com"), "shadow.com", connected},
		"probe, foreign Service":             {ProbePolicy(Rules{}, "team-a"), "foreign.team-b.svc", RuleOutOfReach},
		"probe, foreign Service, allowed":    {ProbePolicy(rules, "team-a"), "foreign.team-b.svc", connected},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dialer := &Dialer{Policy: tc.policy, Timeout: 10 * time.Second, Resolver: resolver}
			conn, err := dialer.DialContext(t.Context(), "tcp", net.JoinHostPort(tc.host, port))
			got := connected
			if err == nil {
				_ = conn.Close()
			} else {
				got = ruleOf(t, err)
			}
			if got != tc.want {
				t.Errorf("got %q (%v), want %q", got, err, tc.want)
			}
		})
	}
}

// A Service's private address is within reach of a probe, and out of reach by any other way.
func TestProbeReachesPrivateAddressOfItsServiceOnly(t *testing.T) {
	policy := ProbePolicy(clusterRules(), "team-a")
	address := "10.1.2.3:8000"
	cases := map[string]struct {
		host string
		want []Rule
	}{
		"own Service":                {"llama", []Rule{""}},
		"own Service with namespace": {"llama.team-a", []Rule{"", RuleOutOfReach}},
		"public name":                {"api.test", []Rule{RuleOutOfReach}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			targets := policy.targets(tc.host, "8000")
			if len(targets) != len(tc.want) {
				t.Fatalf("%d targets, want %d", len(targets), len(tc.want))
			}
			for i, want := range tc.want {
				err := targets[i].check(address)
				if got := ruleOf(t, err); got != want {
					t.Errorf("target %d: %q, want %q", i, got, want)
				}
				var denied *DeniedError
				if errors.As(err, &denied) && denied.Host != tc.host {
					t.Errorf("the error names %q, want %q", denied.Host, tc.host)
				}
			}
		})
	}
}

func TestDialErrorsThatAreNoDenial(t *testing.T) {
	resolver := newResolver(t, nil)
	for _, policy := range []Policy{ProxyPolicy(Rules{}), ProbePolicy(Rules{}, "team-a")} {
		dialer := &Dialer{Policy: policy, Resolver: resolver}
		for _, address := range []string{"nowhere.test:80", "nowhere.team-a:80", "no-port"} {
			conn, err := dialer.DialContext(t.Context(), "tcp", address)
			if err == nil {
				_ = conn.Close()
			}
			if err == nil || IsDenied(err) {
				t.Errorf("dialling %s: %v", address, err)
			}
		}
	}
}
