package migrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
)

const (
	budget = "signalbox-ledger-b"
	limit  = 1000
)

// world is two stores with proxies that spend from either while a ledger is moved from one to the other and back.
type world struct {
	random *rand.Rand
	stores map[string]*memory
	places map[string]func(Store) Place
	// current is the store that new proxies use.
	current string
	proxies []*proxy
	made    int
	// truth is what was spent, by subject, and lost what proxies held that were killed.
	truth, lost map[string]int64
	// late is how many subjects have come since the start.
	late int
	// deaths is how many more requests of the migration may be cut short.
	deaths int
	fault  string
}

// proxy is one owner. It follows the rules for owners in the simplest way: it asks for what it needs with a compare-and-set, never in a ledger that was moved.
type proxy struct {
	pod              string
	store            string
	dead             bool
	spent, allowance map[string]int64
	seq              map[string]int64
}

// subjects returns those that have come by now.
func (w *world) subjects() []string {
	return []string{"", "x", "y", "late 1", "late 2", "late 3", "late 4", "late 5", "late 6"}[:3+w.late]
}

func (w *world) document(store, subject string) string {
	return w.places[store](w.stores[store]).document(budget, subject)
}

func (w *world) start() {
	w.made++
	w.proxies = append(w.proxies, &proxy{
		pod: fmt.Sprintf("pod-%d", w.made), store: w.current,
		spent: map[string]int64{}, allowance: map[string]int64{}, seq: map[string]int64{},
	})
}

// write saves a proxy's entry, granting it more if that fits and is allowed.
func (w *world) write(p *proxy, subject string, more int64) {
	store := w.stores[p.store]
	name := w.document(p.store, subject)
	stored, err := store.Load(context.Background(), name)
	if err != nil {
		w.fault = err.Error()
		return
	}
	key := ledger.Key{Period: "Total", TimeZone: "UTC"}
	i := find(&stored.Record, ledger.Count{Key: key, Subject: subject})
	if i < 0 {
		stored.Record.Windows = append(stored.Record.Windows, ledger.Count{Key: key, Subject: subject, Owners: map[ledger.Owner]ledger.Entry{}})
		i = len(stored.Record.Windows) - 1
	}
	window := &stored.Record.Windows[i]
	if more > 0 && (stored.Record.Moved != "" || committed(*window)+more > limit) {
		return
	}
	if window.Owners == nil {
		window.Owners = map[ledger.Owner]ledger.Entry{}
	}
	p.seq[subject]++
	window.Owners[ledger.Owner(p.pod+"/1")] = ledger.Entry{
		Totals: ledger.Totals{Spent: p.spent[subject], Requests: p.spent[subject]}, Allowance: p.allowance[subject] + more, Seq: p.seq[subject],
		Updated: time.Unix(1_800_000_000, 0).UTC(),
	}
	if _, err := store.Save(context.Background(), name, stored); err != nil {
		w.fault = err.Error()
		return
	}
	p.allowance[subject] += more
}

func committed(count ledger.Count) int64 {
	return count.Total().Spent + count.Reserved() + count.Lost()
}

// act lets one proxy do something.
func (w *world) act() {
	if len(w.proxies) == 0 || w.random.IntN(20) == 0 {
		w.start()
	}
	p := w.proxies[w.random.IntN(len(w.proxies))]
	if p.dead {
		return
	}
	all := w.subjects()
	subject := all[w.random.IntN(len(all))]
	switch w.random.IntN(10) {
	case 0, 1, 2:
		w.write(p, subject, 1+w.random.Int64N(120))
	case 3, 4, 5, 6:
		if free := p.allowance[subject] - p.spent[subject]; free > 0 {
			spend := 1 + w.random.Int64N(free)
			p.spent[subject] += spend
			w.truth[subject] += spend
		}
	case 7:
		w.write(p, subject, 0)
	case 8:
		p.allowance[subject] = p.spent[subject]
		w.write(p, subject, 0)
	case 9:
		if w.random.IntN(6) == 0 {
			w.stop(p)
		}
	}
	w.check()
}

// drain has a proxy return all and settle, and ends it.
func (w *world) drain(p *proxy) {
	p.dead = true
	for _, subject := range w.subjects() {
		if p.seq[subject] > 0 {
			p.allowance[subject] = p.spent[subject]
			w.write(p, subject, 0)
		}
	}
}

// stop ends a proxy: it is drained now and then, else killed, so that its last writes are missing.
func (w *world) stop(p *proxy) {
	if w.random.IntN(2) == 0 {
		w.drain(p)
	}
	p.dead = true
}

// running lists the proxies that run now.
func (w *world) running(context.Context) (func(string) bool, error) {
	pods := map[string]bool{}
	for _, p := range w.proxies {
		pods[p.pod] = !p.dead
	}
	w.act()
	return func(pod string) bool { return pods[pod] }, nil
}

// check is what must hold at any time.
func (w *world) check() {
	for subject, spent := range w.truth {
		if spent > limit {
			w.fault = fmt.Sprintf("%d was spent in %q of a limit of %d", spent, subject, limit)
		}
	}
}

// hook lets proxies act between the requests of a migration, has somebody else migrate as well, and cuts it short now and then.
func (w *world) hook(from, to string, store *memory) hooked {
	return hooked{memory: store, step: func(bool) error {
		if w.random.IntN(30) == 0 {
			other := w.migration(w.places[from](w.stores[from]), w.places[to](w.stores[to]))
			if _, err := other.Pass(context.Background(), budget); err != nil {
				w.fault = err.Error()
			}
		}
		if w.late < 6 && w.random.IntN(15) == 0 {
			w.late++
		}
		if w.random.IntN(4) == 0 {
			w.act()
		}
		if w.deaths > 0 && w.random.IntN(12) == 0 {
			w.deaths--
			return errKilled
		}
		return nil
	}}
}

