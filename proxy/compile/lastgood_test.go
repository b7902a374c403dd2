package compile_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

func TestLastGoodRouteStays(t *testing.T) {
	before := compile.Compile(input(withRoutes(route("chat", serving("chat")))))
	result := compile.Compile(input(
		withPrevious(before.Table),
		withRoutes(route("chat", serving("other"), withoutTargets, generation(2))),
	))
	got := servedRoute(t, result, "chat")
	if diff := cmp.Diff(servedRoute(t, before, "chat"), got); diff != "" {
		t.Errorf("route (-last good +got):\n%s", diff)
	}
	r := report(t, result, compile.KindModelRoute, "chat")
	if r.Generation != 2 || r.Served != 1 || r.Since != 1 {
		t.Errorf("report says generation %d, served %d since %d; want 2, 1, 1", r.Generation, r.Served, r.Since)
	}
	if result.Table.Sequence != before.Table.Sequence || result.Table.Revision != before.Table.Revision {
		t.Errorf("an edit in error made a new table")
	}
}

func TestLastGoodOfAnotherObjectDoesNotStay(t *testing.T) {
	before := compile.Compile(input(withRoutes(route("chat"))))
	result := compile.Compile(input(withPrevious(before.Table), withRoutes(route("chat", withoutTargets, func(r *v1alpha1.ModelRoute) { r.UID = "recreated" }))))
	if len(result.Table.Routes) != 0 {
		t.Errorf("the entry of a deleted object is served for a new one of the same name")
	}
}

func TestDeletionApplies(t *testing.T) {
	before := compile.Compile(input(withRoutes(route("chat")), withBudgets(budget("b"))))
	result := compile.Compile(input(withPrevious(before.Table), withCredentials()))
	if got := result.Table; len(got.Routes)+len(got.Budgets)+len(got.Credentials) != 0 {
		t.Errorf("deleted objects stay: %d routes, %d budgets, %d credentials", len(got.Routes), len(got.Budgets), len(got.Credentials))
	}
	if result.Table.Sequence != before.Table.Sequence+1 {
		t.Errorf("sequence %d after %d", result.Table.Sequence, before.Table.Sequence)
	}
}

