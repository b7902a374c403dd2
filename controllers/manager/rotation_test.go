package manager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/proxy/table"
)

// keyProvider is a provider that takes some keys.
type keyProvider struct {
	mutex sync.Mutex
	good  map[string]bool
	// silent tells that it answers 503.
	silent bool
}

func (p *keyProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); {
	case p.silent:
		w.WriteHeader(http.StatusServiceUnavailable)
	case !p.good[key]:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		_, _ = w.Write([]byte(`{"data":[{"id":"upstream-model"}]}`))
	}
}

func (p *keyProvider) takes(keys ...string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, key := range keys {
		p.good[key] = true
	}
}

func (p *keyProvider) silence(silent bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.silent = silent
}

// turning is a namespace whose key changes.
type turning struct {
	namespace string
	provider  *keyProvider
}

// newTurning has a key sk-one that leads.
func newTurning(ctx context.Context, changes ...func(*v1alpha1.ProviderCredential)) *turning {
	GinkgoHelper()
	w := &turning{namespace: newNamespace(ctx), provider: &keyProvider{good: map[string]bool{}}}
	server := httptest.NewServer(w.provider)
	DeferCleanup(server.Close)
	w.provider.takes("sk-one")
	at := func(credential *v1alpha1.ProviderCredential) {
		credential.Spec.Endpoint = server.URL
		credential.Spec.Probe.Interval = metav1.Duration{Duration: 10 * time.Second}
	}
	create(ctx, controllertest.KeySecret(w.namespace, "provider-key", "sk-one"),
		controllertest.Credential(w.namespace, "provider", append([]func(*v1alpha1.ProviderCredential){at}, changes...)...),
		controllertest.Route(w.namespace, "chat"))
	w.eventually(ctx, "sk-one")
	return w
}

// values lists the keys in the table: "sk-two, sk-one previous".
func (w *turning) values(ctx context.Context) string {
	newest, err := delivered(ctx, w.namespace)
	if err != nil {
		return err.Error()
	}
	if len(newest.Credentials) == 0 {
		return ""
	}
	var list []string
	for _, key := range newest.Credentials[0].Keys {
		text := key.Value
		switch {
		case key.Role != table.Leads:
			text += " " + strings.ToLower(string(key.Role))
		case !key.Until.IsZero():
			text += " ending"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func (w *turning) eventually(ctx context.Context, want string) {
	GinkgoHelper()
	Eventually(func() string { return w.values(ctx) }, patience, glance).Should(Equal(want))
}

// state reads what the status says of a value.
func (w *turning) state(ctx context.Context, value string) func() v1alpha1.ProviderKeyState {
	sum := sha256.Sum256([]byte(value))
	fingerprint := hex.EncodeToString(sum[:])[:12]
	return func() v1alpha1.ProviderKeyState {
		var found v1alpha1.ProviderCredential
		if err := cluster.Client.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: "provider"}, &found); err != nil {
			return v1alpha1.ProviderKeyState(err.Error())
		}
		at := slices.IndexFunc(found.Status.Keys, func(k v1alpha1.ProviderKeyStatus) bool { return k.Fingerprint == fingerprint })
		if at < 0 {
			return ""
		}
		return found.Status.Keys[at].State
	}
}

// store changes the Secret as a controller does that owns it: the whole object is written.
func (w *turning) store(ctx context.Context, value string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		var old corev1.Secret
		g.Expect(cluster.Client.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: "provider-key"}, &old)).To(Succeed())
		whole := controllertest.KeySecret(w.namespace, "provider-key", value)
		whole.ResourceVersion = old.ResourceVersion
		g.Expect(cluster.Client.Update(ctx, whole)).To(Succeed())
	}, patience, glance).Should(Succeed())
}

func (w *turning) remove(ctx context.Context) {
	GinkgoHelper()
	Expect(cluster.Client.Delete(ctx, controllertest.KeySecret(w.namespace, "provider-key", ""))).To(Succeed())
}

func (w *turning) edit(ctx context.Context, change func(*v1alpha1.ProviderCredential)) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		var found v1alpha1.ProviderCredential
		g.Expect(cluster.Client.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: "provider"}, &found)).To(Succeed())
		change(&found)
		g.Expect(cluster.Client.Update(ctx, &found)).To(Succeed())
	}, patience, glance).Should(Succeed())
}

func (w *turning) condition(ctx context.Context, kind string) func() string {
	return credentialCondition(ctx, w.namespace, kind)
}

