package fakeprovider

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

// dialect is how one provider is asked for a plain answer and for a stream of the same words.
type dialect struct {
	plain, stream         string // paths
	body, streamBody      string
	headers               []string
	text                  string // a pattern with a group for the text
	delta                 string // the same in a stream, where it is another
	bill                  string // what has to be in both forms: usage
	binary                bool
	chunks                bool // each event holds another in base64
	errorPlain, errorTail string
}

// dialects are all of them, by name.
func dialects() map[string]dialect {
	const chat = `{"model":"m","messages":[{"role":"user","content":"hello there"}]}`
	const chatStream = `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello there"}]}`
	const claude = `"max_tokens":99,"messages":[{"role":"user","content":"hello there"}]}`
	const gemini = `{"contents":[{"role":"user","parts":[{"text":"hello there"}]}]}`
	const converse = `{"messages":[{"role":"user","content":[{"text":"hello there"}]}]}`
	bearer := []string{"Authorization", "Bearer sk-test"}
	openAI := func(prefix string) dialect {
		return dialect{
			plain: prefix + "/chat/completions", stream: prefix + "/chat/completions", body: chat, streamBody: chatStream, headers: bearer,
			text: `"content":"([^"]*)"`, bill: `"total_tokens":25`, errorPlain: `"error": {`, errorTail: `"error":{`,
		}
	}
	anthropic := dialect{text: `"text":"([^"]*)"`, bill: `"output_tokens":16`, errorPlain: `"type":"error"`, errorTail: "event: error\ndata: {\"type\":\"error\""}
	google := dialect{
		body: gemini, streamBody: gemini, headers: bearer, text: `"text":"([^"]*)"`, bill: `"totalTokenCount":25`, errorPlain: `"status": "RESOURCE_EXHAUSTED"`,
		errorTail: `"status":"RESOURCE_EXHAUSTED"`,
	}
	bedrock := dialect{headers: bearer, binary: true, text: `"text":"([^"]*)"`, bill: `"totalTokens":25`, errorPlain: `"message":"Too many`, errorTail: "throttlingException"}
	with := func(d dialect, change func(*dialect)) dialect { change(&d); return d }
	vertex := "/vertex/v1/projects/p/locations/l/publishers/"
	return map[string]dialect{
		"openai": openAI("/v1"), "groq": openAI("/openai/v1"), "openrouter": openAI("/api/v1"), "compatible": openAI("/compatible/v1"),
		"azure": with(openAI("/azure/openai/deployments/m"), func(d *dialect) {
			d.plain += "?api-version=1"
			d.stream, d.headers = d.plain, []string{"Api-Key", "sk-test"}
		}),
		"responses": with(openAI("/v1"), func(d *dialect) {
			d.plain, d.stream, d.body, d.streamBody = "/v1/responses", "/v1/responses", `{"model":"m","input":"hello there"}`, `{"model":"m","stream":true,"input":"hello there"}`
			d.text, d.delta, d.errorTail = `"text":"([^"]*)"`, `"delta":"([^"]*)"`, "event: error\ndata: {\"type\":\"error\""
		}),
		"anthropic": with(anthropic, func(d *dialect) {
			d.plain, d.stream, d.body, d.streamBody = "/anthropic/v1/messages", "/anthropic/v1/messages", `{"model":"m",`+claude, `{"model":"m","stream":true,`+claude
			d.headers = []string{"X-Api-Key", "sk-test", "Anthropic-Version", "2023-06-01"}
		}),
		"vertex claude": with(anthropic, func(d *dialect) {
			d.plain, d.stream = vertex+"anthropic/models/m:rawPredict", vertex+"anthropic/models/m:streamRawPredict"
			d.body, d.streamBody = `{"anthropic_version":"vertex-2023-10-16",`+claude, `{"anthropic_version":"vertex-2023-10-16","stream":true,`+claude
			d.headers, d.errorPlain, d.errorTail = bearer, `"status": "RESOURCE_EXHAUSTED"`, `"status":"RESOURCE_EXHAUSTED"`
		}),
		"gemini": with(google, func(d *dialect) {
			d.plain, d.stream, d.headers = "/gemini/v1beta/models/m:generateContent", "/gemini/v1beta/models/m:streamGenerateContent?alt=sse", []string{"X-Goog-Api-Key", "sk-test"}
		}),
		"gemini list": with(google, func(d *dialect) {
			d.plain, d.stream, d.headers = "/gemini/v1beta/models/m:generateContent", "/gemini/v1beta/models/m:streamGenerateContent?key=sk-test", []string{"X-Goog-Api-Key", "sk-test"}
		}),
		"vertex": with(google, func(d *dialect) {
			d.plain, d.stream = vertex+"google/models/m:generateContent", vertex+"google/models/m:streamGenerateContent?alt=sse"
		}),
		"converse": with(bedrock, func(d *dialect) {
			d.plain, d.stream, d.body, d.streamBody = "/bedrock/model/m/converse", "/bedrock/model/m/converse-stream", converse, converse
		}),
		"invoke": with(bedrock, func(d *dialect) {
			d.plain, d.stream, d.chunks = "/bedrock/model/m/invoke", "/bedrock/model/m/invoke-with-response-stream", true
			d.body = `{"anthropic_version":"bedrock-2023-05-31",` + claude
			d.streamBody, d.bill = d.body, `"output_tokens":16`
		}),
		"cohere": with(openAI("/cohere/v2"), func(d *dialect) {
			d.plain, d.stream, d.streamBody = "/cohere/v2/chat", "/cohere/v2/chat", strings.Replace(chatStream, `"stream_options":{"include_usage":true},`, "", 1)
			d.text, d.bill, d.errorPlain, d.errorTail = `"text":"([^"]*)"`, `"output_tokens":16`, `"message":"You are past`, `"finish_reason":"ERROR"`
		}),
	}
}

