package manager

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
)

// madeKey is a key as OpenRouter shows it; its value is the hash with "sk-" before it.
type madeKey struct {
	Hash string `json:"hash"`
	Name string `json:"name"`
}

// keyMaker is an OpenRouter that makes keys, and takes them until they are deleted.
type keyMaker struct {
	mutex sync.Mutex
	made  int
	live  []madeKey
	most  int
	// whileMaking, if not nil, runs between the making of a key and its answer, once.
	whileMaking func()
}

func (m *keyMaker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	_, id, manages := strings.Cut(r.URL.Path, "/keys")
	switch {
	case manages && key != "sk-management", !manages && !slices.Contains(m.hashes(), strings.TrimPrefix(key, "sk-")):
		w.WriteHeader(http.StatusUnauthorized)
	case !manages:
		_, _ = w.Write([]byte(`{"data":[{"id":"upstream-model"}]}`))
	case r.Method == http.MethodPost:
		m.make(w, r)
	case r.Method == http.MethodDelete:
		m.remove(strings.TrimPrefix(id, "/"))
		_, _ = w.Write([]byte(`{"deleted":true}`))
	default:
		m.list(w, r.URL.Query().Get("offset"))
	}
}

func (m *keyMaker) make(w http.ResponseWriter, r *http.Request) {
	var asked madeKey
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	m.mutex.Lock()
	m.made++
	asked.Hash = fmt.Sprintf("made%d", m.made)
	m.live = append(m.live, asked)
	m.most = max(m.most, len(m.live))
	meanwhile := m.whileMaking
	m.whileMaking = nil
	m.mutex.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"key": "sk-" + asked.Hash, "data": asked})
}

// list answers with all keys, or, from any other offset than the first, with none.
func (m *keyMaker) list(w http.ResponseWriter, offset string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	shown := m.live
	if offset != "0" {
		shown = nil
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": append([]madeKey{}, shown...)})
}

func (m *keyMaker) remove(hash string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.live = slices.DeleteFunc(m.live, func(key madeKey) bool { return key.Hash == hash })
}

func (m *keyMaker) hashes() []string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var hashes []string
	for _, key := range m.live {
		hashes = append(hashes, key.Hash)
	}
	return hashes
}

func (m *keyMaker) mostAtATime() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.most
}

// meet has something happen while the next key is made.
func (m *keyMaker) meet(meanwhile func()) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.whileMaking = meanwhile
}

// made reads the Secret that keys are written to.
func made(ctx context.Context, namespace string) (*corev1.Secret, error) {
	var secret corev1.Secret
	err := cluster.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "made"}, &secret)
	return &secret, err
}

// note sets an annotation of that Secret as a person does.
func note(ctx context.Context, namespace, annotation, value string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		secret, err := made(ctx, namespace)
		g.Expect(err).NotTo(HaveOccurred())
		secret.Annotations[annotation] = value
		g.Expect(cluster.Client.Update(ctx, secret)).To(Succeed())
	}, patience, glance).Should(Succeed())
}

// hold waits until the Secret holds a key that was made, and the one before it; "" for none.
func hold(ctx context.Context, namespace, current, before string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		secret, err := made(ctx, namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(secret.Data["api-key"])).To(Equal("sk-" + current))
		g.Expect(secret.Annotations[v1alpha1.AnnotationProvisionedID]).To(Equal(current))
		g.Expect(secret.Annotations[v1alpha1.AnnotationRetiringID]).To(Equal(before))
		g.Expect(secret.Annotations).NotTo(HaveKey(v1alpha1.AnnotationProvisionIntent))
	}, patience, glance).Should(Succeed())
}

var _ = Describe("a manager that has keys made", func() {
	It("writes, turns and deletes them with the rights that it is given", func(ctx SpecContext) {
		startManager(grant(ctx, "managers-making-keys", true), configuration, inHome)
		maker := &keyMaker{}
		server := httptest.NewServer(maker)
		DeferCleanup(server.Close)
		namespace := newNamespace(ctx)
		credential := controllertest.Credential(namespace, "provider", func(c *v1alpha1.ProviderCredential) {
			c.Spec.Provider, c.Spec.Endpoint = v1alpha1.ProviderOpenRouter, server.URL
			c.Spec.Auth.Keys[0].SecretKeyRef = v1alpha1.SecretKeyReference{Name: "made", Key: "api-key"}
			c.Spec.Rotation.Overlap = &metav1.Duration{Duration: 2 * time.Second}
			c.Spec.Rotation.Provision = &v1alpha1.KeyProvision{
				Every:      &metav1.Duration{Duration: time.Hour},
				OpenRouter: &v1alpha1.OpenRouterProvision{ManagementKeyRef: v1alpha1.SecretKeyReference{Name: "management", Key: "api-key"}},
			}
		})
		create(ctx, controllertest.KeySecret(namespace, "management", "sk-management"), credential, controllertest.Route(namespace, "chat"))
		serving := &turning{namespace: namespace}

		By("making the first, in a Secret that goes with the credential")
		hold(ctx, namespace, "made1", "")
		serving.eventually(ctx, "sk-made1")
		Eventually(credentialCondition(ctx, namespace, "Provisioned"), patience, glance).Should(HavePrefix("True Provisioned: the key was made at"))
		secret, err := made(ctx, namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(secret.Labels).To(HaveKeyWithValue(v1alpha1.LabelProviderKey, "true"))
		Expect(secret.OwnerReferences).To(HaveLen(1))
		Expect(secret.OwnerReferences[0].UID).To(Equal(credential.UID))
		var held v1alpha1.ProviderCredential
		Expect(cluster.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "provider"}, &held)).To(Succeed())
		Expect(held.Finalizers).To(ContainElement(v1alpha1.FinalizerProvisionedKeys))

		By("turning it, while somebody else writes the Secret: what cannot be stored is deleted, and another one made")
		maker.meet(func() {
			defer GinkgoRecover()
			note(ctx, namespace, "example.com/person", "was here")
		})
		note(ctx, namespace, v1alpha1.AnnotationProvisionedAt, "2020-01-01T00:00:00Z")
		hold(ctx, namespace, "made3", "made1")
		serving.eventually(ctx, "sk-made3, sk-made1 previous")

		By("deleting the one before once its time is over and the table has dropped it")
		serving.eventually(ctx, "sk-made3")
		Expect(maker.hashes()).To(ConsistOf("made1", "made3"))
		note(ctx, namespace, v1alpha1.AnnotationRetiringAfter, "2020-01-01T00:00:00Z")
		hold(ctx, namespace, "made3", "")
		Eventually(maker.hashes, patience, glance).Should(Equal([]string{"made3"}))
		secret, err = made(ctx, namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(secret.Annotations).To(HaveKeyWithValue("example.com/person", "was here"))
		Expect(secret.Data).NotTo(HaveKey("api-key" + v1alpha1.PreviousKeySuffix))

		By("deleting all with the credential")
		Expect(cluster.Client.Delete(ctx, credential)).To(Succeed())
		Eventually(func() bool {
			return apierrors.IsNotFound(cluster.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "provider"}, &held))
		}, patience, glance).Should(BeTrue())
		Expect(maker.hashes()).To(BeEmpty())
		Expect(maker.mostAtATime()).To(Equal(2), "never more than one beside the key in use")
	})
})
