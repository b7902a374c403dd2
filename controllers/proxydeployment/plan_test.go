package proxydeployment

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

// newInput is a namespace with one working route and nothing written yet.
func newInput(t testing.TB, changes ...func(*input)) *input {
	t.Helper()
	pair, err := newControl("team-a", noon())
	if err != nil {
		t.Fatal(err)
	}
	in := &input{
		namespace: "team-a", config: parseConfig(t, plainConfig), now: noon(),
		routes:      []v1alpha1.ModelRoute{*controllertest.Route("team-a", "chat")},
		credentials: []v1alpha1.ProviderCredential{*controllertest.Credential("team-a", "provider")},
		referenced:  secrets.Referenced{Labelled: []corev1.Secret{*controllertest.KeySecret("team-a", "provider-key", "sk-one")}},
		facts:       apiserver.Facts{Issuer: "https://issuer", JWKS: []byte("{}"), Addresses: []string{"10.96.0.1"}},
		fresh:       compile.Fresh{AccessKeySalt: slices.Repeat([]byte{7}, saltBytes), Control: pair, FirstSequence: 100},
		existing:    map[part]object{},
	}
	for _, change := range changes {
		change(in)
	}
	return in
}

func planFor(t testing.TB, in *input) *plan {
	t.Helper()
	planned, err := makePlan(in)
	if err != nil {
		t.Fatal(err)
	}
	return planned
}

