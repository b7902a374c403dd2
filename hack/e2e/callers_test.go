//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// tokenKeys are the files of the key pair that signs the cluster's ServiceAccount tokens.
func tokenKeys(ctx context.Context) (private, public string) {
	GinkgoHelper()
	folder := filepath.Join(strings.TrimSpace(cluster(ctx, "folder")), "kubernetes", "pki")
	return filepath.Join(folder, "tokens.key"), filepath.Join(folder, "tokens.pub")
}

// signingKey is the key that the cluster signs with, which only this suite can take.
func signingKey(ctx context.Context) *rsa.PrivateKey {
	GinkgoHelper()
	file, _ := tokenKeys(ctx)
	text, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	block, _ := pem.Decode(text)
	Expect(block).NotTo(BeNil())
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	Expect(err).NotTo(HaveOccurred())
	key, ok := parsed.(*rsa.PrivateKey)
	Expect(ok).To(BeTrue())
	return key
}

// requestToken asks the API server for a token of the ServiceAccount "app".
func (w *world) requestToken(ctx context.Context, audience string, bound *authenticationv1.BoundObjectReference) string {
	GinkgoHelper()
	seconds := int64(3600)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{audience}, ExpirationSeconds: &seconds, BoundObjectRef: bound,
	}}
	account := &corev1.ServiceAccount{ObjectMeta: w.meta("app")}
	Expect(api.SubResource("token").Create(ctx, account, request)).To(Succeed())
	remember(request.Status.Token)
	return request.Status.Token
}

// claimsOf are the claims of a token, and its key id.
func claimsOf(token string) (claims map[string]any, keyID string) {
	GinkgoHelper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	Expect(err).NotTo(HaveOccurred())
	Expect(parsed.UnsafeClaimsWithoutVerification(&claims)).To(Succeed())
	return claims, parsed.Headers[0].KeyID
}

