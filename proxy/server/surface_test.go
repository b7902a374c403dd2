package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/table"
)

// vendor makes the first target's provider another one.
func vendor(name string) setup {
	return withTable(func(t *table.Table) {
		t.Credentials[0].Provider = name
		t.Credentials[0].Endpoint = strings.TrimSuffix(t.Credentials[0].Endpoint, "/v1")
	})
}

const (
	messageBody = `{"model":"chat","max_tokens":50,"messages":[{"role":"user","content":"hello"}]}`
	message     = `{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn",` +
		`"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}}`
	messageStream = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude\"," +
		"\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n" +
		"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":5}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	geminiBody = `{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}`
)

// TestEverySurface asks in each API for the same answer of an upstream that speaks another one.
func TestEverySurface(t *testing.T) {
	for name, tc := range map[string]struct {
		path, body string
		upstream   string
		answer     string
		want       []string
	}{
		"chat from Anthropic":      {"/v1/chat/completions", goodBody, "Anthropic", message, []string{`"object":"chat.completion"`, `"content":"Hi"`, `"finish_reason":"stop"`, `"prompt_tokens":10`}},
		"messages from OpenAI":     {"/v1/messages", messageBody, "OpenAICompatible", goodAnswer, []string{`"type":"message"`, `"text":"Hi"`, `"stop_reason":"end_turn"`, `"input_tokens":10`}},
		"messages from Anthropic":  {"/v1/messages", messageBody, "Anthropic", message, []string{message}},
		"responses from OpenAI":    {"/v1/responses", `{"model":"chat","input":"hello"}`, "OpenAICompatible", goodAnswer, []string{`"object":"response"`, `"text":"Hi"`, `"status":"completed"`, `"input_tokens":10`}},
		"gemini from OpenAI":       {"/v1beta/models/chat:generateContent", geminiBody, "OpenAICompatible", goodAnswer, []string{`"text":"Hi"`, `"finishReason":"STOP"`, `"promptTokenCount":10`}},
		"completions from claude":  {"/v1/completions", `{"model":"chat","prompt":"hello"}`, "Anthropic", message, []string{`"object":"text_completion"`, `"text":"Hi"`}},
		"a name with a slash":      {"/v1beta/models/any%2Fone:generateContent", geminiBody, "OpenAICompatible", goodAnswer, []string{`"text":"Hi"`}},
		"a name with a plain one":  {"/v1beta/models/any/one:generateContent", geminiBody, "OpenAICompatible", goodAnswer, []string{`"text":"Hi"`}},
		"gemini's path under /v1":  {"/v1/models/chat:generateContent", geminiBody, "OpenAICompatible", goodAnswer, []string{`"text":"Hi"`}},
		"OpenRouter from OpenAI":   {"/api/v1/chat/completions", goodBody, "OpenAICompatible", goodAnswer, []string{`"provider":"OpenAICompatible"`, `"native_finish_reason":"stop"`, `"cost":0.00002`}},
		"Groq from OpenAI":         {"/openai/v1/chat/completions", goodBody, "OpenAICompatible", goodAnswer, []string{`"x_groq":{"id":`, `"total_time":`}},
		"embeddings":               {"/v1/embeddings", `{"model":"chat","input":"x"}`, "OpenAICompatible", `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":1,"total_tokens":1}}`, []string{`"embedding":[0.5]`}},
		"rerank":                   {"/v1/rerank", `{"model":"chat","query":"q","documents":["a"]}`, "OpenAICompatible", `{"results":[{"index":0,"relevance_score":0.25}]}`, []string{`"relevance_score":0.25`}},
		"rerank as Cohere has it":  {"/v2/rerank", `{"model":"chat","query":"q","documents":["a"]}`, "OpenAICompatible", `{"results":[{"index":0,"relevance_score":0.25}]}`, []string{`"relevance_score":0.25`}},
		"moderations":              {"/v1/moderations", `{"model":"chat","input":"x"}`, "OpenAICompatible", `{"id":"m","results":[]}`, []string{`"results":[]`}},
		"images":                   {"/v1/images/generations", `{"model":"chat","prompt":"x"}`, "OpenAICompatible", `{"created":1,"data":[{"b64_json":"eA=="}]}`, []string{`"b64_json":"eA=="`}},
		"count tokens, Anthropic":  {"/v1/messages/count_tokens", messageBody, "Anthropic", `{"input_tokens":21}`, []string{`{"input_tokens":21}`}},
		"count tokens, no counter": {"/v1/messages/count_tokens", messageBody, "OpenAICompatible", goodAnswer, []string{`{"input_tokens":`}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{answers(http.StatusOK, "application/json", tc.answer)}, vendor(tc.upstream))
			got := h.send(ask{path: tc.path, body: tc.body})
			if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") == "" && got.header.Get("X-Signalbox-Estimated") != "true" {
				t.Fatalf("status %d, header %v: %s", got.status, got.header, got.body)
			}
			for _, want := range tc.want {
				if !strings.Contains(strings.ReplaceAll(got.body, `": `, `":`), want) {
					t.Errorf("no %s in\n%s", want, got.body)
				}
			}
		})
	}
}