// applied puts what a plan writes into the input of the next one, as the API server would.
func applied(t testing.TB, in *input, p *plan) {
	t.Helper()
	for _, w := range slices.Concat(p.access, p.objects) {
		made, err := controllertest.Scheme().New(w.document.GroupVersionKind())
		if err != nil {
			t.Fatal(err)
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(w.document.Object, made); err != nil {
			t.Fatal(err)
		}
		stored := made.(object)
		stored.SetUID(types.UID("uid of " + stored.GetName()))
		in.existing[partOf(w.document)] = stored
	}
	if p.table == nil {
		return
	}
	secret := &corev1.Secret{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(p.table.document.Object, secret); err != nil {
		t.Fatal(err)
	}
	secret.UID, secret.ResourceVersion = "uid-1", "17"
	decoded, err := table.Decode(secret.Data[platform.TableKey])
	if err != nil {
		t.Fatal(err)
	}
	in.secret, in.previous, in.existing[tablePart()] = secret, decoded, secret
	if in.reported, err = compile.DecodeReport(secret.Data[platform.ReportKey]); err != nil {
		t.Fatal(err)
	}
	in.fresh = compile.Fresh{}
}

func writtenNames(p *plan) []string {
	var names []string
	for _, w := range slices.Concat(p.access, p.objects) {
		names = append(names, w.document.GetKind()+"/"+w.document.GetName())
	}
	return names
}

func removedNames(p *plan) []string {
	var names []string
	for _, removed := range p.remove {
		names = append(names, removed.GetName())
	}
	return names
}

func TestPlanWritesEverythingOnce(t *testing.T) {
	in := newInput(t)
	first := planFor(t, in)
	want := []string{
		"ServiceAccount/signalbox", "Role/signalbox", "RoleBinding/signalbox", "Service/signalbox", "Service/signalbox-control",
		"PodDisruptionBudget/signalbox", "NetworkPolicy/signalbox", "Deployment/signalbox",
	}
	if diff := cmp.Diff(want, writtenNames(first)); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if first.table == nil || first.table.uid != "" || first.table.resourceVersion != "" {
		t.Fatalf("the first table is %+v", first.table)
	}
}

func TestPlanWritesNothingTwice(t *testing.T) {
	in := newInput(t)
	applied(t, in, planFor(t, in))
	if in.previous.Sequence != 100 || len(in.previous.Routes) != 1 || in.previous.Issuers[0].Audience != "signalbox.team-a" {
		t.Errorf("the table is %+v", in.previous)
	}
	second := planFor(t, in)
	if second.table != nil || len(second.objects) > 0 || len(second.remove) > 0 {
		t.Errorf("the same input writes again: table %v, objects %v, remove %v", second.table, writtenNames(second), removedNames(second))
	}
	if second.next != longest {
		t.Errorf("the next look is in %s", second.next)
	}
}

func TestPlanPinsTheTableItReplaces(t *testing.T) {
	in := newInput(t)
	applied(t, in, planFor(t, in))
	in.routes = append(in.routes, *controllertest.Route("team-a", "second"))
	next := planFor(t, in)
	if next.table == nil || next.table.uid != "uid-1" || next.table.resourceVersion != "17" {
		t.Fatalf("the second table is %+v", next.table)
	}
	if len(next.objects) > 0 {
		t.Errorf("a route more writes %v", writtenNames(next))
	}
}

func TestPlanWaitsItsTurnWithALargeTable(t *testing.T) {
	in := newInput(t)
	applied(t, in, planFor(t, in))
	in.routes = append(in.routes, *controllertest.Route("team-a", "second"))
	in.pace = 300 * time.Millisecond
	next := planFor(t, in)
	if next.table != nil || next.next != 300*time.Millisecond {
		t.Errorf("table %v, next look in %s", next.table, next.next)
	}
}

func TestPlanKeepsTheIssuerWhileItIsNotKnown(t *testing.T) {
	in := newInput(t)
	applied(t, in, planFor(t, in))
	in.facts.Issuer, in.facts.JWKS = "", nil
	if next := planFor(t, in); next.table != nil {
		t.Error("the issuer was dropped")
	}
}

func TestPlanRemovesEverythingWithTheLastRoute(t *testing.T) {
	in := newInput(t)
	applied(t, in, planFor(t, in))
	in.routes = nil
	last := planFor(t, in)
	want := []string{"signalbox", "signalbox", "signalbox-table", "signalbox", "signalbox-control"}
	if diff := cmp.Diff(want, removedNames(last)); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if last.table != nil || len(last.objects) > 0 || last.next != drainRecheck {
		t.Errorf("and writes %v, %v", last.table, writtenNames(last))
	}
}

// TestPlanLetsTheLastProxiesWriteWhatTheySpent tells of a namespace whose last route went while calls were open: what these cost was lost, for the
// proxies that served them to the end had no rights any more.
func TestPlanLetsTheLastProxiesWriteWhatTheySpent(t *testing.T) {
	in := newInput(t)
	applied(t, in, planFor(t, in))
	// As in a typed cache, the objects do not carry their kinds.
	for _, existing := range in.existing {
		existing.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	}
	in.routes = nil
	kept := func() []string {
		planned := planFor(t, in)
		for _, removed := range planned.remove {
			maps.DeleteFunc(in.existing, func(_ part, existing object) bool { return existing == removed })
		}
		var kinds []string
		for part := range in.existing {
			kinds = append(kinds, part.kind.Kind)
		}
		slices.Sort(kinds)
		if wait := planned.next; (wait == 0) != (len(kinds) == 0) {
			t.Errorf("%v are left and the next look is in %s", kinds, wait)
		}
		return kinds
	}
	needed := []string{"NetworkPolicy", "Role", "RoleBinding", "ServiceAccount"}
	if diff := cmp.Diff(needed, kept()); diff != "" {
		t.Errorf("left while the Deployment goes (-want +got):\n%s", diff)
	}
	in.pods = 1
	if diff := cmp.Diff(needed, kept()); diff != "" {
		t.Errorf("left while a pod drains (-want +got):\n%s", diff)
	}
	in.pods = 0
	if got := kept(); len(got) > 0 {
		t.Errorf("left at the end: %v", got)
	}
}

func TestPlanGivesTheRightsBeforeTheTable(t *testing.T) {
	in := newInput(t)
	applied(t, in, planFor(t, in))
	in.budgets = []v1alpha1.SpendBudget{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "daily", UID: "uid-b"},
		Spec:       v1alpha1.SpendBudgetSpec{Limit: v1alpha1.SpendLimit{Amount: "1"}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodDay}},
	}}
	planned := planFor(t, in)
	if planned.table == nil || len(planned.access) != 1 || planned.access[0].document.GetKind() != "Role" || len(planned.objects) > 0 {
		t.Errorf("a new budget writes the table %t, rights %v, and the rest %v", planned.table != nil, planned.access, planned.objects)
	}
}

