package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"signalbox.dev/signalbox/proxy/table"
)

// anyModel makes the route's targets send on the name that the client asked for.
func anyModel(t *table.Table) {
	for i := range t.Routes[0].Targets {
		t.Routes[0].Targets[i].Model = "*"
	}
}

// recorded keeps what an upstream is sent.
func recorded(bodies chan<- string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		bodies <- string(sent)
		next(w, r)
	}
}

// TestAlternativesOfOneRouteAreNoRetries: names that come to the same upstream are one target, so that a list of them gets past no budget of retries.
func TestAlternativesOfOneRouteAreNoRetries(t *testing.T) {
	for name, members := range map[string]string{
		"names of one pattern": `"model":"any/1","models":["any/2","any/3","any/4"]`,
		"a variant":            `"model":"chat","models":["chat:floor","chat:nitro"]`,
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			h := newHarness(t, []http.HandlerFunc{counted(&calls, refuses(500, "", "oops"))})
			if got := h.send(ask{body: body(members)}); got.status != http.StatusBadGateway || calls.Load() != 1 {
				t.Errorf("status %d after %d calls, want 502 after 1\n%s", got.status, calls.Load(), got.body)
			}
		})
	}
}

func TestAlternativesOfAPatternReachOtherModels(t *testing.T) {
	bodies := make(chan string, 4)
	h := newHarness(t, []http.HandlerFunc{recorded(bodies, refuses(500, "", "oops"))}, withTable(anyModel))
	h.send(ask{body: body(`"model":"any/1","models":["any/2"]`)})
	close(bodies)
	var asked []string
	for sent := range bodies {
		var request struct{ Model string }
		if err := json.Unmarshal([]byte(sent), &request); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, request.Model)
	}
	if strings.Join(asked, " ") != "any/1 any/2" {
		t.Errorf("asked for %q", asked)
	}
}

func TestAVariantOfNothing(t *testing.T) {
	bodies := make(chan string, 1)
	h := newHarness(t, []http.HandlerFunc{recorded(bodies, good)}, withTable(anyModel), withTable(func(t *table.Table) { t.Routes[0].Models = []string{"*"} }))
	if got := h.send(ask{body: body(`"model":":floor"`)}); got.status != http.StatusOK {
		t.Fatalf("status %d\n%s", got.status, got.body)
	}
	if sent := <-bodies; !strings.Contains(sent, `":floor"`) {
		t.Errorf("the provider was asked for another model: %s", sent)
	}
}

// TestAVariantIsOfItsOwnModel: the order that one alternative asks for is no business of the next.
func TestAVariantIsOfItsOwnModel(t *testing.T) {
	bodies := make(chan string, 2)
	h := newHarness(t, []http.HandlerFunc{recorded(bodies, refuses(500, "", "oops"))}, withTable(anyModel),
		withTable(func(t *table.Table) { t.Credentials[0].Provider = "OpenRouter" }))
	h.send(ask{body: body(`"model":"any/a:floor","models":["any/b"],"provider":{"only":["sort","\"sort\""]}`)})
	if first := <-bodies; !strings.Contains(first, `"price"`) || !strings.Contains(first, "any/a") {
		t.Errorf("first: %s", first)
	}
	if second := <-bodies; strings.Contains(second, `"price"`) || !strings.Contains(second, "any/b") {
		t.Errorf("second: %s", second)
	}
}

// TestABudgetKnowsThePriceOfEachModel: of two models of one route one has a price, and the budget refuses calls without.
func TestABudgetKnowsThePriceOfEachModel(t *testing.T) {
	price := func(t *table.Table) {
		t.Routes[0].Targets[0].Prices = nil
		t.Credentials[0].Prices = map[string]table.Prices{"any/priced": {Input: 1, Output: 1}}
	}
	for name, members := range map[string]string{
		"the priced one first": `"model":"any/priced","models":["any/other"]`,
		"the priced one last":  `"model":"any/other","models":["any/priced"]`,
	} {
		t.Run(name, func(t *testing.T) {
			bodies := make(chan string, 4)
			h := newHarness(t, []http.HandlerFunc{recorded(bodies, refuses(500, "", "oops"))}, withTable(anyModel), withTable(price), withTable(budgeted))
			got := h.send(ask{body: body(members)})
			close(bodies)
			for sent := range bodies {
				if !strings.Contains(sent, "any/priced") {
					t.Errorf("a call without a price was made: %s", sent)
				}
			}
			if got.status != http.StatusBadGateway || got.header.Get("X-Signalbox-Attempts") != "1" {
				t.Errorf("status %d after %q attempts\n%s", got.status, got.header.Get("X-Signalbox-Attempts"), got.body)
			}
		})
	}
}

