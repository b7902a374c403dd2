package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/ledger/ledgertest"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
)

// cluster signs tokens of ServiceAccounts.
type cluster struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newCluster(t *testing.T) cluster {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return cluster{t: t, key: key}
}

const clusterURL = "https://kubernetes.test"

// issuer is what a namespace's table says of the cluster.
func (c cluster) issuer(namespace string) table.Issuer {
	c.t.Helper()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: c.key.Public(), KeyID: "k", Algorithm: string(jose.ES256), Use: "sig"}}})
	if err != nil {
		c.t.Fatal(err)
	}
	return table.Issuer{URL: clusterURL, Audience: "signalbox." + namespace, JWKS: keys, MaxLifetime: time.Hour}
}

// account is a ServiceAccount that asks for tokens.
type account struct {
	cluster         cluster
	namespace, name string
}

// Token implements auth.Tokens.
func (a account) Token(_ context.Context, audience string) (string, error) {
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", "k")
	sign, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: a.cluster.key}, options)
	if err != nil {
		return "", err
	}
	now := time.Now()
	return jwt.Signed(sign).Claims(map[string]any{
		"iss": clusterURL, "aud": []string{audience}, "sub": "system:serviceaccount:" + a.namespace + ":" + a.name,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{"namespace": a.namespace, "serviceaccount": map[string]any{"name": a.name, "uid": "u1"}},
	}).Serialize()
}

// Refused implements auth.Tokens. Every token is new.
func (a account) Refused(string, time.Time) bool { return false }

// pair is two proxies: apps of team-a call near, whose first target calls route chat-route of team-b at far.
type pair struct {
	near, far               *harness
	nearRecords, farRecords *usage.Recent
}

// pairing says what a pair is made of.
type pairing struct {
	// upstreams of far, and further ones of near behind the other proxy.
	upstreams, others []http.HandlerFunc
	near, far         []setup
}

func newPair(t *testing.T, with pairing) pair {
	t.Helper()
	of := newCluster(t)
	var p pair
	far := append([]setup{keepRecords(&p.farRecords), withTable(func(tb *table.Table) {
		tb.Namespace = "team-b"
		tb.Issuers = []table.Issuer{of.issuer("team-b")}
		tb.Routes[0].Access = table.Access{ServiceAccounts: []string{"team-a/signalbox"}}
		// The names that near asks for, whatever path it takes.
		tb.Routes[0].Models = []string{"llama", "far/*"}
	})}, with.far...)
	p.far = newHarness(t, with.upstreams, far...)
	near := append([]setup{
		keepRecords(&p.nearRecords),
		func(o *Options, _ *table.Table) { o.Tokens = account{of, "team-a", "signalbox"} },
		withTable(func(tb *table.Table) { refer(tb, p.far.front.URL, "llama") }),
	}, with.near...)
	p.near = newHarness(t, with.others, near...)
	return p
}

// refer puts a target in front that calls route chat-route of team-b, at prices above those of its targets.
func refer(tb *table.Table, address, model string) {
	tb.Credentials = append(tb.Credentials, table.Credential{
		Object: table.Object{Name: "route:team-b"}, Provider: "Signalbox", Endpoint: address + "/v1",
		Keys: []table.Key{{
			Name: "serviceaccount", Kind: table.ServiceAccountToken, Cloud: &table.CloudIdentity{Audience: "signalbox.team-b"}, Fingerprint: "0123456789ab",
		}},
	})
	route := &tb.Routes[0]
	for i := range route.Targets {
		route.Targets[i].Priority++
	}
	route.Targets = slices.Insert(route.Targets, 0, table.Target{
		Name: "far", Credential: "route:team-b", CalledRoute: "team-b/chat-route", Model: model, Weight: 1,
		Prices: &table.Prices{Input: 9_000_000_000, CachedInput: 9_000_000_000, Output: 9_000_000_000, Source: "ModelRoute team-b/chat-route"},
	})
}

// bookedID is the id of a call whose books are compared.
const bookedID = "call-1"

