package upstream

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// farm is a host "vllm" with several servers, in memory. Each answers with its address and the request's body.
type farm struct {
	mu       sync.Mutex
	addrs    []netip.Addr
	failure  error // of lookups
	lookups  int
	hold     chan struct{} // what a lookup waits for, if anything
	refusing map[string]bool
	silent   map[string]bool // takes no connection and does not say so
	dying    map[string]bool // closes the connection once a request has come
	dialled  []string
}

func newFarm(servers int) *farm {
	f := &farm{refusing: map[string]bool{}, silent: map[string]bool{}, dying: map[string]bool{}}
	f.resize(servers)
	return f
}

func serverAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }

// resize makes the farm's servers 10.0.0.1 to 10.0.0.n.
func (f *farm) resize(servers int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addrs = nil
	for i := range servers {
		f.addrs = append(f.addrs, serverAddr(i+1))
	}
}

func (f *farm) set(change func(*farm)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// look returns how many lookups there were, and what was dialled since the last look.
func (f *farm) look() (lookups int, dialled []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dialled, f.dialled = f.dialled, nil
	return f.lookups, dialled
}

func (f *farm) Spreads(host string) bool { return strings.HasPrefix(host, "vllm") }

func (f *farm) Replicas(ctx context.Context, _ string) ([]netip.Addr, error) {
	f.mu.Lock()
	f.lookups++
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.addrs), f.failure
}

func (f *farm) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	f.mu.Lock()
	f.dialled = append(f.dialled, address)
	refusing, silent := f.refusing[address], f.silent[address]
	f.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if refusing {
		return nil, fmt.Errorf("dial %s: refused", address)
	}
	ours, theirs := net.Pipe()
	go f.serve(theirs, address)
	return ours, nil
}

func (f *farm) serve(nc net.Conn, address string) {
	defer func() { _ = nc.Close() }()
	c := newRawConn(nc)
	for {
		req := c.request()
		if req == nil {
			return
		}
		f.mu.Lock()
		dying := f.dying[address]
		f.mu.Unlock()
		body, err := io.ReadAll(req.Body)
		if dying || err != nil {
			return
		}
		text := address + " " + string(body)
		if !c.send("HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(text)) + "\r\n\r\n" + text) {
			return
		}
	}
}

func (f *farm) transport(t *testing.T, change func(*Options)) *Transport {
	t.Helper()
	return newTransport(t, func(o *Options) {
		o.DialContext, o.Resolver = f.DialContext, f
		if change != nil {
			change(o)
		}
	})
}

// ask sends a request with affinity and returns the address of the server that answered.
func ask(t *testing.T, transport *Transport, hash uint64) string {
	t.Helper()
	server, body, _ := strings.Cut(roundTrip(t, transport, affine(t, hash)).Body, " ")
	if body != "prompt" {
		t.Errorf("%s got the body %q", server, body)
	}
	return server
}

// begin sends a request and returns what ends its response.
func begin(t *testing.T, transport *Transport, req *http.Request) (end func()) {
	t.Helper()
	begun, ending, ended := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		resp, err := transport.RoundTrip(req)
		begun <- err
		if err != nil {
			return
		}
		<-ending
		_ = resp.Body.Close()
	}()
	if err := <-begun; err != nil {
		t.Fatal(err)
	}
	return func() {
		close(ending)
		<-ended
	}
}

func affine(t *testing.T, hash uint64) *http.Request {
	t.Helper()
	req := newRequest(t, http.MethodPost, "http://vllm", "prompt")
	return req.WithContext(WithAffinity(req.Context(), hash))
}

// inFlight sums the counts of all servers of the host.
func inFlight(transport *Transport) int64 {
	transport.services.mu.Lock()
	defer transport.services.mu.Unlock()
	var sum int64
	for _, known := range transport.services.known {
		known.mu.Lock()
		if known.set != nil {
			for _, r := range known.set.replicas {
				sum += r.inFlight.Load()
			}
		}
		known.mu.Unlock()
	}
	return sum
}
