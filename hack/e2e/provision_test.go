//go:build e2e

package e2e

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/hack/fakeprovider"
)

const managementKey = "sk-or-e2e-management-key"

// replacedWithin is how long a key may take to be replaced: a manager that was killed while it asked for one waits until the provider can have made it no more.
const replacedWithin = 8 * time.Minute

// mint is a world whose key is made at the provider on schedule.
type mint struct{ *world }

// newMint makes a world whose provider is an OpenRouter that takes made keys only.
func newMint(ctx context.Context) mint {
	GinkgoHelper()
	m := mint{newWorld(ctx)}
	m.configure(ctx, map[string]any{"keys": []fakeprovider.Key{{Value: "sk-e2e-nobody-has-this"}}, "managementKeys": []string{managementKey}})
	m.createSecret(ctx, "management", v1alpha1.LabelProviderKey, map[string]string{"key": managementKey})
	m.editCredential(ctx, func(spec *v1alpha1.ProviderCredentialSpec) {
		spec.Provider, spec.Endpoint = v1alpha1.ProviderOpenRouter, "http://provider."+m.namespace+":9900/api/v1"
		spec.Auth.Keys[0].SecretKeyRef = v1alpha1.SecretKeyReference{Name: "made", Key: "api-key"}
		spec.Rotation.Overlap = &metav1.Duration{Duration: overlap}
		spec.Rotation.Provision = &v1alpha1.KeyProvision{
			Every:      &metav1.Duration{Duration: time.Hour},
			OpenRouter: &v1alpha1.OpenRouterProvision{ManagementKeyRef: v1alpha1.SecretKeyReference{Name: "management", Key: "key"}},
		}
	})
	route := m.route("chat", func(r *v1alpha1.ModelRoute) { r.Spec.Targets = r.Spec.Targets[:1] })
	create(ctx, route)
	eventuallyCondition(ctx, m.credential("provider"), v1alpha1.ConditionProvisioned, metav1.ConditionTrue)
	eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
	m.eventuallyServed(ctx)
	return m
}

// annotate sets an annotation of the Secret of the made key, if it has it.
func (m mint) annotate(ctx context.Context, name string, value time.Time) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		secret := &corev1.Secret{}
		g.Expect(api.Get(ctx, client.ObjectKey{Namespace: m.namespace, Name: "made"}, secret)).To(Succeed())
		if _, has := secret.Annotations[name]; !has {
			return
		}
		secret.Annotations[name] = value.UTC().Format(time.RFC3339)
		g.Expect(api.Update(ctx, secret)).To(Succeed())
	}).Should(Succeed())
}

// living are the keys that were made and not deleted. What was made is looked for in all that is written down.
func (m mint) living(ctx context.Context, g Gomega) []fakeprovider.ManagedKey {
	made, err := m.provider.ManagedKeys(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	var living []fakeprovider.ManagedKey
	for _, key := range made {
		remember(key.Value)
		g.Expect(key.Together).To(BeNumerically("<=", 2), "more than one extra key lived at a time")
		if key.Deleted.IsZero() {
			living = append(living, key)
		}
	}
	return living
}

// killManagers kills all managers at once, as a node does that dies.
func killManagers(ctx context.Context) {
	GinkgoHelper()
	for _, pod := range managerPods(ctx).Items {
		Expect(client.IgnoreNotFound(api.Delete(ctx, &pod, client.GracePeriodSeconds(0)))).To(Succeed())
	}
}

var _ = Describe("keys that Signalbox makes itself", Serial, func() {
	It("are replaced on schedule under load while managers are killed, and none is left behind", func(ctx context.Context) {
		rotations, duration := 3, 75*time.Second
		if full() {
			rotations, duration = 12, 8*time.Minute
		}
		random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 7))
		m := newMint(ctx)
		running := m.startLoad(ctx, "load", duration)
		for number := range rotations {
			before := m.living(ctx, Default)
			Expect(before).NotTo(BeEmpty())
			m.annotate(ctx, v1alpha1.AnnotationProvisionedAt, time.Now().Add(-2*time.Hour))
			if number%3 != 0 {
				m.passes(ctx, 1+random.Int64N(40))
				killManagers(ctx)
			}
			Eventually(ctx, func(g Gomega) {
				living := m.living(ctx, g)
				g.Expect(living).NotTo(BeEmpty())
				newest := living[len(living)-1]
				g.Expect(newest.ID).NotTo(Equal(before[len(before)-1].ID))
				keys := m.keyStates(ctx, g)
				g.Expect(keys).NotTo(BeEmpty())
				g.Expect(keys[0].Fingerprint).To(Equal(fingerprint(newest.Value)))
				g.Expect(keys[0].State).To(Equal(v1alpha1.KeyActive))
			}).WithTimeout(replacedWithin).Should(Succeed())
			m.annotate(ctx, v1alpha1.AnnotationRetiringAfter, time.Now().Add(-time.Minute))
			Eventually(ctx, func(g Gomega) { g.Expect(m.living(ctx, g)).To(HaveLen(1)) }).Should(Succeed())
		}
		expectClean(running.finish(ctx, duration+time.Minute))

		By("deleting them at the provider with the credential")
		Expect(api.Delete(ctx, m.credential("provider"))).To(Succeed())
		eventuallyGone(ctx, m.credential("provider"))
		Expect(m.living(ctx, Default)).To(BeEmpty())
		Expect(m.chat(ctx, "app", withToken()).Status).NotTo(Equal(http.StatusOK))
	})
})
