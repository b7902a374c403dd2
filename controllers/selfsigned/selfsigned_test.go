package selfsigned

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"
)

func TestNew(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 5, time.UTC)
	cases := map[string]struct {
		template x509.Certificate
		distinct bool // whether two of them have different subjects
	}{
		"a server":     {template: x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature}},
		"an authority": {template: x509.Certificate{KeyUsage: x509.KeyUsageCertSign, IsCA: true}, distinct: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.template.Subject, tc.template.DNSNames = pkix.Name{CommonName: "one"}, []string{"one.example"}
			pair, first := issue(t, &tc.template, now)
			_, second := issue(t, &tc.template, now)
			if err := first.CheckSignature(first.SignatureAlgorithm, first.RawTBSCertificate, first.Signature); err != nil {
				t.Errorf("it is not signed by itself: %v", err)
			}
			if err := first.VerifyHostname("one.example"); err != nil {
				t.Error(err)
			}
			if !first.NotBefore.Equal(now.Add(-time.Hour).Truncate(time.Second)) || !first.NotAfter.Equal(pair.NotAfter) || pair.NotAfter.Sub(now) > Lifetime ||
				pair.NotAfter.Sub(now) < Lifetime-time.Second {
				t.Errorf("it is valid from %s to %s, said to be %s", first.NotBefore, first.NotAfter, pair.NotAfter)
			}
			if first.IsCA != tc.template.IsCA || !first.BasicConstraintsValid {
				t.Errorf("authority: %t, told: %t", first.IsCA, first.BasicConstraintsValid)
			}
			if first.SerialNumber.Cmp(second.SerialNumber) == 0 {
				t.Error("two certificates have one serial number")
			}
			if distinct := first.Subject.String() != second.Subject.String(); distinct != tc.distinct {
				t.Errorf("subjects %s and %s", first.Subject, second.Subject)
			}
			if tc.template.SerialNumber != nil {
				t.Error("the template was changed")
			}
		})
	}
}

// issue makes a certificate and reads it, which tells also whether its key is its own.
func issue(t *testing.T, template *x509.Certificate, now time.Time) (Pair, *x509.Certificate) {
	t.Helper()
	pair, err := New(template, now)
	if err != nil {
		t.Fatal(err)
	}
	read, err := tls.X509KeyPair(pair.CertificatePEM, pair.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return pair, read.Leaf
}
