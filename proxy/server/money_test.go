package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/ledgertest"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
)

const (
	hardLedger = "signalbox-ledger-hard"
	// hardBody bounds its answer to 10 tokens. Its prompt is 84 bytes long.
	hardBody = `{"model":"chat","max_tokens":10,"messages":[{"role":"user","content":"hello"}]}`
)

// hard adds a Hard budget over every call.
func hard(limit int64, changes ...func(*table.Budget)) setup {
	return withTable(func(t *table.Table) {
		budget := table.Budget{
			Object: table.Object{Name: "hard"}, Limit: limit, Period: "Month", TimeZone: "UTC", Enforcement: table.Hard, Ledger: hardLedger,
		}
		for _, change := range changes {
			change(&budget)
		}
		t.Budgets = append(t.Budgets, budget)
	})
}

// withLedger keeps the books of a harness in a store.
func withLedger(t *testing.T, store *ledgertest.Store) setup {
	return func(o *Options, tb *table.Table) {
		for i := range tb.Budgets {
			store.Create(tb.Budgets[i].Ledger)
		}
		keeper := ledger.NewKeeper(o.Book, store, ledger.KeeperOptions{})
		var running sync.WaitGroup
		running.Go(func() { keeper.Run(t.Context()) })
		t.Cleanup(running.Wait)
	}
}

// limits declares what every target's model can do.
func limits(contextTokens, maxOutput int64) setup {
	return withTable(func(t *table.Table) {
		for i := range t.Routes[0].Targets {
			t.Routes[0].Targets[i].Declared = table.Declared{ContextTokens: contextTokens, MaxOutputTokens: maxOutput}
		}
	})
}

// TestAHardBudgetIsNeverExceeded lets many clients spend a budget at once: the provider never serves more than the limit, and the books hold what it served.
func TestAHardBudgetIsNeverExceeded(t *testing.T) {
	const limit = 100 * goodCost
	var served atomic.Int64
	upstream := func(w http.ResponseWriter, r *http.Request) {
		served.Add(goodCost)
		good(w, r)
	}
	store := ledgertest.NewStore(nil)
	h := newHarness(t, []http.HandlerFunc{upstream}, hard(limit), withLedger(t, store))
	var clients sync.WaitGroup
	var paid atomic.Int64
	for range 20 {
		clients.Go(func() {
			for {
				got := h.send(ask{body: hardBody})
				switch got.status {
				case http.StatusOK:
					paid.Add(goodCost)
				case http.StatusPaymentRequired:
					return
				default:
					t.Errorf("status %d\n%s", got.status, got.body)
					return
				}
			}
		})
	}
	clients.Wait()
	if served.Load() > limit || served.Load() != paid.Load() || h.spent() != served.Load() {
		t.Errorf("of a limit of %d: %d served, %d paid, %d in the books", limit, served.Load(), paid.Load(), h.spent())
	}
	if left := limit - h.spent(); left > 400_000 {
		t.Errorf("%d of %d is left although a call is bounded by less than 400,000", left, limit)
	}
	refused := h.send(ask{body: hardBody})
	if said := errorOf(t, refused.body); refused.status != http.StatusPaymentRequired || said.Code != string(CodeBudgetExceeded) || said.Metadata.Budget.Name != "hard" {
		t.Errorf("afterwards: %d %s", refused.status, refused.body)
	}
}

// sentLimit is the output limit of a request body of OpenAI's dialect.
func sentLimit(t *testing.T, text string) int64 {
	t.Helper()
	var read struct {
		MaxTokens           int64 `json:"max_tokens"`
		MaxCompletionTokens int64 `json:"max_completion_tokens"`
	}
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	return max(read.MaxTokens, read.MaxCompletionTokens)
}