func TestABudgetKnowsThePriceOfASuccessor(t *testing.T) {
	for name, unlisted := range map[string]bool{"withdrawn by the provider": false, "not listed": true} {
		t.Run(name, func(t *testing.T) {
			bodies := make(chan string, 4)
			h := newHarness(t, []http.HandlerFunc{recorded(bodies, refuses(404, "model_not_found", "The model does not exist"))}, withTable(budgeted),
				withTable(func(t *table.Table) {
					t.Routes[0].Targets[0].Prices, t.Routes[0].Targets[0].Successor = nil, "upstream-new"
					t.Routes[0].Targets[0].Unlisted = unlisted
					t.Credentials[0].Prices = map[string]table.Prices{"upstream-0": {Input: 1, Output: 1}}
				}))
			for range 2 {
				h.send(ask{})
			}
			close(bodies)
			for sent := range bodies {
				if strings.Contains(sent, "upstream-new") {
					t.Errorf("a call without a price was made: %s", sent)
				}
			}
		})
	}
}

// TestAnErrorNamesTheRouteThatItComesFrom: the reply tells the failure that says most, which need not be the last one.
func TestAnErrorNamesTheRouteThatItComesFrom(t *testing.T) {
	broken := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	h := newHarness(t, []http.HandlerFunc{refuses(503, "", "busy"), broken}, withTable(second))
	got := h.send(ask{id: "telling", body: body(`"model":"chat","models":["second"]`)})
	line := h.log.request(t, "telling")
	if got.status != http.StatusServiceUnavailable || got.header.Get("X-Signalbox-Target") != "t0" || got.header.Get("X-Signalbox-Route") != "chat-route" ||
		line["route"] != "chat-route" || line["upstream_model"] != "upstream-0" {
		t.Errorf("status %d by %q of %q, logged %v", got.status, got.header.Get("X-Signalbox-Target"), got.header.Get("X-Signalbox-Route"), line)
	}
}

// TestLimitsAreThoseOfTheRouteThatAnswers: the route that refused the call has no say in the headers of the one that answered it.
func TestLimitsAreThoseOfTheRouteThatAnswers(t *testing.T) {
	withOwn := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Ratelimit-Limit-Requests", "777")
		w.Header().Set("X-Ratelimit-Limit-Tokens", "888")
		good(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{good, withOwn}, withTable(second), limited(table.Limit{Per: table.PerRoute, RequestsPerMinute: 1}))
	h.send(ask{})
	got := h.send(ask{body: body(`"model":"chat","models":["second"]`)})
	if got.status != http.StatusOK || got.header.Get("X-Ratelimit-Limit-Requests") != "777" || got.header.Get("X-Ratelimit-Remaining-Requests") != "" {
		t.Errorf("status %d, %v", got.status, got.header)
	}
	h = newHarness(t, []http.HandlerFunc{withOwn}, limited(table.Limit{Per: table.PerRoute, RequestsPerMinute: 5}))
	if got = h.send(ask{}); got.header.Get("X-Ratelimit-Limit-Requests") != "5" || got.header.Get("X-Ratelimit-Limit-Tokens") != "" {
		t.Errorf("limits of the route and of the provider's account are mixed: %v", got.header)
	}
}

// TestARefusedRouteHoldsNoPlace: what a budget refuses is not under way on that route, whatever the call does elsewhere.
func TestARefusedRouteHoldsNoPlace(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		good(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{good, slow}, withTable(second), limited(table.Limit{Per: table.PerRoute, Concurrency: 1}), withTable(func(t *table.Table) {
		budgeted(t)
		t.Budgets[0].Routes, t.Budgets[0].Limit = []string{"chat-route"}, 0
	}))
	first := make(chan reply, 1)
	go func() { first <- h.send(ask{body: body(`"model":"chat","models":["second"]`)}) }()
	<-entered
	if got := h.send(ask{}); got.status != http.StatusPaymentRequired {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
	close(leave)
	if got := <-first; got.status != http.StatusOK {
		t.Errorf("the first: status %d\n%s", got.status, got.body)
	}
}

// TestHeadersAreOfTheAnswer: what a failed attempt's answer said of its provider is not told beside another provider's answer.
func TestHeadersAreOfTheAnswer(t *testing.T) {
	gone := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Ratelimit-Limit-Requests", "777")
		w.Header().Set("X-Request-Id", "of-the-first")
		refuses(404, "model_not_found", "The model does not exist")(w, r)
	}
	got := newHarness(t, []http.HandlerFunc{gone, good}).send(ask{})
	if got.status != http.StatusOK || got.header.Get("X-Ratelimit-Limit-Requests") != "" || got.header.Get("X-Signalbox-Upstream-Request-Id") != "" {
		t.Errorf("status %d, %v", got.status, got.header)
	}
	got = newHarness(t, []http.HandlerFunc{gone}).send(ask{})
	if got.status != http.StatusNotFound || got.header.Get("X-Ratelimit-Limit-Requests") != "777" || got.header.Get("X-Signalbox-Upstream-Request-Id") != "of-the-first" {
		t.Errorf("alone: status %d, %v", got.status, got.header)
	}
}

