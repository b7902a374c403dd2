package pki

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLeafIsTrustedByItsAuthorityOnly(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	authority, other := newAuthority(t, now), newAuthority(t, now)
	for name, tc := range map[string]struct {
		leaf  Leaf
		trust *Authority
		usage x509.ExtKeyUsage
		at    time.Time
		want  bool
	}{
		"client":                 {Leaf{Name: "u"}, authority, x509.ExtKeyUsageClientAuth, now, true},
		"client, clock behind":   {Leaf{Name: "u"}, authority, x509.ExtKeyUsageClientAuth, now.Add(-30 * time.Minute), true},
		"client, years later":    {Leaf{Name: "u"}, authority, x509.ExtKeyUsageClientAuth, now.AddDate(3, 0, 0), false},
		"client as server":       {Leaf{Name: "u"}, authority, x509.ExtKeyUsageServerAuth, now, false},
		"server":                 {Leaf{Name: "s", Hosts: []string{"localhost"}}, authority, x509.ExtKeyUsageServerAuth, now, true},
		"of another authority":   {Leaf{Name: "u"}, other, x509.ExtKeyUsageClientAuth, now, false},
		"server, as a client":    {Leaf{Name: "s", Hosts: []string{"localhost"}}, authority, x509.ExtKeyUsageClientAuth, now, true},
		"server, before its day": {Leaf{Name: "s", Hosts: []string{"localhost"}}, authority, x509.ExtKeyUsageServerAuth, now.AddDate(0, 0, -1), false},
	} {
		t.Run(name, func(t *testing.T) {
			certificate := parse(t, issue(t, authority, tc.leaf))
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(tc.trust.Public)
			_, err := certificate.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: tc.at, KeyUsages: []x509.ExtKeyUsage{tc.usage}})
			if (err == nil) != tc.want {
				t.Errorf("verification ends with %v, want trust: %v", err, tc.want)
			}
		})
	}
}

func TestLeafCarriesItsNames(t *testing.T) {
	pair := issue(t, newAuthority(t, time.Now()), Leaf{Name: "user", Groups: []string{"group"}, Hosts: []string{"kubernetes", "10.96.0.1"}})
	certificate := parse(t, pair)
	if diff := cmp.Diff([]string{"group"}, certificate.Subject.Organization); diff != "" || certificate.Subject.CommonName != "user" {
		t.Errorf("subject is %s", certificate.Subject)
	}
	if diff := cmp.Diff([]string{"kubernetes"}, certificate.DNSNames); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if len(certificate.IPAddresses) != 1 || !certificate.IPAddresses[0].Equal(net.IPv4(10, 96, 0, 1)) {
		t.Errorf("addresses are %v", certificate.IPAddresses)
	}
	if _, err := tls.X509KeyPair(pair.Public, pair.Private); err != nil {
		t.Errorf("certificate and key do not fit: %v", err)
	}
}

func TestTokenKeyIsAPair(t *testing.T) {
	pair, err := NewTokenKey()
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParsePKCS8PrivateKey(block(t, pair.Private))
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(block(t, pair.Public))
	if err != nil {
		t.Fatal(err)
	}
	signer, ok := private.(*rsa.PrivateKey)
	if !ok || !signer.PublicKey.Equal(public) {
		t.Errorf("a %T does not fit a %T", private, public)
	}
}

func newAuthority(t *testing.T, now time.Time) *Authority {
	t.Helper()
	authority, err := NewAuthority("authority", now)
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func issue(t *testing.T, authority *Authority, leaf Leaf) Pair {
	t.Helper()
	pair, err := authority.Issue(leaf)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func parse(t *testing.T, pair Pair) *x509.Certificate {
	t.Helper()
	certificate, err := x509.ParseCertificate(block(t, pair.Public))
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func block(t *testing.T, text []byte) []byte {
	t.Helper()
	decoded, rest := pem.Decode(text)
	if decoded == nil || len(rest) > 0 {
		t.Fatalf("%d bytes are not one PEM block", len(text))
	}
	return decoded.Bytes
}
