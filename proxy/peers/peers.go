// Package peers lets the replicas of a namespace's proxy tell each other things over their control ports. It knows who the replicas are; what they say is
// the business of its parts.
//
// Replicas find each other by the headless Service of the control ports, which lists their addresses, and by what other replicas tell them. Each two
// exchange messages about twice a second, and at once when a part has news. A replica that is known stays known until it says that it ends, another process
// answers at its address, or it is silent and the Service, asked after that, no longer lists it. A resolver that does not answer changes nothing. So a
// replica that is only out of reach is still reckoned with.
//
// A replica is settled once the Service lists it and it has exchanged messages with every address that is listed and every replica that it was told of.
// Of two replicas that start at the same time at least one finds the other: an address that is listed later is listed together with the earlier one. It
// waits for that at most 15 s; then it goes on with what it knows.
package peers

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/control"
)

// DefaultInterval is the time between two exchanges of two replicas when nothing happens.
const DefaultInterval = 500 * time.Millisecond

// Part is something that has to say to the same part of other replicas. Its methods must not block and may be called by any number of goroutines.
type Part interface {
	// Say is what a peer is to be told now; nil for nothing.
	Say(to string) json.RawMessage
	// Hear takes in what a peer said. What was on its way while the peer went may come after Members.
	Hear(from string, said json.RawMessage) error
	// Members tells who the other live replicas are, whenever that changes. settled tells that all of them are known and each was exchanged with.
	Members(peers []string, settled bool)
}

// Observer counts. Its methods must not block and may be called by any number of goroutines.
type Observer interface {
	// Known tells how many other replicas are known.
	Known(peers int)
	// Settled tells that all other replicas are known, and GaveUp that this one goes on without having found them all. One of them is called once.
	Settled()
	GaveUp()
	// Exchanged counts a call of another replica by its error; nil for none.
	Exchanged(err error)
}

// Options of a Mesh. All are required but Interval and Dial.
type Options struct {
	// Self is the id of this replica, never used again by another: that of the pod and of the start of the container.
	Self string
	// Addr is where the others can call this replica.
	Addr netip.AddrPort
	// Lookup asks the Service for the addresses of all replicas, this one too.
	Lookup func(context.Context) ([]netip.AddrPort, error)
	// Identity returns the newest identity; nil while there is none.
	Identity func() *control.Identity
	// Parts by name.
	Parts map[string]Part
	// Observer counts.
	Observer Observer
	// Log takes who comes and goes.
	Log *slog.Logger
	// Interval between two exchanges of two replicas; 0 means DefaultInterval.
	Interval time.Duration
	// Dial opens connections; nil means the network's own way.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Mesh is this replica's view of the others. Its methods may be called by any number of goroutines.
type Mesh struct {
	options Options
	caller  *control.Caller
	kick    chan struct{} // a part has news
	found   chan struct{} // the Service has answered
	running sync.WaitGroup

	mutex   sync.Mutex
	roster  *roster
	lines   map[netip.AddrPort]*line
	views   map[string]string    // the digest that each replica told last
	deaf    map[hearing]struct{} // what could not be heard last time
	leaving bool
	asking  bool
	asked   time.Time

	telling sync.Mutex // keeps what the parts are told of members in order
	told    announcement
}

// New returns a mesh that knows nobody, and tells the parts so: until Run has found the others, nothing is settled.
func New(options Options) *Mesh {
	if options.Interval == 0 {
		options.Interval = DefaultInterval
	}
	m := &Mesh{
		options: options, caller: &control.Caller{Dial: options.Dial}, kick: make(chan struct{}, 1), found: make(chan struct{}, 1), roster: newRoster(options.Self, options.Addr),
		lines: map[netip.AddrPort]*line{}, views: map[string]string{}, deaf: map[hearing]struct{}{},
	}
	for _, part := range options.Parts {
		part.Members(nil, false)
	}
	return m
}

// Settled tells whether all other replicas are known, or were waited for long enough.
func (m *Mesh) Settled() bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.roster.settled
}

// Kick asks for an exchange with every replica at once, because a part has news. It does not wait; several within a short time are one.
func (m *Mesh) Kick() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}
