package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/codecs"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/table"
)

// TestReadRequestsOutliveTheirBody: a stream gives the body's memory back when it begins, and may still repeat what was asked.
func TestReadRequestsOutliveTheirBody(t *testing.T) {
	for api, body := range map[neutral.API]string{
		neutral.ChatCompletions: `{"model":"m","metadata":{"a":"b"},"seed":7,"logit_bias":{"1":2},"x":{"y":[1]},"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],` +
			`"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},"stop":["s"],` +
			`"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"data:image/png;base64,eA=="}}]},` +
			`{"role":"assistant","content":null,"tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},{"role":"tool","tool_call_id":"i","content":"r"}]}`,
		neutral.Responses: `{"model":"m","instructions":"be kind","metadata":{"a":"b"},"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}},` +
			`"reasoning":{"effort":"low","summary":"auto"},"tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true}],"tool_choice":{"type":"function","name":"f"},` +
			`"input":[{"role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"data:image/png;base64,eA=="}]},` +
			`{"type":"function_call","call_id":"i","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"i","output":"r"}]}`,
		neutral.Messages: `{"model":"m","max_tokens":5,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"metadata":{"user_id":"u"},"tools":[{"name":"f","input_schema":{"type":"object"}}],` +
			`"messages":[{"role":"user","content":[{"type":"text","text":"t"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"eA=="}}]},` +
			`{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"f","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":"r"}]}]}`,
		neutral.GenerateContent: `{"systemInstruction":{"parts":[{"text":"s"}]},"generationConfig":{"stopSequences":["x"],"responseSchema":{"type":"OBJECT"},"responseMimeType":"application/json"},` +
			`"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],"contents":[{"role":"user","parts":[{"text":"t"},{"inlineData":{"mimeType":"image/png","data":"eA=="}}]},` +
			`{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":1}}}]}]}`,
	} {
		t.Run(string(api), func(t *testing.T) {
			surface, ok := codecs.Default().Surface(api).(dialect.GenerationSurface)
			if !ok {
				t.Fatal("the surface does not cross")
			}
			read := func(body []byte) *neutral.Request {
				head, err := surface.ReadHead(body)
				if err != nil {
					t.Fatal(err)
				}
				request, err := surface.ReadRequest(body, head)
				if err != nil {
					t.Fatal(err)
				}
				return request
			}
			memory := []byte(body)
			kept := read(memory)
			for i := range memory {
				memory[i] = '#'
			}
			if diff := cmp.Diff(read([]byte(body)), kept); diff != "" {
				t.Errorf("it changed with the body's memory (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMemoryIsGivenBack: wherever a request to a provider ends, its memory counts no more afterwards.
func TestMemoryIsGivenBack(t *testing.T) {
	long := strings.Repeat("long ", 60_000)
	body := strings.Replace(goodBody, "hello", long, 1)
	for name, tc := range map[string]struct {
		upstreams []http.HandlerFunc
		setups    []setup
		body      string
		status    int
	}{
		"a fallback":      {upstreams: []http.HandlerFunc{answers(http.StatusTooManyRequests, "application/json", "{}"), good}, status: http.StatusOK},
		"translated":      {upstreams: []http.HandlerFunc{answers(http.StatusOK, "application/json", message)}, setups: []setup{vendor("Anthropic")}, status: http.StatusOK},
		"not sent":        {upstreams: []http.HandlerFunc{good}, setups: []setup{withTable(func(tb *table.Table) { tb.Credentials[0].Endpoint = unreachable + "/v1" })}, status: http.StatusBadGateway},
		"not to be sent":  {upstreams: []http.HandlerFunc{good}, setups: []setup{vendor("Anthropic")}, body: strings.Replace(body, `"messages"`, `"n":2,"messages"`, 1), status: http.StatusBadRequest},
		"too much in all": {upstreams: []http.HandlerFunc{good}, setups: []setup{withLimits(Limits{BufferedBytes: 300_000})}, status: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, tc.upstreams, tc.setups...)
			for range 3 {
				if got := h.send(ask{body: or(tc.body, body)}); got.status != tc.status {
					t.Errorf("status %d: %.300s", got.status, got.body)
				}
			}
			// This waits for the end of all requests.
			h.front.Close()
			if held := h.server.buffers.held.Load(); held != 0 {
				t.Errorf("%d bytes are held", held)
			}
		})
	}
}

// TestRequestsDoNotMix: the memory of one request serves the next, and no provider gets anything of another's.
func TestRequestsDoNotMix(t *testing.T) {
	const clients, rounds = 20, 15
	busy := answers(http.StatusTooManyRequests, "application/json", `{"error":{"message":"slow down"}}`)
	echo := func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Model    string
			Messages []struct{ Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || len(request.Messages) != 1 {
			t.Errorf("the provider got nonsense: %v", err)
			return
		}
		answer := strings.Replace(goodAnswer, `"Hi"`, fmt.Sprintf("%q", request.Model+" "+request.Messages[0].Content), 1)
		answers(http.StatusOK, "application/json", answer)(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{busy, echo})
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			for round := range rounds {
				text := strings.Repeat(fmt.Sprintf("%d-%d ", client, round), 1+500*(client%5))
				got := h.send(ask{body: strings.Replace(goodBody, "hello", text, 1)})
				if !strings.Contains(got.body, `"upstream-1 `+text+`"`) {
					t.Errorf("client %d got %.200s", client, got.body)
				}
			}
		})
	}
	group.Wait()
}