// TestTheOutputLimitThatIsSent: a Hard budget's calls always have one, and never one above what was reserved.
func TestTheOutputLimitThatIsSent(t *testing.T) {
	cases := map[string]struct {
		body   string
		limit  int64
		shrink bool
		want   int64
		status int
	}{
		"the model's":                {body: goodBody, limit: 1 << 40, want: 500, status: 200},
		"the request's":              {body: hardBody, limit: 1 << 40, want: 10, status: 200},
		"no more than the model has": {body: `{"model":"chat","max_tokens":900,"messages":[]}`, limit: 1 << 40, want: 500, status: 200},
		"newer name":                 {body: `{"model":"chat","max_completion_tokens":20,"messages":[]}`, limit: 1 << 40, want: 20, status: 200},
		"too dear":                   {body: goodBody, limit: 1_000_000, status: 402},
		"shrunk":                     {body: goodBody, limit: 1_000_000, shrink: true, want: 250, status: 200},
		"shrunk to nothing":          {body: goodBody, limit: 10_000, shrink: true, status: 402},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			bodies := make(chan string, 1)
			h := newHarness(t, []http.HandlerFunc{recorded(bodies, good)}, limits(5000, 500),
				hard(tc.limit, func(b *table.Budget) { b.Shrink = tc.shrink }), withLedger(t, ledgertest.NewStore(nil)))
			got := h.send(ask{body: tc.body})
			if got.status != tc.status {
				t.Fatalf("status %d, want %d\n%s", got.status, tc.status, got.body)
			}
			if tc.status != http.StatusOK {
				return
			}
			sent := sentLimit(t, <-bodies)
			told := got.header.Get("X-Signalbox-Max-Tokens")
			switch {
			case !tc.shrink && (sent != tc.want || told != ""):
				t.Errorf("the provider is sent a limit of %d, want %d; the client is told %q", sent, tc.want, told)
			case tc.shrink && (sent < tc.want || sent >= 500 || told != fmt.Sprint(sent)):
				t.Errorf("the provider is sent a limit of %d, want %d or more; the client is told %q", sent, tc.want, told)
			}
		})
	}
}

func TestUnboundedCost(t *testing.T) {
	cases := map[string]struct {
		setups []setup
		body   string
		status int
		says   string
	}{
		"no output limit anywhere": {body: goodBody, status: 400, says: "the length of the answer"},
		"a limit in the request":   {body: hardBody, status: 200},
		"an image of unknown size": {
			body:   `{"model":"chat","max_tokens":10,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}`,
			status: 400, says: "declare contextTokens",
		},
		"an image in a known context": {
			setups: []setup{limits(1000, 500)},
			body:   `{"model":"chat","max_tokens":10,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}`,
			status: 200,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			setups := append(tc.setups, hard(1<<40), withLedger(t, ledgertest.NewStore(nil)))
			got := newHarness(t, []http.HandlerFunc{good}, setups...).send(ask{body: tc.body})
			if got.status != tc.status || !strings.Contains(got.body, tc.says) {
				t.Fatalf("status %d, want %d and words of %q\n%s", got.status, tc.status, tc.says, got.body)
			}
			if tc.status != http.StatusOK && errorOf(t, got.body).Code != string(CodeUnboundedCost) {
				t.Errorf("%s", got.body)
			}
		})
	}
}

// TestACheaperTargetServes: what is too dear at one target may be affordable at the next.
func TestACheaperTargetServes(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good, good}, withTable(func(tb *table.Table) {
		tb.Routes[0].Targets[1].Prices = &table.Prices{Input: 1_000, CachedInput: 1_000, Output: 1_000}
	}), hard(10_000), withLedger(t, ledgertest.NewStore(nil)))
	got := h.send(ask{body: hardBody})
	if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t1" {
		t.Errorf("status %d by %q\n%s", got.status, got.header.Get("X-Signalbox-Target"), got.body)
	}
}

// TestEveryAttemptReserves: a provider that broke off may have worked, and what it may cost is spent; the answer of the next one is added to it.
func TestEveryAttemptReserves(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{cuts(), good}, hard(1<<40), withLedger(t, ledgertest.NewStore(nil)))
	if got := h.send(ask{body: hardBody}); got.status != http.StatusOK {
		t.Fatalf("status %d\n%s", got.status, got.body)
	}
	standing := h.standing()
	if spent := standing.Spent; spent <= goodCost+20_000 || spent > goodCost+400_000 {
		t.Errorf("%d spent, want %d and the bound of the attempt that broke", spent, goodCost)
	}
	refusals := newHarness(t, []http.HandlerFunc{refuses(500, "", "oops"), good}, hard(1<<40), withLedger(t, ledgertest.NewStore(nil)))
	if got := refusals.send(ask{body: hardBody}); got.status != http.StatusOK || refusals.spent() != goodCost {
		t.Errorf("status %d, %d spent: a provider that refuses charges nothing", got.status, refusals.spent())
	}
}