// TestEveryStream asks in each API for the same stream of an upstream that speaks another one.
func TestEveryStream(t *testing.T) {
	for name, tc := range map[string]struct {
		path, body, upstream string
		events               string
		first, last          string
	}{
		"chat from Anthropic":     {"/v1/chat/completions", streamBody, "Anthropic", messageStream, `"role":"assistant"`, "data: [DONE]\n"},
		"messages from OpenAI":    {"/v1/messages", `{"stream":true,` + messageBody[1:], "OpenAICompatible", goodStream, "event: message_start\n", "event: message_stop\ndata: {\"type\":\"message_stop\"}\n"},
		"messages from Anthropic": {"/v1/messages", `{"stream":true,` + messageBody[1:], "Anthropic", messageStream, "event: message_start\n", "event: message_stop\ndata: {\"type\":\"message_stop\"}\n"},
		"responses from OpenAI":   {"/v1/responses", `{"model":"chat","input":"x","stream":true}`, "OpenAICompatible", goodStream, "event: response.created\n", `"type":"response.completed"`},
		"gemini from OpenAI":      {"/v1beta/models/chat:streamGenerateContent?alt=sse", geminiBody, "OpenAICompatible", goodStream, `"text":"Hi"`, `"finishReason":"STOP"`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{streams(tc.events)}, vendor(tc.upstream), withTable(budgeted))
			got := h.send(ask{path: tc.path, body: tc.body})
			events := strings.Split(strings.TrimSpace(strings.ReplaceAll(got.body, "\r\n", "\n")), "\n\n")
			first, last := events[0], events[len(events)-1]+"\n"
			if got.status != http.StatusOK || got.header.Get("Content-Type") != "text/event-stream" || !strings.Contains(first, tc.first) || !strings.Contains(last, tc.last) {
				t.Errorf("status %d, first %q, last %q of\n%s", got.status, first, last, got.body)
			}
			if spent := h.spent(); spent != goodCost {
				t.Errorf("spent %d, want %d", spent, goodCost)
			}
		})
	}
}

