package compare

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const key = "sk-very-secret"

// steps is a clock that goes on by a second each time it is read.
func steps() func() time.Time {
	var mu sync.Mutex
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}
}

// stream joins the data of events.
func stream(events ...string) string {
	var out strings.Builder
	for _, event := range events {
		out.WriteString("data: " + event + "\n\n")
	}
	return out.String()
}

// proxy answers every call with the same, and keeps the last request.
type proxy struct {
	status      int
	contentType string
	body        string

	mu      sync.Mutex
	path    string
	request map[string]any
	header  http.Header
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.path, p.header, p.request = r.URL.RequestURI(), r.Header.Clone(), nil
	if err := json.NewDecoder(r.Body).Decode(&p.request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", p.contentType)
	w.Header().Set("X-Signalbox-Target", "large")
	w.WriteHeader(p.status)
	_, _ = io.WriteString(w, p.body) // a client that has seen enough leaves
}

func (p *proxy) options(t *testing.T, surface string, models ...string) Options {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return Options{URL: server.URL, Key: key, Surface: surface, Models: models, Client: server.Client(), Now: steps()}
}

func TestSurfaces(t *testing.T) {
	cases := map[string]struct {
		surface, path string
		request       map[string]any
		events        []string
		want          Answer
	}{
		"chat": {
			surface: "chat", path: "/v1/chat/completions",
			request: map[string]any{
				"model": "team/a", "max_completion_tokens": 64.0, "stream": true, "stream_options": map[string]any{"include_usage": true},
				"messages": []any{map[string]any{"role": "system", "content": "Be brief."}, map[string]any{"role": "user", "content": "Where?"}},
			},
			events: []string{
				`{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`, `{"choices":[{"delta":{"reasoning":"Hm."}}]}`,
				`{"choices":[{"delta":{"content":"Löbau "}}]}`, `{"choices":[{"delta":{"content":"駅"},"finish_reason":"stop"}]}`,
				`{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"cost":0.000123}}`, `[DONE]`,
			},
			want: Answer{Text: "Löbau 駅", Reasoning: "Hm.", Finish: "stop", PromptTokens: 9, CompletionTokens: 5, Cost: "0.000123"},
		},
		"responses": {
			surface: "responses", path: "/v1/responses",
			request: map[string]any{"model": "team/a", "max_output_tokens": 64.0, "stream": true, "store": false, "instructions": "Be brief.", "input": "Where?"},
			events: []string{
				`{"type":"response.created","response":{"status":"in_progress","usage":null,"error":null}}`,
				`{"type":"response.reasoning_summary_text.delta","delta":"Hm."}`, `{"type":"response.function_call_arguments.delta","delta":"{}"}`,
				`{"type":"response.output_text.delta","delta":"Löbau 駅"}`,
				`{"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":9,"output_tokens":5}}}`,
			},
			want: Answer{Text: "Löbau 駅", Reasoning: "Hm.", Finish: "completed", PromptTokens: 9, CompletionTokens: 5},
		},
		"messages": {
			surface: "messages", path: "/v1/messages",
			request: map[string]any{
				"model": "team/a", "max_tokens": 64.0, "stream": true, "system": "Be brief.",
				"messages": []any{map[string]any{"role": "user", "content": "Where?"}},
			},
			events: []string{
				`{"type":"message_start","message":{"usage":{"input_tokens":4,"cache_read_input_tokens":3,"cache_creation_input_tokens":2,"output_tokens":1}}}`,
				`{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"Hm."}}`,
				`{"type":"content_block_delta","delta":{"type":"text_delta","text":"Löbau 駅"}}`,
				`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}`, `{"type":"message_stop"}`,
			},
			want: Answer{Text: "Löbau 駅", Reasoning: "Hm.", Finish: "end_turn", PromptTokens: 9, CompletionTokens: 5},
		},
		"gemini": {
			surface: "gemini", path: "/v1beta/models/team%2Fa:streamGenerateContent?alt=sse",
			request: map[string]any{
				"contents":          []any{map[string]any{"role": "user", "parts": []any{map[string]any{"text": "Where?"}}}},
				"systemInstruction": map[string]any{"parts": []any{map[string]any{"text": "Be brief."}}}, "generationConfig": map[string]any{"maxOutputTokens": 64.0},
			},
			events: []string{
				`{"candidates":[{"content":{"parts":[{"text":"Hm.","thought":true}]}}]}`, `{"candidates":[{"content":{"parts":[{"text":"Löbau "}]}}]}`,
				`{"candidates":[{"content":{"parts":[{"text":"駅"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":8,"toolUsePromptTokenCount":1,"candidatesTokenCount":4,"thoughtsTokenCount":1}}`,
			},
			want: Answer{Text: "Löbau 駅", Reasoning: "Hm.", Finish: "STOP", PromptTokens: 9, CompletionTokens: 5},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := &proxy{status: http.StatusOK, contentType: "text/event-stream; charset=utf-8", body: ": waiting\n\n" + stream(tc.events...)}
			answers, err := Run(t.Context(), p.options(t, tc.surface, "team/a"), Question{Prompt: "Where?", System: "Be brief.", MaxTokens: 64})
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Model, tc.want.Target, tc.want.FirstToken, tc.want.Total = "team/a", "large", time.Second, 2*time.Second
			if diff := cmp.Diff([]Answer{tc.want}, answers, cmpopts.EquateErrors()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.request, p.request); diff != "" || p.path != tc.path {
				t.Errorf("path %s, want %s; request: %s", p.path, tc.path, diff)
			}
			if got := p.header.Get("Authorization"); got != "Bearer "+key {
				t.Errorf("Authorization %q", got)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	begun := `{"choices":[{"delta":{"content":"Half"}}]}`
	cases := map[string]struct {
		surface     string
		status      int
		contentType string
		body        string
		want        string
		text        string
	}{
		"refused": {
			status: 402, contentType: "application/json", body: `{"error":{"message":"SpendBudget \"a\" is spent","code":"budget_exceeded","type":"insufficient_quota"}}`,
			want: `status 402, budget_exceeded: SpendBudget "a" is spent`,
		},
		"code that is a number": {status: 404, body: `{"error":{"message":"no such model","code":404}}`, want: "status 404: no such model"},
		"Anthropic's shape":     {surface: "messages", status: 404, body: `{"type":"error","error":{"type":"not_found_error","message":"no such model"}}`, want: "status 404, not_found_error: no such model"},
		"Gemini's shape":        {surface: "gemini", status: 404, body: `{"error":{"code":404,"message":"no such model","status":"NOT_FOUND"}}`, want: "status 404, NOT_FOUND: no such model"},
		"an error page":         {status: 502, contentType: "text/html", body: "<html>", want: "status 502"},
		"an escape sequence":    {status: 400, body: `{"error":{"message":"\u001b[2Jgone\nand\ttaken"}}`, want: "status 400: [2Jgone and taken"},
		"no stream":             {status: 200, contentType: "text/html", body: "<html>", want: `the answer is "text/html" and not a stream; is the URL that of the proxy?`},
		"a redirect":            {status: 307, want: "status 307"},
		"an error event":        {status: 200, contentType: "text/event-stream", body: stream(begun, `{"error":{"message":"burst","code":"upstream_broken"}}`), want: "upstream_broken: burst", text: "Half"},
		"Anthropic's error event": {
			surface: "messages", status: 200, contentType: "text/event-stream", body: stream(`{"type":"error","error":{"type":"overloaded_error","message":"burst"}}`), want: "overloaded_error: burst",
		},
		"Gemini's error event": {surface: "gemini", status: 200, contentType: "text/event-stream", body: stream(`{"error":{"code":503,"message":"burst","status":"UNAVAILABLE"}}`), want: "UNAVAILABLE: burst"},
		"a failed response": {
			surface: "responses", status: 200, contentType: "text/event-stream", body: stream(`{"type":"response.failed","response":{"error":{"code":"server_error","message":"burst"}}}`), want: "server_error: burst",
		},
		"an error event of Responses": {surface: "responses", status: 200, contentType: "text/event-stream", body: stream(`{"type":"error","message":"burst"}`), want: "burst"},
		"a failure without words":     {surface: "responses", status: 200, contentType: "text/event-stream", body: stream(`{"type":"response.failed"}`), want: "the stream failed"},
		"cut off":                     {status: 200, contentType: "text/event-stream", body: stream(begun), want: "the stream broke off", text: "Half"},
		"Gemini cut off":              {surface: "gemini", status: 200, contentType: "text/event-stream", body: stream(`{"candidates":[{"content":{"parts":[{"text":"Half"}]}}]}`), want: "the stream broke off", text: "Half"},
		"no JSON":                     {status: 200, contentType: "text/event-stream", body: stream("very-secret"), want: "an event of the stream is not what the API promises (11 bytes)"},
		"a delta of another type":     {surface: "responses", status: 200, contentType: "text/event-stream", body: stream(`{"type":"response.output_text.delta","delta":7}`), want: "an event of the stream is not what the API promises (1 bytes)"},
		"an event without bounds":     {status: 200, contentType: "text/event-stream", body: "data: " + strings.Repeat("x", maxEvent+1), want: "reading the stream: an event of the stream has more than 1048576 bytes"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := &proxy{status: tc.status, contentType: tc.contentType, body: tc.body}
			surface := tc.surface
			if surface == "" {
				surface = "chat"
			}
			options := p.options(t, surface, "a")
			options.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			answers, err := Run(t.Context(), options, Question{Prompt: "Where?", MaxTokens: 64})
			if err != nil {
				t.Fatal(err)
			}
			if answers[0].Err == nil || answers[0].Err.Error() != tc.want || answers[0].Text != tc.text {
				t.Errorf("error %v with text %q, want %q with %q", answers[0].Err, answers[0].Text, tc.want, tc.text)
			}
		})
	}
}

// TestAnAnswerHasABound: a server that never stops cannot fill the memory.
func TestAnAnswerHasABound(t *testing.T) {
	piece := stream(`{"choices":[{"delta":{"content":"` + strings.Repeat("x", 1<<19) + `"}}]}`)
	p := &proxy{status: http.StatusOK, contentType: "text/event-stream", body: strings.Repeat(piece, 20)}
	answers, err := Run(t.Context(), p.options(t, "chat", "a"), Question{Prompt: "Where?", MaxTokens: 64})
	if err != nil || !errors.Is(answers[0].Err, errTooLong) {
		t.Errorf("%v, %v", err, answers[0].Err)
	}
}

// TestModelsAreAskedTogether: no answer begins before all requests are there.
func TestModelsAreAskedTogether(t *testing.T) {
	models := []string{"c", "a", "b", "a"}
	var here sync.WaitGroup
	here.Add(len(models))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Model string }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		here.Done()
		here.Wait()
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, stream(`{"choices":[{"delta":{"content":"I am `+request.Model+`"},"finish_reason":"stop"}]}`, "[DONE]"))
	}))
	defer server.Close()
	var mu sync.Mutex
	done := map[string]int{}
	answers, err := Run(t.Context(), Options{
		URL: server.URL, Key: key, Surface: "chat", Models: models, Client: server.Client(), Now: time.Now,
		Done: func(a Answer) { mu.Lock(); done[a.Model]++; mu.Unlock() },
	}, Question{Prompt: "Who?", MaxTokens: 64})
	if err != nil {
		t.Fatal(err)
	}
	for i, model := range models {
		if answers[i].Model != model || answers[i].Text != "I am "+model || answers[i].Err != nil {
			t.Errorf("answer %d: %+v", i, answers[i])
		}
	}
	if diff := cmp.Diff(map[string]int{"a": 2, "b": 1, "c": 1}, done); diff != "" {
		t.Error(diff)
	}
}

