package control_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/control/controltest"
	"signalbox.dev/signalbox/proxy/table"
)

// keyed serves and notes what it is told.
func keyed(t *testing.T, pair table.Control) (server *control.Server, addr string, found chan control.KeysFound) {
	t.Helper()
	found = make(chan control.KeysFound, 10)
	server, addr = serve(t, control.Options{KeysFound: func(f control.KeysFound) { found <- f }})
	if err := server.Use(&table.Table{Control: pair}); err != nil {
		t.Fatal(err)
	}
	return server, addr, found
}

func TestTellKeys(t *testing.T) {
	pair := controltest.NewPair(t)
	_, addr, found := keyed(t, pair)
	want := control.KeysFound{Issuer: "https://kubernetes.default.svc", Asked: 7, Digest: "abc"}
	if err := (control.Client{}).TellKeys(t.Context(), addr, identity(t, pair), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, receive(t, found)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestTellKeysFails(t *testing.T) {
	pair, stranger := controltest.NewPair(t), controltest.NewPair(t)
	server, addr, found := keyed(t, pair)
	ended, end := context.WithCancel(t.Context())
	end()
	tell := control.Client{}.TellKeys
	for name, err := range map[string]error{
		"a stranger":       tell(t.Context(), addr, identity(t, stranger), control.KeysFound{Issuer: "a"}),
		"a long message":   tell(t.Context(), addr, identity(t, pair), control.KeysFound{Issuer: strings.Repeat("a", 9<<10)}),
		"an ended context": tell(ended, addr, identity(t, pair), control.KeysFound{Issuer: "a"}),
		"nobody there":     tell(t.Context(), "127.0.0.1:1", identity(t, pair), control.KeysFound{Issuer: "a"}),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for range 2 {
		if err := server.Use(&table.Table{Control: controltest.NewPair(t)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tell(t.Context(), addr, identity(t, pair), control.KeysFound{Issuer: "a"}); err == nil {
		t.Error("a certificate of long ago: no error")
	}
	if len(found) > 0 {
		t.Errorf("found %v", <-found)
	}
}

// TestKeysMessagesThatCannotBeRead speaks to the port as whoever has the certificate could.
func TestKeysMessagesThatCannotBeRead(t *testing.T) {
	pair := controltest.NewPair(t)
	_, addr, found := keyed(t, pair)
	certificate, err := tls.X509KeyPair(pair.CertificatePEM, pair.PrivateKeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(pair.CertificatePEM)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}, RootCAs: authorities, ServerName: control.ServerName,
	}}}
	for _, text := range []string{"", "{", `{"asked":"1"}`, `{"asked":1e99}`, `[]`} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+addr+control.KeysPath, bytes.NewReader([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: status %d", text, response.StatusCode)
		}
	}
	if len(found) > 0 {
		t.Errorf("found %v", <-found)
	}
}
