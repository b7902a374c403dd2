package server

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"signalbox.dev/signalbox/proxy/ledger/ledgertest"
	"signalbox.dev/signalbox/proxy/table"
)

// samePrices gives the target that calls the other proxy the prices of that proxy's targets, as the compiler does.
func samePrices(tb *table.Table) {
	tb.Routes[0].Targets[0].Prices = &table.Prices{Input: 1_000_000_000, CachedInput: 500_000_000, Output: 2_000_000_000}
}

// A Hard budget of the calling namespace is never exceeded by what the called route spends on several attempts, and no target is taken for one that overran.
func TestHardBudgetBoundsAllAttemptsThere(t *testing.T) {
	const dear = 400*1_000 + 10*2_000
	failing := answers(200, "application/json", `{"id":"x","error":{"message":"gone wrong","code":500},"usage":{"prompt_tokens":400,"completion_tokens":10,"total_tokens":410}}`)
	full := `{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":400,"completion_tokens":10,"total_tokens":410}}`
	long := strings.Replace(hardBody, "hello", strings.Repeat("x", 400), 1)
	cheap := withTable(func(tb *table.Table) {
		tb.Routes[0].Targets[1].Prices = &table.Prices{Input: 1_000_000, CachedInput: 1_000_000, Output: 2_000_000}
	})
	cases := map[string]struct {
		first  http.HandlerFunc
		far    []setup
		status int
		tried  int64
		want   int64
	}{
		"what failed has used it up": {failing, nil, 502, 0, dear},
		"a cheaper one fits":         {failing, []setup{cheap}, 200, 1, dear + dear/1000},
		"what failed cost nothing":   {refuses(500, "", "oops"), nil, 200, 1, dear},
		"the first one answers":      {answers(200, "application/json", full), nil, 200, 0, dear},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var tried atomic.Int64
			second := func(w http.ResponseWriter, r *http.Request) {
				tried.Add(1)
				answers(200, "application/json", full)(w, r)
			}
			p := newPair(t, pairing{
				upstreams: []http.HandlerFunc{tc.first, second}, far: append([]setup{withTable(budgeted)}, tc.far...),
				near: []setup{hard(1 << 40), withLedger(t, ledgertest.NewStore(nil)), withTable(samePrices), withTable(withoutRetries)},
			})
			got := p.near.send(ask{body: long, id: bookedID})
			if got.status != tc.status || tried.Load() != tc.tried {
				t.Errorf("status %d, the second target tried %d times; want %d and %d: %s", got.status, tried.Load(), tc.status, tc.tried, got.body)
			}
			p.near.log.request(t, bookedID)
			p.checkBooks(t, tc.want)
			if standing := p.near.standing(); standing.Reserved != 0 {
				t.Errorf("%d stays reserved", standing.Reserved)
			}
			if len(p.near.server.overruns.known) != 0 || len(p.far.server.overruns.known) != 0 {
				t.Errorf("overruns %v and %v", p.near.server.overruns.known, p.far.server.overruns.known)
			}
		})
	}
}

