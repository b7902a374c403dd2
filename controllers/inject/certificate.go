package inject

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/controllers/selfsigned"
)

// Names of the webhook's objects.
const (
	// Name is that of the Secret with the certificate, in the manager's namespace, and of the Service that the API server calls.
	Name = "signalbox-webhook"
	// ConfigurationName is the MutatingWebhookConfiguration.
	ConfigurationName = "signalbox-inject"
	// previousKey of the Secret has the certificate before, which other replicas may still serve.
	previousKey = "previous.crt"
)

const (
	// lookEvery is how often a replica looks for the certificate that another has made, and at what the API server trusts.
	lookEvery = 10 * time.Second
	// looks bounds how often a replica looks at once where another one has written in the same moment.
	looks = 3
)

var errNoCertificate = errors.New("there is no certificate yet")

// Keeper makes the webhook's certificate, renews it when a third of its life is left, and has the API server trust it. Every replica of the manager keeps one, in
// the same Secret: who comes second takes what is there.
type Keeper struct {
	// Client writes, and Live reads past the cache.
	Client client.Client
	Live   client.Reader
	// Namespace of the Secret, and Host that the API server calls.
	Namespace, Host string
	// Clock tells the time.
	Clock clock.WithTicker

	current atomic.Pointer[tls.Certificate]
}

// NeedLeaderElection tells that every replica serves the webhook.
func (*Keeper) NeedLeaderElection() bool { return false }

// Start keeps the certificate until the context ends.
func (k *Keeper) Start(ctx context.Context) error {
	tick := k.Clock.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := k.look(ctx); err != nil && ctx.Err() == nil {
			ctrl.LoggerFrom(ctx).Error(err, "the webhook's certificate; pods get no tokens while the API server does not trust it")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C():
		}
	}
}

func (k *Keeper) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if current := k.current.Load(); current != nil {
		return current, nil
	}
	return nil, errNoCertificate
}

// look keeps the certificate. Replicas that start together write at the same time; who comes second looks again and takes what is there.
func (k *Keeper) look(ctx context.Context) error {
	var err error
	for range looks {
		if err = k.keep(ctx); !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return err
}

// keep has the API server trust a certificate before it is served.
func (k *Keeper) keep(ctx context.Context) error {
	secret, err := k.secret(ctx)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return fmt.Errorf("reading Secret %s: it is not the webhook's", Name)
	}
	if err := k.trust(ctx, append(bytes.Clone(secret.Data[corev1.TLSCertKey]), trusted(secret.Data[previousKey])...)); err != nil {
		return err
	}
	k.current.Store(&pair)
	return nil
}

// secret reads the Secret, and makes or renews it first if that is due.
func (k *Keeper) secret(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := k.Live.Get(ctx, types.NamespacedName{Namespace: k.Namespace, Name: Name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: Name}, Type: corev1.SecretTypeTLS}
	case err != nil:
		return nil, fmt.Errorf("reading Secret %s: %w", Name, err)
	case k.lasts(secret):
		return secret, nil
	}
	if err := k.renew(secret); err != nil {
		return nil, err
	}
	if secret.ResourceVersion == "" {
		err = k.Client.Create(ctx, secret)
	} else {
		err = k.Client.Update(ctx, secret)
	}
	if err != nil {
		return nil, fmt.Errorf("writing Secret %s: %w", Name, err)
	}
	return secret, nil
}

// lasts tells whether the certificate of the Secret is good for a while.
func (k *Keeper) lasts(secret *corev1.Secret) bool {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	return err == nil && pair.Leaf.VerifyHostname(k.Host) == nil && k.Clock.Now().Before(pair.Leaf.NotAfter.Add(-selfsigned.RenewBefore))
}

// renew puts a new certificate into the Secret; the one before stays trusted.
func (k *Keeper) renew(secret *corev1.Secret) error {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: Name}, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(k.Host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{k.Host}
	}
	pair, err := selfsigned.New(template, k.Clock.Now())
	if err != nil {
		return fmt.Errorf("making the webhook's certificate: %w", err)
	}
	secret.Data = map[string][]byte{
		corev1.TLSCertKey:       pair.CertificatePEM,
		corev1.TLSPrivateKeyKey: pair.KeyPEM,
		previousKey:             trusted(secret.Data[corev1.TLSCertKey]),
	}
	return nil
}

// trusted is a certificate that the API server can be told to trust; nil for anything else, which it would refuse.
func trusted(encoded []byte) []byte {
	block, _ := pem.Decode(encoded)
	if block == nil {
		return nil
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})
}

// trust puts certificates into the configuration, if it has others.
func (k *Keeper) trust(ctx context.Context, bundle []byte) error {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := k.Live.Get(ctx, types.NamespacedName{Name: ConfigurationName}, configuration); err != nil {
		return fmt.Errorf("reading MutatingWebhookConfiguration %s: %w", ConfigurationName, err)
	}
	before, changed := configuration.DeepCopy(), false
	for i := range configuration.Webhooks {
		if !bytes.Equal(configuration.Webhooks[i].ClientConfig.CABundle, bundle) {
			configuration.Webhooks[i].ClientConfig.CABundle, changed = bundle, true
		}
	}
	if !changed {
		return nil
	}
	if err := k.Client.Patch(ctx, configuration, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("writing MutatingWebhookConfiguration %s: %w", ConfigurationName, err)
	}
	return nil
}