// checkBooks checks that both sides have one record of the call, each of its own caller, and that both cost the same.
func (p pair) checkBooks(t *testing.T, want int64) {
	t.Helper()
	near, far := onlyRecord(t, p.nearRecords), onlyRecord(t, p.farRecords)
	told := func(r *usage.Record) string { return r.Namespace + ", " + r.Caller + ", " + r.RequestID }
	if got, want := told(near), "team-a, accesskey:app, "+bookedID; got != want {
		t.Errorf("the caller's side notes %s, want %s", got, want)
	}
	if got, want := told(far), "team-b, serviceaccount:team-a/signalbox, "+bookedID; got != want {
		t.Errorf("the called side notes %s, want %s", got, want)
	}
	if near.Cost != want || far.Cost != want {
		t.Errorf("cost %d and %d, want %d on both sides", near.Cost, far.Cost, want)
	}
	if near.PriceSource != "provider" || near.Provider != "Signalbox" {
		t.Errorf("the caller's cost comes from %q, the provider is %q", near.PriceSource, near.Provider)
	}
	if spent := p.near.spent(); spent != want {
		t.Errorf("team-a's budget has spent %d, want %d", spent, want)
	}
	if spent := p.far.spent(); spent != want {
		t.Errorf("team-b's budget has spent %d, want %d", spent, want)
	}
}

const (
	messagesAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","stop_sequence":null,` +
		`"usage":{"input_tokens":10,"output_tokens":5}}`
	geminiAnswer = `{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP","index":0}],` +
		`"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}}`
)

// anthropicAccount makes all providers of a table Anthropic.
func anthropicAccount(tb *table.Table) { tb.Credentials[0].Provider = "Anthropic" }

// Both namespaces book the same, to the nano-dollar, whatever the API and however the answer comes.
func TestBothSidesBookTheSame(t *testing.T) {
	const named = `{"model":"chat","max_tokens":50,"messages":[{"role":"user","content":"hello"}]`
	messagesEvents := []string{
		"event: message_start\ndata: {\"type\":\"message_start\",\"message\":" + strings.Replace(strings.Replace(messagesAnswer, `[{"type":"text","text":"Hi"}]`, "[]", 1), `"end_turn"`, "null", 1) + "}\n\n",
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
		"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":5}}\n\n",
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
	}
	google := withTable(func(tb *table.Table) {
		tb.Credentials[0].Provider = "GoogleAI"
		tb.Credentials[0].Endpoint = strings.TrimSuffix(tb.Credentials[0].Endpoint, "/v1")
	})
	cases := map[string]struct {
		upstream http.HandlerFunc
		far      []setup
		ask      ask
		want     string
	}{
		"a whole answer":          {good, nil, ask{}, `"content":"Hi"`},
		"a stream":                {streams(goodStream), nil, ask{body: streamBody}, "data: [DONE]"},
		"a stream with usage":     {streams(goodStream), nil, ask{body: usageBody}, `"prompt_tokens":10`},
		"messages":                {answers(200, "application/json", messagesAnswer), []setup{withTable(anthropicAccount)}, ask{path: "/v1/messages", body: named + "}"}, `"text":"Hi"`},
		"messages in a stream":    {streams(messagesEvents...), []setup{withTable(anthropicAccount)}, ask{path: "/v1/messages", body: named + `,"stream":true}`}, "event: message_stop"},
		"gemini":                  {answers(200, "application/json", geminiAnswer), []setup{google}, ask{path: "/v1beta/models/chat:generateContent", body: `{"contents":[{"parts":[{"text":"x"}]}]}`}, `"text":"Hi"`},
		"gemini in a stream":      {streams("data: " + geminiAnswer + "\n\n"), []setup{google}, ask{path: "/v1beta/models/chat:streamGenerateContent?alt=sse", body: `{"contents":[{"parts":[{"text":"x"}]}]}`}, `"text":"Hi"`},
		"gemini in an array":      {streams("data: " + geminiAnswer + "\n\n"), []setup{google}, ask{path: "/v1beta/models/chat:streamGenerateContent", body: `{"contents":[{"parts":[{"text":"x"}]}]}`}, `"text":"Hi"`},
		"translated there":        {good, nil, ask{path: "/v1/messages", body: named + "}"}, `"text":"Hi"`},
		"translated, in a stream": {streams(goodStream), nil, ask{path: "/v1/responses", body: `{"model":"chat","stream":true,"input":"x"}`}, "event: response.completed"},
		"under OpenRouter's path": {good, nil, ask{path: "/api/v1/chat/completions"}, `"cost":0.00002`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, pairing{
				upstreams: []http.HandlerFunc{tc.upstream}, far: append([]setup{withTable(budgeted)}, tc.far...), near: []setup{withTable(budgeted)},
			})
			tc.ask.id = "call-1"
			got := p.near.send(tc.ask)
			if got.status != http.StatusOK || !strings.Contains(got.body, tc.want) || strings.Contains(got.body, "signalbox-cost") {
				t.Fatalf("status %d: %s", got.status, got.body)
			}
			p.near.log.request(t, "call-1")
			p.far.log.request(t, "call-1")
			p.checkBooks(t, goodCost)
		})
	}
}

