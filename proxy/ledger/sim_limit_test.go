package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
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

// world is what the providers and the callers see: the truth that the ledger is compared with.
type world struct {
	mu    sync.Mutex
	calls []*call
}

// call is one call and what became of it.
type call struct {
	ask, cost int64
	// asked is when it came, answered when it was admitted or refused, ended when it was settled.
	asked, answered, ended time.Time
	refusal                *ledger.Refusal
}

const (
	// news is how long it takes until all replicas know what one has settled: it writes once a second, and that travels and meets the writes of the others.
	news = 2 * ledger.WriteInterval
	// travel is how long it takes until a call hears that the ledger has granted what it asked for, and meets the writes of the others.
	travel = 250 * time.Millisecond
)

func (w *world) add(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, c)
}

// spent is what was served, admitted how many calls were.
func (w *world) spent() (spent, admitted int64) {
	for _, c := range w.calls {
		if c.refusal == nil {
			spent += c.cost
			admitted++
		}
	}
	return spent, admitted
}

// taken is what a call takes of the limit at a time: what it asked for from when the ledger may have granted it, and what it cost in the end. What is granted to a
// call that has just given up is given back with the next write.
func (c *call) taken(at time.Time) int64 {
	switch {
	case at.Before(c.answered.Add(-travel)):
		return 0
	case c.refusal != nil:
		if c.answered.Sub(c.asked) >= ledger.DefaultPatience && at.Before(c.answered.Add(ledger.WriteInterval+travel)) {
			return c.ask
		}
		return 0
	case at.Before(c.ended):
		return c.ask
	default:
		return c.cost
	}
}

// full is the most that the other calls took since the time of which all replicas have the news when a call was refused.
func (w *world) full(refused *call) int64 {
	most := w.taken(refused, refused.answered)
	for _, c := range w.calls {
		if at := c.answered; !at.After(refused.answered) && refused.answered.Sub(at) <= news {
			most = max(most, w.taken(refused, at))
		}
	}
	return most
}

// taken is what all calls but one take of the limit at a time.
func (w *world) taken(but *call, at time.Time) int64 {
	sum := int64(0)
	for _, c := range w.calls {
		if c != but {
			sum += c.taken(at)
		}
	}
	return sum
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
func (w *world) call(n *node, ask int64, rng *rand.Rand) bool {
	made := &call{ask: ask, asked: time.Now()}
	var reservation ledger.Reservation
	made.refusal = n.reserve(ask, &reservation)
	made.answered = time.Now()
	w.add(made)
	if made.refusal != nil {
		return false
	}
	<-time.After(time.Duration(100+rng.IntN(900)) * time.Millisecond)
	made.cost = ask * int64(30+rng.IntN(71)) / 100
	made.ended = time.Now()
	reservation.Settle(ledger.Charge{Nano: made.cost}, nil)
	return true
}

// client calls until two calls in a row are refused. The first client of a replica asks for a lot.
func (w *world) client(n *node, number int, rng *rand.Rand) {
	for refused := 0; refused < 2; {
		ask := percent/20 + rng.Int64N(percent/4)
		if number == 0 {
			ask = percent + rng.Int64N(4*percent)
		}
		if w.call(n, ask, rng) {
			refused = 0
		} else {
			refused++
		}
		<-time.After(time.Duration(1+rng.IntN(200)) * time.Millisecond)
	}
}

// TestNearTheLimit has eight replicas spend one dollar to its end.
func TestNearTheLimit(t *testing.T) {
	for name, tc := range map[string]struct {
		// least and most that a message to or from the store takes.
		least, most time.Duration
	}{
		"a store next door": {2 * time.Millisecond, 10 * time.Millisecond},
		"an API server":     {5 * time.Millisecond, 60 * time.Millisecond},
		"a distant store":   {20 * time.Millisecond, 40 * time.Millisecond},
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s, seed %d", name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(seed, 0))
					store := ledgertest.NewStore(func() time.Duration { return tc.least + time.Duration(random.Int64N(int64(tc.most-tc.least))) })
					store.Create(ledger.Name("team"))
					exhaust(t, store, seed, 2*(tc.most-tc.least))
				})
			})
		}
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
	truth := &world{}
	var calling sync.WaitGroup
	for i, n := range nodes {
		for number := range clients {
			rng := rand.New(rand.NewPCG(seed, uint64(1+i*clients+number)))
			calling.Go(func() { truth.client(n, number, rng) })
		}
	}
	calling.Wait()
	checkDenials(t, truth)
	checkPace(t, store.Writes(ledger.Name("team")), spread)
	checkRefusesAtOnce(t, store, nodes)
	checkEnd(t, store, nodes, truth)
}

// checkDenials says which calls were refused that would have fitted, and whether small ones passed while large ones were refused.
func checkDenials(t *testing.T, truth *world) {
	t.Helper()
	small, denials := 0, 0
	for _, c := range truth.calls {
		switch waited := c.answered.Sub(c.asked); {
		case c.refusal == nil && denials > 0 && c.ask < percent/2:
			small++
		case c.refusal == nil:
		case c.refusal.Reason != ledger.LimitReached && waited < ledger.DefaultPatience:
			// When patience ends while others keep writing in between, the ledger may count as out of reach.
			t.Errorf("a call was refused for another reason than the limit after %s: %+v", waited, c.refusal)
		default:
			denials++
			if full := truth.full(c); full+c.ask <= dollar-percent {
				t.Errorf("a call of %.3f%% was refused after %s while %.3f%% were spent or reserved: %+v", inPercent(c.ask), waited, inPercent(full), c.refusal)
			}
		}
	}
	spent, admitted := truth.spent()
	t.Logf("%d calls admitted, %d small ones after the first of %d denials, %.2f%% spent", admitted, small, denials, inPercent(spent))
	if small < 3 {
		t.Errorf("%d small calls passed after the first large one was refused", small)
	}
}

func inPercent(nano int64) float64 {
	return 100 * float64(nano) / float64(dollar)
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
func checkEnd(t *testing.T, store *ledgertest.Store, nodes []*node, truth *world) {
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
	spent, admitted := truth.spent()
	window := record.Windows[0]
	if got := window.Total(); got.Spent != spent || got.Requests != admitted {
		t.Errorf("the ledger holds %+v, providers served %d in %d calls", got, spent, admitted)
	}
	if window.Reserved() != 0 || window.Lost() != 0 {
		t.Errorf("%d are reserved and %d lost after all have drained", window.Reserved(), window.Lost())
	}
	if spent > dollar || spent < 97*percent {
		t.Errorf("%.3f%% of the limit were spent", inPercent(spent))
	}
}
