package manager

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
)

const managerNamespace = "signalbox-system"

// grant makes the generated roles and binds them to a group. With everywhere it does so as they are meant; otherwise the rights of the ClusterRole
// hold in the given namespaces only, and those of the Role in the namespace default are left out.
func grant(ctx context.Context, group string, everywhere bool, namespaces ...string) *rest.Config {
	GinkgoHelper()
	roles, err := controllertest.ManagerRoles()
	Expect(err).NotTo(HaveOccurred())
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}}
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: managerNamespace}}
	Expect(client.IgnoreAlreadyExists(cluster.Client.Create(ctx, home))).To(Succeed())
	for _, role := range roles {
		role.SetName(group)
		reference := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: role.GetObjectKind().GroupVersionKind().Kind, Name: group}
		meta := metav1.ObjectMeta{Name: group, Namespace: role.GetNamespace()}
		switch {
		case role.GetNamespace() == "" && everywhere:
			create(ctx, role, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: reference, Subjects: subjects})
		case role.GetNamespace() == "":
			create(ctx, role)
			for _, namespace := range namespaces {
				meta.Namespace = namespace
				create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: reference, Subjects: subjects})
			}
		case everywhere || role.GetNamespace() == managerNamespace:
			create(ctx, role, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: reference, Subjects: subjects})
		}
	}
	user, err := cluster.User(group, group, "system:serviceaccounts")
	Expect(err).NotTo(HaveOccurred())
	return user
}

// inHome runs a manager as it runs in a cluster: one of several, with a Lease.
func inHome(options *Options) {
	options.Namespace, options.LeaderElection = managerNamespace, true
}

// serveAndRemove has a manager make a proxy with all that belongs to it, and remove it again.
func serveAndRemove(ctx context.Context, namespace string) {
	GinkgoHelper()
	route := controllertest.Route(namespace, "chat")
	budget := &v1alpha1.SpendBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "daily"},
		Spec: v1alpha1.SpendBudgetSpec{
			Limit: v1alpha1.SpendLimit{Amount: "10.00"}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodDay},
		},
	}
	create(ctx, controllertest.KeySecret(namespace, "provider-key", "sk-one"), controllertest.Credential(namespace, "provider"), budget, route)
	Eventually(condition(ctx, namespace, "chat", "Programmed"), patience, glance).Should(HavePrefix("False Pending: the proxies are starting"))
	Eventually(func(g Gomega) {
		newest, err := delivered(ctx, namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(newest.Budgets).To(HaveLen(1))
		g.Expect(newest.Issuers).To(HaveLen(1))
		var role rbacv1.Role
		g.Expect(cluster.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.ProxyName}, &role)).To(Succeed())
		g.Expect(role.Rules).To(HaveLen(2), "the table and the ledger")
		var ledger corev1.ConfigMap
		g.Expect(cluster.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "signalbox-ledger-daily"}, &ledger)).To(Succeed())
	}, patience, glance).Should(Succeed())
	Expect(cluster.Client.Delete(ctx, route)).To(Succeed())
	Eventually(func() bool { _, err := delivered(ctx, namespace); return apierrors.IsNotFound(err) }, patience, glance).Should(BeTrue())
	Eventually(func(g Gomega) {
		var events corev1.EventList
		g.Expect(cluster.Client.List(ctx, &events, client.InNamespace(namespace))).To(Succeed())
		g.Expect(events.Items).NotTo(BeEmpty())
	}, patience, glance).Should(Succeed())
}

var _ = Describe("the rights of a manager", func() {
	It("are enough in the whole cluster", func(ctx SpecContext) {
		startManager(grant(ctx, "managers-everywhere", true), configuration, inHome)
		serveAndRemove(ctx, newNamespace(ctx))
	})

	It("are enough in some namespaces, and the others are left alone", func(ctx SpecContext) {
		watched, other := newNamespace(ctx), newNamespace(ctx)
		user := grant(ctx, "managers-somewhere", false, watched)
		create(ctx, controllertest.Route(other, "chat"))
		startManager(user, configuration+fmt.Sprintf("watchNamespaces: [%s]\n", watched), inHome)
		serveAndRemove(ctx, watched)

		create(ctx, controllertest.Route(watched, "selecting", func(route *v1alpha1.ModelRoute) {
			selector := &v1alpha1.LabelSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "x"}}
			route.Spec.Access = &v1alpha1.RouteAccess{Allow: []v1alpha1.AccessRule{{NamespaceSelector: selector}}}
		}))
		Eventually(condition(ctx, watched, "selecting", "Accepted"), patience, glance).Should(HavePrefix("False UnsupportedValue"))
		_, err := delivered(ctx, other)
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
		Expect(condition(ctx, other, "chat", "Accepted")()).To(Equal("absent"))
	})

	It("pass from one replica to the next when it stops", func(ctx SpecContext) {
		user := grant(ctx, "managers-in-turn", true)
		stop := startManager(user, configuration, inHome)
		namespace := newNamespace(ctx)
		create(ctx, controllertest.Route(namespace, "first"))
		Eventually(condition(ctx, namespace, "first", "Accepted"), patience, glance).Should(HavePrefix("True"))
		startManager(user, configuration, inHome)
		stop()
		create(ctx, controllertest.Route(namespace, "second"))
		Eventually(condition(ctx, namespace, "second", "Accepted"), patience, glance).Should(HavePrefix("True"))
	})
})
