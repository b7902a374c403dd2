package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"signalbox.dev/signalbox/proxy/table"
)

// second adds a route "second" with one target that has that handler's endpoint, the last of the harness.
func second(t *table.Table) {
	last := len(t.Routes[0].Targets) - 1
	target := t.Routes[0].Targets[last]
	t.Routes[0].Targets = t.Routes[0].Targets[:last]
	route := t.Routes[0]
	route.Object, route.Models, route.Targets = table.Object{Name: "second-route"}, []string{"second"}, []table.Target{target}
	t.Routes = append(t.Routes, route)
}

func body(members string) string {
	return `{"messages":[{"role":"user","content":"hello"}],` + members + `}`
}

func TestAlternativeModels(t *testing.T) {
	fails := refuses(500, "", "oops")
	cases := map[string]struct {
		first  http.HandlerFunc
		body   string
		status int
		target string
		route  string
	}{
		"the first answers":                {good, body(`"model":"chat","models":["second"]`), 200, "t0", "chat-route"},
		"models":                           {fails, body(`"model":"chat","models":["second"]`), 200, "t1", "second-route"},
		"models without model":             {fails, body(`"models":["chat","second"]`), 200, "t1", "second-route"},
		"commas":                           {fails, body(`"model":"chat,second"`), 200, "t1", "second-route"},
		"an unknown alternative":           {fails, body(`"model":"chat","models":["nobody","second"]`), 200, "t1", "second-route"},
		"an unknown first model":           {good, body(`"model":"nobody","models":["second"]`), 200, "t1", "second-route"},
		"nothing known":                    {good, body(`"model":"nobody","models":["neither"]`), 404, "", ""},
		"more than three":                  {fails, body(`"model":"a","models":["b","c","d","e","second"]`), 200, "t1", "second-route"},
		"a failure that policy keeps back": {refuses(400, "", "what"), body(`"model":"chat","models":["second"]`), 400, "t0", "chat-route"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := newHarness(t, []http.HandlerFunc{tc.first, good}, withTable(second)).send(ask{body: tc.body})
			if got.status != tc.status || got.header.Get("X-Signalbox-Target") != tc.target || got.header.Get("X-Signalbox-Route") != tc.route {
				t.Errorf("status %d by %q of %q, want %d by %q of %q\n%s", got.status, got.header.Get("X-Signalbox-Target"),
					got.header.Get("X-Signalbox-Route"), tc.status, tc.target, tc.route, got.body)
			}
		})
	}
}

func TestEachRouteOfACallHasItsOwnBudget(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good, good}, withTable(second), withTable(func(t *table.Table) {
		budgeted(t)
		t.Budgets[0].Routes, t.Budgets[0].Limit = []string{"chat-route"}, 0
	}))
	got := h.send(ask{body: body(`"model":"chat","models":["second"]`)})
	if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t1" {
		t.Errorf("status %d by %q\n%s", got.status, got.header.Get("X-Signalbox-Target"), got.body)
	}
	if got := h.send(ask{}); got.status != http.StatusPaymentRequired {
		t.Errorf("without an alternative: status %d", got.status)
	}
}

func TestVariants(t *testing.T) {
	prices := func(t *table.Table) {
		t.Routes[0].Models = []string{"chat", "llama3:8b", "odd:floor"}
		for i := range t.Routes[0].Targets {
			t.Routes[0].Targets[i].Priority = 0
		}
		t.Routes[0].Targets[0].Weight = 1000
		t.Routes[0].Targets[1].Prices = &table.Prices{Input: 1, CachedInput: 1, Output: 1}
	}
	for model, target := range map[string]string{"chat:floor": "t1", "llama3:8b:floor": "t1", "llama3:8b": "", "odd:floor": "", "chat:free": "none", "chat:nitro": ""} {
		t.Run(model, func(t *testing.T) {
			got := newHarness(t, []http.HandlerFunc{good, good}, withTable(prices)).send(ask{body: body(`"model":"` + model + `"`)})
			switch {
			case target == "none":
				if got.status != http.StatusNotFound {
					t.Errorf("status %d", got.status)
				}
			case got.status != http.StatusOK || target != "" && got.header.Get("X-Signalbox-Target") != target:
				t.Errorf("status %d by %q, want %q\n%s", got.status, got.header.Get("X-Signalbox-Target"), target, got.body)
			}
		})
	}
}

