package dialect_test

import (
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

func TestParseError(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want neutral.Error
	}{
		"OpenAI":           {`{"error":{"code":"unsupported_parameter","message":"Unsupported parameter.","param":"max_tokens","type":"invalid_request_error"}}`, neutral.Error{Message: "Unsupported parameter.", Type: "invalid_request_error", Param: "max_tokens", Code: "unsupported_parameter", JSON: true}},
		"nulls":            {`{"error":{"code":null,"message":"m","param":null,"type":null}}`, neutral.Error{Message: "m", JSON: true}},
		"OpenRouter":       {`{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"slow down\"}}","provider_name":"Fireworks"}},"user_id":"u"}`, neutral.Error{Message: "Provider returned error (Fireworks): slow down", Code: "429", JSON: true}},
		"OpenRouter, text": {`{"error":{"code":502,"message":"Provider returned error","metadata":{"raw":"upstream gone"}}}`, neutral.Error{Message: "Provider returned error: upstream gone", Code: "502", JSON: true}},
		"odd metadata":     {`{"error":{"message":"m","metadata":["x"]}}`, neutral.Error{Message: "m", JSON: true}},
		"Google":           {`[{"error":{"code":404,"message":"no such model","status":"NOT_FOUND"}}]`, neutral.Error{Message: "no such model", Code: "404"}},
		"FastAPI":          {`{"detail":"Not Found"}`, neutral.Error{Message: "Not Found"}},
		"FastAPI fields":   {`{"detail":[{"loc":["body","messages"],"msg":"field required","type":"missing"},{"loc":["body",0],"msg":"bad"}]}`, neutral.Error{Message: "messages: field required; bad"}},
		"Mistral":          {`{"object":"error","message":{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required"}]},"type":"invalid_request_error","param":null,"code":null}`, neutral.Error{Message: "model: Field required", Type: "invalid_request_error"}},
		"vLLM":             {`{"object":"error","message":"too long","type":"BadRequestError","code":400}`, neutral.Error{Message: "too long", Type: "BadRequestError", Code: "400"}},
		"Ollama":           {`{"error":"model not found"}`, neutral.Error{Message: "model not found"}},
		"list of errors":   {`{"error":["a","b"]}`, neutral.Error{Message: "a; b"}},
		"no message":       {`{"error":{"type":"server_error"}}`, neutral.Error{Type: "server_error", JSON: true}},
		"empty object":     {`{}`, neutral.Error{}},
		"empty":            {``, neutral.Error{}},
		"Google's delay": {
			`[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.Help"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"38s"}]}}]`,
			neutral.Error{Message: "Quota", Code: "429", RetryAfter: 38 * time.Second},
		},
		"an absurd delay": {`{"error":{"message":"x","details":[{"retryDelay":"1e9h"},{"retryDelay":"9000h"}]}}`, neutral.Error{Message: "x", JSON: true, RetryAfter: time.Hour}},
		"HTML title":      {"<html><head>\n<TITLE>502 Bad\r\nGateway</TITLE></head><body>x</body></html>", neutral.Error{Message: "502 Bad Gateway", Foreign: true}},
		"HTML":            {"<html><body><h1>Sorry</h1><p>try later</p></body>", neutral.Error{Message: "Sorry try later", Foreign: true}},
		"text":            {"upstream connect error\r\n\tor disconnect\x00\x1b[31m", neutral.Error{Message: "upstream connect error or disconnect [31m", Foreign: true}},
		"invalid UTF-8":   {"gone \xff\xfe away", neutral.Error{Message: "gone \ufffd\ufffd away", Foreign: true}},
		"bad JSON inside": {"{\"error\":{\"message\":\"\xff\"}}", neutral.Error{Message: "\ufffd"}},
		"truncated":       {`{"error":{"mess`, neutral.Error{Message: `{"error":{"mess`}},
		"long":            {`{"error":{"message":"` + strings.Repeat("é ", 5000) + `"}}`, neutral.Error{Message: strings.Repeat("é ", 339) + "é…", JSON: true}},
		"too deep":        {`{"error":{"message":` + strings.Repeat(`{"message":`, 50) + `"x"` + strings.Repeat("}", 50) + `}}`, neutral.Error{JSON: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, dialect.ParseError([]byte(tc.body))); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseErrorIsCheap reads what would cost a careless reader the square of its length: twice the length must not take four times the memory.
func TestParseErrorIsCheap(t *testing.T) {
	nested := func(open, inner, end string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	for name, body := range map[string]func(n int) string{
		"open arrays":      func(n int) string { return strings.Repeat("[", n) },
		"arrays":           func(n int) string { return nested("[", "", "]", n/2) },
		"errors in errors": func(n int) string { return nested(`{"error":`, "1", "}", n/10) },
		"messages":         func(n int) string { return nested(`{"message":`, `"x"`, "}", n/12) },
		"a deep message":   func(n int) string { return `{"error":{"message":` + nested("[", "", "]", n/2) + "}}" },
		"many messages":    func(n int) string { return `{"error":[` + strings.Repeat(`"a",`, n/4) + `"b"]}` },
		"tags":             func(n int) string { return "<" + strings.Repeat("<a", n/2) },
		"quotes of quotes": func(n int) string { return `{"error":{"metadata":{"raw":"` + strings.Repeat("{", n) + `"}}}` },
	} {
		t.Run(name, func(t *testing.T) {
			once, twice := allocated(body(8<<10)), allocated(body(16<<10))
			if twice > 3*once+64<<10 {
				t.Errorf("8 KiB take %d bytes of memory and 16 KiB %d", once, twice)
			}
			if beyond := allocated(body(4 << 20)); beyond > 20*twice {
				t.Errorf("16 KiB take %d bytes of memory and 4 MiB %d, although only the beginning matters", twice, beyond)
			}
		})
	}
}

// allocated is the memory that reading a body takes.
func allocated(body string) uint64 {
	raw := []byte(body)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	dialect.ParseError(raw)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzParseError(f *testing.F) {
	for _, seed := range []string{`{"error":{"message":"m","metadata":{"raw":"{\"error\":\"x\"}"}}}`, `[{"error":1}]`, `{"detail":[{"loc":[1],"msg":"m"}]}`, "<title>x</title>", "<İ<title>", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := dialect.ParseError(body)
		for _, text := range []string{got.Message, got.Type, got.Param, got.Code} {
			if len(text) > 1024 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
				t.Fatalf("%q gives %q", body, text)
			}
		}
	})
}