func TestAnErrorHasTheMetadataThatWasAskedFor(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{refuses(500, "", "oops")})
	for name, request := range map[string]string{"failed": goodBody, "not eligible": body(`"model":"chat","provider":{"only":["nobody"]}`)} {
		t.Run(name, func(t *testing.T) {
			sent := h.request(t.Context(), ask{body: request})
			sent.Header.Set("X-Openrouter-Metadata", "enabled")
			got := h.do(sent)
			var told struct {
				Metadata struct {
					Requested string `json:"requested"`
				} `json:"openrouter_metadata"`
			}
			if err := json.Unmarshal([]byte(got.body), &told); err != nil || told.Metadata.Requested != "chat" {
				t.Errorf("status %d\n%s", got.status, got.body)
			}
		})
	}
	if got := h.send(ask{}); strings.Contains(got.body, "openrouter_metadata") {
		t.Errorf("it was not asked for\n%s", got.body)
	}
}

// do sends a request that a test has changed.
func (h *harness) do(request *http.Request) reply {
	h.t.Helper()
	response, err := h.front.Client().Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{status: response.StatusCode, header: response.Header, body: string(read)}
}

// TestTokensOfARequestCannotOverflow: absurd figures must not come out as few tokens.
func TestTokensOfARequestCannotOverflow(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, limited(table.Limit{Per: table.PerRoute, TokensPerMinute: 1000}))
	for _, figures := range []string{`"max_tokens":999999999999999999,"n":10`, `"max_tokens":999999999999999999,"n":999999999999999999`} {
		got := h.send(ask{body: body(`"model":"chat",` + figures)})
		if got.status != http.StatusTooManyRequests {
			t.Errorf("%s: status %d\n%s", figures, got.status, got.body)
		}
	}
}

// TestTokensOfWhatIsNotInspected: an API without a reader of prompts is counted by its size.
func TestTokensOfWhatIsNotInspected(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, limited(table.Limit{Per: table.PerRoute, TokensPerMinute: 1000}))
	got := h.send(ask{path: "/v1/rerank", body: `{"model":"chat","query":"q","documents":["` + strings.Repeat("word ", 2000) + `"]}`})
	if got.status != http.StatusTooManyRequests {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
}

func TestCountTokensIsEstimatedWhereNoTargetIsLeft(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, withTable(func(t *table.Table) { t.Routes[0].Targets[0].Excluded = "it is broken" }))
	got := h.send(ask{path: "/v1/messages/count_tokens", body: `{"model":"chat","messages":[{"role":"user","content":"hello"}]}`})
	if got.status != http.StatusOK || got.header.Get("X-Signalbox-Estimated") != "true" {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
}

// TestOddCalls: neither a route without targets nor more targets than a call can keep track of is too much.
func TestOddCalls(t *testing.T) {
	h := newHarness(t, nil)
	if got := h.send(ask{}); got.status != http.StatusServiceUnavailable || errorOf(t, got.body).Code != "no_eligible_target" {
		t.Errorf("no targets: status %d\n%s", got.status, got.body)
	}
	fails := refuses(500, "", "oops")
	h = newHarness(t, []http.HandlerFunc{fails, fails, fails}, withTable(anyModel))
	var names []string
	for i := range 32 {
		names = append(names, `"any/`+strconv.Itoa(i)+`"`)
	}
	got := h.send(ask{body: body(`"model":"chat","models":[` + strings.Join(names, ",") + `]`)})
	if got.status != http.StatusBadGateway || got.header.Get("X-Signalbox-Attempts") != "4" {
		t.Errorf("99 targets: status %d after %q attempts\n%s", got.status, got.header.Get("X-Signalbox-Attempts"), got.body)
	}
}
