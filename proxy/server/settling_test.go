package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/ledger/ledgertest"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
)

// panicking is a transport whose requests are sent, and whose answers make who reads them panic.
type panicking struct{ http.RoundTripper }

func (p panicking) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := p.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = panickingBody{response.Body}
	}
	return response, err
}

type panickingBody struct{ io.Closer }

func (panickingBody) Read([]byte) (int, error) { panic("a bug") }

func withPanics(o *Options, _ *table.Table) {
	o.NewTransport = func(rules table.EndpointRules) (http.RoundTripper, error) {
		transport, err := loopbackTransport(rules)
		return panicking{transport}, err
	}
}

// TestAPanicIsCharged: what was sent before the proxy failed may have been done, and costs a Hard budget its bound.
func TestAPanicIsCharged(t *testing.T) {
	for name, body := range map[string]string{"whole": hardBody, "stream": strings.Replace(hardBody, "{", `{"stream":true,`, 1)} {
		t.Run(name, func(t *testing.T) {
			n := &notes{}
			h := newHarness(t, []http.HandlerFunc{good}, hard(1<<40), withLedger(t, ledgertest.NewStore(nil)), withPanics, func(o *Options, _ *table.Table) { o.Journal = n })
			got := h.send(ask{body: body, id: "r"})
			h.log.request(t, "r")
			h.front.Close()
			if got.status != http.StatusInternalServerError || h.spent() <= goodCost || h.standing().Reserved != 0 {
				t.Errorf("status %d, %d spent, %d reserved", got.status, h.spent(), h.standing().Reserved)
			}
			if len(n.records) != 1 || n.records[0].Cost != h.spent() || !n.records[0].Estimated || n.records[0].Attempts[0].Code != string(CodeInternal) {
				t.Errorf("recorded %+v", n.records)
			}
		})
	}
}

// TestAMirrorThatPanicsIsCharged: the copy of a call is charged and recorded whatever becomes of it.
func TestAMirrorThatPanicsIsCharged(t *testing.T) {
	n := &notes{}
	h := newHarness(t, []http.HandlerFunc{good, good}, mirroring(func(*table.Mirror) {}), hard(1<<40), withLedger(t, ledgertest.NewStore(nil)), withPanics,
		func(o *Options, _ *table.Table) { o.Journal = n })
	h.send(ask{body: hardBody})
	h.log.wait(t, isMirror)
	h.front.Close()
	if err := h.server.AwaitMirrors(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(n.records) != 2 || n.records[0].Cost+n.records[1].Cost != h.spent() || h.standing().Reserved != 0 {
		t.Errorf("%d spent, %d reserved, recorded %+v", h.spent(), h.standing().Reserved, n.records)
	}
}

// TestShrinkingManyAnswers: the output limit that is sent holds for each of the answers, and all of them together fit.
func TestShrinkingManyAnswers(t *testing.T) {
	cases := map[string]struct {
		path, body string
		answers    int64
	}{
		"choices": {"/v1/chat/completions", `{"model":"chat","n":3,"messages":[]}`, 3},
		"prompts": {"/v1/completions", `{"model":"chat","prompt":["a","b","c"]}`, 3},
		"best of": {"/v1/completions", `{"model":"chat","prompt":"a","best_of":4,"n":2}`, 4},
	}
	const limit = 1_000_000
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			bodies := make(chan string, 1)
			h := newHarness(t, []http.HandlerFunc{recorded(bodies, good)}, limits(5000, 5000), hard(limit, func(b *table.Budget) { b.Shrink = true }),
				withLedger(t, ledgertest.NewStore(nil)))
			got := h.send(ask{path: tc.path, body: tc.body})
			if got.status != http.StatusOK {
				t.Fatalf("status %d\n%s", got.status, got.body)
			}
			if sent := sentLimit(t, <-bodies); sent < leastShrunk || sent*tc.answers*2_000 > limit {
				t.Errorf("%d answers of %d tokens are let through", tc.answers, sent)
			}
		})
	}
}

// TestFreeTargetsOverrun: a target whose prices say that it is free and which reports a cost is no better than any other that costs more than it can.
func TestFreeTargetsOverrun(t *testing.T) {
	const answer = `{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"cost":0.000123}}`
	h := newHarness(t, []http.HandlerFunc{answers(http.StatusOK, "application/json", answer), good}, vendor("OpenRouter"),
		withTable(func(tb *table.Table) { tb.Routes[0].Targets[0].Prices = &table.Prices{} }), hard(1<<40), withLedger(t, ledgertest.NewStore(nil)))
	if got := h.send(ask{body: hardBody}); got.status != http.StatusOK || h.spent() != 123_000 {
		t.Fatalf("status %d, %d spent", got.status, h.spent())
	}
	if got := h.send(ask{body: hardBody}); got.header.Get("X-Signalbox-Target") != "t1" {
		t.Errorf("the target that overran is tried again: %q", got.header.Get("X-Signalbox-Target"))
	}
}

