package upstream

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	// connectShares is into how many parts the time to connect is divided: each server but the last one gets one of them,
	// 1.2 s of 6 s, and the last one all that are left.
	connectShares = 5
	// golden is the odd number nearest to 2^64 divided by the golden ratio. Its multiples are spread evenly.
	golden = 0x9e3779b97f4a7c15
)

// delivery is the way of one request to a response.
type delivery struct {
	transport *Transport
	req       *http.Request // with its body unread wherever another try may follow
	target    string        // of the request line
	to        destination
	vigil     *vigil
	connected bool // the last run had a connection, or one was refused on purpose
}

// deliver sends the request to the host, or to one of its servers where it has several.
func (d *delivery) deliver() (*http.Response, error) {
	ctx, t := d.req.Context(), d.transport
	d.to = destination{key: t.key(d.req), patience: t.options.DialTimeout}
	servers, err := t.services.find(ctx, d.to.key, d.req.URL)
	if err != nil {
		return nil, fail(ctx, nil, NotSent, fmt.Errorf("connecting to %s: %w", d.req.URL.Host, err))
	}
	if servers == nil {
		return d.run()
	}
	return d.spread(servers)
}

// run sends the request over an idle connection, or over a fresh one where there is none or it turns out to be dead.
func (d *delivery) run() (*http.Response, error) {
	d.connected = true
	if c := d.transport.pool.take(d.to.key); c != nil {
		try := d.attempt(c)
		resp, err := try.run()
		if err == nil || !try.mayRepeat() {
			return resp, err
		}
		if d.req, err = try.rewound(); err != nil {
			return nil, err
		}
	}
	d.vigil.connecting()
	c, err := d.transport.dial(d.req.Context(), &d.to, d.req.URL)
	if err != nil {
		// A server that refuses TLS with an alert is there, and its equals would refuse it too.
		d.connected = handshakeRefused(err)
		return nil, err
	}
	return d.attempt(c).run()
}

func (d *delivery) attempt(c *conn) *attempt {
	c.maxPerKey = d.to.maxIdle
	d.vigil.connected(c.raw, c.key)
	return &attempt{transport: d.transport, conn: c, vigil: d.vigil, server: d.to.server, req: d.req, target: d.target}
}

// spread sends the request to one of several servers. When that one takes no connection the next one is tried, a few
// times.
func (d *delivery) spread(servers *replicaSet) (resp *http.Response, err error) {
	ctx := d.req.Context()
	order := d.transport.order(ctx, servers, time.Now())
	last := order.count() - 1
	for i := range last + 1 {
		share := 1
		if i == last {
			share = connectShares - last
		}
		d.to = destination{
			key: order[i].key, address: order[i].address, server: order[i], maxIdle: servers.maxIdle,
			patience: d.transport.options.DialTimeout * time.Duration(share) / connectShares,
		}
		resp, err = d.visit(ctx)
		if d.connected || ctx.Err() != nil {
			return resp, err
		}
	}
	return resp, err
}

// visit sends the request to the one server that the delivery points to, and notes whether it takes connections.
func (d *delivery) visit(ctx context.Context) (*http.Response, error) {
	server := d.to.server
	server.enter(time.Now())
	resp, err := d.run()
	if err != nil {
		server.leave()
	}
	switch {
	case d.connected:
		server.reached()
	case ctx.Err() == nil:
		server.unreached(time.Now())
	}
	return resp, err
}

// order chooses the servers that a request tries.
func (t *Transport) order(ctx context.Context, servers *replicaSet, now time.Time) order {
	if hash, found := affinityOf(ctx); found {
		return servers.byAffinity(hash, now)
	}
	return servers.byLoad(mix(t.spread.Add(golden)), now)
}