// TestBrokenResponsesStreamKeepsCounting: the error that ends a stream of Responses has the number that comes next, passed or translated.
func TestBrokenResponsesStreamKeepsCounting(t *testing.T) {
	created := "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"output\":[]}}\n\n"
	added := "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"content\":[]}}\n\n"
	part := "event: response.content_part.added\ndata: {\"type\":\"response.content_part.added\",\"sequence_number\":2,\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}}\n\n"
	delta := "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":3,\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"Hi\"}\n\n"
	for name, tc := range map[string]struct {
		vendor string
		events []string
	}{
		"translated": {"OpenAICompatible", []string{roleEvent, tokenEvent}},
		"passed":     {"OpenAI", []string{created, added, part, delta}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{cuts(tc.events...)}, vendor(tc.vendor))
			got := h.send(ask{path: "/v1/responses", body: `{"model":"chat","input":"x","stream":true}`})
			var last struct {
				Type           string
				SequenceNumber int64 `json:"sequence_number"`
			}
			count := int64(0)
			for event := range strings.SplitSeq(strings.TrimSpace(got.body), "\n\n") {
				_, data, _ := strings.Cut(event, "data: ")
				if err := json.Unmarshal([]byte(data), &last); err != nil || last.SequenceNumber != count {
					t.Errorf("event %d has number %d, %v: %s", count, last.SequenceNumber, err, event)
				}
				count++
			}
			if last.Type != "error" || count < 4 {
				t.Errorf("the stream ends with %q after %d events:\n%s", last.Type, count, got.body)
			}
		})
	}
}

func TestGeminiArrayStream(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{streams(goodStream)})
	got := h.send(ask{path: "/v1beta/models/chat:streamGenerateContent", body: geminiBody})
	var chunks []json.RawMessage
	if err := json.Unmarshal([]byte(got.body), &chunks); err != nil || len(chunks) == 0 || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v, type %q: %s", err, got.header.Get("Content-Type"), got.body)
	}
}

// TestErrorsInTheCallersDialect: every surface has its own shape of an error.
func TestErrorsInTheCallersDialect(t *testing.T) {
	for name, tc := range map[string]struct {
		ask    ask
		status int
		want   string
	}{
		"Anthropic, no key":        {ask{path: "/v1/messages", body: messageBody, key: "none"}, 401, `"type":"authentication_error"`},
		"Anthropic, no such model": {ask{path: "/v1/messages", body: strings.Replace(messageBody, "chat", "nope", 1)}, 404, `"type":"not_found_error"`},
		"Anthropic, bad JSON":      {ask{path: "/v1/messages", body: "{"}, 400, `"type":"invalid_request_error"`},
		"Anthropic, path":          {ask{path: "/v1/messages/batches"}, 404, `"type":"not_found_error"`},
		"Gemini, no such model":    {ask{path: "/v1beta/models/nope:generateContent", body: geminiBody}, 404, `"status":"NOT_FOUND"`},
		"Gemini, no key":           {ask{path: "/v1beta/models/chat:generateContent", body: geminiBody, key: "none"}, 401, `"status":"UNAUTHENTICATED"`},
		"Responses, state":         {ask{path: "/v1/responses", body: `{"model":"chat","input":"x","previous_response_id":"r"}`}, 400, `"param":"previous_response_id"`},
		"OpenRouter":               {ask{path: "/api/v1/chat/completions", body: `{"model":"nope","messages":[]}`}, 404, `"code":404`},
	} {
		t.Run(name, func(t *testing.T) {
			got := newHarness(t, []http.HandlerFunc{good}).send(tc.ask)
			if got.status != tc.status || !json.Valid([]byte(got.body)) || !strings.Contains(got.body, tc.want) {
				t.Errorf("status %d: %s, want %d with %s", got.status, got.body, tc.status, tc.want)
			}
		})
	}
}

