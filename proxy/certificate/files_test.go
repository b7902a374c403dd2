package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/certificate/certificatetest"
	"signalbox.dev/signalbox/proxy/telemetry"
)

// serving is the serial number of the certificate that is served; 0 for none.
func serving(t *testing.T, f *Files) int64 {
	t.Helper()
	served, err := f.Config().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		return 0
	}
	leaf, err := x509.ParseCertificate(served.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).Set(leaf.SerialNumber).Int64()
}

func TestFiles(t *testing.T) {
	authority := certificatetest.NewAuthority(t)
	now := time.Now()
	good, goodKey := authority.Issue(1, now.Add(time.Hour))
	next, nextKey := authority.Issue(2, now.Add(90*time.Minute))
	expired, expiredKey := authority.Issue(3, now.Add(-time.Minute))
	future, futureKey := authority.Issue(4, now.Add(3*time.Hour))
	files := func(certificate, key []byte) map[string][]byte {
		return map[string][]byte{certificateFile: certificate, keyFile: key}
	}
	for name, tc := range map[string]struct {
		// first is there at the start, then comes later; nil for nothing.
		first, then map[string][]byte
		want        []int64 // after the start, and after one and two looks
		wantRefused int
		wantLog     string
	}{
		"none":                   {want: []int64{0, 0, 0}, wantLog: "there is no certificate"},
		"comes later":            {then: files(good, goodKey), want: []int64{0, 1, 1}, wantLog: "new certificate"},
		"stays":                  {first: files(good, goodKey), want: []int64{1, 1, 1}, wantLog: "new certificate"},
		"renewed":                {first: files(good, goodKey), then: files(next, nextKey), want: []int64{1, 2, 2}, wantLog: "new certificate"},
		"key of another":         {first: files(good, goodKey), then: files(next, goodKey), want: []int64{1, 1, 1}, wantRefused: 1, wantLog: "does not match"},
		"no PEM":                 {first: files(good, goodKey), then: files([]byte("x"), nextKey), want: []int64{1, 1, 1}, wantRefused: 1, wantLog: "failed to find"},
		"empty":                  {first: files(good, goodKey), then: files(nil, nil), want: []int64{1, 1, 1}, wantRefused: 1, wantLog: "failed to find"},
		"expired":                {first: files(good, goodKey), then: files(expired, expiredKey), want: []int64{1, 1, 1}, wantRefused: 1, wantLog: "is valid from"},
		"not yet valid":          {first: files(good, goodKey), then: files(future, futureKey), want: []int64{1, 1, 1}, wantRefused: 1, wantLog: "is valid from"},
		"expired from the start": {first: files(expired, expiredKey), want: []int64{3, 3, 3}, wantLog: "not valid now"},
		"expired, then renewed":  {first: files(expired, expiredKey), then: files(good, goodKey), want: []int64{3, 1, 1}, wantLog: "new certificate"},
		"broken from the start":  {first: files(good, nextKey), want: []int64{0, 0, 0}, wantRefused: 1, wantLog: "there is no certificate"},
		"broken, then mended":    {first: files(good, nextKey), then: files(good, goodKey), want: []int64{0, 1, 1}, wantLog: "new certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, log, metrics := t.TempDir(), &bytes.Buffer{}, telemetry.NewMetrics()
			if tc.first != nil {
				certificatetest.Mount(t, dir, tc.first)
			}
			f := Open(Options{Dir: dir, Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: telemetry.NewCertificate(metrics)})
			got := []int64{serving(t, f)}
			if tc.then != nil {
				certificatetest.Mount(t, dir, tc.then)
			}
			for range 2 {
				f.look()
				got = append(got, serving(t, f))
			}
			f.look()
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("serial numbers (-want +got):\n%s", diff)
			}
			if text := log.String(); !strings.Contains(text, tc.wantLog) || strings.Contains(text, "PRIVATE") {
				t.Errorf("the log is %s", text)
			}
			page := scrape(t, metrics)
			if refused := strings.Contains(page, `signalbox_tls_certificate_loads_total{result="refused"} `+strconv.Itoa(tc.wantRefused)); refused != (tc.wantRefused > 0) {
				t.Errorf("the metrics are\n%s", page)
			}
		})
	}
}

func scrape(t *testing.T, metrics *telemetry.Metrics) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	return recorder.Body.String()
}

func TestNotAfter(t *testing.T) {
	dir, metrics, notAfter := t.TempDir(), telemetry.NewMetrics(), time.Unix(4_000_000_000, 0)
	certificate, key := certificatetest.NewAuthority(t).Issue(1, notAfter)
	certificatetest.Mount(t, dir, map[string][]byte{certificateFile: certificate, keyFile: key})
	Open(Options{Dir: dir, Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewCertificate(metrics)})
	if page := scrape(t, metrics); !strings.Contains(page, "signalbox_tls_certificate_not_after_seconds 4e+09") {
		t.Errorf("the metrics are\n%s", page)
	}
}

func TestBecomesValid(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	authority := certificatetest.NewAuthority(t)
	good, goodKey := authority.Issue(1, now.Add(time.Hour))
	future, futureKey := authority.Issue(2, now.Add(150*time.Minute))
	certificatetest.Mount(t, dir, map[string][]byte{certificateFile: good, keyFile: goodKey})
	f := Open(Options{Dir: dir, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewCertificate(telemetry.NewMetrics())})
	certificatetest.Mount(t, dir, map[string][]byte{certificateFile: future, keyFile: futureKey})
	f.look()
	f.look()
	if got := serving(t, f); got != 1 {
		t.Errorf("before it is valid %d is served", got)
	}
	now = now.Add(40 * time.Minute)
	f.look()
	if got := serving(t, f); got != 2 {
		t.Errorf("once it is valid %d is served", got)
	}
}

func TestSecretIsDeleted(t *testing.T) {
	dir := t.TempDir()
	certificate, key := certificatetest.NewAuthority(t).Issue(1, time.Now().Add(time.Hour))
	certificatetest.Mount(t, dir, map[string][]byte{certificateFile: certificate, keyFile: key})
	f := Open(Options{Dir: dir, Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewCertificate(telemetry.NewMetrics())})
	if err := os.Remove(filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	f.look()
	if serving(t, f) != 1 {
		t.Error("the certificate went with its Secret")
	}
}