// TestOverrun: a target that does not honour the limits that it is sent gets no more of a Hard budget, and what it cost is in the books.
func TestOverrun(t *testing.T) {
	greedy := answers(http.StatusOK, "application/json",
		`{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5000,"total_tokens":5010}}`)
	h := newHarness(t, []http.HandlerFunc{greedy, good}, hard(1<<40), withLedger(t, ledgertest.NewStore(nil)))
	const cost = 10*1_000 + 5000*2_000
	if got := h.send(ask{body: hardBody}); got.status != http.StatusOK || h.spent() != cost {
		t.Fatalf("status %d, %d spent, want %d", got.status, h.spent(), cost)
	}
	if got := h.send(ask{body: hardBody}); got.header.Get("X-Signalbox-Target") != "t1" {
		t.Errorf("the target that overran is tried again: %q", got.header.Get("X-Signalbox-Target"))
	}
	h.table.Credentials[0].Generation++
	if err := h.server.Use(h.table); err != nil {
		t.Fatal(err)
	}
	if got := h.send(ask{body: hardBody}); got.header.Get("X-Signalbox-Target") != "t0" {
		t.Errorf("the target is not tried again after its credential was edited: %q", got.header.Get("X-Signalbox-Target"))
	}
}

// TestTheLedgerIsAway: what was taken from it can be spent, and then nothing.
func TestTheLedgerIsAway(t *testing.T) {
	store := ledgertest.NewStore(nil)
	store.Stop()
	h := newHarness(t, []http.HandlerFunc{good}, hard(1<<40), withLedger(t, store))
	got := h.send(ask{body: hardBody})
	if said := errorOf(t, got.body); got.status != http.StatusServiceUnavailable || said.Code != string(CodeLedgerUnavailable) || got.header.Get("Retry-After") == "" {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
	store.Start()
	if got := h.send(ask{body: hardBody}); got.status != http.StatusOK {
		t.Errorf("once it is back: status %d\n%s", got.status, got.body)
	}
}

// TestReportedCost: an aggregator's own cost is believed, any other's is not.
func TestReportedCost(t *testing.T) {
	const answer = `{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"cost":0.000123}}`
	for provider, want := range map[string]int64{"OpenRouter": 123_000, "OpenAICompatible": goodCost} {
		t.Run(provider, func(t *testing.T) {
			records := &usage.Recent{}
			h := newHarness(t, []http.HandlerFunc{answers(http.StatusOK, "application/json", answer)}, vendor(provider), withTable(budgeted), keepRecords(&records))
			if got := h.send(ask{}); got.status != http.StatusOK || h.spent() != want {
				t.Fatalf("status %d, %d spent, want %d", got.status, h.spent(), want)
			}
			record := onlyRecord(t, records)
			believed := provider == "OpenRouter"
			if record.Cost != want || believed != (record.PriceSource == "provider") || believed != (record.ListCost == goodCost) {
				t.Errorf("cost %d from %q, by list %d", record.Cost, record.PriceSource, record.ListCost)
			}
		})
	}
}

// keepRecords gives a harness a place for its records.
func keepRecords(recent **usage.Recent) setup {
	return func(o *Options, _ *table.Table) {
		*recent = usage.NewRecent(usage.RecentOptions{})
		o.Recent = *recent
	}
}

func onlyRecord(t *testing.T, recent *usage.Recent) *usage.Record {
	t.Helper()
	records := recent.Select(usage.Filter{})
	if len(records) != 1 {
		t.Fatalf("%d records, want 1", len(records))
	}
	return records[0]
}

// notes is a journal that keeps what it is told, in order.
type notes struct {
	mu      sync.Mutex
	lines   []string
	records []*usage.Record
	settled []ledger.Settlement
	full    error
}

func (n *notes) Begin(a *journal.Attempt) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf("begin %d, %d claims, draft %t", a.Number, len(a.Claims), a.Draft != nil))
	return n.full
}

func (n *notes) End(record *usage.Record, settled []ledger.Settlement) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, "end "+string(record.Outcome))
	n.records, n.settled = append(n.records, record), append(n.settled, settled...)
}

func (n *notes) Drop(string) { n.note("drop") }

func (n *notes) note(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
}

func (n *notes) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := n.lines
	n.lines = nil
	return taken
}