// Sound cannot be read, so its cost comes behind it.
func TestRawAnswersBookTheSame(t *testing.T) {
	spoken := withTable(func(tb *table.Table) {
		price := int64(15_000_000_000)
		tb.Routes[0].Targets[0].Prices = &table.Prices{Characters: &price}
	})
	p := newPair(t, pairing{
		upstreams: []http.HandlerFunc{answers(200, "audio/mpeg", "sound")}, far: []setup{withTable(budgeted), spoken}, near: []setup{withTable(budgeted)},
	})
	got := p.near.send(ask{path: "/v1/audio/speech", body: `{"model":"chat","input":"four","voice":"x"}`, id: "call-1"})
	if got.status != http.StatusOK || got.body != "sound" {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	p.near.log.request(t, "call-1")
	p.checkBooks(t, 4*15_000)
}

// An attempt that failed there costs what it cost, on both sides, in a call that another target of the same route has answered, and in one that none has.
func TestFailedAttemptsThereCostTheSame(t *testing.T) {
	broken := `{"id":"x","error":{"message":"gone wrong","code":500},"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`
	failing := answers(200, "application/json", broken)
	cases := map[string]struct {
		upstreams []http.HandlerFunc
		status    int
		want      int64
	}{
		"answered by the second": {[]http.HandlerFunc{failing, good}, 200, 2 * goodCost},
		"answered by none":       {[]http.HandlerFunc{failing}, 502, goodCost},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, pairing{upstreams: tc.upstreams, far: []setup{withTable(budgeted)}, near: []setup{withTable(budgeted)}})
			if got := p.near.send(ask{id: "call-1"}); got.status != tc.status {
				t.Fatalf("status %d: %s", got.status, got.body)
			}
			p.near.log.request(t, "call-1")
			p.checkBooks(t, tc.want)
		})
	}
}

// What has no price there is not believed to be free here, nor to cost what a provider behind says, whom that side does not believe.
func TestUnpricedThereIsPricedHere(t *testing.T) {
	unpriced := withTable(func(tb *table.Table) { tb.Routes[0].Targets[0].Prices = nil })
	cases := map[string]struct {
		upstream http.HandlerFunc
		body     string
	}{
		"no cost is said":        {good, goodBody},
		"a cost is said":         {answers(200, "application/json", costing(goodAnswer)), goodBody},
		"a cost is said, stream": {streams(costing(goodStream)), usageBody},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, pairing{upstreams: []http.HandlerFunc{tc.upstream}, far: []setup{unpriced}, near: []setup{withTable(budgeted)}})
			if got := p.near.send(ask{id: "call-1", body: tc.body}); got.status != http.StatusOK {
				t.Fatalf("status %d: %s", got.status, got.body)
			}
			p.near.log.request(t, "call-1")
			if near := onlyRecord(t, p.nearRecords); near.Cost != 15*9_000 || near.PriceSource != "ModelRoute team-b/chat-route" {
				t.Errorf("cost %d from %q, want the target's own prices", near.Cost, near.PriceSource)
			}
		})
	}
}