// sign makes a token with the claims, changed by changes; nil removes one.
func sign(key jose.SigningKey, keyID string, claims, changes map[string]any) string {
	GinkgoHelper()
	changed := map[string]any{}
	for _, set := range []map[string]any{claims, changes} {
		for name, value := range set {
			changed[name] = value
			if value == nil {
				delete(changed, name)
			}
		}
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", keyID))
	Expect(err).NotTo(HaveOccurred())
	token, err := jwt.Signed(signer).Claims(changed).Serialize()
	Expect(err).NotTo(HaveOccurred())
	remember(token)
	return token
}

// statusWith is the status of a call that comes with a key or token.
func (w *world) statusWith(ctx context.Context, credentials string) int {
	GinkgoHelper()
	return w.chat(ctx, "app", withKey(credentials)).Status
}

var _ = Describe("callers", Serial, Ordered, ContinueOnFailure, func() {
	var w *world
	var good string

	BeforeAll(func(ctx context.Context) {
		w = newWorld(ctx)
		route := w.route("chat")
		create(ctx, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		w.eventuallyServed(ctx)
		good = w.requestToken(ctx, "signalbox."+w.namespace, nil)
		Expect(w.statusWith(ctx, good)).To(Equal(http.StatusOK))
	})

	It("refuses every token but those that the cluster made for this proxy and this time", func(ctx context.Context) {
		claims, keyID := claimsOf(good)
		cluster := jose.SigningKey{Algorithm: jose.RS256, Key: signingKey(ctx)}
		Expect(w.statusWith(ctx, sign(cluster, keyID, claims, nil))).To(Equal(http.StatusOK), "what the suite signs itself must be as good as the cluster's own")
		stranger, err := rsa.GenerateKey(rand.Reader, 2048)
		Expect(err).NotTo(HaveOccurred())
		_, publicFile := tokenKeys(ctx)
		public, err := os.ReadFile(publicFile)
		Expect(err).NotTo(HaveOccurred())
		now := time.Now()
		parts := strings.Split(good, ".")
		encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		for name, token := range map[string]string{
			"another audience":             w.requestToken(ctx, "signalbox.other", nil),
			"the API server's audience":    w.requestToken(ctx, fmt.Sprint(claims["iss"]), nil),
			"expired":                      sign(cluster, keyID, claims, map[string]any{"iat": now.Add(-2 * time.Hour).Unix(), "nbf": now.Add(-2 * time.Hour).Unix(), "exp": now.Add(-2 * time.Minute).Unix()}),
			"not valid yet":                sign(cluster, keyID, claims, map[string]any{"nbf": now.Add(time.Hour).Unix(), "iat": now.Add(time.Hour).Unix(), "exp": now.Add(2 * time.Hour).Unix()}),
			"valid for ten years":          sign(cluster, keyID, claims, map[string]any{"exp": now.AddDate(10, 0, 0).Unix()}),
			"valid for ever":               sign(cluster, keyID, claims, map[string]any{"exp": nil}),
			"another issuer":               sign(cluster, keyID, claims, map[string]any{"iss": "https://evil.example"}),
			"another namespace's subject":  sign(cluster, keyID, claims, map[string]any{"sub": "system:serviceaccount:kube-system:app"}),
			"a stranger's key":             sign(jose.SigningKey{Algorithm: jose.RS256, Key: stranger}, keyID, claims, nil),
			"a stranger's key and id":      sign(jose.SigningKey{Algorithm: jose.RS256, Key: stranger}, "stranger", claims, nil),
			"public key as shared secret":  sign(jose.SigningKey{Algorithm: jose.HS256, Key: public}, keyID, claims, nil),
			"unsigned":                     encode(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + ".",
			"unsigned, in other letters":   encode(`{"alg":"NoNe","typ":"JWT"}`) + "." + parts[1] + ".",
			"signature cut off":            parts[0] + "." + parts[1] + ".",
			"another token's signature":    parts[0] + "." + encode(`{"sub":"system:serviceaccount:`+w.namespace+`:app"}`) + "." + parts[2],
			"an access key that never was": "sb-e2e-nobody",
		} {
			Expect(w.statusWith(ctx, token)).To(Equal(http.StatusUnauthorized), name)
		}
		Expect(w.statusWith(ctx, good)).To(Equal(http.StatusOK))
	})

	It("honours the token of a deleted pod until it expires", func(ctx context.Context) {
		w.startApp(ctx, "short", "app")
		pod := &corev1.Pod{}
		Expect(api.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "short"}, pod)).To(Succeed())
		token := w.requestToken(ctx, "signalbox."+w.namespace, &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID})
		Expect(api.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		eventuallyGone(ctx, pod)
		Expect(w.statusWith(ctx, token)).To(Equal(http.StatusOK))
		claims, keyID := claimsOf(token)
		now := time.Now()
		expired := sign(jose.SigningKey{Algorithm: jose.RS256, Key: signingKey(ctx)}, keyID, claims, map[string]any{
			"iat": now.Add(-time.Hour).Unix(), "nbf": now.Add(-time.Hour).Unix(), "exp": now.Add(-90 * time.Second).Unix(),
		})
		Expect(w.statusWith(ctx, expired)).To(Equal(http.StatusUnauthorized))
	})

	It("refuses 2,000 wrong access keys a second while good callers notice nothing", func(ctx context.Context) {
		duration := 10 * time.Second
		if full() {
			duration = time.Minute
		}
		served := w.startLoad(ctx, "good", duration)
		w.startApp(ctx, "wrong", "app", "load", "--random-keys", "--duration", duration.String(), "--rate", "2000")
		wrong := (&load{w: w, name: "wrong"}).finish(ctx, duration+time.Minute)
		expectClean(served.finish(ctx, duration+time.Minute))
		Expect(wrong.Statuses).To(Equal(map[string]int{strconv.Itoa(http.StatusUnauthorized): wrong.Attempts}))
		Expect(wrong.Attempts).To(BeNumerically(">=", int(duration.Seconds())*500), "this machine cannot make enough calls to show anything")
	})

	It("makes access keys that end by themselves, are bound to routes, and are revoked everywhere within a second", func(ctx context.Context) {
		other := w.route("other")
		create(ctx, other)
		eventuallyCondition(ctx, other, v1alpha1.ConditionReady, metav1.ConditionTrue)
		key := strings.TrimSpace(signalbox(ctx, "key", "create", "ci", "-n", w.namespace, "--routes", "chat"))
		remember(key)
		Expect(key).NotTo(BeEmpty())
		Eventually(ctx, func() int { return w.statusWith(ctx, key) }).Should(Equal(http.StatusOK))
		Expect(w.chat(ctx, "app", withKey(key), "--model", "other").Status).To(Equal(http.StatusForbidden))

		secret := &corev1.Secret{ObjectMeta: w.meta("ci")}
		Expect(api.Delete(ctx, secret)).To(Succeed())
		deleted := time.Now()
		Eventually(ctx, func() int { return w.statusWith(ctx, key) }).WithPolling(20 * time.Millisecond).Should(Equal(http.StatusUnauthorized))
		AddReportEntry("revocation", fmt.Sprintf("refused %v after the Secret was deleted, kubectl exec included", time.Since(deleted).Round(time.Millisecond)), ReportEntryVisibilityAlways)

		short := strings.TrimSpace(signalbox(ctx, "key", "create", "short", "-n", w.namespace, "--expires", time.Now().Add(8*time.Second).UTC().Format(time.RFC3339)))
		remember(short)
		Eventually(ctx, func() int { return w.statusWith(ctx, short) }).Should(Equal(http.StatusOK))
		Eventually(ctx, func() int { return w.statusWith(ctx, short) }).Should(Equal(http.StatusUnauthorized))
	})

	It("takes tokens while the API server is away", func(ctx context.Context) {
		running := w.startLoad(ctx, "away", 20*time.Second)
		cluster(ctx, "stop-apiserver")
		start := true
		DeferCleanup(func(ctx context.Context) {
			if start {
				cluster(ctx, "start-apiserver")
			}
		})
		w.passes(ctx, 1000)
		cluster(ctx, "start-apiserver")
		start = false
		expectClean(running.finish(ctx, 2*time.Minute))
	})

	It("goes over to new signing keys of the cluster without a refusal", func(ctx context.Context) {
		privateFile, publicFile := tokenKeys(ctx)
		running := w.startLoad(ctx, "rotated", 30*time.Second)
		fresh, err := rsa.GenerateKey(rand.Reader, 2048)
		Expect(err).NotTo(HaveOccurred())
		der, err := x509.MarshalPKIXPublicKey(fresh.Public())
		Expect(err).NotTo(HaveOccurred())
		public, err := os.ReadFile(publicFile)
		Expect(err).NotTo(HaveOccurred())
		private, err := x509.MarshalPKCS8PrivateKey(fresh)
		Expect(err).NotTo(HaveOccurred())
		// Old tokens stay good, as whoever rotates wants it; new ones are signed with the new key from the same moment on.
		Expect(os.WriteFile(publicFile, append(public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...), 0o600)).To(Succeed())
		Expect(os.WriteFile(privateFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)).To(Succeed())
		_, before := claimsOf(good)
		cluster(ctx, "stop-apiserver")
		cluster(ctx, "start-apiserver")
		var token string
		Eventually(ctx, func(g Gomega) {
			token = w.requestToken(ctx, "signalbox."+w.namespace, nil)
			_, after := claimsOf(token)
			g.Expect(after).NotTo(Equal(before))
		}).Should(Succeed())
		Expect(w.statusWith(ctx, token)).To(Equal(http.StatusOK), "the first token with the new key")
		Expect(w.statusWith(ctx, good)).To(Equal(http.StatusOK), "a token with the old key, which is still published")
		expectClean(running.finish(ctx, 2*time.Minute))
	})

	It("says who may not, in the words of the list of codes", func(ctx context.Context) {
		answer := w.chat(ctx, "app", withKey("sb-e2e-nobody"))
		Expect(answer.Status).To(Equal(http.StatusUnauthorized))
		var body struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		}
		Expect(json.Unmarshal(answer.Error, &body)).To(Succeed())
		Expect(body.Message).NotTo(ContainSubstring("nobody"))
		Expect(body.Code).NotTo(BeEmpty())
	})
})