// rig is a server that serves every model.
type rig struct {
	*Server
	t   *testing.T
	url string
}

func start(t *testing.T, change func(*Settings)) rig {
	t.Helper()
	settings := DefaultSettings()
	settings.Models = []string{"*"}
	if change != nil {
		change(&settings)
	}
	server, err := New(Options{Settings: &settings})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server.Data())
	t.Cleanup(listener.Close)
	return rig{server, t, listener.URL}
}

// post returns the status, headers and what came of the body.
func (r rig) post(path, body string, headers ...string) (int, http.Header, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	data, _ := io.ReadAll(response.Body) // faults cut it
	if err := response.Body.Close(); err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(data)
}

// record waits until the request is over.
func (r rig) record() Record {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	if err := r.Wait(ctx, func(c Counters) bool { return c.InFlight == 0 }); err != nil {
		r.t.Fatal(err)
	}
	return r.Requests(1)[0]
}

// said joins what the pattern finds.
func said(pattern, body string) string {
	var out strings.Builder
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(body, -1) {
		out.WriteString(match[1])
	}
	return out.String()
}

// readable unpacks an event stream of AWS's, checksums checked, into its headers and payloads.
func (d dialect) readable(t *testing.T, body string) string {
	t.Helper()
	if !d.binary {
		return body
	}
	var out strings.Builder
	for data := []byte(body); len(data) > 0; {
		if len(data) < 16 || len(data) < int(binary.BigEndian.Uint32(data)) {
			break // cut by a fault
		}
		total, headers := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
		event := data[:total]
		if crc32.ChecksumIEEE(event[:8]) != binary.BigEndian.Uint32(event[8:]) || crc32.ChecksumIEEE(event[:total-4]) != binary.BigEndian.Uint32(event[total-4:]) {
			t.Fatal("wrong checksum")
		}
		payload := event[12+headers : total-4]
		var chunk struct {
			Bytes []byte `json:"bytes"`
		}
		if d.chunks && json.Unmarshal(payload, &chunk) == nil && chunk.Bytes != nil {
			payload = chunk.Bytes
		}
		out.Write(event[12 : 12+headers])
		out.Write(payload)
		out.WriteByte('\n')
		data = data[total:]
	}
	return out.String()
}

// TestOneTextInAllDialects: plain and streamed, written byte by byte, compressed: everyone says the same, and bills the same.
func TestOneTextInAllDialects(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"as is": nil, "byte by byte": func(s *Settings) { s.WriteBytes = 1 }, "compressed": func(s *Settings) { s.Compression = CompressAlways },
	} {
		r := start(t, change)
		d := dialects()["openai"]
		_, _, body := r.post(d.plain, d.body, d.headers...)
		want := said(d.text, inflate(t, body, r))
		if len(strings.Fields(want)) != 16 {
			t.Fatalf("got %q", want)
		}
		for dialectName, d := range dialects() {
			t.Run(name+"/"+dialectName, func(t *testing.T) { r.says(t, d, want) })
		}
	}
}

