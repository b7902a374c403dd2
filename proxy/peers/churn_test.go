package peers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// service is a headless Service whose answers are late: each reader sees an old list, never an older one than before, and sometimes nothing.
type service struct {
	lists []listing
}

// listing is what is true from a time on.
type listing struct {
	from  time.Time
	addrs []netip.AddrPort
}

func (s *service) change(edit func([]netip.AddrPort) []netip.AddrPort) {
	var last []netip.AddrPort
	if len(s.lists) > 0 {
		last = slices.Clone(s.lists[len(s.lists)-1].addrs)
	}
	s.lists = append(s.lists, listing{from: time.Now(), addrs: edit(last)})
}

func (s *service) add(addr netip.AddrPort) {
	s.change(func(addrs []netip.AddrPort) []netip.AddrPort {
		if slices.Contains(addrs, addr) {
			return addrs
		}
		return append(addrs, addr)
	})
}

func (s *service) remove(addr netip.AddrPort) {
	s.change(func(addrs []netip.AddrPort) []netip.AddrPort {
		return slices.DeleteFunc(addrs, func(a netip.AddrPort) bool { return a == addr })
	})
}

// churn is replicas that come and go.
type churn struct {
	*group
	random  *rand.Rand
	service *service
	guard   chan struct{} // held while the service is read or changed
	alive   []*replica
	number  int
}

func (c *churn) locked(act func()) {
	c.guard <- struct{}{}
	defer func() { <-c.guard }()
	act()
}

// reader is the Service as one replica sees it.
func (c *churn) reader() func(context.Context) ([]netip.AddrPort, error) {
	seen, random := 0, rand.New(rand.NewPCG(c.random.Uint64(), 1))
	return func(context.Context) (addrs []netip.AddrPort, err error) {
		c.locked(func() {
			if random.IntN(5) == 0 {
				err = errNoAnswer
				return
			}
			latest := time.Now().Add(-time.Duration(random.IntN(5000)) * time.Millisecond)
			for seen+1 < len(c.service.lists) && !c.service.lists[seen+1].from.After(latest) {
				seen++
			}
			addrs = c.service.lists[seen].addrs
		})
		return addrs, err
	}
}

// join starts a replica at an address.
func (c *churn) join(machine byte) {
	c.number++
	addr, id := at(machine), fmt.Sprintf("%c%d", 'a'+c.random.IntN(26), c.number)
	c.locked(func() { c.service.add(addr) })
	read := c.reader()
	c.alive = append(c.alive, launch(c.t, id, c.network.listen(addr), c.pair, func(o *Options) { o.Lookup, o.Dial = read, c.network.from(addr) }))
}

func (c *churn) freeMachine() byte {
	for {
		machine := byte(1 + c.random.IntN(12))
		if !slices.ContainsFunc(c.alive, func(r *replica) bool { return r.addr == at(machine) }) {
			return machine
		}
	}
}

// act lets one thing happen.
func (c *churn) act() {
	if len(c.alive) < 2 || len(c.alive) < 6 && c.random.IntN(2) == 0 {
		c.join(c.freeMachine())
		return
	}
	i := c.random.IntN(len(c.alive))
	one := c.alive[i]
	c.alive = slices.Delete(c.alive, i, i+1)
	switch c.random.IntN(3) {
	case 0: // the container starts again
		one.crash()
		c.join(one.addr.Addr().As4()[3])
	case 1: // the pod is gone without a word
		one.crash()
		c.locked(func() { c.service.remove(one.addr) })
	default: // the pod ends as it should
		one.Goodbye(c.t.Context())
		one.crash()
		c.locked(func() { c.service.remove(one.addr) })
	}
}

// check finds settled replicas that do not know each other.
func (c *churn) check(when string) {
	c.t.Helper()
	for _, one := range c.alive {
		knows := one.notes.knows()
		for _, other := range c.alive {
			if other != one && knows.settled && other.notes.knows().settled && !slices.Contains(knows.peers, other.id) {
				c.t.Fatalf("%s: %s and %s are settled, and %s knows only %v", when, one.id, other.id, one.id, knows.peers)
			}
		}
	}
}

// TestChurn: while replicas start, crash and end in all orders and the Service is late, two that are settled always know each other; in the end all who are
// there know each other and nobody else.
func TestChurn(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				c := &churn{group: newGroup(t), random: random, service: &service{}, guard: make(chan struct{}, 1)}
				for range 1 + random.IntN(3) {
					c.join(c.freeMachine())
				}
				for i := range 25 {
					for range random.IntN(40) {
						pass(100 * time.Millisecond)
						c.check(fmt.Sprint("step ", i))
					}
					c.act()
				}
				pass(time.Minute)
				expect(t, "in the end", c.alive...)
				for _, r := range c.alive {
					if slices.Contains(r.tally.ends, "gave up") {
						t.Errorf("%s gave up", r.id)
					}
				}
			})
		})
	}
}
