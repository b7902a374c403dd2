package endpoint

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestCheckURL(t *testing.T) {
	malformed := Rule("malformed")
	cases := map[string]struct {
		url          string
		proxy, probe Rule
	}{
		"public":                     {url: "https://api.groq.com"},
		"public with path":           {url: "https://openrouter.ai/api/v1/"},
		"upper case":                 {url: "HTTPS://API.Groq.com/openai/v1"},
		"public with port":           {url: "https://api.groq.com:8443"},
		"final dot":                  {url: "https://api.groq.com."},
		"underscore":                 {url: "http://my_model.example.com"},
		"public address":             {url: "https://104.18.2.115"},
		"public IPv6 address":        {url: "https://[2606:4700::6812:273]:443/v1"},
		"Service":                    {url: "http://llama:8000"},
		"Service with namespace":     {url: "http://llama.team-a:8000"},
		"Service, svc":               {url: "http://llama.team-a.svc:8000/v1"},
		"Service, full name":         {url: "http://llama.team-a.svc.cluster.local:8000"},
		"Service, full name, dot":    {url: "http://llama.team-a.svc.cluster.local.:8000"},
		"foreign Service":            {url: "http://llama.team-b.svc:8000", probe: RuleOutOfReach},
		"foreign Service, full name": {url: "http://llama.team-b.svc.cluster.local", probe: RuleOutOfReach},
		"pod name":                   {url: "http://0.llama.team-a.svc.cluster.local", probe: RuleOutOfReach},
		"private address":            {url: "http://10.0.0.7:8000", probe: RuleOutOfReach},

		"loopback":                  {url: "http://127.0.0.1:8080", proxy: RuleLoopback, probe: RuleLoopback},
		"loopback IPv6":             {url: "http://[::1]:8080", proxy: RuleLoopback, probe: RuleLoopback},
		"localhost":                 {url: "http://localhost:11434", proxy: RuleLoopback, probe: RuleLoopback},
		"localhost, spelled oddly":  {url: "http://LocalHost.:11434", proxy: RuleLoopback, probe: RuleLoopback},
		"below localhost":           {url: "http://a.b.localhost", proxy: RuleLoopback, probe: RuleLoopback},
		"not localhost":             {url: "http://notlocalhost.com"},
		"metadata":                  {url: "http://169.254.169.254/latest/meta-data", proxy: RuleMetadata, probe: RuleMetadata},
		"metadata by name":          {url: "http://metadata.google.internal/", proxy: RuleMetadata, probe: RuleMetadata},
		"metadata by name, dot":     {url: "http://Metadata.Google.Internal./", proxy: RuleMetadata, probe: RuleMetadata},
		"API server":                {url: "https://kubernetes.default.svc", proxy: RuleAPIServer, probe: RuleAPIServer},
		"API server, short":         {url: "https://kubernetes.default", proxy: RuleAPIServer, probe: RuleAPIServer},
		"API server, full name":     {url: "https://kubernetes.default.svc.cluster.local:443", proxy: RuleAPIServer, probe: RuleAPIServer},
		"API server, address":       {url: "https://10.96.0.1", proxy: RuleAPIServer, probe: RuleAPIServer},
		"API server, implied port":  {url: "https://192.168.7.10", probe: RuleOutOfReach},
		"decimal loopback":          {url: "http://2130706433", proxy: RuleLoopback, probe: RuleLoopback},
		"hexadecimal loopback":      {url: "http://0x7f000001", proxy: RuleLoopback, probe: RuleLoopback},
		"octal loopback":            {url: "http://0177.0.0.1", proxy: RuleLoopback, probe: RuleLoopback},
		"short loopback":            {url: "http://127.1", proxy: RuleLoopback, probe: RuleLoopback},
		"mixed metadata":            {url: "http://0xa9.254.0251.254", proxy: RuleMetadata, probe: RuleMetadata},
		"two-part metadata":         {url: "http://169.16689662", proxy: RuleMetadata, probe: RuleMetadata},
		"zero":                      {url: "http://0", proxy: RuleUnspecified, probe: RuleUnspecified},
		"lone 0x":                   {url: "http://0x", proxy: RuleUnspecified, probe: RuleUnspecified},
		"mapped IPv6 metadata":      {url: "http://[::ffff:169.254.169.254]", proxy: RuleMetadata, probe: RuleMetadata},
		"mapped IPv6 metadata, hex": {url: "http://[::ffff:a9fe:a9fe]", proxy: RuleMetadata, probe: RuleMetadata},

		"public address, odd spelling": {url: "http://0x68.18.2.115", proxy: malformed, probe: malformed},
		"empty":                        {url: "", proxy: malformed, probe: malformed},
		"no scheme":                    {url: "api.groq.com", proxy: malformed, probe: malformed},
		"scheme-relative":              {url: "//api.groq.com", proxy: malformed, probe: malformed},
		"other scheme":                 {url: "ftp://api.groq.com", proxy: malformed, probe: malformed},
		"file":                         {url: "file:///etc/passwd", proxy: malformed, probe: malformed},
		"opaque":                       {url: "http:api.groq.com", proxy: malformed, probe: malformed},
		"no host":                      {url: "https:///v1", proxy: malformed, probe: malformed},
		"port only":                    {url: "https://:443/v1", proxy: malformed, probe: malformed},
		"user":                         {url: "https://user@api.groq.com", proxy: malformed, probe: malformed},
		"password":                     {url: "https://user:pass@api.groq.com", proxy: malformed, probe: malformed},
		"host hidden behind user":      {url: "https://api.groq.com@169.254.169.254", proxy: malformed, probe: malformed},
		"backslash":                    {url: `https://api.groq.com\@169.254.169.254`, proxy: malformed, probe: malformed},
		"query":                        {url: "https://api.groq.com?key=1", proxy: malformed, probe: malformed},
		"empty query":                  {url: "https://api.groq.com?", proxy: malformed, probe: malformed},
		"fragment":                     {url: "https://api.groq.com#a", proxy: malformed, probe: malformed},
		"empty fragment":               {url: "https://api.groq.com/v1#", proxy: malformed, probe: malformed},
		"space":                        {url: "https://api.groq.com /v1", proxy: malformed, probe: malformed},
		"padded":                       {url: " https://api.groq.com", proxy: malformed, probe: malformed},
		"line break":                   {url: "https://api.groq.com\r\nX: y", proxy: malformed, probe: malformed},
		"port zero":                    {url: "https://api.groq.com:0", proxy: malformed, probe: malformed},
		"port too large":               {url: "https://api.groq.com:65536", proxy: malformed, probe: malformed},
		"port without digits":          {url: "https://api.groq.com:", proxy: malformed, probe: malformed},
		"port that is a word":          {url: "https://api.groq.com:http", proxy: malformed, probe: malformed},
		"fullwidth digits":             {url: "http://１２７.0.0.1", proxy: malformed, probe: malformed},
		"ideographic full stop":        {url: "http://127。0。0。1", proxy: malformed, probe: malformed},
		"escaped host":                 {url: "http://%6c%6f%63alhost", proxy: malformed, probe: malformed},
		"zone":                         {url: "http://[fe80::1%25eth0]", proxy: malformed, probe: malformed},
		"open bracket":                 {url: "http://[::1", proxy: malformed, probe: malformed},
		"empty label":                  {url: "http://api..com", proxy: malformed, probe: malformed},
		"leading dot":                  {url: "http://.api.com", proxy: malformed, probe: malformed},
		"label with hyphen":            {url: "http://-api.com", proxy: malformed, probe: malformed},
		"long label":                   {url: "http://" + strings.Repeat("a", 64) + ".com", proxy: malformed, probe: malformed},
		"long name":                    {url: "http://" + strings.Repeat("abcdefg.", 32) + "com", proxy: malformed, probe: malformed},
		"too many numbers":             {url: "http://1.2.3.4.5", proxy: malformed, probe: malformed},
		"number out of range":          {url: "http://1.2.3.256", proxy: malformed, probe: malformed},
		"numeric top level":            {url: "http://api.groq.123", proxy: malformed, probe: malformed},
		"parent path":                  {url: "https://api.groq.com/a/../b", proxy: malformed, probe: malformed},
		"escaped parent path":          {url: "https://api.groq.com/a/%2e%2e/b", proxy: malformed, probe: malformed},
		"double slash":                 {url: "https://api.groq.com//v1", proxy: malformed, probe: malformed},
		"escaped line break":           {url: "https://api.groq.com/%0d%0a", proxy: malformed, probe: malformed},
		"long":                         {url: "https://api.groq.com/" + strings.Repeat("a", 2048), proxy: malformed, probe: malformed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := ruleOf(t, ProxyPolicy(clusterRules()).CheckURL(tc.url)); got != tc.proxy {
				t.Errorf("proxy: %q, want %q", got, tc.proxy)
			}
			if got := ruleOf(t, ProbePolicy(clusterRules(), "team-a").CheckURL(tc.url)); got != tc.probe {
				t.Errorf("probe: %q, want %q", got, tc.probe)
			}
		})
	}
}