// costing puts a cost into the usage of an answer or a stream.
func costing(answer string) string {
	return strings.Replace(answer, `"usage":{`, `"usage":{"cost":0.5,`, 1)
}

// The other side's errors reach the client as they are: status, code, text and the time to come back.
func TestErrorsOfTheOtherSide(t *testing.T) {
	spent := withTable(func(tb *table.Table) { budgeted(tb); tb.Budgets[0].Limit = 0 })
	limited := withTable(func(tb *table.Table) { tb.Routes[0].Limits = []table.Limit{{Per: table.PerCaller, TokensPerMinute: 1}} })
	closed := withTable(func(tb *table.Table) {
		tb.Routes[0].Access = table.Access{ServiceAccounts: []string{"team-c/signalbox"}}
	})
	excluded := withTable(func(tb *table.Table) { tb.Routes[0].Targets[0].Excluded = "its Secret is missing" })
	renamed := withTable(func(tb *table.Table) { tb.Routes[0].Models = []string{"other"} })
	elsewhere := withTable(func(tb *table.Table) { tb.Routes[0].Name = "another" })
	looping := withTable(func(tb *table.Table) { tb.Namespace, tb.Routes[0].Name = "team-a", "chat-route" })
	strangers := withTable(func(tb *table.Table) { tb.Issuers = nil })
	rejected := answers(400, "application/json", `{"error":{"message":"too hot","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}`)
	cases := map[string]struct {
		upstream http.HandlerFunc
		far      setup
		status   int
		code     string
		text     string
		header   string
		// leftAlone tells that the next call is not sent. It is after a rate limit, which ends before the call's patience.
		leftAlone bool
	}{
		"budget":         {good, spent, 402, "budget_exceeded", `SpendBudget "monthly" is spent`, "Retry-After", false},
		"rate":           {good, limited, 429, "rate_limit_exceeded", "1 tokens per minute", "", false},
		"access":         {good, closed, 403, "access_denied", "serviceaccount:team-a/signalbox may not use model", "", false},
		"no target":      {good, excluded, 503, "no_eligible_target", "its Secret is missing", "", false},
		"no such model":  {good, renamed, 404, "model_not_found", `serves model "llama"`, "", false},
		"another route":  {good, elsewhere, 404, "model_not_found", `ModelRoute "chat-route" in namespace "team-b" does not serve model "llama"`, "", false},
		"a loop":         {good, looping, 508, "loop_detected", `come back to ModelRoute "chat-route" of namespace "team-a", by way of team-a/chat-route`, "", false},
		"a provider":     {rejected, withTable(func(*table.Table) {}), 400, "unsupported_value", "too hot", "", false},
		"its own token":  {good, strangers, 502, "upstream_auth_failed", `the proxy of namespace "team-b" refused the token of this namespace's proxy`, "", true},
		"provider's key": {answers(401, "application/json", `{"error":{"message":"bad key"}}`), withTable(func(*table.Table) {}), 502, "upstream_auth_failed", `ProviderCredential "c0"`, "", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, pairing{upstreams: []http.HandlerFunc{tc.upstream}, far: []setup{tc.far}, near: []setup{withTable(withoutRetries)}})
			got := p.near.send(ask{})
			said := errorOf(t, got.body)
			if got.status != tc.status || said.Code != tc.code || !strings.Contains(said.Message, tc.text) {
				t.Errorf("status %d, code %v: %s", got.status, said.Code, said.Message)
			}
			if tc.header != "" && got.header.Get(tc.header) == "" {
				t.Errorf("no %s in %v", tc.header, got.header)
			}
			again := errorOf(t, p.near.send(ask{}).body)
			if left := strings.Contains(again.Message, "can be used: far: "); left != tc.leftAlone {
				t.Errorf("the second call gets %v (%s); left alone: %v, want %v", again.Code, again.Message, left, tc.leftAlone)
			}
		})
	}
}

