//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/hack/fakeprovider"
)

// errorCode is the code of an OpenAI error object.
func errorCode(raw json.RawMessage) string {
	GinkgoHelper()
	var body struct {
		Code string `json:"code"`
	}
	Expect(json.Unmarshal(raw, &body)).To(Succeed(), string(raw))
	return body.Code
}

var _ = Describe("calls", Ordered, func() {
	var w *world

	BeforeAll(func(ctx context.Context) {
		w = newWorld(ctx)
		route := w.route("chat")
		create(ctx, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		closed := w.route("closed", func(r *v1alpha1.ModelRoute) {
			r.Spec.Access = &v1alpha1.RouteAccess{Allow: []v1alpha1.AccessRule{{ServiceAccount: &v1alpha1.ServiceAccountReference{Namespace: w.namespace, Name: "app"}}}}
		})
		create(ctx, closed)
		eventuallyCondition(ctx, closed, v1alpha1.ConditionReady, metav1.ConditionTrue)
		w.startApp(ctx, "stranger", "stranger")
		w.eventuallyServed(ctx)
	})

	It("says in status what works", func(ctx context.Context) {
		route := w.route("chat")
		eventuallyCondition(ctx, route, v1alpha1.ConditionProgrammed, metav1.ConditionTrue)
		Expect(route.Status.Address).To(Equal("http://signalbox." + w.namespace + "/v1"))
		Expect(route.Status.AvailableTargets).To(Equal("2/2"))
		credential := w.credential("provider")
		eventuallyCondition(ctx, credential, v1alpha1.ConditionKeyValid, metav1.ConditionTrue)
		eventuallyCondition(ctx, credential, v1alpha1.ConditionHealthy, metav1.ConditionTrue)
		// kubectl looks a kind up again that it does not know, a category it does not: by now it knows both.
		Expect(kubectl(ctx, "get", "mroute,pcred", "-n", w.namespace)).To(ContainSubstring(`["chat"]`))
		Expect(kubectl(ctx, "get", "signalbox", "-n", w.namespace)).To(ContainSubstring(`["chat"]`))
	})

	DescribeTable("streams an answer with its cost to an app pod, through DNS",
		func(ctx context.Context, credentials []string, base string) {
			answer := w.chat(ctx, "app", credentials, "--stream", "--base-url", strings.ReplaceAll(base, "NAMESPACE", w.namespace))
			Expect(answer.Status).To(Equal(http.StatusOK), string(answer.Error))
			Expect(answer.Text).NotTo(BeEmpty())
			Expect(answer.Chunks).To(BeNumerically(">", 10))
			Expect(answer.Finish).To(Equal("stop"))
			Expect(answer.CostUSD.String()).To(MatchRegexp(`^0\.0000[0-9]+$`))
			Expect(answer.Attempts).To(Equal(1))
		},
		Entry("with a projected ServiceAccount token", withToken(), "http://signalbox/v1"),
		Entry("with an access key", withKey(accessKey), "http://signalbox/v1"),
		Entry("by the name with the namespace", withToken(), "http://signalbox.NAMESPACE/v1"),
		Entry("under OpenRouter's path", withToken(), "http://signalbox/api/v1"),
		Entry("under Groq's path", withToken(), "http://signalbox/openai/v1"),
	)

	It("refuses a wrong key with 401", func(ctx context.Context) {
		answer := w.chat(ctx, "app", withKey("sk-wrong"))
		Expect(answer.Status).To(Equal(http.StatusUnauthorized))
		Expect(string(answer.Error)).NotTo(ContainSubstring("sk-wrong"))
	})

	It("refuses a call without credentials with 401", func(ctx context.Context) {
		Expect(kubectl(ctx, "exec", "-n", w.namespace, "app", "--", "/testapp", "get")).To(ContainSubstring(`"status":401`))
	})

	It("refuses a caller without access with 403", func(ctx context.Context) {
		answer := w.chat(ctx, "stranger", withToken(), "--model", "closed")
		Expect(answer.Status).To(Equal(http.StatusForbidden), string(answer.Error))
	})

	It("answers an unknown model with 404 and what the caller may use", func(ctx context.Context) {
		answer := w.chat(ctx, "stranger", withToken(), "--model", "gpt-nonsense")
		Expect(answer.Status).To(Equal(http.StatusNotFound))
		Expect(errorCode(answer.Error)).To(Equal("model_not_found"))
		Expect(string(answer.Error)).To(ContainSubstring("chat"))
		Expect(string(answer.Error)).NotTo(ContainSubstring("closed"))
	})

	It("lists the models that the caller may use", func(ctx context.Context) {
		list := kubectl(ctx, append([]string{"exec", "-n", w.namespace, "stranger", "--", "/testapp", "get"}, withToken()...)...)
		Expect(list).To(ContainSubstring(`\"chat\"`))
		Expect(list).NotTo(ContainSubstring(`\"closed\"`))
	})

	It("lets the next target answer when the first one fails, in one clean response", func(ctx context.Context) {
		Expect(w.provider.AddFaults(ctx, fakeprovider.Fault{Kind: fakeprovider.FaultStatus, Status: 500, Times: -1, Match: fakeprovider.Match{Model: largeModel}})).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(w.provider.ClearFaults(ctx)).To(Succeed()) })
		for _, args := range [][]string{nil, {"--stream"}} {
			answer := w.chat(ctx, "app", withToken(), args...)
			Expect(answer.Status).To(Equal(http.StatusOK), string(answer.Error))
			Expect(answer.Text).NotTo(BeEmpty())
			Expect(answer.Attempts).To(Equal(1), "the client must see one answer")
			Expect(answer.Headers["X-Signalbox-Target"]).To(Equal([]string{"small"}))
		}
	})

	It("leaves a good route alone when a broken one stands beside it, and says what is wrong", func(ctx context.Context) {
		broken := w.route("broken", func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].CredentialRef.Name = "no-such" })
		create(ctx, broken)
		condition := eventuallyCondition(ctx, broken, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse)
		Expect(condition.Message).To(ContainSubstring("no-such"))
		late := w.route("late", func(r *v1alpha1.ModelRoute) { r.Spec.Models = []v1alpha1.ModelPattern{"chat"} })
		create(ctx, late)
		condition = eventuallyCondition(ctx, late, v1alpha1.ConditionAccepted, metav1.ConditionFalse)
		Expect(condition.Reason).To(Equal(v1alpha1.ReasonModelConflict))
		Expect(condition.Message).To(ContainSubstring(`chat`))
		eventuallyCondition(ctx, w.route("chat"), v1alpha1.ConditionReady, metav1.ConditionTrue)
		Expect(w.chat(ctx, "app", withToken()).Status).To(Equal(http.StatusOK))
	})

	It("tells the kubectl command when a Secret has no label", func(ctx context.Context) {
		w.createSecret(ctx, "unlabelled", "example.com/other", map[string]string{"api-key": "sk-unlabelled"})
		credential := w.credential("unlabelled")
		credential.Spec.Auth.Keys[0].SecretKeyRef.Name = "unlabelled"
		create(ctx, credential)
		condition := eventuallyCondition(ctx, credential, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse)
		command := "kubectl label secret unlabelled -n " + w.namespace + " signalbox.dev/provider-key=true"
		Expect(condition.Message).To(ContainSubstring(command))
		kubectl(ctx, strings.Fields(command)[1:]...)
		eventuallyCondition(ctx, credential, v1alpha1.ConditionResolvedRefs, metav1.ConditionTrue)
	})
})
