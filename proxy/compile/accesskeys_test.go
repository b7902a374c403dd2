package compile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// annotated is an access key of that name with the terms that are given.
func annotated(name, expiresAt, routes string) corev1.Secret {
	s := accessKey(name, "key-"+name, nil)
	s.Annotations = map[string]string{}
	if expiresAt != "" {
		s.Annotations[v1alpha1.AnnotationExpiresAt] = expiresAt
	}
	if routes != "" {
		s.Annotations[v1alpha1.AnnotationRoutes] = routes
	}
	return s
}

func servedKey(result compile.Result, name string) *table.AccessKey {
	for i := range result.Table.AccessKeys {
		if result.Table.AccessKeys[i].Name == name {
			return &result.Table.AccessKeys[i]
		}
	}
	return nil
}

func TestTermsOfAccessKeys(t *testing.T) {
	later := start().Add(time.Hour)
	const expiryField, routesField = "metadata.annotations[signalbox.dev/expires-at]", "metadata.annotations[signalbox.dev/routes]"
	for name, tc := range map[string]struct {
		expiresAt, routes string
		want              *table.AccessKey // nil for a key that opens nothing
		next              time.Time
		findings          []string
	}{
		"no terms":           {want: &table.AccessKey{}},
		"expiry":             {expiresAt: "2026-03-01T13:00:00Z", want: &table.AccessKey{ExpiresAt: later}, next: later},
		"another time zone":  {expiresAt: " 2026-03-01T15:00:00+02:00", want: &table.AccessKey{ExpiresAt: later}, next: later},
		"expired":            {expiresAt: "2026-03-01T12:00:00Z", findings: []string{"Ready KeyExpired " + expiryField}},
		"a day is no time":   {expiresAt: "2026-03-02", findings: []string{"Ready Invalid " + expiryField}},
		"nothing is no time": {expiresAt: " ", findings: []string{"Ready Invalid " + expiryField}},
		"a span is no time":  {expiresAt: "90d", findings: []string{"Ready Invalid " + expiryField}},
		"the zero time":      {expiresAt: "0001-01-01T00:00:00Z", findings: []string{"Ready Invalid " + expiryField}},
		"routes":             {routes: " chat,, embed ,chat", want: &table.AccessKey{Routes: []string{"chat", "embed"}}},
		"empty routes":       {routes: " ", want: &table.AccessKey{}},
		"an unknown route":   {routes: "gone,chat", want: &table.AccessKey{Routes: []string{"chat", "gone"}}, findings: []string{"Ready RouteNotFound " + routesField}},
		"only unknown ones":  {routes: "gone", want: &table.AccessKey{Routes: []string{"gone"}}, findings: []string{"Ready RouteNotFound " + routesField}},
		"commas alone":       {routes: ",,", findings: []string{"Ready Invalid " + routesField}},
		"no name at all":     {routes: strings.Repeat("x", 300), findings: []string{"Ready Invalid " + routesField}},
		"too many routes":    {routes: strings.Repeat("chat,", 65), findings: []string{"Ready Invalid " + routesField}},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(withRoutes(route("chat"), route("embed", serving("embed"))))
			in.Now = start()
			in.AccessKeys = []corev1.Secret{annotated("ci", tc.expiresAt, tc.routes)}
			result := compile.Compile(in)
			got := servedKey(result, "ci")
			if (got == nil) != (tc.want == nil) {
				t.Fatalf("the key is %+v, want %+v", got, tc.want)
			}
			if got != nil && (!got.ExpiresAt.Equal(tc.want.ExpiresAt) || !cmp.Equal(got.Routes, tc.want.Routes)) {
				t.Errorf("the key has expiry %s and routes %q, want %s and %q", got.ExpiresAt, got.Routes, tc.want.ExpiresAt, tc.want.Routes)
			}
			if !result.Next.Equal(tc.next) {
				t.Errorf("to compile again at %s, want %s", result.Next, tc.next)
			}
			var findings []string
			if object, reported := result.Report.Object(compile.KindSecret, "ci"); reported {
				findings = why(*object)
			}
			if diff := cmp.Diff(tc.findings, findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExpiredKeyComesOut follows a key over its end: the same objects, compiled when Result.Next says so.
func TestExpiredKeyComesOut(t *testing.T) {
	in := input(withRoutes(route("chat")))
	in.Now = start()
	in.AccessKeys = []corev1.Secret{annotated("ci", "2026-03-01T13:00:00Z", ""), annotated("dev", "2026-03-01T14:00:00Z", "")}
	first := compile.Compile(in)
	if servedKey(first, "ci") == nil {
		t.Fatal("the key is not served before its end")
	}
	in.Now, in.Previous = first.Next, &first.Table
	second := compile.Compile(in)
	if servedKey(second, "ci") != nil || servedKey(second, "dev") == nil || second.Table.Sequence != first.Table.Sequence+1 {
		t.Errorf("after the end the keys are %+v", second.Table.AccessKeys)
	}
	if want := start().Add(2 * time.Hour); !second.Next.Equal(want) {
		t.Errorf("to compile again at %s, want %s", second.Next, want)
	}
}

// TestNarrowedTermsAreNotHeldBack shows that a table without room keeps no key that opens more than its Secret says now.
func TestNarrowedTermsAreNotHeldBack(t *testing.T) {
	in := input(withRoutes(route("chat"), route("embed", serving("embed"))))
	in.Now = start()
	in.AccessKeys = []corev1.Secret{annotated("all", "", ""), annotated("two", "", "chat,embed"), annotated("one", "", "chat"), annotated("long", "2026-03-01T15:00:00Z", "")}
	before := compile.Compile(in)
	in.AccessKeys = []corev1.Secret{annotated("all", "", "chat"), annotated("two", "", "embed,new"), annotated("one", "", "embed"), annotated("long", "2026-03-01T13:00:00Z", "")}
	in.Previous = &before.Table
	after := compile.CompileHeldBack(in)
	var got []table.AccessKey
	for _, key := range after.Table.AccessKeys {
		key.HMAC = nil
		got = append(got, key)
	}
	want := []table.AccessKey{{Name: "all", Routes: []string{"chat"}}, {Name: "long", ExpiresAt: start().Add(time.Hour)}, {Name: "two", Routes: []string{"embed"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestUsersInAccess(t *testing.T) {
	user := func(issuer string, names ...string) v1alpha1.AccessRule {
		return v1alpha1.AccessRule{User: &v1alpha1.UserRule{Issuer: issuer, Names: names}}
	}
	for name, tc := range map[string]struct {
		rules    []v1alpha1.AccessRule
		want     table.Access
		findings []string
	}{
		"everybody of an issuer":  {rules: []v1alpha1.AccessRule{user("corp")}, want: table.Access{UserIssuers: []string{"corp"}}},
		"some":                    {rules: []v1alpha1.AccessRule{user("corp", "b@x", "a/b")}, want: table.Access{Users: []string{"corp/a/b", "corp/b@x"}}},
		"everybody takes in some": {rules: []v1alpha1.AccessRule{user("corp", "b"), user("corp")}, want: table.Access{UserIssuers: []string{"corp"}}},
		"of two issuers":          {rules: []v1alpha1.AccessRule{user("corp"), user("lab", "b")}, want: table.Access{UserIssuers: []string{"corp"}, Users: []string{"lab/b"}}},
		"of an issuer nobody knows": {
			rules: []v1alpha1.AccessRule{user("gone"), user("corp", "b")}, want: table.Access{UserIssuers: []string{"gone"}, Users: []string{"corp/b"}},
			findings: []string{"ResolvedRefs IssuerNotFound spec.access.allow"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(withRoutes(route("chat", allowing(tc.rules...))))
			in.Issuers = []table.Issuer{{URL: "https://cluster"}, {Name: "corp", URL: "https://corp"}, {Name: "lab", URL: "https://lab"}}
			result := compile.Compile(in)
			if diff := cmp.Diff(tc.want, servedRoute(t, result, "chat").Access); diff != "" {
				t.Errorf("access (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.findings, why(report(t, result, compile.KindModelRoute, "chat"))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadUserRules(t *testing.T) {
	both := v1alpha1.AccessRule{User: &v1alpha1.UserRule{Issuer: "corp"}, NamespaceSelector: &v1alpha1.LabelSelector{}}
	for name, tc := range map[string]struct {
		rule v1alpha1.AccessRule
		want string
	}{
		"two kinds":         {both, "Accepted Invalid spec.access.allow[0]"},
		"no issuer":         {v1alpha1.AccessRule{User: &v1alpha1.UserRule{Names: []string{"b"}}}, "Accepted Invalid spec.access.allow[0].user.issuer"},
		"slash in issuer":   {v1alpha1.AccessRule{User: &v1alpha1.UserRule{Issuer: "corp/b"}}, "Accepted Invalid spec.access.allow[0].user.issuer"},
		"one name is empty": {v1alpha1.AccessRule{User: &v1alpha1.UserRule{Issuer: "corp", Names: []string{"b", ""}}}, "Accepted Invalid spec.access.allow[0].user.names[1]"},
	} {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withRoutes(route("chat", allowing(tc.rule)))))
			if diff := cmp.Diff([]string{tc.want}, why(report(t, result, compile.KindModelRoute, "chat"))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(result.Table.Routes) != 0 {
				t.Errorf("the route is served with access %+v", result.Table.Routes[0].Access)
			}
		})
	}
}

// TestNarrowedUsersApplyAtOnce shows that a route whose new spec is in error admits no user whom that spec does not name any more.
func TestNarrowedUsersApplyAtOnce(t *testing.T) {
	user := func(issuer string, names ...string) v1alpha1.AccessRule {
		return v1alpha1.AccessRule{User: &v1alpha1.UserRule{Issuer: issuer, Names: names}}
	}
	before := compile.Compile(input(withRoutes(route("chat", allowing(user("corp"), user("lab", "a", "b"))))))
	edited := route("chat", allowing(user("corp", "a"), user("lab", "b", "c")), generation(2), withoutTargets)
	after := compile.Compile(input(withRoutes(edited), withPrevious(before.Table)))
	want := table.Access{Users: []string{"corp/a", "lab/b"}}
	if diff := cmp.Diff(want, servedRoute(t, after, "chat").Access); diff != "" {
		t.Errorf("access (-want +got):\n%s", diff)
	}
}

func TestUsersInBudgets(t *testing.T) {
	result := compile.Compile(input(withBudgets(budget("b", func(b *v1alpha1.SpendBudget) {
		b.Spec.AppliesTo = &v1alpha1.BudgetScope{Callers: []v1alpha1.BudgetCaller{{User: &v1alpha1.BudgetUser{Issuer: "corp", Name: "a/b"}}}}
	}))))
	if diff := cmp.Diff([]table.CallerMatch{{User: "corp/a/b"}}, result.Table.Budgets[0].Callers); diff != "" {
		t.Errorf("callers (-want +got):\n%s", diff)
	}
}