func withoutRetries(tb *table.Table) { tb.Routes[0].Fallback.RetryOn = nil }

// A refusal of the other side moves a call on like a provider's, and does not have that side left alone: the next call asks it again.
func TestRefusalsOfTheOtherSideMoveOn(t *testing.T) {
	spent := withTable(func(tb *table.Table) { budgeted(tb); tb.Budgets[0].Limit = 0 })
	p := newPair(t, pairing{upstreams: []http.HandlerFunc{good}, others: []http.HandlerFunc{good}, far: []setup{spent}})
	for i := range 8 {
		id := fmt.Sprintf("call-%d", i)
		got := p.near.send(ask{id: id})
		if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t0" || got.header.Get("X-Signalbox-Attempts") != "2" {
			t.Fatalf("call %d: status %d, target %s after %s attempts", i, got.status, got.header.Get("X-Signalbox-Target"), got.header.Get("X-Signalbox-Attempts"))
		}
		p.far.log.request(t, id)
	}
}

// What a client says of its call reaches the other side, and what is the namespaces' own does not come back.
func TestWhatPassesBetweenProxies(t *testing.T) {
	var seen http.Header
	var body string
	p := newPair(t, pairing{upstreams: []http.HandlerFunc{good}})
	watch := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		seen, body = r.Header.Clone(), string(raw)
		answers(200, "application/json", goodAnswer)(w, r)
	})
	direct := newHarness(t, []http.HandlerFunc{watch}, withTable(func(tb *table.Table) {
		tb.Credentials[0].Provider, tb.Credentials[0].Name = "Signalbox", "route:team-b"
		tb.Routes[0].Targets[0].Credential, tb.Routes[0].Targets[0].CalledRoute, tb.Routes[0].Targets[0].Model = "route:team-b", "team-b/llama", "*"
	}))
	request := direct.request(t.Context(), ask{id: "call-1", body: `{"model":"any/x","messages":[],"user":"eve","logit_bias":{"1":2},"made_up":true}`})
	request.Header.Set("X-Signalbox-Tags", "team=search")
	request.Header.Set("X-Session-Id", "s1")
	request.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	request.Header.Set("Cookie", "secret=1")
	request.Header.Set("X-Signalbox-Hops", "team-z/first")
	response, err := direct.front.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	want := map[string]string{
		"X-Signalbox-Hops": "team-z/first, team-a/chat-route", "X-Signalbox-Called-Route": "llama", "X-Request-Id": "call-1", "X-Signalbox-Tags": "team=search",
		"X-Session-Id": "s1", "Cookie": "", "Authorization": "Bearer " + providerKey,
	}
	for name, value := range want {
		if got := seen.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if !strings.HasPrefix(seen.Get("Traceparent"), "00-0af7651916cd43dd8448eb211c80319c-") {
		t.Errorf("the trace is %q", seen.Get("Traceparent"))
	}
	if wantBody := `{"model":"any/x","messages":[],"user":"eve","logit_bias":{"1":2},"made_up":true}`; body != wantBody {
		t.Errorf("sent %s, want %s", body, wantBody)
	}
	got := p.near.send(ask{})
	for _, name := range []string{"X-Signalbox-Code", "X-Signalbox-Hops"} {
		if got.header.Get(name) != "" {
			t.Errorf("the client gets %s: %v", name, got.header[name])
		}
	}
	if got.header.Get("X-Signalbox-Target") != "far" || got.header.Get("X-Signalbox-Cost") != "0.00002" {
		t.Errorf("the client is told %v", got.header)
	}
}

