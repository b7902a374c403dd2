package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/ledgertest"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// dollar is the limit that the replicas share, in nano-dollars.
	dollar = int64(1_000_000_000)
	// percent of the limit.
	percent = dollar / 100
	// replicas that share the limit, and clients of each of them.
	replicas, clients = 8, 5
)

// provider is what the providers and the callers see: the truth that the ledger is compared with.
type provider struct {
	mu sync.Mutex
	// spent was served, open is reserved for calls that are under way.
	spent, open int64
	// peak is the most that was spent and open at any time of the instant at, so that it does not matter in which order the goroutines of one instant run.
	peak int64
	at   time.Time
	// admitted counts calls, small the small ones that were admitted after a large one had been refused.
	admitted, small int
	denials         []denial
}

// denial is a call that was refused.
type denial struct {
	ask int64
	// full is the most that was spent and open when it was refused.
	full    int64
	refusal ledger.Refusal
	waited  time.Duration
}

// note takes in a change of what is spent and open.
func (p *provider) note(spent, open int64) {
	if now := time.Now(); !now.Equal(p.at) {
		p.at, p.peak = now, p.spent+p.open
	}
	p.spent += spent
	p.open += open
	p.peak = max(p.peak, p.spent+p.open)
}

func (p *provider) admit(ask int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(0, ask)
	p.admitted++
	if ask < percent/2 && len(p.denials) > 0 {
		p.small++
	}
}

func (p *provider) settle(ask, cost int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(cost, -ask)
}

func (p *provider) deny(ask int64, refusal ledger.Refusal, waited time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(0, 0)
	p.denials = append(p.denials, denial{ask: ask, full: p.peak, refusal: refusal, waited: waited})
}

// node is one replica: a book and the keeper that moves it.
type node struct {
	book   *ledger.Book
	keeper *ledger.Keeper
	budget []*ledger.Budget
	by     *ledger.Claimant
}

// reserve asks for one call and waits for as long as it takes.
func (n *node) reserve(ask int64, reservation *ledger.Reservation) *ledger.Refusal {
	return n.book.Reserve(context.Background(), time.Now(), n.budget, n.by, ledger.Ask{Nano: ask}, reservation)
}

// hard returns a Hard budget of one dollar that never starts afresh.
func hard() table.Budget {
	return table.Budget{
		Object: table.Object{Name: "team"}, Limit: dollar, Period: "Total", TimeZone: "UTC", Enforcement: table.Hard, Ledger: ledger.Name("team"),
	}
}

// startNode starts a replica. The function that is returned ends it.
func startNode(store ledger.Store, pod string) (*node, func()) {
	book := ledger.NewBook(ledger.NewOwner(pod, time.Now()))
	keeper := ledger.NewKeeper(book, store, ledger.KeeperOptions{})
	started := &node{book: book, keeper: keeper, budget: book.Use([]table.Budget{hard()}, time.Now()), by: &ledger.Claimant{}}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { keeper.Run(ctx) })
	return started, func() {
		cancel()
		running.Wait()
	}
}

// call makes one call that lasts for a while and costs a part of what it asked for, and tells whether it was admitted.
func (p *provider) call(n *node, ask int64, rng *rand.Rand) bool {
	begun := time.Now()
	var reservation ledger.Reservation
	if refusal := n.reserve(ask, &reservation); refusal != nil {
		p.deny(ask, *refusal, time.Since(begun))
		return false
	}
	p.admit(ask)
	<-time.After(time.Duration(100+rng.IntN(900)) * time.Millisecond)
	cost := ask * int64(30+rng.IntN(71)) / 100
	p.settle(ask, cost)
	reservation.Settle(ledger.Charge{Nano: cost}, nil)
	return true
}

// client calls until two calls in a row are refused. The first client of a replica asks for a lot.
func (p *provider) client(n *node, number int, rng *rand.Rand) {
	for refused := 0; refused < 2; {
		ask := percent/20 + rng.Int64N(percent/4)
		if number == 0 {
			ask = percent + rng.Int64N(4*percent)
		}
		if p.call(n, ask, rng) {
			refused = 0
		} else {
			refused++
		}
		<-time.After(time.Duration(rng.IntN(200)) * time.Millisecond)
	}
}

// TestNearTheLimit has eight replicas spend one dollar to its end.
func TestNearTheLimit(t *testing.T) {
	for name, tc := range map[string]struct {
		// least and most that a message to or from the store takes.
		least, most time.Duration
		seed        uint64
	}{
		"a store next door": {2 * time.Millisecond, 10 * time.Millisecond, 1},
		"an API server":     {5 * time.Millisecond, 60 * time.Millisecond, 2},
		"a slow store":      {30 * time.Millisecond, 70 * time.Millisecond, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(tc.seed, 0))
				store := ledgertest.NewStore(func() time.Duration { return tc.least + time.Duration(random.Int64N(int64(tc.most-tc.least))) })
				store.Create(ledger.Name("team"))
				exhaust(t, store, tc.seed, 2*(tc.most-tc.least))
			})
		})
	}
}

