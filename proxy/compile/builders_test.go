package compile_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

const namespace = "team-a"

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: namespace, UID: types.UID("uid-" + name), Generation: 1,
		CreationTimestamp: metav1.NewTime(start()),
	}
}

// input has one working credential, keyed by a Secret, and no route.
func input(mods ...func(*compile.Input)) compile.Input {
	in := compile.Input{
		Namespace:    namespace,
		Credentials:  []v1alpha1.ProviderCredential{credential("groq")},
		ProviderKeys: []corev1.Secret{secret("groq", "sk-groq-1")},
		Fresh:        compile.Fresh{AccessKeySalt: bytes.Repeat([]byte{7}, 32), Control: table.Control{CertificatePEM: []byte("cert-1"), PrivateKeyPEM: []byte("key-1")}},
	}
	for _, mod := range mods {
		mod(&in)
	}
	return in
}

func withRoutes(routes ...v1alpha1.ModelRoute) func(*compile.Input) {
	return func(in *compile.Input) { in.Routes = routes }
}

func withCredentials(credentials ...v1alpha1.ProviderCredential) func(*compile.Input) {
	return func(in *compile.Input) { in.Credentials = credentials }
}

func withBudgets(budgets ...v1alpha1.SpendBudget) func(*compile.Input) {
	return func(in *compile.Input) { in.Budgets = budgets }
}

func withKeys(secrets ...corev1.Secret) func(*compile.Input) {
	return func(in *compile.Input) { in.ProviderKeys = secrets }
}

func withPrevious(previous table.Table) func(*compile.Input) {
	return func(in *compile.Input) { in.Previous = &previous }
}

func route(name string, mods ...func(*v1alpha1.ModelRoute)) v1alpha1.ModelRoute {
	r := v1alpha1.ModelRoute{
		ObjectMeta: meta(name),
		Spec: v1alpha1.ModelRouteSpec{
			Models:  []v1alpha1.ModelPattern{v1alpha1.ModelPattern("model-" + name)},
			Targets: []v1alpha1.RouteTarget{target("main")},
		},
	}
	for _, mod := range mods {
		mod(&r)
	}
	return r
}

func target(name string) v1alpha1.RouteTarget {
	return v1alpha1.RouteTarget{Name: name, CredentialRef: v1alpha1.LocalReference{Name: "groq"}, Model: "llama"}
}

func serving(models ...v1alpha1.ModelPattern) func(*v1alpha1.ModelRoute) {
	return func(r *v1alpha1.ModelRoute) { r.Spec.Models = models }
}

func createdAfter(age time.Duration) func(*v1alpha1.ModelRoute) {
	return func(r *v1alpha1.ModelRoute) { r.CreationTimestamp = metav1.NewTime(start().Add(age)) }
}

func generation(g int64) func(*v1alpha1.ModelRoute) {
	return func(r *v1alpha1.ModelRoute) { r.Generation = g }
}

func allowing(rules ...v1alpha1.AccessRule) func(*v1alpha1.ModelRoute) {
	return func(r *v1alpha1.ModelRoute) { r.Spec.Access = &v1alpha1.RouteAccess{Allow: rules} }
}

func withoutTargets(r *v1alpha1.ModelRoute) { r.Spec.Targets = nil }

func credential(name string, mods ...func(*v1alpha1.ProviderCredential)) v1alpha1.ProviderCredential {
	c := v1alpha1.ProviderCredential{
		ObjectMeta: meta(name),
		Spec: v1alpha1.ProviderCredentialSpec{
			Provider: v1alpha1.ProviderOpenAICompatible,
			Endpoint: "https://api.provider.example/v1",
			Auth: v1alpha1.ProviderAuth{Keys: []v1alpha1.ProviderKey{{
				Name: "primary", SecretKeyRef: v1alpha1.SecretKeyReference{Name: name, Key: "api-key"},
			}}},
			// What is replaced or taken away is gone at once; tests of rotation say otherwise.
			Rotation: v1alpha1.KeyRotation{Overlap: &metav1.Duration{}},
			Prices:   []v1alpha1.ModelPrice{{Model: "llama", TokenPrices: v1alpha1.TokenPrices{Input: "0.59", Output: "0.79"}}},
		},
	}
	for _, mod := range mods {
		mod(&c)
	}
	return c
}

func endpointAt(url string) func(*v1alpha1.ProviderCredential) {
	return func(c *v1alpha1.ProviderCredential) { c.Spec.Endpoint = url }
}

func keyIn(secret string) func(*v1alpha1.ProviderCredential) {
	return func(c *v1alpha1.ProviderCredential) {
		c.Spec.Auth.Keys[0].SecretKeyRef = v1alpha1.SecretKeyReference{Name: secret, Key: "api-key"}
	}
}

// editedOnce makes a credential the second generation of its spec.
func editedOnce(c *v1alpha1.ProviderCredential) { c.Generation = 2 }

func secret(name, key string) corev1.Secret { return secretWith(name, "api-key", key) }

func secretWith(name, dataKey, key string) corev1.Secret {
	return corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{v1alpha1.LabelProviderKey: "true"}},
		Data:       map[string][]byte{dataKey: []byte(key)},
	}
}

func accessKey(name, key string, labels map[string]string) corev1.Secret {
	s := corev1.Secret{ObjectMeta: meta(name), Data: map[string][]byte{v1alpha1.AccessKeySecretKey: []byte(key)}}
	s.Labels = labels
	return s
}

func budget(name string, mods ...func(*v1alpha1.SpendBudget)) v1alpha1.SpendBudget {
	b := v1alpha1.SpendBudget{
		ObjectMeta: meta(name),
		Spec: v1alpha1.SpendBudgetSpec{
			Limit:  v1alpha1.SpendLimit{Amount: "250.00", Currency: "USD"},
			Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodMonth, TimeZone: "Europe/Lisbon"},
		},
	}
	for _, mod := range mods {
		mod(&b)
	}
	return b
}

func servedRoute(t *testing.T, result compile.Result, name string) table.Route {
	t.Helper()
	i := slices.IndexFunc(result.Table.Routes, func(r table.Route) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("the table has no route %q", name)
	}
	return result.Table.Routes[i]
}

// servedGroq returns the entry of the credential that every input has.
func servedGroq(t *testing.T, result compile.Result) table.Credential {
	t.Helper()
	i := slices.IndexFunc(result.Table.Credentials, func(c table.Credential) bool { return c.Name == "groq" })
	if i < 0 {
		t.Fatal("the table has no credential groq")
	}
	return result.Table.Credentials[i]
}

func report(t *testing.T, result compile.Result, kind, name string) compile.ObjectReport {
	t.Helper()
	found, ok := result.Report.Object(kind, name)
	if !ok {
		t.Fatalf("the report has no %s %q", kind, name)
	}
	return *found
}

// why lists the findings as "condition reason field".
func why(r compile.ObjectReport) []string {
	var list []string
	for _, f := range r.Findings {
		list = append(list, f.Condition+" "+f.Reason+" "+f.Field)
	}
	return list
}
