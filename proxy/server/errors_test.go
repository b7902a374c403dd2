package server

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// refusal is a request that gets an error, and the error it gets.
type refusal struct {
	upstreams []http.HandlerFunc
	setups    []setup
	ask       ask
	status    int
	code      Code
	// dialect is the code of the body where it is finer than code.
	dialect string
	message string
	header  map[string]string
	// only is the one surface that has the path; empty where all have it.
	only string
}

func refusals() map[string]refusal {
	all := clientRefusals()
	for name, tc := range policyRefusals() {
		all[name] = tc
	}
	for name, tc := range upstreamRefusals() {
		all[name] = tc
	}
	return all
}

func clientRefusals() map[string]refusal {
	deep := `{"model":"chat","messages":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + "}"
	return map[string]refusal{
		"unknown path":         {ask: ask{path: "/v2/chat"}, status: 404, code: CodePathNotFound, message: "this proxy serves"},
		"doubled prefix":       {ask: ask{path: "/v1/v1/chat/completions"}, status: 404, code: CodePathNotFound},
		"path with a dot":      {ask: ask{path: "/v1/../v1/chat/completions"}, status: 404, code: CodePathNotFound},
		"wrong method":         {ask: ask{method: "GET"}, status: 405, code: CodeMethodNotAllowed, header: map[string]string{"Allow": "POST"}},
		"post to models":       {ask: ask{path: "/v1/models"}, status: 405, code: CodeMethodNotAllowed, header: map[string]string{"Allow": "GET"}},
		"form body":            {ask: ask{contentType: "application/x-www-form-urlencoded"}, status: 415, code: CodeUnsupportedMediaType},
		"malformed type":       {ask: ask{contentType: "application/json;;;"}, status: 415, code: CodeUnsupportedMediaType},
		"large body":           {setups: []setup{withLimits(Limits{BodyBytes: 50})}, status: 413, code: CodePayloadTooLarge, message: "50 bytes"},
		"no room for bodies":   {setups: []setup{withLimits(Limits{BufferedBytes: 1})}, ask: ask{body: goodBody + strings.Repeat(" ", 1<<20)}, status: 503, code: CodeOverloaded},
		"not JSON":             {ask: ask{body: "hello"}, status: 400, code: CodeInvalidRequest, dialect: "invalid_json"},
		"truncated":            {ask: ask{body: `{"model":"chat","messages":[`}, status: 400, code: CodeInvalidRequest, dialect: "invalid_json"},
		"nested 10,000 deep":   {ask: ask{body: deep}, status: 400, code: CodeInvalidRequest, dialect: "invalid_json"},
		"model twice":          {ask: ask{body: `{"model":"chat","mod\u0065l":"x"}`}, status: 400, code: CodeInvalidRequest, dialect: "duplicate_parameter"},
		"model a number":       {ask: ask{body: `{"model":1}`}, status: 400, code: CodeInvalidRequest, dialect: "invalid_type"},
		"no model":             {ask: ask{body: `{}`}, status: 400, code: CodeInvalidRequest, dialect: "missing_required_parameter"},
		"invalid UTF-8":        {ask: ask{body: "{\"model\":\"\xff\"}"}, status: 400, code: CodeInvalidRequest, dialect: "invalid_json"},
		"no credentials":       {ask: ask{key: "none"}, status: 401, code: CodeMissingCredentials, header: map[string]string{"Www-Authenticate": "Bearer"}},
		"unknown key":          {ask: ask{key: "sbk-wrong"}, status: 401, code: CodeUnauthenticated, message: `none of namespace "team-a": send one that was made there`},
		"models of a stranger": {ask: ask{key: "none", method: "GET", path: "/v1/models"}, status: 401, code: CodeMissingCredentials},
		"no access":            {ask: ask{key: strangerKey}, status: 403, code: CodeAccessDenied, message: `in namespace "team-a": its access rules do not admit this caller`},
		"no access to a model": {ask: ask{key: strangerKey, method: "GET", path: "/v1/models/chat"}, status: 403, code: CodeAccessDenied},
		"unknown generation":   {only: "/api", ask: ask{method: "GET", path: "/v1/generation?id=x"}, status: 404, code: CodeGenerationNotFound},
		"unknown model":        {ask: ask{body: `{"model":"gpt"}`}, status: 404, code: CodeModelNotFound, message: "you may use any/*, chat"},
		"misspelled model":     {ask: ask{body: `{"model":"Chatt"}`}, status: 404, code: CodeModelNotFound, message: `serves model "Chatt"; did you mean "chat"? you may use any/*, chat`},
		"unknown model's page": {ask: ask{method: "GET", path: "/v1/models/gpt"}, status: 404, code: CodeModelNotFound},
		"unknown model of a stranger": {
			ask: ask{key: strangerKey, body: `{"model":"gpt"}`}, status: 404, code: CodeModelNotFound, message: "there is no model that accesskey:stranger may use",
		},
	}
}

func policyRefusals() map[string]refusal {
	spent := withTable(func(t *table.Table) { budgeted(t); t.Budgets[0].Limit = 0 })
	forever := withTable(func(t *table.Table) { t.Budgets[0].Period = "Total" })
	unpriced := withTable(func(t *table.Table) { budgeted(t); t.Routes[0].Targets[0].Prices = nil })
	noZone := withTable(func(t *table.Table) { budgeted(t); t.Budgets[0].TimeZone = "Nowhere/City" })
	excluded := withTable(func(t *table.Table) {
		t.Routes[0].Targets[0].Excluded = "its Secret is missing"
		t.Credentials[1].Keys = nil
		t.Credentials[2].Provider = "Nobody"
		t.Routes[0].Targets[3].Credential = "ghost"
		t.Routes[0].Targets[4].Weight = 0
		t.Credentials[5].Endpoint = "http://[::1"
	})
	six := []http.HandlerFunc{good, good, good, good, good, good}
	return map[string]refusal{
		"budget spent":          {setups: []setup{spent}, status: 402, code: CodeBudgetExceeded, message: "Z, and calls go on before that if its limit is raised"},
		"budget spent for ever": {setups: []setup{spent, forever}, status: 402, code: CodeBudgetExceeded, message: "it does not reset by itself: calls go on when its limit is raised"},
		"limit reached":         {setups: []setup{limited(table.Limit{Per: table.PerCaller, TokensPerMinute: 1})}, status: 429, code: CodeRateLimited, message: "1 tokens per minute"},
		"a loop": {
			setups: []setup{spent}, ask: ask{header: map[string]string{"X-Signalbox-Hops": "team-b/x, team-a/chat-route"}}, status: 508, code: CodeLoopDetected,
			message: `come back to ModelRoute "chat-route" of namespace "team-a", by way of team-b/x, team-a/chat-route`,
		},
		"too many hops": {
			ask: ask{header: map[string]string{"X-Signalbox-Hops": "a/a, b/b, c/c, d/d, e/e"}}, status: 508, code: CodeLoopDetected, message: "has passed 5 namespaces, and may pass 4",
		},
		"price unknown":      {setups: []setup{unpriced}, status: 402, code: CodeUnpriced, message: `SpendBudget "monthly"`},
		"budget uncountable": {setups: []setup{noZone}, status: 503, code: CodeLedgerUnavailable, header: map[string]string{"Retry-After": "60"}},
		"unbounded cost":     {setups: []setup{hard(1 << 40)}, status: 400, code: CodeUnboundedCost, message: "send an output limit such as max_tokens"},
		"journal full":       {setups: []setup{fullJournal}, status: 503, code: CodeJournalFull, header: map[string]string{"Retry-After": "5"}},
		"no eligible target": {upstreams: six, setups: []setup{excluded}, status: 503, code: CodeNoEligibleTarget, message: `in namespace "team-a" can be used: t0: its Secret is missing; t1: `},
	}
}

func upstreamRefusals() map[string]refusal {
	says := func(status int, body string) []http.HandlerFunc {
		return []http.HandlerFunc{answers(status, "application/json", body)}
	}
	text := func(contentType, body string) []http.HandlerFunc {
		return []http.HandlerFunc{answers(http.StatusOK, contentType, body)}
	}
	closed := withTable(func(t *table.Table) { t.Credentials[0].Endpoint = unreachable })
	denied := withTable(func(t *table.Table) { t.Endpoints = table.EndpointRules{} })
	hurried := withTable(func(t *table.Table) { t.Routes[0].Total = 50 * time.Millisecond })
	hurriedToken := withTable(func(t *table.Table) { t.Routes[0].FirstToken = 50 * time.Millisecond })
	never := []http.HandlerFunc{silent}
	wrongGzip := func(body string) []http.HandlerFunc {
		return []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte(body))
		}}
	}
	odd := []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		_, _ = w.Write([]byte("x"))
	}}
	return map[string]refusal{
		"rejected":           {upstreams: says(400, `{"error":{"message":"bad temperature","param":"temperature","code":"oops"}}`), status: 400, code: CodeUpstreamRejected, dialect: "oops", message: "bad temperature"},
		"rejected, no JSON":  {upstreams: says(422, "nonsense"), status: 422, code: CodeUpstreamRejected, message: "provider OpenAICompatible (422): nonsense"},
		"rate limited":       {upstreams: says(429, `{"error":{"message":"slow down"}}`), status: 429, code: CodeUpstreamRateLimited, message: "provider OpenAICompatible (429): slow down"},
		"unavailable":        {upstreams: says(503, `{"error":{"message":"full"}}`), status: 503, code: CodeUpstreamUnavailable, message: "full"},
		"failed":             {upstreams: says(500, `{"error":{"message":"boom"}}`), status: 502, code: CodeUpstreamUnavailable, message: "boom"},
		"upstream's 408":     {upstreams: says(408, `{}`), status: 504, code: CodeUpstreamTimeout},
		"key refused":        {upstreams: says(401, `{"error":{"message":"Incorrect API key `+providerKey+`"}}`), status: 502, code: CodeUpstreamAuthFailed, message: `ProviderCredential "c0"`},
		"account refused":    {upstreams: says(403, `{}`), status: 502, code: CodeUpstreamAuthFailed},
		"account empty":      {upstreams: says(402, `{}`), status: 502, code: CodeUpstreamAuthFailed},
		"redirect":           {upstreams: says(302, `{}`), status: 502, code: CodeUpstreamInvalidAnswer},
		"nobody there":       {setups: []setup{closed}, status: 502, code: CodeUpstreamUnreachable, message: "no connection could be made"},
		"address denied":     {setups: []setup{denied}, status: 502, code: CodeUpstreamUnreachable, message: "must not be called"},
		"total timeout":      {upstreams: never, setups: []setup{hurried}, status: 504, code: CodeUpstreamTimeout, message: "timeouts.total, 50ms"},
		"first token":        {upstreams: never, setups: []setup{hurriedToken}, ask: ask{body: streamBody}, status: 504, code: CodeUpstreamTimeout, message: "timeouts.firstToken, 50ms"},
		"cannot be done":     {setups: []setup{vendor("Anthropic")}, ask: ask{body: strings.Replace(goodBody, "{", `{"n":2,`, 1)}, status: 400, code: CodeUnsupportedByTargets, message: `target "t0"`},
		"HTML":               {upstreams: text("text/html", "<html><title>Welcome</title></html>"), status: 502, code: CodeUpstreamInvalidAnswer, message: "not a JSON object"},
		"HTML for a stream":  {upstreams: text("text/html", "<html>"), ask: ask{body: streamBody}, status: 502, code: CodeUpstreamInvalidAnswer},
		"JSON for a stream":  {upstreams: []http.HandlerFunc{good}, ask: ask{body: streamBody}, status: 502, code: CodeUpstreamInvalidAnswer, message: "did not answer with one"},
		"answer cut":         {upstreams: []http.HandlerFunc{cuts(`{"id":`)}, status: 502, code: CodeUpstreamBroken},
		"answer cut in JSON": {upstreams: text("application/json", `{"id":`), status: 502, code: CodeUpstreamInvalidAnswer},
		"answer not UTF-8":   {upstreams: text("application/json", "{\"id\":\"\xff\"}"), status: 502, code: CodeUpstreamInvalidAnswer},
		"answer too large":   {upstreams: []http.HandlerFunc{good}, setups: []setup{withLimits(Limits{AnswerBytes: 100})}, status: 502, code: CodeUpstreamInvalidAnswer, message: "larger than"},
		"gzip that is none":  {upstreams: wrongGzip("hello, this is no gzip"), status: 502, code: CodeUpstreamInvalidAnswer, message: "content encoding"},
		"gzip that breaks":   {upstreams: wrongGzip("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03garbage-garbage"), status: 502, code: CodeUpstreamInvalidAnswer, message: "content encoding"},
		"unknown encoding":   {upstreams: odd, status: 502, code: CodeUpstreamInvalidAnswer, message: "content encoding"},
		"error inside a 200": {upstreams: text("application/json", `{"error":{"message":"overloaded","code":503}}`), status: 503, code: CodeUpstreamUnavailable, message: "overloaded"},
		"error as first event": {
			upstreams: []http.HandlerFunc{streams(`data: {"error":{"message":"too many","code":429}}` + "\n\n")}, ask: ask{body: streamBody},
			status: 429, code: CodeUpstreamRateLimited, message: "too many",
		},
		"stream without an end": {upstreams: []http.HandlerFunc{streams(roleEvent)}, ask: ask{body: streamBody}, status: 502, code: CodeUpstreamBroken},
		"stream of nonsense":    {upstreams: []http.HandlerFunc{streams("data: {nonsense\n\n")}, ask: ask{body: streamBody}, status: 502, code: CodeUpstreamInvalidAnswer},
		"stream not UTF-8":      {upstreams: []http.HandlerFunc{streams("data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n")}, ask: ask{body: streamBody}, status: 502, code: CodeUpstreamInvalidAnswer},
		"event too large": {
			upstreams: []http.HandlerFunc{streams("data: " + strings.Repeat("x", 10<<20) + "\n\n")}, setups: []setup{withLimits(Limits{EventBytes: 1 << 20})},
			ask: ask{body: streamBody}, status: 502, code: CodeUpstreamInvalidAnswer, message: "larger than",
		},
	}
}

func TestErrors(t *testing.T) {
	for name, tc := range refusals() {
		t.Run(name, func(t *testing.T) {
			upstreams := tc.upstreams
			if upstreams == nil {
				upstreams = []http.HandlerFunc{good}
			}
			for _, surface := range []string{"", "/api", "/openai"} {
				if tc.only != "" && surface != tc.only {
					continue
				}
				h := newHarness(t, upstreams, tc.setups...)
				checkRefusal(t, h, tc, surface)
				if strings.Contains(h.log.text(), providerKey) || strings.Contains(h.log.text(), appKey) {
					t.Errorf("the log holds a key:\n%s", h.log.text())
				}
			}
		})
	}
}

// checkRefusal sends the request to one surface, whose prefix comes before /v1.
func checkRefusal(t *testing.T, h *harness, tc refusal, surface string) {
	t.Helper()
	request := tc.ask
	request.path = surface + or(request.path, "/v1/chat/completions")
	request.id = "id" + strings.ReplaceAll(surface, "/", "-")
	got := h.send(request)
	if got.status != tc.status {
		t.Errorf("%s: status %d, want %d: %s", surface, got.status, tc.status, got.body)
	}
	if got.header.Get("Content-Type") != "application/json" || got.header.Get("X-Request-Id") != request.id {
		t.Errorf("%s: header %v", surface, got.header)
	}
	for name, value := range tc.header {
		if got.header.Get(name) != value {
			t.Errorf("%s: %s is %q, want %q", surface, name, got.header.Get(name), value)
		}
	}
	checkRefusalBody(t, tc, request.path, got.body)
	if line := h.log.request(t, request.id); line["code"] != string(tc.code) || line["status"] != float64(tc.status) {
		t.Errorf("%s: logged code %v and status %v", surface, line["code"], line["status"])
	}
}

// checkRefusalBody knows that the code of the OpenRouter surface is the status.
func checkRefusalBody(t *testing.T, tc refusal, path, text string) {
	t.Helper()
	body := errorOf(t, text)
	var want any = or(tc.dialect, string(tc.code))
	if strings.HasPrefix(path, "/api/v1/") {
		if body.Metadata.ErrorType != want {
			t.Errorf("%s: error_type %q, want %q", path, body.Metadata.ErrorType, want)
		}
		want = float64(tc.status)
	}
	if body.Code != want {
		t.Errorf("%s: code %v, want %v", path, body.Code, want)
	}
	if !strings.Contains(body.Message, tc.message) || body.Message == "" {
		t.Errorf("%s: message %q, want it to contain %q", path, body.Message, tc.message)
	}
	if strings.Contains(text, providerKey) {
		t.Errorf("%s: the body holds the provider's key: %s", path, text)
	}
}

func TestNoEligibleTargetNamesEachTarget(t *testing.T) {
	tc := policyRefusals()["no eligible target"]
	h := newHarness(t, tc.upstreams, tc.setups...)
	body := errorOf(t, h.send(ask{}).body)
	want := map[string]string{
		"t0": "its Secret is missing", "t1": `ProviderCredential "c1" has no usable key`, "t2": `this proxy does not know the provider Nobody of ProviderCredential "c2"`,
		"t3": `ProviderCredential "ghost" does not exist`, "t4": "its weight is 0", "t5": `the endpoint of ProviderCredential "c5" cannot be used`,
	}
	for _, target := range body.Metadata.Targets {
		if target.Reason != want[target.Target] {
			t.Errorf("%s: %q, want %q", target.Target, target.Reason, want[target.Target])
		}
		delete(want, target.Target)
	}
	if len(want) > 0 {
		t.Errorf("not named: %v", want)
	}
}

func TestBudgetRefusalNamesBudgetLimitAndReset(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, withTable(func(tb *table.Table) { budgeted(tb); tb.Budgets[0].Limit = goodCost }))
	if got := h.send(ask{}); got.status != http.StatusOK {
		t.Fatalf("first call: %d %s", got.status, got.body)
	}
	got := h.send(ask{})
	budget := errorOf(t, got.body).Metadata.Budget
	resets, err := time.Parse(time.RFC3339, budget.Resets)
	if budget.Name != "monthly" || budget.Limit != "0.00002" || budget.Spent != "0.00002" || err != nil {
		t.Errorf("budget is %+v", budget)
	}
	seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
	if left := int(time.Until(resets).Seconds()); err != nil || seconds < left-5 || seconds > left+5 {
		t.Errorf("Retry-After is %q, want about %d", got.header.Get("Retry-After"), left)
	}
}

func TestNotReady(t *testing.T) {
	h := newHarness(t, nil)
	h.server.current.Store(nil)
	got := h.send(ask{})
	if body := errorOf(t, got.body); got.status != http.StatusServiceUnavailable || body.Code != string(CodeNotReady) || got.header.Get("Retry-After") != "1" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if h.server.Ready() {
		t.Error("ready without a table")
	}
}

func TestOverload(t *testing.T) {
	busy, release := make(chan struct{}), make(chan struct{})
	h := newHarness(t, []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { close(busy); <-release; good(w, r) }}, withLimits(Limits{Concurrent: 1}))
	first := make(chan reply)
	go func() { first <- h.send(ask{}) }()
	<-busy
	got := h.send(ask{})
	if body := errorOf(t, got.body); got.status != http.StatusServiceUnavailable || body.Code != string(CodeOverloaded) || got.header.Get("Retry-After") != "1" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	close(release)
	if got := <-first; got.status != http.StatusOK {
		t.Errorf("the request before it: %d %s", got.status, got.body)
	}
}

func TestPanicHarmsOneRequestOnly(t *testing.T) {
	panics := true
	h := newHarness(t, []http.HandlerFunc{good, good}, func(o *Options, tb *table.Table) {
		tb.Routes[0].Targets[1].Priority = 0
		o.Random = func(int64) int64 {
			if panics {
				panic("a defect")
			}
			return 0
		}
	})
	got := h.send(ask{})
	if body := errorOf(t, got.body); got.status != http.StatusInternalServerError || body.Code != string(CodeInternal) || strings.Contains(got.body, "defect") {
		t.Errorf("%d %s", got.status, got.body)
	}
	panics = false
	if got := h.send(ask{}); got.status != http.StatusOK {
		t.Errorf("the request after it: %d %s", got.status, got.body)
	}
	if h.server.InFlight() != 0 {
		t.Errorf("%d requests in flight", h.server.InFlight())
	}
}

// TestSlowAndShortBodies sends bodies that no HTTP client would.
func TestSlowAndShortBodies(t *testing.T) {
	const length = "Content-Length: 100"
	cases := map[string]struct {
		length    string
		sent      string
		thenClose bool
		status    int
		code      Code
		message   string
	}{
		"too slow": {length: length, sent: `{"model":`, status: http.StatusRequestTimeout, code: CodeRequestTimeout, message: "too slowly"},
		"cut off":  {length: length, sent: `{"model":`, thenClose: true, status: http.StatusBadRequest, code: CodeRequestIncomplete, message: "ended after 9 bytes"},
		"malformed chunk": {
			length: "Transfer-Encoding: chunked", sent: "9\r\n{\"model\":\r\nzz\r\n", status: http.StatusBadRequest, code: CodeRequestIncomplete, message: "malformed",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{good}, withLimits(Limits{BodyGrace: 100 * time.Millisecond}))
			conn := h.dial()
			_, _ = fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nX-Request-Id: r\r\n%s\r\n\r\n%s", appKey, tc.length, tc.sent)
			if tc.thenClose {
				if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != tc.status || !response.Close || !strings.Contains(errorOf(t, string(body)).Message, tc.message) {
				t.Errorf("status %d, close %v, error %v: %s", response.StatusCode, response.Close, err, body)
			}
			if line := h.log.request(t, "r"); line["code"] != string(tc.code) {
				t.Errorf("logged %v, want %s", line["code"], tc.code)
			}
		})
	}
}

func (h *harness) dial() net.Conn {
	h.t.Helper()
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(h.t.Context(), "tcp", h.front.Listener.Addr().String())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		h.t.Fatal(err)
	}
	return conn
}

// TestEveryCodeIsTested reads the closed list from its source, so that a code without a test is noticed.
func TestEveryCodeIsTested(t *testing.T) {
	tested := map[string]bool{
		// These have tests of their own, beside this one, in stream_test.go and in awaitkeys_test.go.
		string(CodeOK): true, string(CodeNotReady): true, string(CodeInternal): true, string(CodeRequestTimeout): true,
		string(CodeRequestIncomplete): true, string(CodeClientClosed): true, string(CodeIssuerUnavailable): true,
	}
	for _, tc := range refusals() {
		tested[string(tc.code)] = true
	}
	source, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(source, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		code, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		if !tested[code] {
			t.Errorf("%s has no test", code)
		}
		return true
	})
	if found < 25 {
		t.Errorf("found only %d codes", found)
	}
}