// TestOneCost: body, header, record and books say the same of a call, and whether it is estimated.
func TestOneCost(t *testing.T) {
	const silent = `{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}`
	cases := map[string]struct {
		answer    string
		budget    setup
		estimated string
	}{
		"reported":               {goodAnswer, hard(1 << 40), ""},
		"not reported, hard":     {silent, hard(1 << 40), "true"},
		"not reported, not hard": {silent, withTable(budgeted), "true"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var recent *usage.Recent
			h := newHarness(t, []http.HandlerFunc{answers(http.StatusOK, "application/json", tc.answer)}, tc.budget, withLedger(t, ledgertest.NewStore(nil)), keepRecords(&recent))
			got := h.send(ask{path: "/api/v1/chat/completions", body: hardBody})
			var body struct {
				Usage struct {
					Cost json.Number `json:"cost"`
				} `json:"usage"`
			}
			if err := json.Unmarshal([]byte(got.body), &body); err != nil {
				t.Fatalf("%v\n%s", err, got.body)
			}
			record := onlyRecord(t, recent)
			want := meter.FormatUSD(h.spent())
			if got.header.Get("X-Signalbox-Cost") != want || body.Usage.Cost.String() != want || record.Cost != h.spent() {
				t.Errorf("books %s, header %s, body %s, record %d", want, got.header.Get("X-Signalbox-Cost"), body.Usage.Cost, record.Cost)
			}
			if got.header.Get("X-Signalbox-Estimated") != tc.estimated || record.Estimated != (tc.estimated != "") {
				t.Errorf("estimated: header %q, record %t", got.header.Get("X-Signalbox-Estimated"), record.Estimated)
			}
		})
	}
}

// TestAStreamTellsItsEstimate: in the trailer, beside its cost.
func TestAStreamTellsItsEstimate(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{streams(roleEvent + tokenEvent + finishEvent + doneEvent)}, withTable(budgeted))
	response := h.open(t.Context(), ask{body: streamBody})
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	if told := response.Trailer.Get("X-Signalbox-Estimated"); told != "true" || response.Trailer.Get("X-Signalbox-Cost") != meter.FormatUSD(h.spent()) {
		t.Errorf("estimated %q, cost %q", told, response.Trailer.Get("X-Signalbox-Cost"))
	}
}

// TestBrokenAnswersAreCharged: they may have been paid for, also where signs of life stand before them, or where a stream ends before it says anything.
func TestBrokenAnswersAreCharged(t *testing.T) {
	cases := map[string]struct {
		answer http.HandlerFunc
		body   string
		free   bool
	}{
		"broken JSON":              {answers(http.StatusOK, "application/json", `{"choices":[`), goodBody, false},
		"broken JSON behind space": {answers(http.StatusOK, "application/json", " \n\n {\"choices\":["), goodBody, false},
		"a page":                   {answers(http.StatusOK, "text/html", "<html>"), goodBody, true},
		"empty stream":             {streams(doneEvent), streamBody, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{tc.answer}, withTable(budgeted))
			if got := h.send(ask{body: tc.body}); got.status != http.StatusBadGateway || (h.spent() == 0) != tc.free {
				t.Errorf("status %d, %d spent", got.status, h.spent())
			}
		})
	}
}