// exhaust spends the limit and checks what was seen on the way. spread is how much closer than they were begun two writes can arrive.
func exhaust(t *testing.T, store *ledgertest.Store, seed uint64, spread time.Duration) {
	t.Helper()
	nodes := make([]*node, replicas)
	for i := range nodes {
		started, stop := startNode(store, fmt.Sprintf("pod-%d", i))
		defer stop()
		nodes[i] = started
	}
	world := &provider{at: time.Now()}
	var calling sync.WaitGroup
	for i, n := range nodes {
		for number := range clients {
			rng := rand.New(rand.NewPCG(seed, uint64(1+i*clients+number)))
			calling.Go(func() { world.client(n, number, rng) })
		}
	}
	calling.Wait()
	checkDenials(t, world)
	checkPace(t, store.Writes(ledger.Name("team")), spread)
	checkRefusesAtOnce(t, store, nodes)
	checkEnd(t, store, nodes, world)
}

// checkDenials says which calls were refused that would have fitted, and whether small ones passed while large ones were refused.
func checkDenials(t *testing.T, world *provider) {
	t.Helper()
	t.Logf("%d calls admitted, %d small ones after the first of %d denials, %.2f%% spent", world.admitted, world.small, len(world.denials),
		100*float64(world.spent)/float64(dollar))
	for _, d := range world.denials {
		if d.refusal.Reason != ledger.LimitReached {
			t.Errorf("a call was refused for another reason than the limit after %s: %+v", d.waited, d.refusal)
		}
		if d.full+d.ask <= dollar-percent {
			t.Errorf("a call of %.3f%% was refused after %s while %.3f%% were spent or reserved: %+v", 100*float64(d.ask)/float64(dollar), d.waited,
				100*float64(d.full)/float64(dollar), d.refusal)
		}
	}
	if world.small < 10 {
		t.Errorf("%d small calls passed after the first large one was refused", world.small)
	}
}

// checkPace says which replica wrote more than once a second.
func checkPace(t *testing.T, writes []ledgertest.Write, spread time.Duration) {
	t.Helper()
	last := map[string]time.Time{}
	for _, write := range writes {
		for _, pod := range pods(write) {
			if before, found := last[pod]; found && write.At.Sub(before) < ledger.WriteInterval-spread {
				t.Errorf("%s wrote twice within %s", pod, write.At.Sub(before))
			}
			last[pod] = write.At
		}
	}
	if len(last) != replicas {
		t.Errorf("%d replicas wrote", len(last))
	}
}

// pods returns the replicas whose entries a write changed.
func pods(write ledgertest.Write) []string {
	var names []string
	for _, owner := range write.Owners {
		names = append(names, owner.Pod())
	}
	return slices.Compact(names)
}

// checkRefusesAtOnce says whether a refusal by a budget that is exhausted takes time or a write.
func checkRefusesAtOnce(t *testing.T, store *ledgertest.Store, nodes []*node) {
	t.Helper()
	<-time.After(20 * time.Second)
	before := len(store.Writes(ledger.Name("team")))
	for range 3 {
		for i, n := range nodes {
			begun := time.Now()
			var reservation ledger.Reservation
			refusal := n.reserve(10*percent, &reservation)
			if refusal == nil || refusal.Reason != ledger.LimitReached {
				t.Errorf("replica %d answers %+v though the budget is exhausted", i, refusal)
			}
			if waited := time.Since(begun); waited != 0 {
				t.Errorf("replica %d took %s to refuse", i, waited)
			}
		}
		<-time.After(5 * time.Second)
	}
	if after := len(store.Writes(ledger.Name("team"))); after != before {
		t.Errorf("%d writes although nothing was admitted", after-before)
	}
}

// checkEnd drains all replicas and compares the ledger with the truth.
func checkEnd(t *testing.T, store *ledgertest.Store, nodes []*node, world *provider) {
	t.Helper()
	for _, n := range nodes {
		if err := n.keeper.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	record, err := store.Record(ledger.Name("team"))
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Windows) != 1 {
		t.Fatalf("%d windows", len(record.Windows))
	}
	got := record.Windows[0].Total()
	if got.Spent != world.spent || got.Requests != int64(world.admitted) {
		t.Errorf("the ledger holds %+v, providers saw %d in %d calls", got, world.spent, world.admitted)
	}
	if world.spent > dollar || world.spent < 97*percent {
		t.Errorf("%.3f%% of the limit were spent", 100*float64(world.spent)/float64(dollar))
	}
	for owner, entry := range record.Windows[0].Owners {
		if !strings.HasPrefix(string(owner), "pod-") || entry.Spent < 0 {
			t.Errorf("%s has %+v", owner, entry)
		}
	}
}