func TestCheckURLOpened(t *testing.T) {
	api := clusterRules()
	api.Allow = prefixes(t, "10.96.0.1/32", "192.168.7.0/24")
	cases := map[string]struct {
		rules Rules
		url   string
		probe bool
		want  Rule
	}{
		"localhost":                     {rules: Rules{Allow: prefixes(t, "127.0.0.0/8")}, url: "http://localhost:1"},
		"localhost, probe":              {rules: Rules{Allow: prefixes(t, "127.0.0.0/8")}, url: "http://localhost:1", probe: true},
		"loopback IPv6 stays":           {rules: Rules{Allow: prefixes(t, "127.0.0.0/8")}, url: "http://[::1]", want: RuleLoopback},
		"metadata by name":              {rules: Rules{Allow: prefixes(t, "169.254.169.254/32")}, url: "http://metadata.google.internal"},
		"API server, all addresses":     {rules: api, url: "https://kubernetes.default.svc"},
		"API server, addresses unknown": {rules: Rules{Allow: prefixes(t, "10.0.0.0/8")}, url: "https://kubernetes.default.svc", want: RuleAPIServer},
		"foreign Service, reach":        {rules: Rules{ProbeReach: prefixes(t, "10.0.0.0/8")}, url: "http://a.team-b.svc", probe: true},
		"other cluster domain":          {rules: Rules{ClusterDomain: "corp.test."}, url: "http://a.team-b.svc.corp.test", probe: true, want: RuleOutOfReach},
		"own Service, other domain":     {rules: Rules{ClusterDomain: "Corp.test"}, url: "http://a.team-a.svc.corp.test", probe: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			policy := ProxyPolicy(tc.rules)
			if tc.probe {
				policy = ProbePolicy(tc.rules, "team-a")
			}
			if got := ruleOf(t, policy.CheckURL(tc.url)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	cases := map[string]struct {
		err  error
		want string
	}{
		"denied address": {
			err: ProxyPolicy(Rules{}).CheckURL("http://0x7f.1"),
			want: "127.0.0.1 is a loopback address; " +
				"an endpoint may lead there only if the platform's configuration allows it",
		},
		"denied name": {
			err: ProxyPolicy(Rules{}).CheckURL("http://metadata.google.internal"),
			want: "metadata.google.internal is a cloud metadata service; " +
				"an endpoint may lead there only if the platform's configuration allows it",
		},
		"resolved": {
			err: &DeniedError{Host: "llama.test", Addr: netip.MustParseAddr("10.0.0.1"), Rule: RuleOutOfReach},
			want: "llama.test leads to 10.0.0.1, which is a private address that health probes may not reach: " +
				"use a Service of the credential's own namespace, or ask the platform team to allow it",
		},
		"malformed": {
			err:  ProxyPolicy(Rules{}).CheckURL("http://127.0.0.1:99999"),
			want: "endpoint has a port outside 1 to 65535",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.err == nil || tc.err.Error() != tc.want {
				t.Errorf("got %v, want %s", tc.err, tc.want)
			}
		})
	}
}

func TestMessagesRepeatNoPassword(t *testing.T) {
	for _, raw := range []string{"https://me:hunter2@api.test", "https://me:hunter2@api.test:bad", "https://api.test?k=hunter2", "hunter2"} {
		if err := ProxyPolicy(Rules{}).CheckURL(raw); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("CheckURL(%q) says %v", raw, err)
		}
	}
}

// FuzzCheckURL checks that whatever is accepted is plain, and that a host which reads as an address in any way was
// judged as one.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{
		"https://api.groq.com/openai/v1", "http://[::ffff:127.0.0.1]:80", "http://0x7f.1", "http://017700000001",
		"http://a@b", "http://localhost.", "http://[fe80::1%25eth0]", "http://1.2.3.4.", "https://x:0443/a%2fb",
	} {
		f.Add(seed)
	}
	policy := ProxyPolicy(Rules{})
	f.Fuzz(func(t *testing.T, raw string) {
		parsed, err := policy.ParseURL(raw)
		switch {
		case (parsed == nil) != (err != nil):
			t.Fatalf("ParseURL(%q) returned %v and %v", raw, parsed, err)
		case err == nil:
			checkAccepted(t, raw, parsed)
		case !IsDenied(err) && !IsURLError(err):
			t.Errorf("untyped error %v", err)
		}
	})
}

func checkAccepted(t *testing.T, raw string, parsed *url.URL) {
	t.Helper()
	if parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" || parsed.Hostname() == "" {
		t.Errorf("accepted %q", raw)
	}
	addr, err := netip.ParseAddr(parsed.Hostname())
	if err != nil {
		if _, loose := parseLooseIPv4(parsed.Hostname()); loose {
			t.Errorf("accepted the loose address in %q", raw)
		}
		return
	}
	if addr.IsLoopback() || addr.Unmap().IsLoopback() || addr.Unmap().IsLinkLocalUnicast() || addr.IsUnspecified() {
		t.Errorf("accepted the address in %q", raw)
	}
}