func TestNarrowedAccessAppliesToLastGood(t *testing.T) {
	account := func(namespace, name string) v1alpha1.AccessRule {
		return v1alpha1.AccessRule{ServiceAccount: &v1alpha1.ServiceAccountReference{Namespace: namespace, Name: name}}
	}
	named := func(name string) v1alpha1.AccessRule {
		return v1alpha1.AccessRule{NamespaceSelector: &v1alpha1.LabelSelector{MatchLabels: map[string]v1alpha1.LabelValue{"tier": v1alpha1.LabelValue(name)}}}
	}
	everybody := []v1alpha1.AccessRule{{NamespaceSelector: &v1alpha1.LabelSelector{}}, {AccessKeySelector: &v1alpha1.LabelSelector{}}}
	unreadable := v1alpha1.AccessRule{}
	cases := map[string]struct {
		before, after []v1alpha1.AccessRule
		want          table.Access
	}{
		"one of two removed":        {[]v1alpha1.AccessRule{account("a", "x"), account("a", "y")}, []v1alpha1.AccessRule{account("a", "y")}, table.Access{ServiceAccounts: []string{"a/y"}}},
		"widened stays as it was":   {[]v1alpha1.AccessRule{account("a", "x")}, everybody, table.Access{ServiceAccounts: []string{"a/x"}}},
		"from all to one":           {everybody, []v1alpha1.AccessRule{account("prod", "x")}, table.Access{ServiceAccounts: []string{"prod/x"}}},
		"from a namespace to one":   {[]v1alpha1.AccessRule{named("prod")}, []v1alpha1.AccessRule{account("web", "x"), account("lab", "x")}, table.Access{ServiceAccounts: []string{"web/x"}}},
		"from all to a namespace":   {everybody, []v1alpha1.AccessRule{named("prod")}, table.Access{Namespaces: []string{"web"}}},
		"unreadable admits nobody":  {everybody, []v1alpha1.AccessRule{unreadable}, table.Access{}},
		"unchanged":                 {everybody, everybody, table.Access{AnyNamespace: true, AnyAccessKey: true}},
		"some keys in place of all": {everybody, []v1alpha1.AccessRule{{AccessKeySelector: &v1alpha1.LabelSelector{MatchLabels: map[string]v1alpha1.LabelValue{"who": "ci"}}}}, table.Access{AccessKeys: []string{"ci"}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			build := func(r v1alpha1.ModelRoute, mods ...func(*compile.Input)) compile.Result {
				in := input(append(mods, withRoutes(r))...)
				in.Namespaces = []corev1.Namespace{labelledNamespace("web", "prod"), labelledNamespace("lab", "test")}
				in.AccessKeys = []corev1.Secret{accessKey("ci", "key-ci", map[string]string{"who": "ci"}), accessKey("dev", "key-dev", nil)}
				return compile.Compile(in)
			}
			before := build(route("chat", allowing(tc.before...)))
			result := build(route("chat", allowing(tc.after...), withoutTargets, generation(2)), withPrevious(before.Table))
			if diff := cmp.Diff(tc.want, servedRoute(t, result, "chat").Access); diff != "" {
				t.Errorf("access (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLastGoodKey(t *testing.T) {
	good := []func(*compile.Input){}
	cases := map[string]struct {
		after      []func(*compile.Input)
		value      string
		generation int64
		endpoint   string
		absent     bool
	}{
		"rotated": {
			after: []func(*compile.Input){withKeys(secret("groq", "sk-groq-2"))},
			value: "sk-groq-2", generation: 1,
		},
		"bad new value": {
			after: []func(*compile.Input){withKeys(secret("groq", "sk groq 2 "))},
			value: "sk-groq-1", generation: 1,
		},
		"other Secret with a bad value": {
			after: []func(*compile.Input){
				withCredentials(credential("groq", keyIn("new"), editedOnce)), withKeys(secret("groq", "sk-groq-1"), secret("new", "\x00")),
			},
			value: "sk-groq-1", generation: 2,
		},
		"other Secret with a bad value, old one gone": {
			after: []func(*compile.Input){
				withCredentials(credential("groq", keyIn("new"), editedOnce)), withKeys(secret("new", "\x00")),
			},
			generation: 2,
		},
		"bad value and another endpoint": {
			after: []func(*compile.Input){
				withCredentials(credential("groq", keyIn("new"), endpointAt("https://elsewhere.example"), editedOnce)),
				withKeys(secret("groq", "sk-groq-1"), secret("new", "\x00")),
			},
			value: "sk-groq-1", generation: 1, endpoint: "https://api.provider.example/v1",
		},
		"endpoint in error keeps rotating its key": {
			after: []func(*compile.Input){
				withCredentials(credential("groq", endpointAt("http://localhost"), editedOnce)), withKeys(secret("groq", "sk-groq-2")),
			},
			value: "sk-groq-2", generation: 1,
		},
		"endpoint in error never sees another Secret's key": {
			after: []func(*compile.Input){
				withCredentials(credential("groq", endpointAt("http://localhost"), keyIn("new"), editedOnce)),
				withKeys(secret("groq", "sk-groq-1"), secret("new", "sk-other-1")),
			},
			value: "sk-groq-1", generation: 1,
		},
		"endpoint in error and key removed": {
			after: []func(*compile.Input){
				withCredentials(credential("groq", endpointAt("http://localhost"), editedOnce)), withKeys(),
			},
			generation: 1,
		},
		"endpoint in error and key left out": {
			after: []func(*compile.Input){
				withCredentials(credential("groq", endpointAt("http://localhost"), editedOnce, func(c *v1alpha1.ProviderCredential) {
					c.Spec.Auth = v1alpha1.ProviderAuth{None: &v1alpha1.NoAuth{}}
				})),
			},
			generation: 1,
		},
		"the address in force was closed": {
			after: []func(*compile.Input){
				withCredentials(credential("groq", endpointAt("http://10.1.1.1/v1"))),
				func(in *compile.Input) {
					in.Previous.Credentials[0].Endpoint = "http://10.1.1.1/v1"
					in.Endpoints.DenyCIDRs = []string{"10.1.1.1"}
				},
			},
			absent: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := compile.Compile(input(good...))
			result := compile.Compile(input(append([]func(*compile.Input){withPrevious(before.Table)}, tc.after...)...))
			if tc.absent {
				if len(result.Table.Credentials) != 0 {
					t.Errorf("credential is served: %+v", result.Table.Credentials)
				}
				return
			}
			got := servedGroq(t, result)
			value := ""
			if len(got.Keys) == 1 {
				value = got.Keys[0].Value
			}
			if value != tc.value || got.Generation != tc.generation {
				t.Errorf("key %q at generation %d, want %q at %d", value, got.Generation, tc.value, tc.generation)
			}
			if tc.endpoint != "" && got.Endpoint != tc.endpoint {
				t.Errorf("endpoint %q, want %q", got.Endpoint, tc.endpoint)
			}
		})
	}
}

func TestSequenceAndSince(t *testing.T) {
	first := compile.Compile(input(withRoutes(route("chat"), route("other"))))
	if first.Table.Sequence != 1 {
		t.Fatalf("first sequence %d", first.Table.Sequence)
	}
	same := compile.Compile(input(withPrevious(first.Table), withRoutes(route("other"), route("chat"))))
	if diff := cmp.Diff(first, same); diff != "" {
		t.Errorf("equal input gave another result (-first +second):\n%s", diff)
	}
	edited := compile.Compile(input(withPrevious(first.Table), withRoutes(route("chat", generation(2)), route("other"))))
	if got := report(t, edited, compile.KindModelRoute, "chat"); edited.Table.Sequence != 2 || got.Since != 2 {
		t.Errorf("edited route: sequence %d, since %d, want 2, 2", edited.Table.Sequence, got.Since)
	}
	if got := report(t, edited, compile.KindModelRoute, "other"); got.Since != 1 {
		t.Errorf("untouched route: since %d, want 1", got.Since)
	}
	rotated := compile.Compile(input(withPrevious(edited.Table), withKeys(secret("groq", "sk-groq-2")), withRoutes(route("chat", generation(2)), route("other"))))
	if got := report(t, rotated, compile.KindProviderCredential, "groq"); rotated.Table.Sequence != 3 || got.Since != 1 {
		t.Errorf("rotated key: sequence %d, since %d, want 3, 1", rotated.Table.Sequence, got.Since)
	}
}

func TestFirstSequence(t *testing.T) {
	in := input()
	in.Fresh.FirstSequence = 1_700_000_000
	first := compile.Compile(in)
	if first.Table.Sequence != 1_700_000_000 {
		t.Errorf("sequence %d", first.Table.Sequence)
	}
	next := compile.Compile(input(withPrevious(first.Table), withRoutes(route("chat"))))
	if next.Table.Sequence != 1_700_000_001 {
		t.Errorf("next sequence %d", next.Table.Sequence)
	}
}

func TestSaltAndControl(t *testing.T) {
	first := compile.Compile(input())
	fresh := func(in *compile.Input) {
		in.Fresh.AccessKeySalt = bytes.Repeat([]byte{9}, 32)
		in.Fresh.Control = table.Control{}
	}
	kept := compile.Compile(input(withPrevious(first.Table), fresh))
	if diff := cmp.Diff(first.Table, kept.Table); diff != "" {
		t.Errorf("salt or certificate were not kept (-first +second):\n%s", diff)
	}
	renewed := compile.Compile(input(withPrevious(first.Table), func(in *compile.Input) {
		in.Fresh.Control = table.Control{CertificatePEM: []byte("cert-2"), PrivateKeyPEM: []byte("key-2")}
	}))
	want := table.Control{CertificatePEM: []byte("cert-2"), PrivateKeyPEM: []byte("key-2"), PreviousPEM: []byte("cert-1"), PreviousKeyPEM: []byte("key-1")}
	if diff := cmp.Diff(want, renewed.Table.Control); diff != "" {
		t.Errorf("control (-want +got):\n%s", diff)
	}
}