func TestPlanTellsOnceWhatIsWrongWithAnAccessKey(t *testing.T) {
	spaced := corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "ci", UID: "uid-ci", Labels: map[string]string{v1alpha1.LabelAccessKey: "true"}},
		Data:       map[string][]byte{v1alpha1.AccessKeySecretKey: []byte(" sk-very-secret")},
	}
	in := newInput(t, func(in *input) { in.accessKeys = []corev1.Secret{spaced} })
	first := planFor(t, in)
	if len(first.notices) != 1 || first.notices[0].reason != v1alpha1.ReasonInvalidKey || first.notices[0].secret.Name != "ci" {
		t.Fatalf("the notices are %+v", first.notices)
	}
	if message := first.notices[0].message; !strings.Contains(message, "white space") || strings.Contains(message, "sk-very-secret") {
		t.Errorf("the message is %q", message)
	}
	applied(t, in, first)
	in.routes = append(in.routes, *controllertest.Route("team-a", "second"))
	if again := planFor(t, in); again.table == nil || len(again.notices) > 0 {
		t.Errorf("another table tells again: %+v", again.notices)
	}
	in.accessKeys[0].Data = nil
	if other := planFor(t, in); len(other.notices) != 1 {
		t.Errorf("another trouble is told as %+v", other.notices)
	}
	in.accessKeys[0].Data = map[string][]byte{v1alpha1.AccessKeySecretKey: []byte("good")}
	if good := planFor(t, in); good.table == nil || len(good.notices) > 0 {
		t.Errorf("a good key is told of: %+v", good.notices)
	}
}

func TestPlanRemovesWhatIsNoLongerWanted(t *testing.T) {
	in := newInput(t, func(in *input) { in.config = parseConfig(t, plainConfig+"\n") })
	applied(t, in, planFor(t, in))
	in.config = parseConfig(t, plainConfig+"\nnetworkPolicy: {state: Disabled}")
	next := planFor(t, in)
	if diff := cmp.Diff([]string{"signalbox"}, removedNames(next)); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if kind := partOf(next.remove[0]).kind.Kind; kind != "NetworkPolicy" {
		t.Errorf("removed a %s", kind)
	}
	going := metav1.NewTime(noon())
	next.remove[0].SetDeletionTimestamp(&going)
	if again := planFor(t, in); len(again.remove) > 0 {
		t.Error("what is being deleted is deleted again")
	}
}

func TestPlanLeavesForeignObjectsAlone(t *testing.T) {
	service := part{corev1.SchemeGroupVersion.WithKind("Service"), v1alpha1.ProxyName}
	in := newInput(t, func(in *input) { in.foreign = map[part]bool{service: true} })
	planned := planFor(t, in)
	if names := writtenNames(planned); slices.Contains(names, "Service/signalbox") || !slices.Contains(names, "Deployment/signalbox") {
		t.Errorf("written are %v", names)
	}
	applied(t, in, planned)
	report, err := compile.DecodeReport(in.secret.Data[platform.ReportKey])
	if err != nil {
		t.Fatal(err)
	}
	found, _ := report.Object(compile.KindModelRoute, "chat")
	if len(found.Findings) != 1 || found.Findings[0].Reason != v1alpha1.ReasonConflict || !strings.Contains(found.Findings[0].Message, `Service "signalbox"`) {
		t.Errorf("the findings are %+v", found.Findings)
	}
	if planned.next != foreignRecheck {
		t.Errorf("the next look is in %s", planned.next)
	}
}

func TestPlanStartsNothingWhenTheTableIsForeign(t *testing.T) {
	planned := planFor(t, newInput(t, func(in *input) { in.foreign = map[part]bool{tablePart(): true} }))
	if planned.table != nil || len(planned.objects) > 0 || planned.next != foreignRecheck {
		t.Errorf("table %v, objects %v, next %s", planned.table, writtenNames(planned), planned.next)
	}
}