// TestRecordTellsTheProvidersTime: also of an answer whose record is readable before its end.
func TestRecordTellsTheProvidersTime(t *testing.T) {
	var recent *usage.Recent
	var ahead atomic.Int64
	slow := func(w http.ResponseWriter, r *http.Request) {
		ahead.Add(int64(time.Minute))
		good(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{slow}, keepRecords(&recent), func(o *Options, _ *table.Table) {
		o.Now = func() time.Time { return time.Unix(1_800_000_000, ahead.Load()) }
	})
	h.send(ask{})
	if r := onlyRecord(t, recent); r.Upstream != time.Minute {
		t.Errorf("%s of %s at the provider, want a minute", r.Upstream, r.Duration)
	}
}

// TestTheTotalEndsAWaitForTheLedger: it is the call's time that is over, and nothing is wrong with the budget.
func TestTheTotalEndsAWaitForTheLedger(t *testing.T) {
	store := ledgertest.NewStore(nil)
	store.Stop()
	h := newHarness(t, []http.HandlerFunc{good}, hard(1<<40), withLedger(t, store), withTable(func(tb *table.Table) { tb.Routes[0].Total = 50 * time.Millisecond }))
	if got := h.send(ask{body: hardBody}); got.status != http.StatusGatewayTimeout || errorOf(t, got.body).Code != string(CodeUpstreamTimeout) || h.standing().Reserved != 0 {
		t.Errorf("status %d, %d reserved\n%s", got.status, h.standing().Reserved, got.body)
	}
}

// TestUploadsUnderAHardBudget: they are bounded by what the model can read and write, where that is what they are paid by.
func TestUploadsUnderAHardBudget(t *testing.T) {
	hour := int64(360_000_000)
	for name, tc := range map[string]struct {
		prices *table.Prices
		status int
	}{
		"by tokens": {&table.Prices{Input: 1_000_000_000, CachedInput: 1_000_000_000, Output: 2_000_000_000}, http.StatusOK},
		"by time":   {&table.Prices{AudioHour: &hour}, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{answers(http.StatusOK, "application/json", `{"text":"hello"}`)}, limits(5000, 500), hard(1<<40),
				withLedger(t, ledgertest.NewStore(nil)), withTable(func(tb *table.Table) { tb.Routes[0].Targets[0].Prices = tc.prices }))
			form := formText(t, formPart{name: "model", value: "chat"}, formPart{"file", "a.mp3", "sound"})
			got := h.send(ask{path: "/v1/audio/transcriptions", contentType: "multipart/form-data; boundary=" + testBoundary, body: form})
			if got.status != tc.status || tc.status == http.StatusOK && h.spent() != 5000*1_000+500*2_000 {
				t.Errorf("status %d, %d spent\n%s", got.status, h.spent(), got.body)
			}
			if tc.status != http.StatusOK && errorOf(t, got.body).Code != string(CodeUnboundedCost) {
				t.Errorf("refused with\n%s", got.body)
			}
		})
	}
}

// TestRecordNamesBudgetsOnce: those that count an attempt, and no others.
func TestRecordNamesBudgetsOnce(t *testing.T) {
	var recent *usage.Recent
	h := newHarness(t, []http.HandlerFunc{refuses(500, "", "oops"), good}, withTable(second), withTable(budgeted), keepRecords(&recent))
	if got := h.send(ask{body: `{"model":"chat","models":["second"],"messages":[]}`, path: "/api/v1/chat/completions"}); got.status != http.StatusOK {
		t.Fatalf("status %d\n%s", got.status, got.body)
	}
	if r := onlyRecord(t, recent); fmt.Sprint(r.Budgets) != "[monthly]" || r.Route != "second-route" || r.Target != "t1" {
		t.Errorf("budgets %v, route %q, target %q", r.Budgets, r.Route, r.Target)
	}
}

// TestSoundIsCharged: by what it is charged by, not by the size of its text.
func TestSoundIsCharged(t *testing.T) {
	sound := answers(http.StatusOK, "audio/mpeg", "mp3")
	speech := newHarness(t, []http.HandlerFunc{sound}, withTable(budgeted), withTable(func(tb *table.Table) {
		tb.Routes[0].Targets[0].Prices = &table.Prices{Characters: new(int64(15_000_000_000))}
	}))
	speech.send(ask{path: "/v1/audio/speech", body: `{"model":"chat","input":"Grüß Gott","voice":"x"}`})
	if want := int64(9 * 15_000); speech.spent() != want {
		t.Errorf("9 characters cost %d, want %d", speech.spent(), want)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"text": answers(http.StatusOK, "text/plain", "hello"), "JSON": answers(http.StatusOK, "application/json", `{"text":"hello"}`),
	} {
		t.Run(name, func(t *testing.T) {
			heard := newHarness(t, []http.HandlerFunc{answer}, withTable(budgeted), withTable(func(tb *table.Table) {
				tb.Routes[0].Targets[0].Prices = &table.Prices{AudioHour: new(int64(360_000_000))}
			}))
			form := formText(t, formPart{name: "model", value: "chat"}, formPart{"file", "a.mp3", strings.Repeat("\x00", 400_000)})
			got := heard.send(ask{path: "/v1/audio/transcriptions", contentType: "multipart/form-data; boundary=" + testBoundary, body: form})
			if got.status != http.StatusOK || heard.spent() < 90*100_000 {
				t.Errorf("status %d: a hundred seconds at most cost %d", got.status, heard.spent())
			}
		})
	}
}

// TestUnpricedClass: a class of service that has no price may cost more than the usual one, up to what was reserved.
func TestUnpricedClass(t *testing.T) {
	priority := answers(http.StatusOK, "application/json", strings.Replace(goodAnswer, "{", `{"service_tier":"priority",`, 1))
	h := newHarness(t, []http.HandlerFunc{priority}, hard(1<<40), withLedger(t, ledgertest.NewStore(nil)))
	if got := h.send(ask{body: hardBody}); got.status != http.StatusOK || h.spent() <= goodCost {
		t.Errorf("status %d, %d spent, want more than the %d of the usual class", got.status, h.spent(), goodCost)
	}
}
