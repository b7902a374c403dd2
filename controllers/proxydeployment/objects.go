package proxydeployment

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
)

// object is one of the objects of a proxy.
type object interface {
	metav1.Object
	runtime.Object
}

// part identifies one of the objects of a proxy inside its namespace.
type part struct {
	kind schema.GroupVersionKind
	name string
}

// String names the part in a message.
func (p part) String() string { return fmt.Sprintf("%s %q", p.kind.Kind, p.name) }

// Kinds that are told apart by name.
const (
	kindServiceAccount = "ServiceAccount"
	kindRole           = "Role"
	kindRoleBinding    = "RoleBinding"
	kindNetworkPolicy  = "NetworkPolicy"
	kindDeployment     = "Deployment"
)

// grantsAccess tells whether an object is one of those that give the proxies their rights.
func grantsAccess(p part) bool {
	switch p.kind.Kind {
	case kindServiceAccount, kindRole, kindRoleBinding:
		return true
	default:
		return false
	}
}

// kind is one of the kinds that a proxy is made of, the table's Secret apart.
type kind struct {
	gvk  schema.GroupVersionKind
	list func() client.ObjectList
}

// kinds lists them.
func kinds() []kind {
	return []kind{
		{corev1.SchemeGroupVersion.WithKind(kindServiceAccount), func() client.ObjectList { return &corev1.ServiceAccountList{} }},
		{rbacv1.SchemeGroupVersion.WithKind(kindRole), func() client.ObjectList { return &rbacv1.RoleList{} }},
		{rbacv1.SchemeGroupVersion.WithKind(kindRoleBinding), func() client.ObjectList { return &rbacv1.RoleBindingList{} }},
		{corev1.SchemeGroupVersion.WithKind("Service"), func() client.ObjectList { return &corev1.ServiceList{} }},
		{networkingv1.SchemeGroupVersion.WithKind(kindNetworkPolicy), func() client.ObjectList { return &networkingv1.NetworkPolicyList{} }},
		{policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"), func() client.ObjectList { return &policyv1.PodDisruptionBudgetList{} }},
		{appsv1.SchemeGroupVersion.WithKind(kindDeployment), func() client.ObjectList { return &appsv1.DeploymentList{} }},
		{autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"), func() client.ObjectList { return &autoscalingv2.HorizontalPodAutoscalerList{} }},
	}
}

// secretKind is the kind of the table's Secret.
func secretKind() schema.GroupVersionKind { return corev1.SchemeGroupVersion.WithKind("Secret") }

// tablePart is the table's Secret.
func tablePart() part { return part{secretKind(), platform.TableSecret} }

// settings are all that the objects of a proxy depend on.
type settings struct {
	namespace        string
	managerNamespace string
	proxy            platform.Proxy
	network          platform.NetworkPolicy
	ledgers          []string // names of the ledger objects, sorted
	ledgerStore      string   // digest of the store that holds the ledgers
	ownTokens        bool     // whether a key is a token of the proxies' own ServiceAccount, or is had for one
	journalBytes     int64    // what the journal of one proxy may take
}

// objects are the objects that run a proxy, in the order in which they are applied: what a pod needs comes before the pods.
func objects(s settings) []object {
	wanted := []object{
		serviceAccount(s), role(s), roleBinding(s), dataService(s), controlService(s), disruptionBudget(s),
	}
	if s.network.State != platform.Disabled {
		wanted = append(wanted, networkPolicy(s))
	}
	wanted = append(wanted, deployment(s))
	if s.proxy.Autoscaling != nil {
		wanted = append(wanted, autoscaler(s))
	}
	return wanted
}

// meta is the metadata of every object of a proxy.
func (s settings) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: s.namespace, Labels: platform.ProxyLabels()}
}

// typeMeta says which kind an object is; an apply needs it written out.
func typeMeta(gvk schema.GroupVersionKind) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind}
}

func serviceAccount(s settings) *corev1.ServiceAccount {
	mounted := false
	return &corev1.ServiceAccount{
		TypeMeta:                     typeMeta(corev1.SchemeGroupVersion.WithKind(kindServiceAccount)),
		ObjectMeta:                   s.meta(v1alpha1.ProxyName),
		AutomountServiceAccountToken: &mounted,
	}
}

// role lets the proxies read their table and keep their ledgers, by name, and ask for tokens of their own ServiceAccount where a key needs that. A rule
// without names would mean every object, so there is none without ledgers.
func role(s settings) *rbacv1.Role {
	rules := []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{platform.TableSecret}, Verbs: []string{"get", "list", "watch"},
	}}
	if len(s.ledgers) > 0 {
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: s.ledgers, Verbs: []string{"get", "list", "watch", "update"},
		})
	}
	if s.ownTokens {
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}, ResourceNames: []string{v1alpha1.ProxyName}, Verbs: []string{"create"},
		})
	}
	return &rbacv1.Role{
		TypeMeta:   typeMeta(rbacv1.SchemeGroupVersion.WithKind(kindRole)),
		ObjectMeta: s.meta(v1alpha1.ProxyName),
		Rules:      rules,
	}
}

func roleBinding(s settings) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   typeMeta(rbacv1.SchemeGroupVersion.WithKind(kindRoleBinding)),
		ObjectMeta: s.meta(v1alpha1.ProxyName),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: v1alpha1.ProxyName},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: v1alpha1.ProxyName, Namespace: s.namespace}},
	}
}
