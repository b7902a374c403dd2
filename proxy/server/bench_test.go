package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
	"signalbox.dev/signalbox/proxy/tracing"
)

// BenchmarkProxy measures whole requests over real connections. Client and upstream are as cheap as they can be: they write prepared bytes and look for
// the end of what they read, so that what is measured is the proxy and the kernel.
func BenchmarkProxy(b *testing.B) {
	chunked := func(events string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(events), events)
	}
	plain := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(goodAnswer), goodAnswer)
	prompt := strings.Replace(goodBody, "hello", strings.Repeat("hello world ", 170), 1)
	cases := map[string]struct {
		body, answer, end string
		tracer            *tracing.Tracer
	}{
		"plain":           {prompt, plain, `"cost":0.00002}}`, nil},
		"plain, traced":   {prompt, plain, `"cost":0.00002}}`, tracingNowhere()},
		"stream of 5":     {streamBody, chunked(goodStream), "0.00002\r\n\r\n", nil},
		"stream of 1,004": {streamBody, chunked(roleEvent + strings.Repeat(tokenEvent, 1000) + finishEvent + usageEvent + doneEvent), "0.00002\r\n\r\n", nil},
	}
	for name, tc := range cases {
		b.Run(name, func(b *testing.B) {
			upstream := listen(b)
			go serveRaw(upstream, tc.answer)
			callInParallel(b, benchProxy(b, "http://"+upstream.Addr().String(), tc.tracer), tc.body, tc.end)
		})
	}
}

// BenchmarkKeys measures what a choice among keys takes of a request: with one key, which is none, with keys that share the calls, each with the room that the
// provider's answers tell, and with keys of which only the last one can be used.
func BenchmarkKeys(b *testing.B) {
	room := "X-Ratelimit-Limit-Requests: 1000000\r\nX-Ratelimit-Remaining-Requests: 900000\r\nX-Ratelimit-Reset-Requests: 1m\r\n"
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", room, len(goodAnswer), goodAnswer)
	cases := map[string]struct {
		keys, dead int
	}{"1": {keys: 1}, "4": {keys: 4}, "16": {keys: 16}, "16, the last serves": {keys: 16, dead: 15}}
	for name, tc := range cases {
		b.Run(name, func(b *testing.B) {
			upstream := listen(b)
			go serveRaw(upstream, answer)
			registry := health.NewRegistry(health.Options{})
			addr := benchProxy(b, "http://"+upstream.Addr().String(), nil, func(o *Options, t *table.Table) {
				o.Health = registry
				t.Credentials[0].Keys, t.Credentials[0].SharesKeys = nil, true
				for i := range tc.keys {
					t.Credentials[0].Keys = append(t.Credentials[0].Keys, apiKey(strconv.Itoa(i)))
				}
			})
			for i := range tc.dead {
				begun, _ := registry.Upstream(health.Subject{Credential: "c0", Key: "fp-" + strconv.Itoa(i), Model: "upstream-0"}).Begin(time.Now(), 0, false)
				begun.End(time.Now(), health.Outcome{Kind: table.QuotaExhausted, RetryAfter: time.Hour})
			}
			callInParallel(b, addr, goodBody, `"cost":0.00002}}`)
		})
	}
}

// callInParallel sends the same request over and over, and waits for the end of each answer.
func callInParallel(b *testing.B, addr, body, ends string) {
	b.Helper()
	request := fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", appKey, len(body), body)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn := dialRaw(b, addr)
		defer func() { _ = conn.Close() }()
		buffer, end := make([]byte, 512<<10), []byte(ends)
		for pb.Next() {
			exchangeRaw(b, conn, request, buffer, end)
		}
	})
}

// nowhere takes what is sent to it.
type nowhere struct{}

func (nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
}

// tracingNowhere makes, encodes and sends all spans, to a collector that costs nothing.
func tracingNowhere() *tracing.Tracer {
	tracer := tracing.New(tracing.Options{
		Pod: "p", Version: "v", Log: slog.New(slog.DiscardHandler), Client: &http.Client{Transport: nowhere{}}, Metrics: telemetry.NewSpans(telemetry.NewMetrics()),
	})
	tracer.Use("team-a", table.Tracing{OTLPEndpoint: "http://collector:4318", SamplePermille: 1000})
	return tracer
}

func benchProxy(b *testing.B, upstream string, tracer *tracing.Tracer, setups ...setup) string {
	b.Helper()
	t := baseTable()
	addTarget(t, 0, upstream)
	budgeted(t)
	t.Budgets[0].Enforcement = table.Observe
	options := Options{
		Book: ledger.NewBook(ledger.NewOwner("bench", time.Now())), Providers: registry.Default(), NewTransport: loopbackTransport,
		Metrics: telemetry.NewMetrics(), AccessLog: telemetry.NewAccessLog(io.Discard), Log: slog.New(slog.DiscardHandler), Tracer: tracer,
	}
	for _, change := range setups {
		change(&options, t)
	}
	s := New(options)
	if err := s.Use(t); err != nil {
		b.Fatal(err)
	}
	listener := listen(b)
	front := s.HTTPServer()
	go func() { _ = front.Serve(listener) }()
	b.Cleanup(func() { _ = front.Close() })
	return listener.Addr().String()
}

func listen(b *testing.B) net.Listener {
	b.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	return listener
}

func dialRaw(b *testing.B, addr string) net.Conn {
	b.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(b.Context(), "tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return conn
}

// serveRaw answers every request with the same bytes.
func serveRaw(listener net.Listener, answer string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			reader := bufio.NewReader(conn)
			for {
				request, err := http.ReadRequest(reader)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, request.Body)
				if _, err := io.WriteString(conn, answer); err != nil {
					return
				}
			}
		}()
	}
}

func exchangeRaw(b *testing.B, conn net.Conn, request, buffer, end []byte) {
	b.Helper()
	if _, err := conn.Write(request); err != nil {
		b.Error(err)
		return
	}
	for read := 0; ; {
		n, err := conn.Read(buffer[read:])
		read += n
		if err != nil {
			b.Errorf("after %d bytes: %v", read, err)
			return
		}
		if bytes.HasSuffix(buffer[:read], end) {
			return
		}
	}
}
