//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// rightsOf is what a ServiceAccount may do in a namespace, as kubectl lists it, in a fixed order and without the names that a run makes up.
func rightsOf(ctx context.Context, account, namespace string) string {
	GinkgoHelper()
	listed := kubectl(ctx, "auth", "can-i", "--list", "-n", namespace, "--as=system:serviceaccount:"+account, "--as-group=system:serviceaccounts", "--as-group=system:authenticated")
	lines := strings.Split(strings.TrimSpace(listed), "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	slices.Sort(lines[1:])
	return strings.ReplaceAll(strings.Join(lines, "\n")+"\n", namespace, "NAMESPACE")
}

// expectGolden compares a text with a file of testdata; UPDATE_GOLDEN=1 writes it.
func expectGolden(name, text string) {
	GinkgoHelper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
	}
	want, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	Expect(text).To(Equal(string(want)), "the rights changed: if they must, run the suite with UPDATE_GOLDEN=1 and say why in the commit")
}

var _ = Describe("rights", func() {
	It("are as few as the files in testdata say", func(ctx context.Context) {
		w := newWorld(ctx)
		budget := &v1alpha1.SpendBudget{ObjectMeta: w.meta("team"), Spec: v1alpha1.SpendBudgetSpec{
			Limit: v1alpha1.SpendLimit{Amount: "100"}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodMonth},
		}}
		route := w.route("chat")
		create(ctx, budget, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		eventuallyCondition(ctx, budget, v1alpha1.ConditionEnforced, metav1.ConditionTrue)
		expectGolden("rights-proxy.txt", rightsOf(ctx, w.namespace+":signalbox", w.namespace))
		expectGolden("rights-manager.txt", rightsOf(ctx, systemNamespace+":signalbox-manager", w.namespace))
	})

	It("let a proxy read exactly its own table, and write exactly its ledgers", func(ctx context.Context) {
		w := newWorld(ctx)
		budget := &v1alpha1.SpendBudget{ObjectMeta: w.meta("team"), Spec: v1alpha1.SpendBudgetSpec{
			Limit: v1alpha1.SpendLimit{Amount: "100"}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodMonth},
		}}
		route := w.route("chat")
		create(ctx, budget, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		eventuallyCondition(ctx, budget, v1alpha1.ConditionEnforced, metav1.ConditionTrue)
		may := func(verb, object, namespace string) bool {
			text, _ := output(ctx, binary("kubectl"), "auth", "can-i", verb, object, "-n", namespace, "--as=system:serviceaccount:"+w.namespace+":signalbox")
			return strings.HasPrefix(text, "yes")
		}
		ledgers := &corev1.ConfigMapList{}
		Expect(api.List(ctx, ledgers, client.InNamespace(w.namespace), client.MatchingLabels{"app.kubernetes.io/component": "ledger"})).To(Succeed())
		Expect(ledgers.Items).To(HaveLen(1))
		ledger := "configmap/" + ledgers.Items[0].Name
		for _, allowed := range [][]string{{"get", "secret/signalbox-table"}, {"get", ledger}, {"update", ledger}} {
			Expect(may(allowed[0], allowed[1], w.namespace)).To(BeTrue(), "%v", allowed)
		}
		for _, denied := range [][]string{
			{"get", "secret/provider"}, {"get", "secret/laptop"}, {"list", "secrets"}, {"update", "secret/signalbox-table"}, {"patch", "secret/signalbox-table"},
			{"delete", "secret/signalbox-table"}, {"create", "secrets"}, {"get", "configmap/kube-root-ca.crt"}, {"delete", ledger}, {"create", "configmaps"},
			{"list", "configmaps"}, {"get", "pods"}, {"create", "pods"}, {"create", "pods/exec"}, {"get", "modelroutes"}, {"create", "serviceaccounts/token"},
		} {
			Expect(may(denied[0], denied[1], w.namespace)).To(BeFalse(), "%v", denied)
		}
		Expect(may("get", "secret/signalbox-table", systemNamespace)).To(BeFalse())
	})
})
