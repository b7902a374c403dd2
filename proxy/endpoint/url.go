package endpoint

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxURL  = 2048
	maxName = 253
	maxPart = 63
)

// CheckURL says whether raw may be an endpoint: nil, a *URLError or a *DeniedError. It resolves no name.
func (p Policy) CheckURL(raw string) error {
	_, err := p.ParseURL(raw)
	return err
}

// ParseURL returns the endpoint that raw is, or a *URLError or *DeniedError. It accepts http and https URLs with a
// host and at most a port and a path: no user, query or fragment.
func (p Policy) ParseURL(raw string) (*url.URL, error) {
	parsed, err := parse(raw)
	if err != nil {
		return nil, err
	}
	port, err := checkPort(parsed)
	if err != nil {
		return nil, err
	}
	if err := checkPath(parsed); err != nil {
		return nil, err
	}
	if err := p.checkHost(parsed.Hostname(), port); err != nil {
		return nil, err
	}
	return parsed, nil
}

func parse(raw string) (*url.URL, error) {
	if raw == "" || len(raw) > maxURL {
		return nil, &URLError{fmt.Sprintf("has to have 1 to %d characters", maxURL)}
	}
	if strings.ContainsFunc(raw, unwelcome) {
		return nil, &URLError{"holds a space, a backslash, a control character or a character outside ASCII; " +
			"write an international name in its xn-- form"}
	}
	parsed, err := url.Parse(raw)
	if err != nil {
		// The parser's error quotes the URL, which may hold a password.
		return nil, &URLError{"is not a URL; write it like https://api.example.com/v1"}
	}
	if err := checkParts(parsed, raw); err != nil {
		return nil, err
	}
	return parsed, nil
}

// checkParts looks at which parts the URL has.
func checkParts(parsed *url.URL, raw string) error {
	switch {
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		return &URLError{"has to begin with https:// or http://"}
	case parsed.Opaque != "" || parsed.Hostname() == "":
		return &URLError{"has no host; write it like https://api.example.com/v1"}
	case parsed.User != nil:
		return &URLError{"holds a user name or password; keys belong in a Secret that spec.auth names"}
	case parsed.RawQuery != "" || parsed.ForceQuery || strings.Contains(raw, "#"):
		return &URLError{"has a query or a fragment; give scheme, host, port and path only"}
	}
	return nil
}

// unwelcome finds characters that programs read differently, or not at all, in a URL.
func unwelcome(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }

func checkPort(parsed *url.URL) (uint16, error) {
	text := parsed.Port()
	if text == "" {
		if strings.HasSuffix(parsed.Host, ":") {
			return 0, &URLError{"ends its host with a colon but has no port"}
		}
		if parsed.Scheme == "http" {
			return 80, nil
		}
		return 443, nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, &URLError{"has a port outside 1 to 65535"}
	}
	return uint16(port), nil
}

// checkPath refuses paths that a server might read as another one.
func checkPath(parsed *url.URL) error {
	for _, segment := range strings.Split(strings.Trim(parsed.Path, "/"), "/") {
		if segment == "." || segment == ".." {
			return &URLError{"has a path with . or .. in it"}
		}
	}
	if strings.Contains(parsed.Path, "//") || strings.ContainsFunc(parsed.Path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return &URLError{"has a path with // or a control character in it"}
	}
	return nil
}

func (p Policy) checkHost(host string, port uint16) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return &URLError{"has an IPv6 address with a zone"}
		}
		return p.CheckAddr(netip.AddrPortFrom(addr, port))
	}
	if addr, ok := parseLooseIPv4(host); ok {
		if err := p.CheckAddr(netip.AddrPortFrom(addr, port)); err != nil {
			return err
		}
		return &URLError{fmt.Sprintf("has an unusual spelling of an IPv4 address; write it as %s", addr)}
	}
	if err := checkNameForm(host); err != nil {
		return err
	}
	return p.checkName(host)
}

func checkNameForm(host string) error {
	name := strings.TrimSuffix(host, ".")
	if len(name) > maxName {
		return &URLError{fmt.Sprintf("has a host name of more than %d characters", maxName)}
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if !validLabel(label) {
			return &URLError{"has a host name with a part that is empty, longer than 63 characters, " +
				"or has other characters than letters, digits, - and _"}
		}
	}
	// A name whose last part is a number is an address to some programs and a name to others.
	if last := labels[len(labels)-1]; allDigits(last) || strings.HasPrefix(strings.ToLower(last), "0x") {
		return &URLError{"has a host that is neither a name nor an IP address"}
	}
	return nil
}

func validLabel(label string) bool {
	if label == "" || len(label) > maxPart || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(label, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

func allDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// parseLooseIPv4 reads an IPv4 address as inet_aton does: one to four numbers, decimal, octal with a leading 0 or
// hexadecimal with 0x, the last of which fills the bytes that are left.
func parseLooseIPv4(host string) (netip.Addr, bool) {
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var value uint64
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		n, ok := parseLooseNumber(part, bits)
		if !ok {
			return netip.Addr{}, false
		}
		value = value<<bits | n
	}
	return netip.AddrFrom4([4]byte{
		byte(value >> 24 & 0xff), byte(value >> 16 & 0xff), byte(value >> 8 & 0xff), byte(value & 0xff),
	}), true
}

func parseLooseNumber(s string, bits int) (uint64, bool) {
	base := 10
	switch {
	case strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X"):
		s, base = s[2:], 16
		if s == "" {
			s = "0" // inet_aton reads a lone 0x as zero
		}
	case len(s) > 1 && s[0] == '0':
		base = 8
	}
	n, err := strconv.ParseUint(s, base, bits)
	return n, err == nil
}
