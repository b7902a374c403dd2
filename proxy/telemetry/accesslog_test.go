package telemetry

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestAccessLogLine(t *testing.T) {
	cases := map[string]struct {
		entry Entry
		want  map[string]any
	}{
		"streamed chat": {
			entry: Entry{
				RequestID: "r1", Caller: "accesskey:app", Method: "POST", Path: "/v1/chat/completions", Operation: Chat, Route: "chat", Target: "fast",
				Provider: "Groq", Model: "chat", UpstreamModel: "llama", Stream: true, Status: 200, Code: "ok", Attempts: 2, Priced: true,
				Usage:      Usage{Prompt: 10, Cached: 4, Completion: 5, Cost: 1234, Estimated: true},
				FirstToken: 1500 * time.Microsecond, Upstream: 1200 * time.Microsecond, Duration: 2 * time.Second, BytesIn: 7, BytesOut: 9,
			},
			want: map[string]any{
				"level": "INFO", "msg": "request", "request_id": "r1", "caller": "accesskey:app", "method": "POST", "path": "/v1/chat/completions",
				"operation": "chat", "route": "chat", "target": "fast", "provider": "Groq", "model": "chat", "upstream_model": "llama", "stream": true,
				"status": 200., "code": "ok", "attempts": 2., "prompt_tokens": 10., "cached_tokens": 4., "completion_tokens": 5.,
				"cost_nanodollars": 1234., "estimated": true, "first_token_us": 1500., "upstream_us": 1200., "duration_us": 2_000_000., "bytes_in": 7., "bytes_out": 9.,
			},
		},
		"everything that routing does": {
			entry: Entry{
				RequestID: "r3", Method: "POST", Path: "/v1/chat/completions", Operation: Chat, Status: 200, Code: "ok", Mirror: true, Attempts: 4, Retries: 1,
				FallbackFrom: []string{"fast", `s"low`}, Excluded: 3, Queued: 250 * time.Millisecond,
			},
			want: map[string]any{
				"level": "INFO", "msg": "request", "request_id": "r3", "method": "POST", "path": "/v1/chat/completions", "operation": "chat", "status": 200.,
				"code": "ok", "stream": false, "mirror": true, "attempts": 4., "retries": 1., "fallback_from": []any{"fast", `s"low`}, "excluded": 3.,
				"queue_us": 250_000., "prompt_tokens": 0., "cached_tokens": 0., "completion_tokens": 0., "estimated": false, "upstream_us": 0.,
				"duration_us": 0., "bytes_in": 0., "bytes_out": 0.,
			},
		},
		"refused": {
			entry: Entry{RequestID: "r2", Method: "GET", Path: "other", Status: 404, Code: "path_not_found", Detail: "why"},
			want: map[string]any{
				"level": "INFO", "msg": "request", "request_id": "r2", "method": "GET", "path": "other", "operation": "other", "status": 404.,
				"code": "path_not_found", "detail": "why", "duration_us": 0., "bytes_in": 0., "bytes_out": 0.,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			tc.entry.Time = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
			NewAccessLog(&out).Write(&tc.entry)
			if strings.Count(out.String(), "\n") != 1 || !strings.HasSuffix(out.String(), "\n") {
				t.Fatalf("not one line: %q", out.String())
			}
			var got map[string]any
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if got["time"] != "2026-05-04T03:02:01Z" {
				t.Errorf("time is %v", got["time"])
			}
			delete(got, "time")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAccessLogBoundsWhatClientsSay(t *testing.T) {
	var out bytes.Buffer
	NewAccessLog(&out).Write(&Entry{Model: strings.Repeat("ä", 1000) + "\n{}"})
	var got struct{ Model string }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("ä", maxLoggedModel/2); got.Model != want {
		t.Errorf("model is %q", got.Model)
	}
}

// FuzzAccessLogLine: whatever is logged, the line is one JSON object that says it.
func FuzzAccessLogLine(f *testing.F) {
	f.Add("chat", "why")
	f.Add("a\"b\\\n{}", "\x00\x7f\u2028<é>")
	f.Fuzz(func(t *testing.T, model, detail string) {
		var out bytes.Buffer
		NewAccessLog(&out).Write(&Entry{Model: model, Detail: detail, Operation: Chat, Code: "ok"})
		var got struct{ Model, Detail, Code string }
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Fatalf("%q: %v", out.String(), err)
		}
		if utf8.ValidString(detail) && got.Detail != detail || got.Code != "ok" || len(model) <= maxLoggedModel && utf8.ValidString(model) && got.Model != model {
			t.Errorf("%q and %q became %+v", model, detail, got)
		}
	})
}

func BenchmarkAccessLog(b *testing.B) {
	log := NewAccessLog(discard{})
	entry := Entry{RequestID: "ABCDEFGHIJ", Caller: "accesskey:app", Method: "POST", Path: "/v1/chat/completions", Operation: Chat, Route: "chat",
		Target: "fast", Provider: "Groq", Model: "chat", UpstreamModel: "llama", Status: 200, Code: "ok", Attempts: 3, Retries: 1, FallbackFrom: []string{"other"}, Excluded: 2, Queued: time.Millisecond, Priced: true}
	b.ReportAllocs()
	for b.Loop() {
		log.Write(&entry)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