// says compares both forms of one answer with the text that is wanted, and the record with its price.
func (r rig) says(t *testing.T, d dialect, want string) {
	t.Helper()
	status, _, body := r.post(d.plain, d.body, d.headers...)
	body = inflate(t, body, r)
	if got := said(d.text, body); status != http.StatusOK || got != want || !strings.Contains(body, d.bill) {
		t.Errorf("plain: %d %s, want %q and %s", status, body, want, d.bill)
	}
	status, _, body = r.post(d.stream, d.streamBody, d.headers...)
	body = d.readable(t, inflate(t, body, r))
	if got := said(cmp.Or(d.delta, d.text), body); status != http.StatusOK || got != want || !strings.Contains(body, d.bill) {
		t.Errorf("stream: %d %s, want %q and %s", status, body, want, d.bill)
	}
	record := r.record()
	if record.Billed != (Usage{PromptTokens: 9, CompletionTokens: 16}) || record.Reported == nil {
		t.Errorf("billed %+v, reported %+v", record.Billed, record.Reported)
	}
	if !record.Stream || record.Model != "m" || record.Key != "sk-test" {
		t.Errorf("recorded %+v", record)
	}
}

func inflate(t *testing.T, body string, r rig) string {
	t.Helper()
	if r.Settings().Compression != CompressAlways {
		return body
	}
	reader, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// fail makes the next request go wrong.
func (r rig) fail(f Fault) {
	r.t.Helper()
	if err := r.AddFaults(f); err != nil {
		r.t.Fatal(err)
	}
}

// TestRefusalsInAllDialects: the same faults, each in the provider's own words.
func TestRefusalsInAllDialects(t *testing.T) {
	for name, d := range dialects() {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			r.fail(Fault{Kind: FaultStatus, Status: http.StatusTooManyRequests})
			status, _, body := r.post(d.plain, d.body, d.headers...)
			if status != http.StatusTooManyRequests || (!strings.Contains(body, d.errorPlain) && !strings.Contains(body, `"error": {`)) {
				t.Errorf("refused: %d %s, want %s", status, body, d.errorPlain)
			}
			r.fail(Fault{Kind: FaultHTML})
			if status, header, _ := r.post(d.plain, d.body, d.headers...); status != http.StatusBadGateway || header.Get("Content-Type") != "text/html" {
				t.Errorf("page: %d %s", status, header.Get("Content-Type"))
			}
			r.fail(Fault{Kind: FaultNoUsage})
			if _, _, body := r.post(d.stream, d.streamBody, d.headers...); strings.Contains(d.readable(t, body), d.bill) {
				t.Errorf("usage: %s", body)
			}
		})
	}
}

// TestBrokenStreamsInAllDialects: errors inside a stream, and streams that end where they should not.
func TestBrokenStreamsInAllDialects(t *testing.T) {
	faults := []Fault{
		{Kind: FaultErrorEvent, Status: http.StatusTooManyRequests}, {Kind: FaultErrorEvent, Status: http.StatusTooManyRequests, AfterEvents: 3},
		{Kind: FaultEndEarly, AfterEvents: 2}, {Kind: FaultCloseMidBody, AfterEvents: 2}, {Kind: FaultTruncate, AfterEvents: 2},
	}
	for name, d := range dialects() {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			for _, f := range faults {
				r.fail(f)
				status, _, body := r.post(d.stream, d.streamBody, d.headers...)
				body = d.readable(t, body)
				says := strings.Contains(body, d.errorTail)
				if status != http.StatusOK || says != (f.Kind == FaultErrorEvent) || strings.Contains(body, d.bill) {
					t.Errorf("%s after %d events: %d %s", f.Kind, f.AfterEvents, status, body)
				}
				if record := r.record(); record.State != StateBroken || record.Events != f.AfterEvents {
					t.Errorf("%s after %d events: %s after %d", f.Kind, f.AfterEvents, record.State, record.Events)
				}
			}
		})
	}
}

// TestKeysInAllDialects: no key, and one outside the list, are refused with the provider's own status.
func TestKeysInAllDialects(t *testing.T) {
	missing := map[string]int{"gemini": 403, "gemini list": 403, "converse": 403, "invoke": 403}
	unknown := map[string]int{"gemini": 400, "gemini list": 400, "converse": 403, "invoke": 403}
	for name, d := range dialects() {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(s *Settings) { s.Keys = []Key{{Value: "another"}} })
			want := map[bool]int{true: missing[name], false: http.StatusUnauthorized}[missing[name] > 0]
			if status, _, body := r.post(d.plain, d.body, "Anthropic-Version", "2023-06-01"); status != want {
				t.Errorf("no key: %d %s, want %d", status, body, want)
			}
			want = map[bool]int{true: unknown[name], false: http.StatusUnauthorized}[unknown[name] > 0]
			if status, _, body := r.post(d.plain, d.body, d.headers...); status != want {
				t.Errorf("unknown key: %d %s, want %d", status, body, want)
			}
		})
	}
}