func TestPlanForcesOnlyWhatWasSeenToBeOurs(t *testing.T) {
	deployment := part{appsv1.SchemeGroupVersion.WithKind("Deployment"), v1alpha1.ProxyName}
	planned := planFor(t, newInput(t, func(in *input) { in.unseen = map[part]types.UID{deployment: "uid-9"} }))
	for _, w := range planned.objects {
		want := types.UID("")
		if w.document.GetKind() == "Deployment" {
			want = "uid-9"
		}
		if w.uid != want {
			t.Errorf("%s is pinned to %q, want %q", w.document.GetKind(), w.uid, want)
		}
	}
}

func TestPlanLooksAgainForMissingSecrets(t *testing.T) {
	planned := planFor(t, newInput(t, func(in *input) { in.referenced = secrets.Referenced{Unlabelled: []string{"provider-key"}} }))
	if planned.next != secrets.RecheckAfter {
		t.Errorf("the next look is in %s", planned.next)
	}
}

func TestPlanNamesTheLedgersOfTheRole(t *testing.T) {
	in := newInput(t, func(in *input) { in.ledgers = []string{"signalbox-ledger-old"} })
	applied(t, in, planFor(t, in))
	role := in.existing[part{kinds()[1].gvk, v1alpha1.ProxyName}]
	if role == nil {
		t.Fatal("no role")
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(role)
	if err != nil {
		t.Fatal(err)
	}
	rules := content["rules"].([]any)
	want := []any{"signalbox-ledger-old"}
	if diff := cmp.Diff(want, rules[1].(map[string]any)["resourceNames"]); diff != "" {
		t.Errorf("ledgers (-want +got):\n%s", diff)
	}
}

func TestPlanHandsReplicasOver(t *testing.T) {
	in := newInput(t)
	applied(t, in, planFor(t, in))
	deployment := in.existing[part{appsv1.SchemeGroupVersion.WithKind("Deployment"), v1alpha1.ProxyName}].(*appsv1.Deployment)
	scaled := int32(7)
	deployment.Spec.Replicas = &scaled
	in.config = parseConfig(t, plainConfig+"\nnamespaces: {team-a: {autoscaling: {}}}")

	if planned := planFor(t, in); planned.handover != nil {
		t.Error("replicas that we do not own are handed over")
	}
	deployment.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: FieldOwner, Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
	}}
	planned := planFor(t, in)
	if planned.handover == nil || *planned.handover != 7 {
		t.Errorf("handed over is %v", planned.handover)
	}
	if names := writtenNames(planned); !slices.Contains(names, "HorizontalPodAutoscaler/signalbox") {
		t.Errorf("written are %v", names)
	}
}

func TestInForce(t *testing.T) {
	in := newInput(t)
	wanted, err := document(deployment(in.settings(nil)))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		change func(*appsv1.Deployment)
		want   bool
	}{
		"as it was applied":          {change: func(*appsv1.Deployment) {}, want: true},
		"with defaults and status":   {change: func(d *appsv1.Deployment) { d.Spec.Template.Spec.DNSPolicy = "ClusterFirst"; d.Status.Replicas = 3 }, want: true},
		"with somebody's annotation": {change: func(d *appsv1.Deployment) { d.Annotations["theirs"] = "x" }, want: true},
		"with another image":         {change: func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "other" }},
		"with a second container": {change: func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{})
		}},
		"without a label":              {change: func(d *appsv1.Deployment) { delete(d.Labels, platform.LabelName) }},
		"with other replicas":          {change: func(d *appsv1.Deployment) { replicas := int32(9); d.Spec.Replicas = &replicas }},
		"applied from something else":  {change: func(d *appsv1.Deployment) { d.Annotations[annotationApplied] = "0" }},
		"without what says what it is": {change: func(d *appsv1.Deployment) { d.Annotations = nil }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			existing := deployment(in.settings(nil))
			existing.Annotations = maps.Clone(wanted.GetAnnotations())
			tc.change(existing)
			got, err := inForce(wanted, existing)
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("in force is %v", got)
			}
		})
	}
	if got, err := inForce(wanted, nil); got || err != nil {
		t.Errorf("what does not exist is in force: %v, %v", got, err)
	}
}