// TestUpstreamErrorsCross: what another dialect's provider says reaches the caller in the caller's own.
func TestUpstreamErrorsCross(t *testing.T) {
	overloaded := `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded now"}}`
	h := newHarness(t, []http.HandlerFunc{answers(529, "application/json", overloaded)}, vendor("Anthropic"))
	got := h.send(ask{})
	failure := errorOf(t, got.body)
	if got.status != http.StatusServiceUnavailable || failure.Code != "upstream_unavailable" || !strings.Contains(failure.Message, "Overloaded now") {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	rejected := `{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: too large"}}`
	h = newHarness(t, []http.HandlerFunc{answers(400, "application/json", rejected)}, vendor("Anthropic"))
	if got = h.send(ask{}); got.status != 400 || !strings.Contains(errorOf(t, got.body).Message, "max_tokens: too large") {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if got = h.send(ask{path: "/v1/messages", body: messageBody}); got.status != 400 || got.body != rejected {
		t.Errorf("the provider's own error does not pass: %s", got.body)
	}
}

// TestTargetsThatCannot: a target that cannot do what is asked for is passed over; when none can, the reply names field, target and reason.
func TestTargetsThatCannot(t *testing.T) {
	body := strings.Replace(goodBody, `"messages"`, `"n":2,"messages"`, 1)
	both := newHarness(t, []http.HandlerFunc{answers(http.StatusOK, "application/json", message), good}, vendor("Anthropic"))
	got := both.send(ask{body: body})
	if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t1" || got.header.Get("X-Signalbox-Attempts") != "1" {
		t.Errorf("status %d, header %v", got.status, got.header)
	}
	alone := newHarness(t, []http.HandlerFunc{answers(http.StatusOK, "application/json", message)}, vendor("Anthropic"), withTable(budgeted))
	got = alone.send(ask{body: body})
	failure := errorOf(t, got.body)
	if got.status != http.StatusBadRequest || failure.Code != "unsupported_by_targets" || failure.Param != "n" || len(failure.Metadata.Targets) != 1 ||
		!strings.Contains(failure.Message, `target "t0"`) {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if alone.spent() != 0 {
		t.Error("a request that was not sent cost something")
	}
	got = alone.send(ask{path: "/v1/moderations", body: `{"model":"chat","input":"x"}`})
	if got.status != http.StatusBadRequest || !strings.Contains(errorOf(t, got.body).Message, "Anthropic has no API for moderations") {
		t.Errorf("status %d: %s", got.status, got.body)
	}
}

func TestDroppedParametersAreTold(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{answers(http.StatusOK, "application/json", message)}, vendor("Anthropic"))
	got := h.send(ask{body: strings.Replace(goodBody, `"messages"`, `"seed":1,"logit_bias":{"1":2},"messages"`, 1)})
	if dropped := got.header.Get("X-Signalbox-Dropped"); got.status != http.StatusOK || dropped != "logit_bias, seed" {
		t.Errorf("status %d, dropped %q: %s", got.status, dropped, got.body)
	}
}

func TestRateLimitsInOneForm(t *testing.T) {
	upstream := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Anthropic-Ratelimit-Requests-Limit", "50")
		w.Header().Set("Anthropic-Ratelimit-Tokens-Remaining", "1000")
		w.Header().Set("Request-Id", "req_up")
		answers(http.StatusOK, "application/json", message)(w, r)
	}
	got := newHarness(t, []http.HandlerFunc{upstream}, vendor("Anthropic")).send(ask{path: "/api/v1/chat/completions"})
	for name, value := range map[string]string{
		"X-Ratelimit-Limit-Requests": "50", "X-Ratelimit-Remaining-Tokens": "1000", "X-Signalbox-Upstream-Request-Id": "req_up",
	} {
		if got.header.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, got.header.Get(name), value)
		}
	}
	if !strings.HasPrefix(got.header.Get("X-Generation-Id"), "gen-") {
		t.Errorf("no generation id in %v", got.header)
	}
}