// TestRateLimitsByProvider: each in its own headers, Google, Bedrock and OpenRouter in none.
func TestRateLimitsByProvider(t *testing.T) {
	r := start(t, nil)
	for name, want := range map[string]string{
		"openai": "X-Ratelimit-Remaining-Requests", "groq": "X-Ratelimit-Reset-Tokens", "azure": "X-Ratelimit-Remaining-Tokens",
		"anthropic": "Anthropic-Ratelimit-Input-Tokens-Remaining", "cohere": "X-Trial-Endpoint-Call-Remaining", "openrouter": "", "gemini": "", "vertex": "", "converse": "",
	} {
		d := dialects()[name]
		_, header, _ := r.post(d.plain, d.body, d.headers...)
		found := ""
		for field := range header {
			if strings.Contains(field, "Remaining") {
				found += field + " "
			}
		}
		if (want == "") != (found == "") || !strings.Contains(found, strings.TrimSuffix(want, "Reset-Tokens")) {
			t.Errorf("%s: got %q, want %q", name, found, want)
		}
	}
}

// FuzzBodies: whatever is posted wherever, the answer has a status and nothing panics.
func FuzzBodies(f *testing.F) {
	settings := DefaultSettings()
	settings.Models = []string{"*"}
	server, err := New(Options{Settings: &settings})
	if err != nil {
		f.Fatal(err)
	}
	data := server.Data()
	var all []dialect
	for _, d := range dialects() {
		all = append(all, d)
		f.Add([]byte(d.body))
		f.Add([]byte(d.streamBody))
	}
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64"}},{"json":null},{"toolUse":{"input":null}},{"document":{}}]}],"input":[{},{"type":"reasoning"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, d := range all {
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, d.stream, bytes.NewReader(body))
			request.Header.Set("Content-Type", "application/json")
			for i := 0; i+1 < len(d.headers); i += 2 {
				request.Header.Set(d.headers[i], d.headers[i+1])
			}
			recorder := httptest.NewRecorder()
			data.ServeHTTP(recorder, request)
			if recorder.Code != http.StatusOK && (recorder.Code < 400 || recorder.Code > 499) {
				t.Errorf("%s: status %d", d.stream, recorder.Code)
			}
		}
	})
}

// pixel is a picture in PNG.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// TestMediaInAllDialects: a picture counts by its bytes, so that whoever passes it on unharmed gets the same words.
func TestMediaInAllDialects(t *testing.T) {
	r := start(t, nil)
	if _, err := base64.StdEncoding.DecodeString(pixel); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{
		"openai":    `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + pixel + `"}}]}]}`,
		"cohere":    `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + pixel + `"}}]}]}`,
		"responses": `{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,` + pixel + `"}]}]}`,
		"anthropic": `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pixel + `"}}]}]}`,
		"gemini":    `{"contents":[{"role":"user","parts":[{"text":"see"},{"inline_data":{"mime_type":"image/png","data":"` + pixel + `"}}]}]}`,
		"converse":  `{"messages":[{"role":"user","content":[{"text":"see"},{"image":{"format":"png","source":{"bytes":"` + pixel + `"}}}]}]}`,
	}
	want := ""
	for name, body := range bodies {
		d := dialects()[name]
		status, _, answer := r.post(d.plain, body, d.headers...)
		got := said(d.text, answer)
		if want == "" {
			want = got
		}
		if status != http.StatusOK || got != want || got == "" {
			t.Errorf("%s: %d %s, want %q", name, status, answer, want)
		}
		if name == "gemini" {
			safe := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(pixel)
			if status, _, answer := r.post(d.plain, strings.Replace(body, pixel, safe, 1), d.headers...); safe == pixel || status != http.StatusOK || said(d.text, answer) != want {
				t.Errorf("%s, URL-safe: %d %s, want %q", name, status, answer, want)
			}
		}
		broken := strings.Replace(body, pixel, base64.StdEncoding.EncodeToString([]byte("no picture")), 1)
		if status, _, answer := r.post(d.plain, broken, d.headers...); status != http.StatusBadRequest {
			t.Errorf("%s: no picture: %d %s", name, status, answer)
		}
	}
}
