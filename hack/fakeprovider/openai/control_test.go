package openai

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

func control(t *testing.T, server *core.Server) *core.Client {
	t.Helper()
	listener := httptest.NewServer(server.Control())
	t.Cleanup(listener.Close)
	return core.NewClient(listener.URL+"/", listener.Client())
}

func TestControlSettings(t *testing.T) {
	r := start(t, nil)
	client := control(t, r.Server)
	if err := client.PatchSettings(t.Context(), map[string]any{"firstTokenDelay": "250ms", "keys": []core.Key{{Value: "sk-a"}}}); err != nil {
		t.Fatal(err)
	}
	want := core.DefaultSettings()
	want.FirstTokenDelay, want.Keys = core.Duration(250*time.Millisecond), []core.Key{{Value: "sk-a"}}
	got, err := client.Settings(t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("after a patch: got %+v, %v, want %+v", got, err, want)
	}
	if status := r.post("/v1/chat/completions", hello).status; status != http.StatusUnauthorized {
		t.Errorf("key outside the list: got %d", status)
	}
	want.Keys, want.RateLimit = []core.Key{}, nil
	if err := client.SetSettings(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got := r.Settings(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a put: got %+v, want %+v", got, want)
	}
	if err := client.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.Settings(); !reflect.DeepEqual(got, core.DefaultSettings()) {
		t.Errorf("after a reset: got %+v", got)
	}
}

// TestPatchedObjectsAreReplaced: a patch changes neither the settings at start nor what a request under way holds.
func TestPatchedObjectsAreReplaced(t *testing.T) {
	r := start(t, nil)
	client := control(t, r.Server)
	before := r.Settings()
	patch := map[string]any{"rateLimit": map[string]any{"limitTokens": 5}, "models": []string{"only"}, "usage": map[string]any{"promptTokens": 1}}
	if err := client.PatchSettings(t.Context(), patch); err != nil {
		t.Fatal(err)
	}
	if got := r.Settings(); *got.RateLimit != (core.RateLimit{LimitTokens: 5}) || !reflect.DeepEqual(got.Models, []string{"only"}) {
		t.Errorf("after the patch: %+v, models %v", *got.RateLimit, got.Models)
	}
	if !reflect.DeepEqual(before, core.DefaultSettings()) {
		t.Errorf("the settings read before have changed: %+v", before)
	}
	r.Reset()
	if got := r.Settings(); !reflect.DeepEqual(got, core.DefaultSettings()) {
		t.Errorf("after a reset: %+v", got)
	}
}

func TestControlRefusals(t *testing.T) {
	server, err := core.New(core.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ method, path, body, want string }{
		"unknown setting":    {"PATCH", "/settings", `{"latency":5}`, `unknown field`},
		"bad duration":       {"PATCH", "/settings", `{"headerDelay":"soon"}`, `parsing duration`},
		"out of bounds":      {"PATCH", "/settings", `{"completionTokens":0}`, `completionTokens: 0 is not between 1 and 16384`},
		"bad enum":           {"PUT", "/settings", `{"compression":"Maybe"}`, `compression: \"Maybe\"`},
		"repeated key":       {"PUT", "/settings", `{"keys":[{"value":"a"},{"value":"a"}]}`, `keys[1].value`},
		"bad key status":     {"PUT", "/settings", `{"keys":[{"value":"a","status":302}]}`, `keys[0].status`},
		"not json":           {"PUT", "/settings", `[`, `decoding settings`},
		"unknown fault":      {"POST", "/faults", `{"kind":"Explode"}`, `\"Explode\" is not known`},
		"fault field":        {"POST", "/faults", `[{"kind":"Close","count":3}]`, `unknown field`},
		"status of nothing":  {"POST", "/faults", `[{"kind":"Status"}]`, `status: 0 is not between 200 and 599`},
		"last not a number":  {"GET", "/requests?last=x", ``, `parsing last`},
		"second fault wrong": {"POST", "/faults", `[{"kind":"Close"},{"kind":""}]`, `validating fault 1`},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			server.Control().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, strings.NewReader(tc.body)))
			if recorder.Code != http.StatusBadRequest || !strings.Contains(recorder.Body.String(), tc.want) {
				t.Errorf("got %d %s, want 400 with %s", recorder.Code, recorder.Body, tc.want)
			}
			if !reflect.DeepEqual(server.Settings(), core.DefaultSettings()) || len(server.Faults()) != 0 {
				t.Error("a refused request changed something")
			}
		})
	}
}

