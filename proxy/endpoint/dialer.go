package endpoint

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

const (
	// keepAlive is how long a connection may be silent until the kernel asks whether its other end is still there, and asks again; after keepAlives questions
	// without an answer the connection is broken. An end that is there answers, however long it thinks about what it was sent: this finds within 15 s that one
	// has gone that had taken a request, or that idle connections lead nowhere.
	keepAlive  = 5 * time.Second
	keepAlives = 2
)

// Dialer opens connections that a Policy allows. Its zero policy allows nothing worth having; give it one. It is safe
// for concurrent use.
type Dialer struct {
	// Policy is applied to the name first, and to every address right before a connection to it is opened.
	Policy Policy
	// Timeout bounds name resolution and connect; zero means that only the context does.
	Timeout time.Duration
	// Resolver resolves names; nil means net.DefaultResolver.
	Resolver *net.Resolver
}

// DialContext connects to "host:port". A denied name or address is a *DeniedError in the error's chain.
//
// A probe policy resolves the Services of its namespace by their full names, wherever this program runs, and every
// other name without the search list of this program's pod.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return d.dial(ctx, network, target{host: addr.String(), port: port, policy: d.Policy})
	}
	if err := d.Policy.checkName(host); err != nil {
		return nil, err
	}
	for _, candidate := range d.Policy.targets(host, port) {
		var conn net.Conn
		if conn, err = d.dial(ctx, network, candidate); !notFound(err) {
			return conn, err
		}
	}
	return nil, err
}

// target is a name to resolve, as the resolver should see it.
type target struct {
	name       string // as it was written, for errors; empty for an address
	host, port string
	policy     Policy // applied to the addresses it leads to
}

// targets returns what the host may stand for, in order; the next one counts only where the one before does not exist.
func (p Policy) targets(host, port string) []target {
	if !p.probe || loopbackName(normalName(host)) {
		return []target{{name: host, host: host, port: port, policy: p}}
	}
	// A name with a final dot is resolved as it is, without search list.
	rooted := normalName(host) + "."
	if strings.HasSuffix(rooted, ".svc.") {
		rooted += p.rules.ClusterDomain + "."
	}
	public := target{name: host, host: rooted, port: port, policy: p}
	service := p.service(normalName(host))
	if service == "" {
		return []target{public}
	}
	own := target{name: host, host: service + ".", port: port, policy: p.reachingPrivate()}
	if p.inCluster(normalName(host)) {
		return []target{own}
	}
	return []target{own, public} // "llama.team-a" could be a Service or a public name
}

func (d *Dialer) dial(ctx context.Context, network string, to target) (net.Conn, error) {
	dialer := net.Dialer{
		Timeout:         d.Timeout,
		Resolver:        d.Resolver,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive, Count: keepAlives},
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			return to.check(address)
		},
	}
	return dialer.DialContext(ctx, network, net.JoinHostPort(to.host, to.port))
}

// check judges the address that the operating system is about to be asked to connect to.
func (t target) check(address string) error {
	resolved, err := netip.ParseAddrPort(address)
	if err != nil {
		return &DeniedError{Host: t.name, Rule: RuleUnspecified}
	}
	var denied *DeniedError
	if err := t.policy.CheckAddr(resolved); errors.As(err, &denied) {
		denied.Host = t.name
		return denied
	}
	return nil
}

func notFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}