func (w *world) migration(from, to Place) Migration {
	return Migration{From: from, To: to, Running: w.running, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
}

// move moves the ledger, starting the migration again whenever it was cut short, while the proxies are replaced.
func (w *world) move(from, to string) error {
	w.deaths = 6
	migration := w.migration(w.places[from](w.hook(from, to, w.stores[from])), w.places[to](w.hook(from, to, w.stores[to])))
	for passes := 0; ; passes++ {
		progress, err := migration.Pass(context.Background(), budget)
		switch {
		case w.fault != "":
			return errors.New(w.fault)
		case err != nil && !errors.Is(err, errKilled) && !errors.Is(err, ledger.ErrConflict):
			return err
		case err == nil && progress.Done:
			return w.checkDone(from, to)
		case passes > 10_000:
			return errors.New("the migration does not end")
		}
		if err == nil {
			// The first pass that went through is when the platform is told of the new store.
			w.current = to
			w.replaceSome(from)
		}
	}
}

// replaceSome ends some proxies of the old store.
func (w *world) replaceSome(store string) {
	for _, p := range w.proxies {
		if p.store == store && !p.dead && w.random.IntN(4) == 0 {
			w.stop(p)
		}
	}
}

// checkDone checks what a ledger that is done promises, while proxies of the new store run on: the old one is closed for good and carried to the last nano-dollar.
func (w *world) checkDone(from, to string) error {
	for _, p := range w.proxies {
		if p.store == from && !p.dead && len(p.seq) > 0 {
			return fmt.Errorf("done, and %s still uses %s", p.pod, from)
		}
	}
	for store, want := range map[string]string{from: to + doneMark, to: ""} {
		for name, stored := range w.stores[store].documents {
			if stored.Record.Moved != want {
				return fmt.Errorf("done, and %s in %s says %q", name, store, stored.Record.Moved)
			}
		}
	}
	carried := map[string]ledger.Entry{}
	for _, count := range w.stores[to].counters() {
		carried[count.Subject] = count.Owners[ledger.CarriedOwner(from)]
	}
	for _, count := range w.stores[from].counters() {
		own := without(count, ledger.CarriedOwner(to))
		if got := carried[count.Subject]; got.Totals != own.Total() || got.Committed() != committed(own) {
			return fmt.Errorf("done, and %s has %+v of %q; %s has %+v", to, got, count.Subject, from, own)
		}
	}
	return nil
}

// compare compares a store with the truth, when nothing runs any more.
func (w *world) compare(store string) error {
	unsettled := map[string]int64{}
	held := map[string]int64{}
	for _, count := range w.stores[store].counters() {
		total := count.Total().Spent
		unsettled[count.Subject] = w.truth[count.Subject] - total
		held[count.Subject] = count.Reserved() + count.Lost()
		if total > w.truth[count.Subject] {
			return fmt.Errorf("%s says %d of %q; %d was spent", store, total, count.Subject, w.truth[count.Subject])
		}
		if total+held[count.Subject] > limit {
			return fmt.Errorf("%s has granted %d of %q", store, total+held[count.Subject], count.Subject)
		}
	}
	for subject, spent := range w.truth {
		if spent > 0 && unsettled[subject] > held[subject] {
			return fmt.Errorf("%s does not name %d of the %d spent in %q", store, unsettled[subject]-held[subject], spent, subject)
		}
	}
	return nil
}

func newWorld(seed uint64, places map[string]func(Store) Place) *world {
	return &world{
		random: rand.New(rand.NewPCG(seed, 1)), stores: map[string]*memory{"a": newMemory(), "b": newMemory()}, places: places, current: "a",
		truth: map[string]int64{}, lost: map[string]int64{},
	}
}

func singlePlace(name string) func(Store) Place {
	return func(store Store) Place { return single(name, store) }
}

func manyPlace(name string) func(Store) Place {
	return func(store Store) Place {
		place := Place{Name: name, Store: store}
		switch store := store.(type) {
		case *memory:
			place.Subjects = store
		case hooked:
			place.Subjects = store
		}
		return place
	}
}

// TestMovingUnderLoad moves a ledger there, back and there again, with proxies that spend, settle, return, drain and are killed between any two requests of the
// migration, which is itself cut short and started again. The limit holds at every moment over both stores, and in the end the last store has all that was
// settled, and holds as lost what was not.
func TestMovingUnderLoad(t *testing.T) {
	for name, places := range map[string]map[string]func(Store) Place{
		"one document to one":            {"a": singlePlace("a"), "b": singlePlace("b")},
		"one document to one a subject":  {"a": singlePlace("a"), "b": manyPlace("b")},
		"one a subject to one a subject": {"a": manyPlace("a"), "b": manyPlace("b")},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(25) {
				if err := movedThrice(newWorld(seed, places)); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		})
	}
}

func movedThrice(w *world) error {
	stores := []string{"a", "b", "a", "b"}
	for i := range len(stores) - 1 {
		for range 150 {
			w.act()
		}
		if err := w.move(stores[i], stores[i+1]); err != nil {
			return fmt.Errorf("move %d: %w", i, err)
		}
	}
	for range 150 {
		w.act()
	}
	for _, p := range w.proxies {
		if !p.dead {
			w.stop(p)
		}
	}
	if w.fault != "" {
		return errors.New(w.fault)
	}
	return w.compare(w.current)
}
