package dataplane

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/control/controltest"
	"signalbox.dev/signalbox/proxy/table"
)

// ownToken is a workload whose token is the same for all audiences.
type ownToken string

func (o ownToken) Token(context.Context, string) (string, error) { return string(o), nil }

func (ownToken) Limit(time.Duration) {}

func (ownToken) Refused(string, time.Time) bool { return false }

// newControl makes the key pair of a namespace, good for three months.
func newControl(t *testing.T) table.Control {
	t.Helper()
	return controltest.NewPairUntil(t, time.Now().Add(90*24*time.Hour))
}

// callsFrom tells how a call ends at a fresh proxy whose only target is a route of the secure one, known by some certificates.
func (s *secure) callsFrom(t *testing.T, certificates []byte) (status int, body string) {
	t.Helper()
	near := start(t, func(o *Options) { o.Tokens = ownToken(appKey) })
	calling := tableFor("")
	calling.Credentials = []table.Credential{{
		Object: table.Object{Name: "route:team-b"}, Provider: "Signalbox", Endpoint: "https://" + s.TLSAddr().String() + "/v1", Certificates: certificates,
		Keys: []table.Key{{
			Name: "serviceaccount", Kind: table.ServiceAccountToken, Cloud: &table.CloudIdentity{Audience: "signalbox.team-b"}, Fingerprint: "0123456789ab",
		}},
	}}
	target := &calling.Routes[0].Targets[0]
	target.Credential, target.CalledRoute, target.Model = "route:team-b", "team-b/chat", "chat"
	near.source <- calling
	near.awaitReady(http.StatusOK)
	stream := near.open(http.DefaultClient)
	text, err := io.ReadAll(stream.body)
	if err != nil {
		t.Fatal(err)
	}
	near.terminate()
	if err := near.end(); err != nil {
		t.Error(err)
	}
	return stream.status, string(text)
}

// A namespace whose proxies speak TLS alone is called by the certificate in its table, whatever certificate the platform has for it. When that is renewed, those
// that have not heard of it yet are served on.
func TestRouteBehindTLS(t *testing.T) {
	model := httptest.NewServer(http.HandlerFunc(streaming))
	defer model.Close()
	far := startSecure(t, func(o *Options) { o.Addr = "" })
	far.mount(1)
	served := tableFor(model.URL)
	served.Namespace, served.Control = "team-b", newControl(t)
	first := served.Control
	far.source <- served
	far.awaitReady(http.StatusOK)

	renewed := *served
	renewed.Sequence++
	renewed.Control = newControl(t)
	renewed.Control.PreviousPEM, renewed.Control.PreviousKeyPEM = first.CertificatePEM, first.PrivateKeyPEM
	both := slices.Concat(renewed.Control.CertificatePEM, first.CertificatePEM)
	cases := []struct {
		name         string
		serves       *table.Table
		certificates []byte
		want         int
	}{
		{"the first certificate", served, first.CertificatePEM, http.StatusOK},
		{"that of somebody else", served, newControl(t).CertificatePEM, http.StatusBadGateway},
		{"the platform's, as it is not known", served, nil, http.StatusBadGateway},
		{"what cannot be read", served, []byte("x"), http.StatusServiceUnavailable},
		{"the first one after a renewal", &renewed, first.CertificatePEM, http.StatusOK},
		{"both after a renewal", &renewed, both, http.StatusOK},
	}
	for _, tc := range cases {
		far.source <- tc.serves
		far.await(func() bool {
			_, metrics := far.get("/metrics")
			return strings.Contains(metrics, map[bool]string{true: "signalbox_table_sequence 3", false: "signalbox_table_sequence 4"}[tc.serves == served])
		})
		status, body := far.callsFrom(t, tc.certificates)
		if status != tc.want || (status == http.StatusOK) != strings.Contains(body, "[DONE]") {
			t.Errorf("%s: %d %s", tc.name, status, body)
		}
	}
}

// Clients get the platform's certificate whatever the table has.
func TestClientsGetThePlatformsCertificate(t *testing.T) {
	model := httptest.NewServer(http.HandlerFunc(streaming))
	defer model.Close()
	s := startSecure(t, unchanged)
	s.mount(7)
	served := tableFor(model.URL)
	served.Control = newControl(t)
	s.source <- served
	s.await(func() bool { return s.certificate.Ready() })
	response, err := s.call(t.Context(), s.client("HTTP/2.0", time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if serial := response.TLS.PeerCertificates[0].SerialNumber.Int64(); serial != 7 {
		t.Errorf("the certificate has the serial number %d", serial)
	}
}