// TestJournal: every attempt is noted before it is sent, with what it holds, and every call that reached a provider has one record.
func TestJournal(t *testing.T) {
	n := &notes{}
	served := func(answer http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			n.note("sent")
			answer(w, r)
		}
	}
	cases := map[string]struct {
		upstreams []http.HandlerFunc
		full      bool
		status    int
		want      []string
	}{
		"answered": {upstreams: []http.HandlerFunc{served(good)}, status: 200, want: []string{"begin 0, 1 claims, draft true", "sent", "end completed"}},
		"second target": {
			upstreams: []http.HandlerFunc{served(refuses(500, "", "oops")), served(good)}, status: 200,
			want: []string{"begin 0, 1 claims, draft true", "sent", "begin 1, 1 claims, draft false", "sent", "end completed"},
		},
		"refused": {upstreams: []http.HandlerFunc{served(refuses(400, "", "no"))}, status: 400, want: []string{"begin 0, 1 claims, draft true", "sent", "end failed"}},
		"full":    {upstreams: []http.HandlerFunc{served(good)}, full: true, status: 503, want: []string{"begin 0, 1 claims, draft true"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			n.take()
			n.full = nil
			if tc.full {
				n.full = errors.New("full")
			}
			h := newHarness(t, tc.upstreams, hard(1<<40), withLedger(t, ledgertest.NewStore(nil)), func(o *Options, _ *table.Table) { o.Journal = n })
			got := h.send(ask{body: hardBody, id: "r"})
			h.log.request(t, "r")
			h.front.Close()
			if lines := n.take(); got.status != tc.status || !slices.Equal(lines, tc.want) {
				t.Errorf("status %d, noted\n%s\nwant\n%s", got.status, strings.Join(lines, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

// fullJournal is one that has no room and refuses.
func fullJournal(o *Options, _ *table.Table) { o.Journal = &notes{full: errors.New("full")} }

// TestUnreachableLeavesNoRecord: what reached no provider is no usage.
func TestUnreachableLeavesNoRecord(t *testing.T) {
	n := &notes{}
	h := newHarness(t, []http.HandlerFunc{good}, withTable(func(tb *table.Table) { tb.Credentials[0].Endpoint = unreachable }),
		hard(1<<40), withLedger(t, ledgertest.NewStore(nil)), func(o *Options, _ *table.Table) { o.Journal = n })
	h.send(ask{body: hardBody, id: "r"})
	h.log.request(t, "r")
	h.front.Close()
	if want := []string{"begin 0, 1 claims, draft true", "drop"}; !slices.Equal(n.take(), want) || h.spent() != 0 {
		t.Errorf("noted %v, spent %d", n.lines, h.spent())
	}
}

func TestRecord(t *testing.T) {
	n := &notes{}
	h := newHarness(t, []http.HandlerFunc{refuses(500, "", "oops"), good}, withTable(budgeted), withTable(func(tb *table.Table) {
		tb.Budgets[0].TrustedCallers = []table.CallerMatch{{AccessKey: "app"}}
		tb.Routes[0].Targets[1].Prices.Source = "ModelRoute chat-route"
	}), func(o *Options, _ *table.Table) { o.Journal, o.Pod = n, "pod-1" })
	request := h.request(t.Context(), ask{body: `{"model":"chat","user":"u1","metadata":{"team":"search"},"messages":[]}`, id: "r"})
	request.Header.Set("X-Signalbox-Tags", "env=prod, team=header")
	answer, err := h.front.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	h.log.request(t, "r")
	h.front.Close()
	got := *n.records[0]
	if got.ID == "" || got.Time.IsZero() || got.Duration <= 0 {
		t.Errorf("id %q, %s at %s", got.ID, got.Duration, got.Time)
	}
	got.ID, got.Time, got.Duration, got.Upstream = "", time.Time{}, 0, 0
	for i := range got.Attempts {
		got.Attempts[i].Duration = 0
	}
	want := usage.Record{
		RequestID: "r", Namespace: "team-a", Pod: "pod-1", Caller: "accesskey:app", EndUser: "u1", Trusted: true,
		Tags:  []table.Tag{{Key: "env", Value: "prod"}, {Key: "team", Value: "header"}},
		Route: "chat-route", Target: "t1", Provider: "OpenAICompatible", Model: "chat", Served: "upstream-1", UpstreamID: "x", Operation: "chat",
		Usage: meter.Usage{Prompt: 10, Completion: 5}, Cost: goodCost, PriceSource: "ModelRoute chat-route", Budgets: []string{"monthly"},
		Status: http.StatusOK, Code: string(CodeOK), Outcome: usage.Completed,
		Attempts: []usage.Attempt{
			{Target: "t0", Provider: "OpenAICompatible", Model: "upstream-0", Key: "primary", Status: http.StatusInternalServerError, Code: "upstream_unavailable"},
			{Target: "t1", Provider: "OpenAICompatible", Model: "upstream-1", Key: "primary", Status: http.StatusOK, Code: "ok", Cost: goodCost},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
