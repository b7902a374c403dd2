package compile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// world is an input of several good objects of each kind.
func world() compile.Input {
	in := input(
		withCredentials(credential("groq"), credential("openai"), credential("local", keyIn("groq"))),
		withKeys(secret("groq", "sk-groq-1"), secret("openai", "sk-openai-1")),
		withRoutes(route("a", serving("a", "x/*")), route("b", serving("b"), resilient), route("c", serving("c", "x/y*"))),
		withBudgets(budget("day"), budget("month")),
	)
	in.AccessKeys = []corev1.Secret{accessKey("ci", "key-ci", nil), accessKey("dev", "key-dev", nil)}
	withList(listed("llama", 8192, 1024), listed("large-2", 1, 1))(&in)
	return in
}

func TestOrderOfInputDoesNotMatter(t *testing.T) {
	want := encoded(t, compile.Compile(world()))
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		in := world()
		shuffle(random, in.Routes)
		shuffle(random, in.Credentials)
		shuffle(random, in.Budgets)
		shuffle(random, in.AccessKeys)
		shuffle(random, in.ProviderKeys)
		if got := encoded(t, compile.Compile(in)); got != want {
			t.Fatal("shuffled input gave other bytes")
		}
	}
}

func shuffle[E any](random *rand.Rand, list []E) {
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

func encoded(t *testing.T, result compile.Result) string {
	t.Helper()
	packedTable, err := table.Encode(result.Table)
	if err != nil {
		t.Fatal(err)
	}
	packedReport, err := compile.EncodeReport(result.Report)
	if err != nil {
		t.Fatal(err)
	}
	return string(packedTable) + string(packedReport)
}

// FuzzBadObjectChangesNoGoodOne adds one object with an error to a world of good ones, before and after there was a table.
func FuzzBadObjectChangesNoGoodOne(f *testing.F) {
	for kind := range uint8(4) {
		f.Add(kind, "text", int32(-1), kind%2 == 0)
		f.Add(kind, "", int32(2000), kind%2 == 1)
		f.Add(kind, "1e9", int32(5), true)
		f.Add(kind, "\xff\x00*", int32(0), false)
	}
	f.Fuzz(func(t *testing.T, kind uint8, text string, number int32, later bool) {
		good := world()
		if later {
			previous := compile.Compile(world()).Table
			good.Previous = &previous
		}
		want := compile.Compile(good)
		bad := good
		name := addBad(&bad, kind, text, number)
		got := compile.Compile(bad)
		if diff := cmp.Diff(without(want.Table, name), without(got.Table, name)); diff != "" {
			t.Errorf("good entries changed (-without +with the bad object):\n%s", diff)
		}
		for _, object := range want.Report.Objects {
			if diff := cmp.Diff(object, report(t, got, object.Kind, object.Name)); diff != "" {
				t.Errorf("report of a good object changed:\n%s", diff)
			}
		}
	})
}

// addBad adds an object that is broken in a way that depends on the arguments, and returns its name.
func addBad(in *compile.Input, kind uint8, text string, number int32) string {
	const name = "0-bad"
	switch kind % 4 {
	case 0:
		in.Routes = append(slices.Clone(in.Routes), route(name, func(r *v1alpha1.ModelRoute) {
			r.Spec.Models = []v1alpha1.ModelPattern{"a", v1alpha1.ModelPattern(text), "b"}
			r.Spec.Targets[0].Weight = &number
			r.Spec.Targets[0].Model = ""
			spoilPolicy(&r.Spec, text, number)
		}))
	case 1:
		in.Credentials = append(slices.Clone(in.Credentials), credential(name, endpointAt(text), func(c *v1alpha1.ProviderCredential) {
			c.Spec.Provider = v1alpha1.ProviderName("x" + text)
		}))
	case 2:
		in.Budgets = append(slices.Clone(in.Budgets), budget(name, func(b *v1alpha1.SpendBudget) {
			b.Spec.Limit.Amount = v1alpha1.USDAmount("-" + text)
			b.Spec.AppliesTo = &v1alpha1.BudgetScope{Routes: []string{text, fmt.Sprint(number)}}
		}))
	default:
		in.AccessKeys = append(slices.Clone(in.AccessKeys), accessKey(name, text+" ", nil))
	}
	return name
}

// spoilPolicy fills the policies of a route with values that no schema has seen.
func spoilPolicy(spec *v1alpha1.ModelRouteSpec, text string, number int32) {
	kinds := &[]v1alpha1.FailureKind{v1alpha1.FailureKind(text), v1alpha1.FailureTimeout}
	wide := int64(number)
	long := metav1.Duration{Duration: time.Duration(number) * time.Second}
	policy := &v1alpha1.DataPolicy{Collection: v1alpha1.DataCollection(text), Region: text}
	highest := &v1alpha1.MaxPrice{Input: v1alpha1.USDPerMillionTokens(text), Output: "1"}
	declared := &v1alpha1.TargetDeclaration{
		Capabilities: &[]v1alpha1.ModelCapability{v1alpha1.ModelCapability(text)}, ContextTokens: &wide, DataPolicy: policy, Quantization: v1alpha1.Quantization(text),
	}
	spec.Strategy = v1alpha1.RouteStrategy(text)
	spec.Affinity = &v1alpha1.RouteAffinity{By: v1alpha1.AffinityKey(text), TTL: long}
	spec.Fallback = v1alpha1.RouteFallback{
		Failures: kinds, MaxAttempts: &number, MaxCost: v1alpha1.USDAmount(text), Retry: v1alpha1.RouteRetry{Failures: kinds, Max: &number},
	}
	spec.Require = &v1alpha1.RouteRequirements{DataPolicy: policy, MinContextTokens: &wide, MaxPrice: highest}
	spec.Limits = []v1alpha1.RouteLimit{{Per: v1alpha1.LimitScope(text), Concurrency: &wide, Queue: &v1alpha1.LimitQueue{MaxWait: long, MaxLength: &number}}}
	spec.Mirror = &v1alpha1.RouteMirror{Name: text, Model: text, Percent: &number, MaxCostPerHour: v1alpha1.USDAmount(text), Declares: declared}
	target := &spec.Targets[0]
	target.Declares, target.Successor, target.OnlyFor = declared, text, *kinds
	target.OpenRouter = &v1alpha1.OpenRouterPreferences{
		Order: []v1alpha1.ProviderSlug{v1alpha1.ProviderSlug(text)}, Sort: v1alpha1.OpenRouterSort(text), MaxPrice: highest, DataPolicy: policy,
	}
}

// without returns a table without the entries of an object and without what tells that it is another table.
func without(t table.Table, name string) table.Table {
	t.Sequence, t.Revision = 0, ""
	t.Routes = slices.DeleteFunc(slices.Clone(t.Routes), func(r table.Route) bool { return r.Name == name })
	t.Credentials = slices.DeleteFunc(slices.Clone(t.Credentials), func(c table.Credential) bool { return c.Name == name })
	t.Budgets = slices.DeleteFunc(slices.Clone(t.Budgets), func(b table.Budget) bool { return b.Name == name })
	t.AccessKeys = slices.DeleteFunc(slices.Clone(t.AccessKeys), func(k table.AccessKey) bool { return k.Name == name })
	return t
}

func TestReportCodec(t *testing.T) {
	want := compile.Compile(world()).Report
	packed, err := compile.EncodeReport(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := compile.DecodeReport(packed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, *got, cmpopts.IgnoreFields(compile.ObjectReport{}, "Keys", "Values")); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	for _, broken := range [][]byte{nil, []byte("report"), packed[:len(packed)/2]} {
		if _, err := compile.DecodeReport(broken); err == nil {
			t.Errorf("%d broken bytes were decoded", len(broken))
		}
	}
}