func TestAnthropicResetsBecomeDurations(t *testing.T) {
	for value, want := range map[string]string{"2026-01-01T00:01:30Z": "1m30s", "2025-12-31T00:00:00Z": "0s", "soon": ""} {
		header := http.Header{}
		passAnthropicLimit(header, "Anthropic-Ratelimit-Tokens-Reset", []string{value}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		if got := header.Get("X-Ratelimit-Reset-Tokens"); got != want || header.Get("Anthropic-Ratelimit-Tokens-Reset") != value {
			t.Errorf("%s became %q, want %q", value, got, want)
		}
	}
}

// TestSignsOfLife: a stream that is silent after its first token says so in the surface's way, and nothing before.
func TestSignsOfLife(t *testing.T) {
	for path, want := range map[string]string{"/v1/chat/completions": ": keep-alive\n", "/v1/messages": "event: ping\ndata: {\"type\": \"ping\"}\n"} {
		wait := make(chan struct{})
		upstream := func(w http.ResponseWriter, r *http.Request) {
			streams(roleEvent, tokenEvent)(w, r)
			<-wait
			streams(finishEvent, doneEvent)(w, r)
		}
		h := newHarness(t, []http.HandlerFunc{upstream}, withLimits(Limits{KeepAlive: 5 * time.Millisecond}))
		body := streamBody
		if strings.HasSuffix(path, "messages") {
			body = `{"stream":true,` + messageBody[1:]
		}
		response := h.open(t.Context(), ask{path: path, body: body})
		events := readEvents(response.Body)
		if first := events.next(); strings.Contains(first, "keep-alive") || strings.Contains(first, "ping") {
			t.Errorf("%s: the first event is %q", path, first)
		}
		timeout := time.AfterFunc(patience, func() { close(wait) })
		for event := events.next(); strings.TrimSpace(event) != strings.TrimSpace(want); event = events.next() {
			if event == "" || strings.Contains(event, "[DONE]") {
				t.Fatalf("%s: the stream ended without a sign of life", path)
			}
		}
		if timeout.Stop() {
			close(wait)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Error(err)
		}
		_ = response.Body.Close()
	}
}

func TestModelListsInTheCallersDialect(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, withTable(func(tb *table.Table) {
		declared := &tb.Routes[0].Targets[0].Declared
		declared.ContextTokens, declared.MaxOutputTokens = 131072, 8192
	}))
	for name, tc := range map[string]struct {
		path, header, value string
		want                []string
	}{
		"OpenAI":         {path: "/v1/models", want: []string{`"object":"list"`, `"id":"chat"`}},
		"OpenRouter":     {path: "/api/v1/models", want: []string{`"id":"chat"`, `"pricing":`, `"context_length":131072`, `"prompt":"0.000001"`, `"max_completion_tokens":8192,"is_moderated"`}},
		"Groq":           {path: "/openai/v1/models", want: []string{`"object":"list"`, `"id":"chat"`, `"context_window":131072`, `"max_completion_tokens":8192`}},
		"Anthropic":      {path: "/v1/models", header: "Anthropic-Version", want: []string{`"type":"model"`, `"id":"chat"`, `"has_more":false`}},
		"Anthropic, one": {path: "/v1/models/any%2Fone", header: "Anthropic-Version", want: []string{`"type":"model"`, `"id":"any/one"`}},
		"Gemini, /v1":    {path: "/v1/models", header: "X-Goog-Api-Key", value: appKey, want: []string{`"name":"models/chat"`}},
		"Gemini":         {path: "/v1beta/models", want: []string{`"name":"models/chat"`}},
		"Gemini, one":    {path: "/v1beta/models/any/one", want: []string{`"name":"models/any/one"`}},
	} {
		t.Run(name, func(t *testing.T) {
			request := h.request(t.Context(), ask{method: http.MethodGet, path: tc.path})
			if tc.header != "" {
				request.Header.Set(tc.header, or(tc.value, "2023-06-01"))
			}
			response, err := h.front.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != http.StatusOK {
				t.Fatalf("status %d, %v: %s", response.StatusCode, err, body)
			}
			for _, want := range tc.want {
				if !bytes.Contains(body, []byte(want)) {
					t.Errorf("no %s in %s", want, body)
				}
			}
		})
	}
}

