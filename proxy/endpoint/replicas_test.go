package endpoint

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpreads(t *testing.T) {
	proxy := ProxyPolicy(Rules{ClusterDomain: "corp.internal"})
	cases := map[string]struct {
		policy Policy
		host   string
		want   bool
	}{
		"service":                          {proxy, "vllm", true},
		"service, upper case, final dot":   {proxy, "Vllm.", true},
		"service and namespace":            {proxy, "vllm.team-a", true},
		"svc":                              {proxy, "vllm.team-a.svc", true},
		"svc, final dot":                   {proxy, "vllm.team-a.svc.", true},
		"cluster domain":                   {proxy, "vllm.team-a.svc.corp.internal", true},
		"cluster domain that is not known": {proxy, "vllm.team-a.svc.cluster.local", true},
		"pod of a StatefulSet":             {proxy, "vllm-0.vllm.team-a.svc", true},
		"public":                           {proxy, "api.example.com", false},
		"public, svc in front":             {proxy, "svc.example.com", false},
		"public, like svc":                 {proxy, "api.mysvc.example.com", false},
		"IPv4":                             {proxy, "10.0.0.1", false},
		"IPv6":                             {proxy, "fd00::1", false},
		"laptop":                           {proxy, "localhost", false},
		"laptop, name below it":            {proxy, "llama.localhost", false},
		"empty policy":                     {Policy{}, "api.example.com", false},
		"probe":                            {ProbePolicy(Rules{}, "team-a"), "vllm", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dialer := &Dialer{Policy: tc.policy}
			if got := dialer.Spreads(tc.host); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	dialer := &Dialer{Policy: proxy}
	for _, host := range []string{"api.example.com", "vllm.team-a.svc", "vllm"} {
		if n := testing.AllocsPerRun(100, func() { dialer.Spreads(host) }); n != 0 {
			t.Errorf("asking about %s allocates %v times", host, n)
		}
	}
}

func TestReplicas(t *testing.T) {
	resolver := newResolver(t, map[string]string{
		"vllm.team-a.svc.":        "10.1.2.3",
		"vllm.team-b.svc.":        "203.0.114.9", // pods with public addresses
		"vllm.team-a.":            "10.1.2.3",
		"openrouter.test.":        "203.0.114.9",
		"rebound.svc.":            "169.254.169.254",
		"kubernetes.default.svc.": "10.96.0.1",
	})
	cases := map[string]struct {
		host string
		want []string
		err  bool
	}{
		"Service":                              {"vllm.team-a.svc.", []string{"10.1.2.3"}, false},
		"Service, public addresses":            {"vllm.team-b.svc.", []string{"203.0.114.9"}, false},
		"could be a Service, private":          {"vllm.team-a.", []string{"10.1.2.3"}, false},
		"could be a Service, public":           {"openrouter.test.", nil, false},
		"denied addresses are judged later on": {"rebound.svc.", []string{"169.254.169.254"}, false},
		"unknown":                              {"nobody.team-a.svc.", nil, true},
		"denied name":                          {"kubernetes.default.svc.", nil, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dialer := &Dialer{Policy: ProxyPolicy(Rules{}), Resolver: resolver}
			found, err := dialer.Replicas(t.Context(), tc.host)
			var got []string
			for _, addr := range found {
				got = append(got, addr.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || (err != nil) != tc.err {
				t.Errorf("error %v, addresses (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestReplicasOfOneFamily(t *testing.T) {
	many := make([]string, maxReplicas+50)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String()
	}
	backwards := make([]string, len(many))
	for i, addr := range many {
		backwards[len(many)-1-i] = addr
	}
	cases := map[string]struct {
		found, want []string
	}{
		"none":            {nil, nil},
		"sorted":          {[]string{"10.0.0.9", "10.0.0.10", "10.0.0.2"}, []string{"10.0.0.2", "10.0.0.9", "10.0.0.10"}},
		"twice":           {[]string{"10.0.0.9", "10.0.0.2", "10.0.0.9"}, []string{"10.0.0.2", "10.0.0.9"}},
		"IPv4 first":      {[]string{"10.0.0.9", "fd00::1", "10.0.0.2", "fd00::2"}, []string{"10.0.0.2", "10.0.0.9"}},
		"IPv6 first":      {[]string{"fd00::2", "10.0.0.9", "fd00::1", "10.0.0.2"}, []string{"fd00::1", "fd00::2"}},
		"too many to use": {backwards, many[:maxReplicas]},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var found []netip.Addr
			for _, addr := range tc.found {
				found = append(found, netip.MustParseAddr(addr))
			}
			var got []string
			for _, addr := range replicas(found) {
				got = append(got, addr.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}