func TestAnEndedContextEndsTheCalls(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client leaves
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	answers, err := Run(ctx, Options{URL: server.URL, Key: key, Surface: "chat", Models: []string{"a"}, Client: server.Client(), Now: time.Now}, Question{Prompt: "Who?", MaxTokens: 64})
	if err != nil || !errors.Is(answers[0].Err, context.Canceled) {
		t.Errorf("%v, %v", err, answers)
	}
	if strings.Contains(answers[0].Err.Error(), key) {
		t.Error("the key is in the error")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{URL: "http://127.0.0.1:8080", Key: key, Surface: "chat", Models: []string{"a"}}
	cases := map[string]struct {
		change func(*Options)
		want   string
	}{
		"good":            {change: func(*Options) {}},
		"a path":          {change: func(o *Options) { o.URL = "https://example.com/llm/" }},
		"no URL":          {change: func(o *Options) { o.URL = "" }, want: "the URL must begin with http:// or https:// and name a host"},
		"no host":         {change: func(o *Options) { o.URL = "http://" }, want: "the URL must begin with http:// or https:// and name a host"},
		"broken URL":      {change: func(o *Options) { o.URL = "http://very-secret\x7f" }, want: "the URL cannot be read; it looks like http://127.0.0.1:8080"},
		"a user":          {change: func(o *Options) { o.URL = "http://u:p@h" }, want: "the URL must not hold a user, a query or a fragment"},
		"no key":          {change: func(o *Options) { o.Key = "" }, want: "there is no access key"},
		"a broken key":    {change: func(o *Options) { o.Key = "a\nb" }, want: "the access key must be printable ASCII without blanks"},
		"no model":        {change: func(o *Options) { o.Models = nil }, want: "0 models are named; it takes 1 to 16"},
		"many models":     {change: func(o *Options) { o.Models = make([]string, 17) }, want: "17 models are named; it takes 1 to 16"},
		"an empty model":  {change: func(o *Options) { o.Models = []string{"a", " "} }, want: "the name of a model is empty"},
		"unknown surface": {change: func(o *Options) { o.Surface = "smoke" }, want: `there is no surface "smoke"; it is one of chat, gemini, messages, responses`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			options := good
			tc.change(&options)
			got := ""
			if err := options.Validate(); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// FuzzEvents: whatever a server sends, however its bytes come, reading it ends without a panic and within the bound.
func FuzzEvents(f *testing.F) {
	for _, name := range Surfaces() {
		f.Add(name, []byte(stream(`{"choices":[{"delta":{"content":"x"}}],"usage":{"cost":1e-9}}`, `{"type":"message_stop"}`, `{"candidates":[{}]}`, "[DONE]")))
		f.Add(name, []byte(stream(`{"type":"response.failed","response":null}`, `{"error":{"code":{}}}`)))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		api, known := surfaces()[name]
		if !known {
			return
		}
		read := func(source io.Reader) (Answer, bool) {
			answer := Answer{}
			o := Options{Now: steps()}
			response := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(source)}
			err := o.read(&answer, o.Now(), response, api)
			return answer, err == nil
		}
		whole, ok := read(strings.NewReader(string(data)))
		pieces, okPieces := read(iotest.OneByteReader(strings.NewReader(string(data))))
		if diff := cmp.Diff(whole, pieces); diff != "" || ok != okPieces {
			t.Errorf("byte by byte: %t, %t\n%s", ok, okPieces, diff)
		}
	})
}