var _ = Describe("a manager that rotates keys", Ordered, func() {
	BeforeAll(func() { startManager(cluster.Config, configuration) })
	short := func(c *v1alpha1.ProviderCredential) {
		c.Spec.Rotation.Overlap = &metav1.Duration{Duration: 2 * time.Second}
	}

	It("has a good key lead, keeps the previous one for the overlap, and drops it", func(ctx SpecContext) {
		w := newTurning(ctx, short)
		Eventually(w.condition(ctx, "Rotating"), patience, glance).Should(HavePrefix("False Settled"))
		w.provider.takes("sk-two")
		w.store(ctx, "sk-two\n")
		w.eventually(ctx, "sk-two, sk-one previous")
		Eventually(w.state(ctx, "sk-one"), patience, glance).Should(Equal(v1alpha1.KeyPrevious))
		Expect(w.state(ctx, "sk-two")()).To(Equal(v1alpha1.KeyActive))
		Expect(w.condition(ctx, "Rotating")()).To(HavePrefix("True Overlap"))
		w.eventually(ctx, "sk-two")
		Eventually(w.condition(ctx, "Rotating"), patience, glance).Should(HavePrefix("False Settled"))
		Eventually(w.condition(ctx, "KeyValid"), patience, glance).Should(HavePrefix("True KeyAccepted"))
	})

	It("never has a bad key lead, says so, and takes it once the provider does", func(ctx SpecContext) {
		w := newTurning(ctx, short)
		w.store(ctx, "sk-bad")
		Eventually(w.condition(ctx, "Rotating"), patience, glance).Should(HavePrefix("False KeyRejected"))
		Expect(w.state(ctx, "sk-bad")()).To(Equal(v1alpha1.KeyRejected))
		Expect(w.condition(ctx, "KeyValid")()).To(HavePrefix("True KeyAccepted"))
		Expect(w.condition(ctx, "KeyValid")()).To(ContainSubstring("is refused"))
		Expect(w.values(ctx)).To(Equal("sk-one"))
		w.provider.takes("sk-bad")
		w.eventually(ctx, "sk-bad, sk-one previous")
	})

	It("forgets a value that was replaced within a second", func(ctx SpecContext) {
		w := newTurning(ctx)
		w.provider.takes("sk-two")
		w.store(ctx, "sk-passing")
		w.store(ctx, "sk-two")
		w.eventually(ctx, "sk-two, sk-one previous")
		Eventually(w.state(ctx, "sk-two"), patience, glance).Should(Equal(v1alpha1.KeyActive))
		Expect(w.state(ctx, "sk-passing")()).To(BeEmpty())
	})

	It("goes on with a key while its Secret is replaced, and not much longer", func(ctx SpecContext) {
		w := newTurning(ctx)
		w.remove(ctx)
		w.eventually(ctx, "sk-one ending")
		w.provider.takes("sk-two")
		create(ctx, controllertest.KeySecret(w.namespace, "provider-key", "sk-two"))
		w.eventually(ctx, "sk-two, sk-one previous")
		w.remove(ctx)
		w.eventually(ctx, "")
		Eventually(w.state(ctx, "sk-two"), patience, glance).Should(BeEmpty())
		create(ctx, controllertest.KeySecret(w.namespace, "provider-key", "sk-two"))
		w.eventually(ctx, "sk-two")
	})

	It("drops a key whose Secret lost the label", func(ctx SpecContext) {
		w := newTurning(ctx, func(c *v1alpha1.ProviderCredential) { c.Spec.Rotation.Overlap = &metav1.Duration{} })
		var secret corev1.Secret
		Expect(cluster.Client.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: "provider-key"}, &secret)).To(Succeed())
		secret.Labels = nil
		Expect(cluster.Client.Update(ctx, &secret)).To(Succeed())
		w.eventually(ctx, "")
		Eventually(w.condition(ctx, "ResolvedRefs"), patience, glance).Should(HavePrefix("False SecretNotLabelled"))
	})

	It("takes a key from another place, and under another name, without a gap", func(ctx SpecContext) {
		w := newTurning(ctx)
		w.edit(ctx, func(c *v1alpha1.ProviderCredential) { c.Spec.Auth.Keys[0].SecretKeyRef.Key = "token" })
		Eventually(w.condition(ctx, "ResolvedRefs"), patience, glance).Should(HavePrefix("False SecretKeyNotFound"))
		Expect(w.values(ctx)).To(Equal("sk-one"))
		w.provider.takes("sk-two")
		create(ctx, controllertest.KeySecret(w.namespace, "another", "sk-two"))
		w.edit(ctx, func(c *v1alpha1.ProviderCredential) {
			c.Spec.Auth.Keys[0].SecretKeyRef = v1alpha1.SecretKeyReference{Name: "another", Key: "api-key"}
		})
		w.eventually(ctx, "sk-two, sk-one previous")
		w.edit(ctx, func(c *v1alpha1.ProviderCredential) { c.Spec.Auth.Keys[0].Name = "renamed" })
		Eventually(func(g Gomega) {
			newest, err := delivered(ctx, w.namespace)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(newest.Credentials[0].Keys).To(HaveLen(2))
			g.Expect(newest.Credentials[0].Keys[0].Name).To(Equal("renamed"))
		}, patience, glance).Should(Succeed())
		Expect(w.values(ctx)).To(Equal("sk-two, sk-one previous"))
	})

	It("gives a new key a share first, if asked", func(ctx SpecContext) {
		w := newTurning(ctx, func(c *v1alpha1.ProviderCredential) {
			c.Spec.Rotation.Canary = &v1alpha1.CanaryPolicy{Percent: 10, Duration: &metav1.Duration{Duration: 10 * time.Second}}
		})
		w.provider.takes("sk-two")
		w.store(ctx, "sk-two")
		w.eventually(ctx, "sk-one, sk-two canary")
		Eventually(w.condition(ctx, "Rotating"), patience, glance).Should(HavePrefix("True Canary"))
		w.eventually(ctx, "sk-two, sk-one previous")
	})
})

var _ = Describe("a manager that is restarted while it rotates", func() {
	It("goes on from the table, and nothing that is not proved leads meanwhile", func(ctx SpecContext) {
		stop := startManager(cluster.Config, configuration)
		w := newTurning(ctx)
		w.store(ctx, "sk-bad")
		Eventually(w.state(ctx, "sk-bad"), patience, glance).Should(Equal(v1alpha1.KeyRejected))
		stop()
		w.provider.silence(true)
		stop = startManager(cluster.Config, configuration)
		Eventually(w.condition(ctx, "Rotating"), patience, glance).Should(HavePrefix("True CheckingKey"))
		Consistently(func() string { return w.values(ctx) }, 2*time.Second, glance).Should(Equal("sk-one"))
		w.provider.takes("sk-two")
		w.store(ctx, "sk-two")
		stop()
		w.provider.silence(false)
		startManager(cluster.Config, configuration)
		w.eventually(ctx, "sk-two, sk-one previous")
	})
})