func TestControlFaults(t *testing.T) {
	r := start(t, nil)
	client := control(t, r.Server)
	if err := client.AddFaults(t.Context(), core.Fault{Kind: core.FaultStatus, Status: 500, Times: 2}); err != nil {
		t.Fatal(err)
	}
	if got := r.post("/v1/chat/completions", hello).status; got != http.StatusInternalServerError {
		t.Fatalf("got %d", got)
	}
	faults, err := client.Faults(t.Context())
	if err != nil || len(faults) != 1 || faults[0].Times != 1 {
		t.Errorf("faults left: %+v, %v", faults, err)
	}
	if err := client.ClearFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.post("/v1/chat/completions", hello).status; got != http.StatusOK {
		t.Errorf("after clearing: got %d", got)
	}
}

func TestControlRequests(t *testing.T) {
	r := start(t, nil)
	client := control(t, r.Server)
	r.fault(core.Fault{Kind: core.FaultStatus, Status: 500})
	r.post("/v1/chat/completions", hello, "X-Extra", "yes")
	r.post("/v1/chat/completions", hello)
	r.ended(2)
	records, err := client.Requests(t.Context(), 10)
	if err != nil || len(records) != 2 {
		t.Fatalf("got %d records, %v", len(records), err)
	}
	want := core.Record{
		ID: "req_00000000000000000000000000000001", Time: r.clock.Now(), End: r.clock.Now(), State: core.StateRefused, Method: http.MethodPost, Path: "/v1/chat/completions",
		Host: strings.TrimPrefix(r.url, "http://"), Proto: "HTTP/1.1", Body: hello, BodyBytes: len(hello), BodySHA256: records[0].BodySHA256, Key: "sk-test", Model: "gpt-4o",
		Fault: core.FaultStatus, Status: http.StatusInternalServerError, Header: records[0].Header,
	}
	if !reflect.DeepEqual(records[0], want) {
		t.Errorf("got %+v, want %+v", records[0], want)
	}
	if header := records[0].Header; header.Get("X-Extra") != "yes" || header.Get("Authorization") != "Bearer sk-test" {
		t.Errorf("headers %v", header)
	}
	if second := records[1]; second.State != core.StateDone || second.Reported == nil || second.Fault != "" || second.BodySHA256 != records[0].BodySHA256 {
		t.Errorf("got %+v", second)
	}
}

// TestCountersAreExact: the sums split by key and model add up under concurrency, to the token.
func TestCountersAreExact(t *testing.T) {
	r := start(t, nil)
	var group sync.WaitGroup
	const each = 25
	for worker := range 4 {
		group.Go(func() {
			for range each {
				model := []string{"gpt-4o", "gpt-4o-mini"}[worker%2]
				r.post("/v1/chat/completions", strings.Replace(hello, "gpt-4o", model, 1), "Authorization", fmt.Sprintf("Bearer key-%d", worker))
			}
		})
	}
	group.Wait()
	r.ended(4 * each)
	got := r.Counters()
	one := core.Counts{
		Requests: each, Done: each, ReportedAnswers: each, Reported: core.Usage{PromptTokens: 9 * each, CompletionTokens: 16 * each},
		Billed: core.Usage{PromptTokens: 9 * each, CompletionTokens: 16 * each},
	}
	for worker := range 4 {
		if counts := got.ByKey[fmt.Sprintf("key-%d", worker)]; counts != one {
			t.Errorf("key %d: got %+v, want %+v", worker, counts, one)
		}
	}
	if got.ByModel["gpt-4o"].Billed.PromptTokens != 2*9*each || got.Total.Billed.CompletionTokens != 4*16*each || got.ByStatus["200"] != 4*each {
		t.Errorf("got %+v", got)
	}
}

func TestResetForgets(t *testing.T) {
	r := start(t, nil)
	r.fault(core.Fault{Kind: core.FaultHang})
	_, conn := r.dial(hello)
	r.waitFor(func(c core.Counters) bool { return c.InFlight == 1 })
	r.Reset()
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	r.post("/v1/chat/completions", hello)
	r.ended(1)
	if got := r.Counters().Total; got.Requests != 1 || got.ClientLeft != 0 || len(r.Requests(10)) != 1 {
		t.Errorf("got %+v", got)
	}
}

// embedded is an embedding answer as a client reads it.
type embedded struct {
	Data []struct {
		Index     int
		Embedding any
	}
	Usage embeddingUsage
}

