package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/table"
)

func TestExplain(t *testing.T) {
	var calls atomic.Int64
	upstream := counted(&calls, good)
	h := newHarness(t, []http.HandlerFunc{upstream, upstream, upstream}, withTable(func(t *table.Table) {
		t.Routes[0].Targets[0].Excluded = `ProviderCredential "c0" has no usable key`
		t.Routes[0].Targets[1].Declared = table.Declared{CapabilitiesKnown: true}
		budgeted(t)
		t.Budgets[0].Limit = 0
	}))
	got := h.send(ask{path: "/v1/route/explain", body: body(`"model":"chat","tools":[{"type":"function","function":{"name":"f"}}]`), id: "why"})
	var told Explanation
	if err := json.Unmarshal([]byte(got.body), &told); err != nil || got.status != http.StatusOK {
		t.Fatalf("status %d, %v\n%s", got.status, err, got.body)
	}
	checkExplained(t, told)
	if calls.Load() != 0 || h.spent() != 0 {
		t.Errorf("an explanation made %d calls and cost %d", calls.Load(), h.spent())
	}
}

func checkExplained(t *testing.T, told Explanation) {
	t.Helper()
	if told.RequestID != "why" || told.Model != "chat" || strings.Join(told.Needs, " ") != "Tools" {
		t.Errorf("the request: %+v", told)
	}
	if len(told.Routes) != 1 || told.Routes[0].Route != "chat-route" || told.Routes[0].Refusal == "" {
		t.Errorf("the routes: %+v", told.Routes)
	}
	var targets []string
	for _, target := range told.Targets {
		targets = append(targets, fmt.Sprintf("%d %s %t %s", target.Order, target.Target, target.EstimatedCost != "", target.Excluded))
	}
	want := []string{"1 t2 true ", `0 t0 true ProviderCredential "c0" has no usable key`, "0 t1 true it cannot do what the request needs: Tools"}
	if diff := cmp.Diff(want, targets); diff != "" {
		t.Errorf("the targets (-want +got):\n%s", diff)
	}
}

func TestExplainRefuses(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good})
	cases := map[string]struct {
		ask    ask
		status int
	}{
		"no key":             {ask{path: "/v1/route/explain", key: "none"}, 401},
		"a stranger":         {ask{path: "/v1/route/explain", key: strangerKey}, 403},
		"an unknown model":   {ask{path: "/v1/route/explain", body: body(`"model":"nobody"`)}, 404},
		"a broken body":      {ask{path: "/v1/route/explain", body: "{"}, 400},
		"an unknown path":    {ask{path: "/v1/route/explain?path=/v1/elsewhere"}, 404},
		"itself":             {ask{path: "/v1/route/explain?path=/v1/route/explain"}, 404},
		"an upload":          {ask{path: "/v1/route/explain?path=/v1/audio/transcriptions"}, 400},
		"a list":             {ask{path: "/v1/route/explain?path=/v1/models"}, 404},
		"the wrong method":   {ask{path: "/v1/route/explain", method: http.MethodPut}, 405},
		"under OpenRouter's": {ask{path: "/api/v1/route/explain"}, 200},
		"a message": {ask{path: "/v1/route/explain?path=/v1/messages",
			body: `{"model":"chat","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`}, 200},
		"Gemini": {ask{path: "/v1/route/explain?path=/v1beta/models/chat:generateContent", body: `{"contents":[{"parts":[{"text":"hi"}]}]}`}, 200},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := h.send(tc.ask); got.status != tc.status {
				t.Errorf("status %d, want %d\n%s", got.status, tc.status, got.body)
			}
		})
	}
}