func TestPace(t *testing.T) {
	pace := NewPace()
	for _, tc := range []struct {
		name          string
		namespace     string
		wrote         int
		after         time.Duration
		usual, urgent time.Duration
	}{
		{name: "the first table", namespace: "team-a"},
		{name: "the second", namespace: "team-a", wrote: bytesPerSecond / 2, after: 100 * time.Millisecond, usual: 400 * time.Millisecond, urgent: 100 * time.Millisecond},
		{name: "another namespace", namespace: "team-b"},
		{name: "an urgent one, later", namespace: "team-a", after: 300 * time.Millisecond, usual: 200 * time.Millisecond},
		{name: "later", namespace: "team-a", after: time.Second},
		{name: "a small one", namespace: "team-a", wrote: bytesPerSecond / 8, usual: 125 * time.Millisecond, urgent: 125 * time.Millisecond},
	} {
		if tc.wrote > 0 {
			pace.Wrote(tc.namespace, tc.wrote, noon())
		}
		if usual, urgent := pace.Wait(tc.namespace, noon().Add(tc.after)); usual != tc.usual || urgent != tc.urgent {
			t.Errorf("%s waits %s, %s where it is urgent; want %s, %s", tc.name, usual, urgent, tc.usual, tc.urgent)
		}
	}
	pace.Forget("team-a")
	if usual, urgent := pace.Wait("team-a", noon()); usual != 0 || urgent != 0 {
		t.Errorf("after all is gone it waits %s, %s", usual, urgent)
	}
}

// TestPlanRevokesWithoutWaiting shows that a deleted access key does not wait for the pace of large tables, and a new one does.
func TestPlanRevokesWithoutWaiting(t *testing.T) {
	key := func(name string) corev1.Secret {
		return corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{v1alpha1.LabelAccessKey: "true"}},
			Data:       map[string][]byte{v1alpha1.AccessKeySecretKey: []byte("sk-" + name)},
		}
	}
	in := newInput(t, func(in *input) { in.accessKeys = []corev1.Secret{key("ci"), key("dev")} })
	applied(t, in, planFor(t, in))
	in.pace = 800 * time.Millisecond
	in.accessKeys = []corev1.Secret{key("ci"), key("dev"), key("new")}
	if more := planFor(t, in); more.table != nil || more.next != in.pace {
		t.Errorf("another key: table %v, next look in %s", more.table, more.next)
	}
	in.accessKeys = []corev1.Secret{key("ci")}
	if fewer := planFor(t, in); fewer.table == nil {
		t.Errorf("a deleted key waits %s", fewer.next)
	}
	in.urgent = 50 * time.Millisecond
	if fewer := planFor(t, in); fewer.table != nil || fewer.next != in.urgent {
		t.Errorf("right after another table a deleted key waits %s", fewer.next)
	}
}

// TestPlanLooksAgainWhenAKeyEnds shows that status and events follow a key's end, though nothing happens in the cluster.
func TestPlanLooksAgainWhenAKeyEnds(t *testing.T) {
	ending := corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-a", Name: "ci", UID: "uid-ci", Labels: map[string]string{v1alpha1.LabelAccessKey: "true"},
			Annotations: map[string]string{v1alpha1.AnnotationExpiresAt: "2026-03-04T12:00:30Z", v1alpha1.AnnotationRoutes: "chat,gone"},
		},
		Data: map[string][]byte{v1alpha1.AccessKeySecretKey: []byte("sk-ci")},
	}
	in := newInput(t, func(in *input) { in.accessKeys = []corev1.Secret{ending} })
	first := planFor(t, in)
	if first.next != 30*time.Second || len(first.notices) != 1 || !strings.HasPrefix(first.notices[0].message, "this access key works, but ") {
		t.Fatalf("next look in %s, notices %+v", first.next, first.notices)
	}
	applied(t, in, first)
	in.now = in.now.Add(first.next)
	second := planFor(t, in)
	if second.table == nil || len(second.notices) != 1 || second.notices[0].reason != v1alpha1.ReasonKeyExpired ||
		!strings.HasPrefix(second.notices[0].message, "this access key opens nothing: ") {
		t.Errorf("at its end the plan has table %v and notices %+v", second.table, second.notices)
	}
}