// TestEmbeddingForms: floats and base64 are the same unit vectors.
func TestEmbeddingForms(t *testing.T) {
	r := start(t, nil)
	floats := decodeJSON[embedded](t, r.post("/v1/embeddings", `{"model":"text-embedding-3-small","input":["one text","two"],"dimensions":8}`).body)
	packed := decodeJSON[embedded](t, r.post("/v1/embeddings", `{"model":"text-embedding-3-small","input":["one text","two"],"dimensions":8,"encoding_format":"base64"}`).body)
	if len(floats.Data) != 2 || floats.Usage != (embeddingUsage{3, 3}) || floats.Data[1].Index != 1 {
		t.Fatalf("got %+v", floats)
	}
	for i := range floats.Data {
		unpacked := unpack(t, packed.Data[i].Embedding)
		var norm float64
		for k, value := range floats.Data[i].Embedding.([]any) {
			if number := float32(value.(float64)); unpacked[k] != number {
				t.Errorf("vector %d[%d]: float %v, base64 %v", i, k, number, unpacked[k])
			}
			norm += value.(float64) * value.(float64)
		}
		if math.Abs(norm-1) > 1e-6 || len(unpacked) != 8 {
			t.Errorf("vector %d: length %v, %d numbers", i, norm, len(unpacked))
		}
	}
	if reflect.DeepEqual(floats.Data[0].Embedding, floats.Data[1].Embedding) {
		t.Error("two texts, one vector")
	}
}

func unpack(t *testing.T, encoded any) []float32 {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(encoded.(string))
	if err != nil {
		t.Fatal(err)
	}
	var out []float32
	for ; len(raw) >= 4; raw = raw[4:] {
		out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
	}
	return out
}

func TestEmbeddingOfTokens(t *testing.T) {
	r := start(t, nil)
	tokens := decodeJSON[embedded](t, r.post("/v1/embeddings", `{"model":"text-embedding-3-small","input":[[1,2,3],[4]]}`).body)
	if len(tokens.Data) != 2 || tokens.Usage.PromptTokens != 4 || len(tokens.Data[0].Embedding.([]any)) != 1536 {
		t.Errorf("got %d vectors, %+v", len(tokens.Data), tokens.Usage)
	}
}

func TestModels(t *testing.T) {
	r := start(t, func(s *core.Settings) { s.Models = []string{"a", "org/b"} })
	list, err := r.call(http.MethodGet, "/v1/models", "")
	if err != nil || string(list.body) != `{"object":"list","data":[{"id":"a","object":"model","created":1686935002,"owned_by":"system"},`+
		`{"id":"org/b","object":"model","created":1686935002,"owned_by":"system"}]}`+"\n" {
		t.Errorf("list: %s, %v", list.body, err)
	}
	for path, want := range map[string]int{"/v1/models/a": 200, "/v1/models/org/b": 200, "/v1/models/c": 404, "/openai/v1/models/a": 200} {
		if got, err := r.call(http.MethodGet, path, ""); err != nil || got.status != want {
			t.Errorf("%s: got %d, %v, want %d", path, got.status, err, want)
		}
	}
}

func TestOpenRouterKey(t *testing.T) {
	r := start(t, func(s *core.Settings) { s.Keys = []core.Key{{Value: "sk-test"}} })
	for key, want := range map[string]int{"sk-test": http.StatusOK, "sk-wrong": http.StatusUnauthorized} {
		got, err := r.call(http.MethodGet, "/api/v1/key", "", "Authorization", "Bearer "+key)
		if err != nil || got.status != want {
			t.Errorf("%s: got %d %s, %v, want %d", key, got.status, got.body, err, want)
		}
	}
}

func TestCompletions(t *testing.T) {
	r := start(t, nil)
	const body = `{"model":"gpt-4o","prompt":["first prompt","second"],"n":2,"max_tokens":3}`
	plain := decodeJSON[textAnswer](t, r.post("/v1/completions", body).body)
	streamed := r.post("/v1/completions", strings.TrimSuffix(body, "}")+`,"stream":true,"stream_options":{"include_usage":true}}`)
	texts := map[int]string{}
	var usage []byte
	for _, line := range dataLines(t, streamed.body) {
		if line == "[DONE]" {
			continue
		}
		part := decodeJSON[textAnswer](t, []byte(line))
		usage = part.Usage
		for _, c := range part.Choices {
			texts[c.Index] += c.Text
		}
	}
	if len(plain.Choices) != 4 || !bytes.Equal(usage, plain.Usage) {
		t.Fatalf("%d choices, usage %s streamed, %s plain", len(plain.Choices), usage, plain.Usage)
	}
	for _, c := range plain.Choices {
		if texts[c.Index] != c.Text || strings.Count(c.Text, " ") != 2 || string(c.FinishReason) != `"length"` {
			t.Errorf("choice %d: plain %q, streamed %q, finish %s", c.Index, c.Text, texts[c.Index], c.FinishReason)
		}
	}
}
