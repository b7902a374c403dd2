package selfsigned

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"
)

// template is of a server, or of an authority that is one.
func template(authority bool) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: "one"}, DNSNames: []string{"one.example"}, KeyUsage: x509.KeyUsageDigitalSignature, IsCA: authority}
}

func TestNewIsWhatTheTemplateSays(t *testing.T) {
	for name, authority := range map[string]bool{"a server": false, "an authority": true} {
		t.Run(name, func(t *testing.T) {
			_, made := issue(t, template(authority), time.Now())
			if err := made.CheckSignature(made.SignatureAlgorithm, made.RawTBSCertificate, made.Signature); err != nil {
				t.Errorf("it is not signed by itself: %v", err)
			}
			if err := made.VerifyHostname("one.example"); err != nil {
				t.Error(err)
			}
			if made.IsCA != authority || !made.BasicConstraintsValid {
				t.Errorf("authority: %t, told: %t", made.IsCA, made.BasicConstraintsValid)
			}
		})
	}
}

func TestNewLasts(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 5, time.UTC)
	pair, made := issue(t, template(false), now)
	if want := now.Add(-time.Hour).Truncate(time.Second); !made.NotBefore.Equal(want) {
		t.Errorf("it is valid from %s, want %s", made.NotBefore, want)
	}
	if want := now.Add(Lifetime).Truncate(time.Second); !made.NotAfter.Equal(want) || pair.NotAfter != want {
		t.Errorf("it is valid until %s, which is told as %s, want %s", made.NotAfter, pair.NotAfter, want)
	}
}

// TestTwoOfOneTemplate: authorities that stand in one bundle have different subjects.
func TestTwoOfOneTemplate(t *testing.T) {
	for name, authority := range map[string]bool{"servers": false, "authorities": true} {
		t.Run(name, func(t *testing.T) {
			of := template(authority)
			_, first := issue(t, of, time.Now())
			_, second := issue(t, of, time.Now())
			if first.SerialNumber.Cmp(second.SerialNumber) == 0 {
				t.Error("they have one serial number")
			}
			if distinct := first.Subject.String() != second.Subject.String(); distinct != authority {
				t.Errorf("their subjects are %s and %s", first.Subject, second.Subject)
			}
			if of.SerialNumber != nil || of.Subject.SerialNumber != "" {
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
