package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// errNoIdentity is returned while there is no certificate to call with.
var errNoIdentity = errors.New("no routing table yet")

// exchange calls an address, says what there is to say and takes in the answer. It returns true if the replica that answered is another one than was
// expected: it was told nothing but who calls.
func (m *Mesh) exchange(ctx context.Context, to call) (other bool) {
	answer, err := m.call(ctx, to)
	if ctx.Err() != nil {
		return false
	}
	m.options.Observer.Exchanged(err)
	if err != nil {
		m.options.Log.Debug("a replica did not answer", "addr", to.addr.String(), "error", err)
		m.unanswered(to.addr, err)
		return false
	}
	if !m.take(answer, to.addr) {
		return false
	}
	m.hear(answer)
	return answer.From != to.to
}

// call calls an address and returns the answer.
func (m *Mesh) call(ctx context.Context, to call) (message, error) {
	identity := m.options.Identity()
	if identity == nil {
		return message{}, errNoIdentity
	}
	text, err := json.Marshal(m.compose(to.to, m.viewOf(to.to)))
	if err != nil {
		return message{}, fmt.Errorf("encoding a message: %w", err)
	}
	said, err := m.caller.Exchange(ctx, to.addr.String(), identity, text)
	if err != nil {
		return message{}, err
	}
	return decode(said)
}

// Answer takes what another replica says and returns what it is told in turn: the control port calls it. It returns an error for a message that cannot be
// read.
func (m *Mesh) Answer(said []byte) ([]byte, error) {
	heard, err := decode(said)
	if err != nil {
		return nil, err
	}
	var answer message
	if m.take(heard, netip.AddrPort{}) {
		m.hear(heard)
		answer = m.compose(heard.From, heard.View)
	} else {
		answer = m.bare(heard.From)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("encoding an answer: %w", err)
	}
	return text, nil
}

// bare is a message that tells no more than who sends it.
func (m *Mesh) bare(to string) message {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return message{From: m.options.Self, Addr: m.options.Addr, To: to, Leaving: m.leaving}
}

// compose is a message to a replica whose view has a digest. One whose id is not known yet is told nothing by the parts.
func (m *Mesh) compose(to, view string) message {
	built := m.bare(to)
	if built.Leaving {
		return built
	}
	m.mutex.Lock()
	others := m.roster.known()
	m.mutex.Unlock()
	built.View = digest(m.roster.self, others)
	if built.View != view {
		built.Members = others
	}
	if to == "" {
		return built
	}
	built.Parts = map[string]json.RawMessage{}
	for name, part := range m.options.Parts {
		said := part.Say(to)
		switch {
		case said == nil:
		case len(said) > maxPartBytes || !json.Valid(said):
			m.options.Log.Error("what a part says cannot be sent", "part", name, "bytes", len(said))
		default:
			built.Parts[name] = said
		}
	}
	return built
}

// viewOf is the digest that a replica told last; empty if it did not.
func (m *Mesh) viewOf(id string) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.views[id]
}

// take takes in who a message is from and whom it tells of. called is the address that it is the answer of; not valid for a request. It returns false for
// a message that has nothing else to say: that of this replica itself, of one that ends and of one that is gone.
func (m *Mesh) take(heard message, called netip.AddrPort) bool {
	now := time.Now()
	m.mutex.Lock()
	taken := m.enter(heard, called, now)
	if taken {
		m.views[heard.From] = heard.View
		m.roster.told(heard.Members, now)
	}
	m.mutex.Unlock()
	m.announce()
	return taken
}

// enter needs the mutex to be held.
func (m *Mesh) enter(heard message, called netip.AddrPort, now time.Time) bool {
	from := member{ID: heard.From, Addr: heard.Addr, met: heard.To == m.options.Self}
	if called.IsValid() {
		m.roster.answered(called, heard.From, now)
		from.Addr = called
	}
	switch {
	case heard.From == m.options.Self:
		return false
	case heard.Leaving:
		m.roster.left(heard.From, now)
		return false
	default:
		return m.roster.heard(from, now)
	}
}

// unanswered takes note of a call that failed.
func (m *Mesh) unanswered(addr netip.AddrPort, err error) {
	m.mutex.Lock()
	if errors.Is(err, syscall.ECONNREFUSED) {
		m.roster.refused(addr, time.Now())
	} else {
		m.roster.unanswered(addr)
	}
	m.mutex.Unlock()
	m.announce()
}

// hearing is a part that a replica speaks to.
type hearing struct{ peer, part string }

// hear hands what is meant for this replica to its parts. Parts that this version does not have are passed over.
func (m *Mesh) hear(heard message) {
	if heard.To != m.options.Self {
		return
	}
	for name, said := range heard.Parts {
		part, known := m.options.Parts[name]
		if !known {
			continue
		}
		m.note(hearing{peer: heard.From, part: name}, len(said), part.Hear(heard.From, said))
	}
}

// note logs what could not be heard, once until something was. The error is left out, for it may hold what was said.
func (m *Mesh) note(h hearing, size int, err error) {
	m.mutex.Lock()
	_, deaf := m.deaf[h]
	if err == nil {
		delete(m.deaf, h)
	} else {
		m.deaf[h] = struct{}{}
	}
	m.mutex.Unlock()
	if err != nil && !deaf {
		m.options.Log.Warn("what a replica said cannot be read", "peer", h.peer, "part", h.part, "bytes", size)
	}
}

// Goodbye tells all other replicas that this one ends, so that they need not reckon with it any more. Nothing must be said or counted after it: call it
// once the last request has been answered. It returns when all have heard it or did not answer in time.
func (m *Mesh) Goodbye(ctx context.Context) {
	m.mutex.Lock()
	m.leaving = true
	calls := m.roster.all()
	m.mutex.Unlock()
	var calling sync.WaitGroup
	for _, to := range calls {
		calling.Go(func() { m.depart(ctx, to) })
	}
	calling.Wait()
}

// depart says goodbye to a replica, a second time if the first was lost: without it the others reckon with this one until its pod is gone.
func (m *Mesh) depart(ctx context.Context, to call) {
	for range 2 {
		_, err := m.call(ctx, to)
		if err == nil {
			return
		}
		m.options.Log.Debug("a replica did not hear that this one ends", "addr", to.addr.String(), "error", err)
	}
}
