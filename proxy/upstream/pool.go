package upstream

import (
	"sync"
	"time"
)

// keepAliveMargin is how much earlier than announced a connection is given up, for the time that a request needs to
// reach the server.
const keepAliveMargin = time.Second

// poolKey names the connections that are interchangeable. The host is as it stands in the URL, with its port if any,
// and with the address behind it where the host has several.
type poolKey struct {
	scheme, host, serverName string
}

// pool keeps idle connections. It owns no goroutine: one timer runs while there is something to expire.
type pool struct {
	maxPerKey int
	timeout   time.Duration

	mu    sync.Mutex
	idle  map[poolKey][]*conn // the most recently used one is last
	timer *time.Timer
}

func newPool(maxPerKey int, timeout time.Duration) *pool {
	return &pool{maxPerKey: maxPerKey, timeout: timeout, idle: map[poolKey][]*conn{}}
}

// take returns the most recently used connection that is alive, or nil. It closes those that are not.
func (p *pool) take(key poolKey) *conn {
	for {
		c := p.pop(key)
		if c == nil {
			return nil
		}
		if time.Now().Before(c.expires) && alive(c.raw) {
			return c
		}
		c.close()
	}
}

func (p *pool) pop(key poolKey) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := p.idle[key]
	if len(conns) == 0 {
		return nil
	}
	last := len(conns) - 1
	c := conns[last]
	conns[last] = nil
	p.idle[key] = conns[:last]
	return c
}

// put keeps c for the next request, or closes it when there are enough.
func (p *pool) put(c *conn) {
	timeout := p.timeout
	if c.maxIdle > 0 {
		timeout = min(timeout, c.maxIdle-keepAliveMargin)
	}
	if timeout <= 0 || !p.push(c, timeout) {
		c.close()
	}
}

func (p *pool) push(c *conn, timeout time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	most := p.maxPerKey
	if c.maxPerKey > 0 {
		most = c.maxPerKey
	}
	if len(p.idle[c.key]) >= most {
		return false
	}
	c.park()
	c.expires = time.Now().Add(timeout)
	p.idle[c.key] = append(p.idle[c.key], c)
	if p.timer == nil {
		p.timer = time.AfterFunc(timeout, p.expire)
	}
	return true
}

// expire closes the connections whose time is over and runs again while there are others.
func (p *pool) expire() {
	p.mu.Lock()
	now := time.Now()
	var expired []*conn
	next := p.timeout
	for key, conns := range p.idle {
		kept := conns[:0]
		for _, c := range conns {
			if !now.Before(c.expires) {
				expired = append(expired, c)
				continue
			}
			kept = append(kept, c)
			next = min(next, c.expires.Sub(now))
		}
		clear(conns[len(kept):])
		p.idle[key] = kept
		if len(kept) == 0 {
			delete(p.idle, key)
		}
	}
	p.timer = nil
	if len(p.idle) > 0 {
		p.timer = time.AfterFunc(next, p.expire)
	}
	p.mu.Unlock()
	closeAll(expired)
}

// closeIdle closes every idle connection.
func (p *pool) closeIdle() {
	p.mu.Lock()
	var conns []*conn
	for _, idle := range p.idle {
		conns = append(conns, idle...)
	}
	clear(p.idle)
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	closeAll(conns)
}

// discard closes the idle connections of the keys.
func (p *pool) discard(keys []poolKey) {
	var conns []*conn
	p.mu.Lock()
	for _, key := range keys {
		conns = append(conns, p.idle[key]...)
		delete(p.idle, key)
	}
	p.mu.Unlock()
	closeAll(conns)
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.close()
	}
}