// Answers to others than proxies have nothing of what those are told.
func TestClientsAreToldNothingMore(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{streams(goodStream)})
	plain := h.send(ask{body: streamBody})
	if strings.Contains(plain.body, "signalbox-cost") {
		t.Errorf("a client's stream has %s", plain.body)
	}
	refused := h.send(ask{body: `{"model":"none"}`})
	if _, told := refused.header["X-Signalbox-Code"]; told {
		t.Errorf("a client's error has %v", refused.header)
	}
}

// A Hard budget on this side reserves by the highest prices and settles by what the other side says.
func TestHardBudgetOverTheOtherSide(t *testing.T) {
	store := ledgertest.NewStore(nil)
	p := newPair(t, pairing{
		upstreams: []http.HandlerFunc{good}, near: []setup{hard(1_000_000_000), withLedger(t, store), withTable(func(tb *table.Table) {
			tb.Routes[0].Targets[0].Declared = table.Declared{ContextTokens: 8192, MaxOutputTokens: 1024}
		})},
	})
	if got := p.near.send(ask{id: "call-1"}); got.status != http.StatusOK {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	p.near.log.request(t, "call-1")
	if standing := p.near.standing(); standing.Spent != goodCost || standing.Reserved != 0 {
		t.Errorf("spent %d, reserved %d; want %d and nothing", standing.Spent, standing.Reserved, goodCost)
	}
}

func TestReadPassage(t *testing.T) {
	long := strings.Repeat("a", 63) + "/" + strings.Repeat("b", 253)
	cases := map[string]struct {
		hops   []string
		called string
		code   Code
		want   passage
	}{
		"none":                {want: passage{}},
		"one":                 {hops: []string{"a/x"}, called: "y", want: passage{hops: []string{"a/x"}, called: "y"}},
		"four":                {hops: []string{"a/x,b/y, c/z,d/w"}, want: passage{hops: []string{"a/x", "b/y", "c/z", "d/w"}}},
		"four of the longest": {hops: []string{strings.Join([]string{long, long, long, long}, ", ")}, want: passage{hops: []string{long, long, long, long}}},
		"five":                {hops: []string{"a/x,b/y,c/z,d/w,e/v"}, code: CodeLoopDetected},
		"twice":               {hops: []string{"a/x", "b/y"}, code: CodeInvalidRequest},
		"no route":            {hops: []string{"a"}, code: CodeInvalidRequest},
		"empty":               {hops: []string{""}, code: CodeInvalidRequest},
		"letters of others":   {hops: []string{"a/X"}, code: CodeInvalidRequest},
		"far too long":        {hops: []string{strings.Repeat("a/x,", 4000)}, code: CodeInvalidRequest},
		"a called path":       {hops: []string{"a/x"}, called: "b/y", code: CodeInvalidRequest},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := &call{r: &http.Request{Header: http.Header{}}}
			if tc.hops != nil {
				c.r.Header[headerHops] = tc.hops
			}
			c.r.Header.Set(headerCalledRoute, tc.called)
			err := c.readPassage()
			if tc.code != "" {
				if err == nil || asError(err).Code != tc.code {
					t.Errorf("got %v, want %s", err, tc.code)
				}
				return
			}
			if err != nil || !cmp.Equal(tc.want, c.passage, cmp.AllowUnexported(passage{})) {
				t.Errorf("got %+v, %v; want %+v", c.passage, err, tc.want)
			}
		})
	}
}

func FuzzPassage(f *testing.F) {
	f.Add("a/x, b/y", "z", ": signalbox-cost 0.1 estimated\n\n")
	f.Add(",", "/", ": signalbox-cost -1")
	f.Fuzz(func(t *testing.T, hops, called, comment string) {
		c := &call{r: &http.Request{Header: http.Header{headerHops: {hops}, headerCalledRoute: {called}}}}
		if err := c.readPassage(); err == nil && (len(c.passage.hops) == 0 || len(c.passage.hops) > maxHops) {
			t.Errorf("%q is %d hops", hops, len(c.passage.hops))
		}
		if told, ok := costInComment([]byte(comment)); told.nano < 0 || told.known && !ok {
			t.Errorf("%q is a cost of %d", comment, told.nano)
		}
	})
}