// What this proxy adds to a request on its way fits into what it has reserved.
func TestCapHasRoomForWhatIsAdded(t *testing.T) {
	p := newPair(t, pairing{
		upstreams: []http.HandlerFunc{streams(goodStream)},
		near:      []setup{hard(1 << 40), withLedger(t, ledgertest.NewStore(nil)), withTable(samePrices), limits(100_000, 12_345)},
	})
	if got := p.near.send(ask{path: "/api/v1/chat/completions", body: streamBody, id: bookedID}); got.status != http.StatusOK || !strings.Contains(got.body, `"Hi"`) {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	p.near.log.request(t, bookedID)
	if spent := p.near.spent(); spent != goodCost {
		t.Errorf("spent %d, want %d", spent, goodCost)
	}
}

// capped asks a proxy as another one does.
func (h *harness) capped(maxCost string, a ask) reply {
	h.t.Helper()
	request := h.request(h.t.Context(), a)
	request.Header.Set("X-Signalbox-Hops", "team-z/first")
	request.Header.Set("X-Signalbox-Max-Cost", maxCost)
	response, err := h.front.Client().Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{status: response.StatusCode, header: response.Header, body: string(body)}
}

// A call that may cost too little, or whose cost nothing bounds, is refused before a provider is called.
func TestCapRefuses(t *testing.T) {
	unpriced := withTable(func(tb *table.Table) { tb.Routes[0].Targets[0].Prices = nil })
	cases := map[string]struct {
		maxCost string
		ask     ask
		change  setup
		status  int
		code    string
	}{
		"enough":        {"1000000", ask{body: hardBody}, withTable(budgeted), 200, ""},
		"too little":    {"1000", ask{body: hardBody}, withTable(budgeted), 402, "budget_exceeded"},
		"nothing":       {"0", ask{body: hardBody}, withTable(func(*table.Table) {}), 402, "budget_exceeded"},
		"no bound":      {"1000000", ask{}, withTable(budgeted), 400, "unbounded_cost"},
		"no price":      {"1000000", ask{body: hardBody}, unpriced, 402, "price_unknown"},
		"not a number":  {"0.5", ask{body: hardBody}, withTable(budgeted), 400, "invalid_request"},
		"less than all": {"-1", ask{body: hardBody}, withTable(budgeted), 400, "invalid_request"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{good}, tc.change)
			got := h.capped(tc.maxCost, tc.ask)
			if got.status != tc.status || got.header.Get("X-Signalbox-Code") != tc.code {
				t.Errorf("status %d, code %q: %s", got.status, got.header.Get("X-Signalbox-Code"), got.body)
			}
		})
	}
}

// Without hops the header is none of a proxy's, and counts for nothing.
func TestCapWithoutHops(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good})
	request := h.request(t.Context(), ask{})
	request.Header.Set("X-Signalbox-Max-Cost", "1")
	response, err := h.front.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
}

// A provider is told the output limit that its bound assumes, and one that does not keep to it gets no more calls whose cost is bounded.
func TestCapLimitsTheOutput(t *testing.T) {
	var sent string
	greedy := func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		sent = string(raw)
		answers(200, "application/json", strings.Replace(goodAnswer, `"completion_tokens":5`, `"completion_tokens":5000`, 1))(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{greedy, good}, limits(0, 50))
	if got := h.capped("1000000", ask{}); got.status != http.StatusOK || !strings.Contains(sent, `:50`) {
		t.Errorf("status %d, sent %s", got.status, sent)
	}
	if got := h.capped("1000000", ask{}); got.header.Get("X-Signalbox-Target") != "t1" {
		t.Errorf("the target that overran is tried again: %s", got.header.Get("X-Signalbox-Target"))
	}
}

// Along a chain the bound is passed on, less what was spent on the way.
func TestCapIsPassedOn(t *testing.T) {
	failing := answers(200, "application/json", `{"id":"x","error":{"message":"gone wrong","code":500},"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`)
	var passed []string
	watch := func(w http.ResponseWriter, r *http.Request) {
		passed = r.Header["X-Signalbox-Max-Cost"]
		good(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{failing, watch}, withTable(func(tb *table.Table) {
		tb.Credentials[1].Provider, tb.Credentials[1].Name = "Signalbox", "route:team-b"
		tb.Routes[0].Targets[1].Credential, tb.Routes[0].Targets[1].CalledRoute = "route:team-b", "team-b/llama"
	}))
	const most = 1_000_000
	if got := h.capped(strconv.Itoa(most), ask{body: hardBody}); got.status != http.StatusOK || len(passed) != 1 {
		t.Fatalf("status %d, passed on %v: %s", got.status, passed, got.body)
	}
	if nano, err := strconv.Atoi(passed[0]); err != nil || nano > most-goodCost || nano < goodCost {
		t.Errorf("passed on %q", passed[0])
	}
	if got := h.send(ask{body: hardBody}); got.status != http.StatusOK || passed != nil {
		t.Errorf("status %d, without a Hard budget %v is passed on", got.status, passed)
	}
}