// TestUpload sends a form whose file comes before its model to a provider that fails and to another one.
func TestUpload(t *testing.T) {
	sound := strings.Repeat("RIFF\r\n", 100_000)
	busy := func(w http.ResponseWriter, r *http.Request) {
		answers(http.StatusTooManyRequests, "application/json", `{"error":{"message":"slow down"}}`)(w, r)
	}
	got := make(chan string, 1)
	hears := func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			t.Error(err)
			return
		}
		file, _, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		content, err := io.ReadAll(file)
		got <- fmt.Sprint(r.URL.Path, " ", r.FormValue("model"), " ", string(content) == sound, " ", err)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "hello there")
	}
	h := newHarness(t, []http.HandlerFunc{busy, hears})
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	file, err := writer.CreateFormFile("file", "a.wav")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(file, sound); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"model": "chat", "response_format": "text"} {
		if err := writer.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	answer := h.send(ask{path: "/v1/audio/transcriptions", contentType: writer.FormDataContentType(), body: form.String()})
	if answer.status != http.StatusOK || answer.body != "hello there" || answer.header.Get("X-Signalbox-Attempts") != "2" {
		t.Errorf("status %d, header %v: %s", answer.status, answer.header, answer.body)
	}
	if diff := cmp.Diff("/v1/audio/transcriptions upstream-1 true <nil>", <-got); diff != "" {
		t.Errorf("the provider got (-want +got):\n%s", diff)
	}
}

func TestUploadErrors(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, withLimits(Limits{FormBytes: 1000}))
	boundary := "multipart/form-data; boundary=" + testBoundary
	for name, tc := range map[string]struct {
		contentType, body string
		status            int
		code              string
	}{
		"not a form":  {"application/json", "{}", http.StatusUnsupportedMediaType, "unsupported_media_type"},
		"no boundary": {"multipart/form-data", "", http.StatusUnsupportedMediaType, "unsupported_media_type"},
		"no model":    {boundary, formText(t, formPart{name: "prompt", value: "x"}), http.StatusBadRequest, "invalid_value"},
		"empty model": {boundary, formText(t, formPart{name: "model"}), http.StatusBadRequest, "invalid_value"},
		"cut":         {boundary, formText(t, formPart{name: "prompt", value: "x"})[:20], http.StatusBadRequest, "request_incomplete"},
		"too large":   {boundary, formText(t, formPart{"file", "a", strings.Repeat("x", 2000)}), http.StatusRequestEntityTooLarge, "payload_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.send(ask{path: "/v1/audio/transcriptions", contentType: tc.contentType, body: tc.body + ""})
			if code := errorOf(t, got.body).Code; got.status != tc.status || code != tc.code {
				t.Errorf("status %d, code %v: %s", got.status, code, got.body)
			}
		})
	}
}

// TestSpeech passes sound on as it comes, and cuts the client off when the provider breaks off.
func TestSpeech(t *testing.T) {
	body := `{"model":"chat","input":"hello","voice":"alloy"}`
	h := newHarness(t, []http.HandlerFunc{answers(http.StatusOK, "audio/mpeg", "\xff\xfbsound")}, withTable(budgeted))
	got := h.send(ask{path: "/v1/audio/speech", body: body})
	if got.status != http.StatusOK || got.body != "\xff\xfbsound" || got.header.Get("Content-Type") != "audio/mpeg" {
		t.Errorf("status %d, header %v, %q", got.status, got.header, got.body)
	}
	h.log.wait(t, func(line map[string]any) bool { return line["msg"] == "request" })
	if h.spent() == 0 {
		t.Error("speech cost nothing")
	}
	broken := newHarness(t, []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		answers(http.StatusOK, "audio/mpeg", "sound")(w, r)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}})
	response := broken.open(t.Context(), ask{path: "/v1/audio/speech", body: body})
	defer func() { _ = response.Body.Close() }()
	if _, err := io.ReadAll(response.Body); err == nil {
		t.Error("sound that broke off looks whole")
	}
}
