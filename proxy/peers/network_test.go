package peers

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// network is a network in memory, for tests whose clock is not the real one.
type network struct {
	mutex sync.Mutex
	hosts map[string]*host
	deaf  map[string]bool // "from>to": bytes that way are lost
}

func newNetwork() *network { return &network{hosts: map[string]*host{}, deaf: map[string]bool{}} }

// lose makes all bytes from one address to another get lost, or not any more.
func (n *network) lose(from, to netip.AddrPort, lost bool) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.deaf[from.String()+">"+to.String()] = lost
}

func (n *network) loses(from, to string) bool {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.deaf[from+">"+to]
}

// listen opens an address.
func (n *network) listen(addr netip.AddrPort) *host {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	h := &host{network: n, addr: addr, arrived: make(chan net.Conn), closed: make(chan struct{})}
	n.hosts[addr.String()] = h
	return h
}

// from is the way into the network from an address.
func (n *network) from(own netip.AddrPort) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, to string) (net.Conn, error) {
		if n.loses(own.String(), to) || n.loses(to, own.String()) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		n.mutex.Lock()
		h := n.hosts[to]
		n.mutex.Unlock()
		if h == nil {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		near, far := net.Pipe()
		select {
		case h.arrived <- &wire{Conn: far, network: n, from: to, to: own.String()}:
			return &wire{Conn: near, network: n, from: own.String(), to: to}, nil
		case <-h.closed:
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// host is a listener.
type host struct {
	network *network
	addr    netip.AddrPort
	arrived chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (h *host) Accept() (net.Conn, error) {
	select {
	case conn := <-h.arrived:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *host) Close() error {
	h.once.Do(func() {
		close(h.closed)
		h.network.mutex.Lock()
		defer h.network.mutex.Unlock()
		if h.network.hosts[h.addr.String()] == h {
			delete(h.network.hosts, h.addr.String())
		}
	})
	return nil
}

func (h *host) Addr() net.Addr { return net.TCPAddrFromAddrPort(h.addr) }

// wire is one end of a connection.
type wire struct {
	net.Conn
	network  *network
	from, to string
}

func (w *wire) Write(p []byte) (int, error) {
	if w.network.loses(w.from, w.to) {
		return len(p), nil
	}
	return w.Conn.Write(p)
}

// errNoAnswer is what a directory that is away says.
var errNoAnswer = errors.New("the resolver does not answer")

// directory is the Service's DNS.
type directory struct {
	mutex sync.Mutex
	addrs []netip.AddrPort
	err   error
}

func (d *directory) set(addrs ...netip.AddrPort) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.addrs, d.err = addrs, nil
}

func (d *directory) fail() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.err = errNoAnswer
}

func (d *directory) lookup(context.Context) ([]netip.AddrPort, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.addrs, d.err
}