func TestIssuers(t *testing.T) {
	const withIssuers = plainConfig + `
tokens:
  issuers:
  - {name: corp, url: https://corp.example, audience: llm, callerClaim: email, tagClaims: {team: department}, maxLifetime: 2h}
  - {name: self, url: https://issuer, audience: llm}`
	corp := func(keys string) table.Issuer {
		return table.Issuer{
			Name: "corp", URL: "https://corp.example", Audience: "llm", CallerClaim: "email", TagClaims: map[string]string{"team": "department"},
			JWKS: []byte(keys), MaxLifetime: 2 * time.Hour,
		}
	}
	cluster := func(keys string) table.Issuer {
		return table.Issuer{URL: "https://issuer", Audience: "signalbox.team-a", JWKS: []byte(keys), MaxLifetime: 24 * time.Hour}
	}
	stranger := corp("old")
	stranger.URL = "https://elsewhere.example"
	for name, tc := range map[string]struct {
		facts    apiserver.Facts
		keys     map[string][]byte
		previous []table.Issuer
		want     []table.Issuer
	}{
		"all is known": {
			facts: apiserver.Facts{Issuer: "https://issuer", JWKS: []byte("c1")}, keys: map[string][]byte{"corp": []byte("k1"), "self": []byte("evil")},
			previous: []table.Issuer{cluster("c0"), corp("k0")}, want: []table.Issuer{cluster("c1"), corp("k1")},
		},
		"the issuer is away since the manager began": {
			facts: apiserver.Facts{Issuer: "https://issuer", JWKS: []byte("c1")}, previous: []table.Issuer{cluster("c0"), corp("k0")},
			want: []table.Issuer{cluster("c1"), corp("k0")},
		},
		"the issuer has moved": {
			facts: apiserver.Facts{Issuer: "https://issuer", JWKS: []byte("c1")}, previous: []table.Issuer{cluster("c0"), stranger},
			want: []table.Issuer{cluster("c1"), corp(noKeys)},
		},
		"the API server has not answered": {
			keys: map[string][]byte{"corp": []byte("k1"), "self": []byte("evil")}, previous: []table.Issuer{cluster("c0"), corp("k0")},
			want: []table.Issuer{cluster("c0"), corp("k1")},
		},
		"one that the configuration does not have any more": {
			facts: apiserver.Facts{Issuer: "https://issuer", JWKS: []byte("c1")}, keys: map[string][]byte{"corp": []byte("k1")},
			previous: []table.Issuer{cluster("c0"), {Name: "gone", URL: "https://gone"}}, want: []table.Issuer{cluster("c1"), corp("k1")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInput(t, func(in *input) { in.config = parseConfig(t, withIssuers) })
			in.facts, in.issuerKeys, in.previous = tc.facts, tc.keys, &table.Table{Issuers: tc.previous}
			if diff := cmp.Diff(tc.want, in.issuers()); diff != "" {
				t.Errorf("issuers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCertificateIsRenewedInTime(t *testing.T) {
	pair, err := newControl("team-a", noon())
	if err != nil {
		t.Fatal(err)
	}
	previous := &table.Table{Control: pair}
	if got, want := renewAt(previous), noon().Add(60*24*time.Hour); !got.Equal(want) {
		t.Errorf("renewed at %s, want %s", got, want)
	}
	broken := &table.Table{Control: pair}
	broken.Control.PrivateKeyPEM = []byte("broken")
	for name, tc := range map[string]*table.Table{"none": nil, "empty": {}, "broken": broken} {
		if got := renewAt(tc); !got.IsZero() {
			t.Errorf("%s is renewed at %s", name, got)
		}
	}
	if other, err := newControl("team-a", noon()); err != nil || string(other.PrivateKeyPEM) == string(pair.PrivateKeyPEM) {
		t.Errorf("two certificates share a key, or %v", err)
	}
}
