package peers

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/control/controltest"
	"signalbox.dev/signalbox/proxy/table"
)

// notebook is a part that says one word, and keeps what it hears.
type notebook struct {
	mutex   sync.Mutex
	word    string
	heard   map[string]string // the last word of each peer
	count   int
	peers   []string
	settled bool
	history []announcement
	came    chan string // "peer:word" of each message that is new; nil for nobody who waits
}

func newNotebook() *notebook { return &notebook{heard: map[string]string{}} }

func (n *notebook) write(word string) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.word = word
}

func (n *notebook) Say(to string) json.RawMessage {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.word == "" {
		return nil
	}
	said, err := json.Marshal(map[string]string{"for": to, "word": n.word})
	if err != nil {
		return nil
	}
	return said
}

// errUnreadable is what a notebook answers to what it cannot read.
var errUnreadable = errors.New("unreadable")

func (n *notebook) Hear(from string, said json.RawMessage) error {
	var read map[string]string
	if err := json.Unmarshal(said, &read); err != nil {
		return errUnreadable
	}
	n.mutex.Lock()
	fresh := n.heard[from] != read["word"]
	n.heard[from] = read["word"]
	n.count++
	n.mutex.Unlock()
	if fresh && n.came != nil {
		n.came <- from + ":" + read["word"]
	}
	return nil
}

func (n *notebook) Members(peers []string, settled bool) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.peers, n.settled = peers, settled
	n.history = append(n.history, announcement{peers: peers, settled: settled})
}

// knows tells whom it was told of last.
func (n *notebook) knows() announcement {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return announcement{peers: n.peers, settled: n.settled}
}

func (n *notebook) lastWord(from string) string {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.heard[from]
}

// messages counts those of all peers.
func (n *notebook) messages() int {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.count
}

// tally counts what a mesh observes.
type tally struct {
	mutex             sync.Mutex
	known, ok, failed int
	ends              []string
}

func (o *tally) Known(peers int) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.known = peers
}

func (o *tally) Settled() { o.became("settled") }

func (o *tally) GaveUp() { o.became("gave up") }

func (o *tally) became(what string) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.ends = append(o.ends, what)
}

func (o *tally) Exchanged(err error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if err != nil {
		o.failed++
		return
	}
	o.ok++
}

func (o *tally) calls() int {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.ok + o.failed
}

func (o *tally) failures() int {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.failed
}

// replica is a mesh with its control port.
type replica struct {
	*Mesh
	id    string
	addr  netip.AddrPort
	notes *notebook
	tally *tally
	port  *control.Server
	known map[string]string // requests that it knows of
	hang  chan struct{}     // what questions for them wait for; nil for nothing
	stop  context.CancelFunc
	ended sync.WaitGroup
}

// group is a set of replicas that may know each other.
type group struct {
	t       *testing.T
	network *network
	dns     *directory
	pair    table.Control
}

func newGroup(t *testing.T) *group {
	return &group{t: t, network: newNetwork(), dns: &directory{}, pair: controltest.NewPair(t)}
}

// at is the address of a machine.
func at(machine byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, machine}), 8443)
}

// launch starts a replica on a listener, with a table if there is a pair.
func launch(t *testing.T, id string, listener net.Listener, pair table.Control, change func(*Options)) *replica {
	t.Helper()
	r := &replica{id: id, addr: netip.MustParseAddrPort(listener.Addr().String()), notes: newNotebook(), tally: &tally{}}
	options := Options{
		Self: id, Addr: r.addr, Identity: func() *control.Identity { return r.port.Identity() }, Parts: map[string]Part{"notes": r.notes},
		Observer: r.tally, Log: slog.New(slog.DiscardHandler),
	}
	change(&options)
	r.notes, _ = options.Parts["notes"].(*notebook)
	r.port = control.NewServer(control.Options{
		Stats: func() control.Stats { return control.Stats{} }, Log: options.Log, Answer: func(said []byte) ([]byte, error) { return r.Answer(said) },
		Generation: r.generation,
	})
	if len(pair.CertificatePEM) > 0 {
		r.use(t, pair)
	}
	r.Mesh = New(options)
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	r.ended.Go(func() {
		if err := r.port.Serve(ctx, listener); err != nil {
			t.Errorf("the control port of %s: %v", id, err)
		}
	})
	r.ended.Go(func() { r.Run(ctx) })
	t.Cleanup(r.crash)
	return r
}

// generation tells what the replica knows of a request.
func (r *replica) generation(id string) ([]byte, bool) {
	if r.hang != nil {
		<-r.hang
	}
	text, found := r.known[id]
	return []byte(text), found
}

// start starts a replica in the group's network.
func (g *group) start(id string, machine byte) *replica {
	g.t.Helper()
	return launch(g.t, id, g.network.listen(at(machine)), g.pair, func(o *Options) { o.Lookup, o.Dial = g.dns.lookup, g.network.from(at(machine)) })
}

// use puts a certificate in force.
func (r *replica) use(t *testing.T, pair table.Control) {
	t.Helper()
	if err := r.port.Use(&table.Table{Sequence: 1, Control: pair}); err != nil {
		t.Error(err)
	}
}

// crash ends a replica without a word.
func (r *replica) crash() {
	r.stop()
	r.ended.Wait()
}

// pass lets time pass until nothing moves any more.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// expect compares what replicas that are settled know with what they should: each other.
func expect(t *testing.T, when string, all ...*replica) {
	t.Helper()
	for _, r := range all {
		r.expect(t, when, announcement{peers: without(all, r), settled: true})
	}
}

// expect compares what a replica knows with what it should.
func (r *replica) expect(t *testing.T, when string, want announcement) {
	t.Helper()
	if got := r.notes.knows(); !slices.Equal(got.peers, want.peers) || got.settled != want.settled {
		t.Errorf("%s: %s knows %v, settled %v; want %v, settled %v", when, r.id, got.peers, got.settled, want.peers, want.settled)
	}
}

// without lists the ids of all replicas but one.
func without(all []*replica, one *replica) []string {
	var ids []string
	for _, other := range all {
		if other != one {
			ids = append(ids, other.id)
		}
	}
	slices.Sort(ids)
	return ids
}
