package upstream

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkTransport compares Transport with the standard library's, against a server that answers with constant
// bytes. cpu-ns/op is the CPU time of the whole process, the server's share included.
func BenchmarkTransport(b *testing.B) {
	reply := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n" +
		"X-Request-Id: req_0123456789abcdef\r\nOpenai-Processing-Ms: 12\r\nX-Ratelimit-Limit-Requests: 10000\r\n" +
		"X-Ratelimit-Remaining-Requests: 9999\r\nX-Ratelimit-Reset-Requests: 6ms\r\nServer: bench\r\n" +
		"Content-Length: 600\r\n\r\n" + strings.Repeat("x", 600)
	server := newRawServer(b, func(c *rawConn, _ int) {
		_ = c.SetDeadline(time.Time{})
		buffer := make([]byte, 16<<10)
		for {
			if n, err := c.Read(buffer); n == 0 || err != nil || !c.send(reply) {
				return
			}
		}
	})
	standard := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256}
	b.Cleanup(standard.CloseIdleConnections)
	b.Run("signalbox", func(b *testing.B) { benchmark(b, newTransport(b, nil), server.url) })
	b.Run("net-http", func(b *testing.B) { benchmark(b, standard, server.url) })
}

// BenchmarkTransportTLS is BenchmarkTransport over TLS.
func BenchmarkTransportTLS(b *testing.B) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "answer")
	}))
	b.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	standard := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256, TLSClientConfig: config.Clone()}
	b.Cleanup(standard.CloseIdleConnections)
	fast := New(Options{DialContext: (&net.Dialer{}).DialContext, TLSClientConfig: config})
	b.Cleanup(fast.CloseIdleConnections)
	b.Run("signalbox", func(b *testing.B) { benchmark(b, fast, server.URL) })
	b.Run("net-http", func(b *testing.B) { benchmark(b, standard, server.URL) })
}

func benchmark(b *testing.B, transport http.RoundTripper, url string) {
	b.Helper()
	prompt := []byte(`{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("y", 400) + `"}]}`)
	header := http.Header{"Authorization": {"Bearer sk-bench"}, "Content-Type": {"application/json"}, "User-Agent": {"bench"}}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(prompt))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header = header
			resp, err := transport.RoundTrip(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