func TestProviderPreferences(t *testing.T) {
	cases := map[string]struct {
		provider string
		status   int
		want     string // target, or a part of the error
	}{
		"order by the target's name":   {`{"order":["t1"]}`, 200, "t1"},
		"only":                         {`{"only":["t1"]}`, 200, "t1"},
		"ignore":                       {`{"ignore":["t0"]}`, 200, "t1"},
		"only somebody else":           {`{"only":["elsewhere"]}`, 400, "t0: "},
		"zero retention":               {`{"zdr":true}`, 400, "t1: "},
		"no collection":                {`{"data_collection":"deny"}`, 400, "data"},
		"a price nobody has":           {`{"max_price":{"prompt":0.5}}`, 400, "price"},
		"an unknown member":            {`{"colour":"red"}`, 400, "provider.colour"},
		"a wrong type":                 {`{"order":"t1"}`, 400, "provider.order"},
		"no fallbacks, the first only": {`{"order":["t1"],"allow_fallbacks":false}`, 200, "t1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := newHarness(t, []http.HandlerFunc{good, good}).send(ask{body: body(`"model":"chat","provider":` + tc.provider)})
			if got.status != tc.status {
				t.Fatalf("status %d, want %d\n%s", got.status, tc.status, got.body)
			}
			if got.status == http.StatusOK && got.header.Get("X-Signalbox-Target") != tc.want {
				t.Errorf("answered by %q, want %q", got.header.Get("X-Signalbox-Target"), tc.want)
			}
			if got.status != http.StatusOK && !strings.Contains(got.body, tc.want) {
				t.Errorf("the error does not speak of %q\n%s", tc.want, got.body)
			}
		})
	}
}

func TestOpenRouterIsToldThePreferences(t *testing.T) {
	var seen atomic.Value
	upstream := func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		seen.Store(string(sent))
		good(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{upstream}, withTable(func(t *table.Table) {
		t.Credentials[0].Provider = "OpenRouter"
		t.Routes[0].Targets[0].OpenRouter = json.RawMessage(`{"only":["deepinfra","together"],"data_collection":"deny"}`)
	}))
	got := h.send(ask{body: body(`"model":"chat:floor","models":["chat"],"session_id":"s","provider":{"only":["together","novita"]}`)})
	if got.status != http.StatusOK {
		t.Fatalf("status %d\n%s", got.status, got.body)
	}
	var sent struct {
		Model    string
		Models   []string
		Provider struct {
			Only           []string
			Sort           any
			DataCollection string `json:"data_collection"`
		}
	}
	if err := json.Unmarshal([]byte(seen.Load().(string)), &sent); err != nil {
		t.Fatal(err)
	}
	if sent.Model != "upstream-0" || sent.Models != nil || len(sent.Provider.Only) != 1 || sent.Provider.Only[0] != "together" ||
		sent.Provider.DataCollection != "deny" || !strings.Contains(fmt.Sprint(sent.Provider.Sort), "price") {
		t.Errorf("sent %s", seen.Load())
	}
}

func TestNobodyElseIsToldThePreferences(t *testing.T) {
	var seen atomic.Value
	upstream := func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		seen.Store(string(sent))
		good(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{upstream})
	h.send(ask{body: body(`"model":"chat,other","provider":{"only":["t0"]},"session_id":"s"`)})
	if sent, _ := seen.Load().(string); sent == "" || strings.Contains(sent, "provider") || strings.Contains(sent, "session_id") {
		t.Errorf("sent %s", sent)
	}
}

func TestSessionsStay(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good, good, good}, withTable(func(t *table.Table) {
		t.Routes[0].Affinity = &table.Affinity{By: table.BySession}
		for i := range t.Routes[0].Targets {
			t.Routes[0].Targets[i].Priority = 0
		}
	}))
	used := map[string]bool{}
	for session := range 12 {
		first := ""
		for range 5 {
			got := h.send(ask{body: body(`"model":"chat","session_id":"s` + strconv.Itoa(session) + `"`)})
			target := got.header.Get("X-Signalbox-Target")
			if first == "" {
				first = target
			}
			if target != first || got.status != http.StatusOK {
				t.Fatalf("session %d went from %q to %q", session, first, target)
			}
		}
		used[first] = true
	}
	if len(used) < 2 {
		t.Errorf("all sessions are at %v", used)
	}
}

func TestRequireParameters(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good, good}, withTable(func(t *table.Table) { t.Credentials[0].Provider = "Groq" }))
	got := h.send(ask{body: body(`"model":"chat","verbosity":"low","provider":{"require_parameters":true}`)})
	if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t1" {
		t.Errorf("status %d by %q\n%s", got.status, got.header.Get("X-Signalbox-Target"), got.body)
	}
}

func TestCapabilitiesAndContext(t *testing.T) {
	image := `{"model":"chat","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`
	cases := map[string]struct {
		declared table.Declared
		body     string
	}{
		"tools":   {table.Declared{CapabilitiesKnown: true}, body(`"model":"chat","tools":[{"type":"function","function":{"name":"f"}}]`)},
		"images":  {table.Declared{CapabilitiesKnown: true, Capabilities: table.Tools}, image},
		"context": {table.Declared{ContextTokens: 10}, body(`"model":"chat","max_tokens":30`)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			declare := withTable(func(t *table.Table) { t.Routes[0].Targets[0].Declared = tc.declared })
			got := newHarness(t, []http.HandlerFunc{good, good}, declare).send(ask{body: tc.body})
			if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t1" {
				t.Errorf("status %d by %q\n%s", got.status, got.header.Get("X-Signalbox-Target"), got.body)
			}
			alone := newHarness(t, []http.HandlerFunc{good}, declare).send(ask{body: tc.body})
			if alone.status != http.StatusBadRequest || errorOf(t, alone.body).Metadata.Targets == nil {
				t.Errorf("alone: status %d\n%s", alone.status, alone.body)
			}
		})
	}
}
